"""Late interest (premium/5.2): the rate, leap years, days without interest, rounding once.

TABLE holds the examples of the readings late_interest_day_count (years_then_split, and fixed_365 for comparison),
late_interest_days and late_interest_rounding in docs/reference/readings.md, each worked out by hand.
"""

from __future__ import annotations

from calendar import isleap
from dataclasses import replace
from datetime import date, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keizoku.billing.rules.late_interest import (
    FIXED_365,
    YEARS_THEN_SPLIT,
    Debt,
    Interest,
    InterestRate,
    Run,
    accrued,
    accrued_of,
    ceiling,
    interest_runs,
    own_rate,
    total_interest,
)

RATE = Fraction(146, 1000)
DAY = timedelta(days=1)

# principal, due on, paid on, days between, exact interest by fixed_365 and by years_then_split, yen demanded
TABLE = [
    (500, date(2025, 4, 30), date(2025, 5, 1), 1, Fraction(2, 10), Fraction(2, 10), 0),
    (500, date(2025, 4, 30), date(2025, 5, 5), 5, Fraction(1), Fraction(1), 1),
    (500, date(2025, 4, 30), date(2025, 5, 30), 30, Fraction(6), Fraction(6), 6),
    (5300, date(2025, 4, 30), date(2025, 5, 30), 30, Fraction(636, 10), Fraction(636, 10), 63),
    (5300, date(2024, 1, 31), date(2024, 3, 31), 60, Fraction(1272, 10), Fraction(46428, 366), 126),
    (5300, date(2023, 3, 1), date(2024, 3, 1), 366, Fraction(77592, 100), Fraction(7738, 10), 773),
    (5300, date(2027, 2, 28), date(2028, 2, 29), 366, Fraction(77592, 100), Fraction(7738, 10), 773),
]

days = st.dates(date(2019, 1, 1), date(2035, 12, 31))
spans = st.integers(0, 2000).map(lambda count: timedelta(days=count))
excluded_days = st.lists(
    st.tuples(days, st.integers(0, 90)).map(lambda gap: (gap[0], gap[0] + timedelta(days=gap[1]))), max_size=4
)
day_counts = st.sampled_from([YEARS_THEN_SPLIT, FIXED_365])
debts = st.builds(
    Debt,
    invoice_id=st.integers(1, 9),
    principal_yen=st.integers(0, 100_000),
    accrues_after=days,
    accrued_unpaid_yen=st.integers(0, 500),
    excluded=excluded_days.map(tuple),
)


@pytest.mark.parametrize(("principal_yen", "due_on", "paid_on", "count", "fixed", "split", "demanded_yen"), TABLE)
def test_5_2__the_examples_of_the_reading_hold_under_both_day_counts(
    principal_yen: int,
    due_on: date,
    paid_on: date,
    count: int,
    fixed: Fraction,
    split: Fraction,
    demanded_yen: int,
) -> None:
    debt = Debt(1, principal_yen, due_on)

    assert (paid_on - due_on).days == count
    assert accrued(principal_yen, due_on, paid_on, InterestRate(RATE, FIXED_365)) == fixed
    assert accrued(principal_yen, due_on, paid_on, InterestRate(RATE, YEARS_THEN_SPLIT)) == split
    assert total_interest([debt], paid_on, InterestRate(RATE, YEARS_THEN_SPLIT)) == Interest(
        split, demanded_yen, (demanded_yen,)
    )


@pytest.mark.parametrize("day_count", [YEARS_THEN_SPLIT, FIXED_365])
@pytest.mark.parametrize("paid_on", [date(2025, 4, 29), date(2025, 4, 30)])
def test_5_2__paid_by_the_due_date_bears_nothing(paid_on: date, day_count: str) -> None:
    assert accrued(5300, date(2025, 4, 30), paid_on, InterestRate(RATE, day_count)) == 0


