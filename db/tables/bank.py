"""What a bank and the app stores report: files, incoming payments, payouts.

Always holds (by the constraints below): a file without a bad row is taken once; the n-th equal line of a bank's files
is one payment, however many files show it; a store pays a term out once. Acts say whose a payment
is; they are rows that are only added.
"""

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, Index, Integer, Table, UniqueConstraint
from sqlalchemy import (
    text as sql,
)
from sqlalchemy.dialects.postgresql import JSONB, TEXT

from keizoku.db.tables.base import day, identity, instant, metadata, text, yen

money_import = Table(
    "money_import",
    metadata,
    identity(),
    text("kind"),
    text("source"),
    text("sha256"),
    Column("rows_read", Integer, nullable=False),
    Column("rows_new", Integer, nullable=False),
    Column("rows_known", Integer, nullable=False),
    Column("rows_passed_over", Integer, nullable=False),
    Column("rows_refused", Integer, nullable=False),
    Column("findings", JSONB, nullable=False),
    text("author"),
    instant("recorded_at"),
    CheckConstraint("kind IN ('bank', 'store')", name="kind"),
    Index("uq_money_import_whole", "kind", "sha256", unique=True, postgresql_where=sql("rows_refused = 0")),
)

bank_line = Table(
    "bank_line",
    metadata,
    identity(),
    text("source"),
    Column("line", Integer, nullable=False),
    day("paid_on"),
    yen("yen"),
    text("payer"),
    text("reference"),
    Column("nth", Integer, nullable=False),
    text("doubt", nullable=True),
    instant("recorded_at"),
    UniqueConstraint("paid_on", "yen", "payer", "reference", "nth"),
    CheckConstraint("yen > 0 AND nth > 0", name="positive"),
)

bank_act = Table(
    "bank_act",
    metadata,
    identity(),
    Column("line_id", BigInteger, ForeignKey("bank_line.id"), nullable=False),
    text("kind"),
    Column("change", Integer, nullable=False),
    Column("account", TEXT, nullable=True),
    Column("receipt_id", BigInteger, ForeignKey("receipt.id"), nullable=True),
    text("author"),
    text("ground", nullable=True),
    instant("recorded_at"),
    CheckConstraint(
        "(kind = 'matched' AND change = -1 AND receipt_id IS NOT NULL)"
        " OR (kind = 'unmatched' AND change = 1 AND receipt_id IS NOT NULL)"
        " OR (kind IN ('returned', 'payout') AND change = -1 AND receipt_id IS NULL)",
        name="kind",
    ),
    Index("ix_bank_act_line_id", "line_id"),
)

store_payout = Table(
    "store_payout",
    metadata,
    Column("term_id", BigInteger, ForeignKey("store_report.term_id"), primary_key=True),
    text("payout_id"),
    day("paid_out_on"),
    yen("yen"),
    instant("recorded_at"),
    CheckConstraint("yen >= 0", name="not_negative"),
)
