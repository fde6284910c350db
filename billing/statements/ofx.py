"""OFX and QFX, 1.x (SGML) and 2.x (XML): the tree by `ofxtools`, days and amounts by us.

The strict models of the library do not take the letters and time zones that Japanese banks' files name. A line's day is
the bank's: a time with a zone is turned to Japan's day, one without stands as it is written.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta, timezone
from typing import Any

from keizoku.billing.rules.bank.packed_lines import PackedLines
from keizoku.billing.rules.bank.statement import YEN, Balance, Statement, StatementLine
from keizoku.billing.statements.lines import cut, line_of, minor_units
from keizoku.billing.statements.values import BadValueError, amount_of, even
from keizoku.extras import naming_the_extra
from keizoku.terms.calendar import jst_day
from keizoku.terms.decision import Finding

__all__ = ["read_ofx"]

_AGAIN = "have the bank write the file again"
_BEGINS = re.compile("<OFX>", re.IGNORECASE)
_ENTITY = re.compile("<!ENTITY", re.IGNORECASE)
_PIECE = re.compile("<STMTTRN>.*?</STMTTRN>", re.DOTALL)
_DAY = re.compile(r"(\d{4})(\d\d)(\d\d)(?:(\d\d)(\d\d)(\d\d)?(?:\.\d+)?)?(?:\[([+-]?\d{1,2}(?:\.\d+)?)(?::[^\]]*)?\])?")


def read_ofx(source: str, text: str) -> tuple[list[Statement], list[Finding]]:
    """The statements of an OFX file, bank and credit card, and what cannot be used in it."""
    with naming_the_extra():
        from ofxtools.Parser import ParseError, TreeBuilder
    if "<!DOCTYPE" in text[:4096].upper() or _ENTITY.search(text):
        rule = "a bank's file declares no entities and no DTD"
        return [], [Finding(source, None, "a DTD or an entity", rule, "do not use this file; ask the bank")]
    begins = _BEGINS.search(text)
    if begins is None:
        return [], [Finding(source, None, "no OFX", "the file has an element <OFX>", _AGAIN)]

    def tree(part: str) -> Any:
        builder = TreeBuilder()
        builder.feed(part)
        return builder.close()

    findings: list[Finding] = []
    try:
        frame, lists = _apart(text, begins.start())
        rooms = _rooms(tree(frame))
        if len(rooms) != len(lists):  # not as banks write it: all at once, then
            rooms, lists = _rooms(tree(text[begins.start() :])), []
        made = [
            _statement(source, each, map(tree, _pieces(text, *lists[at])) if lists else each.iter("STMTTRN"), findings)
            for at, each in enumerate(rooms)
        ]
    except (ParseError, ValueError, AssertionError, IndexError, TypeError) as error:
        why = f"{error}".partition("\n")[0][:120] or "an element is not closed"
        return [], [Finding(source, None, "no OFX", why, _AGAIN)]
    if not made:
        findings.append(Finding(source, None, "no STMTRS", "the file has a statement of an account", _AGAIN))
    return made, findings


def _rooms(root: Any) -> list[Any]:
    """The statements that have a list of transactions."""
    found = (each for each in root.iter() if each.tag in ("STMTRS", "CCSTMTRS"))
    return [each for each in found if each.find("BANKTRANLIST") is not None]


def _apart(text: str, at: int) -> tuple[str, list[tuple[int, int]]]:
    """A file from a place on without its transactions, and where those of each list stand.

    A tree of all of them takes many times the file.
    """
    kept: list[str] = []
    lists: list[tuple[int, int]] = []
    while (begins := text.find("<BANKTRANLIST>", at)) >= 0:
        ends = text.find("</BANKTRANLIST>", begins)
        if ends < 0:
            break
        first = text.find("<STMTTRN>", begins, ends)
        first = ends if first < 0 else first
        kept.append(text[at:first])
        lists.append((first, ends))
        at = ends
    return "".join([*kept, text[at:]]), lists


def _pieces(text: str, at: int, ends: int) -> Iterator[str]:
    """Each transaction of a list. ValueError for what is none."""
    for found in _PIECE.finditer(text, at, ends):
        if text[at : found.start()].strip():
            break
        at = found.end()
        yield found[0]
    if text[at:ends].strip():
        raise ValueError("an element is not closed")


def _text(element: Any, path: str) -> str:
    from xml.sax.saxutils import unescape  # with all of HTTP behind it, which no start needs

    return unescape((element.findtext(path) or "").strip())


def _statement(source: str, element: Any, transactions: Iterable[Any], findings: list[Finding]) -> Statement:
    currency = _text(element, "CURDEF") or YEN
    parts = [
        _text(element, f"{place}/{each}")
        for place in ("BANKACCTFROM", "CCACCTFROM")
        for each in ("BANKID", "BRANCHID", "ACCTID")
    ]
    account = cut(even("-".join(each for each in parts if each)))
    lines = PackedLines()
    skipped = 0
    for number, each in enumerate(transactions, start=1):
        try:
            made = _line(each, number, account, currency)
        except BadValueError as bad:
            value, rule, remedy = bad.args
            findings.append(Finding(source, None, f"transaction {number}: {value}", rule, remedy))
            continue
        if made is None:
            skipped += 1
        else:
            lines.append(made)
    closing = None
    try:
        stated = _text(element, "LEDGERBAL/BALAMT")
        if stated:
            on = _day(_text(element, "LEDGERBAL/DTASOF") or _text(element, "BANKTRANLIST/DTEND"))
            closing = Balance(on, minor_units(amount_of(stated), currency))
    except BadValueError as bad:
        findings.append(Finding(source, None, f"balance: {bad.args[0]}", bad.args[1], bad.args[2]))
    return Statement(account, lines, currency, None, closing, skipped=skipped)


def _line(element: Any, number: int, account: str, currency: str) -> StatementLine | None:
    available = _text(element, "DTAVAIL")
    name, memo = _text(element, "NAME") or _text(element, "PAYEE/NAME"), _text(element, "MEMO")
    stated = (_text(element, "REFNUM") or _text(element, "CHECKNUM"), memo if name else "")
    return line_of(
        account=account,
        line=number,
        booked_on=_day(_text(element, "DTPOSTED")),
        amount=amount_of(_text(element, "TRNAMT")),
        raw="\x1f".join(f"{each.tag}={each.text or ''}" for each in element.iter()),
        currency=_text(element, "CURRENCY/CURSYM") or currency,
        value_on=_day(available) if available else None,
        kind=_text(element, "TRNTYPE"),
        payer=cut(even(name or memo)),
        reference=cut(even(" ".join(each for each in stated if each))),
        bank_id=_text(element, "FITID"),
    )


def _day(written: str) -> date:
    found = _DAY.fullmatch(written)
    if found is not None:
        year, month, day, hour, minute, second = (int(part or 0) for part in found.groups()[:6])
        try:
            on = date(year, month, day)
            if found[7] is None or found[4] is None:
                return on
            zone = timezone(timedelta(hours=float(found[7])))
            return jst_day(datetime(year, month, day, hour, minute, second, tzinfo=zone))
        except (ValueError, OverflowError):
            pass
    raise BadValueError(written, "it is no day of OFX", _AGAIN)
