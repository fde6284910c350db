"""Letters to users about decisions: a claim received, granted, rejected; a credit used; a contract that ended.

Always holds: one letter per kind and occasion (the fact that it tells of), so a night that runs again writes nothing.
A row holds the facts of its letter, as they were when it was written; the words are put to them when it is printed.
"""

from sqlalchemy import CheckConstraint, Column, Index, Table, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB

from keizoku.db.tables.base import day, identity, instant, metadata, text

LETTER_KINDS = ("claim_received", "claim_granted", "claim_rejected", "remedy", "credit", "refund", "contract_end")

letter = Table(
    "letter",
    metadata,
    identity(),
    text("account"),
    text("kind"),
    text("occasion"),
    day("written_on"),
    instant("written_at"),
    Column("facts", JSONB, nullable=False),
    UniqueConstraint("kind", "occasion"),
    CheckConstraint(f"kind IN {LETTER_KINDS}", name="kind"),
    CheckConstraint("account <> '' AND occasion <> ''", name="is_of_something"),
    CheckConstraint("jsonb_typeof(facts) = 'object'", name="facts_are_named"),
    Index("ix_letter_account", "account"),
)
