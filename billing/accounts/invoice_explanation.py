"""How an invoice came about, from the price to what is open: every amount with its reason and its clause.

    price in force ──> fee ── credits, by month of outage ──> to pay, tax once ──> attempts, settlements ──> open

Read only; decides nothing. The price is looked up among what was recorded when the term began.
"""

from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa

from keizoku.billing.accounts.money_history import money_events
from keizoku.billing.contracts.price_lookup import load_prices
from keizoku.billing.rules.account_event import Event, in_order
from keizoku.billing.rules.account_event import event_sentence as event_text
from keizoku.billing.rules.price_catalog import NoPriceError, Price, price_at
from keizoku.db.account_reads import noted
from keizoku.db.session import Session
from keizoku.db.tables.contracts import contract, price, term
from keizoku.db.tables.money import credit, credit_application, invoice, settlement
from keizoku.terms.calendar import iso_jst
from keizoku.terms.money import fraction_text
from keizoku.terms.read_model import JapanInstant, ReadModel
from keizoku.terms.refusal import Refused
from keizoku.terms.rendering import Lang, sentence
from keizoku.terms.rules import Rules

Sentence = tuple[str, str]  # (clause, sentence)


@dataclass(frozen=True, slots=True, eq=False)
class InvoiceFacts(ReadModel):
    """An invoice with its term; whole yen, the rate of tax as exact text, `due_on` before any acceleration."""

    invoice: int
    account: str
    starts_on: date
    ends_on: date
    plan: str
    total_yen: int
    credit_yen: int
    charged_yen: int
    tax_yen: int
    tax_rate: str
    issued_on: date
    due_on: date
    accelerated_on: date | None
    state: str
    open_yen: int
    paid_on: date | None


@dataclass(frozen=True, slots=True, eq=False)
class CreditTaken(ReadModel):
    """A credit that was taken off when the invoice was made, and the month of its outage."""

    credit: int
    month: str
    yen: int


@dataclass(frozen=True, slots=True, eq=False)
class SettledPart(ReadModel):
    """What settled an invoice since: by what kind, when, when recorded; `source`: the receipt, where it is one."""

    kind: str
    yen: int
    settled_on: date
    recorded_at: JapanInstant
    source: int | None


@dataclass(frozen=True, slots=True)
class InvoiceExplanation:
    """An invoice with the rows that made it; `price` is the one that was in force, None where it was paid ahead."""

    invoice: InvoiceFacts
    price: Price | None
    renewal: bool
    credits: tuple[CreditTaken, ...]
    settlements: tuple[SettledPart, ...]
    events: tuple[Event, ...]

    def sentences(self, lang: Lang) -> list[Sentence]:
        """Sentences with their clauses, from the term to what is open."""
        facts = self.invoice
        lines: list[Sentence] = [("premium/4.1", sentence("invoice.term", lang, facts)), self._price(lang)]
        lines += [
            ("premium/9.2", sentence("invoice.credit", lang, {**each, "outage_month": each["month"]}))
            for each in self.credits
        ]
        lines.append(("premium/tax", sentence("invoice.charged", lang, facts)))
        lines.append(("premium/4.1", sentence("invoice.due", lang, facts)))
        lines += [(each.clause, f"{iso_jst(each.at)[:10]} {event_text(each, lang)}") for each in self.events]
        lines += [
            (
                "",
                sentence("invoice.settled", lang, {**each, "how": sentence(f"word.settled.{each['kind']}", lang, {})}),
            )
            for each in self.settlements
        ]
        lines.append(("", sentence(f"invoice.state.{facts.state}", lang, facts)))
        return lines

    def to_json(self, lang: Lang) -> dict[str, Any]:
        """JSON values for --json."""
        return {
            **self.invoice,
            "price": None
            if self.price is None
            else {
                "yen": self.price.yen,
                "for": "renewals" if self.renewal else "new contracts",
                "from_on": self.price.from_on(self.renewal).isoformat(),
                "announced_on": self.price.announced_on.isoformat(),
                "cohort": self.price.cohort is not None,
            },
            "credits": list(self.credits),
            "settlements": list(self.settlements),
            "sentences": [{"clause": clause or None, "text": text} for clause, text in self.sentences(lang)],
        }

    def _price(self, lang: Lang) -> Sentence:
        if self.price is None:
            return "premium/5.1.1.b", sentence("invoice.price.kept", lang, self.invoice)
        kind = "renewal" if self.renewal else "new"
        facts = {
            "price_yen": self.price.yen,
            "from_on": self.price.from_on(self.renewal),
            "announced_on": self.price.announced_on,
        }
        line = sentence(f"invoice.price.{kind}", lang, facts)
        if self.price.cohort is not None:
            line += sentence("invoice.price.cohort", lang, {})
        return "premium/4.3", line


