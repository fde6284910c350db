"""A bank's CSV under a preset: preambles and notes found and counted, rows read, an account where the file names it.

Banks write the account above the header and notes below the rows. What stands below and has neither a day nor an amount
in its place is a note; a row that has one of them and cannot be used is a finding. So a truncated row is never a note.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import Final

from keizoku.billing.rules.bank.packed_lines import PackedLines, packed, shows_balances
from keizoku.billing.rules.bank.statement import YEN, Balance, Direction, LineState, Statement, StatementLine
from keizoku.billing.statements.lines import account_key, cut, line_of
from keizoku.billing.statements.notes import is_note
from keizoku.billing.statements.presets import Places, Preset, folded_name, places_of, preset_of
from keizoku.billing.statements.values import (
    BadValueError,
    amount_of,
    day_first_of,
    day_of,
    direction_of,
    even,
    is_blank,
    month_day_of,
    zengin_day,
)
from keizoku.terms.decision import Finding
from keizoku.terms.inputs.input_files import BrokenRecord

__all__ = ["Table", "contradictions", "find_table", "in_order", "read_table"]

HEADER_WITHIN = 60
"""Records among which the header is looked for; banks write up to a dozen lines above it."""
_DAYS: Mapping[str, Callable[[str], date]] = {
    "iso": day_of,
    "zengin": zengin_day,
    "day_first": day_first_of,
    "month_first": month_day_of,
}
_KINDS = {"普通": "1", "当座": "2", "貯蓄": "4"}
_ACCOUNT_NAMES = ("口座番号", "お客さま口座番号", "お客様口座番号", "照会口座番号")
_BRANCH_NAMES = ("店番", "店番号", "支店番号", "支店コード", "店番号(3桁)", "支店名", "店名", "お取引店", "取引店")
_KIND_NAMES = ("科目", "預金種目", "預金種類", "口座種別", "預金科目")

Records = Iterator[tuple[int, Sequence[str] | BrokenRecord]]


@dataclass
class Table:
    """A header that a preset knows, what stood above it, and the records below it."""

    preset: Preset
    places: Places
    width: int
    above: list[Sequence[str]]
    below: Records
    notes: int = 0
    findings: list[Finding] = field(default_factory=list)


def find_table(records: Records, wanted: Preset | None = None) -> Table | list[Sequence[str]]:
    """The table in a file, under the preset wanted or the one that fits; else the records looked at."""
    above: list[Sequence[str]] = []
    for _, cells in records:
        if isinstance(cells, BrokenRecord):
            continue
        if wanted is None:
            found = preset_of(cells)
        else:
            places = places_of(wanted, cells)
            found = None if places is None else (wanted, places)
        if found:
            return Table(found[0], found[1], len(cells), above, records, sum(any(row) for row in above))
        above.append(cells)
        if len(above) >= HEADER_WITHIN:
            break
    return above


def read_table(source: str, table: Table, account: str = "") -> tuple[list[Statement], list[Finding]]:
    """The statements in a table, one per account and currency, lines oldest first; and what cannot be used in it."""
    findings = table.findings
    named = account or _account(table.above, table.preset.bank)
    lines: dict[tuple[str, str], PackedLines] = {}
    skipped = table.notes
    below: set[int] = set()
    for number, cells in table.below:
        if isinstance(cells, BrokenRecord):
            findings.append(Finding(source, number, cells.value, "rows are CSV", "close the quotes, one row per line"))
            continue
        row = _Row(table, cells)
        if row.is_note:
            skipped += any(cell.strip() for cell in cells)
            continue
        try:
            row.check()
            made = _line(row, number, named)
        except BadValueError as bad:
            findings.append(Finding(source, number, *bad.args))
            continue
        if made is None:
            skipped += 1
        else:
            lines.setdefault((made.account, made.currency), PackedLines()).append(made)
            if row.is_below_zero:
                below.add(number)
    statements = [_statement(source, key, of, below, findings) for key, of in lines.items()]
    if not statements:
        return [Statement(named, (), preset=table.preset.name, skipped=skipped)], findings
    first = statements[0]
    statements[0] = Statement(
        first.account, first.lines, first.currency, first.opening, first.closing, (), table.preset.name, skipped
    )
    return statements, findings


class _Row:
    """One record of a table, by our fields."""

    def __init__(self, table: Table, cells: Sequence[str]) -> None:
        self.table, self.cells = table, cells

    def all(self, field_name: str) -> list[str]:
        """The cells of a field, in the preset's order."""
        places = self.table.places.get(field_name, ())
        return [self.cells[at].strip() if at < len(self.cells) else "" for at in places]

    def one(self, field_name: str) -> str:
        """The cell of a field that has one column; empty where the file has none."""
        return (self.all(field_name) or [""])[0]

    def text(self, field_name: str) -> str:
        """The cells of a field as one text."""
        return cut(even(" ".join(each for each in self.all(field_name) if not is_blank(each))))

    @property
    def account(self) -> str:
        """The key of the account that the row names; empty where it names none."""
        cells = [even(each) for each in self.all("account")]
        if len(cells) != 4 or not all(cells):  # bank, branch, kind, number, as 全銀 files have them
            return self.text("account")
        return cut(account_key(*cells))

    @property
    def amounts(self) -> list[str]:
        """What stands in the columns of money."""
        return [each for name in ("in", "out", "amount") for each in self.all(name) if not is_blank(each)]

    @property
    def is_note(self) -> bool:
        """Whether it is empty, or a note of the bank: no day and no amount in their places."""
        record = self.one("record")
        return is_note(self.cells) or record in ("1", "8", "9")  # records of 全銀 beside a line of names

    def check(self) -> None:
        """Raises BadValueError for a row that is longer or shorter than the header."""
        extra = self.cells[self.table.width :]
        if len(self.cells) < self.table.width or any(cell.strip() for cell in extra):
            rule = f"the header has {self.table.width} columns, this row {len(self.cells)}"
            raise BadValueError(",".join(self.cells)[:80], rule, "quote values that hold the delimiter")

    @property
    def day(self) -> date:
        """Raises BadValueError."""
        written = self.all("day")
        if len(written) == 3:
            return day_of("-".join(each.removesuffix(unit) for each, unit in zip(written, "年月日", strict=True)))
        return _DAYS[self.table.preset.days](written[0])

    @property
    def value_on(self) -> date | None:
        """Raises BadValueError."""
        written = self.one("value")
        return None if is_blank(written) or not written.strip("0") else _DAYS[self.table.preset.days](written)

    @property
    def amount(self) -> Decimal:
        """Signed: above zero came in. Raises BadValueError."""
        if "amount" in self.table.places:
            written = self.one("amount")
            value = Decimal(0) if is_blank(written) else amount_of(written)
            return self._directed(value) if value else value
        received, paid = (
            Decimal(0) if is_blank(written) else amount_of(written) for written in (self.one("in"), self.one("out"))
        )
        if received and paid:
            raise BadValueError(f"{received} in, {paid} out", "a line is money in or money out", "correct the row")
        return received - paid

    @property
    def is_below_zero(self) -> bool:
        """Whether a column that says the way holds an amount below zero: taken back, or a sign that says it again."""
        if "amount" in self.table.places:
            return False
        return any(not is_blank(each) and amount_of(each) < 0 for each in (self.one("in"), self.one("out")))

    def _directed(self, value: Decimal) -> Decimal:
        written = self.one("direction")
        if not written:
            if "direction" in self.table.places and self.table.preset.name != "ours":
                raise BadValueError("no direction", "the column says whether it came in or went out", "correct the row")
            return value
        way = direction_of(written)
        if way is None or (way == "in" and value < 0):
            raise BadValueError(written, "whether it is money in or out cannot be told", "write 1 (in) or 2 (out)")
        return abs(value) if way == "in" else -abs(value)

    @property
    def state(self) -> LineState:
        """Not cleared yet (未資金化), taken back (取消), or in the account."""
        cancelled, uncleared = even(self.one("cancelled")), even(self.one("uncleared"))
        if cancelled == "1" or "取消" in cancelled:
            return LineState.CANCELLED
        return LineState.BOOKED if is_blank(uncleared) or uncleared == "0" else LineState.PENDING


