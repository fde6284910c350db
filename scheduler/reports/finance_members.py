"""Members of a month, and what their terms bring in each month: the rows of two tables of the month's report.

    start 1,012  +  joined 20  −  left 8  =  end 1,024         a member: a contract on a day of [anchor_on, ended_on)

A contract that never had a day (ended on the day on which it began) joined and left nothing. Recurring revenue is that
of the terms under way on one day: the price by the month (5,300 a year: 441 2/3), tax included, tax, and without tax,
each rounded down once for all terms of a plan, a method and a price. A coupon's terms cost nothing and bring nothing;
suspended members are in it: their fee is owed. Read only.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from fractions import Fraction

import sqlalchemy as sa

from keizoku.db.session import Session
from keizoku.db.tables.contracts import contract, term
from keizoku.terms.calendar import Month
from keizoku.terms.money import floor_yen, tax_included_yen
from keizoku.terms.monthly_fee import fee_by_month

__all__ = ["members", "recurring"]

Row = tuple[object, ...]
_AT_ONCE = 5_000
FREE = "coupon"


def members(session: Session, month: Month) -> Iterator[Row]:
    """(what, day, account, plan, reason, number): those at the start by plan, who joined, who left as below zero.

    The numbers sum to the members at the month's end.
    """
    lived = sa.or_(contract.c.ended_on.is_(None), contract.c.ended_on > contract.c.anchor_on)
    at_start = (
        sa.select(contract.c.plan, sa.func.count())
        .where(lived, contract.c.anchor_on < month.first_on)
        .where(sa.or_(contract.c.ended_on.is_(None), contract.c.ended_on >= month.first_on))
        .group_by(contract.c.plan)
        .order_by(contract.c.plan)
    )
    for plan, number in session.execute(at_start):
        yield "start", month.first_on, "", plan, "", int(number)
    for what, day, number in (("joined", contract.c.anchor_on, 1), ("left", contract.c.ended_on, -1)):
        rows = sa.select(day.label("on"), contract.c.account, contract.c.plan, contract.c.ended_reason).where(
            lived, contract.c.anchor_on.is_not(None), day >= month.first_on, day < month.end_on
        )
        with session.execute(rows.order_by(day, contract.c.id), execution_options={"yield_per": _AT_ONCE}) as found:
            for row in found:
                yield what, row.on, row.account, row.plan, (row.ended_reason or "") if what == "left" else "", number


def recurring(session: Session, on: date, tax_rate: Fraction) -> Iterator[Row]:
    """(plan, method, interval, price, terms, by the month, tax, without tax): of the terms under way on a day."""
    found = session.execute(
        sa.select(term.c.plan, term.c.method, term.c.interval, term.c.price_yen, sa.func.count().label("terms"))
        .where(term.c.starts_on <= on, term.c.ends_on > on, term.c.method != FREE)
        .where(sa.or_(term.c.closed_on.is_(None), term.c.closed_on > on))
        .group_by(term.c.plan, term.c.method, term.c.interval, term.c.price_yen)
        .order_by(term.c.plan, term.c.method, term.c.interval, term.c.price_yen)
    )
    for row in found:
        monthly_yen = floor_yen(row.terms * fee_by_month(row.price_yen, row.interval))
        tax_yen = tax_included_yen(monthly_yen, tax_rate)
        yield (
            row.plan, row.method, row.interval, row.price_yen, row.terms, monthly_yen, tax_yen, monthly_yen - tax_yen,
        )  # fmt: skip
