"""SLA credits in yen (premium/9.2, premium/tax): worth, use, refund, and the yen between two roundings.

The figures follow the readings annual_fee, credit_rounding, repeated_claims, credit_invoice, credit_over_invoice and
credit_left_over in docs/reference/readings.md.
"""

from __future__ import annotations

from datetime import date
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keizoku.billing.rules.sla_credit import (
    Charge,
    Delta,
    OpenCredit,
    RefundPlan,
    apply_credits,
    award_yen,
    delta,
    document_tax,
    plan_refunds,
    tax_adjustment,
    used_tax,
)
from keizoku.terms.calendar import Interval
from keizoku.terms.money import tax_included_yen

TAX = Fraction(10, 100)
TWENTY, FORTY = Fraction(20, 100), Fraction(40, 100)
JUNE_20 = date(2026, 6, 20)
OLD = OpenCredit(1, 100, date(2026, 5, 1))
NEW = OpenCredit(2, 200, date(2026, 6, 1))

days = st.dates(date(2026, 1, 1), date(2026, 12, 31))
open_credits = st.lists(st.tuples(st.integers(0, 700), days), max_size=5).map(
    lambda rows: [OpenCredit(number, *row) for number, row in enumerate(rows, start=1)]
)
charges = st.lists(st.tuples(days, st.integers(0, 700)), max_size=5).map(
    lambda rows: [Charge(number, *row) for number, row in enumerate(rows, start=1)]
)


@pytest.mark.parametrize(
    ("prices", "at_20_percent", "at_40_percent"),
    [
        ([(500, "month")], 100, 200),
        ([(333, "month")], 67, 134),
        ([(5300, "year")], 89, 177),
        ([(5300, "year"), (500, "month")], 100, 200),
        ([(500, "month"), (600, "month")], 120, 240),
        ([(6000, "year"), (480, "month")], 100, 200),
    ],
)
def test_9_2__an_award_is_the_rate_of_the_higher_monthly_fee_rounded_up(
    prices: list[tuple[int, Interval]], at_20_percent: int, at_40_percent: int
) -> None:
    assert award_yen(TWENTY, prices) == at_20_percent
    assert award_yen(FORTY, prices) == at_40_percent


def test_9_2__an_award_without_a_card_paid_term_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one term"):
        award_yen(TWENTY, [])


def test_9_2__an_award_grows_by_the_difference_and_is_never_lowered() -> None:
    assert delta(200, 100) == Delta(credit_yen=100, over_granted_yen=0)
    assert delta(100, 100) == Delta(credit_yen=0, over_granted_yen=0)
    assert delta(100, 200) == Delta(credit_yen=0, over_granted_yen=100)


@pytest.mark.parametrize("card", [True, False])
def test_9_2__the_oldest_credit_is_used_first_and_the_rest_carries_on(card: bool) -> None:
    assert apply_credits(500, [NEW, OLD], JUNE_20, card) == ((1, 100), (2, 200))
    assert apply_credits(150, [NEW, OLD], JUNE_20, card) == ((1, 100), (2, 50))
    assert apply_credits(100, [NEW, OLD], JUNE_20, card) == ((1, 100),)
    assert apply_credits(500, [], JUNE_20, card) == ()


def test_9_2__a_credit_waits_for_the_month_after_its_claim() -> None:
    assert apply_credits(500, [OLD, NEW], date(2026, 5, 31), card=True) == ((1, 100),)
    assert apply_credits(500, [OLD, NEW], date(2026, 6, 1), card=True) == ((1, 100), (2, 200))


@pytest.mark.parametrize(
    ("total_yen", "used"),
    [
        (300, ((1, 100), (2, 200))),  # covered whole
        (301, ((1, 100), (2, 151))),  # 1 would be left: leave 50
        (349, ((1, 100), (2, 199))),  # 49 would be left: leave 50
        (350, ((1, 100), (2, 200))),  # 50 is left
    ],
)
def test_9_2__a_card_is_left_at_least_50_yen_or_nothing(total_yen: int, used: tuple[tuple[int, int], ...]) -> None:
    assert apply_credits(total_yen, [OLD, NEW], JUNE_20, card=True) == used


def test_9_2__an_invoice_that_no_card_pays_may_leave_any_amount() -> None:
    assert apply_credits(301, [OLD, NEW], JUNE_20, card=False) == ((1, 100), (2, 200))


def test_9_2__an_invoice_below_the_minimum_is_covered_whole_or_not_at_all() -> None:
    assert apply_credits(40, [OpenCredit(1, 30, JUNE_20)], JUNE_20, card=True) == ()
    assert apply_credits(40, [OpenCredit(1, 40, JUNE_20)], JUNE_20, card=True) == ((1, 40),)


