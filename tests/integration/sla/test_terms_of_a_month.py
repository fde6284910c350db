"""Which seconds of a month an account's terms really ran, as claims read them from the database."""

from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from keizoku.db.session import Session
from keizoku.db.tables.contracts import term
from keizoku.sla.claims.claim_store import load_terms
from keizoku.sla.rules.claim_facts import TermFact, TermKind
from keizoku.terms.calendar import Interval, epoch, parse_instant
from tests.worlds.sla_world import APRIL, at, member, open_service

FIRST, LAST = epoch(at("2026-04-01")), epoch(at("2026-05-01"))
MICROSECOND = timedelta(microseconds=1)
KNOWN_AT = at("2026-04-21 08:00")
ENDED_AT = at("2026-04-20 12:00") + 250_000 * MICROSECOND


def ended(on: str, ended_at: datetime) -> dict[str, Any]:
    return {"ended_on": date.fromisoformat(on), "ended_at": ended_at, "end_recorded_at": KNOWN_AT}


def close(session: Session, contract_id: int, on: str | None, closed_at: datetime | None = None) -> None:
    day = None if on is None else date.fromisoformat(on)
    session.exec_driver_sql("SET LOCAL session_replication_role = replica")  # it is set once: here it stands otherwise
    session.execute(sa.update(term).where(term.c.contract_id == contract_id).values(closed_on=day, closed_at=closed_at))
    session.commit()


def ran(session: Session, account: str, known_at: datetime | None = None) -> list[TermKind]:
    return [fact.kind for fact in load_terms(session, APRIL, [account], known_at).get(account, [])]


def kind(start: int | str, end: int | datetime | str, interval: Interval = "month", price_yen: int = 500) -> TermKind:
    first, last = (value if isinstance(value, int) else epoch(parse_instant(value)) for value in (start, end))
    return TermKind(first, last, "card", interval, price_yen)


def test_9_2__a_term_counts_as_long_as_it_ran_within_the_month(session: Session) -> None:
    open_service(session)
    member(session, "over both ends", starts_at="2026-03-20 10:00", ends_on="2026-05-20")
    member(
        session, "year", starts_at="2026-04-10 10:30:00.000001", ends_on="2027-04-10", interval="year", price_yen=5300
    )
    member(session, "before", starts_at="2026-03-01", ends_on="2026-04-01")
    member(session, "last second", starts_at="2026-04-30 23:59:59.999999", ends_on="2026-05-30")
    assert ran(session, "over both ends") == [kind(FIRST, LAST)]
    assert ran(session, "year") == [kind("2026-04-10 10:30", LAST, "year", 5300)]  # seconds begin rounded down
    assert ran(session, "before") == []
    assert ran(session, "last second") == [kind("2026-04-30 23:59:59", LAST)]
    assert ran(session, "nobody") == []


def test_9_2__an_early_end_counts_from_its_instant_once_it_is_known(session: Session) -> None:
    open_service(session)
    ends = ended("2026-04-20", ENDED_AT)
    close(session, member(session, "ended", **ends), "2026-04-20")
    close(session, member(session, "own instant", **ends), "2026-04-20", at("2026-04-20 09:00"))
    close(session, member(session, "not closed", **ends), None)
    close(session, member(session, "closed alone"), "2026-04-18")
    rounded_up = kind(FIRST, "2026-04-20 12:00:01")
    assert ran(session, "ended") == [rounded_up]
    assert ran(session, "own instant") == [kind(FIRST, "2026-04-20 09:00")]
    assert ran(session, "not closed") == [rounded_up]
    assert ran(session, "closed alone") == [kind(FIRST, "2026-04-18")]
    for account in ("ended", "own instant", "not closed"):
        assert ran(session, account, KNOWN_AT - MICROSECOND) == [kind(FIRST, LAST)]
        assert ran(session, account, KNOWN_AT) == ran(session, account)


def test_9_2__terms_that_differ_in_nothing_else_have_one_kind(session: Session) -> None:
    open_service(session)
    for account in ("a", "b"):
        member(session, account)
    found = load_terms(session, APRIL, ["a", "b"])
    [[one], [other]] = found["a"], found["b"]
    assert one == TermFact(one.term_id, kind(FIRST, LAST))
    assert one.kind is other.kind
    assert one.term_id != other.term_id
