"""Revenue of a term, day by day: the fee is earned as the days of the term pass.

Decides premium/6.3 for the books: what is left of a fee when a term ends early is earned, not paid back.

    5,300 for 2026-04-01 ─ 365 days ─ 2027-04-01:  04: 435 │ 05: 450 │ 06: 436 │ … │ 03: 451

Always holds: what is recognised by a day is the fee × days passed / days of the term, rounded down, and the
tax in it is the tax in that sum, rounded down; a day's part is the difference of two neighbours. So the
parts of any division of the term sum to the fee and to its tax. Days are JST dates, terms half-open
[starts_on, ends_on), amounts whole yen, tax included. Errors: ValueError for a term without days or a fee
below zero (programmer errors).

The nightly run recognises a million terms a day inside the database. It takes the same arithmetic from here, as SQL:
each `…_sql` renders the expression for the names of columns, and a property in
tests/integration/billing/test_revenue_stage.py holds it to the functions.
"""

from __future__ import annotations

from datetime import date, timedelta
from fractions import Fraction
from typing import NamedTuple

from keizoku.terms.decision import decides
from keizoku.terms.money import cumulative_floor, tax_included_yen


class Recognised(NamedTuple):
    """Revenue, tax included, and the tax in it."""

    yen: int
    tax_yen: int


class Division(NamedTuple):
    """A claim that is given up, by what was already earned of it."""

    unrecognised_yen: int  # comes out of the contract liability
    recognised_yen: int  # was revenue


def recognised_through(price_yen: int, starts_on: date, ends_on: date, day_after: date) -> int:
    """What is earned of the fee before `day_after`: nothing before the term, all of it after."""
    passed_days = (min(max(day_after, starts_on), ends_on) - starts_on).days
    return cumulative_floor(price_yen, passed_days, (ends_on - starts_on).days)


def recognised_through_sql(
    price_yen: str, starts_on: str, ends_on: str, day_after: str, *, inside: bool = False
) -> str:
    """`recognised_through` as SQL of PostgreSQL, bigint yen and dates; all arguments are SQL themselves.

    `inside`: the query already holds `day_after` within [starts_on, ends_on], so it need not be clamped.
    """
    last_on = f"({day_after})" if inside else f"least(greatest({day_after}, {starts_on}), {ends_on})"
    return f"({price_yen} * ({last_on} - {starts_on}) / ({ends_on} - {starts_on}))"


def recognised_tax_sql(recognised_yen: str, tax_over: str, tax_under: str) -> str:
    """The tax in what is recognised, as SQL: tax_included_yen for a rate given by its tax_parts."""
    return f"({recognised_yen} * {tax_over} / {tax_under})"


def recognised_between(
    price_yen: int, starts_on: date, ends_on: date, from_on: date, to_on: date, tax_rate: Fraction
) -> Recognised:
    """What is earned on the days [from_on, to_on): a month's, or those that a late night catches up."""
    before_yen = recognised_through(price_yen, starts_on, ends_on, from_on)
    after_yen = recognised_through(price_yen, starts_on, ends_on, to_on)
    tax_yen = tax_included_yen(after_yen, tax_rate) - tax_included_yen(before_yen, tax_rate)
    return Recognised(after_yen - before_yen, tax_yen)


def recognised_on(price_yen: int, starts_on: date, ends_on: date, day: date, tax_rate: Fraction) -> Recognised:
    """What is earned on one day."""
    return recognised_between(price_yen, starts_on, ends_on, day, day + timedelta(days=1), tax_rate)


@decides("premium/6.3")
def remaining(price_yen: int, starts_on: date, ends_on: date, day_after: date, tax_rate: Fraction) -> Recognised:
    """What is not yet earned when the days before `day_after` are.

    A term that ends early is not paid back (premium/6.2, 6.3), so this is earned at once if the fee is paid,
    and once it is paid if it isn't.
    """
    return recognised_between(price_yen, starts_on, ends_on, min(day_after, ends_on), ends_on, tax_rate)


def divide_claim(claim_yen: int, unrecognised_yen: int) -> Division:
    """What a write-off or a void sale takes back: first what was not yet earned, then revenue.

    A claim may be smaller than the fee (a credit, a payment in part): the days paid for count as the first
    ones.
    """
    if claim_yen < 0 or unrecognised_yen < 0:
        raise ValueError(f"neither a claim nor what is unearned falls below zero: {claim_yen=}, {unrecognised_yen=}")
    from_liability_yen = min(claim_yen, unrecognised_yen)
    return Division(from_liability_yen, claim_yen - from_liability_yen)
