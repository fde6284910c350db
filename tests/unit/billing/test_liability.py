"""The limit of liability (premium/12.2)."""

from __future__ import annotations

from datetime import date

import pytest

from billing.liability import liability_cap_yen, still_due_yen


def test_12_2__the_limit_is_what_was_received_in_the_year_before_net_of_refunds() -> None:
    receipts = [
        (date(2025, 4, 9), 5300),  # a day too early
        (date(2025, 4, 10), 500),
        (date(2025, 12, 1), 500),
        (date(2025, 12, 2), -100),
        (date(2026, 4, 10), 500),
        (date(2026, 4, 11), 500),  # after the event
    ]
    assert liability_cap_yen(receipts, date(2026, 4, 10), 1) == 1400


def test_12_2__from_29_february_the_year_reaches_back_to_the_28th() -> None:
    receipts = [(date(2027, 2, 27), 1), (date(2027, 2, 28), 10), (date(2028, 2, 29), 100)]
    assert liability_cap_yen(receipts, date(2028, 2, 29), 1) == 110


def test_12_2__refunds_never_lower_the_limit_below_zero() -> None:
    assert liability_cap_yen([(date(2026, 4, 1), -100)], date(2026, 4, 10), 1) == 0
    assert liability_cap_yen([], date(2026, 4, 10), 1) == 0


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
