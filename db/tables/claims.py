"""Claims under Article 9, what people and the engine decided about them, and the awards.

Append-only. A claim is decided in revisions (`claim_decision`), the newest holds; an award is one per
account, month and revision, and only ever rises. Windows are JSON lists of `[from, to]` in JST.
"""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from db.tables.base import day, identity, instant, metadata, text

OUTCOMES = ("granted", "rejected")
#: Why a claim is rejected, in the order in which the first that holds is given.
REASONS = ("deadline", "not_member", "method", "threshold")

claim = Table(
    "claim",
    metadata,
    Column("id", Text, primary_key=True),
    text("account"),
    text("month"),
    instant("received_at"),
    Column("windows", JSONB(none_as_null=True)),  # null: every unusable window of the month
    text("author", nullable=True),  # who took it down
    text("ground", nullable=True),  # what the user says
    instant("recorded_at"),
    CheckConstraint(r"month ~ '^\d{4}-(0[1-9]|1[0-2])$'", name="month_is_a_month"),
    CheckConstraint("id <> '' AND account <> ''", name="is_named"),
    CheckConstraint("jsonb_typeof(windows) = 'array'", name="windows_are_a_list"),
    Index("ix_claim_month_account", "month", "account"),
    Index("ix_claim_account", "account"),
)

claim_ruling = Table(
    "claim_ruling",
    metadata,
    identity(),
    Column("claim_id", Text, ForeignKey("claim.id"), nullable=False),
    Column("windows", JSONB(none_as_null=True), nullable=False),
    text("author"),
    text("ground"),
    instant("recorded_at"),
    CheckConstraint("jsonb_typeof(windows) = 'array'", name="windows_are_a_list"),
    CheckConstraint("ground <> '' AND author <> ''", name="has_ground_and_author"),
    Index("ix_claim_ruling_claim_id", "claim_id"),
)

#: What all decisions of the same circumstances have in common, kept once; never without a decision.
claim_reasoning = Table(
    "claim_reasoning",
    metadata,
    identity(),
    text("sha256"),
    Column("grounds", JSONB, nullable=False),  # outcome, clauses, terms, readings
    Column("steps", JSONB, nullable=False),  # the last of every decision
    UniqueConstraint("sha256"),
    CheckConstraint(r"sha256 ~ '^[0-9a-f]{64}$'", name="sha256_is_hex"),
    CheckConstraint("jsonb_typeof(grounds) = 'object'", name="grounds_are_named"),
    CheckConstraint("jsonb_typeof(steps) = 'array'", name="steps_are_a_list"),
)

claim_decision = Table(
    "claim_decision",
    metadata,
    identity(),
    Column("claim_id", Text, ForeignKey("claim.id"), nullable=False),
    Column("revision", Integer, nullable=False),
    text("outcome"),
    text("reason", nullable=True),
    Column("seconds", BigInteger, nullable=False),
    text("rate", nullable=True),
    Column("waterfall", JSONB, nullable=False),
    Column("decision", JSONB, nullable=False),  # the claim's own part; the rest is its reasoning's
    Column("reasoning_id", BigInteger, ForeignKey("claim_reasoning.id"), nullable=False),
    day("decided_on"),
    instant("decided_at"),
    text("evidence_hash"),
    Column("review_id", BigInteger, ForeignKey("month_to_review.id"), nullable=False),
    UniqueConstraint("claim_id", "revision"),
    CheckConstraint("revision >= 1", name="revision_from_one"),
    CheckConstraint("seconds >= 0", name="seconds_not_negative"),
    CheckConstraint("outcome IN ('granted', 'rejected')", name="outcome_known"),
    CheckConstraint("reason IN ('deadline', 'not_member', 'method', 'threshold')", name="reason_known"),
    CheckConstraint(
        "(outcome = 'granted') = (rate IS NOT NULL) AND (outcome = 'rejected') = (reason IS NOT NULL)",
        name="grants_a_rate_or_gives_a_reason",
    ),
)

award = Table(
    "award",
    metadata,
    identity(),
    text("account"),
    text("month"),
    Column("revision", Integer, nullable=False),
    Column("claim_id", Text, ForeignKey("claim.id"), nullable=False),
    text("rate"),
    Column("seconds", BigInteger, nullable=False),
    Column("windows", JSONB, nullable=False),
    Column("term_ids", ARRAY(BigInteger), nullable=False),
    Column("term_prices", JSONB, nullable=False),
    text("fee_basis"),  # tax-inclusive yen a month, exact: "500", "1325/3"
    day("usable_from"),
    day("decided_on"),
    instant("decided_at"),
    Column("decision_id", BigInteger, ForeignKey("claim_decision.id"), nullable=False),
    UniqueConstraint("account", "month", "revision"),
    CheckConstraint("revision >= 1", name="revision_from_one"),
    CheckConstraint("seconds > 0", name="seconds_positive"),
    CheckConstraint(r"rate ~ '^0\.\d+$'", name="rate_is_a_share"),
    CheckConstraint(r"fee_basis ~ '^\d+(/\d+)?$'", name="fee_basis_is_exact"),
    CheckConstraint("cardinality(term_ids) > 0", name="touches_a_term"),
    CheckConstraint(r"month ~ '^\d{4}-(0[1-9]|1[0-2])$'", name="month_is_a_month"),
)

alternative_consent = Table(
    "alternative_consent",
    metadata,
    identity(),
    Column("claim_id", Text, ForeignKey("claim.id"), nullable=False),
    text("what"),
    text("author"),
    text("ground", nullable=True),
    instant("recorded_at"),
    CheckConstraint("what <> ''", name="names_the_remedy"),
)
