"""MT940 and MT942, with or without the SWIFT envelope: fields by their tags, each field by the grammar of `mt-940`.

A field that does not fit is a finding with its line, and the next ones go on. :86: belongs to the :61: before it, or to
the statement; its subfields (?20, ?32; /REMI/, /ORDP/) are read where it has them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal

from keizoku.billing.rules.bank.packed_lines import PackedLines
from keizoku.billing.rules.bank.statement import YEN, Balance, Statement, StatementLine, digest_of
from keizoku.billing.statements.lines import cut, line_of, minor_units
from keizoku.billing.statements.values import BadValueError, amount_of, even
from keizoku.extras import naming_the_extra
from keizoku.terms.decision import Finding

__all__ = ["read_mt940"]

_TAG = re.compile(r":(\d{2}[A-Z]?):(.*)", re.DOTALL)
_LINE = re.compile(r"([^\r\n]*)(?:\r\n|\r|\n|\Z)")
_END = ("-}", "-")
_AGAIN = "have the bank write the file again"
_NO_REFERENCE = frozenset(("NONREF", "NOTPROVIDED"))


def read_mt940(source: str, text: str) -> tuple[list[Statement], list[Finding]]:
    """The statements of an MT940 file, and what cannot be used in it."""
    with naming_the_extra():
        from mt940.tags import BalanceBase, StatementASNB
        from mt940.tags import Statement as Movement
    grammar = _Grammar(Movement().re, StatementASNB().re, BalanceBase().re)
    findings: list[Finding] = []
    made: list[Statement] = []
    parts: _Parts | None = None
    for line, tag, value in _fields(text):
        if tag == "20":
            if parts is not None:
                made.append(parts.end())
            parts = _Parts(source, findings, grammar)
        if parts is None:
            findings.append(Finding(source, line, f":{tag}:", "a statement begins with :20:", _AGAIN))
            parts = _Parts(source, findings, grammar)
        try:
            parts.take(line, tag, value)
        except (BadValueError, ValueError) as bad:
            found = bad.args if isinstance(bad, BadValueError) else (value[:60], "it is not a day", _AGAIN)
            findings.append(Finding(source, line, f":{tag}: {found[0]}", found[1], found[2]))
    if parts is not None:
        made.append(parts.end())
    return made, findings


def _fields(text: str) -> Iterator[tuple[int, str, str]]:
    """(line, tag, value) of each field; the envelope and the ends of messages fall away."""
    current: tuple[int, str, list[str]] | None = None
    for number, each in enumerate(_LINE.finditer(text), start=1):
        stripped = each[1].rstrip()
        begins = stripped.find("{4:")
        if begins >= 0:
            stripped = stripped[begins + 3 :]
        found = _TAG.fullmatch(stripped)
        if found or stripped in _END or (begins >= 0 and not stripped):
            if current is not None:
                yield current[0], current[1], "\n".join(current[2])
            current = (number, found[1], [found[2]]) if found else None
        elif current is not None:
            current[2].append(stripped)
    if current is not None:
        yield current[0], current[1], "\n".join(current[2])


@dataclass(frozen=True, slots=True)
class _Grammar:
    """The library's patterns of a movement and of a balance."""

    movement: re.Pattern[str]
    wide: re.Pattern[str]
    balance: re.Pattern[str]


