"""Invoices, attempts, receipts, credits: who owes what and what was done about it.

Always holds (by the constraints below):
- one living invoice per term; an invoice is never settled beyond its total;
- at most one attempt in flight per invoice, each with a key of its own;
- one credit per award; a credit is never used beyond what was granted.

Columns that may change, as caches or once: db/tables/changing.py.
A receipt, an allocation or a settlement below zero takes an earlier one back (`receipt.reverses`); a settlement of
kind `dispute` takes back what a card had paid.
"""

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, Index, Table, UniqueConstraint
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import JSONB, TEXT

from keizoku.db.tables.base import day, identity, instant, metadata, text, yen
from keizoku.db.tables.letters import NOTICE_KINDS

RECURRING_TASKS = ("no_price", "set_aside", "directory_silent", "terms_unannounced", "collect_silent")
"""Kinds of tasks that a night, a run of letters or an answer closes by itself, and may open again."""
REOPENED_TASKS = (*RECURRING_TASKS, "gateway_object_unknown")
"""These, and kinds that people close and a night may open again."""

invoice = Table(
    "invoice",
    metadata,
    identity(),
    Column("term_id", BigInteger, ForeignKey("term.id"), nullable=False),
    Column("contract_id", BigInteger, nullable=False),
    Column("account", TEXT, nullable=False),
    text("method"),
    yen("total_yen"),
    yen("credit_yen"),
    yen("tax_yen"),
    day("issued_on"),
    day("due_on"),
    instant("issued_at"),
    day("accelerated_on", nullable=True),
    instant("accelerated_at", nullable=True),
    text("state"),
    yen("open_yen"),
    day("paid_on", nullable=True),
    CheckConstraint("total_yen > 0", name="positive"),
    CheckConstraint("credit_yen BETWEEN 0 AND total_yen", name="credit_within"),
    CheckConstraint("open_yen BETWEEN 0 AND total_yen", name="open_within"),
    CheckConstraint("state IN ('open', 'paid', 'void')", name="state"),
    CheckConstraint("(state = 'open') = (open_yen > 0)", name="open_state"),
    CheckConstraint("issued_on <= due_on", name="due_after_issue"),
    CheckConstraint("(accelerated_on IS NULL) = (accelerated_at IS NULL)", name="accelerated"),
    Index("uq_invoice_term", "term_id", unique=True, postgresql_where=sql("state <> 'void'")),
    Index("ix_invoice_void", "term_id", postgresql_where=sql("state = 'void'")),
    Index("ix_invoice_open", "account", postgresql_where=sql("state = 'open'")),
    Index("ix_invoice_contract_id", "contract_id"),
)

payment_attempt = Table(
    "payment_attempt",
    metadata,
    identity(),
    Column("invoice_id", BigInteger, ForeignKey("invoice.id"), nullable=False),
    Column("account", TEXT, nullable=False),
    text("key"),
    yen("yen"),
    day("wanted_on"),
    day("started_on"),
    instant("started_at"),
    text("outcome", nullable=True),
    text("code", nullable=True),
    text("advice", nullable=True),  # what the gateway advises after a decline, in its own word
    text("gateway_id", nullable=True),
    day("settled_on", nullable=True),
    instant("settled_at", nullable=True),
    instant("answer_recorded_at", nullable=True),
    UniqueConstraint("key"),
    CheckConstraint("yen > 0", name="positive"),
    CheckConstraint("wanted_on <= started_on", name="wanted_before"),
    CheckConstraint(
        "outcome IN ('succeeded', 'declined_soft', 'declined_hard', 'needs_user', 'abandoned')", name="outcome"
    ),
    CheckConstraint("(outcome IS NULL) = (settled_at IS NULL)", name="settled"),
    CheckConstraint("(outcome IS NULL) = (answer_recorded_at IS NULL)", name="answer_recorded"),
    Index("uq_payment_attempt_in_flight", "invoice_id", unique=True, postgresql_where=sql("outcome IS NULL")),
    Index("ix_payment_attempt_invoice_id", "invoice_id"),
    Index("ix_payment_attempt_account", "account"),
)

