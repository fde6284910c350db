"""What the gateway knows and we do not yet: its events, how its balance moved, payouts.

    events since the cursor   ──> recorded once ──> what they speak of is fetched again, by whoever deals with it
    balance movements         ──> recorded once, with the entries of their fees and payouts, on their own days

Events may come twice, out of order or never: a row exists once, whatever came, and what is booked is booked in the
transaction that records it. A movement that no rule of the journal knows goes to people; nothing is skipped.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta
from itertools import islice
from typing import Any, Final, Protocol, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on, insert

from keizoku.billing.gateway.books import GatewayBooks, GatewayEvent, Movement, Payout
from keizoku.billing.gateway.port import MissingRightError
from keizoku.billing.ledger.posting import Posting, post
from keizoku.db.review_tasks import open_task
from keizoku.db.session import Session
from keizoku.db.tables.gateway import (
    balance_transaction,
    gateway_cursor,
    gateway_event,
    gateway_payout,
    payout_movement,
)
from keizoku.db.tables.money import review_task
from keizoku.terms.calendar import jst_day

Item = TypeVar("Item")

OVERLAP = timedelta(hours=1)
"""What a gateway dates before the last poll but shows only after it is asked for again."""
FIRST_LOOK = timedelta(days=30)
"""How far a first poll looks back: as long as events are kept."""
REFUND_FAILURES = ("refund_failure", "payment_failure_refund")
BOOKED_ELSEWHERE = ("charge", "payment", "refund", "payment_refund", *REFUND_FAILURES, "adjustment")
"""Kinds whose amount is booked by the attempt, the refund or the dispute that they come from; their fee is not."""
DISPUTE_IDS = ("dp_", "du_")
"""How ids of disputes begin: an adjustment for anything else is booked by nobody but people."""
TAX = "tax_fee"
FEES = ("stripe_fee", TAX)
PAYOUTS = ("payout", "payout_cancel", "payout_failure")
HELD_BACK = (
    "payment_network_reserve_hold",
    "payment_network_reserve_release",
    "payout_minimum_balance_hold",
    "payout_minimum_balance_release",
    "reserve_hold",
    "reserve_release",
    "reserve_transaction",
    "reserved_funds",
)
"""Kinds that hold a part of our own balance back, or let it go: no payout, and nothing to book."""
GONE: Final = "gateway_object_unknown"
"""The task of an object that the gateway does not know: of another account or mode, or deleted in a test account."""
CHUNK = 1_000
FAILS_AFTER = timedelta(days=14)
"""A payout that was paid is asked about for so long after its arrival: it may fail up to five business days later."""
MEMBERS_WITHIN = timedelta(days=60)
"""For so long an automatic payout without known movements is asked whether they can be listed."""


def poll(session: Session, books: GatewayBooks, now: datetime) -> int:
    """Record what is new at the gateway and book its fees and payouts; returns the rows written. Commits.

    A poll that is broken off is made up by the next: the cursor moves last, and never beyond the gateway's own clock
    or the database's. Raises MissingRightError, after all else was read, for what the key may not read.
    """
    refused: MissingRightError | None = None
    changes = 0
    for part in (_poll_events, _poll_movements, _poll_payouts):
        try:
            changes += part(session, books, now)
        except MissingRightError as error:  # what a key may not read holds up nothing else
            session.rollback()
            refused = refused or error
    if refused is not None:
        raise refused
    return changes


class MembersOf(Protocol):
    """What says of which movements an automatic payout is made."""

    def movements_of(self, payout: str) -> Sequence[str]:
        """Their ids."""
        ...


def _poll_events(session: Session, books: GatewayBooks, now: datetime) -> int:
    changes = 0
    for chunk in _chunks(books.events(since(session, "events", now))):
        changes += _record_events(session, chunk, now)
    move_cursor(session, "events", seen_to(books, now))
    return changes


def _poll_movements(session: Session, books: GatewayBooks, now: datetime) -> int:
    changes = 0
    for chunk in _chunks(books.movements(since(session, "movements", now))):
        changes += record_movements(session, chunk, now)
    move_cursor(session, "movements", seen_to(books, now))
    return changes


def _poll_payouts(session: Session, books: GatewayBooks, now: datetime) -> int:
    changes = 0
    begun = since(session, "payouts", now)
    seen: set[str] = set()
    for chunk in _chunks(books.payouts(begun)):
        changes += record_payouts(session, books, chunk, now)
        seen.update(each.id for each in chunk)
    move_cursor(session, "payouts", seen_to(books, now))
    # what is not final is asked for again by its age, whatever events came
    for payout in _unsettled_payouts(session, now):
        if payout in seen:
            continue
        found = books.payout(payout)
        changes += leave_gone(session, "payout", payout, now) if found is None else 0
        if found is not None:
            changes += record_payouts(session, books, [found], now)
    return changes


def leave_gone(session: Session, kind: str, object_id: str, now: datetime) -> int:
    """What the gateway does not know, or no more, is a task of people, and is not asked for again; commits; rows."""
    opened = open_task(session, GONE, f"{kind} {object_id}", {"kind": kind}, now)
    session.commit()
    return opened


def is_gone(kind: str, object_id: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
    """Whether people know that the gateway does not know an object; kind: payout, dispute, refund.

    Once they have closed the task, say after a key of another account was put right, it is asked for again.
    """
    return sa.exists().where(
        review_task.c.kind == GONE,
        review_task.c.subject == sa.func.concat(f"{kind} ", object_id),
        review_task.c.closed_at.is_(None),
    )


def _unsettled_payouts(session: Session, now: datetime) -> list[str]:
    """Payouts that may still change, by what we know of them, or whose movements could not be listed yet."""
    newest = sa.select(gateway_payout).ext(distinct_on(gateway_payout.c.payout))
    last = newest.order_by(gateway_payout.c.payout, gateway_payout.c.id.desc()).subquery("last_state")
    members = sa.exists().where(payout_movement.c.payout == last.c.payout)
    waiting = sa.or_(
        last.c.state.not_in(("paid", "failed", "canceled")),
        sa.and_(last.c.state == "paid", last.c.arrives_at > now - FAILS_AFTER),
        sa.and_(last.c.automatic, last.c.happened_at > now - MEMBERS_WITHIN, last.c.state == "paid", ~members),
    )
    wanted = sa.select(last.c.payout).where(waiting, ~is_gone("payout", last.c.payout))
    found = list(session.scalars(wanted.order_by(last.c.payout)))
    session.rollback()
    return found


def seen_to(books: GatewayBooks, now: datetime) -> datetime:
    """How far a cursor may move: never beyond the gateway's own clock."""
    held = books.server_now()
    return now if held is None else min(now, held)


