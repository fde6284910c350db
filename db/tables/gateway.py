"""What we know of the card gateway's side: customers, saved cards, events, and the gateway's own books.

Only ids of the gateway and of ours; no card number and nothing personal ever reaches these rows. All but the
cursor is append-only: what the gateway says anew about an object is a further row with its own time. Set once:
overpayment_refund.{outcome, code, gateway_id, settled_on, settled_at, answer_recorded_at}, and, after it had succeeded,
overpayment_refund.{failed_on, failed_at, failed_code, failure_recorded_at}.
"""

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, ForeignKey, Index, Table, UniqueConstraint
from sqlalchemy import (
    text as sql,
)
from sqlalchemy.dialects.postgresql import TEXT

from keizoku.db.tables.base import day, identity, instant, metadata, text, yen

gateway_binding = Table(
    "gateway_binding",
    metadata,
    identity(),
    text("account", nullable=True),  # at the gateway, by its id; null: the key had no right to know
    Column("livemode", Boolean, nullable=False),
    text("author"),
    text("ground"),
    Column("replaces", BigInteger, ForeignKey("gateway_binding.id"), nullable=True),
    instant("recorded_at"),
    CheckConstraint("author <> '' AND ground <> ''", name="by_somebody"),
    UniqueConstraint("replaces", name="uq_gateway_binding_replaces", postgresql_nulls_not_distinct=True),
)
"""The one account and mode at the gateway that this database belongs to: the last row holds, each replaces one."""

gateway_customer = Table(
    "gateway_customer",
    metadata,
    Column("account", TEXT, primary_key=True),
    text("customer_id"),
    instant("recorded_at"),
    UniqueConstraint("customer_id"),
)

saved_card = Table(
    "saved_card",
    metadata,
    identity(),
    text("account"),
    text("customer_id"),
    text("payment_method_id"),
    text("setup_id"),
    instant("recorded_at"),
    UniqueConstraint("setup_id"),
    Index("ix_saved_card_account", "account", "id"),
)

card_end = Table(
    "card_end",
    metadata,
    Column("card_id", BigInteger, ForeignKey("saved_card.id"), primary_key=True),
    instant("ended_at"),
    instant("recorded_at"),
)
"""A saved card that is no longer charged; attempts that began before that keep it."""

gateway_event = Table(
    "gateway_event",
    metadata,
    Column("id", TEXT, primary_key=True),
    text("kind"),
    text("about"),  # the object that the event speaks of, by its id
    instant("happened_at"),
    instant("recorded_at"),
    Index(
        "ix_gateway_event_refund",
        "about",
        postgresql_where=sql("kind IN ('refund.failed', 'refund.updated', 'charge.refund.updated')"),
    ),
    Index("ix_gateway_event_dispute", "about", postgresql_where=sql("starts_with(kind, 'charge.dispute.')")),
)

gateway_cursor = Table(
    "gateway_cursor",
    metadata,
    Column("name", TEXT, primary_key=True),
    instant("seen_to"),
)

balance_transaction = Table(
    "balance_transaction",
    metadata,
    Column("id", TEXT, primary_key=True),
    text("kind"),  # charge, refund, payout, adjustment, … as the gateway names it
    Column("amount", BigInteger, nullable=False),
    Column("fee", BigInteger, nullable=False),
    Column("fee_tax", BigInteger, nullable=False),
    Column("net", BigInteger, nullable=False),
    text("currency"),
    text("source", nullable=True),
    text("payment", nullable=True),  # the payment intent behind it, where there is one
    text("our_key", nullable=True),  # our key in its metadata, where there is one
    instant("happened_at"),
    instant("available_at"),
    instant("recorded_at"),
    CheckConstraint("net = amount - fee", name="net"),
    Index("ix_balance_transaction_happened_at", "happened_at"),
    Index(
        "ix_balance_transaction_refund_failure",
        "source",
        postgresql_where=sql("kind IN ('refund_failure', 'payment_failure_refund')"),
    ),
    Index("ix_balance_transaction_adjustment", "source", postgresql_where=sql("kind = 'adjustment'")),
)

refund_look = Table(
    "refund_look",
    metadata,
    Column("reason", TEXT, primary_key=True),  # the event, or the movement, that made us ask; "age:7:re_…"
    text("refund"),
    text("state"),  # succeeded, pending, requires_action, failed, canceled; none_of_ours, known, nowhere
    text("code", nullable=True),
    instant("recorded_at"),
)
"""What the gateway said of a refund each time that its news made us fetch it again."""

gateway_payout = Table(
    "gateway_payout",
    metadata,
    identity(),
    text("payout"),
    Column("amount", BigInteger, nullable=False),
    text("currency"),
    text("state"),
    Column("automatic", Boolean, nullable=False),
    instant("happened_at"),
    instant("arrives_at"),
    instant("recorded_at"),
    UniqueConstraint("payout", "state"),
)

