"""What operations did: backups, copy by copy. Append-only; nothing of the contents, no keys."""

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, Table

from db.tables.base import identity, instant, metadata, text

backup_copy = Table(
    "backup_copy",
    metadata,
    identity(),
    text("backup"),
    text("store"),
    text("outcome"),
    Column("bytes", BigInteger, nullable=True),
    text("sha256", nullable=True),
    text("why", nullable=True),
    instant("taken_at"),
    instant("recorded_at"),
    CheckConstraint("outcome IN ('stored', 'failed', 'removed')", name="outcome"),
    CheckConstraint("(outcome = 'stored') <= (sha256 IS NOT NULL)", name="stored_is_known"),
    Index("ix_backup_copy_taken_at", "taken_at"),
)