def _record_events(session: Session, events: Sequence[GatewayEvent], now: datetime) -> int:
    once = {each.id: each for each in events}
    added = _insert_new(
        session,
        gateway_event,
        [
            {
                "id": each.id,
                "kind": each.kind,
                "about": each.about,
                "happened_at": each.happened_at,
                "recorded_at": now,
            }
            for each in once.values()
        ],
    )
    session.commit()
    return len(added)


def record_movements(session: Session, movements: Sequence[Movement], now: datetime) -> int:
    """Record movements that are not known yet, and book their fees and payouts; commits; how many."""
    once = {each.id: each for each in movements}
    added = _insert_new(
        session,
        balance_transaction,
        [
            {
                "id": each.id,
                "kind": each.kind,
                "amount": each.amount,
                "fee": each.fee,
                "fee_tax": each.fee_tax,
                "net": each.net,
                "currency": each.currency,
                "source": each.source,
                "payment": each.payment,
                "our_key": each.our_key,
                "happened_at": each.happened_at,
                "available_at": each.available_at,
                "recorded_at": now,
            }
            for each in once.values()
        ],
    )
    new = [once[movement_id] for movement_id in sorted(added)]
    post(session, [posting for each in new for posting in movement_postings(each)], now)
    for each in new:
        if is_for_people(each):
            detail = {"kind": each.kind, "net": each.net, "currency": each.currency, "source": each.source}
            open_task(session, "gateway_movement", each.id, detail, now)
    session.commit()
    return len(new)


