"""Who comes in over HTTP, and what was asked there: keys of machines, sessions, proposals, the log of requests.

All of it is append-only; what ends a key or a session, or decides on a proposal, is a row of its own. No secret is
kept: of a key, a link and a session there is the SHA-256 only.
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
from sqlalchemy.dialects.postgresql import JSONB

from keizoku.db.tables.base import identity, instant, metadata, text

api_key = Table(
    "api_key",
    metadata,
    identity(),
    text("name"),
    text("role"),
    Column("scopes", JSONB, nullable=False),
    text("mode"),
    text("digest"),
    instant("created_at"),
    text("created_by"),
    instant("expires_at", nullable=True),
    UniqueConstraint("digest"),
    CheckConstraint("mode IN ('live', 'test')", name="mode"),
    CheckConstraint("role IN ('worker', 'finance', 'support')", name="role"),
    CheckConstraint("jsonb_typeof(scopes) = 'array'", name="scopes_are_a_list"),
    CheckConstraint("digest ~ '^[0-9a-f]{64}$'", name="digest_is_sha256"),
)
"""A machine's key: what it may do (scopes, as which role of the database), until when. Of the key itself, the hash."""

api_key_end = Table(
    "api_key_end",
    metadata,
    Column("key_id", BigInteger, ForeignKey("api_key.id"), primary_key=True),
    instant("ended_at"),
    text("by"),
    text("ground"),
    CheckConstraint("by <> '' AND ground <> ''", name="by_somebody"),
)
"""A key that is no longer taken."""

http_request = Table(
    "http_request",
    metadata,
    identity(),
    instant("received_at"),
    text("principal"),
    text("role"),
    text("method"),
    text("route"),
    text("account", nullable=True),
    Column("status", Integer, nullable=False),
    Column("act", Boolean, nullable=False),
    Column("milliseconds", Integer, nullable=False),
    Column("session_id", BigInteger, ForeignKey("web_session.id"), nullable=True),
    Column("as_member", BigInteger, nullable=True),
    ForeignKeyConstraint(("as_member", "account"), ("web_session.id", "web_session.account")),
    CheckConstraint("(principal = 'member' AND status < 400) = (as_member IS NOT NULL)", name="as_member"),
    CheckConstraint("as_member IS NULL OR (account IS NOT NULL AND as_member = session_id)", name="of_its_account"),
    Index("ix_http_request_account", "account", "received_at"),
    Index("ix_http_request_principal", "principal", "received_at"),
)
"""Who asked for what, when, about whom, and how it was answered. No bodies, no addresses of people.

What a member does stands here in the act's own transaction, with their session and the account that it was done to: the
database takes no other account than the session's.
"""

proposal = Table(
    "proposal",
    metadata,
    identity(),
    text("operation"),
    Column("content", JSONB, nullable=False),
    text("fingerprint"),
    text("account", nullable=True),
    text("ground", nullable=True),
    text("proposed_by"),
    text("person"),
    text("role"),
    instant("proposed_at"),
    instant("expires_at"),
    UniqueConstraint("id", "person"),
    Index("ix_proposal_account", "account"),
    CheckConstraint("expires_at > proposed_at", name="ends"),
)
"""An act that wants a second person: what was asked, word for word, and by whom. Nothing is done yet.

`person` is whoever stands behind `proposed_by`: two keys of one name are one person.
"""

proposal_decision = Table(
    "proposal_decision",
    metadata,
    Column("proposal_id", BigInteger, ForeignKey("proposal.id"), primary_key=True),
    text("decision"),
    text("decided_by"),
    text("person"),
    text("of_person"),
    text("ground"),
    instant("decided_at"),
    Column("result", JSONB(none_as_null=True), nullable=True),
    ForeignKeyConstraint(("proposal_id", "of_person"), ("proposal.id", "proposal.person")),
    CheckConstraint("decision IN ('approved', 'turned_down', 'withdrawn')", name="decision"),
    CheckConstraint("decision <> 'approved' OR person <> of_person", name="four_eyes"),
    CheckConstraint("decision <> 'withdrawn' OR person = of_person", name="withdrawn_by_its_author"),
)
"""What another person decided on a proposal; the act itself is in the same transaction."""