receipt = Table(
    "receipt",
    metadata,
    identity(),
    Column("account", TEXT, nullable=False),  # refers by SHARED_REFERENCES (guards)
    yen("yen"),
    text("via"),
    day("received_on"),
    instant("received_at"),
    yen("costs_yen"),
    text("costs_proof", nullable=True),  # what shows that they were really paid, and how much: a bill, a statement
    day("for_term_on", nullable=True),
    Column("reverses", BigInteger, ForeignKey("receipt.id"), nullable=True),
    instant("recorded_at"),
    CheckConstraint(
        "CASE WHEN reverses IS NULL THEN yen > 0 AND costs_yen >= 0 ELSE yen < 0 AND costs_yen <= 0 END",
        name="positive",
    ),
    CheckConstraint("costs_yen <= 0 OR (costs_proof <> '') IS TRUE", name="costs_proved"),
    Index("uq_receipt_reverses", "reverses", unique=True, postgresql_where=sql("reverses IS NOT NULL")),
    Index("ix_receipt_account", "account"),
)

allocation = Table(
    "allocation",
    metadata,
    identity(),
    Column("receipt_id", BigInteger, nullable=False),  # refers by SHARED_REFERENCES (guards)
    Column("account", TEXT, nullable=False),
    text("kind"),
    Column("invoice_id", BigInteger, nullable=True),  # refers by SHARED_REFERENCES (guards)
    yen("yen"),
    day("allocated_on"),
    CheckConstraint("kind IN ('costs', 'interest', 'principal', 'deposit')", name="kind"),
    CheckConstraint("yen <> 0", name="not_zero"),
    Index("ix_allocation_account", "account"),
    Index("ix_allocation_deposit", "account", postgresql_where=sql("kind = 'deposit'")),
)

deposit_use = Table(
    "deposit_use",
    metadata,
    identity(),
    Column("account", TEXT, ForeignKey("account.id"), nullable=False),
    text("kind"),
    text("origin"),
    text("through", nullable=True),
    yen("yen"),
    day("used_on"),
    text("author", nullable=True),
    text("ground", nullable=True),
    instant("recorded_at"),
    Column("reverses", BigInteger, ForeignKey("deposit_use.id"), nullable=True),
    UniqueConstraint("reverses"),
    Column("credit_id", BigInteger, ForeignKey("credit.id"), nullable=True),
    CheckConstraint("kind IN ('applied', 'refunded', 'dispute', 'credit')", name="kind"),
    CheckConstraint("(kind = 'credit') = (credit_id IS NOT NULL)", name="of_a_credit"),
    CheckConstraint("origin IN ('sent', 'card')", name="origin"),
    CheckConstraint(
        "CASE kind WHEN 'refunded' THEN through IN ('bank', 'card') ELSE through IS NULL END IS TRUE", name="through"
    ),
    CheckConstraint("through IS DISTINCT FROM 'card' OR origin = 'card'", name="to_the_card_that_paid"),
    CheckConstraint(
        "kind NOT IN ('refunded', 'credit') OR (author IS NOT NULL AND ground IS NOT NULL)", name="refund_by_people"
    ),
    CheckConstraint(
        "CASE WHEN reverses IS NOT NULL THEN kind = 'applied' AND yen < 0"
        " WHEN kind = 'dispute' THEN origin = 'card' AND yen < 0"
        " WHEN kind = 'credit' THEN origin = 'sent' AND yen < 0"
        " ELSE yen > 0 OR (kind = 'refunded' AND (origin = 'card' OR through = 'bank') AND yen < 0) END",
        name="positive_or_came_back",
    ),
    Index("ix_deposit_use_account", "account"),
    Index("ix_deposit_use_credit_id", "credit_id", postgresql_where=sql("credit_id IS NOT NULL")),
)