def _line(row: _Row, number: int, account: str) -> StatementLine | None:
    amount = row.amount
    if not amount:
        return None
    written = row.one("balance")
    stated = row.account
    return line_of(
        account=stated or account,
        line=number,
        booked_on=row.day,
        amount=amount,
        raw="\x1f".join(row.cells),
        currency=(row.one("currency") or YEN).upper(),
        value_on=row.value_on,
        kind=row.text("kind"),
        payer=row.text("payer") or row.text("else_payer"),
        reference=row.text("reference"),
        bank_id=row.text("id"),
        balance=None if is_blank(written) else amount_of(written),
        state=row.state,
    )


def _account(above: Sequence[Sequence[str]], bank: str) -> str:
    """The key of the account that the lines above the header name: bank, branch, kind, number as far as they tell."""
    facts: dict[str, str] = {}
    previous: list[str] = []
    for row in above:
        cells = [even(cell) for cell in row]
        pairs = [tuple(re.split(r"\s*[::]\s*", cell, maxsplit=1)) for cell in cells if re.search(r"[::]", cell)]
        pairs += [(name, cells[at + 1]) for at, name in enumerate(cells[:-1])]
        pairs += list(zip(previous, cells, strict=False))  # names in one line, values in the next
        for pair in pairs:
            if len(pair) == 2 and pair[1]:
                facts.setdefault(folded_name(pair[0]), pair[1])
        previous = cells

    def first(names: Sequence[str]) -> str:
        return next((facts[folded_name(name)] for name in names if folded_name(name) in facts), "")

    number = re.sub(r"[^0-9-]", "", first(_ACCOUNT_NAMES))
    if not number:
        return bank
    kind = first(_KIND_NAMES)
    kind_code = next((code for word, code in _KINDS.items() if word in kind), "")
    return cut("-".join(each for each in (bank, first(_BRANCH_NAMES), kind_code, number) if each))


