"""Sessions of people in a browser: an opaque token in a cookie, of which the database has the SHA-256 only.

    begin(…) ──> token, once      holder(session, token, now) ──> WebSession | None (unknown, idle, over, ended)

A session ends when it was not used for its idle time, at its absolute end, when somebody signs in anew in the same
browser (the token is never kept over a sign-in), signs out, or is ended by `keizoku api end-session`.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, cast

import sqlalchemy as sa

from keizoku.db.session import Session
from keizoku.db.tables.web import web_session
from keizoku.terms.read_model import JapanInstant, ReadModel
from keizoku.terms.refusal import Refused
from keizoku.web.identity.keys import digest_of
from keizoku.web.identity.principal import Kind, Principal, Role

__all__ = [
    "SessionRow", "WebSession", "begin", "end_session", "end_token", "holder", "living", "session_count",
    "session_list",
]  # fmt: skip

TOKEN_LENGTH: Final = 43
SEEN_EVERY: Final = timedelta(minutes=1)
"""`last_seen_at` is written at most so often."""


@dataclass(frozen=True, slots=True)
class WebSession:
    """A living session; `token` is what the cookie holds."""

    id: int
    principal: Principal
    expires_at: datetime
    token: str = field(repr=False)

    @property
    def form_token(self) -> str:
        """What a form of this session carries: nobody makes it who has not the cookie."""
        return hmac.new(self.token.encode(), b"keizoku form", hashlib.sha256).hexdigest()

    def is_its_form(self, token: str) -> bool:
        """Whether a form that came back is one of this session."""
        return hmac.compare_digest(self.form_token.encode(), token.encode())


@dataclass(frozen=True, slots=True, eq=False)
class SessionRow(ReadModel):
    """A session as the list shows it; no secret."""

    id: int
    kind: str
    principal: str
    roles: tuple[str, ...]
    account: str | None
    created_at: JapanInstant
    last_seen_at: JapanInstant
    expires_at: JapanInstant
    ended_at: JapanInstant | None
    ended_why: str | None


def begin(
    session: Session, principal: Principal, begun_by: str, now: datetime, *, idle: timedelta, whole: timedelta
) -> str:
    """The token of a new session, in the session's own transaction; the caller commits. A secret begins one only.

    It lasts for `idle` without use, and for `whole` in any case.
    """
    token = secrets.token_urlsafe(32)
    session.execute(
        sa.insert(web_session).values(
            digest=digest_of(token), begun_by=digest_of(begun_by), kind=principal.kind, principal=principal.name,
            roles=list(principal.roles),
            account=principal.account, created_at=now, last_seen_at=now,
            idle_seconds=int(idle.total_seconds()), expires_at=now + whole,
        )
    )  # fmt: skip
    return token


def holder(session: Session, token: str, now: datetime) -> WebSession | None:
    """Whose session it is; None for what is none or is over. Commits that it was seen, at most once a minute."""
    if len(token) != TOKEN_LENGTH:
        return None
    row = session.execute(sa.select(web_session).where(web_session.c.digest == digest_of(token))).one_or_none()
    if row is None or row.ended_at is not None:
        return None
    why = "over" if row.expires_at <= now else "idle" if _idle(row) <= now else None
    if why is not None:
        _end(session, row.id, why, now)
        return None
    if now - row.last_seen_at >= SEEN_EVERY:
        seen = sa.update(web_session).where(web_session.c.id == row.id, web_session.c.last_seen_at < now)
        session.execute(seen.values(last_seen_at=now))
        session.commit()
    roles = tuple(cast("list[Role]", row.roles))
    principal = Principal(
        cast("Kind", row.kind), row.principal, roles, account=row.account, session=int(row.id), shows=digest_of(token)
    )
    return WebSession(int(row.id), principal, row.expires_at, token)


def end_token(session: Session, token: str, why: str, now: datetime) -> None:
    """The session of this token ends, in the session's own transaction; nothing where it had ended or is none."""
    session.execute(
        sa.update(web_session)
        .where(web_session.c.digest == digest_of(token), web_session.c.ended_at.is_(None))
        .values(ended_at=now, ended_why=why)
    )


def end_session(session: Session, number: int, *, by: str, ground: str, now: datetime) -> bool:
    """A session is taken no more, from now on; False where it had ended before. Refused where unknown."""
    if _end(session, number, f"{by}: {ground}", now):
        return True
    known = session.execute(sa.select(web_session.c.id).where(web_session.c.id == number)).first()
    session.rollback()
    if known is None:
        raise Refused("session.unknown", f"there is no session {number}", "`keizoku api sessions` lists them")
    return False


def living(now: datetime) -> sa.ColumnElement[bool]:
    """Which sessions live at an instant: not ended, not over, not idle."""
    own = web_session.c
    idle_at = own.last_seen_at + sa.func.make_interval(0, 0, 0, 0, 0, 0, own.idle_seconds)
    return sa.and_(own.ended_at.is_(None), own.expires_at > now, idle_at > now)


def session_count(session: Session, *, living_at: datetime | None = None) -> int:
    """How many `session_list` has in all."""
    query = sa.select(sa.func.count()).select_from(web_session)
    return session.scalar(query if living_at is None else query.where(living(living_at))) or 0


def session_list(
    session: Session, *, living_at: datetime | None = None, limit: int | None = None, after: int = 0
) -> list[SessionRow]:
    """Every session, or those that live at an instant, in the order in which they began, behind one of them."""
    query = sa.select(web_session).where(web_session.c.id > after).order_by(web_session.c.id).limit(limit)
    if living_at is not None:
        query = query.where(living(living_at))
    wanted = [column for column in web_session.columns if column.name not in ("digest", "begun_by")]
    rows = session.execute(query.with_only_columns(*wanted)).all()
    return [
        SessionRow(
            row.id, row.kind, row.principal, tuple(row.roles), row.account, row.created_at, row.last_seen_at,
            row.expires_at, row.ended_at, row.ended_why,
        )
        for row in rows
    ]  # fmt: skip


def _idle(row: sa.Row[tuple[object, ...]]) -> datetime:
    found: datetime = row.last_seen_at + timedelta(seconds=row.idle_seconds)
    return found


def _end(session: Session, number: int, why: str, now: datetime) -> bool:
    ended = sa.update(web_session).where(web_session.c.id == number, web_session.c.ended_at.is_(None))
    fresh = session.execute(ended.values(ended_at=now, ended_why=why)).rowcount == 1
    session.commit()
    return fresh
