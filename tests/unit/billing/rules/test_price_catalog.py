"""Dated prices (premium/4.3): which one a term has, and what a change needs."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keizoku.billing.rules.price_catalog import NoPriceError, Price, check_change, price_at
from keizoku.terms.calendar import boundary
from keizoku.terms.decision import Finding

VECTORS = json.loads((Path(__file__).parents[3] / "vectors" / "billing.json").read_text(encoding="utf-8"))
FIRST = Price.initial("monthly", "month", 500, date(2024, 12, 2))
CHANGE = Price("monthly", "month", 600, date(2025, 3, 1), date(2025, 4, 1), date(2025, 5, 1), recorded=1)

days = st.dates(date(2025, 1, 1), date(2025, 12, 31))
changes = st.lists(
    st.builds(
        Price,
        plan=st.just("monthly"),
        interval=st.just("month"),
        yen=st.integers(300, 900),
        announced_on=days,
        for_new_from=days,
        for_renewals_from=days,
        cohort=st.none() | st.just(frozenset({"jiro"})),
    ),
    max_size=6,
).map(lambda rows: [replace(row, recorded=place) for place, row in enumerate(rows, start=1)])


def _yen(prices: list[Price], first_day: date, renewal: bool, account: str = "hanako") -> int:
    return price_at(prices, "monthly", account, first_day, renewal).yen


def test_4_3__a_change_binds_new_contracts_and_renewals_each_from_its_own_date() -> None:
    prices = [FIRST, CHANGE]
    assert _yen(prices, date(2025, 3, 31), renewal=False) == 500
    assert _yen(prices, date(2025, 4, 1), renewal=False) == 600
    assert _yen(prices, date(2025, 4, 30), renewal=True) == 500
    assert _yen(prices, date(2025, 5, 1), renewal=True) == 600


def test_4_3__a_renewal_has_the_price_of_its_first_day_however_many_changes_fell_inside_the_term_before() -> None:
    second = Price("monthly", "month", 700, date(2025, 3, 2), date(2025, 5, 10), date(2025, 5, 10))
    third = Price("monthly", "month", 650, date(2025, 3, 3), date(2025, 5, 20), date(2025, 5, 20))
    assert _yen([FIRST, CHANGE, second, third], date(2025, 4, 25), renewal=True) == 500
    assert _yen([FIRST, CHANGE, second, third], date(2025, 5, 25), renewal=True) == 650


def test_4_3__the_change_announced_last_for_a_date_wins_whatever_the_order_of_recording() -> None:
    withdrawn = replace(CHANGE, yen=500, announced_on=date(2025, 3, 20))
    assert price_at([FIRST, withdrawn, CHANGE], "monthly", "hanako", date(2025, 5, 1), renewal=True) == withdrawn


def test_4_3__of_two_announced_on_one_day_for_one_date_the_one_recorded_last_wins() -> None:
    corrected = replace(CHANGE, yen=580, recorded=2)
    assert price_at([FIRST, corrected, CHANGE], "monthly", "hanako", date(2025, 5, 1), renewal=True) == corrected


def test_4_3__a_later_announcement_for_an_earlier_date_does_not_displace_the_later_date() -> None:
    earlier = Price("monthly", "month", 550, date(2025, 3, 20), date(2025, 4, 20), date(2025, 4, 20))
    assert _yen([FIRST, CHANGE, earlier], date(2025, 4, 25), renewal=True) == 550
    assert _yen([FIRST, CHANGE, earlier], date(2025, 5, 1), renewal=True) == 600


def test_4_3__a_cohorts_price_is_for_its_accounts_and_before_the_general_one_of_the_same_announcement() -> None:
    cohort = replace(CHANGE, yen=550, cohort=frozenset({"jiro"}))
    prices = [FIRST, cohort, CHANGE]
    assert _yen(prices, date(2025, 5, 1), renewal=True, account="jiro") == 550
    assert _yen(prices, date(2025, 5, 1), renewal=True, account="hanako") == 600
    assert _yen([FIRST, cohort], date(2025, 5, 1), renewal=True, account="hanako") == 500


def test_4_3__a_cohorts_price_gives_way_to_a_general_one_with_a_later_date() -> None:
    cohort = replace(CHANGE, yen=550, cohort=frozenset({"jiro"}), for_renewals_from=date(2025, 4, 15))
    assert _yen([FIRST, cohort, CHANGE], date(2025, 4, 15), renewal=True, account="jiro") == 550
    assert _yen([FIRST, cohort, CHANGE], date(2025, 5, 1), renewal=True, account="jiro") == 600


@pytest.mark.parametrize(("plan", "first_day"), [("monthly", date(2024, 12, 1)), ("yearly", date(2025, 5, 1))])
def test_4_3__a_day_or_plan_without_a_price_raises(plan: str, first_day: date) -> None:
    with pytest.raises(NoPriceError, match=f"premium/4.3: plan {plan} has no price for renewals on {first_day}"):
        price_at([FIRST], plan, "hanako", first_day, renewal=True)


@pytest.mark.parametrize("case", VECTORS["price_change"], ids=lambda case: case["id"])
def test_4_3__a_changed_price_meets_the_term_that_it_meets_in_other_engines(case: dict[str, Any]) -> None:
    began, changed = date.fromisoformat(case["sub"]), date.fromisoformat(case["existing_from"])
    v1 = Price.initial("monthly", "month", 1, began)
    v2 = Price("monthly", "month", 2, began, changed, changed)
    starts = [boundary(began, "month", n) for n in (2, 3)]
    found = {
        start.isoformat(): f"v{price_at([v1, v2], 'monthly', 'hanako', start, renewal=True).yen}" for start in starts
    }
    assert found == case["price_by_period_start"]


def test_4_3__a_change_with_its_notice_and_migration_period_is_taken() -> None:
    exact = replace(CHANGE, for_new_from=date(2025, 3, 31), for_renewals_from=date(2025, 4, 30))
    assert check_change(exact, FIRST, 30, 60) == []


def test_4_3__a_change_told_a_day_late_is_refused_with_the_days_that_would_do() -> None:
    hasty = replace(CHANGE, for_new_from=date(2025, 3, 30), for_renewals_from=date(2025, 4, 29))
    assert check_change(hasty, FIRST, 30, 60, source="prices.csv", line=3) == [
        Finding(
            source="prices.csv",
            line=3,
            value="monthly: 600 yen for new contracts from 2025-03-30, told 2025-03-01",
            rule="premium/4.3: the notice is at least 30 days (price_announce_days)",
            remedy="let it hold for new contracts from 2025-03-31 or later",
        ),
        Finding(
            source="prices.csv",
            line=3,
            value="monthly: 600 yen for renewals from 2025-04-29, told 2025-03-01",
            rule="premium/4.3: the migration period is at least 60 days (price_migration_days)",
            remedy="let it hold for renewals from 2025-04-30 or later",
        ),
    ]


def test_4_3__a_first_price_and_one_that_is_not_higher_need_no_notice() -> None:
    at_once = replace(CHANGE, yen=500, for_new_from=date(2025, 3, 1), for_renewals_from=date(2025, 3, 1))
    assert check_change(replace(at_once, yen=501), None, 30, 30) == []
    assert check_change(at_once, FIRST, 30, 30) == []
    assert len(check_change(replace(at_once, yen=501), FIRST, 30, 30)) == 2


@given(changes, days, st.booleans(), st.sampled_from(["hanako", "jiro"]))
def test_4_3__the_price_holds_from_its_date_and_none_for_the_account_has_a_later_one(
    prices: list[Price], first_day: date, renewal: bool, account: str
) -> None:
    found = price_at([FIRST, *prices], "monthly", account, first_day, renewal)

    assert found.from_on(renewal) <= first_day
    assert found.is_for(account)
    in_force = [price for price in prices if price.is_for(account) and price.from_on(renewal) <= first_day]
    assert all(price.from_on(renewal) <= found.from_on(renewal) for price in in_force)
    same_date = [price for price in in_force if price.from_on(renewal) == found.from_on(renewal)]
    assert all(price.announced_on <= found.announced_on for price in same_date)
    assert found == price_at([*reversed(prices), FIRST], "monthly", account, first_day, renewal)
