"""Links that begin a session, once: printed by `serve --local`, or made by the host for a member.

    new_link(…) ──> /enter/TOKEN ── opened, confirmed ──> used ──> a session

The database takes one session of a link, so of two who open it at once one comes in. Opening it shows a form, and the
form uses it up: what only looks at links (mail scanners, previews) does not.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final, cast

import sqlalchemy as sa

from keizoku.db.session import Session
from keizoku.db.tables.web import sign_in_link, web_session
from keizoku.web.identity.keys import digest_of
from keizoku.web.identity.principal import Kind, Principal, Role

__all__ = ["LINK_LASTS", "kind_of_open", "new_link", "use_link"]

LINK_LASTS: Final = timedelta(minutes=15)


def new_link(session: Session, principal: Principal, *, by: str, now: datetime) -> str:
    """The token of a new link, in the session's own transaction; the caller commits."""
    token = secrets.token_urlsafe(32)
    session.execute(
        sa.insert(sign_in_link).values(
            digest=digest_of(token), kind=principal.kind, principal=principal.name, roles=list(principal.roles),
            account=principal.account, created_at=now, created_by=by, expires_at=now + LINK_LASTS,
        )
    )  # fmt: skip
    return token


def kind_of_open(session: Session, token: str, kinds: Collection[str], now: datetime) -> str | None:
    """For whom a link is that can still be used, of these kinds; None: it cannot."""
    found: str | None = session.scalar(sa.select(sign_in_link.c.kind).where(*_usable(token, kinds, now)))
    return found


def use_link(session: Session, token: str, kinds: Collection[str], now: datetime) -> Principal | None:
    """Who comes in by it; None: it is none, was used, or is too old. The session that is begun by it uses it up."""
    row = session.execute(sa.select(sign_in_link).where(*_usable(token, kinds, now))).one_or_none()
    if row is None:
        return None
    roles = tuple(cast("list[Role]", row.roles))
    return Principal(cast("Kind", row.kind), row.principal, roles, account=row.account)


def _usable(token: str, kinds: Collection[str], now: datetime) -> tuple[sa.ColumnElement[bool], ...]:
    link, used = sign_in_link.c, sa.exists().where(web_session.c.begun_by == sign_in_link.c.digest)
    return link.digest == digest_of(token), link.kind.in_(kinds), link.expires_at > now, ~used