def explain_invoice(session: Session, rules: Rules, invoice_id: int) -> InvoiceExplanation:
    """One invoice. Raises Refused where there is none with this number."""
    if not 0 < invoice_id < 2**63:
        raise Refused("invoice.unknown", f"there is no invoice {invoice_id}")
    row = session.execute(
        sa.select(
            invoice,
            term.c.starts_on,
            term.c.ends_on,
            term.c.plan,
            term.c.price_yen,
            term.c.follows_on,
            term.c.recorded_at.label("begun_at"),
            contract.c.prepaid_method,
        )
        .join(term, term.c.id == invoice.c.term_id)
        .join(contract, contract.c.id == invoice.c.contract_id)
        .where(invoice.c.id == invoice_id)
    ).first()
    if row is None:
        raise Refused(
            "invoice.unknown",
            f"there is no invoice {invoice_id}",
            "`keizoku account show ACCOUNT` names those of an account",
        )
    noted(row.account, "explain_invoice")
    renewal = row.follows_on is not None
    facts = InvoiceFacts(
        invoice=row.id,
        account=row.account,
        starts_on=row.starts_on,
        ends_on=row.ends_on,
        plan=row.plan,
        total_yen=row.total_yen,
        credit_yen=row.credit_yen,
        charged_yen=row.total_yen - row.credit_yen,
        tax_yen=row.tax_yen,
        tax_rate=fraction_text(rules.terms.at(row.starts_on).tax.rate),
        issued_on=row.issued_on,
        due_on=row.due_on,
        accelerated_on=row.accelerated_on,
        state=row.state,
        open_yen=row.open_yen,
        paid_on=row.paid_on,
    )
    return InvoiceExplanation(
        facts,
        _price_then(session, row, renewal),
        renewal,
        _credits(session, invoice_id),
        _settlements(session, invoice_id),
        tuple(
            event
            for event in in_order(money_events(session, row.account))
            if event.kind != "invoiced" and _about(event, invoice_id)
        ),
    )


def _price_then(session: Session, row: sa.Row[Any], renewal: bool) -> Price | None:
    """The price that the term took, of those recorded when it began; None where an earlier one was kept."""
    then = set(session.scalars(sa.select(price.c.id).where(price.c.recorded_at <= row.begun_at)))
    known = [each for each in load_prices(session) if each.recorded in then]
    try:
        found = price_at(known, row.plan, row.account, row.starts_on, renewal)
    except NoPriceError:
        return None
    return found if found.yen == row.price_yen else None


def _credits(session: Session, invoice_id: int) -> tuple[CreditTaken, ...]:
    """Credits taken off when the invoice was made."""
    rows = session.execute(
        sa.select(credit.c.month, credit.c.id, settlement.c.yen)
        .join(credit_application, credit_application.c.id == settlement.c.source_id)
        .join(credit, credit.c.id == credit_application.c.credit_id)
        .where(settlement.c.invoice_id == invoice_id, settlement.c.kind == "credit")
        .order_by(settlement.c.id)
    )
    return tuple(CreditTaken(row.id, row.month, row.yen) for row in rows)


def _settlements(session: Session, invoice_id: int) -> tuple[SettledPart, ...]:
    """What settled it since."""
    rows = session.execute(
        sa.select(settlement)
        .where(settlement.c.invoice_id == invoice_id, settlement.c.kind != "credit")
        .order_by(settlement.c.settled_on, settlement.c.id)
    )
    return tuple(
        SettledPart(
            row.kind, row.yen, row.settled_on, row.recorded_at, row.source_id if row.kind == "receipt" else None
        )
        for row in rows
    )  # fmt: skip


def _about(event: Event, invoice_id: int) -> bool:
    named = event.facts.get("invoice")
    parts = event.facts.get("allocation", ())
    return (
        named == invoice_id
        or (isinstance(named, list) and invoice_id in named)
        or any(part["invoice"] == invoice_id for part in parts)
    )
