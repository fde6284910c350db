"""Documents as they were issued: invoices, credit notes and letters, each version kept once, found by day and sum.

Always holds: a version is never changed; a later one names the one that it replaces, and only one replaces each.
What stands on a document is here as it stood (`content`, Japanese and English), with its SHA-256. Users stand in it by
their account; their name and address, where a document bears them, are sealed under a key that is not in the database.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import JSONB

from keizoku.db.tables.base import day, identity, instant, metadata, text, yen
from keizoku.db.tables.letters import LETTER_KINDS, NOTICE_KINDS

INVOICE_KINDS = ("invoice", "credit_note")
DOCUMENT_KINDS = (*INVOICE_KINDS, *NOTICE_KINDS, "demand", *LETTER_KINDS)
"""Kinds of documents; `number` is the number within the series of its kind: of invoices, notices (N), demands (D), …"""

issued_document = Table(
    "issued_document",
    metadata,
    identity(),
    text("kind"),
    Column("number", BigInteger, nullable=False),
    Column("version", Integer, nullable=False),
    Column("supersedes", BigInteger, ForeignKey("issued_document.id"), nullable=True),
    text("account"),
    day("issued_on"),
    yen("yen"),
    yen("tax_yen"),
    text("issuer"),
    text("registration", nullable=True),
    Column("qualified", Boolean, nullable=False),
    Column("content", JSONB, nullable=False),
    text("sha256"),
    text("author"),
    instant("stored_at"),
    UniqueConstraint("kind", "number", "version"),
    UniqueConstraint("supersedes"),
    CheckConstraint(f"kind IN {DOCUMENT_KINDS}", name="kind"),
    CheckConstraint("version >= 1 AND (version = 1) = (supersedes IS NULL)", name="version_after_version"),
    CheckConstraint("author <> '' AND account <> ''", name="is_signed"),
    CheckConstraint(f"issuer <> '' OR kind NOT IN {INVOICE_KINDS}", name="invoices_have_an_issuer"),
    CheckConstraint("qualified = (registration IS NOT NULL)", name="qualified_by_a_number"),
    CheckConstraint("jsonb_typeof(content) = 'object'", name="content_is_named"),
    CheckConstraint(r"sha256 ~ '^[0-9a-f]{64}$'", name="sha256_is_hex"),
    Index("ix_issued_document_issued_on", "issued_on"),
    Index("ix_issued_document_yen", "yen"),
    Index("ix_issued_document_account", "account"),
)

issued_addressee = Table(
    "issued_addressee",
    metadata,
    identity(),
    Column("document_id", BigInteger, ForeignKey("issued_document.id"), nullable=False),
    text("key_id"),
    Column("sealed", LargeBinary, nullable=False),
    instant("recorded_at"),
    Index("ix_issued_addressee_document_id", "document_id", "id"),
    CheckConstraint("key_id <> '' AND octet_length(sealed) > 28", name="is_sealed"),
)
"""To whom a document went by name: sealed (AES-GCM) under the key of this id; sealed again, it is a further row.

The newest row of a document holds. A key that nobody has any more makes what it sealed unreadable for good.
"""