settlement = Table(
    "settlement",
    metadata,
    identity(),
    Column("invoice_id", BigInteger, nullable=False),  # refers by SHARED_REFERENCES (guards)
    Column("account", TEXT, nullable=False),
    text("kind"),
    yen("yen"),
    day("settled_on"),
    Column("source_id", BigInteger, nullable=False),
    instant("recorded_at"),
    CheckConstraint(
        "kind IN ('credit', 'card', 'receipt', 'deposit', 'set_off', 'write_off', 'reduction', 'dispute', 'sale_void')",
        name="kind",
    ),
    CheckConstraint(
        "CASE kind WHEN 'receipt' THEN yen <> 0 WHEN 'deposit' THEN yen <> 0 WHEN 'dispute' THEN yen <> 0"
        " ELSE yen > 0 END",
        name="positive",
    ),
    UniqueConstraint("invoice_id", "kind", "source_id"),
    # receipts are the many, and nobody asks for them by account here
    Index("ix_settlement_account", "account", postgresql_where=sql("kind <> 'receipt'")),
)

interest_checkpoint = Table(
    "interest_checkpoint",
    metadata,
    identity(),
    Column("invoice_id", BigInteger, nullable=False),  # refers by SHARED_REFERENCES (guards)
    Column("account", TEXT, nullable=False),
    day("accrues_after"),
    yen("accrued_unpaid_yen"),
    day("checkpoint_on", nullable=True),
    text("occasion", nullable=True),
    instant("recorded_at"),
    CheckConstraint("accrued_unpaid_yen >= 0", name="not_negative"),
    Index("ix_interest_checkpoint_invoice_id", "invoice_id"),
    Index("ix_interest_checkpoint_account", "account"),
)

interest_booking = Table(
    "interest_booking",
    metadata,
    identity(),
    Column("account", TEXT, nullable=False),
    text("kind"),
    yen("yen"),
    day("booked_on"),
    instant("recorded_at"),
    text("occasion"),
    UniqueConstraint("account", "occasion"),
    CheckConstraint("kind IN ('demand', 'allocation', 'write_off', 'set_off', 'deposit', 'correction')", name="kind"),
)

demand = Table(
    "demand",
    metadata,
    identity(),
    Column("account", TEXT, nullable=False),
    day("demanded_on"),
    yen("interest_yen"),
    yen("total_yen"),
    text("occasion"),
    instant("written_at"),
    text("body_ja"),
    text("body_en"),
    Column("details", JSONB, nullable=False, server_default=sql("'[]'")),
    Column("calculation", JSONB, nullable=False),
    UniqueConstraint("account", "occasion"),
    Index("ix_demand_written_at", "written_at"),
    CheckConstraint("interest_yen > 0", name="positive"),
    CheckConstraint("jsonb_typeof(details) = 'array'", name="details_are_listed"),
)

user_notice = Table(
    "user_notice",
    metadata,
    identity(),
    Column("account", TEXT, nullable=False),
    Column("contract_id", BigInteger, nullable=False),
    text("kind"),
    text("occasion"),
    day("written_on"),
    instant("written_at"),
    text("body_ja"),
    text("body_en"),
    Column("details", JSONB, nullable=False, server_default=sql("'[]'")),  # notice_text.Item, a line each
    UniqueConstraint("contract_id", "kind", "occasion"),
    CheckConstraint("jsonb_typeof(details) = 'array'", name="details_are_listed"),
    CheckConstraint(f"kind IN {NOTICE_KINDS}", name="kind"),
    Index("ix_user_notice_account", "account"),
    Index("ix_user_notice_written_at", "written_at"),  # the list of all of them, page by page
)

handover = Table(
    "handover",
    metadata,
    identity(),
    Column("notice_id", BigInteger, ForeignKey("user_notice.id"), nullable=True),
    Column("demand_id", BigInteger, ForeignKey("demand.id"), nullable=True),
    Column("letter_id", BigInteger, ForeignKey("letter.id"), nullable=True),
    instant("handed_at"),
    text("author"),
    instant("recorded_at"),
    UniqueConstraint("notice_id"),
    UniqueConstraint("demand_id"),
    UniqueConstraint("letter_id"),
    CheckConstraint("num_nonnulls(notice_id, demand_id, letter_id) = 1", name="one_document"),
    CheckConstraint("author <> ''", name="by_somebody"),
)
"""When a written document was handed to the mailer: writing it does not send it."""

