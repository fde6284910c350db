"""Default: what is overdue, and what follows on which day.

The days follow the readings delinquency_schedule, what_is_overdue and acceleration in docs/reference/readings.md.
"""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keizoku.billing.rules.delinquency import (
    DefaultState,
    Outlook,
    Prospect,
    UnpaidFee,
    accelerated,
    default_state,
    outlook,
    overdue_days,
    prospect,
)

DUE = date(2025, 4, 30)


def fee(due_on: date = DUE, invoice_id: int = 1, *excluded: tuple[date, date]) -> UnpaidFee:
    return UnpaidFee(invoice_id, due_on, 500, min(due_on, DUE), tuple(excluded))


@pytest.mark.parametrize(
    ("days", "state"),
    [
        (-1, DefaultState.GOOD),
        (0, DefaultState.GOOD),
        (1, DefaultState.OVERDUE),
        (9, DefaultState.OVERDUE),
        (10, DefaultState.SUSPEND),
        (39, DefaultState.SUSPEND),
        (40, DefaultState.TERMINATE),
    ],
)
def test_7_1_2__the_oldest_unpaid_fee_decides_by_the_settings(days: int, state: DefaultState) -> None:
    today = DUE + timedelta(days=days)
    fees = [fee(), fee(DUE + timedelta(days=30), 2)]
    assert default_state(fees, today, 10, 40) == (state, max(days, 0))


def test_7_1_2__paying_the_oldest_debt_moves_every_later_date() -> None:
    today = DUE + timedelta(days=40)
    assert default_state([fee(), fee(DUE + timedelta(days=30), 2)], today, 10, 40) == (DefaultState.TERMINATE, 40)
    assert default_state([fee(DUE + timedelta(days=30), 2)], today, 10, 40) == (DefaultState.SUSPEND, 10)
    assert default_state([], today, 10, 40) == (DefaultState.GOOD, 0)


def test_7_1_2__days_of_our_own_fault_do_not_count() -> None:
    ours = (DUE + timedelta(days=1), DUE + timedelta(days=4))
    assert overdue_days(fee(DUE, 1, ours), DUE + timedelta(days=10)) == 7
    assert overdue_days(fee(DUE, 1, ours), DUE + timedelta(days=2)) == 0
    assert overdue_days(fee(DUE, 1, (DUE - timedelta(days=9), DUE)), DUE + timedelta(days=2)) == 2


def test_7_2__default_makes_due_what_is_invoiced_and_not_yet_due() -> None:
    later = fee(DUE + timedelta(days=10), 2)
    assert accelerated([fee(), later], DUE + timedelta(days=1)) == (2,)
    assert accelerated([fee(), later], DUE) == ()
    assert accelerated([later], DUE + timedelta(days=1)) == ()


def test_7_2__what_arises_after_default_began_keeps_its_own_due_date() -> None:
    began = DUE + timedelta(days=1)
    today = DUE + timedelta(days=3)
    same_day = UnpaidFee(2, DUE + timedelta(days=15), 500, began)
    later = UnpaidFee(3, DUE + timedelta(days=16), 500, began + timedelta(days=1))
    assert accelerated([fee(), same_day, later], today) == (2,)


def test_7_1_2__the_outlook_names_the_days_and_the_oldest_debt_makes_them() -> None:
    later = fee(DUE + timedelta(days=30), 2)
    assert outlook([fee(), later], 10, 40) == Outlook(date(2025, 5, 10), date(2025, 6, 9))
    assert outlook([later], 10, 40) == Outlook(date(2025, 6, 9), date(2025, 7, 9))
    assert outlook([], 10, 40) is None
    assert outlook([fee()], 0, 0) == Outlook(date(2025, 5, 1), date(2025, 5, 1))


fees = st.builds(
    lambda number, due, ours: UnpaidFee(
        number,
        DUE + timedelta(days=due),
        500,
        DUE,
        tuple((DUE + timedelta(days=start), DUE + timedelta(days=start + length)) for start, length in ours),
    ),
    st.integers(1, 9),
    st.integers(0, 60),
    st.lists(st.tuples(st.integers(-5, 80), st.integers(0, 9)), max_size=2).map(
        lambda spans: [span for place, span in enumerate(spans) if not place or span[0] > sum(spans[place - 1])]
    ),
)


@given(st.lists(fees, min_size=1, max_size=4), st.integers(0, 15), st.integers(0, 30), st.data())
def test_7_1_2__every_day_follows_from_what_is_unpaid_and_a_payment_never_brings_one_nearer(
    owed: list[UnpaidFee], suspend: int, more: int, data: st.DataObject
) -> None:
    terminate = suspend + more
    horizon = [DUE + timedelta(days=ahead) for ahead in range(200)]

    def by_the_days(left: list[UnpaidFee]) -> Outlook | None:
        days = {on: default_state(left, on, suspend, terminate)[0] for on in horizon}
        stopped = [on for on, state in days.items() if state in (DefaultState.SUSPEND, DefaultState.TERMINATE)]
        over = [on for on, state in days.items() if state is DefaultState.TERMINATE]
        return Outlook(min(stopped), min(over)) if left else None

    before = outlook(owed, suspend, terminate)
    assert before == by_the_days(owed)
    paid = data.draw(st.sampled_from(owed))
    left = [each for each in owed if each is not paid]
    after = outlook(left, suspend, terminate)
    assert after == by_the_days(left)
    if before is not None and after is not None:
        assert after.suspends_on >= before.suspends_on
        assert after.terminates_on >= before.terminates_on


def test_7_1_2__what_is_too_little_for_a_card_puts_nobody_into_default() -> None:
    rest = replace(fee(), open_yen=30, waits=True)
    late = DUE + timedelta(days=100)
    assert overdue_days(rest, late) == 0
    assert default_state([rest], late, 10, 40) == (DefaultState.GOOD, 0)
    assert outlook([rest], 10, 40) is None
    assert accelerated([rest, fee(late + timedelta(days=5), 2)], late) == ()
    assert outlook([rest, fee()], 10, 40) == outlook([fee()], 10, 40)


@pytest.mark.parametrize(
    ("term_ends_on", "renews", "suspended_term_renews", "comes"),
    [
        (date(2026, 5, 20), True, False, Prospect(date(2026, 4, 30), None, date(2026, 5, 20))),
        (date(2026, 5, 20), True, True, Prospect(date(2026, 4, 30), date(2026, 5, 30), None)),
        (date(2026, 5, 20), False, True, Prospect(date(2026, 4, 30), None, date(2026, 5, 20))),
        (date(2026, 4, 25), False, False, Prospect(None, None, date(2026, 4, 25))),
        (date(2026, 4, 25), True, False, Prospect(date(2026, 4, 30), date(2026, 5, 30), None)),
        (date(2027, 4, 20), True, False, Prospect(date(2026, 4, 30), date(2026, 5, 30), None)),
        (None, True, False, Prospect(date(2026, 4, 30), date(2026, 5, 30), None)),
    ],
)
def test_7_1__nothing_is_foretold_that_the_end_of_the_contract_comes_before(
    term_ends_on: date | None, renews: bool, suspended_term_renews: bool, comes: Prospect
) -> None:
    ahead = Outlook(date(2026, 4, 30), date(2026, 5, 30))
    assert prospect(ahead, term_ends_on, renews=renews, suspended_term_renews=suspended_term_renews) == comes
