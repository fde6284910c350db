"""Lines of a statement held small, day by day: a file of a million lines is read within some hundred megabytes.

    append ──> the bucket of the line's day ──> every 128 lines one compressed piece
    iterate: in the order of the file           of_day(day): the lines of one day, in the order of the file

Always holds: what comes out equals what was put in. Pure; nothing leaves the process.
"""

from __future__ import annotations

import marshal
import zlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import Any, overload

from keizoku.billing.rules.bank.statement import Direction, LineState, StatementLine

__all__ = ["PackedLines", "PackedRows", "fields_of", "first_and_last_day", "line_of_fields", "packed", "shows_balances"]

_PIECE = 128
_OUT, _IN = Direction.OUT, Direction.IN
_STATES = {each.value: each for each in LineState}
_FIELDS = 15


class PackedRows:
    """Tuples of plain values (texts, whole numbers, None), kept compressed in the order in which they came."""

    __slots__ = ("_count", "_pieces", "_tail")

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._tail: list[tuple[Any, ...]] = []
        self._count = 0

    def append(self, row: tuple[Any, ...]) -> None:
        """Put one more at the end."""
        self._tail.append(row)
        self._count += 1
        if len(self._tail) == _PIECE:
            self._pieces.append(zlib.compress(marshal.dumps(self._tail), 1))
            self._tail = []

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        for piece in self._pieces:
            yield from marshal.loads(zlib.decompress(piece))  # noqa: S302  our own bytes
        yield from self._tail


def fields_of(line: StatementLine) -> tuple[Any, ...]:
    """A line as plain values, for `line_of_fields`."""
    value_on = line.value_on
    return (
        line.account, line.line, line.booked_on.toordinal(), line.direction is _IN, line.amount, line.currency,
        None if value_on is None else value_on.toordinal(), line.kind_text, line.payer, line.reference, line.bank_id,
        line.balance, line.state.value, line.digest, line.ignored,
    )  # fmt: skip


def line_of_fields(fields: Sequence[Any]) -> StatementLine:
    """The line that was made plain."""
    (account, number, day, came_in, amount, currency, value_day, kind, payer, reference, bank_id, balance, state,
     digest, ignored) = fields[:_FIELDS]  # fmt: skip
    return StatementLine(
        account, number, date.fromordinal(day), _IN if came_in else _OUT, amount, currency,
        None if value_day is None else date.fromordinal(value_day), kind, payer, reference, bank_id, balance,
        _STATES[state], digest, ignored,
    )  # fmt: skip


class PackedLines(Sequence[StatementLine]):
    """Lines of a statement in the order of its file."""

    __slots__ = ("_apart", "_backwards", "_count", "_days", "_ends", "_last_day", "accounts", "shows_balances")

    def __init__(self, lines: Iterable[StatementLine] = ()) -> None:
        self._days: dict[date, PackedRows] = {}
        self._ends: tuple[StatementLine, StatementLine] | None = None  # the first and the last that came
        self._last_day: date | None = None
        self._apart = False  # a day came again after another: its bucket alone does not keep the order
        self._backwards = False
        self._count = 0
        self.shows_balances = False
        self.accounts: set[str] = set()  # that the lines name
        for each in lines:
            self.append(each)

    def append(self, line: StatementLine) -> None:
        """Put one more at the end."""
        day = line.booked_on
        bucket = self._days.get(day)
        if bucket is None:
            bucket = self._days[day] = PackedRows()
        elif day != self._last_day:
            self._apart = True
        bucket.append((*fields_of(line), self._count))
        self._last_day = day
        self.accounts.add(line.account)
        self._count += 1
        self._ends = (line if self._ends is None else self._ends[0], line)
        self.shows_balances = self.shows_balances or line.balance is not None

    def backwards(self) -> PackedLines:
        """The same lines from the last to the first."""
        other = PackedLines()
        other._days, other._ends, other._apart, other._count = self._days, self._ends, self._apart, self._count
        other._last_day, other._backwards = self._last_day, not self._backwards
        other.shows_balances, other.accounts = self.shows_balances, self.accounts
        return other

    @property
    def days(self) -> list[date]:
        """The days of the lines, from the first on."""
        return sorted(self._days)

    def of_day(self, day: date) -> list[StatementLine]:
        """The lines of one day, in order."""
        found = [line_of_fields(each) for each in self._days.get(day, ())]
        return found[::-1] if self._backwards else found

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[StatementLine]:
        if self._apart:
            rows = [each for bucket in self._days.values() for each in bucket]
            rows.sort(key=lambda row: row[_FIELDS], reverse=self._backwards)
            yield from map(line_of_fields, rows)
            return
        for day in reversed(self._days) if self._backwards else self._days:
            yield from self.of_day(day)

    @overload
    def __getitem__(self, at: int) -> StatementLine: ...

    @overload
    def __getitem__(self, at: slice) -> list[StatementLine]: ...

    def __getitem__(self, at: int | slice) -> StatementLine | list[StatementLine]:
        if self._ends is not None and at in (0, -1):
            return self._ends[(at == -1) != self._backwards]
        return list(self)[at]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and len(other) == len(self) and all(
            one == another for one, another in zip(self, other, strict=True)
        )  # fmt: skip

    __hash__ = None  # type: ignore[assignment]


def packed(lines: Iterable[StatementLine]) -> PackedLines:
    """Lines held small."""
    return lines if isinstance(lines, PackedLines) else PackedLines(lines)


def first_and_last_day(lines: Sequence[StatementLine]) -> tuple[date, date] | None:
    """The days that lines span; None where there are none."""
    days = lines.days if isinstance(lines, PackedLines) else sorted({each.booked_on for each in lines})
    return (days[0], days[-1]) if days else None


def shows_balances(lines: Sequence[StatementLine]) -> bool:
    """Whether any line says what the account held after it."""
    if isinstance(lines, PackedLines):
        return lines.shows_balances
    return any(each.balance is not None for each in lines)
