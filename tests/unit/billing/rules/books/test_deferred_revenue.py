"""When what is deferred will be earned: whatever the terms, the parts sum to the balance, and a month is its days."""

from datetime import date, timedelta
from fractions import Fraction
from itertools import groupby

from hypothesis import example, given
from hypothesis import strategies as st

from keizoku.billing.rules.books.deferred_revenue import BY_PEOPLE, LATE, WHEN_PAID, Held, Part, schedule
from keizoku.billing.rules.books.revenue_recognition import recognised_on
from keizoku.terms.calendar import Month

TENTH = Fraction(1, 10)
APRIL_20, MAY_1 = date(2026, 4, 20), date(2026, 5, 1)
MONTH_OF_500 = Held("monthly", 500, APRIL_20, date(2026, 5, 20), None, 500)


def test_a_month_that_began_on_the_20th() -> None:
    # floor(500 x 11 / 30) = 183 are earned; 317 come in May
    assert schedule([MONTH_OF_500], {"monthly": 183}, {}, MAY_1) == (Part("monthly", "2026-05", 317),)


def test_a_year_in_its_months() -> None:
    # books.md's year of 5,300 from 1 April, seen on 1 May; three of them
    year = Held("yearly", 5_300, date(2026, 4, 1), date(2027, 4, 1), None, 5_300, 3)
    parts = schedule([year], {"yearly": 3 * 435}, {}, MAY_1)
    assert [each.yen for each in parts] == [3 * yen for yen in (450, 436, 450, 450, 436, 450, 436, 450, 450, 406, 451)]
    assert [each.when for each in parts][::10] == ["2026-05", "2027-03"]


def test_what_ended_unpaid_waits_and_what_is_late_is_said() -> None:
    ended = MONTH_OF_500._replace(closed_on=date(2026, 4, 25))  # floor(500 x 5 / 30) = 83 earned
    assert schedule([ended], {"monthly": 80}, {"": -5}, MAY_1) == (
        Part("", BY_PEOPLE, -5),
        Part("monthly", LATE, 3),
        Part("monthly", WHEN_PAID, 417),
    )


def test_what_was_given_up_is_never_earned() -> None:
    assert schedule([MONTH_OF_500._replace(held_yen=200)], {"monthly": 183}, {}, MAY_1) == (
        Part("monthly", "2026-05", 17),
    )
    # a term that will begin later
    ahead = Held("monthly", 500, date(2026, 5, 20), date(2026, 6, 20), None, 500)
    assert schedule([ahead], {}, {}, MAY_1) == (Part("monthly", "2026-05", 193), Part("monthly", "2026-06", 307))


@st.composite
def held_terms(draw: st.DrawFn) -> Held:
    price_yen = draw(st.integers(1, 20_000))
    starts_on = date(2027, 1, 1) + timedelta(days=draw(st.integers(0, 800)))
    ends_on = starts_on + timedelta(days=draw(st.sampled_from((1, 28, 29, 30, 31, 365, 366))))
    closed = draw(st.none() | st.integers(0, (ends_on - starts_on).days - 1))
    given_up = draw(st.just(0) | st.integers(0, price_yen))
    closed_on = None if closed is None else starts_on + timedelta(days=closed)
    return Held(draw(st.sampled_from("ab")), price_yen, starts_on, ends_on, closed_on, price_yen - given_up,
                draw(st.integers(1, 3)))  # fmt: skip


@given(
    st.lists(held_terms(), max_size=6),
    st.dictionaries(st.sampled_from("abc"), st.integers(-500, 9_000)),
    st.dictionaries(st.sampled_from(("a", "")), st.integers(-500, 500)),
    st.integers(-40, 1_200),
)
@example([MONTH_OF_500._replace(plan="a", starts_on=date(2028, 2, 29), ends_on=date(2029, 2, 28))], {}, {}, 0)
def test_the_parts_of_a_plan_sum_to_its_balance_and_a_month_is_its_days(
    held: list[Held], recognised: dict[str, int], by_people: dict[str, int], after: int
) -> None:
    from_on = date(2027, 1, 1) + timedelta(days=after)
    held = [each for each in held if each.closed_on is None or each.closed_on <= from_on]
    parts = schedule(held, recognised, by_people, from_on)
    for plan in {"a", "b", "c", ""}:
        balance = sum(each.terms * each.held_yen for each in held if each.plan == plan)
        balance += by_people.get(plan, 0) - recognised.get(plan, 0)
        assert sum(each.yen for each in parts if each.plan == plan) == balance
    assert len({(each.plan, each.when) for each in parts}) == len(parts)
    whole = [each for each in held if each.closed_on is None and each.held_yen == each.price_yen]
    ahead = [each for each in schedule(whole, {}, {}, from_on) if each.when not in (LATE, WHEN_PAID)]
    assert {(each.plan, each.when): each.yen for each in ahead} == by_days(whole, from_on)


def by_days(whole: list[Held], from_on: date) -> dict[tuple[str, str], int]:
    """The days' revenue one after another, summed by month."""
    days = sorted(
        (each.plan, str(Month.of(day)), each.terms * recognised_on(each.price_yen, each.starts_on, each.ends_on, day,
                                                                  TENTH).yen)
        for each in whole
        for day in (each.starts_on + timedelta(days=n) for n in range((each.ends_on - each.starts_on).days))
        if day >= from_on
    )  # fmt: skip
    sums = {key: sum(yen for *_, yen in group) for key, group in groupby(days, key=lambda each: each[:2])}
    return {(plan, month): yen for (plan, month), yen in sums.items() if yen}
