"""What operations did: upgrades; backups, copy by copy (append-only; no contents, no keys); a night's shared work.

What may change: the state and the changes of a range of `night_range`, once, when its work is done.
"""

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, Integer, Table
from sqlalchemy import text as sql_text
from sqlalchemy.dialects.postgresql import JSONB

from keizoku.db.tables.base import day, identity, instant, metadata, text

schema_release = Table(
    "schema_release",
    metadata,
    identity(),
    text("release"),
    text("revision"),
    text("fingerprint"),
    instant("applied_at"),
    text("by"),
)
"""A row for each upgrade: the release that made the tables, their revision, and the fingerprint of their shape."""

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
    CheckConstraint("outcome IN ('stored', 'failed', 'removed', 'verified', 'unsound')", name="outcome"),
    CheckConstraint("(outcome = 'stored') <= (sha256 IS NOT NULL)", name="stored_is_known"),
    CheckConstraint("(outcome = 'unsound') <= (why IS NOT NULL)", name="unsound_says_why"),
    Index("ix_backup_copy_taken_at", "taken_at"),
)
"""What became of each copy, and when: written or not, removed after its time, read back and found whole or unsound."""

night_range = Table(
    "night_range",
    metadata,
    identity(),
    day("business_date"),
    text("part"),
    Column("first_contract", BigInteger, nullable=False),
    Column("last_contract", BigInteger, nullable=False),
    instant("assigned_at"),
    text("state"),
    Column("changes", Integer, nullable=True),
    CheckConstraint("state IN ('open', 'done', 'left')", name="state"),
    CheckConstraint("first_contract <= last_contract", name="range"),
    CheckConstraint("(state = 'done') = (changes IS NOT NULL)", name="done_is_counted"),
    Index("ix_night_range_open", "id", postgresql_where=sql_text("state = 'open'")),
)
"""Ranges of contracts that the processes of a night take from one another; `left` when the night was stopped first."""

night_word = Table(
    "night_word",
    metadata,
    identity(),
    text("kind"),
    day("business_date", nullable=True),
    text("author"),
    text("ground"),
    Column("shown", JSONB, nullable=False),  # of an approval: [figure, number or yen, value], what lay above limits
    instant("recorded_at"),
    CheckConstraint("kind IN ('hold', 'release', 'approve')", name="kind"),
    CheckConstraint("(kind = 'approve') = (business_date IS NOT NULL)", name="approves_a_night"),
    CheckConstraint("author <> '' AND ground <> ''", name="by_somebody"),
)
"""What people say of the money of nights: it waits from now on, it moves again, it moves on this date."""
