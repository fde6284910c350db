"""Events to endpoints: read from the log, sent in the order of each account, tried again, given up.

    webhook_waiting (due) ─┐
                           ├─> lanes, one for each account ──> POST ──> delivered │ failed: waits, and all of its
    the log behind the place ─┘                                                   account behind it

An event is sent at least once, and under the same id each time; what happens to one account arrives in its order. One
that fails is tried again after the times that the specification recommends, with some chance added. Where nothing
is taken any more the endpoint rests, and one event tries for all; where that goes on for the whole schedule, or the
endpoint says 410, it is switched off and becomes a task: what waits, waits, until somebody switches it on.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from queue import Empty, LifoQueue
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from keizoku.db.locks import leader_lock
from keizoku.db.review_tasks import open_task
from keizoku.db.session import Session
from keizoku.db.tables.web import webhook_delivery, webhook_place, webhook_waiting
from keizoku.terms.refusal import Refused
from keizoku.web.event_feed import Cursor, Event, events_at, read_events
from keizoku.web.webhooks.addresses import Target, target_of
from keizoku.web.webhooks.endpoints import EndpointRow, endpoint_of, note_setting
from keizoku.web.webhooks.posting import Answer, Connection, SendingError
from keizoku.web.webhooks.signing import body_of, headers_of, living_secrets

if TYPE_CHECKING:
    from keizoku.link.sealing.seals import KeyRing

__all__ = ["RETRY_AFTER", "Rules", "serve_endpoint"]

RETRY_AFTER: Final = tuple(
    timedelta(seconds=each) for each in (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
)
"""After the first, the second, … attempt that failed: the times that Standard Webhooks 1.0 names. Ten attempts."""
JITTER: Final = 0.1
LONGEST_REST: Final = timedelta(hours=24)
PAGE: Final = 100
AT_ONCE: Final = 4
"""Accounts of an endpoint that are served at once."""
MOST_WAITING: Final = 1_000
"""With so many events waiting no further ones are read: the log keeps them."""
FAILS_AS_A_WHOLE: Final = 3
"""So many failures and no success in a round: the endpoint rests."""
SHORTEST_REST, LONGEST_REST_OF_ITSELF = timedelta(seconds=5), timedelta(hours=1)
"""It rests as long as it has failed so far, within these."""
OFF_AFTER: Final = timedelta(hours=72)
"""An event was tried for the last time: where nothing was taken for so long, the endpoint is switched off."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What the operator has set, and what tests set otherwise."""

    allowed: Sequence[str] = ()
    seconds: float = 20
    chance: Callable[[], float] = random.random


@dataclass
class _Item:
    """An event for an endpoint, and what becomes of it in this round."""

    event: Event
    attempts: int = 0
    waits: bool = False
    """It was put off in a round before this one."""
    next_at: datetime | None = None
    answer: Answer | None = None
    why: str = ""
    sent_at: datetime | None = None
    milliseconds: int = 0

    @property
    def delivered(self) -> bool:
        return self.answer is not None and 200 <= self.answer.status < 300

    @property
    def tried(self) -> bool:
        return self.sent_at is not None


@dataclass
class _Round:
    """One look at an endpoint: what is due, sent and written down."""

    session: Session
    endpoint: EndpointRow
    target: Target
    secrets: Sequence[str]
    rules: Rules
    clock: Callable[[], datetime]
    going: Callable[[], bool]
    connections: LifoQueue[Connection]
    failing_since: datetime | None = None
    probing: bool = False
    """One event tries for all, after a rest."""
    failures: int = 0
    successes: int = 0
    ends: bool = False
    lock: Lock = field(default_factory=Lock)

    def goes_on(self) -> bool:
        """Whether another event may be tried in this round."""
        whole = self.failures >= FAILS_AS_A_WHOLE and not self.successes
        return not (self.ends or whole) and self.going()

    def lane(self, items: Sequence[_Item]) -> None:
        """Events of one account, in order, as far as they are taken."""
        for item in items:
            if not self.goes_on():
                return
            self._send(item)
            if not item.delivered:
                return

    def _send(self, item: _Item) -> None:
        body, now, began = body_of(item.event), self.clock(), monotonic()
        item.sent_at = now
        try:
            with self._connection() as connection:
                item.answer = connection.post(body, headers_of(self.secrets, item.event.id, body, now))
        except SendingError as error:
            item.why = str(error)
        item.milliseconds = int((monotonic() - began) * 1000)
        with self.lock:
            self.successes += item.delivered
            self.failures += not item.delivered
        if item.delivered:
            return
        if item.answer is not None:
            item.why = f"it answered {item.answer.status}"
            if item.answer.status in (410, 429) or item.answer.retry_after is not None:
                self.ends = True

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        try:
            found = self.connections.get_nowait()
        except Empty:
            found = Connection(self.target, self.rules.seconds)
        try:
            yield found
        finally:
            self.connections.put(found)


