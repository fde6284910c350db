"""The limit of liability (premium/12.2).

The figures follow the readings liability_cap, liability_window and liability_received in
docs/reference/readings.md.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest

from keizoku.billing.rules.liability_cap import Cap, FeeReceived, FeeReturned, Source, liability_cap, still_due_yen
from keizoku.terms.calendar import day_start_at, jst_day


def card(on: date, yen: int, *returned: FeeReturned) -> FeeReceived:
    return FeeReceived(noon(on), yen, Source.CARD, "attempt 1", returned)


def noon(on: date) -> datetime:
    return day_start_at(on) + timedelta(hours=12)


def cap_yen(event_on: date, *receipts: FeeReceived) -> int:
    return liability_cap(receipts, day_start_at(event_on), 1).yen


def test_12_2__the_limit_is_what_was_received_in_the_year_before_the_event() -> None:
    too_early, first, last, on_the_day = (
        card(date(2025, 4, 9), 5300),
        card(date(2025, 4, 10), 500),
        card(date(2026, 4, 9), 300),
        card(date(2026, 4, 10), 500),
    )
    receipts = (on_the_day, last, first, too_early)
    assert liability_cap(receipts, day_start_at(date(2026, 4, 10)), 1) == Cap(
        day_start_at(date(2025, 4, 10)), day_start_at(date(2026, 4, 10)), (first, last), 800
    )
    # an event at a time of the day: what came before it counts, and the day a year before counts whole
    assert liability_cap(receipts, noon(date(2026, 4, 10)) + timedelta(seconds=1), 1).yen == 1300
    assert liability_cap(receipts, noon(date(2026, 4, 10)), 1).yen == 800


@pytest.mark.parametrize(
    ("event_on", "since_on"),
    [
        (date(2028, 2, 29), date(2027, 2, 28)),  # no counterpart: the longer year
        (date(2028, 3, 1), date(2027, 3, 1)),  # 366 days, 29 February among them
        (date(2029, 2, 28), date(2028, 2, 28)),
        (date(2029, 3, 1), date(2028, 3, 1)),
        (date(2027, 1, 1), date(2026, 1, 1)),
    ],
)
def test_12_2__the_year_before_a_day_begins_on_the_same_day(event_on: date, since_on: date) -> None:
    day_before = since_on - timedelta(days=1)
    cap = liability_cap([card(day_before, 1), card(since_on, 10)], day_start_at(event_on), 1)
    assert (jst_day(cap.since_at), cap.yen) == (since_on, 10)


def test_12_2__a_refund_before_the_event_lowers_the_limit_and_a_later_one_does_not() -> None:
    event_on = date(2026, 4, 10)
    back = FeeReturned(noon(date(2026, 4, 9)), 200)
    assert cap_yen(event_on, card(date(2026, 3, 1), 500, back)) == 300
    assert cap_yen(event_on, card(date(2026, 3, 1), 500, FeeReturned(noon(event_on), 200))) == 500
    # it is taken off what it gave back, not off another fee
    assert cap_yen(event_on, card(date(2025, 4, 1), 500, back), card(date(2026, 3, 1), 500)) == 500
    assert cap_yen(event_on, card(date(2026, 3, 1), 100, back)) == 0
    assert cap_yen(event_on) == 0


def test_12_2__what_a_lost_dispute_took_back_was_never_received() -> None:
    lost = FeeReturned(noon(date(2026, 6, 1)), 500, never_received=True)
    assert cap_yen(date(2026, 4, 10), card(date(2026, 3, 1), 500, lost)) == 0


@pytest.mark.parametrize(
    ("damage_yen", "cap_yen", "credit_yen", "due_yen"),
    [
        (1000, 6000, 0, 1000),
        (1000, 6000, 200, 800),
        (1000, 500, 200, 500),
        (600, 500, 200, 400),
        (100, 500, 200, 0),
    ],
)
def test_12_2__a_credit_counts_against_the_damage_and_not_against_the_limit(
    damage_yen: int, cap_yen: int, credit_yen: int, due_yen: int
) -> None:
    assert still_due_yen(damage_yen, cap_yen, credit_yen) == due_yen
