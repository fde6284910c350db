"""Where a payment goes: costs, interest, principal, deposit (premium/5.2; Civil Code 488-490).

The figures follow the readings allocation_order, deposit_use and set_off_effect in docs/reference/readings.md.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keizoku.billing.rules.late_interest import FIXED_365, YEARS_THEN_SPLIT, Debt, InterestRate, total_interest
from keizoku.billing.rules.payment_allocation import Allocation, Fund, Share, allocate, allocate_back, settle_fee

RATE = Fraction(146, 1000)
APRIL = Debt(1, 500, date(2025, 4, 30))
MAY = Debt(2, 500, date(2025, 5, 30))
JUNE = Debt(3, 500, date(2025, 6, 30))

days = st.dates(date(2025, 1, 1), date(2029, 12, 31))
unpaid = st.lists(st.tuples(st.integers(0, 10_000), days, st.integers(0, 500)), max_size=5).map(
    lambda rows: [
        Debt(number, principal_yen, due_on, accrued_unpaid_yen)
        for number, (principal_yen, due_on, accrued_unpaid_yen) in enumerate(
            sorted(rows, key=lambda row: row[1]), start=1
        )
    ]
)


def _allocate(
    payment_yen: int,
    costs_yen: int,
    debts: list[Debt],
    through: date,
    designated_invoice_id: int | None = None,
) -> Allocation:
    return allocate(payment_yen, costs_yen, debts, through, InterestRate(RATE, YEARS_THEN_SPLIT), designated_invoice_id)


def test_5_2__a_part_pays_interest_before_principal_and_interest_then_counts_on_the_rest() -> None:
    yearly = Debt(1, 5300, date(2025, 4, 30))

    first = _allocate(3000, 0, [yearly], date(2025, 5, 20))

    left = Debt(1, 2342, date(2025, 5, 20))
    assert first == Allocation(0, (Share(1, 42, 2958),), 0, 0, (left,))

    to_settle_yen = (
        left.principal_yen + total_interest([left], date(2025, 6, 30), InterestRate(RATE, YEARS_THEN_SPLIT)).total_yen
    )
    assert to_settle_yen == 2380
    assert _allocate(to_settle_yen, 0, [left], date(2025, 6, 30)) == Allocation(
        0, (Share(1, 38, 2342),), 0, 0, (Debt(1, 0, date(2025, 6, 30)),)
    )


def test_5_2__costs_come_first_and_what_they_use_up_leaves_debts_and_their_count_alone() -> None:
    assert _allocate(200, 330, [APRIL], date(2025, 5, 30)) == Allocation(200, (Share(1, 0, 0),), 0, 130, (APRIL,))
    assert _allocate(330, 330, [APRIL], date(2025, 5, 30)) == Allocation(330, (Share(1, 0, 0),), 0, 0, (APRIL,))
    assert _allocate(334, 330, [APRIL], date(2025, 5, 30)) == Allocation(
        330, (Share(1, 4, 0),), 0, 0, (Debt(1, 500, date(2025, 5, 30), accrued_unpaid_yen=2),)
    )


def test_5_2__the_interest_of_all_debts_comes_before_the_principal_of_any() -> None:
    # through 06-29: 12.0 on April's, 6.0 on May's
    assert _allocate(118, 0, [APRIL, MAY], date(2025, 6, 29)) == Allocation(
        0,
        (Share(1, 12, 100), Share(2, 6, 0)),
        0,
        0,
        (Debt(1, 400, date(2025, 6, 29)), Debt(2, 500, date(2025, 6, 29))),
    )


def test_5_2__unpaid_interest_is_carried_in_whole_yen_and_bears_none() -> None:
    after = _allocate(15, 0, [APRIL, MAY], date(2025, 6, 29)).debts

    assert after == (Debt(1, 500, date(2025, 6, 29)), Debt(2, 500, date(2025, 6, 29), accrued_unpaid_yen=3))
    thirty_days_later = total_interest(after, date(2025, 7, 29), InterestRate(RATE, YEARS_THEN_SPLIT))
    assert thirty_days_later.per_debt_yen == (6, 9)


def test_civil_code_488__the_debt_that_the_payer_names_comes_first_within_interest_and_within_principal() -> None:
    paid = _allocate(318, 0, [APRIL, MAY], date(2025, 6, 29), designated_invoice_id=2)
    assert paid.shares == (Share(1, 12, 0), Share(2, 6, 300))

    short = _allocate(10, 0, [APRIL, MAY], date(2025, 6, 29), designated_invoice_id=2)
    assert short.shares == (Share(1, 4, 0), Share(2, 6, 0))


def test_civil_code_488__the_name_of_a_debt_that_is_not_open_counts_as_none() -> None:
    named = _allocate(118, 0, [APRIL, MAY], date(2025, 6, 29), designated_invoice_id=99)
    assert named == _allocate(118, 0, [APRIL, MAY], date(2025, 6, 29))


def test_5_2__a_fee_not_yet_due_bears_nothing_may_be_paid_and_keeps_its_due_date() -> None:
    assert _allocate(756, 0, [APRIL, JUNE], date(2025, 5, 30)) == Allocation(
        0,
        (Share(1, 6, 500), Share(3, 0, 250)),
        0,
        0,
        (Debt(1, 0, date(2025, 5, 30)), replace(JUNE, principal_yen=250)),
    )


def test_more_than_is_owed_is_kept_as_a_deposit() -> None:
    assert _allocate(1000, 20, [APRIL], date(2025, 5, 30)) == Allocation(
        20, (Share(1, 6, 500),), 474, 0, (Debt(1, 0, date(2025, 5, 30)),)
    )
    assert _allocate(1000, 0, [], date(2025, 5, 30)) == Allocation(0, (), 1000, 0, ())


def test_civil_code_490__a_card_charge_settles_the_fee_and_leaves_its_interest_owed() -> None:
    assert settle_fee(APRIL, date(2025, 6, 3), InterestRate(RATE, YEARS_THEN_SPLIT)) == Debt(
        1, 0, date(2025, 6, 3), accrued_unpaid_yen=6
    )
    assert settle_fee(JUNE, date(2025, 6, 3), InterestRate(RATE, YEARS_THEN_SPLIT)) == replace(JUNE, principal_yen=0)


@pytest.mark.parametrize(("payment_yen", "costs_yen"), [(-1, 0), (0, -1)])
def test_a_payment_below_zero_is_refused(payment_yen: int, costs_yen: int) -> None:
    with pytest.raises(ValueError, match="never below zero"):
        _allocate(payment_yen, costs_yen, [APRIL], date(2025, 5, 30))


@given(
    st.integers(0, 60_000),
    st.integers(0, 1_000),
    unpaid,
    days,
    st.sampled_from([YEARS_THEN_SPLIT, FIXED_365]),
    st.none() | st.integers(1, 6),
)
def test_every_yen_of_a_payment_goes_somewhere_and_lowers_what_is_owed_by_as_much(
    payment_yen: int, costs_yen: int, debts: list[Debt], through: date, day_count: str, designated: int | None
) -> None:
    owed_yen = total_interest(debts, through, InterestRate(RATE, day_count)).total_yen + sum(
        debt.principal_yen for debt in debts
    )

    paid = allocate(payment_yen, costs_yen, debts, through, InterestRate(RATE, day_count), designated)

    parts = (paid.costs_yen, paid.interest_yen, paid.principal_yen, paid.deposit_yen)
    assert sum(parts) == payment_yen
    assert min(parts) >= 0
    assert paid.costs_yen + paid.costs_left_yen == costs_yen
    left_yen = total_interest(paid.debts, through, InterestRate(RATE, day_count)).total_yen
    left_yen += sum(debt.principal_yen for debt in paid.debts)
    assert left_yen == owed_yen - paid.interest_yen - paid.principal_yen
    assert [debt.invoice_id for debt in paid.debts] == [debt.invoice_id for debt in debts]


@given(st.integers(0, 60_000), st.integers(0, 1_000), unpaid, days)
def test_nothing_is_paid_while_what_comes_before_it_is_owed(
    payment_yen: int, costs_yen: int, debts: list[Debt], through: date
) -> None:
    interest_yen = total_interest(debts, through, InterestRate(RATE, YEARS_THEN_SPLIT)).total_yen

    paid = allocate(payment_yen, costs_yen, debts, through, InterestRate(RATE, YEARS_THEN_SPLIT))

    if paid.interest_yen:
        assert paid.costs_left_yen == 0
    if paid.principal_yen:
        assert paid.interest_yen == interest_yen
    if paid.deposit_yen:
        assert all(debt.principal_yen == debt.accrued_unpaid_yen == 0 for debt in paid.debts)


def test_5_2__a_set_off_works_back_to_the_day_on_which_both_could_be_set_off() -> None:
    """5,300 due on 30 April; 100 granted on 20 May, 200 on 30 May; the notice comes on 30 June."""
    debt = Debt(1, 5_300, date(2025, 4, 30))
    funds = [Fund(date(2025, 5, 20), 100), Fund(date(2025, 5, 30), 200)]
    parts = allocate_back(funds, [debt], date(2025, 6, 30), InterestRate(RATE, YEARS_THEN_SPLIT))
    # to 20 May 20 days: 42.4, so 58 of the fee; to 30 May 10 days of 5,242: 20.968, so 180 of the fee
    assert parts.shares == (Share(1, 62, 238),)
    assert parts.deposit_yen == 0
    assert parts.debts == (Debt(1, 5_062, date(2025, 5, 30)),)


def test_5_2__what_was_held_when_the_fee_fell_due_leaves_no_interest_and_later_debts_alone() -> None:
    early, later = Debt(1, 500, date(2025, 4, 30)), Debt(2, 500, date(2025, 8, 1))
    parts = allocate_back(
        [Fund(date(2025, 4, 1), 700)], [early, later], date(2025, 6, 30), InterestRate(RATE, YEARS_THEN_SPLIT)
    )
    assert parts.shares == (Share(1, 0, 500), Share(2, 0, 0))
    assert (parts.deposit_yen, parts.debts) == (200, (Debt(1, 0, date(2025, 4, 30)), later))


@given(
    st.lists(st.builds(Fund, st.dates(date(2025, 1, 1), date(2025, 12, 31)), st.integers(1, 3_000)), max_size=4),
    st.lists(st.tuples(st.integers(1, 3_000), st.dates(date(2025, 1, 1), date(2025, 12, 31))), max_size=4),
)
def test_5_2__working_back_never_pays_more_than_is_held_or_owed_nor_asks_for_more_interest(
    funds: list[Fund], owed: list[tuple[int, date]]
) -> None:
    debts = [Debt(at, yen, due_on) for at, (yen, due_on) in enumerate(sorted(owed, key=lambda each: each[1]))]
    through = date(2026, 1, 31)
    parts = allocate_back(funds, debts, through, InterestRate(RATE, YEARS_THEN_SPLIT))
    used_yen = parts.interest_yen + parts.principal_yen
    assert used_yen + parts.deposit_yen == sum(fund.yen for fund in funds)
    for before, share, after in zip(debts, parts.shares, parts.debts, strict=True):
        assert after.principal_yen == before.principal_yen - share.principal_yen >= 0
        assert after.accrues_after >= before.accrues_after
    left = total_interest(parts.debts, through, InterestRate(RATE, YEARS_THEN_SPLIT)).total_yen
    by_notice = allocate(sum(fund.yen for fund in funds), 0, debts, through, InterestRate(RATE, YEARS_THEN_SPLIT))
    left_by_notice = total_interest(by_notice.debts, through, InterestRate(RATE, YEARS_THEN_SPLIT)).total_yen
    assert parts.interest_yen + left <= by_notice.interest_yen + left_by_notice
