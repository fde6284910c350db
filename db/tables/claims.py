"""Claims under Article 9, what people and the engine decided about them, and the awards.

Append-only. A claim is decided in revisions (`claim_decision`), the newest holds; an award is one per
account, month and revision, and only ever rises. Windows are JSON lists of `[from, to]` in JST.
Decisions and awards are narrow, for a month may have a million of them: what they share is in `claim_reasoning`.
"""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy import (
    text as sql,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from keizoku.db.tables.base import day, identity, instant, metadata, spans, text

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
    CheckConstraint(r"month ~ '^2\d{3}-(0[1-9]|1[0-2])$'", name="month_is_a_month"),
    CheckConstraint("id <> '' AND account <> ''", name="is_named"),
    spans("windows"),
    Index("ix_claim_month_account", "month", "account"),
    Index("ix_claim_account", "account"),
    Index("ix_claim_received_at", "received_at", "id"),  # the list of all of them, page by page
    Index("ix_claim_month_received_at", "month", "received_at", "id"),
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
    spans("windows"),
    CheckConstraint("ground <> '' AND author <> ''", name="has_ground_and_author"),
    Index("ix_claim_ruling_claim_id", "claim_id"),
)

claim_withdrawal = Table(  # a claim that was recorded by mistake: no night decides on it
    "claim_withdrawal",
    metadata,
    identity(),
    Column("claim_id", Text, ForeignKey("claim.id"), nullable=False, unique=True),
    text("author"),
    text("ground"),
    instant("recorded_at"),
    CheckConstraint("ground <> '' AND author <> ''", name="has_ground_and_author"),
)

#: What all decisions made in the same circumstances say, kept once; never without a decision. The places of what is
#: a claim's own (who, when received, decided with which others, ids of terms) are open: `sla.claim_json` fills them.
claim_reasoning = Table(
    "claim_reasoning",
    metadata,
    identity(),
    text("sha256"),
    Column("grounds", JSONB, nullable=False),  # outcome, clauses, terms, readings
    Column("facts", JSONB, nullable=False),  # month, deadline, reason, seconds; intervals and prices of the terms
    Column("waterfall", JSONB, nullable=False),  # seconds by bucket
    Column("recognised", JSONB, nullable=False),  # windows
    Column("arrival", JSONB, nullable=False),  # the first steps: the deadline
    Column("steps", JSONB, nullable=False),  # the others
    UniqueConstraint("sha256"),
    CheckConstraint(r"sha256 ~ '^[0-9a-f]{64}$'", name="sha256_is_hex"),
    CheckConstraint("jsonb_typeof(grounds) = 'object' AND jsonb_typeof(facts) = 'object'", name="grounds_are_named"),
    CheckConstraint("jsonb_typeof(waterfall) = 'object'", name="waterfall_has_buckets"),
    CheckConstraint(
        "jsonb_typeof(steps) = 'array' AND jsonb_typeof(arrival) = 'array' AND jsonb_typeof(recognised) = 'array'",
        name="steps_are_a_list",
    ),
)

claim_decision = Table(
    "claim_decision",
    metadata,
    Column("claim_id", Text, ForeignKey("claim.id"), primary_key=True),
    Column("revision", Integer, primary_key=True, autoincrement=False),
    text("outcome"),
    text("reason", nullable=True),
    Column("seconds", BigInteger, nullable=False),
    text("rate", nullable=True),
    Column("reasoning_id", BigInteger, nullable=False),  # the rest of it; refers by SHARED_REFERENCES (guards)
    Column("term_ids", ARRAY(BigInteger), nullable=False),  # whose fee counts
    Column("united", ARRAY(Text)),  # the claims decided as one with it, and itself; null: it alone
    day("decided_on"),
    instant("decided_at"),
    text("evidence_hash"),
    Column("review_id", BigInteger, nullable=False),  # of month_to_review; refers by SHARED_REFERENCES (guards)
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
    text("claim_id"),  # the claim that it rests on, and which decision on it: there is why, and the windows
    Column("decision_revision", Integer, nullable=False),
    text("rate"),
    Column("seconds", BigInteger, nullable=False),
    Column("term_ids", ARRAY(BigInteger), nullable=False),
    Column("term_prices", JSONB, nullable=False),
    text("fee_basis"),  # tax-inclusive yen a month, exact: "500", "1325/3"
    day("usable_from"),
    day("decided_on"),
    instant("decided_at"),
    ForeignKeyConstraint(["claim_id", "decision_revision"], ["claim_decision.claim_id", "claim_decision.revision"]),
    UniqueConstraint("account", "month", "revision"),
    CheckConstraint("revision >= 1", name="revision_from_one"),
    CheckConstraint("seconds > 0", name="seconds_positive"),
    CheckConstraint(r"rate ~ '^0\.\d+$'", name="rate_is_a_share"),
    CheckConstraint(r"fee_basis ~ '^\d+(/\d+)?$'", name="fee_basis_is_exact"),
    CheckConstraint("cardinality(term_ids) > 0", name="touches_a_term"),
    CheckConstraint(r"month ~ '^2\d{3}-(0[1-9]|1[0-2])$'", name="month_is_a_month"),
)

alternative_consent = Table(
    "alternative_consent",
    metadata,
    identity(),
    Column("claim_id", Text, ForeignKey("claim.id"), nullable=False),
    text("what"),
    day("by_on", nullable=True),  # until when it is to be done; none: until it is performed or withdrawn
    text("author"),
    text("ground", nullable=True),
    instant("recorded_at"),
    CheckConstraint("what <> ''", name="names_the_remedy"),
    Index("ix_alternative_consent_claim_id", "claim_id"),
)

#: What became of another remedy that was agreed to. While there is none, it holds the credit of its month; `performed`
#: extinguishes that credit, `withdrawn` (by people) and `lapsed` (its day passed; written by the night) release it.
#: One that was performed by its day and is recorded after the night had it lapse is a second row that corrects it.
alternative_outcome = Table(
    "alternative_outcome",
    metadata,
    identity(),
    Column("consent_id", BigInteger, ForeignKey("alternative_consent.id"), nullable=False),
    text("outcome"),
    day("on_day"),
    text("author"),
    text("ground", nullable=True),
    Column("corrects", BigInteger, unique=True),  # the row `lapsed` that was wrong: it had been performed in time
    instant("recorded_at"),
    CheckConstraint("outcome IN ('performed', 'withdrawn', 'lapsed')", name="outcome_is_known"),
    CheckConstraint("corrects IS NULL OR (outcome = 'performed' AND corrects < id)", name="corrects_a_lapse"),
    UniqueConstraint("id", "consent_id"),
    ForeignKeyConstraint(["corrects", "consent_id"], ["alternative_outcome.id", "alternative_outcome.consent_id"]),
    Index("uq_alternative_outcome_consent_id", "consent_id", unique=True, postgresql_where=sql("corrects IS NULL")),
)

claim_late_grant = Table(  # people take a claim that came after its deadline as one in time
    "claim_late_grant",
    metadata,
    identity(),
    Column("claim_id", Text, ForeignKey("claim.id"), nullable=False, unique=True),
    text("approved_by"),
    text("author"),
    text("ground"),
    instant("recorded_at"),
    CheckConstraint("ground <> '' AND author <> '' AND approved_by <> ''", name="has_ground_and_approver"),
)
