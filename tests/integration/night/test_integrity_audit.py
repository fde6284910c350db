"""The audit builds on the last certificate: what comes in below its floors is not missed, tampering is found in time.

That it sees whatever an audit of everything sees, in every night of a whole life, is asserted in test_night.
"""

from collections.abc import Iterator
from datetime import date, timedelta

import pytest
import sqlalchemy as sa

from keizoku.scheduler.app import Services
from keizoku.scheduler.night import run_log
from keizoku.scheduler.night.nightly_run import WHOLE_AUDIT_DAYS, NightResult, run_night
from keizoku.scheduler.night.schedule import night_at
from keizoku.scheduler.simulator import Simulator
from keizoku.terms.calendar import parse_instant
from tests.worlds.world import open_world, services_on

FIRST = date(2026, 3, 27)


@pytest.fixture
def services(engine: sa.Engine) -> Iterator[Services]:
    """One user who has paid for a month, and three nights."""
    with services_on(engine) as services:
        open_world(services)
        services.billing.approve("hanako", "monthly", "card", now=parse_instant("2026-03-26 10:00"))
        for day in range(3):
            night(services, day)
        yield services


def night(services: Services, day: int, *, whole_audit: bool = False) -> NightResult:
    on = FIRST + timedelta(days=day)
    return run_night(services, on, night_at(on), whole_audit=whole_audit)


def tamper(services: Services, statement: str) -> None:
    """What only the owner of the database can do: guards off, rows rewritten, guards on again."""
    services.session.execute(sa.text("SET LOCAL session_replication_role = replica"))
    services.session.execute(sa.text(statement))
    services.session.commit()


def test_an_old_entry_that_was_rewritten_is_found_by_an_audit_of_everything_and_within_a_week(
    services: Services,
) -> None:
    invoiced = "entry_id = (SELECT id FROM entry WHERE event = 'term_invoiced')"
    found = (
        "account 1140 stands at 500 yen, its rows say 0",
        "account 2120 stands at -952 yen, its rows say -452",
    )
    tamper(services, f"UPDATE line SET yen = yen * 2 WHERE {invoiced}")
    assert night(services, 2).certificate == "ok"  # it lies below the floor
    assert night(services, 2, whole_audit=True).differences == found
    tamper(services, f"UPDATE line SET yen = yen / 2 WHERE {invoiced}")
    assert night(services, 2).certificate == "ok"  # after differences everything is looked at
    tamper(services, f"UPDATE line SET yen = yen * 2 WHERE {invoiced}")
    states = [night(services, day).certificate for day in range(3, 3 + WHOLE_AUDIT_DAYS)]
    assert states == ["ok"] * (WHOLE_AUDIT_DAYS - 1) + ["differences"]


def test_a_cache_that_was_rewritten_is_found_by_the_next_night(services: Services) -> None:
    tamper(services, "UPDATE invoice SET state = 'open', open_yen = 200")
    assert "account 1140 stands at 0 yen, its rows say 200" in night(services, 2).differences


def test_rows_that_come_in_below_a_floor_make_the_audit_look_at_everything(services: Services) -> None:
    """As a transaction leaves them that drew its ids before another night looked and committed after."""
    tamper(
        services,
        'UPDATE certificate SET floors = floors || \'{"entry": 1000, "settlement": 1000}\' '
        "WHERE id = (SELECT max(id) FROM certificate)",
    )
    services.billing.approve("jiro", "monthly", "card", now=parse_instant("2026-03-29 10:00"))
    result = night(services, 3)
    assert (result.certificate, result.differences) == ("ok", ())
    standing = run_log.run_log_state(services.session, result.business_date)
    newest = services.session.execute(sa.text("SELECT max(id) FROM entry")).scalar_one()
    assert (standing.base.floors["entry"], standing.audited_whole_on) == (newest, result.business_date)


def test_an_attempt_without_an_answer_keeps_its_successors_above_the_floor(services: Services) -> None:
    Simulator(services).cards.set_card("jiro", "timeout_before")
    services.billing.approve("jiro", "monthly", "card", now=parse_instant("2026-03-29 10:00"))
    services.billing.approve("saburo", "monthly", "card", now=parse_instant("2026-03-29 10:05"))
    unknown, later = services.session.scalars(
        sa.text("SELECT id FROM payment_attempt WHERE account <> 'hanako' ORDER BY id")
    ).all()
    assert night(services, 3).certificate == "ok"
    base = run_log.run_log_state(services.session, FIRST).base
    assert (base.floors["payment_attempt"], base.carried["charged"], base.carried["payment_attempt_rows"]) == (
        unknown - 1,
        500,
        1,
    )
    Simulator(services).cards.set_card("jiro", "ok")
    assert night(services, 3).certificate == "ok"  # it is sent again
    base = run_log.run_log_state(services.session, FIRST).base
    assert (base.floors["payment_attempt"], base.carried["charged"], base.carried["payment_attempt_rows"]) == (
        later,
        1_500,
        3,
    )
