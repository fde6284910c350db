"""An April that was lived: decided in May, raised by late evidence in July, found lower again in August."""

from datetime import date, datetime, timedelta

import sqlalchemy as sa

from db.session import Session
from db.tables.contracts import account, contract, plan, term
from sla import stages
from sla.desk import SlaDesk
from terms.calendar import Month, day_start_at, parse_instant
from terms.policy import Terms
from terms.rules import Rules

RULES = Rules(Terms.load("premium"))
APRIL = Month(2026, 4)


def at(text: str) -> datetime:
    return parse_instant(text)


def member(session: Session, name: str, method: str = "card", interval: str = "month", price_yen: int = 500) -> None:
    """An account with one term from 20 March on."""
    first = at("2026-03-20 10:00")
    session.execute(sa.insert(account).values(id=name, created_at=first))
    values = {"account": name, "plan": "monthly", "method": method, "applied_at": first, "approved_at": first}
    inserted = session.execute(
        sa.insert(contract).values(**values, anchor_on=first.date(), recorded_at=first).returning(contract.c.id)
    )
    session.execute(
        sa.insert(term).values(
            contract_id=inserted.scalar_one(),
            account=name,
            seq=1,
            starts_on=date(2026, 3, 20),
            ends_on=date(2026, 5, 20) if interval == "month" else date(2027, 3, 20),
            starts_at=first,
            method=method,
            plan="monthly",
            interval=interval,
            price_yen=price_yen,
            terms_version="2024-12-02",
            recorded_at=first,
        )
    )
    session.commit()


def night(session: Session, on: str) -> None:
    business_date = date.fromisoformat(on)
    now = day_start_at(business_date) + timedelta(hours=2, minutes=30)
    for _ in stages.adjudicate_due(session, RULES, business_date, now):
        pass


def live(session: Session) -> Session:
    """April: 14,820 s at first; five hours more in July; in August those turn out never to have been."""
    long_ago = at("2025-01-01")
    session.execute(sa.insert(plan).values(code="monthly", interval="month", recorded_at=long_ago))
    session.commit()
    member(session, "hanako")
    member(session, "taro", interval="year", price_yen=5_300)
    member(session, "jiro", method="app_store")
    desk = SlaDesk(session, RULES)
    desk.population(long_ago, 1_000_000, now=long_ago)
    desk.notice(
        "n1", at("2026-04-18 09:00"), at("2026-04-20 09:00"), at("2026-04-20 12:00"), now=at("2026-04-18 09:00")
    )
    desk.stop(
        at("2026-04-10 09:00"),
        at("2026-04-10 12:37"),
        60_000,
        id="s1",
        now=at("2026-04-10 14:00"),
        by="ops",
        ground="log",
    )
    desk.stop(at("2026-04-12 00:30"), at("2026-04-12 05:00"), 900_000, id="s2", now=at("2026-04-12 05:30"))
    for number, name in enumerate(("hanako", "taro", "jiro"), start=1):
        desk.claim(f"c{number}", name, APRIL, now=at(f"2026-05-02 09:0{number}"))
    night(session, "2026-05-03")
    desk.stop(at("2026-04-20 09:00"), at("2026-04-20 14:00"), 60_000, id="s3", now=at("2026-07-10 09:00"))
    night(session, "2026-07-11")
    desk.correct_stop("s3", affected=0, by="<b>audit</b>", ground="=a false alarm", now=at("2026-08-01 09:00"))
    night(session, "2026-08-02")
    return session
