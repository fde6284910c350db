"""ISO 20022 camt.052, camt.053 and camt.054 of every version: the names matter, not the namespace's number.

A batch entry whose transactions state amounts that sum to it becomes one line for each; else it is one line. Entries
that are announced only (PDNG) are pending, INFO entries are none. Entities and DTDs are refused, whatever they say.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import Any

from keizoku.billing.rules.bank.packed_lines import PackedLines, packed
from keizoku.billing.rules.bank.statement import YEN, Balance, LineState, Statement, StatementLine
from keizoku.billing.statements.lines import cut, line_of, minor_units
from keizoku.billing.statements.values import BadValueError, amount_of, day_of, even
from keizoku.extras import naming_the_extra
from keizoku.terms.decision import Finding

__all__ = ["ROOTS", "read_camt"]

ROOTS = ("BkToCstmrStmt", "BkToCstmrAcctRpt", "BkToCstmrDbtCdtNtfctn")
_STATEMENTS = frozenset(("Stmt", "Rpt", "Ntfctn"))
_AGAIN = "have the bank write the file again"

_DECLARED = re.compile(rb"""(\s*(?:\xef\xbb\xbf)?)<\?xml[^>]*?encoding\s*=\s*["']([A-Za-z0-9._:-]+)["'][^>]*\?>""")
_OF_THE_PARSER = ("utf-8", "utf8", "us-ascii", "ascii", "iso-8859-1", "latin-1")
_SHIFT_JIS = dict.fromkeys(("shift_jis", "shift-jis", "sjis", "x-sjis", "windows-31j", "ms932", "cp932"), "cp932")


def read_camt(source: str, raw: bytes) -> tuple[list[Statement], list[Finding]]:
    """The statements of a camt file, and what cannot be used in it."""
    with naming_the_extra():
        from defusedxml.common import DefusedXmlException
        from defusedxml.ElementTree import ParseError, iterparse
    statements: list[Statement] = []
    findings: list[Finding] = []
    parts = _Parts(source, findings)
    count = 0
    above: list[Any] = []
    try:
        for event, element in iterparse(io.BytesIO(_in_utf8(raw)), events=("start", "end"), forbid_dtd=True):
            name = _name(element)
            if event == "start":
                above.append(element)
                if name in _STATEMENTS:
                    parts = _Parts(source, findings)
                continue
            above.pop()
            if name == "Ntry":
                count += 1
                parts.entry(element, count, _raw(element))
                element.clear()
                if above:
                    del above[-1][-1]  # an empty element for each entry would still be as many as there are entries
            elif name == "Bal":
                parts.balance(element)
            elif name in _STATEMENTS:
                statements.append(parts.end(element))
                element.clear()
    except DefusedXmlException:
        rule = "a bank's file declares no entities and no DTD"
        findings.append(Finding(source, None, "a DTD or an entity", rule, "do not use this file; ask the bank"))
    except ParseError as error:
        findings.append(Finding(source, error.position[0], "no XML", f"{error}"[:120], _AGAIN))
    except _NotAsDeclaredError as error:
        rule = "a file is written in the letters that its first line names"
        findings.append(Finding(source, 1, f"encoding={error}", rule, _AGAIN))
    return statements, findings


class _NotAsDeclaredError(ValueError):
    """The name of an encoding that nobody knows, or in which the file is not written."""


def _in_utf8(raw: bytes) -> bytes:
    """The file in letters that the parser knows: it has neither Shift_JIS nor EUC-JP. Raises _NotAsDeclaredError."""
    declared = _DECLARED.match(raw)
    if declared is None:
        return raw
    name = declared[2].decode("ascii").casefold()
    if name.startswith(_OF_THE_PARSER):
        return raw
    if name.startswith("utf-16"):  # it is UTF-8 by now, whatever its first line says
        return declared[1] + raw[declared.end() :]
    try:
        text = raw[declared.end() :].decode(_SHIFT_JIS.get(name, name))
    except (LookupError, UnicodeDecodeError):
        raise _NotAsDeclaredError(name) from None
    return declared[1] + text.encode()


def _raw(element: Any) -> bytes:
    """What an entry says, in the file's order; not by recursion, which a hostile file could exhaust."""
    return "\x1f".join(f"{_name(each)}={(each.text or '').strip()}" for each in element.iter()).encode()


def _name(element: Any) -> str:
    return str(element.tag).rpartition("}")[2]


def _all(element: Any, *path: str) -> Iterator[Any]:
    """Every element at a path of local names."""
    if not path:
        yield element
        return
    for child in element:
        if _name(child) == path[0]:
            yield from _all(child, *path[1:])


def _first(element: Any, *path: str) -> Any:
    return next(_all(element, *path), None)


def _text(element: Any, *path: str) -> str:
    found = _first(element, *path)
    return "" if found is None else (found.text or "").strip()


@dataclass
class _Parts:
    """A statement while its elements come by."""

    source: str
    findings: list[Finding]
    lines: PackedLines = field(default_factory=PackedLines)
    came: int = 0
    went: int = 0
    booked: int = 0  # by how much what is booked moves the balance
    balances: dict[str, tuple[Decimal, date | None]] = field(default_factory=dict)
    skipped: int = 0
    broken: bool = False

    def balance(self, element: Any) -> None:
        """Keep a balance by its code: OPBD, PRCD, CLBD, …"""
        code = _text(element, "Tp", "CdOrPrtry", "Cd")
        amount = _first(element, "Amt")
        if amount is None:
            return
        try:
            value = amount_of(amount.text or "")
        except BadValueError as bad:
            self.findings.append(Finding(self.source, None, f"balance {code} {bad.args[0]}", bad.args[1], _AGAIN))
            return
        sign = -1 if _text(element, "CdtDbtInd") == "DBIT" else 1
        on = _day_or_none(_text(element, "Dt", "Dt") or _text(element, "Dt", "DtTm"))
        self.balances[code] = (sign * value, on)

    def entry(self, element: Any, number: int, raw: bytes) -> None:
        """One Ntry: its lines, or a finding that names it."""
        try:
            made = _entry(element, number, raw)
        except BadValueError as bad:
            self.broken = True
            value, rule, remedy = bad.args
            self.findings.append(Finding(self.source, None, f"entry {number}: {value}", rule, remedy))
        else:
            for each in made:
                if each is not None:
                    self._add(each)
            self.skipped += made.count(None)

    def _add(self, line: StatementLine) -> None:
        self.lines.append(line)
        if line.signed < 0:
            self.went += line.amount
        else:
            self.came += line.amount
        self.booked += line.signed * (line.state is LineState.BOOKED)

    def end(self, element: Any) -> Statement:
        """The statement, with its opening and closing balances; a sum that does not fit is a finding."""
        account = _text(element, "Acct", "Id", "IBAN") or _text(element, "Acct", "Id", "Othr", "Id")
        currency = _text(element, "Acct", "Ccy") or (self.lines[0].currency if self.lines else YEN)
        opening = self._balance_of(currency, "OPBD", "PRCD")
        closing = self._balance_of(currency, "CLBD")
        found = self.booked
        if opening and closing and not self.broken and opening.amount + found != closing.amount:
            value = f"{opening.amount} and the entries are {opening.amount + found}"
            rule = f"the closing balance is {closing.amount}"
            self.findings.append(Finding(self.source, None, value, rule, "the file is not whole: get it again"))
        if not self.broken:
            self._totals(element, currency)
        lines = packed(replace(line, account=cut(even(account))) for line in self.lines)
        return Statement(cut(even(account)), lines, currency, opening, closing, skipped=self.skipped)

    def _balance_of(self, currency: str, *codes: str) -> Balance | None:
        for code in codes:
            if code in self.balances:
                amount, on = self.balances[code]
                if on is not None:
                    try:
                        return Balance(on, minor_units(amount, currency))
                    except BadValueError as bad:
                        self.findings.append(Finding(self.source, None, f"balance {code} {bad.args[0]}", *bad.args[1:]))
        return None

    def _totals(self, element: Any, currency: str) -> None:
        """The bank's own sums of entries, where it states them."""
        for side, below in (("TtlCdtNtries", False), ("TtlDbtNtries", True)):
            stated = _text(element, "TxsSummry", side, "Sum")
            if not stated:
                continue
            found = self.went if below else self.came
            try:
                units = minor_units(amount_of(stated), currency)
            except BadValueError as bad:
                self.findings.append(Finding(self.source, None, f"{side} {bad.args[0]}", bad.args[1], _AGAIN))
                continue
            if units != found:
                value, rule = f"{side} sum to {found}", f"the file's own sum of them is {stated}"
                self.findings.append(Finding(self.source, None, value, rule, "the file is not whole: get it again"))


def _day_or_none(written: str) -> date | None:
    try:
        return day_of(written)
    except BadValueError:
        return None


def _entry(element: Any, number: int, raw: bytes) -> list[StatementLine | None]:
    status = _text(element, "Sts", "Cd") or _text(element, "Sts", "Prtry") or _text(element, "Sts")
    if status == "INFO":
        return [None]
    value, currency = _amount(element)
    sign = {"CRDT": 1, "DBIT": -1}.get(_text(element, "CdtDbtInd"))
    if sign is None:
        raise BadValueError(_text(element, "CdtDbtInd") or "no CdtDbtInd", "it is CRDT or DBIT", _AGAIN)
    booked = _text(element, "BookgDt", "Dt") or _text(element, "BookgDt", "DtTm")
    valued = _text(element, "ValDt", "Dt") or _text(element, "ValDt", "DtTm")
    bank_id = _text(element, "AcctSvcrRef") or _text(element, "NtryRef")
    parties = list(_all(element, "NtryDtls", "TxDtls"))
    shares = [_share(each, currency) for each in parties]
    split = len(parties) > 1 and None not in shares and sum(each for each in shares if each is not None) == value
    made = []
    # a sum that is not divided is no one's of several: the first one's name and reference would take it all
    for at, details in enumerate(parties if split or len(parties) == 1 else [element]):
        share = shares[at] if split else value
        own_id = _text(details, "Refs", "AcctSvcrRef") or _text(details, "Refs", "TxId")
        made.append(
            line_of(
                account="",
                line=number,
                booked_on=day_of(booked or valued),
                amount=sign * (share or Decimal(0)),
                raw=raw + b"%d" % at,
                currency=currency,
                value_on=day_of(valued) if valued else None,
                kind=cut(_kind(element)),
                payer=cut(_party(details, sign)),
                reference=cut(_remittance(details)),
                bank_id=cut(own_id or (f"{bank_id}/{at + 1}" if bank_id and split else bank_id)),
                state=LineState.PENDING if status in ("PDNG", "FUTR") else LineState.BOOKED,
            )
        )
    return made


def _amount(element: Any) -> tuple[Decimal, str]:
    amount = _first(element, "Amt")
    if amount is None:
        raise BadValueError("no Amt", "an entry has an amount", _AGAIN)
    value, currency = amount_of(amount.text or ""), str(amount.get("Ccy") or "")
    if value < 0:
        raise BadValueError(f"{amount.text}", "an entry's amount has no sign: CdtDbtInd says its way", _AGAIN)
    return value, currency


def _kind(element: Any) -> str:
    """What the bank calls it: its own word, else the code of the domain; a reversal says so."""
    domain = (("Cd",), ("Fmly", "Cd"), ("Fmly", "SubFmlyCd"))
    codes = [_text(element, "BkTxCd", "Domn", *path) for path in domain]
    kind = _text(element, "AddtlNtryInf") or _text(element, "BkTxCd", "Prtry", "Cd") or "-".join(filter(None, codes))
    return even(f"{kind} 取消" if _text(element, "RvslInd") == "true" else kind)


def _share(details: Any, currency: str) -> Decimal | None:
    for path in (("Amt",), ("AmtDtls", "TxAmt", "Amt")):
        found = _first(details, *path)
        if found is not None and found.get("Ccy", currency) == currency:
            return amount_of(found.text or "")
    return None


def _party(details: Any, sign: int) -> str:
    """The other side: the debtor of what came in, the creditor of what went out."""
    role = "Dbtr" if sign > 0 else "Cdtr"
    return even(
        _text(details, "RltdPties", role, "Nm")
        or _text(details, "RltdPties", role, "Pty", "Nm")
        or _text(details, "RltdPties", f"Ultmt{role}", "Nm")
    )


def _remittance(details: Any) -> str:
    stated = [each.text or "" for each in _all(details, "RmtInf", "Ustrd")]
    stated += [_text(each, "CdtrRefInf", "Ref") for each in _all(details, "RmtInf", "Strd")]
    if not any(stated):
        end_to_end = _text(details, "Refs", "EndToEndId")
        stated = [] if end_to_end == "NOTPROVIDED" else [end_to_end]
    return even(" ".join(each for each in stated if each))
