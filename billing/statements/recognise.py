"""Which format a file of a bank has, by its content, and its statements: the one entrance of this room.

    read_statements("meisai.csv", raw)                    recognised; Statement.preset says as what
    read_statements("meisai.csv", raw, preset="mufg")     as people say; a file that is not so is a finding

Hostile files end in findings: an unknown or wrong format, letters that are none, a file that stops in the middle.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from hashlib import sha256
from typing import NamedTuple

from keizoku.billing.rules.bank.packed_lines import first_and_last_day, packed
from keizoku.billing.rules.bank.statement import LineState, Statement, StatementFile, file_digest
from keizoku.billing.statements import bizstation
from keizoku.billing.statements.camt import ROOTS, read_camt
from keizoku.billing.statements.mt940 import read_mt940
from keizoku.billing.statements.ofx import read_ofx
from keizoku.billing.statements.presets import formats, presets
from keizoku.billing.statements.table import Table, find_table, read_table
from keizoku.billing.statements.zengin import RECORD, read_zengin, read_zengin_csv
from keizoku.terms.decision import Finding
from keizoku.terms.inputs.input_files import BrokenRecord, csv_records, lines_before

__all__ = ["Recognised", "decoded", "format_of", "read_statements", "recognised"]

_SNIFFED = 65_536
_ZENGIN = re.compile(rb"1(?:01|03)[01]\d{6}")
_ZENGIN_CSV = re.compile(r'^"?1"?\s*,\s*"?0?[13]"?\s*,\s*"?[01]"?\s*,')
_BIZSTATION = re.compile(rb'"?1"?,"?\d{3}"?,[^\r\n]*')
_ALL_DETAILS = tuple("全明細".encode(each) for each in ("utf-8", "cp932"))
_OFX = re.compile(rb"<OFX>", re.IGNORECASE)
_MT940 = re.compile(rb"(?:^|[\r\n}])\s*(?:\{4:\s*)?:20:[^\r\n]*[\r\n]")

Read = tuple[list[Statement], list[Finding]]


def read_statements(
    source: str, raw: bytes, *, preset: str = "", today: date | None = None, account: str = ""
) -> StatementFile:
    """The statements in a bank's file. `preset` forces a format by its name; ValueError for one that is not there.

    `today`: a booked line of a later day is a finding. `account`: the key of the account where the file names none.
    """
    if preset and preset not in {each.name for each in formats()}:
        raise ValueError(f"no format {preset!r}; there are {', '.join(each.name for each in formats())}")
    name = preset or format_of(raw)
    if name == "zengin":
        statements, findings = read_zengin(source, _in_cp932(_without_utf_16(raw)))
    elif name == "camt":
        statements, findings = read_camt(source, _without_utf_16(raw))
    else:
        statements, findings, name = _of_text(source, raw, name, bool(preset), account)
    if not statements and not findings:
        rule = "the file has a statement of an account"
        findings.append(Finding(source, None, f"no statement ({name})", rule, "have the bank write the file again"))
    made = [_finished(source, each, name, account, today, findings) for each in statements]
    digest = sha256(raw).hexdigest()
    layout = f"{name}\x1f{account}"
    return StatementFile(source, digest, file_digest(digest, layout), tuple(made), tuple(findings))


class Recognised(NamedTuple):
    """What a file is: the name of its format, and the bank whose own columns it has; each empty where it has none."""

    name: str
    bank: str


def recognised(raw: bytes, preset: str = "") -> Recognised:
    """What a file is by its content, or as what it is to be read."""
    name = preset or format_of(raw)
    if not name:
        text = decoded(raw)
        table = _table("", text, "")[0] if text else None
        name = table.preset.name if table else ""
    return Recognised(name, presets()[name].bank if name in presets() else "")


def format_of(raw: bytes) -> str:
    """The name of the format that a file begins like; empty for what may be a table."""
    head = _without_utf_16(raw[:_SNIFFED]).removeprefix(b"\xef\xbb\xbf").lstrip()
    if _ZENGIN.match(head):
        return "zengin"
    if (first := _BIZSTATION.match(head)) and any(word in first[0] for word in _ALL_DETAILS):
        return bizstation.NAME
    if _OFX.search(head):
        return "ofx"
    if head.startswith(b"<") and (any(root.encode() in head for root in ROOTS) or b"iso:20022" in head):
        return "camt"
    if head.startswith((b"<?xml", b"<!DOCTYPE", b"<!doctype", b"<Document")):
        return "camt"  # what is no camt, or declares entities, is told so by its reader
    if _MT940.search(head):
        return "mt940"
    return "zengin_records" if _ZENGIN_CSV.match(head[:200].decode("ascii", "replace")) else ""


def decoded(raw: bytes) -> str | None:
    """A file as text: UTF-8, UTF-16 with its mark, or cp932; None if it is none of them."""
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        encodings: tuple[str, ...] = ("utf-16",)
    elif b"\0" in raw:
        return None
    else:
        encodings = ("utf-8-sig", "cp932")
    for encoding in encodings:
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return None


def _without_utf_16(raw: bytes) -> bytes:
    """The same in UTF-8, where it begins with the mark of UTF-16."""
    if not raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return raw
    return raw.decode("utf-16", "replace").encode()


def _in_cp932(raw: bytes) -> bytes:
    """Records by their bytes, also where somebody saved the file as UTF-8: then no record has its length."""
    raw = raw.removeprefix(b"\xef\xbb\xbf")
    first = re.split(rb"[\r\n]", raw, maxsplit=1)[0]
    if len(first) % RECORD == 0 and raw[:200].isascii() is False:
        return raw
    try:
        return raw.decode("utf-8").encode("cp932")
    except UnicodeError:
        return raw


def _of_text(
    source: str, raw: bytes, name: str, forced: bool, account: str
) -> tuple[list[Statement], list[Finding], str]:
    text = decoded(raw)
    if text is None:
        line = _first_bad_line(raw)
        rule = "a file is UTF-8 or cp932, all of it"
        return [], [Finding(source, line, "its letters", rule, "have the bank write it again; do not edit it")], name
    if name == "mt940":
        return (*read_mt940(source, text), name)
    if name == "ofx":
        return (*read_ofx(source, text), name)
    if name in ("zengin_records", bizstation.NAME):
        rows = (
            (line, cells) for line, cells in csv_records(text) if not isinstance(cells, BrokenRecord) and any(cells)
        )
        read = read_zengin_csv if name == "zengin_records" else bizstation.read_bizstation
        return (*read(source, rows), name)
    table, findings = _table(source, text, name if forced else "")
    if table is None:
        return [], findings, name
    return (*read_table(source, table, account), table.preset.name)


def _table(source: str, text: str, wanted: str) -> tuple[Table | None, list[Finding]]:
    seen: list[Sequence[str]] = []
    for delimiter in _delimiters(text):
        found = find_table(csv_records(text, delimiter), presets()[wanted] if wanted else None)
        if isinstance(found, Table):
            return found, []
        seen = seen or found
    if not any(any(cell.strip() for cell in row) for row in seen):
        return None, [Finding(source, None, "no header", "the file is empty", "export it again")]
    widest = max(seen, key=len)
    value = ",".join(cell.strip() for cell in widest)[:120]
    if wanted:
        rule = f"no line of the file has the columns of {wanted}"
        return None, [Finding(source, None, value, rule, "leave out --preset, or see `keizoku bank formats`")]
    rule = "the file has no header that a preset knows"
    remedy = "name its columns in a mapping (--mapping), or see `keizoku bank formats`"
    return None, [Finding(source, None, value, rule, remedy)]


def _delimiters(text: str) -> Iterator[str]:
    head = text[:_SNIFFED]
    yield from sorted(",\t;", key=lambda each: -head.count(each))


def _first_bad_line(raw: bytes) -> int | None:
    """The line at which neither UTF-8 nor cp932 goes on."""
    at = 0
    for encoding in ("utf-8", "cp932"):
        try:
            raw.decode(encoding)
        except UnicodeDecodeError as error:
            at = max(at, error.start)
    return lines_before(raw, at) + 1 if at else None


def _finished(
    source: str, statement: Statement, name: str, account: str, today: date | None, findings: list[Finding]
) -> Statement:
    """With its preset and account; lines of days to come are findings, or not yet lines at all."""
    lines = statement.lines
    if account and not statement.account:
        lines = packed(replace(each, account=account) for each in lines)
    skipped = statement.skipped
    days = first_and_last_day(lines)
    if today is not None and days is not None and days[1] > today:
        for each in lines:
            if each.booked_on > today and each.state is LineState.BOOKED:
                value, rule = each.booked_on.isoformat(), "it lies ahead"
                findings.append(Finding(source, each.line, value, rule, "import it when it has arrived"))
            elif each.booked_on > today:
                skipped += 1
        lines = packed(each for each in lines if each.booked_on <= today)
    own = statement.account or account
    return replace(statement, account=own, lines=lines, preset=statement.preset or name, skipped=skipped)
