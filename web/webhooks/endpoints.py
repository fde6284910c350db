"""Endpoints that a host has for events: made, changed, switched off and on, given another secret, set back.

Every change is a row with its author; the newest holds. Nothing here commits: over HTTP an act and its key are one
transaction; the commands commit.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import sqlalchemy as sa

from keizoku.db.locks import take_turn
from keizoku.db.session import Session
from keizoku.db.tables.web import (
    EVENT_TYPES,
    webhook_delivery,
    webhook_endpoint,
    webhook_place,
    webhook_secret,
    webhook_setting,
    webhook_waiting,
)
from keizoku.limits import name_flaw
from keizoku.terms.read_model import JapanInstant, ReadModel
from keizoku.terms.refusal import Refused
from keizoku.web.event_feed import Cursor, newest_cursor
from keizoku.web.webhooks.addresses import target_of
from keizoku.web.webhooks.signing import new_secret

if TYPE_CHECKING:
    from keizoku.link.sealing.seals import KeyRing

__all__ = [
    "Changes",
    "DeliveryRow",
    "EndpointRow",
    "add_endpoint",
    "change_endpoint",
    "deliveries",
    "delivery_count",
    "endpoint_list",
    "endpoint_of",
    "note_setting",
    "replay",
    "rotate_secret",
    "switch",
]


@dataclass(frozen=True, slots=True, eq=False)
class EndpointRow(ReadModel):
    """An endpoint as it stands; no secret. `served_to` is the id of the last event that it was served up to."""

    id: int
    name: str
    url: str
    types: tuple[str, ...]
    enabled: bool
    ground: str
    created_at: JapanInstant
    created_by: str
    changed_at: JapanInstant
    changed_by: str
    secret_made_at: JapanInstant
    served_to: str
    waiting: int
    failing_since: Annotated[JapanInstant | None, ""]
    rests_until: Annotated[JapanInstant | None, ""]

    def wants(self, kind: str) -> bool:
        """Whether events of this type are sent to it."""
        return not self.types or kind in self.types


@dataclass(frozen=True, slots=True, eq=False)
class DeliveryRow(ReadModel):
    """An attempt to give an event to an endpoint."""

    id: int
    endpoint: int
    event: str
    type: str
    attempt: int
    outcome: str
    status: int | None
    why: str | None
    sent_at: JapanInstant
    milliseconds: int


@dataclass(frozen=True, slots=True)
class Changes:
    """What is to be otherwise; None: as it was."""

    url: str | None = None
    types: Sequence[str] | None = None


def add_endpoint(
    session: Session,
    ring: KeyRing,
    name: str,
    url: str,
    types: Sequence[str] = (),
    *,
    since: Cursor | None = None,
    allowed: Collection[str],
    by: str,
    now: datetime,
) -> tuple[int, str]:
    """(its number, its secret). It is sent what comes behind `since`, by default behind what there is now.

    Refused for a name, an address or a type that cannot be.
    """
    flaw = name_flaw(name) or ("an endpoint has a name" if not name.strip() else None)
    if flaw is not None:
        raise Refused("webhook.unfit", f"{name[:80]!r}: {flaw}")
    target_of(url, allowed)
    _check_types(types)
    begins = since if since is not None else newest_cursor(session, keeps=True)
    made = session.execute(
        sa.insert(webhook_endpoint).values(name=name, created_at=now, created_by=by).returning(webhook_endpoint.c.id)
    ).scalar_one()
    note_setting(session, made, url, types, enabled=True, by=by, ground="made", now=now)
    session.execute(sa.insert(webhook_place).values(endpoint_id=made, batch=begins.batch, place=begins.place, turn=0))
    return int(made), new_secret(session, ring, made, by=by, now=now)


def change_endpoint(
    session: Session, number: int, changes: Changes, *, allowed: Collection[str], by: str, ground: str, now: datetime
) -> EndpointRow:
    """Another address, or other types. Refused as `add_endpoint`."""
    found = endpoint_of(session, number, lock=True)
    url = changes.url if changes.url is not None else found.url
    types = changes.types if changes.types is not None else found.types
    target_of(url, allowed)
    _check_types(types)
    note_setting(session, number, url, types, enabled=found.enabled, by=by, ground=ground, now=now)
    return endpoint_of(session, number)


def switch(session: Session, number: int, *, on: bool, by: str, ground: str, now: datetime) -> EndpointRow:
    """Switch an endpoint off, or on again: what waits is then tried at once, from where it was left."""
    found = endpoint_of(session, number, lock=True)
    if found.enabled == on:
        raise Refused("webhook.switched", f"endpoint {number} is {'on' if on else 'off'} already")
    note_setting(session, number, found.url, found.types, enabled=on, by=by, ground=ground, now=now)
    if on:
        _ready(session, number)
    return endpoint_of(session, number)


def rotate_secret(session: Session, ring: KeyRing, number: int, *, by: str, now: datetime, both: timedelta) -> str:
    """A new secret; for a while (`both`) the one before signs too, so that a receiver is changed without a gap."""
    endpoint_of(session, number, lock=True)
    return new_secret(session, ring, number, by=by, now=now, before_until=now + both)


def replay(session: Session, number: int, after: Cursor) -> EndpointRow:
    """Set an endpoint back: what comes behind a place is sent (again), in order. Refused for a place ahead of it."""
    endpoint_of(session, number, lock=True)
    place = session.execute(
        sa.select(webhook_place).where(webhook_place.c.endpoint_id == number).with_for_update()
    ).one()
    if after > Cursor(place.batch, place.place):
        raise Refused(
            "webhook.ahead", f"endpoint {number} has come to {place.batch}-{place.place}, {after} lies ahead of it"
        )
    session.execute(
        sa.update(webhook_place)
        .where(webhook_place.c.endpoint_id == number)
        .values(batch=after.batch, place=after.place, turn=place.turn + 1)
    )
    behind = sa.tuple_(webhook_waiting.c.batch, webhook_waiting.c.place) > sa.tuple_(
        sa.literal(after.batch), sa.literal(after.place)
    )
    session.execute(  # they are read again in their order
        sa.update(webhook_waiting)
        .where(webhook_waiting.c.endpoint_id == number, webhook_waiting.c.ended_at.is_(None), behind)
        .values(ended_at=sa.func.now())
    )
    _ready(session, number)
    return endpoint_of(session, number)


def endpoint_of(session: Session, number: int, *, lock: bool = False) -> EndpointRow:
    """One endpoint. Refused where there is none of the number."""
    if lock:
        take_turn(session, f"webhook/{number}")
    found = session.execute(_endpoints().where(webhook_endpoint.c.id == number)).one_or_none()
    if found is None:
        raise Refused("webhook.unknown", f"there is no endpoint {number}", "`keizoku webhook list` has them")
    return _row(found)


def endpoint_list(session: Session) -> list[EndpointRow]:
    """Every endpoint, in the order in which they were made."""
    return [_row(each) for each in session.execute(_endpoints().order_by(webhook_endpoint.c.id))]


def deliveries(
    session: Session, number: int, *, limit: int, before: int | None = None, failed: bool = False
) -> list[DeliveryRow]:
    """Attempts, the newest first; `failed`: those that were not taken. Refused for an unknown endpoint."""
    endpoint_of(session, number)
    query = sa.select(webhook_delivery).where(webhook_delivery.c.endpoint_id == number)
    if before is not None:
        query = query.where(webhook_delivery.c.id < before)
    if failed:
        query = query.where(webhook_delivery.c.outcome != "delivered")
    rows = session.execute(query.order_by(webhook_delivery.c.id.desc()).limit(limit))
    return [DeliveryRow(*row) for row in rows]


def delivery_count(session: Session, number: int, *, failed: bool = False) -> int:
    """How many attempts there were."""
    query = sa.select(sa.func.count()).select_from(webhook_delivery).where(webhook_delivery.c.endpoint_id == number)
    if failed:
        query = query.where(webhook_delivery.c.outcome != "delivered")
    return int(session.execute(query).scalar_one())


def note_setting(
    session: Session, number: int, url: str, types: Sequence[str], *, enabled: bool, by: str, ground: str, now: datetime
) -> None:
    """From now on an endpoint is so. Does not commit."""
    session.execute(
        sa.insert(webhook_setting).values(
            endpoint_id=number, url=url, types=list(dict.fromkeys(types)), enabled=enabled, by=by, ground=ground,
            recorded_at=now,
        )
    )  # fmt: skip


def _ready(session: Session, number: int) -> None:
    """Whatever was put off is due now, with all its attempts."""
    session.execute(
        sa.update(webhook_place)
        .where(webhook_place.c.endpoint_id == number)
        .values(failing_since=None, rests_until=None)
    )
    session.execute(
        sa.update(webhook_waiting)
        .where(webhook_waiting.c.endpoint_id == number, webhook_waiting.c.ended_at.is_(None))
        .values(attempts=0, next_at=None)
    )


def _check_types(types: Sequence[str]) -> None:
    """Refused for a type of event that there is not."""
    for each in types:
        if each not in EVENT_TYPES:
            raise Refused("webhook.unfit", f"{each[:80]!r} is no type of event", "docs/how-to/http.md lists them")


def _endpoints() -> sa.Select[Any]:
    newest = (
        sa.select(webhook_setting)
        .where(webhook_setting.c.endpoint_id == webhook_endpoint.c.id)
        .order_by(webhook_setting.c.id.desc())
        .limit(1)
        .lateral("newest")
    )
    secret = (
        sa.select(sa.func.max(webhook_secret.c.made_at))
        .where(webhook_secret.c.endpoint_id == webhook_endpoint.c.id)
        .scalar_subquery()
    )
    waiting = (
        sa.select(sa.func.count())
        .where(webhook_waiting.c.endpoint_id == webhook_endpoint.c.id, webhook_waiting.c.ended_at.is_(None))
        .scalar_subquery()
    )
    return (
        sa.select(
            webhook_endpoint, newest.c.url, newest.c.types, newest.c.enabled, newest.c.by, newest.c.ground,
            newest.c.recorded_at, webhook_place.c.batch, webhook_place.c.place, webhook_place.c.failing_since,
            webhook_place.c.rests_until, secret.label("secret_made_at"), waiting.label("waiting"),
        )
        .select_from(webhook_endpoint)
        .join(newest, sa.true())
        .join(webhook_place, webhook_place.c.endpoint_id == webhook_endpoint.c.id)
    )  # fmt: skip


def _row(row: sa.Row[Any]) -> EndpointRow:
    return EndpointRow(
        row.id, row.name, row.url, tuple(row.types), row.enabled, row.ground, row.created_at, row.created_by,
        row.recorded_at, row.by, row.secret_made_at, f"{row.batch}-{row.place}", row.waiting, row.failing_since,
        row.rests_until,
    )  # fmt: skip
