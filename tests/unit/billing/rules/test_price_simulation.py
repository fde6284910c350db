"""What a change of price would do (premium/4.3), worked out by hand on a calendar."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from keizoku.billing.rules.price_catalog import Price
from keizoku.billing.rules.price_simulation import Simulation, Subscriber, Touched, simulate

FIRST = Price.initial("monthly", "month", 500, date(2024, 12, 2))
CHANGE = Price("monthly", "month", 600, date(2025, 5, 1), date(2025, 6, 1), date(2025, 7, 10), recorded=9)
HANAKO = Subscriber("hanako", "monthly", "month", date(2025, 4, 10), 1, 0, 500, None)  # renews 05-10


def touched(*subscribers: Subscriber, change: Price = CHANGE, prices: tuple[Price, ...] = (FIRST,)) -> Simulation:
    return simulate(change, prices, subscribers, "anchored")


def test_4_3__a_change_touches_the_first_renewal_from_its_date_on() -> None:
    later = replace(HANAKO, account="jiro", anchor_on=date(2025, 4, 9))
    assert touched(HANAKO, later) == Simulation(
        change=CHANGE,
        new_before_yen=500,
        new_after_yen=600,
        touched=(
            Touched("hanako", "monthly", date(2025, 7, 10), 500, 500, 600),
            Touched("jiro", "monthly", date(2025, 8, 9), 500, 500, 600),
        ),
        ending=0,
        untouched=0,
    )


def test_4_3__who_leaves_before_is_not_touched_who_leaves_after_is() -> None:
    ending = replace(HANAKO, account="a", ends_on=date(2025, 7, 10))
    found = touched(ending, replace(HANAKO, account="b", ends_on=date(2025, 8, 10)))
    assert (found.ending, [each.account for each in found.touched]) == (1, ["b"])


def test_4_3__what_was_paid_in_advance_keeps_its_price_until_it_is_used_up() -> None:
    key = replace(HANAKO, prepaid_terms=6)  # terms of 04-10 … 09-10 are paid
    assert [each.first_day for each in touched(key).touched] == [date(2025, 10, 10)]


def test_4_3__a_year_on_29_february_is_touched_on_28_february() -> None:
    yearly = replace(FIRST, plan="yearly", interval="year", yen=5_300)
    change = replace(CHANGE, plan="yearly", interval="year", yen=5_500, for_renewals_from=date(2029, 2, 28))
    leap = Subscriber("taro", "yearly", "year", date(2028, 2, 29), 1, 0, 5_300, None)
    assert touched(leap, change=change, prices=(yearly,)).touched == (
        Touched("taro", "yearly", date(2029, 2, 28), 5_300, 5_300, 5_500),
    )


def test_4_3__a_price_with_a_later_date_and_the_same_price_leave_nothing_to_touch() -> None:
    later = replace(CHANGE, yen=650, for_renewals_from=date(2025, 7, 15), recorded=1)
    found = touched(replace(HANAKO, anchor_on=date(2025, 4, 20)), prices=(FIRST, later))  # 07-20: 650 either way
    assert (found.touched, found.untouched) == ((), 1)
    assert touched(HANAKO, change=replace(CHANGE, yen=500)).untouched == 1


def test_4_3__counts_are_by_plan_first_day_and_prices() -> None:
    others = [replace(HANAKO, account=f"u{number}", anchor_on=date(2025, 4, 9)) for number in range(3)]
    assert touched(HANAKO, *others).by_date() == [
        {"plan": "monthly", "first_day": date(2025, 7, 10), "from_yen": 500, "to_yen": 600, "contracts": 1},
        {"plan": "monthly", "first_day": date(2025, 8, 9), "from_yen": 500, "to_yen": 600, "contracts": 3},
    ]


def test_4_3__a_plan_without_a_price_for_renewals_has_nothing_before() -> None:
    found = touched(HANAKO, prices=())
    assert (found.new_before_yen, found.touched[0].without_yen) == (None, None)