credit = Table(
    "credit",
    metadata,
    identity(),
    Column("award_id", BigInteger, ForeignKey("award.id"), nullable=False),
    Column("account", TEXT, nullable=False),
    text("month"),
    yen("total_yen"),
    yen("granted_yen"),
    day("granted_on"),
    day("usable_from"),
    yen("available_yen"),
    instant("recorded_at"),
    UniqueConstraint("award_id"),
    CheckConstraint("granted_yen >= 0", name="granted"),
    CheckConstraint("available_yen BETWEEN 0 AND granted_yen", name="available_within"),
    Index("ix_credit_available", "account", postgresql_where=sql("available_yen > 0")),
    Index("ix_credit_account", "account", "month"),
)

credit_application = Table(
    "credit_application",
    metadata,
    identity(),
    Column("credit_id", BigInteger, ForeignKey("credit.id"), nullable=False),
    Column("invoice_id", BigInteger, ForeignKey("invoice.id"), nullable=False),
    yen("yen"),
    day("applied_on"),
    instant("recorded_at"),
    Column("act_id", BigInteger, ForeignKey("contract_fact.id"), nullable=True),  # set off by people: by this act
    CheckConstraint("yen > 0 OR (yen < 0 AND act_id IS NOT NULL)", name="positive"),  # below zero: taken back
    Index("ix_credit_application_credit_id", "credit_id"),
    Index("ix_credit_application_act_id", "act_id", postgresql_where=sql("act_id IS NOT NULL")),
    Index("ix_credit_application_invoice_id", "invoice_id"),
)

credit_extinguishment = Table(  # another remedy was performed in its place
    "credit_extinguishment",
    metadata,
    identity(),
    Column("credit_id", BigInteger, ForeignKey("credit.id"), nullable=False, unique=True),
    Column("consent_id", BigInteger, ForeignKey("alternative_consent.id"), nullable=False),
    yen("yen"),
    day("extinguished_on"),
    instant("recorded_at"),
    CheckConstraint("yen > 0", name="positive"),
    Index("ix_credit_extinguishment_consent_id", "consent_id"),
)

credit_refund = Table(
    "credit_refund",
    metadata,
    identity(),
    Column("credit_id", BigInteger, ForeignKey("credit.id"), nullable=False),
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
    Index("ix_credit_refund_credit_id", "credit_id"),
    Index("ix_credit_refund_attempt_id", "attempt_id"),
    Index("ix_credit_refund_gateway_id", "gateway_id"),
    Index(
        "ix_credit_refund_settled_at",
        "settled_at",
        postgresql_where=sql("outcome = 'succeeded' AND failure_recorded_at IS NULL"),
    ),
    Index(
        "uq_credit_refund_in_flight", "credit_id", "attempt_id", unique=True, postgresql_where=sql("outcome IS NULL")
    ),
)

store_report = Table(
    "store_report",
    metadata,
    Column("term_id", BigInteger, ForeignKey("term.id"), primary_key=True),
    Column("account", TEXT, nullable=False),
    text("store", nullable=True),
    yen("gross_yen"),
    yen("fee_yen"),
    yen("fee_tax_yen"),
    instant("reported_at"),
    CheckConstraint("fee_yen BETWEEN 0 AND gross_yen", name="fee_within"),
    CheckConstraint("fee_tax_yen BETWEEN 0 AND fee_yen", name="tax_within"),
)

review_task = Table(
    "review_task",
    metadata,
    identity(),
    text("kind"),
    text("subject"),
    instant("opened_at"),
    Column("detail", JSONB, nullable=False),
    instant("closed_at", nullable=True),
    text("closed_by", nullable=True),
    text("closed_ground", nullable=True),
    # one task of a subject for ever; of what comes and goes, one open task
    Index(
        "uq_review_task_kind_subject",
        "kind",
        "subject",
        unique=True,
        postgresql_where=sql(f"kind NOT IN {REOPENED_TASKS} OR closed_at IS NULL"),
    ),
    Index("ix_review_task_open", "id", postgresql_where=sql("closed_at IS NULL")),
    Index("ix_review_task_account", sql("(detail ->> 'account')")),
)