def _statement(
    source: str, key: tuple[str, str], read: PackedLines, below: Collection[int], findings: list[Finding]
) -> Statement:
    """Lines oldest first, with the balances before and after them where the bank writes balances.

    `below`: rows with an amount below zero in a column of one way.
    """
    lines = in_order(read)
    if any(each.line in below for each in lines):
        lines = _told_by_balances(source, lines, below, findings)
        if not lines:
            return Statement(key[0], lines, key[1])
    wrong = contradictions(source, lines, "row")
    if wrong and len(wrong) * 2 <= _follows(lines):  # else it writes a day's lines in another order
        findings += wrong
        left_out = {finding.line for finding in wrong}
        lines = packed(each for each in lines if each.line not in left_out) or lines
    opening = closing = None
    first, last = lines[0], lines[-1]
    if first.balance is not None and last.balance is not None:
        opening = Balance(first.booked_on, first.balance - first.signed)
        closing = Balance(last.booked_on, last.balance)
    return Statement(key[0], lines, key[1], opening, closing)


def in_order(read: PackedLines) -> PackedLines:
    """Lines oldest first: banks write them either way, and the balances tell which."""
    days = (read[0].booked_on, read[-1].booked_on)
    turned = days[0] > days[1]
    if days[0] == days[1] and shows_balances(read):
        turned = _follows(read.backwards()) > _follows(read)
    return read.backwards() if turned else read


def contradictions(source: str, lines: PackedLines, said_by: str) -> list[Finding]:
    """Lines whose balance moved the other way than the `said_by` (the mapping, the row itself) says: out is not in."""
    found: list[Finding] = []
    if not shows_balances(lines):
        return found
    for before, after in pairwise(lines):
        if before.balance is None or after.balance is None:
            continue
        if before.balance - after.signed == after.balance:
            way = "falls" if after.direction is Direction.IN else "rises"
            rule = f"the balance {way} by {after.amount:,} where the {said_by} says money {after.direction}"
            found.append(Finding(source, after.line, str(after.amount), rule, "name the right column for each way"))
    return found


_BACK: Final = {Direction.IN: Direction.OUT, Direction.OUT: Direction.IN}


def _told_by_balances(source: str, lines: PackedLines, below: Collection[int], findings: list[Finding]) -> PackedLines:
    """What is below zero in a column of one way went the other way (it is taken back), or the sign says the way again.

    The balances tell which; where they do not, such rows are findings: money out is never taken for money in.
    """
    again = packed(replace(each, direction=_BACK[each.direction]) if each.line in below else each for each in lines)
    ordered = in_order(again)
    back, said_again = _follows(lines), _follows(ordered)
    if back != said_again:
        return lines if back > said_again else ordered
    rule = "an amount below zero in a column of money in or out, and no balance tells which way it went"
    remedy = "correct the row, or name the columns"
    findings += [Finding(source, each.line, f"-{each.amount}", rule, remedy) for each in lines if each.line in below]
    return packed(each for each in lines if each.line not in below)


def _follows(lines: Iterable[StatementLine]) -> int:
    """How many lines leave the balance that the one before it and their amount say."""
    return sum(
        None not in (before.balance, after.balance) and before.balance + after.signed == after.balance  # type: ignore[operator]
        for before, after in pairwise(lines)
    )
