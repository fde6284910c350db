"""Secrets of endpoints, and what is signed with them (Standard Webhooks 1.0: HMAC-SHA256, `v1,`).

    webhook-id         the event's id: the same at every attempt, so that a receiver knows what it had before
    webhook-timestamp  of the attempt
    webhook-signature  one for each living secret, the newest first

A secret is shown when it is made, and kept sealed under a key that the database does not have:
KEIZOKU_WEBHOOK_KEY_FILE, a file of lines that `keizoku link key` makes.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from keizoku.db.session import Session
from keizoku.db.tables.web import webhook_secret
from keizoku.extras import naming_the_extra
from keizoku.terms.refusal import Refused

if TYPE_CHECKING:
    from pathlib import Path

    from keizoku.link.sealing.seals import KeyRing
    from keizoku.web.event_feed import Event

__all__ = ["body_of", "headers_of", "key_ring", "living_secrets", "new_secret", "written_body"]

PREFIX: Final = "whsec_"
_BYTES: Final = 32


def key_ring(file: Path | None) -> KeyRing:
    """The keys that secrets are sealed under. Refused where no file is set, or it has none."""
    with naming_the_extra():
        from keizoku.link.sealing.seals import SealingError, read_key_ring

    remedy = "name a file of keys that its owner alone may read (`keizoku link key` makes a line)"
    if file is None:
        raise Refused("webhook.keys", "KEIZOKU_WEBHOOK_KEY_FILE is not set", remedy)
    try:
        return read_key_ring(file)
    except SealingError as error:
        raise Refused("webhook.keys", f"KEIZOKU_WEBHOOK_KEY_FILE={error}", remedy) from None


def new_secret(
    session: Session, ring: KeyRing, endpoint: int, *, by: str, now: datetime, before_until: datetime | None = None
) -> str:
    """Make a secret for an endpoint; the one before it signs too until an instant. Does not commit."""
    secret = PREFIX + base64.b64encode(secrets.token_bytes(_BYTES)).decode()
    made = session.execute(
        sa.select(sa.func.nextval(sa.text("pg_get_serial_sequence('webhook_secret', 'id')::regclass")))
    ).scalar_one()
    sealed = ring.seal(secret, _name(endpoint, made))
    session.execute(
        sa.insert(webhook_secret).values(
            id=made, endpoint_id=endpoint, key_id=sealed.key_id, sealed=sealed.content, made_at=now, made_by=by,
            before_until=before_until,
        )
    )  # fmt: skip
    return secret


def living_secrets(session: Session, ring: KeyRing, endpoint: int, now: datetime) -> list[str]:
    """The secrets that sign now, the newest first: one or two. Raises Refused where one does not open."""
    from keizoku.link.sealing.seals import Sealed

    rows = session.execute(
        sa.select(webhook_secret)
        .where(webhook_secret.c.endpoint_id == endpoint)
        .order_by(webhook_secret.c.id.desc())
        .limit(2)
    ).all()
    alive = rows if rows and rows[0].before_until is not None and rows[0].before_until > now else rows[:1]
    return [ring.open(Sealed(row.key_id, row.sealed), _name(endpoint, row.id)) for row in alive]


def body_of(event: Event) -> bytes:
    """What is sent: the thin event, in the form that the specification recommends."""
    told: dict[str, Any] = event.to_json()
    return written_body(told.pop("type"), told["occurred_at"], told)


def written_body(kind: str, timestamp: str, data: Mapping[str, Any]) -> bytes:
    """The form that the specification recommends; `timestamp` as an instant of Japan, in ISO form."""
    told = {"type": kind, "timestamp": timestamp, "data": data}
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()


def headers_of(secrets_of: Sequence[str], name: str, body: bytes, now: datetime) -> dict[str, str]:
    """The headers of an attempt at an instant."""
    at = str(int(now.timestamp()))
    signed = f"{name}.{at}.".encode() + body
    made = [hmac.new(base64.b64decode(each[len(PREFIX) :]), signed, hashlib.sha256).digest() for each in secrets_of]
    return {
        "Content-Type": "application/json",
        "User-Agent": "keizoku-webhooks",
        "webhook-id": name,
        "webhook-timestamp": at,
        "webhook-signature": " ".join("v1," + base64.b64encode(each).decode() for each in made),
    }


def _name(endpoint: int, secret: int) -> str:
    return f"webhook secret {endpoint}/{secret}"
