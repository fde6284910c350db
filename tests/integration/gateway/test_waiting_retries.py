"""While a card cannot be asked by our own fault, nobody is suspended for what it might have paid."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
import sqlalchemy as sa

from keizoku.billing.gateway.port import GatewayRefusesUsError
from keizoku.billing.gateway.simulated import SimulatedGateway
from keizoku.scheduler.night.nightly_run import run_night
from keizoku.scheduler.night.schedule import night_at
from keizoku.terms.calendar import parse_instant
from tests.worlds.world import open_world, services_on

BEGAN = date(2026, 4, 2)


@pytest.mark.parametrize("then", ["ok", "insufficient_funds"])
def test_7_1_2__who_waits_for_a_retry_that_we_cannot_make_is_not_suspended_until_it_was_made(
    then: str, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_self: SimulatedGateway) -> None:
        raise GatewayRefusesUsError("the key is of another account")

    with services_on(engine) as services:
        open_world(services)
        gateway = services.gateway
        assert isinstance(gateway, SimulatedGateway)
        gateway.set_card("waits", "insufficient_funds")
        services.billing.approve("waits", "monthly", "card", now=parse_instant("2026-04-02 10:00"))

        def nights(first: int, last: int) -> list[tuple[str, ...]]:
            days = [BEGAN + timedelta(days=number) for number in range(first, last + 1)]
            return [run_night(services, each, night_at(each)).set_aside for each in days]

        def suspended() -> int:
            found = services.session.execute(sa.text("SELECT count(*) FROM suspension")).scalar_one()
            services.session.rollback()
            return int(found)

        with monkeypatch.context() as wrong_key:
            wrong_key.setattr(SimulatedGateway, "check_account", refuse)
            aside = nights(1, 14)
        # the retry was due from the third day on; ten days overdue would have been the twelfth
        assert aside == [()] * 2 + [("payments: stage payments",)] * 12
        assert suspended() == 0
        gateway.set_card("waits", then)
        assert nights(15, 15) == [()]
        assert suspended() == (then != "ok")
        states = services.session.execute(sa.text("SELECT state FROM invoice ORDER BY id LIMIT 1")).scalar_one()
        assert states == ("paid" if then == "ok" else "open")
