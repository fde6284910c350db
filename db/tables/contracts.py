"""Accounts, plans, prices, contracts and their terms.

Always holds (by the constraints below):
- an account has at most one contract that is applied for or running;
- the terms of a contract follow each other without gap or overlap: every term but the first starts on the day
  on which another term of the same contract ends (chain by foreign key), and no two terms start or end together;
- facts are only ever added.

Columns that may change: contract.{method, renews_on} (caches of the last term, derived again by the audit),
contract.{approved_at, anchor_on, rejected_at, rejected_ground, ended_on, ended_at, ended_reason, end_recorded_at}
(set once), term.{closed_on, closed_at} (set once), suspension.{lifted_at, lifted_by, lift_recorded_at} (set once).
What is set once carries the instant at which it was recorded, so that any past day can be shown as it was known then.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    Table,
    UniqueConstraint,
)
from sqlalchemy import (
    text as sql,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TEXT

from keizoku.db.tables.base import day, identity, instant, metadata, text, yen

METHODS = ("card", "coupon", "product_key", "app_store", "other")
CHANGE_TO = ("card", "app_store", "other")
"""What a running contract can change to: the others are redeemed with an application."""
INTERVALS = ("month", "year")


def _one_of(column: str, words: tuple[str, ...], name: str) -> CheckConstraint:
    return CheckConstraint(f"{column} IN ({', '.join(repr(word) for word in words)})", name=name)


account = Table(
    "account",
    metadata,
    Column("id", TEXT, primary_key=True),
    Column("number", BigInteger, Identity(always=False), nullable=False, unique=True),
    instant("created_at"),
)

plan = Table(
    "plan",
    metadata,
    Column("code", TEXT, primary_key=True),
    text("interval"),
    instant("recorded_at"),
    _one_of("interval", INTERVALS, "interval"),
)

price = Table(
    "price",
    metadata,
    identity(),
    Column("plan", TEXT, ForeignKey("plan.code"), nullable=False),
    yen("yen"),
    day("announced_on"),
    day("for_new_from"),
    day("for_renewals_from"),
    Column("cohort", ARRAY(TEXT), nullable=True),
    text("author", nullable=True),
    Column("initial", Boolean, nullable=False, server_default=sql("false")),  # it changes nothing for anybody
    text("ground", nullable=True),
    text("proof", nullable=True),  # where it can be seen that it was announced on a day before it was recorded
    instant("recorded_at"),
    CheckConstraint("yen > 0", name="positive"),
    CheckConstraint(
        "initial OR announced_on >= (recorded_at AT TIME ZONE 'Asia/Tokyo')::date"
        " OR (ground <> '' AND proof <> '') IS TRUE",
        name="announced_or_proved",
    ),
)

contract = Table(
    "contract",
    metadata,
    identity(),
    Column("account", TEXT, ForeignKey("account.id"), nullable=False),
    Column("plan", TEXT, ForeignKey("plan.code"), nullable=False),
    text("method"),
    instant("applied_at"),
    instant("approved_at", nullable=True),
    day("anchor_on", nullable=True),
    instant("rejected_at", nullable=True),
    text("rejected_ground", nullable=True),
    Column("paid_months", Integer, nullable=True),
    text("prepaid_method", nullable=True),
    text("fallback", nullable=True),
    day("renews_on", nullable=True),
    day("ended_on", nullable=True),
    instant("ended_at", nullable=True),
    text("ended_reason", nullable=True),
    instant("end_recorded_at", nullable=True),
    instant("recorded_at"),
    _one_of("method", METHODS, "method"),
    _one_of("prepaid_method", METHODS, "prepaid_method"),
    _one_of("fallback", METHODS, "fallback"),
    CheckConstraint("paid_months > 0", name="paid_months_positive"),
    CheckConstraint("(approved_at IS NULL) = (anchor_on IS NULL)", name="anchored"),
    CheckConstraint("approved_at IS NULL OR rejected_at IS NULL", name="approved_or_rejected"),
    CheckConstraint("(ended_on IS NULL) = (ended_at IS NULL)", name="ended"),
    CheckConstraint("(ended_on IS NULL) = (end_recorded_at IS NULL)", name="end_recorded"),
    Index(
        "uq_contract_one_running",
        "account",
        unique=True,
        postgresql_where=sql("ended_on IS NULL AND rejected_at IS NULL"),
    ),
    Index("ix_contract_renews_on", "renews_on", postgresql_where=sql("ended_on IS NULL AND renews_on IS NOT NULL")),
    Index("ix_contract_account", "account"),
    Index("ix_contract_end_recorded_at", "end_recorded_at", postgresql_where=sql("ended_on IS NOT NULL")),
    Index("ix_contract_rejected", "account", postgresql_where=sql("rejected_at IS NOT NULL")),
    Index("ix_contract_waiting", "applied_at", postgresql_where=sql("approved_at IS NULL AND rejected_at IS NULL")),
    Index("ix_contract_key", "id", postgresql_where=sql("prepaid_method = 'product_key'")),
)

contract_fact = Table(
    "contract_fact",
    metadata,
    identity(),
    Column("contract_id", BigInteger, ForeignKey("contract.id"), nullable=False),
    Column("account", TEXT, ForeignKey("account.id"), nullable=False),
    text("kind"),
    instant("occurred_at"),
    instant("recorded_at"),
    text("author", nullable=True),
    text("ground", nullable=True),
    Column("detail", JSONB, nullable=True),
    _one_of(
        "kind",
        (
            "end_of_use",
            "withdraw_end_of_use",
            "store_stop",
            "leave_service",
            "delete_user",
            "change_method",
            "new_card",
            "suspend",
            "resume",
            "terminate",
            "write_off",
            "set_off",
            "sale_void",
            "void_fact",
        ),
        "kind",
    ),
    # what nights read of them
    CheckConstraint(
        f"kind <> 'change_method' OR coalesce(detail ->> 'method' IN {CHANGE_TO}, false)", name="method_known"
    ),
    CheckConstraint("kind <> 'void_fact' OR (jsonb_typeof(detail -> 'fact') = 'number') IS TRUE", name="voids_a_fact"),
    CheckConstraint("kind <> 'void_fact' OR (author <> '' AND ground <> '') IS TRUE", name="void_has_ground"),
    Index("ix_contract_fact_contract_id", "contract_id"),
    Index("ix_contract_fact_new_card", "account", postgresql_where=sql("kind = 'new_card'")),
)

term = Table(
    "term",
    metadata,
    identity(),
    Column("contract_id", BigInteger, ForeignKey("contract.id"), nullable=False),
    Column("account", TEXT, nullable=False),
    Column("seq", Integer, nullable=False),
    day("starts_on"),
    day("ends_on"),
    day("follows_on", nullable=True),
    instant("starts_at"),
    day("closed_on", nullable=True),
    instant("closed_at", nullable=True),
    text("method"),
    text("plan"),
    text("interval"),
    yen("price_yen"),
    text("terms_version"),
    instant("recorded_at"),
    _one_of("method", METHODS, "method"),
    _one_of("interval", INTERVALS, "interval"),
    CheckConstraint("starts_on < ends_on", name="not_empty"),
    CheckConstraint("follows_on IS NULL OR follows_on = starts_on", name="follows"),
    CheckConstraint("closed_on IS NULL OR (closed_on >= starts_on AND closed_on <= ends_on)", name="closed_inside"),
    CheckConstraint("price_yen > 0", name="priced"),
    UniqueConstraint("contract_id", "starts_on"),
    UniqueConstraint("contract_id", "ends_on"),
    ForeignKeyConstraint(["contract_id", "follows_on"], ["term.contract_id", "term.ends_on"], name="fk_term_chain"),
    Index("uq_term_first", "contract_id", unique=True, postgresql_where=sql("follows_on IS NULL")),
    Index("ix_term_account", "account"),
    Index("ix_term_ends_on", "ends_on"),
    Index("ix_term_closed_on", "closed_on", postgresql_where=sql("closed_on IS NOT NULL")),
)

suspension = Table(
    "suspension",
    metadata,
    identity(),
    Column("contract_id", BigInteger, ForeignKey("contract.id"), nullable=False),
    Column("account", TEXT, nullable=False),
    instant("from_at"),
    text("set_by"),
    text("ground"),
    instant("recorded_at"),
    instant("lifted_at", nullable=True),
    text("lifted_by", nullable=True),
    instant("lift_recorded_at", nullable=True),
    _one_of("set_by", ("delinquency", "people"), "set_by"),
    CheckConstraint("lifted_at IS NULL OR lifted_at >= from_at", name="forward"),
    CheckConstraint("(lifted_at IS NULL) = (lift_recorded_at IS NULL)", name="lift_recorded"),
    Index(
        "uq_suspension_one_open",
        "contract_id",
        "set_by",
        unique=True,
        postgresql_where=sql("lifted_at IS NULL"),
    ),
    Index("ix_suspension_account", "account"),
    Index("ix_suspension_contract_id", "contract_id"),
)