@pytest.mark.parametrize(
    ("due_on", "paid_on", "run"),
    [
        # counted from 29 February: no counterpart in 2029, so the year ends with that February
        (date(2028, 2, 28), date(2028, 2, 29), Run(date(2028, 2, 29), date(2028, 2, 29), 0, 0, 1)),
        (date(2028, 2, 28), date(2029, 2, 27), Run(date(2028, 2, 29), date(2029, 2, 27), 0, 58, 307)),
        (date(2028, 2, 28), date(2029, 2, 28), Run(date(2028, 2, 29), date(2029, 2, 28), 1, 0, 0)),
        (date(2028, 2, 28), date(2029, 3, 1), Run(date(2028, 2, 29), date(2029, 3, 1), 1, 1, 0)),
        (date(2028, 2, 28), date(2032, 2, 28), Run(date(2028, 2, 29), date(2032, 2, 28), 4, 0, 0)),
        # due on 29 February: counted from 1 March
        (date(2028, 2, 29), date(2029, 2, 28), Run(date(2028, 3, 1), date(2029, 2, 28), 1, 0, 0)),
        # the rest lies in two years
        (date(2027, 12, 30), date(2028, 1, 2), Run(date(2027, 12, 31), date(2028, 1, 2), 0, 1, 2)),
        (date(2026, 12, 30), date(2028, 1, 2), Run(date(2026, 12, 31), date(2028, 1, 2), 1, 1, 2)),
    ],
)
def test_5_2__whole_years_come_first_then_each_day_by_its_own_year(due_on: date, paid_on: date, run: Run) -> None:
    assert interest_runs(due_on, paid_on, YEARS_THEN_SPLIT) == (run,)
    expected = 5300 * RATE * (run.years + Fraction(run.common_days, 365) + Fraction(run.leap_days, 366))
    assert accrued(5300, due_on, paid_on, InterestRate(RATE, YEARS_THEN_SPLIT)) == expected


def test_5_2__days_of_our_fault_bear_nothing_and_each_stretch_between_them_is_counted_on_its_own() -> None:
    gaps = ((date(2025, 5, 11), date(2025, 5, 16)), (date(2025, 5, 14), date(2025, 5, 21)))

    assert interest_runs(date(2025, 4, 30), date(2025, 5, 30), YEARS_THEN_SPLIT, gaps) == (
        Run(date(2025, 5, 1), date(2025, 5, 10), 0, 10, 0),
        Run(date(2025, 5, 21), date(2025, 5, 30), 0, 10, 0),
    )
    assert accrued(500, date(2025, 4, 30), date(2025, 5, 30), InterestRate(RATE, YEARS_THEN_SPLIT), gaps) == 4


def test_5_2__a_fault_that_covers_every_day_leaves_nothing() -> None:
    gaps = [(date(2025, 4, 1), date(2025, 7, 1))]
    assert accrued(5300, date(2025, 4, 30), date(2025, 5, 30), InterestRate(RATE, YEARS_THEN_SPLIT), gaps) == 0


def test_5_2__several_debts_are_rounded_down_once_and_the_parts_make_the_total() -> None:
    three = [Debt(number, 500, date(2025, 4, 30)) for number in (1, 2, 3)]  # 0.6 each after three days

    assert total_interest(three, date(2025, 5, 3), InterestRate(RATE, YEARS_THEN_SPLIT)) == Interest(
        Fraction(18, 10), 1, (0, 1, 0)
    )


def test_5_2__what_the_last_allocation_left_is_carried_in_whole_yen() -> None:
    carried = Debt(1, 2342, date(2025, 5, 20), accrued_unpaid_yen=5)
    settled = Debt(2, 0, date(2025, 5, 20), accrued_unpaid_yen=7)
    since = 2342 * RATE * Fraction(41, 365)  # 38.4...

    found = total_interest([carried, settled], date(2025, 6, 30), InterestRate(RATE, YEARS_THEN_SPLIT))

    assert found == Interest(since + 12, 50, (43, 7))


def test_5_2__no_debts_no_interest() -> None:
    assert total_interest([], date(2025, 5, 30), InterestRate(RATE, YEARS_THEN_SPLIT)) == Interest(Fraction(0), 0, ())


def test_5_2__an_unknown_day_count_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="unknown day count 'actual_360'"):
        accrued(5300, date(2025, 4, 30), date(2025, 5, 30), InterestRate(RATE, "actual_360"))


def test_5_2__a_debt_below_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="less than nothing"):
        Debt(1, -1, date(2025, 4, 30))


@given(st.integers(0, 10**7), days, spans, excluded_days)
def test_5_2__fixed_365_is_the_sum_of_its_days(
    principal_yen: int, due_on: date, span: timedelta, gaps: list[tuple[date, date]]
) -> None:
    bearing = [
        day for day in _each_day(due_on + DAY, due_on + span) if not any(start <= day < end for start, end in gaps)
    ]
    expected = sum((principal_yen * RATE / 365 for _ in bearing), Fraction(0))
    assert accrued(principal_yen, due_on, due_on + span, InterestRate(RATE, FIXED_365), gaps) == expected


@given(st.integers(0, 10**7), days, spans)
def test_5_2__years_then_split_is_what_a_walk_day_by_day_finds(
    principal_yen: int, due_on: date, span: timedelta
) -> None:
    first_on = due_on + DAY
    years, rest = 0, Fraction(0)
    for day in _each_day(first_on, due_on + span):
        rest += Fraction(1, 366 if isleap(day.year) else 365)
        if _completes_a_year(first_on, day):
            years, rest = years + 1, Fraction(0)
    assert accrued(
        principal_yen, due_on, due_on + span, InterestRate(RATE, YEARS_THEN_SPLIT)
    ) == principal_yen * RATE * (years + rest)


