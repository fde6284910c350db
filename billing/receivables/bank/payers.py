"""Whose an incoming transfer is: by the reference that it states, else by a rule that people confirmed of its payer.

Likeness of names decides nothing; it is a reason to suggest (suggestions.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

import sqlalchemy as sa

from keizoku.billing.ledger.payer_rules import PayerRule, contradicted, rules_of
from keizoku.billing.rules.bank.names import NO_NUMBER, without_numbers
from keizoku.billing.rules.bank.statement import StatementLine
from keizoku.billing.rules.payment_reference import ACCOUNT, Reference, references_in
from keizoku.db.session import Session, numbers
from keizoku.db.tables.contracts import account as account_table
from keizoku.db.tables.contracts import term
from keizoku.db.tables.money import invoice

BY_REFERENCE: Final = "reference"  # who matched what the reference matched
BY_RULE: Final = "rule"  # and what a rule of people's did


@dataclass(frozen=True, slots=True)
class Whose:
    """Whom a line names, and which debt; or why nobody was found. `says`: what a rule of people's says that it is."""

    account: str | None
    for_term_on: date | None = None
    doubt: str | None = None
    by: str = BY_REFERENCE
    ground: str | None = None
    says: str | None = None


def whose(session: Session, lines: Sequence[StatementLine], now: datetime) -> list[Whose]:
    """Of each line, by the reference as stated, in its own column or in the payer's name, else by a rule.

    A rule whose name states another member's reference ends: the name is of several, and is left to people. Does not
    commit.
    """
    # a number never goes over the blank between them, so a name without one says nothing
    stated = [
        references_in(line.reference if NO_NUMBER.fullmatch(line.payer) else f"{line.reference} {line.payer}")
        for line in lines
    ]
    every = {reference for references, _ in stated for reference in references}
    found = _named_by(session, every)
    names = [without_numbers(line.payer) for line in lines]
    rules = rules_of(session, set(names))
    of_several: set[str] = set()
    if rules:
        for name, (references, _) in zip(names, stated, strict=True):
            accounts = {found[each].account for each in references if each in found}
            rule = rules.get(name)
            if rule is not None and rule.says == "member" and len(accounts) == 1 and accounts != {rule.account}:
                of_several.add(name)
                contradicted(session, rules.pop(name), accounts.pop() or "", now)
    return [
        _one(name, references, mistyped, found, rules, of_several)
        for name, (references, mistyped) in zip(names, stated, strict=True)
    ]


def _one(
    name: str,
    references: tuple[Reference, ...],
    mistyped: bool,
    found: dict[Reference, Whose],
    rules: dict[str, PayerRule],
    of_several: set[str],
) -> Whose:
    accounts = {found[each].account for each in references if each in found}
    if len(accounts) > 1:
        return Whose(None, doubt="references of several accounts")
    if accounts:
        named = {found[each].for_term_on for each in references if each in found}
        named.discard(None)
        return Whose(accounts.pop(), named.pop() if len(named) == 1 else None)
    rule = rules.get(name)
    if rule is not None and not references and not mistyped:
        ground = f"rule {rule.id} of {rule.author}: {rule.ground}"
        return Whose(rule.account, doubt="no reference", by=BY_RULE, ground=ground, says=rule.says)
    if references:
        return Whose(None, doubt=f"no account or invoice has the reference {', '.join(map(str, references))}")
    if name in of_several:
        return Whose(None, doubt="no reference, and a name that several members have")
    return Whose(None, doubt="a reference with a typo" if mistyped else "no reference")


def _named_by(session: Session, references: set[Reference]) -> dict[Reference, Whose]:
    accounts = [each.number for each in references if each.kind == ACCOUNT]
    invoices = [each.number for each in references if each.kind != ACCOUNT]
    found: dict[Reference, Whose] = {}
    if accounts:
        rows = session.execute(
            sa.select(account_table.c.number, account_table.c.id).where(
                account_table.c.number == sa.any_(numbers(accounts))
            )
        )
        found |= {Reference(ACCOUNT, row.number): Whose(row.id) for row in rows}
    if invoices:
        rows = session.execute(
            sa.select(invoice.c.id, invoice.c.account, invoice.c.state, term.c.starts_on)
            .join(term, term.c.id == invoice.c.term_id)
            .where(invoice.c.id == sa.any_(numbers(invoices)))
        )
        found |= {
            Reference("2", row.id): Whose(row.account, row.starts_on if row.state == "open" else None) for row in rows
        }
    return found
