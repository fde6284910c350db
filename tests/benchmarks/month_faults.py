"""Faults of every type for a generated month, each at a contract of its own with a price of its own.

    place, (type, variant) = planted_at(…)      plant(month, number, type, variant) -> (type, key, yen)

What is expected is worked out here from what was planted: type, the two sides by the rows that they are, the amount. So
that none hides another, no two faults share an amount, and bank lines without a payout lie on days of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

from keizoku.billing.closing.reconciliation import ExceptionType
from keizoku.billing.rules.books.journal_rules import Entry, JournalLine
from tests.benchmarks.month_lives import LAST_NIGHT, NOW, GeneratedMonth, start_of
from tests.benchmarks.month_rows import instant

Expected = tuple[str, str, int]  # type, key, yen
Sides = tuple[str, str, int]  # the one side's row, the other's, yen
Fault = tuple[ExceptionType, int, int]  # type, variant, the how many-th of all

APRIL_30 = date(2026, 4, 30)


def planted_at(contracts: int, faults: int) -> dict[int, Fault]:
    """Contract -> its fault: all types in turn, and of a type its variants in turn; spread over the month."""
    if not faults:
        return {}
    every, types = contracts // faults, list(VARIANTS)
    places: dict[int, Fault] = {}
    for nth in range(faults):
        kind, turn = types[nth % len(types)], nth // len(types)
        places[nth * every + every // 2] = (kind, turn % len(VARIANTS[kind]), nth)
    return places


def plant(month: GeneratedMonth, number: int, kind: ExceptionType, variant: int, nth: int) -> Expected:
    """Plant a fault at a contract; what has to be found."""
    left, right, yen = VARIANTS[kind][variant](month, number, 700 + nth)
    return kind.value, f"{kind}|{left}|{right}", yen


def _attempt_alone(month: GeneratedMonth, number: int, price: int) -> Sides:
    start = start_of(number)
    return f"attempt:{month.attempt(month.billed(number, start, price), start)}", "", price


def _receipt_alone(month: GeneratedMonth, number: int, price: int) -> Sides:
    start = start_of(number)
    bill = month.billed(number, start, price, method="other")
    return f"receipt:{month.bank_payment(bill, start, shown=False)}", "", price


def _entry_of_people_alone(month: GeneratedMonth, number: int, price: int) -> Sides:
    month.live(number)
    made = Entry("by_people", "", (JournalLine("1131", price), JournalLine("7120", -price)))
    entry_id = month.rows.post_entry(made, f"people:{number}", start_of(number))
    month.rows.put("manual_entry", entry_id, "kato", "a guess", NOW)
    return f"entry:{entry_id}", "", price


def _charge_of_nobody(month: GeneratedMonth, number: int, price: int) -> Sides:
    month.live(number)
    at = instant(start_of(number), 40_000)
    return "", month.move("charge", price, at, fee=9, our_key=f"other-{number}", payment=f"pi_x{number}"), -price


def _topped_up(month: GeneratedMonth, number: int, price: int) -> Sides:
    month.live(number)
    return "", month.move("topup", price, instant(start_of(number), 40_000), source=f"tu_{number}"), -price


def _charged_less(month: GeneratedMonth, number: int, price: int) -> Sides:
    start = start_of(number)
    bill = month.billed(number, start, price)
    attempt_id = month.attempt(bill, start)
    return f"attempt:{attempt_id}", month.charged(bill, instant(start, 20_000), amount=price - 1), 1


def _paid_out_less(month: GeneratedMonth, number: int, price: int) -> Sides:
    """A charge that is paid out by itself, a yen short."""
    start = start_of(number)
    bill = month.billed(number, start, price)
    month.attempt(bill, start)
    name = f"po_short_{number}"
    month.charged(bill, instant(start, 20_000), payout=name)
    net = price - price * 36 // 1_000
    month.payout(name, net - 1, start + timedelta(days=1))
    return name, f"{name}:movements", -1


def _answer_unknown(month: GeneratedMonth, number: int, price: int) -> Sides:
    start = start_of(number)
    bill = month.billed(number, start, price, paid=False)
    attempt_id = month.attempt(bill, start, outcome=None)
    return f"attempt:{attempt_id}", month.charged(bill, instant(start, 20_000)), -price


def _refused_but_charged(month: GeneratedMonth, number: int, price: int) -> Sides:
    start = start_of(number)
    bill = month.billed(number, start, price, paid=False)
    attempt_id = month.attempt(bill, start, outcome="declined_soft")
    return f"attempt:{attempt_id}", month.charged(bill, instant(start, 20_000)), -price


def _refund_came_back(month: GeneratedMonth, number: int, price: int) -> Sides:
    start = start_of(number)
    bill = month.billed(number, start, price)
    month.refund(bill, month.paid(bill, start), start)
    at = instant(start + timedelta(days=1), 20_000)
    return "", month.move("refund_failure", 100, at, source=f"re_x{number}", payment=bill.payment), -100


def _charged_twice(month: GeneratedMonth, number: int, price: int) -> Sides:
    start = start_of(number)
    bill = month.billed(number, start, price)
    month.paid(bill, start)
    at = instant(start, 80_000)
    again = month.move("charge", price, at, fee=9, our_key=bill.key, payment=f"pi_y{number}", source=f"ch_y{number}")
    return "", again, -price


def _charged_twice_without_our_key(month: GeneratedMonth, number: int, price: int) -> Sides:
    start = start_of(number)
    bill = month.billed(number, start, price)
    month.paid(bill, start)
    at = instant(start, 80_000)
    return "", month.move("charge", price, at, fee=9, payment=bill.payment, source=f"ch_y{number}"), -price


def _refund_never_made(month: GeneratedMonth, number: int, price: int) -> Sides:
    start = start_of(number)
    bill = month.billed(number, start, price)
    refund_id = month.refund(bill, month.paid(bill, start), start, yen=price, at_gateway=False)
    return f"refund:{refund_id}", "", -price


def _refund_by_hand(month: GeneratedMonth, number: int, price: int) -> Sides:
    start = start_of(number)
    bill = month.billed(number, start, price)
    month.paid(bill, start)
    at = instant(start + timedelta(days=1), 20_000)
    return "", month.move("refund", -price, at, source=f"re_h{number}", payment=bill.payment), price


def _dispute_opened(month: GeneratedMonth, number: int, price: int) -> Sides:
    start = start_of(number)
    bill = month.billed(number, start, price)
    month.paid(bill, start)
    at = instant(start + timedelta(days=1), 20_000)
    taken = month.move("adjustment", -price, at, fee=1_300, source=f"dp_x{number}", payment=bill.payment)
    return "", taken, price + 1_300


def _dispute_won(month: GeneratedMonth, number: int, price: int) -> Sides:
    start = start_of(number)
    bill = month.billed(number, start, price)
    month.paid(bill, start)
    at = instant(start + timedelta(days=1), 20_000)
    return "", month.move("adjustment", price, at, source=f"dp_x{number}", payment=bill.payment), -price


def _fee_booked_with_tax(month: GeneratedMonth, number: int, price: int) -> Sides:
    start = start_of(number)
    bill = month.billed(number, start, price)
    month.attempt(bill, start)
    movement = month.charged(bill, instant(start, 20_000), booked_tax=1)
    return f"movement:{movement}", f"{movement}:fee", -(price * 36 // 1_000)


def _fee_booked_without_tax(month: GeneratedMonth, number: int, price: int) -> Sides:
    month.live(number)
    at = instant(start_of(number), 40_000)
    movement = month.move("stripe_fee", -price, at, fee_tax=price * 10 // 110, source=f"s{number}", booked_tax=0)
    return f"movement:{movement}", movement, -price


def _payout_not_at_the_bank(month: GeneratedMonth, number: int, price: int) -> Sides:
    month.live(number)
    name = f"po_lost_{number}"
    month.payout(name, price * 1_000, _even_day(number), automatic=False, bank_yen=None)
    return name, "", price * 1_000


def _line_without_payout(month: GeneratedMonth, number: int, price: int) -> Sides:
    month.live(number)
    line_id = month.stray_line(_even_day(number), price * 1_000)
    return "", f"bank:{line_id}", -price * 1_000


def _less_at_the_bank(month: GeneratedMonth, number: int, price: int) -> Sides:
    month.live(number)
    name, yen = f"po_less_{number}", price * 1_000
    line_id = month.payout(name, yen, _even_day(number), automatic=False, bank_yen=yen - 330, known=False)
    return name, f"bank:{line_id}", 330


def _charged_after_midnight(month: GeneratedMonth, number: int, price: int) -> Sides:
    """Booked on 30 April, moved on 1 May in Japan, which is still April in UTC."""
    bill = month.billed(number, start_of(number), price)
    attempt_id = month.attempt(bill, APRIL_30)
    return f"attempt:{attempt_id}", month.charged(bill, instant(LAST_NIGHT, 600)), price


def _booked_after_midnight(month: GeneratedMonth, number: int, price: int) -> Sides:
    bill = month.billed(number, start_of(number), price)
    attempt_id = month.attempt(bill, LAST_NIGHT, second=300)
    return f"attempt:{attempt_id}", month.charged(bill, instant(APRIL_30, 86_100)), price


def _moved_in_march(month: GeneratedMonth, number: int, price: int) -> Sides:
    march_31 = date(2026, 3, 31)
    bill = month.billed(number, march_31, price, interval="year")
    attempt_id = month.attempt(bill, date(2026, 4, 1))
    return f"attempt:{attempt_id}", month.charged(bill, instant(march_31, 86_399)), price


def _charged_in_dollars(month: GeneratedMonth, number: int, price: int) -> Sides:
    start = start_of(number)
    bill = month.billed(number, start, price)
    attempt_id = month.attempt(bill, start)
    return f"attempt:{attempt_id}", month.charged(bill, instant(start, 20_000), amount=3, currency="usd"), price


def _dollars_of_nobody(month: GeneratedMonth, number: int, price: int) -> Sides:
    month.live(number)
    at = instant(start_of(number), 40_000)
    return "", month.move("charge", price, at, currency="usd", payment=f"pi_x{number}"), -price


def _named_by_its_payment(month: GeneratedMonth, number: int, price: int) -> Sides:
    start = start_of(number)
    bill = month.billed(number, start, price)
    attempt_id = month.attempt(bill, start)
    return f"attempt:{attempt_id}", month.charged(bill, instant(start, 20_000), our_key=None), 0


def _named_by_its_amount(month: GeneratedMonth, number: int, price: int) -> Sides:
    start = start_of(number)
    bill = month.billed(number, start, price)
    attempt_id = month.attempt(bill, start)
    bare = {"our_key": None, "payment": None, "source": f"ch_b{number}"}
    return f"attempt:{attempt_id}", month.charged(bill, instant(start, 20_000), **bare), 0


def _charge_without_a_name(month: GeneratedMonth, number: int, price: int) -> Sides:
    month.live(number)
    at = instant(start_of(number), 40_000)
    return "", month.move("charge", price, at, fee=9, source=f"ch_b{number}"), -price


def _held_back(month: GeneratedMonth, number: int, price: int) -> Sides:
    month.live(number)
    return "", month.move("reserve_transaction", -price, instant(start_of(number), 40_000)), price


def _given_free(month: GeneratedMonth, number: int, price: int) -> Sides:
    month.live(number)
    return "", month.move("reserved_funds", price, instant(start_of(number), 40_000)), -price


def _even_day(number: int) -> date:
    """A day of the month whose next is a working day: a payout's line lies on an odd day, a stray one on an even."""
    days = (2, 6, 8, 12, 14, 16, 20, 22, 26, 28)
    return date(2026, 4, days[number % len(days)])


