"""Letters to users about decisions: a claim received, granted, rejected; a credit used; a contract that ended.

Always holds: one letter per kind and occasion (the fact that it tells of), so a night that runs again writes nothing.
A row holds the facts of its letter, as they were when it was written; the words are put to them when it is printed.
"""

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, Index, Integer, Table, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB

from keizoku.db.tables.base import day, identity, instant, metadata, text

LETTER_KINDS = (
    "claim_received",
    "claim_granted",
    "claim_rejected",
    "remedy",
    "credit",
    "refund",
    "contract_end",
    "terms",
    "link_lapses",
    "link_ended",
)

NOTICE_KINDS = (
    "renewal", "price", "overdue", "suspension", "resumption", "termination", "acceleration", "set_off", "write_off",
    "recalculation",
)  # fmt: skip
"""Of `user_notice`; the names of a notice are those of the document that it becomes when it goes out."""

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
    Index("ix_letter_written_at", "written_at"),
)

MAILING_STATES = ("begun", "deferred", "refused")

mailing = Table(
    "mailing",
    metadata,
    identity(),
    Column("notice_id", BigInteger, ForeignKey("user_notice.id"), nullable=True),
    Column("demand_id", BigInteger, ForeignKey("demand.id"), nullable=True),
    Column("letter_id", BigInteger, ForeignKey("letter.id"), nullable=True),
    Column("attempt", Integer, nullable=False),
    text("state"),
    text("reply", nullable=True),
    instant("recorded_at"),
    UniqueConstraint("notice_id", "attempt", "state"),
    UniqueConstraint("demand_id", "attempt", "state"),
    UniqueConstraint("letter_id", "attempt", "state"),
    CheckConstraint("num_nonnulls(notice_id, demand_id, letter_id) = 1", name="one_document"),
    CheckConstraint("attempt > 0", name="attempt"),
    CheckConstraint(f"state IN {MAILING_STATES}", name="state"),
    CheckConstraint("(state = 'begun') = (reply IS NULL)", name="answered"),
)
"""What became of giving a document to a mail server: begun before its text goes out, then put off or refused.

What the server took has a row in `handover`. One that is begun, with neither, has an outcome that nobody knows.
"""