@given(st.integers(0, 10**7), days, spans, excluded_days)
def test_5_2__years_then_split_never_passes_the_ceiling_of_a_365th_a_day(
    principal_yen: int, due_on: date, span: timedelta, gaps: list[tuple[date, date]]
) -> None:
    split = accrued(principal_yen, due_on, due_on + span, InterestRate(RATE, YEARS_THEN_SPLIT), gaps)
    assert 0 <= split <= accrued(principal_yen, due_on, due_on + span, InterestRate(RATE, FIXED_365), gaps)


@given(days, spans, day_counts)
def test_5_2__a_later_payment_never_costs_less(due_on: date, span: timedelta, day_count: str) -> None:
    through = due_on + span
    assert accrued(5300, due_on, through, InterestRate(RATE, day_count)) < accrued(
        5300, due_on, through + DAY, InterestRate(RATE, day_count)
    )


@given(days, spans, excluded_days, day_counts)
def test_5_2__days_without_interest_never_raise_it(
    due_on: date, span: timedelta, gaps: list[tuple[date, date]], day_count: str
) -> None:
    through = due_on + span
    with_gaps = accrued(5300, due_on, through, InterestRate(RATE, day_count), gaps)
    assert with_gaps <= accrued(5300, due_on, through, InterestRate(RATE, day_count))


@given(st.lists(debts, max_size=5), days, day_counts)
def test_5_2__whole_yen_per_debt_sum_to_the_total_and_stay_within_a_yen_of_the_exact_share(
    several: list[Debt], through: date, day_count: str
) -> None:
    found = total_interest(several, through, InterestRate(RATE, day_count))
    shares = [debt.accrued_unpaid_yen + accrued_of(debt, through, InterestRate(RATE, day_count)) for debt in several]
    assert found.exact == sum(shares, Fraction(0))
    assert found.total_yen == sum(found.per_debt_yen) == found.exact.numerator // found.exact.denominator
    assert all(abs(whole - share) < 1 for whole, share in zip(found.per_debt_yen, shares, strict=True))
    assert all(whole >= 0 for whole in found.per_debt_yen)


@given(debts, days, day_counts, st.sampled_from([RATE, Fraction(3, 100), Fraction(1, 5)]))
def test_5_2__no_reading_and_no_rate_passes_the_ceiling_of_the_law(
    debt: Debt, through: date, day_count: str, yearly: Fraction
) -> None:
    rate = InterestRate(yearly, day_count)
    most = ceiling(debt.principal_yen, debt.accrues_after, through, rate, debt.excluded)
    plain = accrued(debt.principal_yen, debt.accrues_after, through, rate, debt.excluded)
    assert most == accrued(
        debt.principal_yen, debt.accrues_after, through, InterestRate(RATE, YEARS_THEN_SPLIT), debt.excluded
    )
    assert accrued_of(debt, through, rate) == min(plain, most)
    assert accrued_of(replace(debt, yearly=Fraction(1)), through, rate) == min(most, plain / yearly)


def test_5_2__a_day_counted_as_a_365th_or_a_higher_rate_is_cut_to_the_ceiling() -> None:
    debt = Debt(1, 5300, date(2027, 2, 28))
    leap_day = date(2028, 2, 29)
    assert total_interest([debt], leap_day, InterestRate(RATE, FIXED_365)).exact == Fraction(7738, 10)
    twenty = InterestRate(Fraction(1, 5), YEARS_THEN_SPLIT)
    assert total_interest([debt], leap_day, twenty).exact == Fraction(7738, 10)


def test_5_2__read_narrowly_other_methods_bear_the_statutory_rate_of_the_first_day_of_lateness() -> None:
    assert own_rate("all_methods", "other", date(2026, 4, 15)) is None
    assert own_rate("card_only", "card", date(2026, 4, 15)) is None
    assert own_rate("card_only", "other", date(2026, 4, 15)) == Fraction(3, 100)
    debt = Debt(1, 53_000, date(2026, 4, 15), yearly=Fraction(3, 100))
    # 76 days, 53,000 x 3 % x 76/365
    assert total_interest([debt], date(2026, 6, 30), InterestRate(RATE, YEARS_THEN_SPLIT)).exact == Fraction(
        53_000 * 3 * 76, 100 * 365
    )


def _each_day(first_on: date, last_on: date) -> list[date]:
    return [first_on + timedelta(days=count) for count in range((last_on - first_on).days + 1)]


def _completes_a_year(first_on: date, day: date) -> bool:
    """Whether a year counted from `first_on` ends with this day, by the next day."""
    following = day + DAY
    if (first_on.month, first_on.day) == (2, 29) and not isleap(following.year):
        return (following.month, following.day) == (3, 1)
    return (following.month, following.day) == (first_on.month, first_on.day)
