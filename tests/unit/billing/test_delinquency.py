"""Default: what is overdue, and what follows on which day."""

from datetime import date, timedelta

import pytest

from billing.delinquency import Standing, UnpaidFee, accelerated, overdue_days, standing

DUE = date(2025, 4, 30)


def fee(due_on: date = DUE, invoice_id: int = 1, *excluded: tuple[date, date]) -> UnpaidFee:
    return UnpaidFee(invoice_id, due_on, 500, min(due_on, DUE), tuple(excluded))


@pytest.mark.parametrize(
    ("days", "state"),
    [
        (-1, Standing.GOOD),
        (0, Standing.GOOD),
        (1, Standing.OVERDUE),
        (9, Standing.OVERDUE),
        (10, Standing.SUSPEND),
        (39, Standing.SUSPEND),
        (40, Standing.TERMINATE),
    ],
)
def test_7_1_2__the_oldest_unpaid_fee_decides_by_the_settings(days: int, state: Standing) -> None:
    today = DUE + timedelta(days=days)
    fees = [fee(), fee(DUE + timedelta(days=30), 2)]
    assert standing(fees, today, 10, 40) == (state, max(days, 0))


def test_7_1_2__paying_the_oldest_debt_moves_every_later_date() -> None:
    today = DUE + timedelta(days=40)
    assert standing([fee(), fee(DUE + timedelta(days=30), 2)], today, 10, 40) == (Standing.TERMINATE, 40)
    assert standing([fee(DUE + timedelta(days=30), 2)], today, 10, 40) == (Standing.SUSPEND, 10)
    assert standing([], today, 10, 40) == (Standing.GOOD, 0)


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
