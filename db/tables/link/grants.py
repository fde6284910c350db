"""Facts about a customer at the partner, the grants, their tokens, and every use of one.

    link_authorization ──> link_grant ──> link_token 1, 2, 3 …  (generations: each follows the one before it)
                                             └─ link_secret     what is sealed; a role of its own reads it
                                             └─ link_use        each use, begun before it is made, answered once

Always holds (by the constraints below): an account has one living grant; a grant has one living token; generations
follow each other without gap; at most one refresh of a grant is under way; a secret that was destroyed is gone, and
stays gone. A token itself is nowhere: its fingerprint, and its ciphertext under a key outside the database, are.

Columns that may change: link_secret.{key_id, sealed} (sealed anew under another key, or destroyed); set once:
link_grant.{ended_at, ended_cause, end_recorded_at}, link_token.{ended_at, ended_cause, end_recorded_at},
link_secret.destroyed_at, link_kept.{destroyed_at, content}, link_use.{answered_at, outcome, code, dropped}.
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
    LargeBinary,
    Table,
    UniqueConstraint,
)
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import JSONB, TEXT

from keizoku.db.tables.base import day, identity, instant, metadata, text

FACTS = (
    "partner_account_opened",
    "partner_account_closed",
    "rules_consented",
    "rules_withdrawn",
    "base_account_closed",
    "base_account_opened",
    "partner_ended",
    "partner_resumed",
)
SCOPES = ("data", "data orders")
"""What a grant is for: the customer's data, or these and orders. Orders are authorised apart from data."""
GRANT_ENDS = ("base_account_closed", "user_deleted", "partner_ended", "revoked", "refused", "lapsed", "replaced")
TOKEN_ENDS = ("renewed", "lapsed", "grant_ended")
PURPOSES = ("refresh", "fetch", "order", "look_up", "revoke")
OUTCOMES = ("answered", "refused", "unauthorized", "too_many", "unavailable", "no_answer")
RULED = ("4.3", "4.4", "4.5", "5.1", "5.2", "5.3", "5.4", "5.6", "1.4", "1.5", "1.7")
"""Clauses of api_link whose text is not at hand: people rule on them (`keizoku.terms.api_link.link_discretion`)."""


def one_of(column: str, words: tuple[str, ...], name: str) -> CheckConstraint:
    """A column that holds one of these words."""
    return CheckConstraint(f"{column} IN ({', '.join(repr(word) for word in words)})", name=name)


link_fact = Table(
    "link_fact",
    metadata,
    identity(),
    Column("account", TEXT, ForeignKey("account.id"), nullable=False),
    text("kind"),
    text("rules_version", nullable=True),  # of the partner's API rules, where they were consented to
    instant("occurred_at"),
    text("author"),
    text("ground", nullable=True),
    instant("recorded_at"),
    one_of("kind", FACTS, "kind"),
    CheckConstraint("(kind = 'rules_consented') = (rules_version IS NOT NULL)", name="version_consented_to"),
    CheckConstraint("author <> '' AND rules_version <> ''", name="by_somebody"),
    Index("ix_link_fact_account", "account"),
)
"""What holds of a customer at the partner and at the bank (api_link/4.1, 4.2, 12.2), each fact with its instant."""

link_ruling = Table(
    "link_ruling",
    metadata,
    identity(),
    Column("account", TEXT, ForeignKey("account.id"), nullable=False),
    text("clause"),  # without the contract's name: 4.3
    Column("met", Boolean, nullable=False),
    instant("occurred_at"),  # from when on it holds
    text("author"),
    text("ground"),
    instant("recorded_at"),
    one_of("clause", RULED, "clause"),
    CheckConstraint("author <> '' AND ground <> ''", name="by_somebody"),
    Index("ix_link_ruling_account", "account"),
)
"""What people ruled on a condition whose text is not at hand; the newest on a clause holds."""

link_authorization = Table(
    "link_authorization",
    metadata,
    identity(),
    Column("account", TEXT, ForeignKey("account.id"), nullable=False),
    Column("state_digest", TEXT, nullable=False, unique=True),
    text("scopes"),
    text("redirect_uri"),
    instant("begun_at"),
    instant("expires_at"),
    instant("recorded_at"),
    one_of("scopes", SCOPES, "scopes"),
    CheckConstraint("state_digest ~ '^[0-9a-f]{64}$'", name="digest"),
    CheckConstraint("begun_at < expires_at", name="forward"),
    Index("ix_link_authorization_account", "account"),
)
"""A customer was sent to the partner to authorise us; the answer is looked up by the digest of its state."""

