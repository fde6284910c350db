"""What a bank and the app stores report: files, incoming payments, payouts.

Always holds (by the constraints below): a file without a bad row is taken once under one mapping, until it is taken
back; the n-th equal line of an account is one line, however many files show it; a store pays a term out once. A line
that is not booked, not in yen, or left out by its mapping (`posts` is false) is not in the books until an act says so.
Acts say what a line is; they are rows that are only added.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    Table,
    UniqueConstraint,
)
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
    Column("digest", TEXT, nullable=False, server_default=""),  # of the file and its mapping
    Column("round", Integer, nullable=False, server_default="1"),  # one more each time that it was taken back
    CheckConstraint("kind IN ('bank', 'store')", name="kind"),
    Index(
        "uq_money_import_whole",
        "kind",
        "sha256",
        "digest",
        "round",
        unique=True,
        postgresql_where=sql("rows_refused = 0"),
    ),
)

money_import_undone = Table(
    "money_import_undone",
    metadata,
    Column("import_id", BigInteger, ForeignKey("money_import.id"), primary_key=True),
    text("author"),
    text("ground"),
    instant("recorded_at"),
)
"""A file that was taken by a wrong mapping: what it posted is reversed, and it may be read again."""

bank_statement = Table(
    "bank_statement",
    metadata,
    identity(),
    text("digest"),
    text("bank_account"),
    text("currency"),
    text("preset"),
    day("first_on"),
    day("last_on"),
    Column("opening", BigInteger, nullable=True),
    Column("closing", BigInteger, nullable=True),
    instant("recorded_at"),
    CheckConstraint("first_on <= last_on", name="days"),
    Index("ix_bank_statement_account", "bank_account", "first_on"),
)
"""What a file says of an account: its days, and what the account held before and after them, in minor units."""

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
    Column("bank_account", TEXT, nullable=False, server_default=""),
    Column("direction", TEXT, nullable=False, server_default="in"),
    Column("currency", TEXT, nullable=False, server_default="JPY"),
    Column("foreign_amount", BigInteger, nullable=False, server_default="0"),  # minor units of another currency
    day("value_on", nullable=True),
    Column("kind_text", TEXT, nullable=False, server_default=""),
    Column("bank_id", TEXT, nullable=False, server_default=""),
    Column("balance", BigInteger, nullable=True),
    Column("state", TEXT, nullable=False, server_default="booked"),
    Column("line_digest", TEXT, nullable=False, server_default=""),
    Column("file_digest", TEXT, nullable=False, server_default=""),
    Column("posts", Boolean, nullable=False, server_default=sql("true")),
    UniqueConstraint(
        "bank_account",
        "paid_on",
        "direction",
        "currency",
        "yen",
        "foreign_amount",
        "payer",
        "reference",
        "nth",
        name="uq_bank_line_nth",
    ),
    CheckConstraint(
        "nth > 0 AND CASE currency WHEN 'JPY' THEN yen > 0 AND foreign_amount = 0"
        " ELSE yen = 0 AND foreign_amount > 0 AND NOT posts END",
        name="positive",
    ),
    CheckConstraint("direction IN ('in', 'out')", name="direction"),
    CheckConstraint("state = 'booked' OR (state IN ('pending', 'cancelled') AND NOT posts)", name="state"),
    Index("ix_bank_line_file", "file_digest"),
    Index("ix_bank_line_paid_on", "paid_on", "id"),  # the book of the bank, page by page
)

bank_act = Table(
    "bank_act",
    metadata,
    identity(),
    Column("line_id", BigInteger, nullable=False),  # refers by SHARED_REFERENCES (guards)
    text("kind"),
    Column("change", Integer, nullable=False),
    Column("account", TEXT, nullable=True),
    Column("receipt_id", BigInteger, nullable=True),  # refers by SHARED_REFERENCES (guards)
    text("author"),
    text("ground", nullable=True),
    instant("recorded_at"),
    text("about", nullable=True),  # what was booked from another side: payout:po_1, store:AP-10, deposit:12, line:33
    # what the bank kept from a payout on its way; below zero where the join is taken back
    Column("kept_yen", BigInteger, nullable=False, server_default="0"),
    CheckConstraint(
        "kept_yen = 0 OR (kept_yen > 0 AND kind IN ('payout', 'store_payout'))"
        " OR (kept_yen < 0 AND kind IN ('reopened', 'taken_back'))",
        name="kept",
    ),
    CheckConstraint(
        "(kind = 'matched' AND change = -1 AND receipt_id IS NOT NULL)"
        " OR (kind = 'unmatched' AND change = 1 AND receipt_id IS NOT NULL)"
        " OR (kind IN ('returned', 'payout', 'store_payout', 'refund', 'transfer', 'fee', 'other', 'taken_back')"
        " AND change IN (-1, 0) AND receipt_id IS NULL)"
        " OR (kind IN ('posted', 'reopened') AND change IN (0, 1) AND receipt_id IS NULL)",
        name="kind",
    ),
    Index("ix_bank_act_line_id", "line_id"),
    Index("ix_bank_act_receipt_id", "receipt_id", postgresql_where=sql("receipt_id IS NOT NULL")),
    Index("ix_bank_act_about", "about", postgresql_where=sql("about IS NOT NULL")),
)

payer_rule = Table(
    "payer_rule",
    metadata,
    identity(),
    text("folded"),  # how the bank writes the payer, whatever the width
    text("says"),
    text("account", nullable=True),
    text("author"),
    text("ground"),
    instant("recorded_at"),
    CheckConstraint("(says = 'member') = (account IS NOT NULL)", name="member"),
    CheckConstraint(
        "says IN ('member', 'payout', 'store_payout', 'fee', 'transfer', 'withdrawn')",
        name="says",
    ),
    Index("ix_payer_rule_folded", "folded", "id"),
)
"""What people confirmed of a payer: whose transfers are under this name, or what its lines are. The newest holds."""

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

store_refund = Table(
    "store_refund",
    metadata,
    Column("term_id", BigInteger, ForeignKey("store_report.term_id"), primary_key=True),
    yen("yen"),
    yen("fee_yen"),
    yen("fee_tax_yen"),
    day("refunded_on"),
    text("access"),
    text("payout_id", nullable=True),
    day("paid_out_on", nullable=True),
    text("author"),
    text("ground"),
    instant("recorded_at"),
    CheckConstraint("yen > 0 AND fee_yen BETWEEN 0 AND yen AND fee_tax_yen BETWEEN 0 AND fee_yen", name="within"),
    CheckConstraint("access IN ('ended', 'kept')", name="access"),
    CheckConstraint("(payout_id IS NULL) = (paid_out_on IS NULL)", name="paid_out"),
)
"""What a store gave back to its customer of a term that it had reported, and of its fee to us."""

store_order = Table(
    "store_order",
    metadata,
    Column("order_id", TEXT, primary_key=True),
    Column("account", TEXT, ForeignKey("account.id"), nullable=False),
    text("author"),
    instant("recorded_at"),
    Index("ix_store_order_account", "account"),
)
"""Whose an order at a store is, without the number of its renewal."""

transfer_order = Table(
    "transfer_order",
    metadata,
    identity(),
    Column("account", TEXT, ForeignKey("account.id"), nullable=False),
    yen("yen"),
    text("origin"),
    text("bank"),
    text("branch"),
    text("kind"),
    text("number"),
    text("holder"),
    text("proposed_by"),
    text("ground"),
    instant("recorded_at"),
    CheckConstraint("yen > 0 AND yen <= 9999999999", name="amount"),
    CheckConstraint("origin IN ('sent', 'card')", name="origin"),
    CheckConstraint("bank ~ '^[0-9]{4}$' AND branch ~ '^[0-9]{3}$' AND number ~ '^[0-9]{7}$'", name="codes"),
    CheckConstraint("kind IN ('1', '2', '4', '9')", name="kind"),
    UniqueConstraint("id", "proposed_by"),
    Index("ix_transfer_order_account", "account"),
)
"""Money that is to go out by bank, of which deposit, and to which account at which bank."""

transfer_file = Table(
    "transfer_file",
    metadata,
    identity(),
    day("paid_on"),
    text("payer"),
    text("sha256"),
    text("author"),
    instant("recorded_at"),
)
"""A file of transfers that the bank was given; its rows are those of its acts, so that it can be written again."""

transfer_act = Table(
    "transfer_act",
    metadata,
    identity(),
    Column("order_id", BigInteger, nullable=False),
    text("proposed_by"),
    text("kind"),
    text("author"),
    text("ground"),
    Column("file_id", BigInteger, ForeignKey("transfer_file.id"), nullable=True),
    Column("deposit_use_id", BigInteger, ForeignKey("deposit_use.id"), nullable=True),
    instant("recorded_at"),
    ForeignKeyConstraint(["order_id", "proposed_by"], ["transfer_order.id", "transfer_order.proposed_by"]),
    UniqueConstraint("order_id", "kind"),
    CheckConstraint("kind IN ('approved', 'rejected', 'sent', 'failed')", name="kind"),
    CheckConstraint("kind <> 'approved' OR lower(author) <> lower(proposed_by)", name="two_persons"),
    CheckConstraint("(kind = 'sent') = (file_id IS NOT NULL)", name="in_a_file"),
    CheckConstraint("(kind IN ('sent', 'failed')) = (deposit_use_id IS NOT NULL)", name="booked"),
)
"""What became of a transfer out, act by act: whoever approves is not whoever proposed, by the constraint."""
