"""People in a browser: their sessions, and the links that begin one.

Of a cookie and of a link there is the SHA-256 only. What says how long a session lasts is in its row; `last_seen_at`
moves while it is used; its end is set once, with why.
"""

from sqlalchemy import CheckConstraint, Column, Index, Integer, Table, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB

from keizoku.db.tables.base import identity, instant, metadata, text

_KIND = "kind IN ('staff', 'local', 'member')"
_ROLES = "jsonb_typeof(roles) = 'array' AND roles <> '[]' AND (kind = 'member') = (roles ? 'member')"
_ACCOUNT = "(kind = 'member') = (account IS NOT NULL)"

web_session = Table(
    "web_session",
    metadata,
    identity(),
    text("digest"),
    text("begun_by"),
    text("kind"),
    text("principal"),
    Column("roles", JSONB, nullable=False),
    text("account", nullable=True),
    instant("created_at"),
    instant("last_seen_at"),
    Column("idle_seconds", Integer, nullable=False),
    instant("expires_at"),
    instant("ended_at", nullable=True),
    text("ended_why", nullable=True),
    UniqueConstraint("digest"),
    UniqueConstraint("begun_by"),
    UniqueConstraint("id", "account"),
    Index("ix_web_session_account", "account"),
    CheckConstraint(_KIND, name="kind"),
    CheckConstraint(_ROLES, name="roles_of_its_kind"),
    CheckConstraint(_ACCOUNT, name="one_account_of_a_member"),
    CheckConstraint("digest ~ '^[0-9a-f]{64}$' AND begun_by ~ '^[0-9a-f]{64}$'", name="digest_is_sha256"),
    CheckConstraint("idle_seconds > 0 AND expires_at > created_at", name="ends"),
    CheckConstraint("(ended_at IS NULL) = (ended_why IS NULL)", name="ended_for_a_reason"),
)
"""A person who signed in: who, as which roles of the database, a member for which one account, and until when.

`begun_by` is the hash of the link, or of the sign-in at the directory, that began it: of each there is one session.
"""

sign_in_link = Table(
    "sign_in_link",
    metadata,
    identity(),
    text("digest"),
    text("kind"),
    text("principal"),
    Column("roles", JSONB, nullable=False),
    text("account", nullable=True),
    instant("created_at"),
    text("created_by"),
    instant("expires_at"),
    UniqueConstraint("digest"),
    Index("ix_sign_in_link_account", "account"),
    CheckConstraint("kind IN ('local', 'member')", name="kind"),
    CheckConstraint(_ROLES, name="roles_of_its_kind"),
    CheckConstraint(_ACCOUNT, name="one_account_of_a_member"),
    CheckConstraint("digest ~ '^[0-9a-f]{64}$'", name="digest_is_sha256"),
    CheckConstraint("expires_at > created_at", name="ends"),
)
"""A link that begins a session: of whom, made by whom, until when. It was used when a session was begun by it."""
