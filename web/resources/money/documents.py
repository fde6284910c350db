"""Documents: invoices and credit notes as they were issued, letters for users, search over all of them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any, Literal

from pydantic import Field

from keizoku.billing.closing.issue_run import issue_month
from keizoku.billing.documents.addressees import Naming
from keizoku.billing.documents.invoice_documents import credit_note_of, statement_of
from keizoku.billing.documents.issued_documents import (
    DocumentSearch,
    Issuing,
    as_issued,
    found,
    kept,
    printed_document,
)
from keizoku.billing.documents.issued_documents import issue as issue_version
from keizoku.billing.documents.outbox import document, waiting
from keizoku.billing.rules.documents.invoice_document import credit_note_document, invoice_document, unissued
from keizoku.db.account_reads import noted
from keizoku.db.tables.documents import INVOICE_KINDS
from keizoku.scheduler.directories import DirectorySettingsError, naming_of
from keizoku.scheduler.reports.work_seen import seen_by
from keizoku.terms.calendar import Month
from keizoku.terms.refusal import Refused
from keizoku.web.calls.answers import listed
from keizoku.web.calls.call import Call, Listing, number_in
from keizoku.web.calls.operation import Resource
from keizoku.web.calls.values import Day, Id, Instant, Lang, MonthText, Number, Yen
from keizoku.web.identity.principal import MEMBER

__all__ = ["documents"]

documents = Resource("documents", "Invoices, credit notes and letters.")

DocumentId = Annotated[str, Field(pattern="^[NDL][0-9]{1,18}$", description="N12 a notice, D3 a demand, L7 a letter")]
Handed = listed("HandedOver", id=str, recorded=bool)
Reissued = listed("DocumentReissued", kind=str, number=int, issued=bool)
Kind = Literal["invoice", "credit_note"]
Issued = listed("DocumentsIssued", month=str, issued=int)


@documents.question("/invoices/{number}/document", command="invoice show", answer=dict[str, Any])
def invoice(call: Call, number: Number, *, lang: Lang = "ja") -> Any:
    """An invoice as its document: as it was issued, or as it would be."""
    now = statement_of(call.session, call.rules, number, call.settings.issuer())
    noted(now.account, "invoice show")
    issued = as_issued(call.session, "invoice", number, lang)
    return asdict(issued or unissued(invoice_document(now, lang), now.issuer))


@documents.question("/credits/{number}/document", command="invoice credit-note", answer=dict[str, Any])
def credit_note(call: Call, number: Number, *, lang: Lang = "ja") -> Any:
    """A credit's note as its document."""
    now = credit_note_of(call.session, call.rules, number, call.settings.issuer())
    noted(now.account, "invoice credit-note")
    issued = as_issued(call.session, "credit_note", number, lang)
    return asdict(issued or unissued(credit_note_document(now, lang), now.issuer))


@documents.list("/documents", command="documents list", row=dict[str, Any], member=True)
def search(
    call: Call,
    *,
    from_on: Day | None = None,
    to_on: Day | None = None,
    from_yen: Yen | None = None,
    to_yen: Yen | None = None,
    account: Id | None = None,
) -> Listing:
    """Documents as they were issued, by day, sum and counterparty, any of them together (電子帳簿保存法)."""
    wanted = DocumentSearch(from_on, to_on, from_yen, to_yen, account)

    def read(limit: int, after: str) -> Any:
        return [each.to_json() for each in found(call.session, wanted, limit=limit, after=number_in(after) or 0)]

    return Listing(read)


@documents.question("/documents/{number}", command="documents show", answer=dict[str, Any], member=True)
def show(call: Call, number: Number, *, lang: Lang = "ja") -> Any:
    """One document as it was issued, to its account: names stand on pages and PDF files alone."""
    row = kept(call.session, number)
    if row.kind in INVOICE_KINDS:
        return asdict(printed_document(row, lang))
    said: dict[str, Any] = row.content[lang]
    return said


@documents.act("/months/{month}/issue-documents", command="documents issue", answer=Issued)
def issue(call: Call, month: MonthText) -> Any:
    """Issue the documents of a month: each is stored once, for good."""
    about = Month.parse(month)
    issuing = Issuing(call.settings.issuer(), call.author, call.now, _naming(call))
    return {"month": month, "issued": issue_month(call.session, call.rules, about, issuing)}


@documents.act("/documents/reissue", command="documents reissue", answer=Reissued)
def reissue(call: Call, *, kind: Kind, number: Number) -> Any:
    """Issue a corrected invoice or credit note: a further version that names the one it replaces; both stay."""
    naming = _naming(call)
    issuing = Issuing(call.settings.issuer(), call.author, call.now, naming)
    added = issue_version(call.session, call.rules, kind, number, issuing, anew=True)
    for account, why in naming.unfit.items() if naming is not None else ():
        raise Refused("directory.silent", f"{account}: not issued: {why}", "mend its name and address")
    return {"kind": kind, "number": number, "issued": bool(added)}


@documents.list("/letters", command="notice list", row=dict[str, Any], member=True)
def letters(call: Call, *, account: Id | None = None, kind: Id | None = None, also_sent: bool = False) -> Listing:
    """Letters that wait for the mailer, in the order in which they were written; or all of them."""
    all_wait = account is None and not also_sent and call.role != MEMBER

    def read(limit: int, after: str) -> Any:
        rows = waiting(
            call.session,
            account=account,
            kinds=(kind,) if kind else (),
            also_handed_over=also_sent,
            limit=limit,
            after=after,
            among=seen_by(call.session).unsent() if all_wait else None,
        )
        return [each.to_json() for each in rows]

    return Listing(read)


@documents.question("/letters/{number}", command="notice show", answer=dict[str, Any], member=True)
def letter(call: Call, number: DocumentId) -> Any:
    """One letter."""
    return document(call.session, number).to_json()


@documents.act("/letters/{number}/mark-sent", command="notice mark-sent", answer=Handed)
def mark_sent(call: Call, number: DocumentId, *, at: Instant | None = None) -> Any:
    """A letter was handed to the mailer: recorded once, for good."""
    issuer = call.settings.issuer()
    fresh = call.billing.hand_over(number, by=call.author, handed_at=at or call.now, issuer=issuer, now=call.now)
    return {"id": number, "recorded": fresh}


def _naming(call: Call) -> Naming | None:
    try:
        return naming_of(call.settings)
    except DirectorySettingsError as error:
        raise Refused("directory.silent", str(error), "mend the setting") from None
