"""Who may come in, as what, since when, and when they last did: keys, people, members, logins of the database.

key      a machine's key            staff, local, member   sessions, together for each person
login    a login of the database that has been granted one of the roles: it needs no door
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

import sqlalchemy as sa

from keizoku.db.roles import NAMES
from keizoku.db.session import Session
from keizoku.db.tables.web import web_session
from keizoku.terms.read_model import JapanInstant, ReadModel
from keizoku.web.identity.keys import key_list
from keizoku.web.identity.sessions import living

__all__ = ["AccessRow", "access_report"]

_LOGINS: Final = """
WITH RECURSIVE held AS (
  SELECT role.oid AS role, role.rolname, granted.member FROM pg_roles role
  JOIN pg_auth_members granted ON granted.roleid = role.oid WHERE role.rolname = ANY(:roles)
  UNION SELECT held.role, held.rolname, further.member FROM held
  JOIN pg_auth_members further ON further.roleid = held.member
)
SELECT login.rolname AS who, array_agg(DISTINCT held.rolname ORDER BY held.rolname) AS roles,
  NULLIF(login.rolvaliduntil, 'infinity') AS until
FROM held JOIN pg_roles login ON login.oid = held.member WHERE login.rolcanlogin
GROUP BY login.rolname, login.rolvaliduntil ORDER BY login.rolname
"""


@dataclass(frozen=True, slots=True, eq=False)
class AccessRow(ReadModel):
    """One who may come in, or could; `may`: still can. `until` is the end that is known now."""

    kind: Literal["key", "staff", "local", "member", "login"]
    who: str
    account: str | None
    roles: tuple[str, ...]
    scopes: tuple[str, ...]
    may: bool
    since: JapanInstant | None
    until: JapanInstant | None
    last_used_at: JapanInstant | None


def access_report(session: Session, now: datetime, prefix: str = "keizoku") -> list[AccessRow]:
    """All of them, also those who may no more; `prefix`: how the roles of the database begin."""
    return [*_keys(session, now), *_people(session, now), *_logins(session, prefix)]


def _keys(session: Session, now: datetime) -> list[AccessRow]:
    return [
        AccessRow(
            "key", f"key:{key.name}:{key.id}", None, (key.role,), key.scopes,
            key.lives(now), key.created_at, key.ended_at or key.expires_at, key.last_used_at,
        )
        for key in key_list(session)
    ]  # fmt: skip


def _people(session: Session, now: datetime) -> list[AccessRow]:
    """For each person: the first session, the last use, and the roles of the newest."""
    columns, lives = web_session.c, living(now)
    rows = session.execute(
        sa.select(
            columns.kind, columns.principal, columns.account, sa.func.min(columns.created_at).label("since"),
            sa.func.max(columns.last_seen_at).label("used"), sa.func.bool_or(lives).label("lives"),
            sa.func.max(columns.expires_at).filter(lives).label("until"), sa.func.max(columns.id).label("newest"),
        )
        .group_by(columns.kind, columns.principal, columns.account)
        .order_by(columns.kind, columns.principal, columns.account)
    ).all()  # fmt: skip
    roles = dict(
        session.execute(sa.select(columns.id, columns.roles).where(columns.id.in_([row.newest for row in rows]))).all()
    )
    return [
        AccessRow(
            row.kind, row.principal, row.account, tuple(roles[row.newest]), ("*",), bool(row.lives), row.since,
            row.until, row.used,
        )
        for row in rows
    ]  # fmt: skip


def _logins(session: Session, prefix: str) -> list[AccessRow]:
    wanted = [f"{prefix}_{role}" for role in NAMES]
    rows = session.execute(sa.text(_LOGINS), {"roles": wanted}).all()
    return [
        AccessRow(
            "login", row.who, None, tuple(name.removeprefix(f"{prefix}_") for name in row.roles), (), True, None,
            row.until, None,
        )
        for row in rows
    ]  # fmt: skip
