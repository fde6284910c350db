"""Batches of coupon codes and product keys, their codes, and what became of each.

Always holds (by the constraints below): a code is redeemed once at a time; it ends once, by expiry or with its batch;
a coupon costs nothing, a key something. A key is owed for from its sale on, not from its making. Codes themselves are
nowhere: a digest under the batch's own salt is.

Columns that may change: code_batch.closed_at (set once: nothing of it is left to redeem),
code_redemption.{contract_id, used_on} (set once, when the contract is formed), code_redemption.released_at (set once,
when the application came to nothing).
"""

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, Index, Integer, LargeBinary, Table
from sqlalchemy import (
    text as sql,
)
from sqlalchemy.dialects.postgresql import TEXT

from keizoku.db.tables.base import day, identity, instant, metadata, text, yen

code_batch = Table(
    "code_batch",
    metadata,
    identity(),
    Column("name", TEXT, nullable=False, unique=True),
    text("kind"),
    Column("plan", TEXT, ForeignKey("plan.code"), nullable=False),
    Column("months", Integer, nullable=False),
    Column("codes", Integer, nullable=False),
    yen("yen"),
    Column("salt", LargeBinary, nullable=False),
    day("issued_on"),
    day("expires_on"),
    text("author"),
    instant("recorded_at"),
    instant("closed_at", nullable=True),
    CheckConstraint("kind IN ('coupon', 'product_key')", name="kind"),
    CheckConstraint("months > 0 AND codes > 0", name="positive"),
    CheckConstraint("(kind = 'coupon') = (yen = 0) AND yen >= 0", name="coupons_are_free"),
    CheckConstraint("issued_on <= expires_on", name="forward"),
    Index("ix_code_batch_open", "expires_on", postgresql_where=sql("closed_at IS NULL")),
)

code = Table(
    "code",
    metadata,
    identity(),
    Column("batch_id", BigInteger, ForeignKey("code_batch.id"), nullable=False),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Index("ix_code_batch_id", "batch_id"),
)

code_redemption = Table(
    "code_redemption",
    metadata,
    identity(),
    Column("code_id", BigInteger, ForeignKey("code.id"), nullable=False),
    Column("account", TEXT, nullable=False),
    instant("redeemed_at"),
    Column("contract_id", BigInteger, ForeignKey("contract.id"), nullable=True, unique=True),
    day("used_on", nullable=True),
    instant("released_at", nullable=True),
    CheckConstraint("(contract_id IS NULL) = (used_on IS NULL)", name="used"),
    CheckConstraint("contract_id IS NULL OR released_at IS NULL", name="used_or_released"),
    Index("uq_code_redemption_once", "code_id", unique=True, postgresql_where=sql("released_at IS NULL")),
    Index("ix_code_redemption_account", "account"),
)

code_end = Table(
    "code_end",
    metadata,
    Column("code_id", BigInteger, ForeignKey("code.id"), primary_key=True),
    text("kind"),
    day("ended_on"),
    text("author", nullable=True),
    text("ground", nullable=True),
    instant("recorded_at"),
    CheckConstraint("kind IN ('expired', 'revoked')", name="kind"),
    CheckConstraint("kind = 'expired' OR (author IS NOT NULL AND ground IS NOT NULL)", name="revoked_by_people"),
)

code_sale = Table(
    "code_sale",
    metadata,
    identity(),
    Column("batch_id", BigInteger, ForeignKey("code_batch.id"), nullable=False),
    text("kind"),
    Column("codes", Integer, nullable=False),
    day("on_day"),
    text("recipient", nullable=True),  # who bought them
    text("author", nullable=True),
    text("ground", nullable=True),
    text("allowed_as", nullable=True),  # as which case of the law they are paid back, where its limits bind
    instant("recorded_at"),
    CheckConstraint("codes > 0", name="positive"),
    CheckConstraint("kind IN ('sold', 'refunded', 'expired')", name="kind"),
    CheckConstraint(
        "allowed_as IS NULL OR (kind = 'refunded' AND allowed_as IN ('small', 'abolished', 'hardship'))",
        name="allowed_as",
    ),
    Index("ix_code_sale_batch_id", "batch_id"),
)
"""How many keys of a batch were sold on a day, and how many sold ones were paid back or expired unused."""