def movement_postings(movement: Movement) -> list[Posting]:
    """The entries of a movement's fee and payout, on its own JST day; none for what is left to people."""
    if is_for_people(movement):
        return []
    on, key = jst_day(movement.happened_at), f"movement:{movement.id}"
    if movement.kind in PAYOUTS:
        paid = Posting("payout", key, on, {"yen": -movement.amount})
        return [paid, *_fee(f"{key}:fee", on, movement.fee, movement.fee_tax)]
    if movement.kind == TAX:  # all of it is the tax on fees that were taken without it
        return [Posting("processor_tax", key, on, {"yen": -movement.amount})] if movement.amount else []
    fee = -movement.amount if movement.kind in FEES else movement.fee
    # the dispute's own fee is booked with the dispute; a reserve is still ours
    return [] if movement.kind == "adjustment" else _fee(key, on, fee, movement.fee_tax)


def _fee(key: str, on: date, fee: int, fee_tax: int) -> list[Posting]:
    if not fee:
        return []
    if fee_tax:
        return [Posting("processor_fee", key, on, {"taxable_yen": fee, "tax_yen": fee_tax, "exempt_yen": 0})]
    return [Posting("processor_fee", key, on, {"exempt_yen": fee, "taxable_yen": 0, "tax_yen": 0})]


def is_for_people(movement: Movement) -> bool:
    """Whether nobody but people books it.

    Another currency, a kind that no rule of the journal knows, or an adjustment that is not for a dispute.
    """
    if movement.kind == "adjustment" and not (movement.source or "").startswith(DISPUTE_IDS):
        return True
    return movement.currency != "jpy" or movement.kind not in (*BOOKED_ELSEWHERE, *FEES, *PAYOUTS, *HELD_BACK)


def record_payouts(session: Session, books: MembersOf, payouts: Sequence[Payout], now: datetime) -> int:
    """Record states of payouts that are not known yet, and what automatic ones are made of; commits; rows written."""
    once = {(each.id, each.state): each for each in payouts}
    added = session.execute(
        insert(gateway_payout)
        .on_conflict_do_nothing(index_elements=["payout", "state"])
        .returning(gateway_payout.c.payout, gateway_payout.c.state),
        [
            {
                "payout": each.id,
                "amount": each.amount,
                "currency": each.currency,
                "state": each.state,
                "automatic": each.automatic,
                "happened_at": each.happened_at,
                "arrives_at": each.arrives_at,
                "recorded_at": now,
            }
            for each in once.values()
        ],
    ).all()
    changes = len(added)
    once_each = {each.id: each for each in payouts}
    listable = [each.id for each in once_each.values() if each.automatic and each.reconciled]
    known = set(session.scalars(sa.select(payout_movement.c.payout).where(payout_movement.c.payout.in_(listable))))
    for payout in sorted(set(listable) - known):
        members = [{"movement": each, "payout": payout, "recorded_at": now} for each in books.movements_of(payout)]
        if members:
            changes += len(_insert_new(session, payout_movement, members, key="movement"))
    session.commit()
    return changes


def _insert_new(session: Session, table: sa.Table, rows: Sequence[dict[str, Any]], key: str = "id") -> set[str]:
    """Insert the rows whose key is not there yet; their keys."""
    statement = insert(table).on_conflict_do_nothing(index_elements=[key]).returning(table.c[key])
    return set(session.scalars(statement, list(rows)))


def since(session: Session, name: str, now: datetime) -> datetime:
    """From when on a list is read: a little before the last time, or as far back as events are kept."""
    seen_to: datetime | None = session.execute(
        sa.select(sa.func.least(gateway_cursor.c.seen_to, sa.func.clock_timestamp())).where(
            gateway_cursor.c.name == name
        )
    ).scalar_one_or_none()
    session.rollback()
    return now - FIRST_LOOK if seen_to is None else seen_to - OVERLAP


def move_cursor(session: Session, name: str, seen_to: datetime) -> None:
    """Move it on; never ahead of the database's clock, and back to it from where a wrong clock once took it."""
    present = sa.func.clock_timestamp()
    moved = insert(gateway_cursor).values(name=name, seen_to=sa.func.least(seen_to, present))
    forward = sa.func.greatest(sa.func.least(gateway_cursor.c.seen_to, present), moved.excluded.seen_to)
    session.execute(moved.on_conflict_do_update(index_elements=["name"], set_={"seen_to": forward}))
    session.commit()


def _chunks(items: Iterable[Item]) -> Iterator[list[Item]]:
    remaining = iter(items)
    while chunk := list(islice(remaining, CHUNK)):
        yield chunk
