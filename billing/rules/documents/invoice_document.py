"""The billing statement of an invoice, and the credit note of a large credit, as users see them.

    Statement ──> Document (title, fields, rows, totals, notes) ──> page, PDF, terminal

Pure. Decides which document it is: a qualified invoice (適格請求書) only where the issuer's number is in force on the
day of issue, a billing statement otherwise; a return invoice (適格返還請求書) is due for a credit from 10,000
yen on. Always holds: the tax is that of the document, rounded once after credits; no receipt is issued (premium/5.5),
and no document says that something was paid. Amounts are whole yen, tax included; days are JST dates.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from fractions import Fraction

from keizoku.billing.rules.documents.addressee import Addressee
from keizoku.billing.rules.documents.issuer import Issuer
from keizoku.billing.rules.payment_reference import INVOICE, Reference
from keizoku.terms import words
from keizoku.terms.money import tax_included_yen
from keizoku.terms.rendering import Lang, sentence

RETURN_INVOICE_FROM_YEN = 10_000
"""Below it no return invoice is due (Consumption Tax Act 57-4 (3), its Cabinet Order 70-9 (3)(ii); checked 2026-11)."""


@dataclass(frozen=True, slots=True)
class CreditNoteLine:
    """A credit that reduces an invoice: for the stops of which month."""

    credit: int
    month: str
    yen: int


@dataclass(frozen=True, slots=True)
class Statement:
    """What an invoice asks for."""

    invoice: int
    account: str
    plan: str
    method: str
    starts_on: date
    ends_on: date
    issued_on: date
    due_on: date
    total_yen: int
    tax_yen: int
    tax_rate: Fraction
    credits: tuple[CreditNoteLine, ...]
    issuer: Issuer
    void: bool = False
    pay_to: str = ""  # the bank account, where it is paid by transfer and one is set

    @property
    def charged_yen(self) -> int:
        """What is left after credits."""
        return self.total_yen - sum(each.yen for each in self.credits)


@dataclass(frozen=True, slots=True)
class CreditNote:
    """What was given back for the stops of a month."""

    credit: int
    account: str
    month: str
    granted_on: date
    yen: int
    tax_rate: Fraction
    issuer: Issuer


@dataclass(frozen=True, slots=True)
class PrintedDocument:
    """A document in one language, ready to be drawn; amounts are yen, below zero for what is taken off."""

    lang: Lang
    title: str
    fields: tuple[tuple[str, str], ...]
    rows: tuple[tuple[str, int], ...]
    totals: tuple[tuple[str, int], ...]
    notes: tuple[str, ...]
    addressee: tuple[str, ...] = ()  # the user's name and address, a line each, where the document bears them


def invoice_document(facts: Statement, lang: Lang) -> PrintedDocument:
    """The billing statement of an invoice, which is never a receipt."""
    ja = lang == "ja"
    number = facts.issuer.number_on(facts.issued_on)
    kind = "qualified" if number else "statement"
    percent = words.percent(facts.tax_rate, ja)
    last_on = facts.ends_on - timedelta(days=1)
    notes = [_say("tax", lang)]
    if facts.credits:
        notes.append(_say("credits", lang))
    if facts.void:
        notes.insert(0, _say("void", lang))
    if not facts.issuer.name:
        notes.insert(0, _say("draft", lang))
    return PrintedDocument(
        lang,
        _title(kind, facts.issuer, lang),
        (
            *_heading(facts.issuer, number, lang),
            (_say("field.to", lang), _say("to", lang, account=facts.account)),
            (_say("field.number", lang), str(facts.invoice)),
            (_say("field.issued", lang), words.day(facts.issued_on, ja)),
            (_say("field.due", lang), words.day(facts.due_on, ja)),
            (_say("field.method", lang), sentence(f"word.method.{facts.method}", lang, {})),
            *_transfer(facts, lang),
        ),
        (
            (
                _say(
                    "row.term", lang, plan=facts.plan, starts_on=facts.starts_on.isoformat(),
                    last_on=last_on.isoformat(),
                ),
                facts.total_yen,
            ),
            *(
                (_say("row.credit", lang, outage_month=each.month, credit=each.credit), -each.yen)
                for each in facts.credits
            ),
        ),
        (
            (_say("total.rate", lang, percent=percent), facts.charged_yen),
            (_say("total.tax", lang, percent=percent), facts.tax_yen),
            (_say("total.charged", lang), facts.charged_yen),
        ),
        tuple(notes),
    )  # fmt: skip


def _transfer(facts: Statement, lang: Lang) -> list[tuple[str, str]]:
    """Where to pay it and what to state, if it is paid by transfer and something is left to pay."""
    if not facts.pay_to or facts.void or not facts.charged_yen:
        return []
    reference = str(Reference(INVOICE, facts.invoice))
    named = (("pay_to", facts.pay_to), ("reference", reference))
    return [(sentence(f"letter.item.{name}", lang, {}), text) for name, text in named]


def credit_note_due(yen: int) -> bool:
    """Whether what was given back wants a document of its own."""
    return yen >= RETURN_INVOICE_FROM_YEN


def credit_note_document(facts: CreditNote, lang: Lang) -> PrintedDocument:
    """The document of what was given back; a return invoice where the issuer's number is in force on its day."""
    ja = lang == "ja"
    number = facts.issuer.number_on(facts.granted_on)
    percent = words.percent(facts.tax_rate, ja)
    return PrintedDocument(
        lang,
        _title("qualified_return" if number else "return", facts.issuer, lang),
        (
            *_heading(facts.issuer, number, lang),
            (_say("field.to", lang), _say("to", lang, account=facts.account)),
            (_say("field.credit", lang), str(facts.credit)),
            (_say("field.returned", lang), words.day(facts.granted_on, ja)),
            (_say("field.of", lang), words.month(facts.month, ja)),
        ),
        ((_say("row.credit", lang, outage_month=facts.month, credit=facts.credit), -facts.yen),),
        (
            (_say("total.rate", lang, percent=percent), -facts.yen),
            (_say("total.tax", lang, percent=percent), -tax_included_yen(facts.yen, facts.tax_rate)),
        ),
        (*(() if facts.issuer.name else (_say("draft", lang),)), _say("returned", lang)),
    )


