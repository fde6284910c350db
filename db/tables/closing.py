"""The month's close: what people close and reopen, what they post by hand, how they resolve exceptions.

Always holds (by the constraints below and db/tables/guards.py): nothing is posted on a day before `open_from` of the
newest row of month_act; each row of it carries the hash of the one before, so that none can be left out or changed
unseen. An entry is reversed once.
"""

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, Index, Table, UniqueConstraint
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import JSONB

from keizoku.db.tables.base import day, identity, instant, metadata, text, yen

month_act = Table(
    "month_act",
    metadata,
    identity(),
    text("month"),
    text("kind"),  # closed or reopened
    day("from_on", nullable=True),  # the days that the act is about: [from_on, to_on); open start for the first close
    day("to_on"),
    day("open_from", nullable=True),  # the first day on which entries may be posted after it
    Column("entries", BigInteger, nullable=False),
    text("content"),  # digest over these days' entries and lines, in order
    text("previous"),  # the hash of the act before; empty for the first
    text("hash"),
    text("author"),
    text("ground"),
    instant("recorded_at"),
    CheckConstraint("kind IN ('closed', 'reopened')", name="kind"),
    CheckConstraint("kind = 'closed' OR ground <> ''", name="reopened_with_ground"),
    CheckConstraint("author <> ''", name="by_somebody"),
    UniqueConstraint("previous"),
)

manual_entry = Table(
    "manual_entry",
    metadata,
    Column("entry_id", BigInteger, ForeignKey("entry.id"), primary_key=True),
    Column("reverses", BigInteger, ForeignKey("entry.id"), nullable=True),
    text("author"),
    text("ground"),
    instant("recorded_at"),
    UniqueConstraint("reverses"),
    CheckConstraint("author <> '' AND ground <> ''", name="by_somebody"),
)
"""Entries that people posted by hand, and who answers for them."""

exception_resolution = Table(
    "exception_resolution",
    metadata,
    identity(),
    text("month"),
    text("exception"),  # its key: type and the rows on its sides
    text("kind"),
    yen("yen"),
    Column("snapshot", JSONB, nullable=False),  # the exception as it was when it was resolved
    Column("entry_id", BigInteger, ForeignKey("entry.id"), nullable=True),
    text("author"),
    text("ground"),
    instant("recorded_at"),
    CheckConstraint("author <> '' AND ground <> ''", name="by_somebody"),
    Index("ix_exception_resolution_exception", "exception"),
)
"""What people made of an exception of the reconciliation; the newest row of one counts."""

reconciliation_result = Table(
    "reconciliation_result",
    metadata,
    identity(),
    text("month"),
    Column("exceptions", JSONB, nullable=False),  # those that waited for people, the largest first
    Column("left_off", BigInteger, nullable=False),  # how many more there were
    Column("standing", JSONB, nullable=True),  # all that was found of the month, where its close was checked
    instant("recorded_at"),
    Index("ix_reconciliation_result_month", "month", "id"),
    Index("ix_reconciliation_result_standing", "month", "id", postgresql_where=sql("standing IS NOT NULL")),
)
"""What a reconciliation left to people, where it differs from the one before it; the newest row of a month counts.

A check of the month's close is kept with all that it found each time.
"""
