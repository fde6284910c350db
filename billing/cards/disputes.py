"""Disputes of cardholders: what the gateway says of each, fetched again until it is over.

    inquiry a cardholder asks; nothing has moved (closed, prevented: and nothing will)
    opened  the money and the gateway's fee leave the balance (1132, 6112 / 1131); the fee still counts as paid
    back    all or a part of the money comes back, in whatever state (1131 / 1132; after a loss: 1131 / 1140)
    won     it is over; what has not come back is lost
    lost    the claim stays: the fee is open again, as if it fell due on the day of the loss (1140 / 1132);
            or the sale is void: nothing is owed, revenue is taken back, a term that still runs ends

Which of the two is a setting (`dispute_lost`), unless people chose for the dispute. What is booked follows the
balance transactions (dispute_booking), the state says only that it is over. Always holds: a movement and a state are
recorded and booked once, whatever events came, how often and in which order. An event, a movement of the balance, or
age is only a reason to fetch again.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on

from keizoku.billing.cards.dispute_booking import Known, Step, charge_of, known_of, take_step
from keizoku.billing.gateway import events, restored
from keizoku.billing.gateway.books import NO_MONEY, NOWHERE, Dispute
from keizoku.billing.gateway.port import Gateway
from keizoku.billing.receivables.open_items import lock_accounts
from keizoku.db.fence import Fence, is_of_item
from keizoku.db.probes import NOW
from keizoku.db.review_tasks import open_task
from keizoku.db.session import Session
from keizoku.db.tables.gateway import balance_transaction, gateway_dispute, gateway_event, saved_card
from keizoku.db.tables.money import payment_attempt
from keizoku.terms.rules import Rules

_REPORTED = sa.literal_column("starts_with(gateway_event.kind, 'charge.dispute.')", sa.Boolean())
_ADJUSTED = sa.literal_column("balance_transaction.kind = 'adjustment'", sa.Boolean())  # as its index has it
APPEAL_DAYS = 120
"""For so long a dispute that was lost, all or in part, is asked about: it may be won on appeal."""
NEWS_DAYS = 30
WAITS_DAYS = 7
"""For so long a dispute of a payment that nobody knows waits for charges that have no answer yet."""
CURSOR = "disputes"


def _undecided() -> sa.Select[Any]:
    """Disputes to ask for: told of and not known, not over, lost not long ago, with news or money since we knew it."""
    event, known, moved = gateway_event, gateway_dispute, balance_transaction
    of_event = known.c.dispute == event.c.about
    told = sa.select(event.c.about.label("dispute")).where(
        _REPORTED,
        sa.or_(
            ~sa.exists().where(of_event),
            sa.and_(
                event.c.happened_at > NOW - timedelta(days=NEWS_DAYS),
                ~sa.exists().where(of_event, known.c.recorded_at >= event.c.recorded_at),
            ),
        ),
    )
    money = sa.select(moved.c.source.label("dispute")).where(
        _ADJUSTED,
        sa.or_(*(moved.c.source.startswith(each, autoescape=True) for each in events.DISPUTE_IDS)),
        ~sa.exists().where(known.c.movement == moved.c.id),
    )
    newest = sa.select(known).ext(distinct_on(known.c.dispute))
    last = newest.order_by(known.c.dispute, known.c.number.desc()).subquery("last_state")
    changes = sa.or_(
        last.c.state.in_(("inquiry", "open")),
        sa.and_(
            last.c.state.in_(("lost", "won")),
            last.c.returned < last.c.amount,
            last.c.happened_at >= NOW - timedelta(days=APPEAL_DAYS),
        ),
    )
    found = told.union(money, sa.select(last.c.dispute).where(changes)).subquery("undecided")
    return sa.select(found.c.dispute).where(~events.is_gone("dispute", found.c.dispute))


def anything_due() -> sa.ColumnElement[bool]:
    """Whether there is a dispute to ask the gateway for, or a card at a gateway that may tell of new ones."""
    return sa.or_(sa.exists(_undecided().subquery().select()), sa.exists(sa.select(saved_card.c.id)))


def sync_events(session: Session, rules: Rules, gateway: Gateway, now: datetime, fence: Fence | None = None) -> int:
    """Fetch every dispute that is not over and those that began, and record and book what is new.

    Commits; returns the rows written. New ones are listed at the gateway as well, whatever events came. With a fence,
    a dispute that cannot be booked is set aside; without one, that is raised.
    """
    if restored.is_waiting(session):  # a charge of before the restore would be taken for nobody's
        session.rollback()
        return 0
    changes = 0
    taken: set[str] = set()
    books = gateway.books
    if books is not None:
        written, all_booked = _take_each(session, rules, books.disputes(events.since(session, CURSOR, now)), now, fence)
        changes += sum(written.values())
        taken = set(written)
        if all_booked:  # what could not be booked is listed again
            events.move_cursor(session, CURSOR, events.seen_to(books, now))
    ids = sorted(set(session.scalars(_undecided(), {NOW.key: now})) - taken)
    session.commit()
    written, _ = _take_each(session, rules, gateway.disputes(ids, now), now, fence)
    return changes + sum(written.values())


def sync_one(session: Session, rules: Rules, gateway: Gateway, dispute_id: str, now: datetime) -> int:
    """Fetch one dispute, and record and book what is new of it; commits; returns the rows written."""
    waiting = restored.is_waiting(session)
    session.rollback()
    if waiting:
        return 0
    written, _ = _take_each(session, rules, gateway.disputes([dispute_id], now), now, None)
    return sum(written.values())


def _take_each(
    session: Session, rules: Rules, found: Iterable[Dispute], now: datetime, fence: Fence | None
) -> tuple[dict[str, int], bool]:
    """The rows written for each dispute, and whether each could be booked; commits."""
    written: dict[str, int] = {}
    all_booked = True
    for each in found:
        try:
            if _waits_for_answer(session, each, now):
                written[each.id], all_booked = 0, False  # listed again when its charge is known
                session.rollback()
                continue
            written[each.id] = _take(session, rules, each, now)
            session.commit()
        except Exception as error:
            session.rollback()
            if fence is None or not is_of_item(error):
                raise
            charge = charge_of(session, each.payment)
            session.rollback()
            fence.aside("dispute", each.id, error, account=None if charge is None else charge.account)
            if charge is not None:
                fence.unpaid.add(charge.account)
            written[each.id], all_booked = 0, False
    return written, all_booked


def _waits_for_answer(session: Session, dispute: Dispute, now: datetime) -> bool:
    """Whether its payment may be a charge of ours that has no answer yet: taken for nobody's, it would stay so."""
    if dispute.state == NOWHERE or now - dispute.happened_at > timedelta(days=WAITS_DAYS):
        return False
    if charge_of(session, dispute.payment) is not None or known_of(session, dispute.id).number:
        return False
    unanswered = sa.select(payment_attempt.c.id).where(
        payment_attempt.c.outcome.is_(None),
        payment_attempt.c.yen >= dispute.amount,
        payment_attempt.c.started_at <= dispute.happened_at,
    )
    return session.execute(unanswered.limit(1)).first() is not None


