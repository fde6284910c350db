"""Endpoints that events are sent to, and what became of each: webhooks out (Standard Webhooks).

    webhook_endpoint ──< webhook_setting   where to, which types, on or off; the newest holds
                     ──< webhook_secret    sealed under a key outside the database; two may be alive
                     ─── webhook_place     up to which event it has come
                     ──< webhook_waiting   events that come again, or wait behind one of the same account
                     ──< webhook_delivery  each attempt, and its answer

An event itself is in `event_batch` alone: here is its place there.
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
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import JSONB

from keizoku.db.tables.base import identity, instant, metadata, text

__all__ = [
    "webhook_delivery",
    "webhook_endpoint",
    "webhook_place",
    "webhook_secret",
    "webhook_setting",
    "webhook_waiting",
]


def _of() -> Column[int]:
    return Column("endpoint_id", BigInteger, ForeignKey("webhook_endpoint.id"), nullable=False)


webhook_endpoint = Table(
    "webhook_endpoint",
    metadata,
    identity(),
    text("name"),
    instant("created_at"),
    text("created_by"),
    CheckConstraint("name <> '' AND created_by <> ''", name="by_somebody"),
)
"""An endpoint: whose it is."""

webhook_setting = Table(
    "webhook_setting",
    metadata,
    identity(),
    _of(),
    text("url"),
    Column("types", JSONB, nullable=False),
    Column("enabled", Boolean, nullable=False),
    text("by"),
    text("ground"),
    instant("recorded_at"),
    CheckConstraint("url ~ '^https?://[^[:space:]@#]+$'", name="url_without_login"),
    CheckConstraint("jsonb_typeof(types) = 'array'", name="types_are_a_list"),
    CheckConstraint("by <> ''", name="by_somebody"),
    Index("ix_webhook_setting_endpoint", "endpoint_id", "id"),
)
"""Where an endpoint is, which types of events it wants (none named: all), whether it is on: the newest row holds."""

webhook_secret = Table(
    "webhook_secret",
    metadata,
    identity(),
    _of(),
    text("key_id"),
    Column("sealed", LargeBinary, nullable=False),
    instant("made_at"),
    text("made_by"),
    instant("before_until", nullable=True),
    CheckConstraint("key_id <> '' AND made_by <> ''", name="by_somebody"),
    CheckConstraint("before_until IS NULL OR before_until >= made_at", name="two_for_a_while"),
    Index("ix_webhook_secret_endpoint", "endpoint_id", "id"),
)
"""What an endpoint's events are signed with: the newest, and until its `before_until` the one before it, too."""

webhook_place = Table(
    "webhook_place",
    metadata,
    Column("endpoint_id", BigInteger, ForeignKey("webhook_endpoint.id"), primary_key=True),
    Column("batch", BigInteger, nullable=False),
    Column("place", Integer, nullable=False),
    Column("turn", Integer, nullable=False),
    instant("failing_since", nullable=True),
    instant("rests_until", nullable=True),
    CheckConstraint("batch >= 0 AND place >= 0 AND turn >= 0", name="whole"),
)
"""Up to which event an endpoint has been served; `turn` rises when people set it back. All of it is a cache."""

webhook_waiting = Table(
    "webhook_waiting",
    metadata,
    identity(),
    _of(),
    Column("batch", BigInteger, nullable=False),
    Column("place", Integer, nullable=False),
    Column("attempts", Integer, nullable=False),
    instant("next_at", nullable=True),
    instant("ended_at", nullable=True),
    UniqueConstraint("endpoint_id", "batch", "place"),
    CheckConstraint("batch > 0 AND place > 0 AND attempts >= 0", name="whole"),
    Index("ix_webhook_waiting_open", "endpoint_id", "batch", "place", postgresql_where=sql("ended_at IS NULL")),
)
"""An event that an endpoint did not take, or that waits behind such a one of the same account."""

webhook_delivery = Table(
    "webhook_delivery",
    metadata,
    identity(),
    _of(),
    text("event"),
    text("type"),
    Column("attempt", Integer, nullable=False),
    text("outcome"),
    Column("status", Integer, nullable=True),
    text("why", nullable=True),
    instant("sent_at"),
    Column("milliseconds", Integer, nullable=False),
    CheckConstraint("outcome IN ('delivered', 'failed', 'given_up')", name="outcome"),
    CheckConstraint("(outcome = 'delivered') = (why IS NULL)", name="why_not"),
    CheckConstraint("attempt > 0 AND milliseconds >= 0", name="whole"),
    Index("ix_webhook_delivery_endpoint", "endpoint_id", "id"),
)
"""An attempt to give an event to an endpoint, and how it was answered. Neither body nor answer is kept."""