def serve_endpoint(
    session: Session,
    ring: KeyRing,
    number: int,
    rules: Rules,
    clock: Callable[[], datetime],
    going: Callable[[], bool] = lambda: True,
) -> Mapping[str, int]:
    """Send what is due, until nothing is, or `going` says no; how many were delivered and failed. Commits.

    One process at a time serves an endpoint: another one returns at once. Raises Refused where a secret does not open.
    """
    told = {"delivered": 0, "failed": 0}
    connections: LifoQueue[Connection] = LifoQueue()
    with leader_lock(session, f"webhook endpoint {number}") as mine:
        try:
            while mine and going():
                done = _serve(session, ring, number, rules, clock, going, connections)
                if done is None:
                    break
                told["delivered"] += done.successes
                told["failed"] += done.failures
        finally:
            while not connections.empty():
                connections.get_nowait().close()
    return told


def _serve(
    session: Session,
    ring: KeyRing,
    number: int,
    rules: Rules,
    clock: Callable[[], datetime],
    going: Callable[[], bool],
    connections: LifoQueue[Connection],
) -> _Round | None:
    """A round; None: nothing is due."""
    now = clock()
    endpoint = endpoint_of(session, number)
    place = session.execute(sa.select(webhook_place).where(webhook_place.c.endpoint_id == number)).one()
    session.rollback()
    if not endpoint.enabled or (place.rests_until is not None and place.rests_until > now):
        return None
    try:
        target = target_of(endpoint.url, rules.allowed)
    except Refused as refused:  # it was allowed when it was made
        _switched_off(session, endpoint, refused.sentence, now)
        session.commit()
        return None
    waiting = _waiting(session, number)
    probing = place.rests_until is not None
    lanes = _lanes(waiting)
    later = {lane for lane, found in lanes.items() if (at := found[0].next_at) is not None and at > now}
    lanes = {lane: found for lane, found in lanes.items() if lane not in later}
    items = [each for found in lanes.values() for each in found]
    page: list[Event] = []
    cursor = Cursor(place.batch, place.place)
    if len(waiting) < MOST_WAITING and not (probing and lanes):
        page = read_events(session, cursor, PAGE)
    for event in page:
        if not endpoint.wants(event.type):
            continue
        item = _Item(event)
        items.append(item)
        if event.account not in later:
            lanes.setdefault(event.account, []).append(item)
    if not items and not page:
        return None
    secrets = living_secrets(session, ring, number, now)
    session.rollback()
    made = _Round(session, endpoint, target, secrets, rules, clock, going, connections, place.failing_since, probing)
    if lanes:
        with ThreadPoolExecutor(AT_ONCE, "webhooks") as threads:
            list(threads.map(made.lane, list(lanes.values())[: 1 if probing else None]))
    end = Cursor.read(page[-1].id) if page else cursor
    _save(made, items, place, end, clock())
    return made


def _waiting(session: Session, number: int) -> list[_Item]:
    rows = session.execute(
        sa.select(webhook_waiting)
        .where(webhook_waiting.c.endpoint_id == number, webhook_waiting.c.ended_at.is_(None))
        .order_by(webhook_waiting.c.batch, webhook_waiting.c.place)
        .limit(MOST_WAITING + PAGE)
    ).all()
    events = events_at(session, [Cursor(row.batch, row.place) for row in rows])
    return [
        _Item(event, row.attempts, waits=True, next_at=row.next_at) for row, event in zip(rows, events, strict=True)
    ]


def _lanes(waiting: Sequence[_Item]) -> dict[str | None, list[_Item]]:
    lanes: dict[str | None, list[_Item]] = {}
    for each in waiting:
        lanes.setdefault(each.event.account, []).append(each)
    return lanes


