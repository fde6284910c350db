"""What an export reads and what a package takes: entries of the journal, with their tax folded in or not.

    2120 +500 │ 4110 -455 │ 2170 -45    the journal: tax apart
    2120  500 │ 4110  500 (tax 45)      folded: packages that take tax-inclusive amounts count the tax by themselves

Always holds: a folded entry balances, and gives back the journal's own balances (an account has its amounts less the
tax in them, the tax account what was folded away). Where the tax of an entry cannot stand in a line (a correction by a
yen of tax alone), that yen is exported as two lines of its own, out of scope, so that no package computes tax on them.
Amounts are whole yen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import NamedTuple

from keizoku.billing.rules.books.journal_rules import JournalLine, tax_carriers

OUT_OF_SCOPE = "out_of_scope"


@dataclass(frozen=True, slots=True)
class BookEntry:
    """An entry as it is in the journal; lines by our own codes, debit positive."""

    id: int
    posted_on: date
    event: str
    clause: str
    account: str | None  # of the user
    lines: tuple[JournalLine, ...]
    belongs_to: str = ""  # the month that it belongs to, where that was closed when it was posted
    ground: str = ""  # of an entry by people
    key: str = ""  # of the event: what it is about, as invoice:12:paid
    first_id: int | None = None  # of a summary: the first entry in it; `id` is the last


class TaxLine(NamedTuple):
    """One line for a package: debit positive, tax included; `tax_yen` has the sign of the amount."""

    code: str
    yen: int
    tax_yen: int
    tax_code: str  # the account that the tax was folded away from; empty: none
    tax_class: str


def folded(
    entry: BookEntry,
    tax_accounts: Mapping[str, Sequence[str]],
    classes: Mapping[str, str],
    untaxed: Mapping[str, str] = MappingProxyType({}),
) -> tuple[TaxLine, ...]:
    """The lines of an entry with the lines of the tax accounts folded into those that carry them.

    An account that carries tax has its class only where the entry has it in a taxable event: bad debt of late
    interest is out of scope. An account with an `untaxed` class has that one where no tax stands beside it: a fee
    without tax is no taxable purchase.
    """
    carriers = {code for codes in tax_accounts.values() for code in codes}
    taxable = tax_carriers(entry.event)
    rest: list[TaxLine] = []
    taxes: dict[str, int] = {}
    bases: dict[str, int] = {}
    order: list[str] = []
    for line in entry.lines:
        if line.account in tax_accounts:
            taxes[line.account] = taxes.get(line.account, 0) + line.yen
        elif line.account in carriers:
            bases[line.account] = bases.get(line.account, 0) + line.yen
            order.append(line.account)
        else:
            rest.append(TaxLine(line.account, line.yen, 0, "", classes.get(line.account, OUT_OF_SCOPE)))
    made: list[TaxLine] = []
    for tax_code, tax_yen in taxes.items():
        base = _carrier(tax_accounts[tax_code], taxable, bases)
        if base is None:
            made.append(TaxLine(tax_code, tax_yen, 0, "", OUT_OF_SCOPE))
            continue
        net_yen = bases.pop(base, 0)
        made += _with_tax(base, net_yen, tax_code, tax_yen, classes.get(base, OUT_OF_SCOPE))
    for code in order:
        if net_yen := bases.pop(code, 0):
            known = taxable is None or code in taxable
            own = untaxed.get(code) or classes.get(code, OUT_OF_SCOPE)
            made.append(TaxLine(code, net_yen, 0, "", own if known else OUT_OF_SCOPE))
    return tuple(each for each in (*rest, *made) if each.yen)


def sides(lines: Sequence[TaxLine]) -> list[tuple[TaxLine | None, TaxLine | None]]:
    """Debits beside credits, as many rows as the longer side has: a package's rows of a compound entry."""
    debits = [line for line in lines if line.yen > 0]
    credits = [line for line in lines if line.yen < 0]
    longer = max(len(debits), len(credits))
    return [
        (debits[at] if at < len(debits) else None, credits[at] if at < len(credits) else None) for at in range(longer)
    ]


def _carrier(candidates: Sequence[str], taxable: frozenset[str] | None, bases: Mapping[str, int]) -> str | None:
    """The account whose line the tax belongs to: the event's rule says it, else the one that the entry has."""
    by_rule = [code for code in candidates if code in (taxable or ())]
    if len(by_rule) == 1:
        return by_rule[0]
    return next((code for code in candidates if code in bases), None)


def _with_tax(base: str, net_yen: int, tax_code: str, tax_yen: int, tax_class: str) -> list[TaxLine]:
    gross_yen = net_yen + tax_yen
    if gross_yen * tax_yen >= 0 and abs(tax_yen) <= abs(gross_yen):
        return [TaxLine(base, gross_yen, tax_yen, tax_code if tax_yen else "", tax_class)]
    return [
        TaxLine(base, gross_yen, 0, "", tax_class),
        TaxLine(base, -tax_yen, 0, "", OUT_OF_SCOPE),
        TaxLine(tax_code, tax_yen, 0, "", OUT_OF_SCOPE),
    ]
