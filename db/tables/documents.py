"""Documents as they were issued: invoices and credit notes, each version kept once; found by day, sum and account.

Always holds: a version is never changed; a later one names the one that it replaces, and only one replaces each.
What stands on a document is here as it stood (`content`, Japanese and English), with its SHA-256. Users stand on it by
their account: their names are the host's.
"""

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, ForeignKey, Index, Integer, Table, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB

from keizoku.db.tables.base import day, identity, instant, metadata, text, yen

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
    CheckConstraint("kind IN ('invoice', 'credit_note')", name="kind"),
    CheckConstraint("version >= 1 AND (version = 1) = (supersedes IS NULL)", name="version_after_version"),
    CheckConstraint("issuer <> '' AND author <> '' AND account <> ''", name="is_signed"),
    CheckConstraint("qualified = (registration IS NOT NULL)", name="qualified_by_a_number"),
    CheckConstraint("jsonb_typeof(content) = 'object'", name="content_is_named"),
    CheckConstraint(r"sha256 ~ '^[0-9a-f]{64}$'", name="sha256_is_hex"),
    Index("ix_issued_document_issued_on", "issued_on"),
    Index("ix_issued_document_yen", "yen"),
    Index("ix_issued_document_account", "account"),
)
