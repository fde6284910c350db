"""Sealed secrets as rows: put, open, destroy, seal anew. Only a login of the role for tokens gets any of this done."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, Literal

import sqlalchemy as sa

from keizoku.db.session import Session, numbers
from keizoku.db.tables.link.grants import link_secret
from keizoku.link.sealing.seals import KeyRing, Sealed

__all__ = [
    "destroy_of",
    "destroy_verifier",
    "open_secret",
    "open_verifier",
    "opened",
    "put_verifier",
    "seal_anew",
    "sealed_row",
]

Kind = Literal["access", "refresh"]
_AT_ONCE: Final = 500


def sealed_row(ring: KeyRing, token_id: int, kind: str, text: str, now: datetime) -> dict[str, object]:
    """What belongs to a token, sealed, as a row of link_secret."""
    return {"token_id": token_id, **_sealed(ring, token_id, kind, text, now)}


def opened(ring: KeyRing, of: int, kind: str, key_id: str, sealed: bytes) -> str:
    """The text of a row of link_secret, of a token or an authorisation. Raises SealingError."""
    return ring.open(Sealed(key_id, bytes(sealed)), _name(of, kind))


def put_verifier(session: Session, ring: KeyRing, authorization_id: int, verifier: str, now: datetime) -> None:
    """Seal the PKCE verifier of an authorisation that has begun. Does not commit."""
    row = _sealed(ring, authorization_id, "verifier", verifier, now)
    session.execute(sa.insert(link_secret).values(authorization_id=authorization_id, **row))


def open_secret(session: Session, ring: KeyRing, token_id: int, kind: Kind) -> str | None:
    """The text of a token, None where it is destroyed or there is none. Raises SealingError."""
    row = session.execute(
        sa.select(link_secret.c.key_id, link_secret.c.sealed).where(
            link_secret.c.token_id == token_id, link_secret.c.kind == kind, link_secret.c.destroyed_at.is_(None)
        )
    ).first()
    return None if row is None else opened(ring, token_id, kind, row.key_id, row.sealed)


def open_verifier(session: Session, ring: KeyRing, authorization_id: int) -> str | None:
    """The verifier of an authorisation; None where it was used. Raises SealingError."""
    row = session.execute(
        sa.select(link_secret.c.key_id, link_secret.c.sealed).where(
            link_secret.c.authorization_id == authorization_id, link_secret.c.destroyed_at.is_(None)
        )
    ).first()
    return None if row is None else opened(ring, authorization_id, "verifier", row.key_id, row.sealed)


def destroy_of(session: Session, token_ids: Sequence[int], now: datetime) -> int:
    """Destroy all that is sealed of these tokens; how many secrets. Does not commit."""
    return _destroy(session, link_secret.c.token_id == sa.any_(numbers(token_ids)), now)


def destroy_verifier(session: Session, authorization_id: int, now: datetime) -> int:
    """Destroy a verifier. Does not commit."""
    return _destroy(session, link_secret.c.authorization_id == authorization_id, now)


def seal_anew(session: Session, ring: KeyRing) -> int:
    """Seal what is under older keys under the first one, in committed chunks; how many secrets. Raises SealingError."""
    old = (
        sa.select(link_secret)
        .where(link_secret.c.destroyed_at.is_(None), link_secret.c.key_id != ring.current)
        .order_by(link_secret.c.id)
        .limit(_AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    done = 0
    while rows := session.execute(old).all():
        for row in rows:
            of = row.token_id or row.authorization_id
            sealed = ring.seal(opened(ring, of, row.kind, row.key_id, row.sealed), _name(of, row.kind))
            session.execute(
                sa.update(link_secret)
                .where(link_secret.c.id == row.id)
                .values(key_id=sealed.key_id, sealed=sealed.content)
            )
        session.commit()
        done += len(rows)
    session.rollback()
    return done


def _destroy(session: Session, which: sa.ColumnElement[bool], now: datetime) -> int:
    return session.execute(
        sa.update(link_secret)
        .where(which, link_secret.c.destroyed_at.is_(None))
        .values(sealed=None, key_id=None, destroyed_at=now)
    ).rowcount


def _sealed(ring: KeyRing, of: int, kind: str, text: str, now: datetime) -> dict[str, object]:
    sealed = ring.seal(text, _name(of, kind))
    return {"kind": kind, "key_id": sealed.key_id, "sealed": sealed.content, "recorded_at": now}


def _name(of: int, kind: str) -> str:
    return f"{kind} {of}"