def to_addressee(document: PrintedDocument, account: str, addressee: Addressee | None) -> PrintedDocument:
    """A document that names its addressee; the account stays on it as the number of a customer."""
    if addressee is None:
        return document
    to, number = _say("field.to", document.lang), _say("field.customer", document.lang)
    name = _say("to", document.lang, account=addressee.name)
    fields = tuple(line for field in document.fields for line in ([(number, account)] if field[0] == to else [field]))
    return replace(document, fields=fields, addressee=(*addressee.lines, name))


def unissued(document: PrintedDocument, issuer: Issuer) -> PrintedDocument:
    """What has not been issued is a copy and says so; of nobody it is called a draft already."""
    if not issuer.name:
        return document
    title = _say("title.copy", document.lang, called=document.title)
    return replace(document, title=title, notes=(_say("copy", document.lang), *document.notes))


def _title(kind: str, issuer: Issuer, lang: Lang) -> str:
    """What it is called; of nobody it is a draft."""
    called = _say(f"title.{kind}", lang)
    return called if issuer.name else _say("title.draft", lang, called=called)


def _heading(issuer: Issuer, number: str | None, lang: Lang) -> list[tuple[str, str]]:
    known = (("issuer", issuer.name), ("address", issuer.address), ("registration", number or ""))
    return [(_say(f"field.{name}", lang), text) for name, text in known if text]


def _say(key: str, lang: Lang, **facts: object) -> str:
    return sentence(f"document.{key}", lang, facts)
