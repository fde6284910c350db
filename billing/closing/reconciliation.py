"""The month's reconciliation: what we booked, what the gateway moved, what the bank had. Facts in, outcome out.

    ours (event + its lines on 1131) ↔ gateway (its balance transactions, each fee a row of its own)
    payouts ↔ their movements ↔ bank lines                     receipts ↔ bank lines

Keys, in order: our key in the metadata; the gateway's id of payment, charge, refund, dispute or movement; for a payment
without metadata the amount and day, where only one of each side has them. A payout meets its bank line by amount and
day of arrival. Months are JST; a gateway cuts its own in UTC, so a pair may lie on both sides of a month's end: cutoff.

Always holds: every row of every side in the month ends in exactly one match or exception, and the sums of what ended
are the sums that the sides state. What is left over is `Outcome.unexplained`: an error of the program.

The joins run in DuckDB, in bounded memory; nothing here knows where the facts come from.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

import duckdb

from keizoku.billing.closing.reconciliation_sql import COLUMNS, EXCEPTIONS, SIDES, STEPS, TABLES, UNEXPLAINED
from keizoku.terms.calendar import Month


class ExceptionType(StrEnum):
    """Why two sides differ."""

    LEDGER_ONLY = "ledger_only"  # booked, and the other side has nothing
    GATEWAY_ONLY = "gateway_only"  # the gateway moved money that is not booked
    AMOUNT_DIFFERS = "amount_differs"  # both have it, for other amounts
    STATUS_DIFFERS = "status_differs"  # one side says that it happened, the other that it did not
    DUPLICATE_CHARGE = "duplicate_charge"  # the gateway charged twice what we asked for once
    REFUND_MISSING = "refund_missing"  # a refund that only one side has
    DISPUTE_UNBOOKED = "dispute_unbooked"  # a dispute that is not in the books
    FEE_CLASS = "fee_class"  # a fee of the same amount with another tax in it
    PAYOUT_MISSING = "payout_missing"  # a payout that only the gateway or only the bank has
    PAYOUT_DIFFERS = "payout_differs_from_bank"  # the bank had another amount
    CUTOFF = "cutoff"  # the same, in two months
    FOREIGN_CURRENCY = "foreign_currency"  # not in yen
    METADATA_MISSING = "metadata_missing"  # the gateway's row does not name ours
    RESERVE = "reserve"  # the gateway holds money back, or gives it free


ACTIONS: dict[ExceptionType, tuple[str, str]] = {
    ExceptionType.LEDGER_ONLY: (
        "決済代行・銀行側の記録を確認し、実在しなければ仕訳を取り消す",
        "look for it on the other side; if it never happened, reverse the entry",
    ),
    ExceptionType.GATEWAY_ONLY: (
        "管理画面で取引の内容を確認し、仕訳を起こす",
        "see in the gateway's dashboard what it was, and post it",
    ),
    ExceptionType.AMOUNT_DIFFERS: (
        "正しい金額を確認し、差額を仕訳する",
        "find out which amount is right, and post the difference",
    ),
    ExceptionType.STATUS_DIFFERS: (
        "決済代行の最新状態を照会し、その結果を記録する",
        "ask the gateway for the present state, and record it",
    ),
    ExceptionType.DUPLICATE_CHARGE: ("重複分を返金する", "refund the second charge"),
    ExceptionType.REFUND_MISSING: (
        "返金を再実行するか、返金の仕訳を起こす",
        "make the refund again, or post it",
    ),
    ExceptionType.DISPUTE_UNBOOKED: (
        "不審請求として記録し、仕訳を起こす",
        "record the dispute, so that it is booked",
    ),
    ExceptionType.FEE_CLASS: (
        "手数料の税区分を請求書で確認し、振り替える",
        "see on the processor's invoice whether the fee bears tax, and move it",
    ),
    ExceptionType.PAYOUT_MISSING: (
        "入金予定日と銀行明細を確認し、決済代行または銀行に照会する",
        "check the arrival day and the bank's lines, then ask the processor or the bank",
    ),
    ExceptionType.PAYOUT_DIFFERS: (
        "銀行手数料等の差額を確認し、仕訳する",
        "find out what was kept on the way, and post the difference",
    ),
    ExceptionType.CUTOFF: (
        "月ずれとして翌月に解消することを確認する",
        "it is in both books, in two months: confirm it, it clears itself",
    ),
    ExceptionType.FOREIGN_CURRENCY: (
        "円換算額を確認し、手で仕訳する",
        "find its amount in yen, and post it by hand",
    ),
    ExceptionType.METADATA_MISSING: (
        "相手の取引であることを確認する",
        "confirm that it is the payment that stands beside it",
    ),
    ExceptionType.RESERVE: (
        "留保額と解放予定日を確認し、必要なら振り替える",
        "see how much is held and until when, and move it if it stays",
    ),
}
"""What to do about an exception, (ja, en)."""


class Ours(NamedTuple):
    """One of our own events that moves the clearing account, and what is booked for it there."""

    ref: str  # "attempt:12"
    kind: str  # charge, refund, dispute, fee, payout, people, other
    key: str | None  # what the gateway knows it by: our key; for fees and payouts its movement; for disputes theirs
    gateway_id: str | None
    state: str  # done, not_done, unknown
    yen: int  # what should have moved, debit positive; 0 unless done
    booked_yen: int  # what the ledger's 1131 has for it
    tax_yen: int  # of a fee, the tax booked
    on: date  # JST
    belongs_to: str | None  # the month that its entry names
    account: str | None


class Moved(NamedTuple):
    """A movement at the gateway; the fee of one is a row of its own, with the ref "…:fee"."""

    ref: str
    kind: str  # charge, refund, refund_failed, dispute, fee, payout, reserve, other
    key: str | None
    payment: str | None
    source: str | None
    yen: int
    tax_yen: int
    currency: str
    on: date  # JST


class Payout(NamedTuple):
    """A payout that the gateway says it paid; `moved_yen` is the net of its movements where it names them."""

    ref: str
    yen: int
    moved_yen: int | None
    arrives_on: date


class BankLine(NamedTuple):
    """An incoming payment; `receipt` the receipt that it is matched to, `waits` whether it has no payer yet."""

    ref: str
    yen: int
    paid_on: date
    of_processor: bool
    waits: bool
    receipt: str | None


class FactsReceived(NamedTuple):
    """A receipt of ours that says it came by bank."""

    ref: str
    yen: int
    on: date
    account: str | None


@dataclass(frozen=True, slots=True)
class Side:
    """One side of an exception."""

    where: str  # ledger, gateway, bank
    ref: str
    yen: int
    on: date
    more: str = ""  # the customer's account, the currency


@dataclass(frozen=True, slots=True)
class Difference:
    """An exception: its type, both sides as far as there are two, its amount and age in days."""

    type: ExceptionType
    left: Side | None
    right: Side | None
    yen: int
    age_days: int

    @property
    def key(self) -> str:
        """Its key, the same every time that the month is reconciled."""
        return f"{self.type}|{self.left.ref if self.left else ''}|{self.right.ref if self.right else ''}"

    @property
    def action_ja(self) -> str:
        """What to do, in Japanese."""
        return ACTIONS[self.type][0]

    @property
    def action_en(self) -> str:
        """What to do, in English."""
        return ACTIONS[self.type][1]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a month: rows matched per pair of sides, the exceptions, what nothing explains."""

    month: Month
    rows: dict[str, int]  # per side, those of the month
    matched: dict[str, int]  # per pair of sides
    exceptions: tuple[Difference, ...]
    sums: dict[str, int]  # ledger and gateway: what the rows of the month moved, yen
    unexplained: tuple[str, ...]

    @property
    def counts(self) -> dict[str, int]:
        """Exceptions per type."""
        found: dict[str, int] = {}
        for each in self.exceptions:
            found[each.type.value] = found.get(each.type.value, 0) + 1
        return dict(sorted(found.items()))


