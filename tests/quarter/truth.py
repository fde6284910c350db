"""What really happened at the three banks of a made-up company: every line, whose it is, and how each bank writes it.

A week of an account is a file. `Line` is the truth; what a file says may differ from it by a fault that was planted
(faults.py). Nothing here knows the product: files are written by the formats' own writers.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import accumulate
from typing import Final, NamedTuple

from tests.unit.billing.statements import writers
from tests.unit.billing.statements.writers import TABLES, Movement, Span

NAMES: Final = tuple(
    f"{family} {given}"
    for family in ("ﾔﾏﾀﾞ", "ｻﾄｳ", "ｽｽﾞｷ", "ﾀｶﾊｼ", "ﾀﾅｶ", "ｲﾄｳ", "ﾜﾀﾅﾍﾞ", "ﾅｶﾑﾗ", "ｺﾊﾞﾔｼ", "ｶﾄｳ")
    for given in ("ﾀﾛｳ", "ﾊﾅｺ", "ｹﾝｼﾞ", "ﾕｳｺ", "ｱｷﾗ", "ﾐﾎ", "ｼﾛｳ", "ﾚｲ")
)
PLAIN: Final = ("zengin", "camt", "mt940", "ofx")
"""Formats that tell what the account held before and after the file, and not after each line."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line as the bank has it. `kind`: what it is; `about`: the member, or the other line's id; `fault`: planted."""

    on: date
    yen: int
    name: str
    id: int
    kind: str
    about: str = ""
    fault: str = ""
    doubt: str | None = None  # why the product does not know it by itself; None: it does

    @property
    def movement(self) -> Movement:
        """As the writers take it."""
        return Movement(self.on, self.yen, self.name, self.id)


@dataclass
class Account:
    """An account of ours: its key, the formats that its bank gives, what it held, its lines so far."""

    key: str
    formats: tuple[str, ...]
    opening: int
    lines: list[Line] = field(default_factory=list)

    @property
    def held(self) -> int:
        """What it holds after all its lines."""
        return self.opening + sum(each.yen for each in self.lines)


class Week(NamedTuple):
    """Days of which a bank gives one file."""

    first_on: date
    last_on: date

    @property
    def after(self) -> date:
        """The day on which people have the file."""
        return self.last_on + timedelta(days=1)


class Row(NamedTuple):
    """A row of a bank's table as it is written: a movement and the balance beside it, perhaps spoilt as text."""

    movement: Movement
    balance: int
    spoilt: str = ""  # "", "cut", "amount"


@dataclass
class Paper:
    """One week of an account as a file: what is true, and what is written."""

    account: Account
    week: Week
    format: str
    opening: int
    truth: list[Line]
    rows: list[Row] = field(default_factory=list)
    left_out: set[int] = field(default_factory=set)  # ids that a file without balances lacks
    turned: set[int] = field(default_factory=set)  # ids whose direction it has wrong
    strange: dict[date, str] = field(default_factory=dict)  # days that have a fault, and which

    def __post_init__(self) -> None:
        balances = accumulate((each.yen for each in self.truth), initial=self.opening)
        next(balances)
        self.rows = [Row(each.movement, held) for each, held in zip(self.truth, balances, strict=True)]

    @property
    def span(self) -> Span:
        """Its days, its account, what that held before them."""
        return Span(self.opening, *self.week, self.account.key)

    @property
    def name(self) -> str:
        """A name for the file."""
        return f"{self.account.key}-{self.week.first_on}-{self.format}"

    def true_bytes(self, form: str = "") -> bytes:
        """The file as the bank ought to have given it, in its format or another."""
        return written(form or self.format, [each.movement for each in self.truth], self.span)

    def bytes(self) -> bytes:
        """The file as it was given."""
        if self.format in PLAIN:
            return without(self.format, self.true_bytes(), [each.id for each in self.truth], self.left_out, self.turned)
        return table(self.format, self.rows)


def written(form: str, movements: Sequence[Movement], span: Span) -> bytes:
    """Movements in a bank's format."""
    if form == "zengin":
        return writers.zengin(movements, span=span)
    if form == "camt":
        return writers.camt(movements, span=span)
    if form == "mt940":
        return writers.mt940(movements, span=span)
    if form == "ofx":
        return writers.ofx(movements, span=span)
    balances = list(accumulate((each.yen for each in movements), initial=span.opening))[1:]
    return table(form, [Row(each, held) for each, held in zip(movements, balances, strict=True)])


def table(form: str, rows: Sequence[Row]) -> bytes:
    """A bank's CSV with these rows."""
    return TABLES[form].of([_row(form, each) for each in rows])


def _row(form: str, row: Row) -> str:
    text = TABLES[form].row(row.movement, row.balance)
    if row.spoilt == "cut":
        cells = next(csv.reader([text]))[:-2]
        return ",".join(f'"{cell}"' for cell in cells)
    if row.spoilt == "amount":
        for amount in (f'"{abs(row.movement.yen):,}"', f"{row.movement.yen}"):
            if amount in text:
                return text.replace(amount, "#REF!", 1)
    return text


def without(form: str, raw: bytes, ids: Sequence[int], left_out: set[int], turned: set[int]) -> bytes:
    """A file of entries and sums that lacks some entries, or has them the wrong way; its sums stand as they were."""
    begin, end = {
        "zengin": (b"2", b"\r\n"),
        "camt": (b"<Ntry>", b"</Ntry>"),
        "mt940": (b":61:", b":61:"),
        "ofx": (b"<STMTTRN>", b"</STMTTRN>"),
    }[form]
    if form == "zengin":
        records = raw.split(end)
        for at, each in enumerate(ids, start=1):
            if each in turned:
                way = b"2" if records[at][21:22] == b"1" else b"1"
                records[at] = records[at][:21] + way + records[at][22:]
        kept = [one for at, one in enumerate(records) if not 0 < at <= len(ids) or ids[at - 1] not in left_out]
        return end.join(kept)
    if form == "mt940":
        lines = raw.split(b"\r\n")
        first = next((at for at, each in enumerate(lines) if each.startswith(begin)), 0)
        drop = {first + 2 * at + more for at, each in enumerate(ids) if each in left_out for more in (0, 1)}
        return b"\r\n".join(each for at, each in enumerate(lines) if at not in drop)
    head, *entries = raw.split(begin)
    kept = []
    for each, entry in zip(ids, entries, strict=True):
        own, tail = entry.split(end)
        kept.append((b"" if each in left_out else begin + own + end) + tail)
    return head + b"".join(kept)
