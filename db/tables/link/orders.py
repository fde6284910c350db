"""Orders that are passed on to the partner, and what became of each.

    drafted ─> confirmed ─> sent ─┬─> accepted ─┬─> lapsed      accepted, and void a moment later
        └──────────┴> withdrawn   ├─> refused   └─> finished    the partner has done with it
                                  └─> unknown ──> accepted | refused | never_arrived (people say so, with ground)

Always holds (by the constraints below): an order is sent once, and only after its customer confirmed it with the text
shown; it has one definite answer; nothing follows what did not come before it. All of it is only ever added to.
No change and no cancellation is among the kinds: this service has none (api_link/6.5).
"""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Table,
    UniqueConstraint,
)
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import JSONB, TEXT

from keizoku.db.tables.base import day, identity, instant, metadata, text, yen
from keizoku.db.tables.link.grants import one_of

FOLLOWS = {
    "confirmed": ("drafted",),
    "withdrawn": ("drafted", "confirmed"),
    "sent": ("confirmed",),
    "unknown": ("sent",),
    "accepted": ("sent",),
    "refused": ("sent",),
    "never_arrived": ("unknown",),
    "lapsed": ("accepted",),
    "finished": ("accepted",),
}
"""What each kind of event follows; `drafted` is the first."""
_FOLLOWS = " OR ".join(
    f"(kind = '{kind}' AND follows IN ({', '.join(repr(each) for each in before)}))" for kind, before in FOLLOWS.items()
)

link_text = Table(
    "link_text",
    metadata,
    Column("digest", TEXT, primary_key=True),  # SHA-256 of the content
    text("content"),
    instant("recorded_at"),
    CheckConstraint("digest ~ '^[0-9a-f]{64}$' AND content <> ''", name="digest"),
)
"""What was shown with an order (api_link/6.4), each text once."""

link_order = Table(
    "link_order",
    metadata,
    identity(),
    Column("account", TEXT, ForeignKey("account.id"), nullable=False),
    Column("grant_id", BigInteger, ForeignKey("link_grant.id"), nullable=False),
    Column("reference", TEXT, nullable=False, unique=True),  # ours; an order is looked up by it
    text("product"),
    text("side"),
    Column("quantity", BigInteger, nullable=False),
    text("limit_price", nullable=True),  # as decimal text; null: at the market
    day("good_until", nullable=True),
    yen("fee_yen"),
    instant("drafted_at"),
    instant("recorded_at"),
    one_of("side", ("buy", "sell"), "side"),
    CheckConstraint("quantity > 0", name="some"),
    CheckConstraint("fee_yen = 0", name="free_of_charge"),  # api_link/6.6
    CheckConstraint("limit_price ~ '^[0-9]{1,9}([.][0-9]{1,4})?$'", name="price"),
    CheckConstraint("product <> '' AND reference <> ''", name="named"),
    Index("ix_link_order_account", "account"),
    Index("ix_link_order_grant_id", "grant_id"),
)

link_order_event = Table(
    "link_order_event",
    metadata,
    identity(),
    Column("order_id", BigInteger, ForeignKey("link_order.id"), nullable=False),
    Column("account", TEXT, nullable=False),
    text("kind"),
    text("follows", nullable=True),
    instant("occurred_at"),
    Column("text_digest", TEXT, ForeignKey("link_text.digest"), nullable=True),
    text("partner_id", nullable=True),  # the partner's number of the order; it has happened that none came
    text("code", nullable=True),
    text("author", nullable=True),
    text("ground", nullable=True),
    Column("use_id", BigInteger, ForeignKey("link_use.id"), nullable=True),
    Column("known_before", JSONB, nullable=True),  # digests of the orders that the partner listed before it went out
    instant("recorded_at"),
    CheckConstraint(f"(kind = 'drafted' AND follows IS NULL) OR {_FOLLOWS}", name="follows"),
    CheckConstraint("(kind = 'confirmed') = (text_digest IS NOT NULL)", name="confirmed_with_its_text"),
    CheckConstraint("(kind = 'sent') <= (use_id IS NOT NULL)", name="sent_with_a_token"),
    CheckConstraint("kind <> 'never_arrived' OR (author <> '' AND ground <> '') IS TRUE", name="said_by_people"),
    CheckConstraint("known_before IS NULL OR kind = 'sent'", name="known_when_sent"),
    CheckConstraint("partner_id IS NULL OR kind IN ('accepted', 'lapsed', 'finished')", name="number_of_accepted"),
    UniqueConstraint("order_id", "kind"),
    ForeignKeyConstraint(
        ["order_id", "follows"], ["link_order_event.order_id", "link_order_event.kind"], name="fk_link_order_chain"
    ),
    Index(
        "uq_link_order_event_one_answer",
        "order_id",
        unique=True,
        postgresql_where=sql("kind IN ('accepted', 'refused', 'never_arrived')"),
    ),
    Index(
        "uq_link_order_event_sent_or_withdrawn",
        "order_id",
        unique=True,
        postgresql_where=sql("kind IN ('sent', 'withdrawn')"),
    ),
    Index(
        "uq_link_order_event_one_end", "order_id", unique=True, postgresql_where=sql("kind IN ('lapsed', 'finished')")
    ),
    Index(
        "uq_link_order_event_partner_id",
        "account",
        "partner_id",
        unique=True,
        postgresql_where=sql("kind = 'accepted' AND partner_id IS NOT NULL"),
    ),
)
