"""Stops and changes of the linked service, security events, and what people found about its use.

api_link/10.4 and 11.2 let the service be limited, stopped or changed with the partner's, if need be without notice;
5.7 lets data be disclosed to the partner after a leak or misuse, which may then stop its API. Rows are only added.
"""

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, Index, Integer, Table
from sqlalchemy.dialects.postgresql import TEXT

from keizoku.db.tables.base import identity, instant, metadata, text
from keizoku.db.tables.link.grants import one_of

link_stop = Table(
    "link_stop",
    metadata,
    identity(),
    text("kind"),
    text("whose"),
    text("scope"),
    Column("account", TEXT, ForeignKey("account.id"), nullable=True),  # null: of every customer
    text("clause"),
    text("what"),
    instant("from_at"),
    text("author"),
    text("ground"),
    instant("recorded_at"),
    one_of("kind", ("stop", "change"), "kind"),
    one_of("whose", ("partner", "operator"), "whose"),
    one_of("scope", ("all", "data", "orders"), "scope"),
    one_of("clause", ("5.7", "10.4", "11.2"), "clause"),
    CheckConstraint("author <> '' AND ground <> '' AND what <> ''", name="by_somebody"),
    CheckConstraint("clause <> '11.2' OR account IS NULL", name="announced_to_all"),
    CheckConstraint("kind = 'stop' OR clause = '11.2'", name="changes_with_the_partner"),
    Index("ix_link_stop_account", "account"),
)

link_stop_end = Table(
    "link_stop_end",
    metadata,
    Column("stop_id", BigInteger, ForeignKey("link_stop.id"), primary_key=True),
    instant("ended_at"),
    text("author"),
    instant("recorded_at"),
    CheckConstraint("author <> ''", name="by_somebody"),
)

link_announcement = Table(
    "link_announcement",
    metadata,
    identity(),
    Column("stop_id", BigInteger, ForeignKey("link_stop.id"), nullable=False),
    text("place"),
    instant("announced_at"),
    text("author"),
    text("ground", nullable=True),  # why it came afterwards, where it did
    instant("recorded_at"),
    CheckConstraint("author <> '' AND place <> ''", name="by_somebody"),
    Index("ix_link_announcement_stop_id", "stop_id"),
)

link_security_event = Table(
    "link_security_event",
    metadata,
    identity(),
    text("kind"),
    Column("account", TEXT, ForeignKey("account.id"), nullable=True),
    text("what"),
    instant("occurred_at"),
    text("author"),
    text("ground"),
    instant("recorded_at"),
    one_of("kind", ("leak", "feared_leak", "misuse", "feared_misuse"), "kind"),
    CheckConstraint("author <> '' AND ground <> '' AND what <> ''", name="by_somebody"),
    Index("ix_link_security_event_account", "account"),
)

link_disclosure = Table(
    "link_disclosure",
    metadata,
    identity(),
    Column("event_id", BigInteger, ForeignKey("link_security_event.id"), nullable=False),
    Column("account", TEXT, ForeignKey("account.id"), nullable=False),
    text("recipient"),
    text("what"),  # kinds of data, never the data themselves
    instant("occurred_at"),
    text("author"),
    text("ground"),
    instant("recorded_at"),
    CheckConstraint("author <> '' AND ground <> '' AND what <> '' AND recipient <> ''", name="by_somebody"),
    Index("ix_link_disclosure_account", "account"),
    Index("ix_link_disclosure_event_id", "event_id"),
)

link_load_ruling = Table(
    "link_load_ruling",
    metadata,
    identity(),
    Column("account", TEXT, ForeignKey("account.id"), nullable=False),
    text("outcome"),
    instant("from_at"),
    instant("to_at"),
    Column("fetches", Integer, nullable=False),  # as they were counted when people ruled
    text("author"),
    text("ground"),
    instant("recorded_at"),
    one_of("outcome", ("forbidden", "allowed"), "outcome"),
    CheckConstraint("author <> '' AND ground <> ''", name="by_somebody"),
    CheckConstraint("from_at < to_at AND fetches >= 0", name="counted"),
    Index("ix_link_load_ruling_account", "account"),
)
"""Whether people found that a customer's fetches load the system (api_link/9.2)."""

simulated_link_order = Table(
    "simulated_link_order",
    metadata,
    Column("reference", TEXT, primary_key=True),
    text("account"),
    text("partner_id", nullable=True),
    text("state"),
    instant("recorded_at"),
    one_of("state", ("working", "lapsed", "finished"), "state"),
)
"""The simulated partner's own book of orders."""
