"""The journal, revenue by day, and what the nights did.

Always holds (by the guards in db/tables/guards.py): every entry balances, all lines of an entry come in one
statement, nothing of the journal is ever changed or removed. One entry per event key.
"""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
)
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import JSONB, TEXT

from keizoku.db.tables.base import day, identity, instant, metadata, text, yen

entry = Table(
    "entry",
    metadata,
    identity(),
    day("posted_on"),
    text("event"),
    text("event_key"),
    text("clause"),
    Column("account", TEXT, nullable=True),
    text("belongs_to", nullable=True),  # the closed month that it is about, where its own day was closed
    instant("recorded_at"),
    UniqueConstraint("event_key"),
    Index("ix_entry_posted_on", "posted_on", "id"),  # an account of the chart is paged in this order
    Index("ix_entry_account", "account", "id", postgresql_where=sql("account IS NOT NULL")),
)

line = Table(
    "line",
    metadata,
    Column("entry_id", BigInteger, nullable=False),  # refers by SHARED_REFERENCES (guards)
    Column("seq", Integer, nullable=False),
    text("code"),
    yen("yen"),
    PrimaryKeyConstraint("entry_id", "seq"),
    CheckConstraint("yen <> 0", name="not_zero"),
)

revenue_posting = Table(
    "revenue_posting",
    metadata,
    day("day"),
    text("plan"),
    Column("revision", Integer, nullable=False),
    yen("yen"),
    yen("tax_yen"),
    Column("entry_id", BigInteger, ForeignKey("entry.id"), nullable=False),
    instant("recorded_at"),
    PrimaryKeyConstraint("day", "plan", "revision"),
)

term_closure = Table(
    "term_closure",
    metadata,
    Column("term_id", BigInteger, ForeignKey("term.id"), primary_key=True),
    yen("recognised_before_yen"),
    yen("rest_yen"),
    yen("rest_tax_yen"),
    day("closed_on"),
    instant("recorded_at"),
)

stage_run = Table(
    "stage_run",
    metadata,
    day("business_date"),
    text("stage"),
    instant("started_at"),
    instant("finished_at"),
    Column("changes", Integer, nullable=False),
    Column("runs", Integer, nullable=False),
    PrimaryKeyConstraint("business_date", "stage"),
)

certificate = Table(
    "certificate",
    metadata,
    identity(),
    day("business_date"),
    instant("issued_at"),
    text("state"),
    Column("counts", JSONB, nullable=False),
    Column("sums", JSONB, nullable=False),
    Column("differences", JSONB, nullable=False),
    Column("floors", JSONB, nullable=False),
    Column("carried", JSONB, nullable=False),
    day("audited_whole_on"),
    # what the night left to people and to the next one: "terms: contract 7"
    Column("set_aside", JSONB, nullable=False, server_default="[]"),
    # how many of what each stage wrote, and their yen; not part of the hash
    Column("wrote", JSONB, nullable=False, server_default="[]"),
    text("hash"),
    CheckConstraint("state IN ('ok', 'differences')", name="state"),
    Index("ix_certificate_business_date", "business_date"),
)
