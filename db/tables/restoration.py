"""Restores of this database, what our keys at the gateway say happened since the backup, and acts that carry a key.

All of it is append-only: what ends a restore, or an act that the restored rows do not know, is a row of its own.
"""

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, ForeignKey, Index, Table, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB, TEXT

from keizoku.db.tables.base import identity, instant, metadata, text, yen

restoration = Table(
    "restoration",
    metadata,
    identity(),
    text("backup"),
    instant("taken_at"),  # what the gateway did since then, these rows do not know
    instant("restored_at"),
    Column("drill", Boolean, nullable=False),
    text("by"),
)
"""A row for each restore, written by the restore itself. A drill's copy never speaks to the live account."""

restoration_end = Table(
    "restoration_end",
    metadata,
    Column("restoration_id", BigInteger, ForeignKey("restoration.id"), primary_key=True),
    text("how"),
    text("author"),
    text("ground"),
    instant("recorded_at"),
    CheckConstraint("how IN ('read', 'released')", name="how"),
    CheckConstraint("author <> '' AND ground <> ''", name="by_somebody"),
)
"""Charges and refunds wait until a restore has one: the gateway was read, or people released them."""

link_adoption = Table(
    "link_adoption",
    metadata,
    Column("restoration_id", BigInteger, ForeignKey("restoration.id"), primary_key=True),
    text("author"),
    text("ground"),
    instant("recorded_at"),
    CheckConstraint("author <> '' AND ground <> ''", name="by_somebody"),
)
"""People say that this database, and no other, works with the linked service's tokens: none is used before that."""

restored_act = Table(
    "restored_act",
    metadata,
    identity(),
    Column("restoration_id", BigInteger, ForeignKey("restoration.id"), nullable=False),
    text("kind"),
    text("gateway_id"),
    text("key"),
    text("account", nullable=True),  # null: neither the restored rows nor the charge names it
    Column("invoice_id", BigInteger, nullable=True),  # as it was numbered before the loss
    text("charge_gateway_id", nullable=True),  # of a refund: the charge that it gives back
    yen("yen"),
    instant("happened_at"),
    instant("recorded_at"),
    CheckConstraint("kind IN ('charge', 'refund')", name="kind"),
    CheckConstraint("(kind = 'refund') = (charge_gateway_id IS NOT NULL)", name="refund_of_a_charge"),
    UniqueConstraint("gateway_id"),
    Index("ix_restored_act_charge", "charge_gateway_id"),
)
"""What the gateway did under our keys since the backup and the restored rows do not know."""

restored_act_end = Table(
    "restored_act_end",
    metadata,
    Column("act_id", BigInteger, ForeignKey("restored_act.id"), primary_key=True),
    text("how"),
    text("author"),
    text("ground"),
    instant("recorded_at"),
    CheckConstraint("how IN ('adopted', 'by_people')", name="how"),
    CheckConstraint("author <> '' AND ground <> ''", name="by_somebody"),
)
"""An account with an act that has none yet is charged, and a charge refunded, only after that."""

act_key = Table(
    "act_key",
    metadata,
    Column("key", TEXT, primary_key=True),
    text("act"),
    text("digest"),  # sha256 of the act's content
    Column("result", JSONB, nullable=True),
    instant("recorded_at"),
)
"""Acts that were said with a key, written in the act's own transaction: the same again finds what was done."""
