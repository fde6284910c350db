"""A hold on one account: what we would do to it waits, the rights of the member go on, and what is owed stays owed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import pytest
import sqlalchemy as sa

from keizoku.billing.accounts.account_views import contract_view, owed_view
from keizoku.billing.accounts.history import account_history
from keizoku.scheduler.app import Services
from keizoku.scheduler.night.nightly_run import run_night
from keizoku.scheduler.night.schedule import night_at
from keizoku.terms.calendar import parse_instant
from keizoku.terms.refusal import Refused
from tests.worlds.world import open_world, rows_found, services_on

pytestmark = pytest.mark.database
BEGAN = parse_instant("2026-04-10 10:00")


@pytest.fixture
def services(engine: sa.Engine) -> Iterator[Services]:
    with services_on(engine) as services:
        open_world(services)
        for account, method in (("card", "card"), ("bank", "other"), ("free", "other")):
            services.billing.approve(account, "monthly", method, now=BEGAN)
        yield services


def _nights(services: Services, first: date, last: date) -> None:
    for day in range((last - first).days + 1):
        on = first + timedelta(days=day)
        done = run_night(services, on, night_at(on))
        assert (done.certificate, done.set_aside) == ("ok", ())


def test_what_we_would_do_waits_and_the_members_rights_go_on(services: Services) -> None:
    _nights(services, date(2026, 4, 11), date(2026, 4, 20))
    at = parse_instant("2026-04-20 09:00")
    for account in ("card", "bank"):
        services.billing.hold_account(account, date(2026, 5, 31), "they dispute the sum", by="sato", now=at)
    _nights(services, date(2026, 4, 21), date(2026, 5, 25))

    at = parse_instant("2026-05-25 09:00")
    for account, access in (("card", True), ("bank", True), ("free", False)):
        assert contract_view(services.session, services.rules, account, at).access == access, account
    assert rows_found(services, "SELECT account, count(*) FROM invoice GROUP BY 1 ORDER BY 1") == [
        ("bank", 2), ("card", 2), ("free", 1),
    ]  # fmt: skip  # the one that is suspended is not renewed; the held ones are
    assert rows_found(services, "SELECT account FROM payment_attempt WHERE started_on > '2026-04-20'") == []
    told = "SELECT DISTINCT account FROM user_notice UNION SELECT account FROM demand"
    assert rows_found(services, told) == [("free",)]
    assert owed_view(services.session, services.rules, "bank", at).interest > 0  # patience is no waiver

    story = account_history(services.session, services.rules, "bank", until=at, known_at=at)
    assert story.state.held_until == date(2026, 5, 31)
    [line] = [words for _, words, _ in story.sentences("en") if "held back" in words]
    assert line.startswith("Charges, demands, and suspension or termination for unpaid fees are held back until 31 May")
    assert "sato" in line
    before = parse_instant("2026-04-19 09:00")
    assert account_history(services.session, services.rules, "bank", until=before, known_at=at).state.held_until is None

    services.billing.end_of_use("card", now=at)  # the member's right
    services.billing.release_account("card", "they were wrong", by="sato", now=at)
    _nights(services, date(2026, 5, 26), date(2026, 5, 26))
    [(yen, outcome)] = rows_found(
        services, "SELECT yen, outcome FROM payment_attempt WHERE account = 'card' AND started_on = '2026-05-26'"
    )
    assert (yen, outcome) == (500, "succeeded")
    card = owed_view(services.session, services.rules, "card", night_at(date(2026, 5, 26)))
    assert (card.total, card.interest) == (0, 0)  # the days of our own delay count against nobody

    _nights(services, date(2026, 5, 27), date(2026, 6, 2))  # the hold on the other has run out
    assert not contract_view(services.session, services.rules, "bank", parse_instant("2026-06-02 09:00")).access
    demanded = rows_found(services, "SELECT demanded_on FROM demand WHERE account = 'bank'")
    assert demanded == [(date(2026, 6, 1),)]


def test_a_hold_has_an_author_a_ground_and_a_day_to_come(services: Services) -> None:
    at = parse_instant("2026-04-20 09:00")
    hold, release = services.billing.hold_account, services.billing.release_account
    for account, until, by, code in (
        ("nobody", date(2026, 5, 1), "sato", "account.unknown"),
        ("bank", date(2026, 4, 19), "sato", "account.hold_over"),
        ("bank", date(2026, 5, 1), " ", "act.unsigned"),
    ):
        with pytest.raises(Refused) as refused:
            hold(account, until, "ground", by=by, now=at)
        assert refused.value.code == code
        services.session.rollback()
    with pytest.raises(Refused, match="not held"):
        release("bank", "ground", by="sato", now=at)
    services.session.rollback()
    for _ in range(2):  # with its key, once
        hold("bank", date(2026, 4, 20), "ground", by="sato", key="k", now=at)
    with pytest.raises(Refused, match="sato holds it until 2026-04-20"):
        hold("bank", date(2026, 5, 1), "ground", by="abe", now=at)
    services.session.rollback()
    hold("bank", date(2026, 5, 1), "again", by="abe", now=at + timedelta(days=1))  # the first has run out
    release("bank", "done", by="abe", now=at + timedelta(days=1))
    assert rows_found(services, "SELECT count(*) FROM account_hold_end") == [(1,)]
    with pytest.raises(sa.exc.DBAPIError, match="account_hold"):
        services.session.execute(sa.text("DELETE FROM account_hold"))