@dataclass
class _Parts:
    """A statement while its fields come by."""

    source: str
    findings: list[Finding]
    grammar: _Grammar
    account: str = ""
    currency: str = YEN
    opening: Balance | None = None
    closing: Balance | None = None
    lines: PackedLines = field(default_factory=PackedLines)
    newest: StatementLine | None = None  # of which :86: may tell more: it is not among `lines` yet
    moved: int = 0
    broken: bool = False
    skipped: int = 0
    last: str = ""

    def take(self, line: int, tag: str, value: str) -> None:
        """One field. Raises BadValueError, or ValueError for a day that is none."""
        last, self.last = self.last, tag
        if tag == "25":
            self.account = cut(even(value.partition("\n")[0]))
        elif tag in ("60F", "60M"):
            self.opening = self._balance(value)
        elif tag in ("62F", "62M"):
            self.closing = self._balance(value)
        elif tag == "61":
            self._keep()
            try:
                made = self._movement(line, value)
            except (BadValueError, ValueError):
                self.broken = True
                raise
            self.skipped += made is None
            self.newest = made
        elif tag == "86" and last == "61" and self.newest is not None:
            self.newest = _described(self.newest, value)

    def _keep(self) -> None:
        """The newest line is whole."""
        if self.newest is not None:
            self.lines.append(self.newest)
            self.moved += self.newest.signed
            self.newest = None

    def end(self) -> Statement:
        """The statement; a sum that does not fit its balances is a finding."""
        self._keep()
        if self.opening and self.closing:
            found = self.opening.amount + self.moved
            if found != self.closing.amount and not self.broken:
                value = f"{self.opening.amount} and the movements are {found}"
                rule = f"the closing balance is {self.closing.amount}"
                self.findings.append(Finding(self.source, None, value, rule, "the file is not whole: get it again"))
        return Statement(self.account, self.lines, self.currency, self.opening, self.closing, skipped=self.skipped)

    def _balance(self, value: str) -> Balance:
        found = self.grammar.balance.match(value)
        if found is None:
            raise BadValueError(value[:60], "a balance is D or C, a day, a currency and an amount", _AGAIN)
        self.currency = found["currency"]
        on = date(2000 + int(found["year"]), int(found["month"]), int(found["day"]))
        amount = _amount(found["amount"])
        return Balance(on, minor_units(-amount if found["status"] == "D" else amount, self.currency))

    def _movement(self, line: int, value: str) -> StatementLine | None:
        found = self.grammar.movement.match(value) or self.grammar.wide.match(value)
        if found is None:
            raise BadValueError(value[:60], "a movement is a day, D or C, an amount and a kind", _AGAIN)
        parts = found.groupdict()
        valued = date(2000 + int(parts["year"]), int(parts["month"]), int(parts["day"]))
        booked = valued
        if (parts.get("entry_month") or "").strip() and (parts.get("entry_day") or "").strip():
            near = [
                date(valued.year + by, int(parts["entry_month"]), int(parts["entry_day"]))
                for by in (-1, 0, 1)
                if (parts["entry_month"], parts["entry_day"]) != ("02", "29") or _leaps(valued.year + by)
            ]
            booked = min(near, key=lambda on: abs((on - valued).days))
        below = parts["status"] in ("D", "RC")
        reference = (parts.get("customer_reference") or "").strip()
        kind = " ".join(each for each in (parts.get("id"), parts.get("extra_details")) if each)
        return line_of(
            account=self.account,
            line=line,
            booked_on=booked,
            amount=_amount(parts["amount"]) * (-1 if below else 1),
            raw=value,
            currency=self.currency,
            value_on=valued,
            kind=cut(even(f"{kind} 取消" if parts["status"].startswith("R") else kind)),
            reference="" if reference in _NO_REFERENCE else reference,
            bank_id=(parts.get("bank_reference") or "").strip(),
        )


def _leaps(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def _amount(written: str) -> Decimal:
    """1234,56 or 1234, as SWIFT writes amounts."""
    if written.count(",") > 1:
        raise BadValueError(written, "an amount has one comma, before its decimals", _AGAIN)
    return amount_of(written.replace(",", ".").removesuffix("."))


def _described(line: StatementLine, value: str) -> StatementLine:
    """The line with what :86: tells: who, and what they stated."""
    joined = value.replace("\n", "")
    sub = dict(re.findall(r"\?(\d\d)([^?]*)", joined))
    slashed = dict(re.findall(r"/(REMI|ORDP|BENM|NAME|EREF|IREF|PREF)/(?:NAME/)?([^/]*)", joined))
    if sub:
        payer = sub.get("32", "") + sub.get("33", "")
        stated = " ".join(sub[key] for key in sorted(sub) if "20" <= key <= "29" or "60" <= key <= "63")
    elif slashed:
        payer = slashed.get("ORDP") or slashed.get("BENM") or slashed.get("NAME") or ""
        stated = slashed.get("REMI") or slashed.get("EREF") or slashed.get("PREF") or ""
    else:
        payer, stated = even(value), ""
    reference = " ".join(each for each in (line.reference, even(stated)) if each)
    digest = digest_of(f"{line.digest}{value}")
    return replace(line, payer=cut(even(payer)), reference=cut(reference), digest=digest)
