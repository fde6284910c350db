"""The machine's clock is set back under a link: what is written afterwards still stands in its order."""

from __future__ import annotations

from datetime import timedelta

import pytest

from keizoku.db.tables.link.grants import link_grant, link_token, link_use
from keizoku.link.partner.simulated import SimulatedPartner
from keizoku.link.services.link_service import LinkService
from keizoku.terms.refusal import Refused
from tests.worlds.link_world import BY, NOW, admit, grant, later, rows


@pytest.mark.parametrize("used", [False, True])
def test_a_clock_that_was_set_back_ends_no_grant_before_it_was_given_and_used(
    house: tuple[LinkService, SimulatedPartner], used: bool
) -> None:
    link, _ = house
    account, ago = f"set-back-{used}", NOW - timedelta(days=1)
    admit(link, account)
    grant(link, account)
    if used:
        link.show(account, ["positions"], now=later(60))
    assert link.revoke(account, now=ago, **BY)
    ends_at = later(60) if used else NOW
    assert [(row.ended_at, row.ended_cause, row.end_recorded_at) for row in rows(link, link_grant, account)] == [
        (ends_at, "revoked", ago)
    ]
    assert [row.ended_at for row in rows(link, link_token, account)] == [ends_at]
    assert [row.purpose for row in rows(link, link_use, account) if row.begun_at > ends_at] == []
    with pytest.raises(Refused) as error:
        link.show(account, ["positions"], now=later(60))
    assert error.value.code == "link.closed"
