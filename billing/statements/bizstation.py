"""MUFG's BizSTATION 全明細: records without names, as CSV.

    1,001,本店,1,0,普通,1234567,ｹｲｿﾞｸ,2026.11.1-2026.11.30,全明細,2026.11.30,09:15,,,     the account
    2,2026.11.5,振込,ﾔﾏﾀﾞ,0,500,1000500            day, kind, who, out, in, balance; oldest or newest first
    8                                              9,0,1,,0,500,1000000,1000500    counts, sums, opening, closing

Looked up 2026-11 in a public reader of these files. A count, a sum or a balance that does not fit is a finding.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Final

from keizoku.billing.rules.bank.packed_lines import PackedLines
from keizoku.billing.rules.bank.statement import Balance, Direction, Statement, StatementLine
from keizoku.billing.statements.lines import account_key, cut, line_of
from keizoku.billing.statements.table import in_order
from keizoku.billing.statements.values import BadValueError, amount_of, day_of, even
from keizoku.terms.decision import Finding

__all__ = ["NAME", "read_bizstation"]

NAME: Final = "mufg_bizstation_all"
_BANK: Final = "0005"
_WHOLE: Final = "the file is not whole: get it again"
_AGAIN: Final = "have the bank write the file again"
_KINDS: Final = {"普通": "1", "当座": "2"}
_WIDTHS: Final = {"1": 10, "2": 7, "8": 1, "9": 8}


def read_bizstation(source: str, rows: Iterable[tuple[int, Sequence[str]]]) -> tuple[list[Statement], list[Finding]]:
    """The statements of a file, one for each header, and what cannot be used in it."""
    findings: list[Finding] = []
    made: list[Statement] = []
    parts: _Account | None = None
    number = 0
    for number, row in rows:
        cells = [cell.strip() for cell in row]
        letter = cells[0] if cells else ""
        try:
            if letter not in _WIDTHS:
                raise BadValueError(",".join(cells)[:40], "a record begins with 1, 2, 8 or 9", _AGAIN)
            if len(cells) < _WIDTHS[letter]:
                raise BadValueError(f"{len(cells)} fields", f"such a record has {_WIDTHS[letter]} fields", _WHOLE)
            if letter == "1":
                parts = _Account(cells)
            elif parts is None:
                raise BadValueError("no header before it", "1 comes before 2, 8 and 9", _WHOLE)
            elif letter == "2":
                parts.take(number, cells)
            elif letter == "9":
                findings += [Finding(source, number, value, rule, _WHOLE) for value, rule in parts.contradicted(cells)]
                made.append(parts.statement(cells))
                parts = None
        except BadValueError as bad:
            if parts is not None:
                parts.broken = True
            findings.append(Finding(source, number, *bad.args))
    if parts is not None:
        findings.append(Finding(source, number, "no end record", "9 is the last record", _WHOLE))
        made.append(parts.statement(None))
    return made, findings


class _Account:
    """A statement while its records come by."""

    def __init__(self, header: Sequence[str]) -> None:
        kind = _KINDS.get(even(header[5]), even(header[5]))
        self.key = cut(account_key(_BANK, header[1], kind, header[6]))
        self.first_on, self.last_on = _period(header[8])
        self.lines = PackedLines()
        self.counts = {Direction.IN: 0, Direction.OUT: 0}
        self.sums = {Direction.IN: 0, Direction.OUT: 0}
        self.broken = False

    def take(self, number: int, cells: Sequence[str]) -> None:
        """One movement. Raises BadValueError."""
        paid, received = amount_of(cells[4] or "0"), amount_of(cells[5] or "0")
        if paid and received:
            raise BadValueError(f"{received} in, {paid} out", "a line is money in or money out", "correct the row")
        line: StatementLine | None = line_of(
            account=self.key,
            line=number,
            booked_on=day_of(cells[1]),
            amount=received - paid,
            raw="\x1f".join(cells),
            kind=cut(even(cells[2])),
            payer=cut(even(cells[3])),
            balance=amount_of(cells[6]),
        )
        if line is not None:
            self.lines.append(line)
            self.counts[line.direction] += 1
            self.sums[line.direction] += line.amount

    def contradicted(self, end: Sequence[str]) -> list[tuple[str, str]]:
        """What of the end record does not fit what was read; nothing where a movement could not be read."""
        if self.broken:
            return []
        found = []
        for way, at in ((Direction.OUT, 1), (Direction.IN, 2)):
            stated = (int(amount_of(end[at])), int(amount_of(end[at + 3])))
            if stated != (self.counts[way], self.sums[way]):
                value = f"{way}: {self.counts[way]} of {self.sums[way]} yen"
                found.append((value, f"the end record counts {stated[0]} of {stated[1]} yen"))
        moved = int(amount_of(end[6])) + self.sums[Direction.IN] - self.sums[Direction.OUT]
        if moved != amount_of(end[7]):
            found.append((f"the movements lead to {moved} yen", f"the closing balance is {end[7]} yen"))
        return found

    def statement(self, end: Sequence[str] | None) -> Statement:
        """The lines oldest first, with the balances before and after them."""
        lines = in_order(self.lines) if self.lines else self.lines
        if end is None:
            return Statement(self.key, lines)
        opening = Balance(self.first_on, int(amount_of(end[6]))) if self.first_on else None
        closing = Balance(self.last_on, int(amount_of(end[7]))) if self.last_on else None
        return Statement(self.key, lines, opening=opening, closing=closing)


def _period(written: str) -> tuple[date | None, date | None]:
    """2026.11.1-2026.11.30."""
    first, _, last = even(written).partition("-")
    return (day_of(first), day_of(last)) if last else (None, None)
