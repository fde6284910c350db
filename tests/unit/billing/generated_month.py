"""A month of books made from its size alone, with faults planted in it: what a reconciliation has to find.

April 2026. Contracts pay by card, several times each; every charge has a fee; some are refunded in part; each day the
processor pays out. A fault is planted at a charge of its own, so that none hides another.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import date, timedelta
from pathlib import Path

from keizoku.billing.closing.reconciliation import BankLine, ExceptionType, FactsReceived, Moved, Ours, Payout
from keizoku.terms.calendar import Month

MONTH = Month(2026, 4)
TODAY = date(2026, 5, 1)
TABLES = ("ours", "gateway", "payouts", "bank", "receipts")

Expected = tuple[str, str, str]  # type, the one side's row, the other's


def write_month(folder: Path, contracts: int, transactions: int, faults: int) -> list[Expected]:
    """One CSV file per table, and the exceptions that are planted in them, sorted."""
    planted: list[Expected] = []
    every = transactions // max(1, faults)
    types = list(ExceptionType)
    with ExitStack() as stack:
        writers = {
            name: csv.writer(stack.enter_context((folder / f"{name}.csv").open("w", encoding="utf-8", newline="")))
            for name in TABLES
        }

        def put(table: str, *rows: Sequence[object]) -> None:
            writers[table].writerows(
                ["" if each is None else str(each).lower() if isinstance(each, bool) else each for each in row]
                for row in rows
            )

        for number in range(transactions):
            fault = None
            if faults and number % every == every // 2 and len(planted) < faults:
                fault = types[len(planted) % len(types)]
            planted += _charge(put, number, contracts, fault)
        for day in range(30):
            _payout(put, f"day{day}", 1_000_000 + day, date(2026, 4, 1) + timedelta(days=day), None)
            on = date(2026, 4, 1) + timedelta(days=day)
            put("receipts", FactsReceived(f"receipt:{day}", 500, on, f"u{day}"))
            put("bank", BankLine(f"bank:r{day}", 500, on, False, False, f"receipt:{day}"))
    return sorted(planted)


def _charge(put: object, number: int, contracts: int, fault: ExceptionType | None) -> list[Expected]:
    """A charge with its fee on both sides, and what the fault makes of them."""
    assert callable(put)
    on = date(2026, 4, 1) + timedelta(days=number % 30)
    account, key, payment, yen = f"u{number % contracts}", f"key{number}", f"pi{number}", 500 + number % 7
    ours = Ours(f"attempt:{number}", "charge", key, payment, "done", yen, yen, 0, on, None, account)
    moved = Moved(f"t{number}", "charge", key, payment, f"ch{number}", yen, 0, "jpy", on)
    fee_ours = Ours(f"movement:{number}", "fee", f"t{number}", None, "done", -18, -18, 1, on, None, None)
    fee_moved = Moved(f"t{number}:fee", "fee", f"t{number}", payment, f"ch{number}", -18, 1, "jpy", on)
    if number % 50 == 7 and fault is None:  # a refund of a part, on both sides
        put(
            "ours",
            Ours(f"refund:{number}", "refund", f"r{number}", f"re{number}", "done", -100, -100, 0, on, None, account),
        )
        put("gateway", Moved(f"tr{number}", "refund", f"r{number}", payment, f"re{number}", -100, 0, "jpy", on))
    if number % 50 == 9 and fault is None:  # a card that was refused: nothing on the other side
        put("ours", Ours(f"attempt:x{number}", "charge", f"x{number}", None, "not_done", 0, 0, 0, on, None, account))
    left, right = ours.ref, moved.ref
    match fault:
        case ExceptionType.LEDGER_ONLY:
            put("ours", ours)
            return [(fault, left, "")]
        case ExceptionType.GATEWAY_ONLY:
            put("ours", fee_ours)
            put("gateway", moved, fee_moved)
            return [(fault, "", right)]
        case ExceptionType.AMOUNT_DIFFERS:
            moved = moved._replace(yen=yen - 1)
        case ExceptionType.STATUS_DIFFERS:
            ours = ours._replace(state="not_done", yen=0, booked_yen=0)
        case ExceptionType.DUPLICATE_CHARGE:
            put("gateway", moved._replace(ref=f"u{number}", payment=f"pj{number}", source=f"ci{number}"))
            left, right = "", f"u{number}"
        case ExceptionType.REFUND_MISSING:
            left, right = f"refund:{number}", ""
            put("ours", Ours(left, "refund", f"r{number}", f"re{number}", "done", -100, -100, 0, on, None, account))
        case ExceptionType.DISPUTE_UNBOOKED:
            left, right = "", f"td{number}"
            put("gateway", Moved(right, "dispute", f"dp{number}:out", payment, f"dp{number}", -yen, 0, "jpy", on))
        case ExceptionType.FEE_CLASS:
            fee_ours = fee_ours._replace(tax_yen=0)
            left, right = fee_ours.ref, fee_moved.ref
        case ExceptionType.PAYOUT_MISSING | ExceptionType.PAYOUT_DIFFERS:
            left, right = _payout(put, f"x{number}", 2_000_000 + 1_000 * number, on, fault)
        case ExceptionType.CUTOFF:
            ours = ours._replace(on=date(2026, 4, 30))
            moved = moved._replace(on=date(2026, 5, 1))
        case ExceptionType.FOREIGN_CURRENCY:
            moved = moved._replace(currency="usd", yen=3)
        case ExceptionType.METADATA_MISSING:
            moved = moved._replace(key=None)
        case ExceptionType.RESERVE:
            left, right = "", f"th{number}"
            put("gateway", Moved(right, "reserve", None, None, None, -yen, 0, "jpy", on))
    put("ours", ours, fee_ours)
    put("gateway", moved, fee_moved)
    return [] if fault is None else [(fault, left, right)]


def _payout(put: object, name: str, yen: int, on: date, fault: ExceptionType | None) -> tuple[str, str]:
    """A payout in the ledger, at the gateway and at the bank; its bank line as the fault has it."""
    assert callable(put)
    arrives_on = min(on + timedelta(days=2), date(2026, 4, 30))
    put("ours", Ours(f"movement:p{name}", "payout", f"p{name}", None, "done", -yen, -yen, 0, on, None, None))
    put("gateway", Moved(f"p{name}", "payout", f"p{name}", None, f"po{name}", -yen, 0, "jpy", on))
    put("payouts", Payout(f"po{name}", yen, yen, arrives_on))
    if fault is ExceptionType.PAYOUT_MISSING:
        return f"po{name}", ""
    kept_yen = 330 if fault is ExceptionType.PAYOUT_DIFFERS else 0
    put("bank", BankLine(f"bank:{name}", yen - kept_yen, arrives_on, True, True, None))
    return f"po{name}", f"bank:{name}"
