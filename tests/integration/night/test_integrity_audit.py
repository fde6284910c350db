"""The audit builds on the last certificate: what comes in below its floors is not missed, tampering is found in time.

That it sees whatever an audit of everything sees, in every night of a whole life, is asserted in test_night.
"""

from collections.abc import Iterator
from datetime import date, timedelta

import pytest
import sqlalchemy as sa

from keizoku.scheduler.app import House
from keizoku.scheduler.night import run_log
from keizoku.scheduler.night.nightly_run import WHOLE_AUDIT_DAYS, NightResult, run_night
from keizoku.scheduler.night.schedule import night_at
from keizoku.terms.calendar import parse_instant
from tests.worlds.world import house_on, open_world

FIRST = date(2026, 3, 27)


@pytest.fixture
def house(engine: sa.Engine) -> Iterator[House]:
    """One user who has paid for a month, and three nights."""
    with house_on(engine) as house:
        open_world(house)
        house.billing.approve("hanako", "monthly", "card", now=parse_instant("2026-03-26 10:00"))
        for day in range(3):
            night(house, day)
        yield house


def night(house: House, day: int, *, whole_audit: bool = False) -> NightResult:
    on = FIRST + timedelta(days=day)
    return run_night(house, on, night_at(on), whole_audit=whole_audit)


def tamper(house: House, statement: str) -> None:
    """What only the owner of the database can do: guards off, rows rewritten, guards on again."""
    house.session.execute(sa.text("SET LOCAL session_replication_role = replica"))
    house.session.execute(sa.text(statement))
    house.session.commit()


def test_an_old_entry_that_was_rewritten_is_found_by_an_audit_of_everything_and_within_a_week(house: House) -> None:
    invoiced = "entry_id = (SELECT id FROM entry WHERE event = 'term_invoiced')"
    found = (
        "account 1140 stands at 500 yen, its rows say 0",
        "account 2120 stands at -952 yen, its rows say -452",
    )
    tamper(house, f"UPDATE line SET yen = yen * 2 WHERE {invoiced}")
    assert night(house, 2).certificate == "ok"  # it lies below the floor
    assert night(house, 2, whole_audit=True).differences == found
    tamper(house, f"UPDATE line SET yen = yen / 2 WHERE {invoiced}")
    assert night(house, 2).certificate == "ok"  # after differences everything is looked at
    tamper(house, f"UPDATE line SET yen = yen * 2 WHERE {invoiced}")
    states = [night(house, day).certificate for day in range(3, 3 + WHOLE_AUDIT_DAYS)]
    assert states == ["ok"] * (WHOLE_AUDIT_DAYS - 1) + ["differences"]


def test_a_cache_that_was_rewritten_is_found_by_the_next_night(house: House) -> None:
    tamper(house, "UPDATE invoice SET state = 'open', open_yen = 200")
    assert "account 1140 stands at 0 yen, its rows say 200" in night(house, 2).differences


def test_rows_that_come_in_below_a_floor_make_the_audit_look_at_everything(house: House) -> None:
    """As a transaction leaves them that drew its ids before another night looked and committed after."""
    tamper(
        house,
        'UPDATE certificate SET floors = floors || \'{"entry": 1000, "settlement": 1000}\' '
        "WHERE id = (SELECT max(id) FROM certificate)",
    )
    house.billing.approve("jiro", "monthly", "card", now=parse_instant("2026-03-29 10:00"))
    result = night(house, 3)
    assert (result.certificate, result.differences) == ("ok", ())
    standing = run_log.standing(house.session, result.business_date)
    newest = house.session.execute(sa.text("SELECT max(id) FROM entry")).scalar_one()
    assert (standing.base.floors["entry"], standing.audited_whole_on) == (newest, result.business_date)


def test_an_attempt_without_an_answer_keeps_its_successors_above_the_floor(house: House) -> None:
    house.cards.set_card("jiro", "timeout_before")
    house.billing.approve("jiro", "monthly", "card", now=parse_instant("2026-03-29 10:00"))
    house.billing.approve("saburo", "monthly", "card", now=parse_instant("2026-03-29 10:05"))
    unknown, later = house.session.scalars(
        sa.text("SELECT id FROM attempt WHERE account <> 'hanako' ORDER BY id")
    ).all()
    assert night(house, 3).certificate == "ok"
    base = run_log.standing(house.session, FIRST).base
    assert (base.floors["attempt"], base.carried["charged"], base.carried["attempt_rows"]) == (unknown - 1, 500, 1)
    house.cards.set_card("jiro", "ok")
    assert night(house, 3).certificate == "ok"  # it is sent again
    base = run_log.standing(house.session, FIRST).base
    assert (base.floors["attempt"], base.carried["charged"], base.carried["attempt_rows"]) == (later, 1_500, 3)
