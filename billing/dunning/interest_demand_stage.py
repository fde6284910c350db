"""Demands for late interest: monthly on the first night, and at termination (premium/5.2).

A demand states the whole interest owed, rounded down once, and asks for what was not demanded before. It does not
restart the count. What the payer pays before it was demanded is booked then. It keeps the workings of every debt, so
that the document can be shown again as it was sent.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime

import sqlalchemy as sa

from keizoku.billing.ledger.posting import Posting, post
from keizoku.billing.receivables.open_items import Unpaid, by_account, load_unpaid
from keizoku.billing.rules.documents import notice_text
from keizoku.billing.rules.documents.late_interest_statement import OpenDebt, Workings, told, work_out
from keizoku.db.session import Session, copy_rows, texts
from keizoku.db.tables.money import allocation, demand, interest_booking
from keizoku.terms.calendar import Month, jst_day
from keizoku.terms.rules import Rules


def demand_month(session: Session, rules: Rules, business_date: date, now: datetime) -> int:
    """On the first night of a month: demand from everyone what has accrued and was not demanded; commits."""
    if business_date.day != 1 or not rules.discretion.demand_monthly:
        return 0
    today = jst_day(now)
    owing = by_account(load_unpaid(session, rules, today, with_carried=True))
    late = {
        account: unpaid
        for account, unpaid in owing.items()
        if any(each.carried_yen or each.due_on < today for each in unpaid)
    }
    changes = demand_interest(session, rules, late, f"month:{Month.of(business_date)}", now)
    session.commit()
    return changes


def demand_interest(
    session: Session, rules: Rules, owing: Mapping[str, Sequence[Unpaid]], occasion: str, now: datetime
) -> int:
    """One demand per account for the floored total less what was demanded before; does not commit.

    `owing` holds all that each account has not paid, with the interest carried on paid fees.
    """
    if not owing:
        return 0
    today = jst_day(now)
    rate = rules.terms.at(today).late_interest.rate
    query = sa.select(demand.c.account).where(demand.c.occasion == occasion, demand.c.account == sa.any_(texts(owing)))
    demanded = set(session.scalars(query))
    booked = interest_booked_by(session, owing)
    found = [
        workings_of(account, owing[account], rules, today, booked.get(account, 0))
        for account in sorted(owing)
        if account not in demanded
    ]
    fresh = [each for each in found if each.new_yen]
    if not fresh:
        return 0
    rows = []
    for each in fresh:
        calculation = each.to_json()
        body_ja, body_en = notice_text.interest_demand(
            today, each.new_yen, each.total_yen, rate, told(calculation, "ja"), told(calculation, "en")
        )
        rows.append((each.account, today, each.new_yen, each.total_yen, occasion, now, body_ja, body_en, calculation))
    copy_rows(
        session,
        demand,
        (
            "account",
            "demanded_on",
            "interest_yen",
            "total_yen",
            "occasion",
            "written_at",
            "body_ja",
            "body_en",
            "calculation",
        ),
        rows,
    )
    _book(session, [(each.account, "demand", each.new_yen, today, now, f"demand:{occasion}") for each in fresh])
    post(
        session,
        [
            Posting(
                "interest_demanded", f"demand:{each.account}:{occasion}", today, {"yen": each.new_yen}, each.account
            )
            for each in fresh
        ],
        now,
    )
    return 2 * len(fresh)


def workings_of(account: str, unpaid: Sequence[Unpaid], rules: Rules, on: date, demanded_yen: int) -> Workings:
    """The interest of an account's debts through a day, worked out debt by debt; debts that bear none are left out."""
    policy = rules.terms.at(on)
    return work_out(
        account,
        [
            OpenDebt(each.debt, each.term_starts_on, each.due_on)
            for each in unpaid
            if each.carried_yen or (each.open_yen and each.due_on < on)
        ],
        on,
        policy.late_interest.rate,
        policy.readings["late_interest_day_count"],
        demanded_yen,
    )


def interest_booked(session: Session, account: str) -> int:
    """Whole yen of interest in the books of an account that are not paid yet (its share of 1150)."""
    return interest_booked_by(session, [account]).get(account, 0)


def interest_booked_by(session: Session, accounts: Collection[str]) -> dict[str, int]:
    """The same for many accounts; those with nothing in the books are left out."""
    wanted = sa.any_(texts(accounts))
    booked = sa.select(interest_booking.c.account, interest_booking.c.yen).where(interest_booking.c.account == wanted)
    paid = sa.select(allocation.c.account, -allocation.c.yen).where(
        allocation.c.account == wanted, allocation.c.kind == "interest"
    )
    both = booked.union_all(paid).subquery()
    rows = session.execute(sa.select(both.c.account, sa.func.sum(both.c.yen)).group_by(both.c.account))
    return {account: int(yen) for account, yen in rows if yen}


def book_interest(session: Session, account: str, kind: str, yen: int, occasion: str, now: datetime) -> None:
    """Note that interest went into the books; does not commit."""
    _book(session, [(account, kind, yen, jst_day(now), now, occasion)])


def _book(session: Session, rows: Sequence[tuple[object, ...]]) -> None:
    copy_rows(session, interest_booking, ("account", "kind", "yen", "booked_on", "recorded_at", "occasion"), rows)
