"""全銀 files of 200 bytes a record: 入出金取引明細 (種別 03) and 振込入金通知 (種別 01).

    1 header: the account      2 data: one movement      8 trailer: counts and sums      9 end

JIS or cp932 with half-width kana, with or without line ends; the same fields as CSV without names. Days are YYMMDD in
令和. Layouts: 全銀協 規定形式, as banks' manuals print it (looked up 2026-11). A record of another length, a count or a
sum that does not fit, or a broken order of records is a finding with its record's number; the good records go on.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from keizoku.billing.rules.bank.packed_lines import PackedLines, first_and_last_day
from keizoku.billing.rules.bank.statement import Balance, LineState, Statement, StatementLine
from keizoku.billing.statements.lines import account_key, line_of
from keizoku.billing.statements.values import BadValueError, zengin_day
from keizoku.terms.decision import Finding

__all__ = ["RECORD", "read_zengin", "read_zengin_csv"]

RECORD = 200
_AGAIN = "have the bank write the file again"
_WHOLE = "the file is not whole: get it again"

Fields = tuple[tuple[str, int], ...]

_HEAD: Fields = (
    ("record", 1), ("kind", 2), ("code", 1), ("made_on", 6), ("from_on", 6), ("to_on", 6), ("bank", 4),
    ("bank_name", 15), ("branch", 3), ("branch_name", 15),
)  # fmt: skip
LAYOUTS: Mapping[str, Mapping[str, Fields]] = {
    "03": {
        "1": (
            *_HEAD, ("_", 3), ("type", 1), ("account", 10), ("holder", 40), ("overdrawn", 1), ("book", 1),
            ("opening", 14),
        ),
        "2": (
            ("record", 1), ("id", 8), ("booked_on", 6), ("value_on", 6), ("direction", 1), ("class", 2), ("amount", 12),
            ("other_bills", 12), ("shown_on", 6), ("returned_on", 6), ("bill", 1), ("bill_no", 7), ("sister", 3),
            ("payer_code", 10), ("payer", 48), ("from_bank", 15), ("from_branch", 15), ("memo", 20), ("edi", 20),
        ),
        "8": (
            ("record", 1), ("in_count", 6), ("in_sum", 13), ("out_count", 6), ("out_sum", 13), ("overdrawn", 1),
            ("closing", 14), ("count", 7),
        ),
        "9": (("record", 1), ("count", 10), ("accounts", 5)),
    },
    "01": {
        "1": (*_HEAD, ("type", 1), ("account", 7), ("holder", 40)),
        "2": (
            ("record", 1), ("id", 6), ("booked_on", 6), ("value_on", 6), ("amount", 10), ("other_bills", 10),
            ("payer_code", 10), ("payer", 48), ("from_bank", 15), ("from_branch", 15), ("cancelled", 1), ("edi", 20),
        ),
        "8": (("record", 1), ("in_count", 6), ("in_sum", 12), ("out_count", 6), ("out_sum", 12)),
        "9": (("record", 1),),
    },
}  # fmt: skip
_CLASSES = {
    "10": "現金", "11": "振込", "12": "他店券入金", "13": "交換", "14": "振替", "18": "その他", "19": "訂正",
}  # fmt: skip
_BETWEEN_ENDS = re.compile(rb"[^\r\n]+")
_MAY_LACK = frozenset(("memo", "edi", "overdrawn", "book", "opening"))
Record = tuple[int, Mapping[str, str]]


def read_zengin(source: str, raw: bytes) -> tuple[list[Statement], list[Finding]]:
    """The statements of a file of fixed records, and what cannot be used in it."""
    findings: list[Finding] = []
    return _statements(source, _cut(source, raw, findings), findings), findings


def read_zengin_csv(source: str, rows: Iterable[tuple[int, Sequence[str]]]) -> tuple[list[Statement], list[Finding]]:
    """The same records as CSV without names, in the same order of fields; unused fields at their ends may lack."""
    findings: list[Finding] = []
    return _statements(source, _columns(source, rows, findings), findings), findings


def _cut(source: str, raw: bytes, findings: list[Finding]) -> Iterator[Record]:
    """The fields of every record of 200 bytes; a record of another length is a finding."""
    kind = ""
    for number, record in enumerate(_records(raw), start=1):
        letter = chr(record[0])
        if letter == "1":
            kind = record[1:3].decode("ascii", "replace")
        fields = LAYOUTS.get(kind, {}).get(letter)
        if fields is None:
            rule = "a record begins with 1 (and its kind, 01 or 03), 2, 8 or 9"
            findings.append(Finding(source, number, repr(record[:4].decode("cp932", "replace")), rule, _AGAIN))
            continue
        used = sum(width for _, width in fields)
        if len(record) > RECORD or len(record) < used:
            rule = f"a record has {RECORD} bytes"
            findings.append(Finding(source, number, f"{len(record)} bytes", rule, _WHOLE))
            continue
        values, at = {}, 0
        try:
            for name, width in fields:
                values[name] = record[at : at + width].decode("cp932").strip()
                at += width
        except UnicodeDecodeError:
            findings.append(Finding(source, number, "its letters", "a field is JIS or cp932, cut at its bytes", _AGAIN))
            continue
        yield number, values


def _records(raw: bytes) -> Iterator[bytes]:
    raw = raw.rstrip(b"\x1a\r\n")  # some banks end a file as DOS did
    if b"\n" in raw or b"\r" in raw:
        yield from (found[0] for found in _BETWEEN_ENDS.finditer(raw))
    else:
        yield from (raw[at : at + RECORD] for at in range(0, len(raw), RECORD))


def _columns(source: str, rows: Iterable[tuple[int, Sequence[str]]], findings: list[Finding]) -> Iterator[Record]:
    kind = ""
    for line, row in rows:
        cells = [cell.strip() for cell in row]
        if cells[0] == "1" and len(cells) > 1:
            kind = cells[1].zfill(2)
        fields = LAYOUTS.get(kind, {}).get(cells[0])
        if fields is None:
            rule = "a record begins with 1 (and its kind, 01 or 03), 2, 8 or 9"
            findings.append(Finding(source, line, ",".join(cells)[:40], rule, _AGAIN))
            continue
        names = [name for name, _ in fields]
        if cells[0] == "1" and "_" in names and not (len(cells) > 11 and cells[11] in ("1", "2", "4", "9")):
            names.remove("_")  # the unused field before the account's type is left out by some banks
        if len(cells) < len(names) and cells[0] in ("1", "2"):
            needed = [
                name for name in names[len(cells) :] if name not in ("memo", "edi", "overdrawn", "book", "opening")
            ]
            if needed:
                rule = f"such a record has {len(names)} fields"
                findings.append(Finding(source, line, f"{len(cells)} fields", rule, _WHOLE))
                continue
        yield line, dict.fromkeys(names, "") | dict(zip(names, cells, strict=False))


@dataclass
class _Account:
    """A statement while its records come by."""

    kind: str
    key: str
    from_on: date | None
    to_on: date | None
    opening: int | None
    lines: PackedLines = field(default_factory=PackedLines)
    in_count: int = 0
    in_sum: int = 0
    out_count: int = 0  # paid out; in a notice of money received: cancelled
    out_sum: int = 0
    seen: int = 0
    broken: bool = False

    def add(self, line: StatementLine) -> None:
        """One more line, and the sums with it."""
        self.lines.append(line)
        if line.state is LineState.CANCELLED if self.kind == "01" else line.signed < 0:
            self.out_count += 1
            self.out_sum += line.amount
        else:
            self.in_count += 1
            self.in_sum += line.amount


@dataclass
class _Reading:
    """A file while its records come by."""

    source: str
    findings: list[Finding]
    made: list[Statement] = field(default_factory=list)
    account: _Account | None = None
    total: int = 0
    last: int = 0
    ended: bool = False

    def find(self, value: str, rule: str, remedy: str = _WHOLE) -> None:
        """A finding at the record that is read."""
        self.findings.append(Finding(self.source, self.last, value, rule, remedy))

    def take(self, values: Mapping[str, str]) -> None:
        """One record. Raises BadValueError."""
        letter, account = values["record"], self.account
        if letter == "1":
            if account is not None:
                self.find("a header", "8 comes before the next header")
                self.made.append(_end(account, None))
            self.account = None
            self.account = _begin(values)
        elif letter == "9":
            self.ended = True
            stated = values.get("count", "")
            if stated.isdigit() and int(stated) != self.total and not self.findings:
                self.find(f"{self.total} records", f"the end record counts {int(stated)}")
        elif account is None:
            self.find("no header before it", "1 comes before 2 and 8")
        elif letter == "2":
            account.seen += 1
            try:
                made = _line(account, self.last, values)
            except BadValueError:
                account.broken = True
                raise
            if made is not None:
                account.add(made)
        else:
            self.made.append(_end(account, self._closing(account, values)))
            self.account = None

    def end(self) -> list[Statement]:
        """What was made; a file that stops in the middle is a finding."""
        if self.account is not None:
            self.find("no trailer", "8 comes after the last movement")
            self.made.append(_end(self.account, None))
        if not self.ended and self.made:
            self.find("no end record", "9 is the last record")
        return self.made

    def _closing(self, account: _Account, values: Mapping[str, str]) -> int | None:
        """Hold what was read against the trailer; the closing balance that it states."""
        notice = account.kind == "01"
        sums = ((account.in_count, account.in_sum), (account.out_count, account.out_sum))
        for name, word, found in zip(("in", "out"), ("in", "cancelled" if notice else "out"), sums, strict=True):
            stated = (_number(values[f"{name}_count"], "count"), _number(values[f"{name}_sum"], "sum"))
            if stated != found:
                rule = f"the trailer counts {stated[0]} of {stated[1]} yen"
                self.find(f"{word}: {found[0]} of {found[1]} yen", rule)
        stated_count = values.get("count", "")
        if stated_count and _number(stated_count, "count") not in (account.seen, account.seen + 2):
            self.find(f"{account.seen} data records", f"the trailer counts {int(stated_count)}")
        if not values.get("closing"):
            return None
        closing = _number(values["closing"], "balance") * (-1 if values.get("overdrawn") == "2" else 1)
        if account.opening is not None and not account.broken:
            moved = account.opening + account.in_sum - account.out_sum
            if moved != closing:
                self.find(
                    f"{account.opening} and the movements are {moved} yen", f"the closing balance is {closing} yen"
                )
        return closing


def _statements(source: str, records: Iterable[Record], findings: list[Finding]) -> list[Statement]:
    reading = _Reading(source, findings)
    for number, values in records:
        reading.total += 1
        reading.last = number
        if reading.ended:
            reading.find("a record after the end", "9 is the last record", _AGAIN)
            break
        try:
            reading.take(values)
        except BadValueError as bad:
            reading.find(*bad.args)
    return reading.end()


def _begin(values: Mapping[str, str]) -> _Account:
    if values["code"] == "1":
        raise BadValueError("code 1 (EBCDIC)", "the file is in JIS (code 0)", "have the bank write it in JIS")
    opening = _number(values["opening"], "balance") if values.get("opening") else None
    if opening is not None and values.get("overdrawn") == "2":
        opening = -opening
    key = account_key(values["bank"], values["branch"], values["type"], values["account"])
    return _Account(
        values["kind"].zfill(2), key, _day_or_none(values["from_on"]), _day_or_none(values["to_on"]), opening
    )


def _number(written: str, what: str) -> int:
    digits = written.strip()
    if not digits.isascii() or not digits.isdigit():
        raise BadValueError(written or "nothing", f"a {what} is digits", _AGAIN)
    return int(digits)


def _day_or_none(written: str) -> date | None:
    return None if not written.strip("0 ") else zengin_day(written)


def _line(account: _Account, number: int, values: Mapping[str, str]) -> StatementLine | None:
    amount, state = _number(values["amount"], "amount"), LineState.BOOKED
    if account.kind == "01":
        state = LineState.CANCELLED if values["cancelled"] == "1" else LineState.BOOKED
    elif values["direction"] not in ("1", "2"):
        raise BadValueError(values["direction"] or "no 入払区分", "it is 1 (in) or 2 (out)", _AGAIN)
    elif values["direction"] == "2":
        amount = -amount
    code, memo, payer_code = values.get("class", ""), values.get("memo", ""), values["payer_code"]
    stated = (values["edi"], payer_code if payer_code.strip("0") else "", memo if values["payer"] else "")
    return line_of(
        account=account.key,
        line=number,
        booked_on=zengin_day(values["booked_on"]),
        amount=Decimal(amount),
        raw="\x1f".join(values.values()),
        value_on=_day_or_none(values["value_on"]),
        kind=_CLASSES.get(code, code) or ("振込" if account.kind == "01" else ""),
        payer=values["payer"] or memo,
        reference=" ".join(each for each in stated if each),
        bank_id=values["id"] if values["id"].strip("0") else "",
        state=state,
    )


def _end(account: _Account, closing: int | None) -> Statement:
    """The statement; where the file does not state its days, those of its lines."""
    days = first_and_last_day(account.lines) or (None, None)
    first_on, last_on = account.from_on or days[0], account.to_on or days[1]
    return Statement(
        account.key,
        account.lines,
        opening=Balance(first_on, account.opening) if account.opening is not None and first_on else None,
        closing=Balance(last_on, closing) if closing is not None and last_on else None,
    )