link_authorization_end = Table(
    "link_authorization_end",
    metadata,
    Column("authorization_id", BigInteger, ForeignKey("link_authorization.id"), primary_key=True),
    Column("outcome", TEXT, primary_key=True),
    text("code", nullable=True),
    instant("recorded_at"),
    one_of("outcome", ("exchanging", "granted", "refused"), "outcome"),
    Index(
        "uq_link_authorization_end_once",
        "authorization_id",
        unique=True,
        postgresql_where=sql("outcome <> 'exchanging'"),
    ),
)
"""What became of it. A code is exchanged once: `exchanging` is committed before the partner is asked."""

link_grant = Table(
    "link_grant",
    metadata,
    identity(),
    Column("account", TEXT, ForeignKey("account.id"), nullable=False),
    Column("authorization_id", BigInteger, ForeignKey("link_authorization.id"), nullable=False, unique=True),
    text("scopes"),
    instant("granted_at"),
    instant("consent_until", nullable=True),  # the partner lets it lapse then; null: it named no end
    instant("recorded_at"),
    instant("ended_at", nullable=True),
    text("ended_cause", nullable=True),
    instant("end_recorded_at", nullable=True),
    one_of("scopes", SCOPES, "scopes"),
    one_of("ended_cause", GRANT_ENDS, "ended_cause"),
    CheckConstraint(
        "(ended_at IS NULL) = (ended_cause IS NULL) AND (ended_at IS NULL) = (end_recorded_at IS NULL)", name="ended"
    ),
    CheckConstraint("consent_until > granted_at AND ended_at >= granted_at", name="forward"),
    Index("uq_link_grant_one_living", "account", unique=True, postgresql_where=sql("ended_at IS NULL")),
    Index("ix_link_grant_account", "account"),
    Index("ix_link_grant_consent_until", "consent_until", postgresql_where=sql("ended_at IS NULL")),
)

