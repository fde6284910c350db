"""A bank's statement as every reader hands it on, whatever the file: accounts, balances, lines in and out.

    file ──reader (CSV under a mapping, 全銀, camt.053, …)──> Statement ──> the book of bank lines

Always holds: an amount is above zero and says its direction; money is whole minor units of its currency (yen have none,
so JPY are yen; 5.00 USD are 500). A reader passes nothing over: what it cannot use is a Finding, what is not yet or no
longer money (pending, cancelled) is a line that says so. Days are JST. Pure values; ValueError for programmer errors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from hashlib import sha256

from keizoku.terms.decision import Finding

YEN = "JPY"


class Direction(StrEnum):
    """Which way the money went, seen from our account."""

    IN = "in"
    OUT = "out"


class LineState(StrEnum):
    """Whether the money of a line is there."""

    BOOKED = "booked"
    PENDING = "pending"  # announced, or not yet cleared (未資金化)
    CANCELLED = "cancelled"  # taken back by the bank (取消)


@dataclass(frozen=True, slots=True)
class StatementLine:
    """One line of a statement.

    `account` is the bank account's key ("0005-001-1-1234567": bank, branch, kind, number), "" where the file does not
    tell. `bank_id` is the bank's own id of the line, as far as it has one. `balance` is the account's balance after
    the line, below zero for an overdraft. `digest` is `digest_of` of the line as it stands in the file.
    """

    account: str
    line: int  # of the file, from 1
    booked_on: date
    direction: Direction
    amount: int  # minor units of the currency, above zero
    currency: str = YEN  # ISO 4217
    value_on: date | None = None
    kind_text: str = ""  # what the bank calls it: 振込, 手数料, 利息
    payer: str = ""  # who sent it or got it
    reference: str = ""
    bank_id: str = ""
    balance: int | None = None
    state: LineState = LineState.BOOKED
    digest: str = ""
    ignored: bool = False  # the mapping says that it is no payment of a member

    def __post_init__(self) -> None:
        if self.amount <= 0:
            raise ValueError(f"an amount is above zero and says its direction: {self}")

    @property
    def signed(self) -> int:
        """The amount as it moves the balance: below zero when it leaves."""
        return self.amount if self.direction is Direction.IN else -self.amount


@dataclass(frozen=True, slots=True)
class Balance:
    """What an account held at a day's end, in minor units; an opening balance: before the day's first line."""

    on: date
    amount: int


@dataclass(frozen=True, slots=True)
class Statement:
    """One account in a file. A file with several accounts is several statements.

    `preset` is the name of the layout by which it was read ("zengin-fixed", "mufg", …), "mapping" for a mapping of
    people's, "" for our own columns. `skipped` counts rows that hold no line at all (notes, totals, empty amounts).
    """

    account: str
    lines: Sequence[StatementLine]
    currency: str = YEN
    opening: Balance | None = None
    closing: Balance | None = None
    findings: tuple[Finding, ...] = ()
    preset: str = ""
    skipped: int = 0


@dataclass(frozen=True, slots=True)
class StatementFile:
    """A file read: its statements, what is wrong with it as a whole, and what it is told apart by.

    `digest` is SHA-256 over the bytes **and** the mapping or preset: another mapping makes it another file.
    `sha256` is that of the bytes alone.
    """

    source: str
    sha256: str
    digest: str
    statements: tuple[Statement, ...]
    findings: tuple[Finding, ...] = field(default=())
    unlisted: int = 0  # rows that cannot be used beside those of `findings`

    @property
    def all_findings(self) -> tuple[Finding, ...]:
        """Those of the file and of its statements, by line."""
        every = [*self.findings, *(each for statement in self.statements for each in statement.findings)]
        return tuple(sorted(every, key=lambda finding: finding.line or 0))


def digest_of(raw: str | bytes | Sequence[str]) -> str:
    """What tells one raw line of a file from another: 32 hex digits of its text, bytes or fields."""
    if isinstance(raw, str):
        raw = raw.encode()
    elif not isinstance(raw, bytes):
        raw = "\x1f".join(raw).encode()
    return sha256(raw).hexdigest()[:32]


def file_digest(sha256_of_bytes: str, layout: str) -> str:
    """The digest of a file under a layout, which is any text that is the same for the same mapping."""
    return sha256(f"{sha256_of_bytes}\x1f{layout}".encode()).hexdigest()