def _take(session: Session, rules: Rules, dispute: Dispute, now: datetime) -> int:
    """Record and book what is new of a dispute; returns the rows written. Does not commit."""
    if dispute.state == NOWHERE:
        return events.leave_gone(session, "dispute", dispute.id, now)
    charge = charge_of(session, dispute.payment)
    if charge is not None:
        lock_accounts(session, [charge.account])
    known = known_of(session, dispute.id)
    if dispute.currency != "jpy" or not known.ours:  # it is not of our charges; the movement is for people
        charge = None
    if charge is None and dispute.currency == "jpy" and dispute.state not in NO_MONEY:
        detail = {"payment": dispute.payment, "yen": dispute.amount, "state": dispute.state}
        open_task(session, "dispute_of_unknown_payment", f"dispute {dispute.id}", detail, now)
    changes = 0
    for step in steps(known, dispute, _reported_at(session, dispute.id), now):
        known, written = take_step(session, rules, dispute, charge, known, step, now)
        changes += written
    return changes


def steps(known: Known, dispute: Dispute, told_at: datetime | None, now: datetime) -> Iterator[Step]:
    """What is new, in order: each movement of the money on its own day, then the state that it has come to. Pure."""
    state, at = known.state, known.happened_at
    new = [each for each in dispute.moves if each.id not in known.movements]
    if not state and dispute.state in NO_MONEY:
        state = "inquiry"
        yield Step(state, dispute.happened_at)
    for move in new:
        if move.amount < 0:
            state = "open"
        elif dispute.state == "won" and move is new[-1]:
            state = "won"
        at = move.happened_at if at is None else max(at, move.happened_at)
        yield Step(state or "open", move.happened_at, move)
    if dispute.fee != known.fee + sum(each.fee for each in new):  # no movement says why, the sum does
        yield Step(state, now, fee_changed=dispute.fee - known.fee - sum(each.fee for each in new))
    if dispute.state == state or dispute.state == "open" or (dispute.state in NO_MONEY and state not in NO_MONEY):
        return  # nothing new; or a loss is looked at once more, and no money has moved for it
    decided_at = min(now, dispute.closed_at or told_at or now)
    yield Step(dispute.state, max(decided_at, at or dispute.happened_at))


def _reported_at(session: Session, dispute_id: str) -> datetime | None:
    """When the gateway told that the dispute was closed."""
    reported: datetime | None = session.execute(
        sa.select(sa.func.max(gateway_event.c.happened_at)).where(
            _REPORTED, gateway_event.c.about == dispute_id, gateway_event.c.kind == "charge.dispute.closed"
        )
    ).scalar_one()
    return reported
