"""What people were shown, agreed to, decided, did and put off: offers, consents, screenings, acts, work for later.

Always holds (by the constraints below): an offer is what its digest says and has one price; an application consents to
one version of each terms; a contract is approved or rejected once; a disclosure names the account, the recipient and
the ground. Rows are only ever added.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Table,
    UniqueConstraint,
)
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import JSONB, TEXT

from keizoku.db.tables.base import day, identity, instant, metadata, text, yen

offer = Table(
    "offer",
    metadata,
    Column("digest", TEXT, primary_key=True),  # SHA-256 of the content as canonical JSON
    yen("price_yen"),
    Column("content", JSONB, nullable=False),  # billing/rules/documents/offer.py says what it holds
    instant("recorded_at"),
    CheckConstraint("digest ~ '^[0-9a-f]{64}$'", name="digest"),
    CheckConstraint("price_yen > 0", name="priced"),
    CheckConstraint("(content ->> 'price_yen')::bigint IS NOT DISTINCT FROM price_yen", name="price_of_content"),
)
"""What applicants were shown (premium/3.2), each offer once, however many saw it."""

offer_shown = Table(
    "offer_shown",
    metadata,
    identity(),
    Column("contract_id", BigInteger, ForeignKey("contract.id"), nullable=False),
    text("account"),
    Column("digest", TEXT, ForeignKey("offer.digest"), nullable=False),
    instant("shown_at"),
    instant("recorded_at"),
    Index("ix_offer_shown_contract_id", "contract_id", "id"),
)
"""Which offer an application accepts; one that is shown anew is another row, and the newest holds."""

consent = Table(
    "consent",
    metadata,
    identity(),
    Column("contract_id", BigInteger, ForeignKey("contract.id"), nullable=False),
    text("account"),
    text("terms"),  # the name of the terms: premium, or one of the setting related_terms
    text("version"),
    Column("stated", Boolean, nullable=False),  # False: consent by registering (premium/3.2)
    instant("consented_at"),
    instant("recorded_at"),
    UniqueConstraint("contract_id", "terms"),
)

screening = Table(
    "screening",
    metadata,
    identity(),
    Column("contract_id", BigInteger, ForeignKey("contract.id"), nullable=False),
    text("account"),
    text("outcome"),
    text("author"),
    text("ground", nullable=True),
    instant("decided_at"),
    instant("recorded_at"),
    CheckConstraint("outcome IN ('approved', 'rejected', 'referred')", name="outcome"),
    CheckConstraint("outcome = 'approved' OR ground IS NOT NULL", name="grounded"),
    Index("uq_screening_decided", "contract_id", unique=True, postgresql_where=sql("outcome <> 'referred'")),
    Index("ix_screening_contract_id", "contract_id"),
)

operator_act = Table(
    "operator_act",
    metadata,
    identity(),
    text("kind"),  # service_change: premium/11.1; disclosure: premium/8.1
    Column("account", TEXT, ForeignKey("account.id"), nullable=True),
    text("what"),
    text("recipient", nullable=True),
    text("ground"),
    text("author"),
    instant("occurred_at"),
    instant("recorded_at"),
    CheckConstraint("kind IN ('service_change', 'disclosure')", name="kind"),
    CheckConstraint(
        "(kind = 'disclosure') = (account IS NOT NULL) AND (kind = 'disclosure') = (recipient IS NOT NULL)",
        name="disclosed_to",
    ),
    Index("ix_operator_act_account", "account"),
)

account_read = Table(
    "account_read",
    metadata,
    identity(),
    text("account"),
    text("question"),  # the command, or the library's function
    text("reader"),  # as the caller says; may be empty
    Column("login", TEXT, nullable=False, server_default=sql("SESSION_USER")),
    Column("read_at", DateTime(timezone=True), nullable=False, server_default=sql("clock_timestamp()")),
    CheckConstraint("account <> '' AND question <> '' AND login <> ''", name="stated"),
    Index("ix_account_read_account", "account", "id"),
)
"""Who read one account, when, by which question; bulk work (the night, exports, lists) is not in it."""

member_file = Table(
    "member_file",
    metadata,
    identity(),
    Column("account", TEXT, ForeignKey("account.id"), nullable=False),
    text("recipient"),
    text("ground"),
    text("author"),
    instant("made_at"),
    CheckConstraint("recipient <> '' AND ground <> '' AND author <> ''", name="disclosed_to"),
    Index("ix_member_file_account", "account"),
)
"""A member's file that was made: a disclosure of all that is held about the account (Act on the Protection of
Personal Information 33)."""

terms_announcement = Table(
    "terms_announcement",
    metadata,
    identity(),
    text("version"),
    day("published_on"),
    day("effective_on"),
    text("place"),
    Column("beneficial", Boolean, nullable=False),  # wholly to the users' benefit, as people state with a ground
    text("ground", nullable=True),
    text("proof", nullable=True),
    text("author"),
    instant("recorded_at"),
    CheckConstraint("version <> '' AND place <> '' AND author <> ''", name="stated"),
    CheckConstraint("NOT beneficial OR (ground <> '') IS TRUE", name="beneficial_for_a_ground"),
    CheckConstraint(
        "published_on >= (recorded_at AT TIME ZONE 'Asia/Tokyo')::date OR (ground <> '' AND proof <> '') IS TRUE",
        name="announced_or_proved",
    ),
)
"""When and where a version of the terms was made known before it came into force (Civil Code 548-4)."""

task_snooze = Table(
    "task_snooze",
    metadata,
    identity(),
    text("task"),  # as the work list names it: T12, attempt 7
    day("until_on"),
    text("author"),
    text("ground"),
    instant("recorded_at"),
    CheckConstraint("author <> '' AND ground <> ''", name="by_somebody"),
    Index("ix_task_snooze_task", "task", "id"),
)
"""What people put off: it is left out of the work list until that day in Japan; the newest row of an item holds."""

account_hold = Table(
    "account_hold",
    metadata,
    identity(),
    Column("account", TEXT, ForeignKey("account.id"), nullable=False),
    day("until_on"),  # the last day of it, in Japan
    text("author"),
    text("ground"),
    instant("recorded_at"),
    CheckConstraint("author <> '' AND ground <> ''", name="by_somebody"),
    CheckConstraint("until_on >= (recorded_at AT TIME ZONE 'Asia/Tokyo')::date", name="ahead"),
    Index("ix_account_hold_until_on", "until_on", "account"),
    Index("ix_account_hold_account", "account"),
)
"""People hold back what we do to an account of our own accord, from when it is recorded up to a day."""

account_hold_end = Table(
    "account_hold_end",
    metadata,
    Column("hold_id", BigInteger, ForeignKey("account_hold.id"), primary_key=True),
    Column("account", TEXT, ForeignKey("account.id"), nullable=False),
    text("author"),
    text("ground"),
    instant("recorded_at"),
    CheckConstraint("author <> '' AND ground <> ''", name="by_somebody"),
)
"""A hold that people ended before its day."""
