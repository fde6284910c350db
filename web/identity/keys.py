"""Keys of machines: `kz_live_…` and `kz_test_…`, of which only the SHA-256 is kept.

    new_key(…) ──> the key, shown once      key_holder(session, key) ──> Principal | None (ended, outlived, unknown)

Two keys of a name may live at once, so that one is replaced without a gap.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, cast

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from keizoku.db.locks import take_turn
from keizoku.db.session import Session
from keizoku.db.tables.web import api_key, api_key_end, http_request
from keizoku.limits import name_flaw
from keizoku.terms.read_model import JapanInstant, ReadModel
from keizoku.terms.refusal import Refused
from keizoku.web.identity.principal import ROLES, SCOPE, Principal, Role

__all__ = ["KeyRow", "NewKey", "digest_of", "end_key", "key_holder", "key_list", "new_key"]

KEY: Final = re.compile(r"kz_(live|test)_[A-Za-z0-9_-]{43}")
MOST_ALIVE: Final = 2


@dataclass(frozen=True, slots=True, eq=False)
class NewKey(ReadModel):
    """A key that was just made; `key` is shown this once."""

    id: int
    key: str


@dataclass(frozen=True, slots=True, eq=False)
class KeyRow(ReadModel):
    """A key as the list shows it."""

    id: int
    name: str
    role: str
    scopes: tuple[str, ...]
    mode: str
    created_at: JapanInstant
    created_by: str
    expires_at: JapanInstant | None
    ended_at: JapanInstant | None
    last_used_at: JapanInstant | None

    def lives(self, now: datetime) -> bool:
        """Whether it is still taken."""
        return self.ended_at is None and (self.expires_at is None or self.expires_at > now)


def digest_of(secret: str) -> str:
    """What is kept of a key, a link or a session."""
    return hashlib.sha256(secret.encode()).hexdigest()


def new_key(
    session: Session,
    name: str,
    role: str,
    scopes: Sequence[str],
    *,
    test: bool = False,
    expires_at: datetime | None = None,
    by: str,
    now: datetime,
) -> NewKey:
    """Make a key and commit it. Refused for a bad name, role or scope, an end that is over, a third living key."""
    flaw = name_flaw(name) or ("a key has a name" if not name.strip() else None)
    if flaw is not None:
        raise Refused("api_key.unfit", f"{name[:80]!r}: {flaw}")
    if role not in ROLES:
        raise Refused("api_key.unfit", f"{role!r} is no role", f"there are {', '.join(ROLES)}")
    for scope in scopes or ("",):
        if not SCOPE.fullmatch(scope):
            raise Refused(
                "api_key.unfit", f"{scope!r} is no scope", "write resource:read, resource:write, *:read, *:write or *"
            )
    if expires_at is not None and expires_at <= now:
        raise Refused("api_key.unfit", f"a key that ends at {expires_at:%Y-%m-%d %H:%M %Z} is over already")
    take_turn(session, f"api_key/{name}")
    alive = [each for each in key_list(session) if each.name == name and each.lives(now)]
    if len(alive) >= MOST_ALIVE:
        numbers = ", ".join(str(each.id) for each in alive)
        raise Refused(
            "api_key.two_alive", f"{name} has {len(alive)} living keys ({numbers})", "end one: `keizoku api end-key`"
        )
    mode = "test" if test else "live"
    key = f"kz_{mode}_{secrets.token_urlsafe(32)}"
    values = {
        "name": name, "role": role, "scopes": list(scopes), "mode": mode, "digest": digest_of(key),
        "created_at": now, "created_by": by, "expires_at": expires_at,
    }  # fmt: skip
    made = session.execute(sa.insert(api_key).values(**values).returning(api_key.c.id)).scalar_one()
    session.commit()
    return NewKey(int(made), key)


def end_key(session: Session, key_id: int, *, by: str, ground: str, now: datetime) -> bool:
    """A key is taken no more, from now on; False where it had ended before. Refused where unknown."""
    known = session.execute(sa.select(api_key.c.id).where(api_key.c.id == key_id)).first()
    if known is None:
        session.rollback()
        raise Refused("api_key.unknown", f"there is no key {key_id}", "`keizoku api keys` lists them")
    ended = postgresql.insert(api_key_end).values(key_id=key_id, ended_at=now, by=by, ground=ground)
    fresh = session.execute(ended.on_conflict_do_nothing().returning(api_key_end.c.key_id)).first() is not None
    session.commit()
    return fresh


def key_list(session: Session) -> list[KeyRow]:
    """Every key that was ever made, in that order, with its last use; no secret."""
    used = sa.select(sa.func.max(http_request.c.received_at)).where(
        http_request.c.principal == sa.func.concat("key:", api_key.c.name, ":", api_key.c.id)
    )
    rows = session.execute(
        sa.select(
            api_key.c.id, api_key.c.name, api_key.c.role, api_key.c.scopes, api_key.c.mode, api_key.c.created_at,
            api_key.c.created_by, api_key.c.expires_at, api_key_end.c.ended_at, used.scalar_subquery().label("used"),
        )
        .outerjoin(api_key_end, api_key_end.c.key_id == api_key.c.id)
        .order_by(api_key.c.id)
    ).all()  # fmt: skip
    return [
        KeyRow(
            row.id, row.name, row.role, tuple(row.scopes), row.mode, row.created_at, row.created_by, row.expires_at,
            row.ended_at, row.used,
        )
        for row in rows
    ]  # fmt: skip


def key_holder(session: Session, key: str, now: datetime) -> Principal | None:
    """Whose key it is; None for what is none, has ended, or has outlived its day."""
    if not KEY.fullmatch(key):
        return None
    row = session.execute(
        sa.select(
            api_key.c.id, api_key.c.name, api_key.c.role, api_key.c.scopes, api_key.c.mode, api_key.c.expires_at
        ).where(
            api_key.c.digest == digest_of(key),
            ~sa.exists().where(api_key_end.c.key_id == api_key.c.id),
        )
    ).one_or_none()
    if row is None or (row.expires_at is not None and row.expires_at <= now):
        return None
    scopes = frozenset(cast("Collection[str]", row.scopes))
    role = cast("Role", row.role)
    return Principal(
        "key", f"key:{row.name}:{row.id}", (role,), scopes, row.mode == "test", key=row.id, until=row.expires_at
    )
