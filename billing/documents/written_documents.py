"""Every document that was written to an account, of every kind, in the order of writing: invoices as letters.

    invoice, credit_note       rows of their own; a credit has a note from the amount on from which one is due
    notices, demands, letters  as they were written; that a claim was received, in the place of its receipt

Read only. What one night wrote at one instant stands in the order of its stages.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final

import sqlalchemy as sa

from keizoku.billing.rules.documents.invoice_document import RETURN_INVOICE_FROM_YEN
from keizoku.db.account_reads import noted
from keizoku.db.session import Session
from keizoku.terms.read_model import ReadModel


@dataclass(frozen=True, slots=True, eq=False)
class WrittenDocument(ReadModel):
    """A document of an account: the JST day that it bears, and its kind."""

    on: date
    kind: str


_ALL: Final = sa.text("""
    SELECT day, kind FROM (
        SELECT granted_on, 'credit_note', recorded_at, 1, id FROM credit
        WHERE account = :account AND granted_yen >= :note_from
        UNION ALL
        SELECT issued_on, 'invoice', issued_at, 2, id FROM invoice
        WHERE contract_id = ANY (ARRAY(SELECT id FROM contract WHERE account = :account)) AND account = :account
        UNION ALL
        SELECT written_on, kind, written_at, CASE WHEN kind IN ('renewal', 'price') THEN 5 ELSE 3 END, id
        FROM user_notice WHERE account = :account
        UNION ALL
        SELECT demanded_on, 'demand', written_at, 4, id FROM demand WHERE account = :account
        UNION ALL
        SELECT written_on, kind, coalesce(received_at, written_at), 6, letter.id
        FROM letter LEFT JOIN claim ON kind = 'claim_received' AND claim.id = occasion
        WHERE letter.account = :account
    ) AS written (day, kind, at, place, id)
    ORDER BY at, place, id
""")


def documents_view(session: Session, account: str) -> list[WrittenDocument]:
    """The documents of an account, in order."""
    noted(account, "documents_view")
    rows = session.execute(_ALL, {"account": account, "note_from": RETURN_INVOICE_FROM_YEN})
    return [WrittenDocument(row.day, row.kind) for row in rows]
