"""Yen stay whole, and each rounding goes the way its name says."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keizoku.terms.money import ceil_yen, cumulative_floor, floor_yen, fraction_text, tax_included_yen

TEN_PERCENT = Fraction(10, 100)
yen = st.integers(min_value=0, max_value=10**12)


@pytest.mark.parametrize(
    ("total_yen", "tax_yen"),
    [
        (500, 45),
        (400, 36),
        (300, 27),
        (5_300, 481),
        (784, 71),
        (196, 17),
        (980, 89),
        (0, 0),
        (10, 0),
        (11, 1),
    ],
)
def test_tax__is_the_tenth_inside_the_total_rounded_down_once(total_yen: int, tax_yen: int) -> None:
    assert tax_included_yen(total_yen, TEN_PERCENT) == tax_yen


@given(yen, st.fractions(min_value=0, max_value=1))
def test_tax__and_net_make_the_total_and_the_tax_is_never_too_much(total_yen: int, rate: Fraction) -> None:
    tax_yen = tax_included_yen(total_yen, rate)
    exact = total_yen * rate / (1 + rate)
    assert tax_yen <= exact < tax_yen + 1
    assert 0 <= tax_yen <= total_yen


def test_tax_of_a_negative_total_is_refused() -> None:
    with pytest.raises(ValueError, match="never below zero: -1"):
        tax_included_yen(-1, TEN_PERCENT)


def test_a_credit_rounds_up_and_a_demand_rounds_down() -> None:
    assert ceil_yen(333 * Fraction("0.2")) == 67
    assert ceil_yen(Fraction(5_300, 12) * Fraction("0.2")) == 89
    assert ceil_yen(Fraction(5_300, 12) * Fraction("0.4")) == 177
    assert floor_yen(Fraction("63.6")) == 63


@given(st.fractions())
def test_floor_and_ceiling_enclose_the_exact_amount(exact: Fraction) -> None:
    below, above = floor_yen(exact), ceil_yen(exact)
    assert below <= exact <= above
    assert above - below == (0 if exact.denominator == 1 else 1)


@given(st.integers())
def test_whole_yen_are_left_as_they_are(amount: int) -> None:
    assert floor_yen(amount) == ceil_yen(amount) == amount


def test_a_year_recognised_by_month_sums_to_its_price() -> None:
    days = [0, 30, 61, 91, 122, 153, 183, 214, 244, 275, 306, 334, 365]
    accrued = [cumulative_floor(5_300, passed, 365) for passed in days]
    monthly = [later - earlier for earlier, later in pairwise(accrued)]
    assert monthly == [435, 450, 436, 450, 450, 436, 450, 436, 450, 450, 406, 451]
    assert sum(monthly) == 5_300


@given(yen, st.integers(min_value=1, max_value=400), st.data())
def test_parts_never_shrink_and_end_at_the_total(total: int, whole: int, data: st.DataObject) -> None:
    part = data.draw(st.integers(min_value=0, max_value=whole))
    assert cumulative_floor(total, 0, whole) == 0
    assert cumulative_floor(total, part, whole) <= total * Fraction(part, whole)
    assert cumulative_floor(total, part, whole) <= cumulative_floor(total, min(part + 1, whole), whole)
    assert cumulative_floor(total, whole, whole) == total


@pytest.mark.parametrize(("total", "part", "whole"), [(1, 2, 1), (1, -1, 1), (1, 0, 0), (-1, 0, 1)])
def test_a_part_outside_its_whole_is_refused(total: int, part: int, whole: int) -> None:
    with pytest.raises(ValueError, match="0 <= part <= whole"):
        cumulative_floor(total, part, whole)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (Fraction(1, 5), "0.2"),
        (Fraction(146, 1000), "0.146"),
        (Fraction(20), "20"),
        (Fraction(0), "0"),
        (Fraction(1, 3), "1/3"),
        (Fraction(-1, 40), "-0.025"),
        (Fraction(12_345, 100), "123.45"),
    ],
)
def test_a_fraction_is_written_short_and_exact(number: Fraction, text: str) -> None:
    assert fraction_text(number) == text


@given(st.fractions())
def test_a_written_fraction_reads_back_as_itself(number: Fraction) -> None:
    assert Fraction(fraction_text(number)) == number