link_token = Table(
    "link_token",
    metadata,
    identity(),
    Column("grant_id", BigInteger, ForeignKey("link_grant.id"), nullable=False),
    Column("account", TEXT, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("follows", Integer, nullable=True),
    instant("asked_at"),  # before the partner was asked: its expires_in counts from here at the earliest
    Column("expires_in", Integer, nullable=False),  # seconds, as the partner said; its wall clock is never asked
    instant("expires_at"),
    text("fingerprint"),
    Column("renewable", Boolean, nullable=False),  # whether a refresh token came with it
    instant("recorded_at"),
    instant("ended_at", nullable=True),
    text("ended_cause", nullable=True),
    instant("end_recorded_at", nullable=True),
    CheckConstraint("generation > 0 AND follows IS NOT DISTINCT FROM nullif(generation - 1, 0)", name="generation"),
    CheckConstraint("expires_in > 0", name="lives"),
    CheckConstraint("extract(epoch FROM expires_at) - extract(epoch FROM asked_at) = expires_in", name="expires"),
    CheckConstraint("fingerprint ~ '^[0-9a-f]{64}$'", name="fingerprint"),
    one_of("ended_cause", TOKEN_ENDS, "ended_cause"),
    CheckConstraint(
        "(ended_at IS NULL) = (ended_cause IS NULL) AND (ended_at IS NULL) = (end_recorded_at IS NULL)", name="ended"
    ),
    UniqueConstraint("grant_id", "generation"),
    ForeignKeyConstraint(["grant_id", "follows"], ["link_token.grant_id", "link_token.generation"], name="chain"),
    Index("uq_link_token_one_living", "grant_id", unique=True, postgresql_where=sql("ended_at IS NULL")),
    Index("ix_link_token_expires_at", "expires_at", postgresql_where=sql("ended_at IS NULL")),
    Index("ix_link_token_account", "account"),
)

link_secret = Table(
    "link_secret",
    metadata,
    identity(),
    Column("token_id", BigInteger, ForeignKey("link_token.id"), nullable=True),
    Column("authorization_id", BigInteger, ForeignKey("link_authorization.id"), nullable=True),
    text("kind"),
    text("key_id", nullable=True),  # of the key that it is sealed under; the key itself is outside the database
    Column("sealed", LargeBinary, nullable=True),
    instant("recorded_at"),
    instant("destroyed_at", nullable=True),
    one_of("kind", ("access", "refresh", "verifier"), "kind"),
    CheckConstraint("(kind = 'verifier') = (token_id IS NULL)", name="of_a_token"),
    CheckConstraint("num_nonnulls(token_id, authorization_id) = 1", name="of_one"),
    CheckConstraint(
        "(destroyed_at IS NULL) = (sealed IS NOT NULL) AND (sealed IS NULL) = (key_id IS NULL)", name="destroyed"
    ),
    UniqueConstraint("token_id", "kind"),
    UniqueConstraint("authorization_id"),
    Index("ix_link_secret_key_id", "key_id", postgresql_where=sql("destroyed_at IS NULL")),
)
"""Ciphertexts. Only the role for tokens reads or writes them (db/roles.py)."""

link_use = Table(
    "link_use",
    metadata,
    identity(),
    Column("grant_id", BigInteger, ForeignKey("link_grant.id"), nullable=False),
    Column("token_id", BigInteger, ForeignKey("link_token.id"), nullable=False),
    Column("account", TEXT, nullable=False),
    text("purpose"),
    text("kinds", nullable=True),  # of a fetch: what was asked for; never what came
    instant("begun_at"),
    text("author"),
    instant("recorded_at"),
    instant("answered_at", nullable=True),
    text("outcome", nullable=True),
    text("code", nullable=True),
    Column("dropped", Integer, nullable=True),  # fields that came and are not designated
    one_of("purpose", PURPOSES, "purpose"),
    one_of("outcome", OUTCOMES, "outcome"),
    CheckConstraint("(answered_at IS NULL) = (outcome IS NULL)", name="answered"),
    CheckConstraint("(purpose = 'fetch') = (kinds IS NOT NULL)", name="kinds_of_a_fetch"),
    CheckConstraint("dropped >= 0 AND author <> ''", name="counted"),
    Index(
        "uq_link_use_one_refresh",
        "grant_id",
        unique=True,
        postgresql_where=sql("purpose = 'refresh' AND outcome IS NULL"),
    ),
    Index("ix_link_use_account", "account", "begun_at"),
    Index("ix_link_use_begun_at", "begun_at"),
    Index("ix_link_use_token_id", "token_id"),
    Index("ix_link_use_grant_id", "grant_id"),
)
"""Every use of a token: committed before the partner is asked, answered once."""

link_kept = Table(
    "link_kept",
    metadata,
    identity(),
    Column("use_id", BigInteger, ForeignKey("link_use.id"), nullable=False),
    text("account"),
    text("kind"),
    Column("content", JSONB, nullable=True),
    instant("fetched_at"),
    instant("keep_until"),
    instant("recorded_at"),
    instant("destroyed_at", nullable=True),
    UniqueConstraint("use_id", "kind"),
    CheckConstraint("(destroyed_at IS NULL) = (content IS NOT NULL)", name="destroyed"),
    CheckConstraint("fetched_at < keep_until", name="forward"),
    Index("ix_link_kept_account", "account"),
    Index("ix_link_kept_keep_until", "keep_until", postgresql_where=sql("destroyed_at IS NULL")),
)
"""Designated fields that may be shown again for a short time; by default nothing is ever written here."""

link_designation = Table(
    "link_designation",
    metadata,
    identity(),
    text("kind"),
    text("name"),  # of a field, positions.Symbol; of a product, its code at the partner
    Column("designated", Boolean, nullable=False),
    day("holds_from"),
    text("author"),
    text("ground"),
    instant("recorded_at"),
    one_of("kind", ("field", "product"), "kind"),
    CheckConstraint("author <> '' AND ground <> '' AND name <> ''", name="by_somebody"),
    Index("ix_link_designation_name", "kind", "name"),
)
"""The data that we show and the products that can be ordered (api_link/6.2, 6.3): the newest row by day holds."""