def workbench(folder: Path, memory: str = "320MB", threads: int = 2) -> duckdb.DuckDBPyConnection:
    """An empty DuckDB database for the facts, with limited memory; what exceeds it goes to the folder."""
    config: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": memory,
        "threads": threads,
        "temp_directory": str(folder),
    }
    connection = duckdb.connect(":memory:", config=config)
    for statement in TABLES:
        connection.execute(statement)
    return connection


def fill(connection: duckdb.DuckDBPyConnection, table: str, file: Path) -> None:
    """Fill one of the tables from a CSV file without a header, as PostgreSQL's COPY writes it."""
    form = "FORMAT csv, AUTO_DETECT false, HEADER false, DELIMITER ',', QUOTE '\"', ESCAPE '\"', NULLSTR ''"
    connection.execute(f"COPY {table} FROM '{file}' ({form})")


def put(connection: duckdb.DuckDBPyConnection, table: str, rows: Iterable[Sequence[object]]) -> None:
    """Put rows into one of the tables `ours`, `gateway`, `payouts`, `bank`, `receipts`."""
    listed = [list(row) for row in rows]
    if listed:
        marks = ", ".join("?" * len(COLUMNS[table]))
        connection.executemany(f"INSERT INTO {table} VALUES ({marks})", listed)  # noqa: S608 - a table of ours


def reconcile(
    connection: duckdb.DuckDBPyConnection,
    month: Month,
    today: date,
    *,
    bank_given: bool = True,
    stated: Mapping[str, int] | None = None,
) -> Outcome:
    """Match everything on the workbench for a month; ages are counted to `today`.

    Facts of the months around it should be there too, so that a pair over the month's end is found. Without
    `bank_given` there is no bank statement, and payouts and receipts are not matched with one. `stated` is what a
    side says that it moved in the month, summed without these rows; a remainder is reported.
    """
    for name, value in (("first", month.first_on), ("past", month.end_on), ("bank_given", bank_given)):
        connection.execute(f"SET VARIABLE {name} = ?", [value])
    for statement in STEPS:
        connection.execute(statement)
    found = tuple(_difference(row, today) for row in connection.execute(EXCEPTIONS).fetchall())
    rows: dict[str, int] = {}
    sums: dict[str, int] = {}
    for side, count, yen in connection.execute(SIDES).fetchall():
        rows[side], sums[side] = count, yen
    matched = dict(connection.execute("SELECT seam, count(*) FROM matched GROUP BY seam ORDER BY seam").fetchall())
    left_over = tuple(
        f"{side} {ref} ended {count} times: an error of the program, not of the books"
        for side, ref, count in connection.execute(UNEXPLAINED).fetchall()
    )
    left_over += tuple(
        f"{side} states {yen} yen, its rows have {sums[side]}: an error of the program, not of the books"
        for side, yen in (stated or {}).items()
        if sums[side] != yen
    )
    return Outcome(month, rows, matched, found, sums, left_over)


def _difference(row: Sequence[Any], today: date) -> Difference:
    kind, left, right, yen = row[0], _side(row[1:6]), _side(row[6:11]), row[11]
    since = min(side.on for side in (left, right) if side is not None)
    return Difference(ExceptionType(kind), left, right, yen, max(0, (today - since).days))


def _side(row: Sequence[Any]) -> Side | None:
    where, ref, yen, on, more = row
    return None if ref is None else Side(where, ref, yen, on, more or "")