def test_9_2__a_refund_goes_on_the_latest_charge_with_room_then_on_earlier_ones() -> None:
    april, may, june = (
        Charge(1, date(2026, 4, 20), 500),
        Charge(2, date(2026, 5, 20), 80),
        Charge(3, date(2026, 6, 20), 0),
    )
    assert plan_refunds(70, [april, may, june]) == RefundPlan(((2, 70),), 0)
    assert plan_refunds(200, [april, may, june]) == RefundPlan(((2, 80), (1, 120)), 0)
    assert plan_refunds(600, [april, may, june]) == RefundPlan(((2, 80), (1, 500)), 20)
    assert plan_refunds(100, []) == RefundPlan((), 100)


def test_9_2__amounts_below_zero_are_refused() -> None:
    with pytest.raises(ValueError, match="never below zero"):
        plan_refunds(-1, [])
    with pytest.raises(ValueError, match="never below zero"):
        apply_credits(-1, [OLD], JUNE_20, card=True)
    with pytest.raises(ValueError, match="within what it has"):
        used_tax(100, 101, TAX)


@pytest.mark.parametrize(("charged_yen", "tax_yen"), [(784, 71), (500, 45), (400, 36), (300, 27), (5300, 481), (0, 0)])
def test_tax__a_document_holds_its_tax_once_of_what_is_charged(charged_yen: int, tax_yen: int) -> None:
    assert document_tax(charged_yen, TAX) == tax_yen


def test_tax__the_books_are_brought_to_the_document_by_the_yen_between_them() -> None:
    assert used_tax(196, 196, TAX) == 17
    assert tax_adjustment(980, [(196, 196)], TAX) == 71 - (89 - 17) == -1
    assert tax_adjustment(500, [(100, 100)], TAX) == 36 - (45 - 9) == 0
    assert tax_adjustment(500, [], TAX) == 0


def test_tax__a_credit_used_in_pieces_gives_back_the_tax_of_its_grant() -> None:
    # 100 holds 9: 50 of 100, then 50 of 50
    assert (used_tax(100, 50, TAX), used_tax(50, 50, TAX)) == (5, 4)


@given(st.integers(0, 2_000), open_credits, days, st.booleans())
def test_9_2__no_credit_is_used_beyond_what_it_has_or_before_its_day(
    total_yen: int, held: list[OpenCredit], issued_on: date, card: bool
) -> None:
    used = apply_credits(total_yen, held, issued_on, card)

    by_id = {credit.credit_id: credit for credit in held}
    assert len({credit_id for credit_id, _ in used}) == len(used)
    assert all(0 < yen <= by_id[credit_id].available_yen for credit_id, yen in used)
    assert all(by_id[credit_id].usable_from <= issued_on for credit_id, _ in used)
    left_yen = total_yen - sum(yen for _, yen in used)
    usable_yen = sum(credit.available_yen for credit in held if credit.usable_from <= issued_on)
    if card and 0 < left_yen < 50:
        assert left_yen == total_yen
    elif left_yen > (50 if card else 0):
        assert total_yen - left_yen == usable_yen


@given(st.integers(0, 3_000), charges)
def test_9_2__a_refund_plan_and_its_rest_make_the_amount(amount_yen: int, made: list[Charge]) -> None:
    plan = plan_refunds(amount_yen, made)
    room = {charge.charge_id: charge.room_yen for charge in made}
    assert sum(yen for _, yen in plan.parts) + plan.rest_yen == amount_yen
    assert all(0 < yen <= room[charge_id] for charge_id, yen in plan.parts)
    assert plan.rest_yen == max(0, amount_yen - sum(room.values()))


@given(st.integers(1, 2_000), st.lists(st.integers(1, 400), min_size=1, max_size=6))
def test_tax__over_a_credits_whole_life_the_books_hold_the_tax_of_the_documents(
    granted_yen: int, wanted: list[int]
) -> None:
    available_yen, booked_yen, documents_yen = granted_yen, -tax_included_yen(granted_yen, TAX), 0
    for used_yen in [*wanted, granted_yen]:
        used_yen = min(used_yen, available_yen)
        total_yen = used_yen + 500
        booked_yen += tax_included_yen(total_yen, TAX) + tax_adjustment(total_yen, [(available_yen, used_yen)], TAX)
        documents_yen += document_tax(total_yen - used_yen, TAX)
        available_yen -= used_yen
    assert available_yen == 0
    assert booked_yen == documents_yen
