"""Demands for late interest: monthly on the first night, and at termination (premium/5.2).

A demand states the whole interest owed, rounded down once, and asks for what was not demanded before. It does not
restart the count. What the payer pays before it was demanded is booked then.
"""

from collections.abc import Collection
from datetime import date, datetime

import sqlalchemy as sa

from billing import notices
from billing.booking import Posting, post
from billing.stages.unpaid import interest_owed, load_unpaid
from db.session import Session
from db.tables.money import allocation, demand, interest_booking
from terms.calendar import Month, jst_day
from terms.rules import Rules


def demand_month(session: Session, rules: Rules, business_date: date, now: datetime) -> int:
    """On the first night of a month: demand from everyone what has accrued and was not demanded; commits."""
    if business_date.day != 1 or not rules.discretion.demand_monthly:
        return 0
    unpaid = load_unpaid(session, rules, jst_day(now), with_carried=True)
    accounts = {each.account for each in unpaid if each.carried_yen or each.due_on < jst_day(now)}
    changes = demand_interest(session, rules, accounts, f"month:{Month.of(business_date)}", now)
    session.commit()
    return changes


def demand_interest(session: Session, rules: Rules, accounts: Collection[str], occasion: str, now: datetime) -> int:
    """One demand per account for the floored total less what was demanded before; does not commit."""
    today = jst_day(now)
    rate = rules.terms.at(today).late_interest.rate
    changes = 0
    for account in sorted(accounts):
        if session.execute(
            sa.select(demand.c.id).where(demand.c.account == account, demand.c.occasion == occasion)
        ).first():
            continue
        total_yen, _ = interest_owed(
            load_unpaid(session, rules, today, account=account, with_carried=True), rules, today
        )
        new_yen = total_yen - interest_booked(session, account)
        if new_yen <= 0:
            continue
        body_ja, body_en = notices.interest_demand(today, new_yen, total_yen, rate)
        session.execute(
            sa.insert(demand).values(
                account=account,
                demanded_on=today,
                interest_yen=new_yen,
                total_yen=total_yen,
                occasion=occasion,
                written_at=now,
                body_ja=body_ja,
                body_en=body_en,
            )
        )
        book_interest(session, account, "demand", new_yen, f"demand:{occasion}", now)
        post(
            session,
            [Posting("interest_demanded", f"demand:{account}:{occasion}", today, {"yen": new_yen}, account)],
            now,
        )
        changes += 2
    return changes


def interest_booked(session: Session, account: str) -> int:
    """Whole yen of interest in the books of an account that are not paid yet (its share of 1150)."""
    booked = (
        sa.select(sa.func.coalesce(sa.func.sum(interest_booking.c.yen), 0))
        .where(interest_booking.c.account == account)
        .scalar_subquery()
    )
    paid = (
        sa.select(sa.func.coalesce(sa.func.sum(allocation.c.yen), 0))
        .where(allocation.c.account == account, allocation.c.kind == "interest")
        .scalar_subquery()
    )
    return int(session.execute(sa.select(booked - paid)).scalar_one())


def book_interest(session: Session, account: str, kind: str, yen: int, occasion: str, now: datetime) -> None:
    """Note that interest went into the books; does not commit."""
    session.execute(
        sa.insert(interest_booking).values(
            account=account, kind=kind, yen=yen, booked_on=jst_day(now), recorded_at=now, occasion=occasion
        )
    )
