"""The facts of a document for a user: an invoice with the credits that reduce it, or a credit that was granted.

Read only. Raises Refused, in one line, for what does not exist or for which no document is due.
"""

from __future__ import annotations

import sqlalchemy as sa

from keizoku.billing.rules.documents.invoice_document import (
    RETURN_INVOICE_FROM_YEN,
    CreditNote,
    CreditNoteLine,
    Statement,
    credit_note_due,
)
from keizoku.billing.rules.documents.issuer import Issuer
from keizoku.db.session import Session
from keizoku.db.tables.contracts import term
from keizoku.db.tables.money import credit, credit_application, invoice, settlement
from keizoku.terms.calendar import Month
from keizoku.terms.refusal import Refused
from keizoku.terms.rules import Rules


def statement_of(session: Session, rules: Rules, invoice_id: int, issuer: Issuer) -> Statement:
    """The facts of an invoice's billing statement."""
    row = session.execute(
        sa.select(invoice, term.c.plan, term.c.starts_on, term.c.ends_on)
        .join(term, term.c.id == invoice.c.term_id)
        .where(invoice.c.id == _number(invoice_id))
    ).first()
    if row is None:
        raise Refused(
            "invoice.unknown",
            f"there is no invoice {invoice_id}",
            "`keizoku account show ACCOUNT` names those of an account",
        )
    credits = session.execute(
        sa.select(credit.c.id, credit.c.month, settlement.c.yen)
        .join(credit_application, credit_application.c.id == settlement.c.source_id)
        .join(credit, credit.c.id == credit_application.c.credit_id)
        .where(settlement.c.invoice_id == row.id, settlement.c.kind == "credit")  # a set-off comes later
        .order_by(settlement.c.id)
    )
    found = Statement(
        invoice=row.id,
        account=row.account,
        plan=row.plan,
        method=row.method,
        starts_on=row.starts_on,
        ends_on=row.ends_on,
        issued_on=row.issued_on,
        due_on=row.due_on,
        total_yen=row.total_yen,
        tax_yen=row.tax_yen,
        tax_rate=rules.terms.at(row.starts_on).tax.rate,
        credits=tuple(CreditNoteLine(each.id, each.month, each.yen) for each in credits),
        issuer=issuer.on(row.issued_on),
        void=row.state == "void",
        pay_to=rules.discretion.transfer_account if row.method == "other" else "",
    )
    if found.total_yen - found.charged_yen != row.credit_yen:
        raise Refused(
            "invoice.credits_differ",
            f"invoice {row.id} is reduced by {row.credit_yen} yen, its credits sum to "
            f"{found.total_yen - found.charged_yen}",
            "see what `keizoku night --whole-audit` finds",
        )
    return found


def credit_note_of(session: Session, rules: Rules, credit_id: int, issuer: Issuer) -> CreditNote:
    """The facts of the document of what a credit gives back. Refused below the amount from which one is due."""
    row = session.execute(sa.select(credit).where(credit.c.id == _number(credit_id))).first()
    if row is None:
        raise Refused(
            "credit.unknown",
            f"there is no credit {credit_id}",
            "`keizoku account show ACCOUNT` names those of an account",
        )
    if not credit_note_due(row.granted_yen):
        raise Refused(
            "credit.too_small",
            f"credit {credit_id} is of {row.granted_yen:,} yen: below {RETURN_INVOICE_FROM_YEN:,} yen no return "
            "invoice is due",
            "the invoice that it reduces shows it",
        )
    return CreditNote(
        credit=row.id,
        account=row.account,
        month=row.month,
        granted_on=row.granted_on,
        yen=row.granted_yen,
        tax_rate=rules.terms.at(Month.parse(row.month).first_on).tax.rate,
        issuer=issuer.on(row.granted_on),
    )


def _number(of_a_row: int) -> int:
    """The number, or one that no row has where it is out of range."""
    return of_a_row if 0 < of_a_row < 2**63 else 0