VARIANTS: dict[ExceptionType, tuple[Callable[[GeneratedMonth, int, int], Sides], ...]] = {
    ExceptionType.LEDGER_ONLY: (_attempt_alone, _receipt_alone, _entry_of_people_alone),
    ExceptionType.GATEWAY_ONLY: (_charge_of_nobody, _topped_up),
    ExceptionType.AMOUNT_DIFFERS: (_charged_less, _paid_out_less),
    ExceptionType.STATUS_DIFFERS: (_answer_unknown, _refused_but_charged, _refund_came_back),
    ExceptionType.DUPLICATE_CHARGE: (_charged_twice, _charged_twice_without_our_key),
    ExceptionType.REFUND_MISSING: (_refund_never_made, _refund_by_hand),
    ExceptionType.DISPUTE_UNBOOKED: (_dispute_opened, _dispute_won),
    ExceptionType.FEE_CLASS: (_fee_booked_with_tax, _fee_booked_without_tax),
    ExceptionType.PAYOUT_MISSING: (_payout_not_at_the_bank, _line_without_payout),
    ExceptionType.PAYOUT_DIFFERS: (_less_at_the_bank,),
    ExceptionType.CUTOFF: (_charged_after_midnight, _booked_after_midnight, _moved_in_march),
    ExceptionType.FOREIGN_CURRENCY: (_charged_in_dollars, _dollars_of_nobody),
    ExceptionType.METADATA_MISSING: (_named_by_its_payment, _named_by_its_amount, _charge_without_a_name),
    ExceptionType.RESERVE: (_held_back, _given_free),
}
"""How each type can come about."""
