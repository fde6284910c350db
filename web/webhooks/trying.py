"""A test event, sent at once: whether an endpoint answers, and verifies what it is sent."""

from __future__ import annotations

import secrets
from contextlib import closing
from datetime import datetime
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from keizoku.db.session import Session
from keizoku.db.tables.web import webhook_delivery
from keizoku.terms.calendar import iso_jst
from keizoku.web.webhooks.addresses import target_of
from keizoku.web.webhooks.delivering import Rules
from keizoku.web.webhooks.endpoints import DeliveryRow, endpoint_of
from keizoku.web.webhooks.posting import Connection, SendingError
from keizoku.web.webhooks.signing import headers_of, living_secrets, written_body

if TYPE_CHECKING:
    from keizoku.link.sealing.seals import KeyRing

__all__ = ["TEST", "send_test"]

TEST: Final = "endpoint.test"


def send_test(session: Session, ring: KeyRing, number: int, rules: Rules, now: datetime) -> DeliveryRow:
    """Send it, once, and record how it was answered; an endpoint that is off is asked too. Does not commit."""
    endpoint = endpoint_of(session, number)
    target = target_of(endpoint.url, rules.allowed)
    began = monotonic()
    alive = living_secrets(session, ring, number, now)
    name = f"test-{secrets.token_hex(8)}"
    data = {"id": name, "account": None, "subject": str(number), "link": f"/v1/endpoints/{number}"}
    body = written_body(TEST, iso_jst(now), data)
    status, why = None, None
    try:
        with closing(Connection(target, rules.seconds)) as connection:
            status = connection.post(body, headers_of(alive, name, body, now)).status
        why = None if 200 <= status < 300 else f"it answered {status}"
    except SendingError as error:
        why = str(error)
    values: dict[str, Any] = {
        "endpoint_id": number, "event": name, "type": TEST, "attempt": 1,
        "outcome": "delivered" if why is None else "failed", "status": status, "why": why, "sent_at": now,
        "milliseconds": int((monotonic() - began) * 1000),
    }  # fmt: skip
    made = session.execute(sa.insert(webhook_delivery).values(**values).returning(webhook_delivery.c.id)).scalar_one()
    return DeliveryRow(int(made), *values.values())