payout_movement = Table(
    "payout_movement",
    metadata,
    Column("movement", TEXT, primary_key=True),
    text("payout"),
    instant("recorded_at"),
    Index("ix_payout_movement_payout", "payout"),
)

gateway_dispute = Table(
    "gateway_dispute",
    metadata,
    identity(),
    text("dispute"),
    Column("number", BigInteger, nullable=False),  # of the dispute's rows, from 1: each says how it stood then
    text("movement", nullable=True),  # the balance transaction that this row takes in; null: only its state is new
    text("payment"),
    Column(
        "attempt_id", BigInteger, ForeignKey("payment_attempt.id"), nullable=True
    ),  # ours; null: a payment not of ours
    Column("amount", BigInteger, nullable=False),  # all that has left the balance so far; else what is asked about
    Column("returned", BigInteger, nullable=False),  # of it, all that has come back so far
    Column("held", BigInteger, nullable=False),  # of it, what stands in 1132: not back, and not lost yet
    Column("fee", BigInteger, nullable=False),  # all that the gateway has taken for it so far
    text("currency"),  # of the balance; other than jpy, nothing of it is ours to book
    text("state"),  # inquiry, closed, prevented: nothing moved; open, won, lost
    instant("happened_at"),
    instant("recorded_at"),
    CheckConstraint("state IN ('inquiry', 'closed', 'prevented', 'open', 'won', 'lost')", name="state"),
    CheckConstraint("number > 0", name="number"),
    CheckConstraint("held >= 0 AND (attempt_id IS NOT NULL OR held = 0)", name="held"),
    UniqueConstraint("dispute", "number"),
    UniqueConstraint("movement"),
    Index("ix_gateway_dispute_attempt_id", "attempt_id"),
)
"""A dispute as it stood after each movement of its money and each change of its state: the last row holds."""

dispute_choice = Table(
    "dispute_choice",
    metadata,
    identity(),
    text("dispute"),
    text("choice"),
    text("author"),
    text("ground"),
    instant("recorded_at"),
    CheckConstraint("choice IN ('claim_stays', 'sale_void')", name="choice"),
    CheckConstraint("author <> '' AND ground <> ''", name="by_somebody"),
    Index("ix_dispute_choice_dispute", "dispute"),
)
"""What people chose for a dispute that is lost, or may be: the last one holds."""

simulated_dispute = Table(
    "simulated_dispute",
    metadata,
    identity(),
    Column("charge_id", BigInteger, ForeignKey("simulated_charge.id"), nullable=False),
    yen("yen"),
    text("outcome"),
    instant("opened_at"),
    instant("decided_at"),
    UniqueConstraint("charge_id"),
    CheckConstraint("outcome IN ('won', 'lost')", name="outcome"),
)
"""The simulated gateway's own books on disputes."""

overpayment_refund = Table(
    "overpayment_refund",
    metadata,
    identity(),
    Column("attempt_id", BigInteger, ForeignKey("payment_attempt.id"), nullable=False),
    Column("account", TEXT, nullable=False),
    text("key"),
    yen("yen"),
    day("requested_on"),
    instant("requested_at"),
    text("outcome", nullable=True),
    text("code", nullable=True),
    text("gateway_id", nullable=True),
    day("settled_on", nullable=True),
    instant("settled_at", nullable=True),
    instant("answer_recorded_at", nullable=True),
    day("failed_on", nullable=True),
    instant("failed_at", nullable=True),
    text("failed_code", nullable=True),
    instant("failure_recorded_at", nullable=True),
    UniqueConstraint("key"),
    CheckConstraint("yen > 0", name="positive"),
    CheckConstraint("outcome IN ('succeeded', 'failed', 'abandoned')", name="outcome"),
    CheckConstraint("(outcome IS NULL) = (answer_recorded_at IS NULL)", name="answer_recorded"),
    CheckConstraint("failure_recorded_at IS NULL OR (outcome = 'succeeded' AND failed_at IS NOT NULL)", name="failed"),
    CheckConstraint("(failed_on IS NULL) = (failure_recorded_at IS NULL)", name="failure_recorded"),
    Index(
        "uq_overcharge_refund_attempt",
        "attempt_id",
        unique=True,
        postgresql_where=sql("outcome IS DISTINCT FROM 'abandoned'"),
    ),
    Index(
        "ix_overcharge_refund_settled_at",
        "settled_at",
        postgresql_where=sql("outcome = 'succeeded' AND failure_recorded_at IS NULL"),
    ),
    Index("ix_overcharge_refund_account", "account"),
    Index("ix_overcharge_refund_gateway_id", "gateway_id"),
)
"""What a card paid beyond what was owed, on its way back to the card."""
