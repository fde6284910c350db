"""Revenue by day: the parts sum to the fee and to its tax, however the term is cut."""

from __future__ import annotations

from datetime import date, timedelta
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keizoku.billing.rules.books.revenue_recognition import (
    Division,
    Recognised,
    divide_claim,
    recognised_between,
    recognised_on,
    recognised_through,
    remaining,
)
from keizoku.terms.calendar import Month
from keizoku.terms.money import tax_included_yen

TAX = Fraction(10, 100)
APRIL_1 = date(2026, 4, 1)

days = st.dates(date(2024, 1, 1), date(2030, 12, 31))
terms = st.tuples(days, st.integers(1, 366)).map(lambda term: (term[0], term[0] + timedelta(days=term[1])))


def test_a_yearly_fee_of_5300_is_earned_by_month_as_the_books_say() -> None:
    months = [Month(2026, 4).shift(count) for count in range(12)]
    found = [recognised_between(5300, APRIL_1, date(2027, 4, 1), month.first_on, month.end_on, TAX) for month in months]
    assert [month.yen for month in found] == [435, 450, 436, 450, 450, 436, 450, 436, 450, 450, 406, 451]
    assert [month.tax_yen for month in found] == [39, 41, 40, 41, 40, 40, 41, 40, 41, 40, 37, 41]
    assert sum(month.yen for month in found) == 5300
    assert sum(month.tax_yen for month in found) == 481


def test_a_month_of_500_is_earned_day_by_day_and_holds_45_yen_of_tax() -> None:
    ends_on = date(2026, 5, 1)
    by_day = [recognised_on(500, APRIL_1, ends_on, APRIL_1 + timedelta(days=count), TAX) for count in range(30)]
    assert by_day[:4] == [Recognised(16, 1), Recognised(17, 2), Recognised(17, 1), Recognised(16, 2)]
    assert (sum(day.yen for day in by_day), sum(day.tax_yen for day in by_day)) == (500, 45)


def test_nothing_is_earned_before_the_term_and_all_of_it_after() -> None:
    ends_on = date(2026, 5, 1)
    assert recognised_through(500, APRIL_1, ends_on, date(2026, 3, 1)) == 0
    assert recognised_through(500, APRIL_1, ends_on, APRIL_1) == 0
    assert recognised_through(500, APRIL_1, ends_on, date(2026, 4, 2)) == 16
    assert recognised_through(500, APRIL_1, ends_on, ends_on) == 500
    assert recognised_through(500, APRIL_1, ends_on, date(2026, 6, 1)) == 500
    assert recognised_on(500, APRIL_1, ends_on, date(2026, 3, 31), TAX) == Recognised(0, 0)
    assert recognised_on(500, APRIL_1, ends_on, ends_on, TAX) == Recognised(0, 0)


def test_6_3__a_term_that_ends_early_has_the_rest_of_its_fee_earned_at_once() -> None:
    ends_on = date(2027, 4, 1)
    assert remaining(5300, APRIL_1, ends_on, date(2026, 6, 1), TAX) == Recognised(5300 - 885, 481 - 80)
    assert remaining(5300, APRIL_1, ends_on, APRIL_1, TAX) == Recognised(5300, 481)
    assert remaining(5300, APRIL_1, ends_on, ends_on, TAX) == Recognised(0, 0)
    assert remaining(5300, APRIL_1, ends_on, date(2028, 1, 1), TAX) == Recognised(0, 0)


@pytest.mark.parametrize(
    ("claim_yen", "unrecognised_yen", "division"),
    [
        (500, 200, Division(200, 300)),  # nothing was paid
        (400, 200, Division(200, 200)),  # a credit of 100 was applied
        (150, 200, Division(150, 0)),  # the rest was paid for
        (500, 0, Division(0, 500)),  # the term is over
    ],
)
def test_a_claim_given_up_takes_what_is_unearned_first(
    claim_yen: int, unrecognised_yen: int, division: Division
) -> None:
    assert divide_claim(claim_yen, unrecognised_yen) == division


def test_a_claim_or_a_fee_below_zero_and_a_term_without_days_are_refused() -> None:
    with pytest.raises(ValueError, match="below zero"):
        divide_claim(-1, 0)
    with pytest.raises(ValueError, match="needs 0 <= part <= whole"):
        recognised_through(-1, APRIL_1, date(2026, 5, 1), date(2026, 4, 2))
    with pytest.raises(ValueError, match="needs 0 <= part <= whole"):
        recognised_through(500, APRIL_1, APRIL_1, APRIL_1)


@given(st.integers(0, 10**7), terms)
def test_the_days_of_a_term_sum_to_its_fee_and_to_its_tax(price_yen: int, term: tuple[date, date]) -> None:
    starts_on, ends_on = term
    by_day = [
        recognised_on(price_yen, starts_on, ends_on, starts_on + timedelta(days=count), TAX)
        for count in range(-2, (ends_on - starts_on).days + 2)
    ]
    assert sum(day.yen for day in by_day) == price_yen
    assert sum(day.tax_yen for day in by_day) == tax_included_yen(price_yen, TAX)
    assert all(0 <= day.tax_yen <= day.yen + 1 and day.yen >= 0 for day in by_day)


@given(st.integers(0, 10**7), terms, st.lists(days, max_size=6))
def test_a_term_cut_anywhere_gives_parts_that_sum_to_the_whole(
    price_yen: int, term: tuple[date, date], cuts: list[date]
) -> None:
    starts_on, ends_on = term
    edges = sorted([starts_on, *(cut for cut in cuts if starts_on < cut < ends_on), ends_on])
    parts = [recognised_between(price_yen, *term, from_on, to_on, TAX) for from_on, to_on in pairwise(edges)]
    assert sum(part.yen for part in parts) == price_yen
    assert sum(part.tax_yen for part in parts) == tax_included_yen(price_yen, TAX)


@given(st.integers(0, 10**7), terms, days)
def test_what_is_earned_and_what_remains_make_the_fee(price_yen: int, term: tuple[date, date], day: date) -> None:
    rest = remaining(price_yen, *term, day, TAX)
    assert recognised_through(price_yen, *term, day) + rest.yen == price_yen
