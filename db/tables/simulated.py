"""The simulated card gateway's own memory: what its cards do, what it charged and refunded; a sandbox's clock."""

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Table, UniqueConstraint
from sqlalchemy.dialects.postgresql import TEXT

from keizoku.db.tables.base import identity, instant, metadata, text, yen

simulated_card = Table(
    "simulated_card",
    metadata,
    Column("account", TEXT, primary_key=True),
    text("outcome"),
    Column("refund_fails", Boolean, nullable=False),
)

simulated_charge = Table(
    "simulated_charge",
    metadata,
    identity(),
    text("key"),
    Column("account", TEXT, nullable=False),
    yen("yen"),
    text("answer"),
    instant("created_at"),
    UniqueConstraint("key"),
    Index("ix_simulated_charge_account", "account"),
)

simulated_refund = Table(
    "simulated_refund",
    metadata,
    identity(),
    text("key"),
    Column("charge_id", BigInteger, ForeignKey("simulated_charge.id"), nullable=False),
    Column("account", TEXT, nullable=False),
    yen("yen"),
    instant("created_at"),
    instant("failed_at", nullable=True),
    UniqueConstraint("key"),
)

test_clock = Table("test_clock", metadata, identity(), instant("now"), text("author"), instant("recorded_at"))
"""Where the clock of a sandbox was put, step by step; a database with a row here is a sandbox, and no other is."""