def _save(made: _Round, items: Sequence[_Item], place: sa.Row[Any], end: Cursor, now: datetime) -> None:
    """Write down what became of a round, in one transaction; nothing of it where people set the endpoint back."""
    session, number = made.session, made.endpoint.id
    tried = [each for each in items if each.tried]
    if made.successes:
        made.failing_since = None
    elif made.failures:
        made.failing_since = made.failing_since or now
    rest = _rest(made, tried, now)
    values = {"batch": end.batch, "place": end.place, "failing_since": made.failing_since, "rests_until": rest}
    kept = session.execute(
        sa.update(webhook_place)
        .where(webhook_place.c.endpoint_id == number, webhook_place.c.turn == place.turn)
        .values(**values)
    ).rowcount
    off = ""
    deliveries = []
    for item in tried:
        given_up = _given_up(made, item, now)
        if item.answer is not None and item.answer.status == 410:
            off = "it answered 410: it wants no more"
        elif not item.delivered and _is_last(item) and not given_up:
            off = f"nothing was taken since {made.failing_since:%Y-%m-%d %H:%M} UTC; the last: {item.why}"
        outcome = "delivered" if item.delivered else "given_up" if given_up else "failed"
        deliveries.append(
            {
                "endpoint_id": number, "event": item.event.id, "type": item.event.type, "attempt": item.attempts + 1,
                "outcome": outcome, "status": None if item.answer is None else item.answer.status,
                "why": item.why or None, "sent_at": item.sent_at, "milliseconds": item.milliseconds,
            }
        )  # fmt: skip
        if given_up:
            detail = {"endpoint": number, "event": item.event.id, "type": item.event.type, "why": item.why}
            open_task(session, "webhook_given_up", f"endpoint {number} event {item.event.id}", detail, now)
    if deliveries:
        session.execute(sa.insert(webhook_delivery), deliveries)
    if kept:
        _put_off(made, items, now)
        if made.probing and made.successes:  # it is back: what was put off is tried at once
            session.execute(
                sa.update(webhook_waiting)
                .where(webhook_waiting.c.endpoint_id == number, webhook_waiting.c.ended_at.is_(None))
                .values(next_at=None)
            )
    if off:
        _switched_off(session, made.endpoint, off, now)
    session.commit()


def _put_off(made: _Round, items: Sequence[_Item], now: datetime) -> None:
    """Of what waits: how often it was tried, when it is tried again, that it is over; and what waits from now on."""
    rows = []
    for each in items:
        over = each.delivered or _given_up(made, each, now)
        if not (each.tried if each.waits else not over):
            continue
        at = Cursor.read(each.event.id)
        rows.append(
            {
                "endpoint_id": made.endpoint.id, "batch": at.batch, "place": at.place,
                "attempts": each.attempts + each.tried,
                "next_at": now + _delay(made.rules, each) if each.tried and not over else None,
                "ended_at": now if over else None,
            }
        )  # fmt: skip
    if not rows:
        return
    kept = insert(webhook_waiting)  # one that was set back, and failed again, has its row
    changed = {name: kept.excluded[name] for name in ("attempts", "next_at", "ended_at")}
    made.session.execute(
        kept.on_conflict_do_update(index_elements=["endpoint_id", "batch", "place"], set_=changed), rows
    )


def _is_last(item: _Item) -> bool:
    return item.attempts >= len(RETRY_AFTER)


def _given_up(made: _Round, item: _Item, now: datetime) -> bool:
    """Whether an event was tried for the last time, while the endpoint takes others."""
    takes_others = made.failing_since is None or now - made.failing_since < OFF_AFTER
    return item.tried and not item.delivered and _is_last(item) and takes_others


def _delay(rules: Rules, item: _Item) -> timedelta:
    planned = RETRY_AFTER[min(item.attempts, len(RETRY_AFTER) - 1)]
    wanted = timedelta(seconds=item.answer.retry_after or 0) if item.answer is not None else timedelta()
    return max(planned * (1 + JITTER * rules.chance()), min(wanted, LONGEST_REST))


def _rest(made: _Round, tried: Sequence[_Item], now: datetime) -> datetime | None:
    """Until when nothing is tried: where everything failed, or the endpoint asked for it."""
    if made.ends:
        return now + max((_delay(made.rules, each) for each in tried if not each.delivered), default=timedelta())
    if made.failures and not made.successes and (made.failures >= FAILS_AS_A_WHOLE or made.probing):
        failed_for = now - (made.failing_since or now)
        return now + min(max(failed_for, SHORTEST_REST), LONGEST_REST_OF_ITSELF) * (1 + JITTER * made.rules.chance())
    return None


def _switched_off(session: Session, endpoint: EndpointRow, why: str, now: datetime) -> None:
    note_setting(session, endpoint.id, endpoint.url, endpoint.types, enabled=False, by="keizoku", ground=why, now=now)
    detail = {"endpoint": endpoint.id, "why": why}
    open_task(session, "webhook_off", f"endpoint {endpoint.id} {now:%Y-%m-%dT%H:%M:%S}", detail, now)
