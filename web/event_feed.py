"""The feed of events: read from a cursor on, in the order in which they are settled; nothing is skipped, nothing twice.

    read_events(session, after, limit) ──> events, the cursor of the last one

A batch (`db/tables/web/events.py`) is read only when every batch with a lower id is committed or gone: the readers'
horizon is the lowest id that a transaction under way may still write behind. So a cursor is a place in one line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, cast

import sqlalchemy as sa

from keizoku.db.session import Session, numbers
from keizoku.db.tables.web import event_batch
from keizoku.terms.calendar import parse_instant
from keizoku.terms.read_model import JapanInstant, ReadModel
from keizoku.web.calls.paths import path_part

__all__ = ["Cursor", "Event", "events_at", "newest_cursor", "read_events"]

_LINKS: Final = {
    "contract": "/v1/accounts/{account}/contract",
    "access": "/v1/accounts/{account}/access",
    "end_of_use": "/v1/accounts/{account}/contract",
    "invoice": "/v1/invoices/{subject}",
    "charge": "/v1/accounts/{account}/charges",
    "card": "/v1/accounts/{account}/cards",
    "refund": "/v1/accounts/{account}",
    "dispute": "/v1/disputes",
    "notice": "/v1/letters/{subject}",
    "claim": "/v1/claims/{subject}",
    "award": "/v1/accounts/{account}",
    "credit": "/v1/accounts/{account}",
    "month": "/v1/months/{subject}",
    "night": "/v1/nights/{subject}",
    "task": "/v1/tasks/{subject}",
}
_ANOTHER: Final = {"month.changed": "/v1/sla-months/{subject}", "invoice.overdue": "/v1/letters/{subject}"}


@dataclass(frozen=True, slots=True, order=True)
class Cursor:
    """The place behind an event: its batch, and its place in it. `0-0` is before the first."""

    batch: int = 0
    place: int = 0

    @classmethod
    def read(cls, text: str) -> Cursor:
        """Of an event's id. ValueError for what is none."""
        batch, dash, place = text.partition("-")
        if not (dash and batch.isdecimal() and place.isdecimal() and len(text) < 40):
            raise ValueError("a cursor is the id of an event, 12-3")
        return cls(int(batch), int(place))

    def __str__(self) -> str:
        return f"{self.batch}-{self.place}"


@dataclass(frozen=True, slots=True, eq=False)
class Event(ReadModel):
    """What happened: thin; `link` is where its state can be asked for."""

    id: str
    type: str
    account: str | None
    subject: str
    occurred_at: JapanInstant
    recorded_at: JapanInstant
    link: str


def read_events(session: Session, after: Cursor, limit: int) -> list[Event]:
    """At most `limit` events behind a cursor."""
    horizon = _horizon(session)
    rows = session.execute(
        sa.select(event_batch)
        .where(event_batch.c.id >= after.batch, event_batch.c.id <= horizon)
        .order_by(event_batch.c.id)
        .limit(limit + 1)
    )
    found: list[Event] = []
    for row in rows:
        start = after.place if row.id == after.batch else 0
        for place, item in enumerate(row.items[start : start + limit - len(found)], start + 1):
            found.append(_event(row, place, item))
        if len(found) >= limit:
            break
    session.rollback()
    return found


def events_at(session: Session, places: Sequence[Cursor]) -> list[Event]:
    """The events that are at these places, in that order. Leaves the transaction open."""
    if not places:
        return []
    wanted = (
        sa.func.unnest(numbers(each.batch for each in places), numbers(each.place for each in places))
        .table_valued("batch", "place", with_ordinality="turn")
        .render_derived()
    )
    item = event_batch.c["items"][sa.cast(wanted.c.place - 1, sa.Integer)].label("item")
    rows = session.execute(
        sa.select(event_batch.c.id, event_batch.c.type, event_batch.c.recorded_at, wanted.c.place, item)
        .select_from(wanted)
        .join(event_batch, event_batch.c.id == wanted.c.batch)
        .order_by(wanted.c.turn)
    )
    return [_event(cast("sa.Row[Any]", row), row.place, row.item) for row in rows]


def newest_cursor(session: Session, *, keeps: bool = False) -> Cursor:
    """Behind the last event that can be read now; `keeps` the transaction that is under way (READ COMMITTED)."""
    if keeps:
        return _newest(session, _settled(session))
    found = _newest(session, _horizon(session))
    session.rollback()
    return found


def _newest(session: Session, horizon: int) -> Cursor:
    row = session.execute(
        sa.select(event_batch.c.id, sa.func.jsonb_array_length(event_batch.c["items"]))
        .where(event_batch.c.id <= horizon)
        .order_by(event_batch.c.id.desc())
        .limit(1)
    ).one_or_none()
    return Cursor() if row is None else Cursor(row[0], row[1])


def _horizon(session: Session) -> int:
    """The id up to which every batch is settled. What is read after it must have a snapshot of its own."""
    session.rollback()
    found = _settled(session)
    session.rollback()
    return found


def _settled(session: Session) -> int:
    last = session.execute(
        sa.text("SELECT coalesce(pg_sequence_last_value('event_batch_id_seq'::regclass), 0)")
    ).scalar_one()
    held = session.execute(
        sa.text(
            "SELECT min(objid::bigint) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2 "
            "AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
            "AND classid::bigint = (hashtext(concat('keizoku/', current_schema(), '/events')) & 2147483647)"
        )
    ).scalar_one()
    return int(last if held is None else min(last, held))


def _event(row: sa.Row[Any], place: int, item: list[Any]) -> Event:
    account, subject, at = item
    occurred: datetime = row.recorded_at if at is None else parse_instant(at)
    pattern = _ANOTHER.get(row.type) or _LINKS[row.type.partition(".")[0]]
    link = pattern.format(account=path_part(account), subject=path_part(subject))
    return Event(f"{row.id}-{place}", row.type, account, subject, occurred, row.recorded_at, link)
