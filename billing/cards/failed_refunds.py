"""Refunds that fail after they had succeeded: days later the card's bank sends the money back.

    event, movement, or age of a refund ──> it is fetched again ──> failed, canceled: booked back on its day,
                                                                   the refund is on the list for people

Booked as what it is: 1131 / 2130 for a credit, which is owed again (premium/9.2), 1131 / 2140 for what a card had paid
too much. Always holds: one reason makes us fetch once, a failure is booked once, whatever came, how often and in which
order. It is not tried again by itself: the card that sent it back would do so again. People decide.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from keizoku.billing.gateway import restored
from keizoku.billing.gateway.books import NOWHERE, RefundState
from keizoku.billing.gateway.events import REFUND_FAILURES, is_gone, leave_gone
from keizoku.billing.gateway.port import Gateway
from keizoku.billing.gateway.refunds import KINDS, SUBJECTS, subject_of
from keizoku.billing.ledger.posting import Posting, post
from keizoku.billing.receivables.customer_deposits import CARD, DepositUse, use_deposit
from keizoku.billing.receivables.open_items import lock_accounts
from keizoku.db.fence import Fence, is_of_item
from keizoku.db.probes import NOW
from keizoku.db.review_tasks import open_task
from keizoku.db.session import Session
from keizoku.db.tables.gateway import balance_transaction, gateway_event, refund_look
from keizoku.db.tables.money import credit, credit_refund
from keizoku.terms.calendar import jst_day

FAILED_EVENT = "refund.failed"
EVENTS = (FAILED_EVENT, "refund.updated", "charge.refund.updated")
"""Events that speak of a refund, and may tell of its failure."""
NONE_OF_OURS, KNOWN = "none_of_ours", "known"
LOOKED_AT_DAYS = (7, 31)
"""How old a refund that succeeded is when it is fetched again, whatever was told: a bank takes up to 30 days to send
one back, as Stripe says."""
GROUND = "the card sent the refund back"

_TOLD = sa.literal_column(f"gateway_event.kind IN {EVENTS}", sa.Boolean())  # as its index has it
_MOVED = sa.literal_column(f"balance_transaction.kind IN {REFUND_FAILURES}", sa.Boolean())


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a refund is fetched again: an event about it, a movement that brought its money back, or its age."""

    id: str
    refund: str
    key: str | None  # ours, in a movement's metadata
    happened_at: datetime
    is_movement: bool
    is_failure: bool  # the news itself says that it failed


@dataclass(frozen=True, slots=True)
class Made:
    """A refund of ours that a reason speaks of."""

    kind: str
    refund_id: int
    account: str
    yen: int
    outcome: str | None
    settled_on: date | None
    has_failed: bool


def anything_due() -> sa.ColumnElement[bool]:
    """Whether there is news of a refund that was not looked into."""
    aged = sa.or_(*(sa.exists(query) for query in _aged()))
    return sa.or_(sa.exists(_reported()), sa.exists(_moved()), aged)


def _reported() -> sa.Select[Any]:
    return sa.select(gateway_event).where(_TOLD, ~sa.exists().where(refund_look.c.reason == gateway_event.c.id))


def _moved() -> sa.Select[Any]:
    looked = sa.exists().where(refund_look.c.reason == balance_transaction.c.id)
    return sa.select(balance_transaction).where(_MOVED, ~looked)


def _aged() -> list[sa.Select[Any]]:
    """Refunds that succeeded so many days ago and were not looked at since for their age: reason, id, when."""
    found = []
    for table in KINDS.values():
        for days, until in zip(LOOKED_AT_DAYS, (*LOOKED_AT_DAYS[1:], 2 * LOOKED_AT_DAYS[-1]), strict=True):
            reason = sa.func.concat(f"age:{days}:", table.c.gateway_id)
            found.append(
                sa.select(reason.label("reason"), table.c.gateway_id, table.c.settled_at).where(
                    table.c.outcome == "succeeded",
                    table.c.failure_recorded_at.is_(None),
                    table.c.gateway_id.is_not(None),
                    table.c.settled_at <= NOW - timedelta(days=days),
                    table.c.settled_at > NOW - timedelta(days=until),
                    ~sa.exists().where(
                        refund_look.c.refund == table.c.gateway_id,
                        refund_look.c.recorded_at >= table.c.settled_at + timedelta(days=days),
                    ),
                    ~is_gone("refund", table.c.gateway_id),
                )
            )
    return found


def sync_events(session: Session, gateway: Gateway, now: datetime, fence: Fence | None = None) -> int:
    """Fetch every refund of which there is news, and book what failed; commits; returns the rows written.

    With a fence, a refund whose news cannot be booked is set aside; without one, that is raised.
    """
    if restored.is_waiting(session):  # a refund of before the restore would be taken for nobody's
        session.rollback()
        return 0
    changes = 0
    to_ask: dict[str, list[tuple[Reason, Made]]] = {}
    for reason, made in _events(session, now):
        if made is not None and made.outcome is None:
            continue  # whoever asked for it looks it up first
        if made is None or made.outcome != "succeeded":
            changes += _leave(session, reason, now)
        elif made.has_failed:
            changes += _looked(session, [reason], RefundState(reason.refund, KNOWN), now)
        else:
            to_ask.setdefault(reason.refund, []).append((reason, made))
    session.commit()
    for state in gateway.refunds(sorted(to_ask), now):
        reasons, made = [reason for reason, _ in to_ask[state.id]], to_ask[state.id][0][1]
        if state.state == NOWHERE:
            changes += leave_gone(session, "refund", state.id, now) + _looked(session, reasons, state, now)
            session.commit()
            continue
        try:
            if state.failed:
                changes += _fail(session, made, state, _failed_at(state, reasons, now), now)
            else:  # news that say "failed" of what has not are asked about until both agree
                reasons = [each for each in reasons if not each.is_failure]
            changes += _looked(session, reasons, state, now)
            session.commit()
        except Exception as error:
            session.rollback()
            if fence is None or not is_of_item(error):
                raise
            fence.aside("returned refund", state.id, error, account=made.account)
            fence.unpaid.add(made.account)
    return changes


def _events(session: Session, now: datetime) -> list[tuple[Reason, Made | None]]:
    """Every reason to look with the refund of ours that it speaks of, by the gateway's id or by our key."""
    reasons = [
        Reason(row.id, row.about, None, row.happened_at, False, row.kind == FAILED_EVENT)
        for row in session.execute(_reported().order_by(gateway_event.c.happened_at, gateway_event.c.id))
    ]
    reasons += [
        Reason(row.id, row.source or "", row.our_key, row.happened_at, True, True)
        for row in session.execute(_moved().order_by(balance_transaction.c.happened_at, balance_transaction.c.id))
    ]
    told = {each.refund for each in reasons}
    reasons += [
        Reason(row.reason, row.gateway_id, None, row.settled_at, False, False)
        for query in _aged()
        for row in session.execute(query.order_by("reason"), {NOW.key: now})
        if row.gateway_id not in told
    ]
    ids, keys = {each.refund for each in reasons}, {each.key for each in reasons if each.key}
    known: dict[str, Made] = {}
    for kind, table in KINDS.items() if reasons else ():
        for row in session.execute(sa.select(table).where(sa.or_(table.c.gateway_id.in_(ids), table.c.key.in_(keys)))):
            made = Made(
                kind, row.id, row.account, row.yen, row.outcome, row.settled_on, row.failure_recorded_at is not None
            )
            known |= {name: made for name in (row.gateway_id, row.key) if name is not None}
    return [(each, known.get(each.refund) or known.get(each.key or "")) for each in reasons]


def _leave(session: Session, reason: Reason, now: datetime) -> int:
    """News of a refund that we did not make, or that is over: money that moved is for people, words are not."""
    opened = 0
    if reason.is_movement:
        detail = {"kind": REFUND_FAILURES[0], "source": reason.refund, "key": reason.key}
        opened = open_task(session, "gateway_movement", reason.id, detail, now)
    return opened + _looked(session, [reason], RefundState(reason.refund, NONE_OF_OURS), now)


def _looked(session: Session, reasons: Sequence[Reason], state: RefundState, now: datetime) -> int:
    if not reasons:
        return 0
    rows = [
        {"reason": each.id, "refund": each.refund, "state": state.state, "code": state.code, "recorded_at": now}
        for each in reasons
    ]
    written = insert(refund_look).on_conflict_do_nothing(index_elements=["reason"]).returning(refund_look.c.reason)
    return len(session.scalars(written, rows).all())


def _failed_at(state: RefundState, reasons: Sequence[Reason], now: datetime) -> datetime:
    """When it failed: as the gateway says, else when the money came back, else when we were told."""
    by_worth = sorted(reasons, key=lambda each: (not each.is_movement, not each.is_failure, each.happened_at))
    return min(now, state.failed_at or by_worth[0].happened_at)


def _fail(session: Session, made: Made, state: RefundState, failed_at: datetime, now: datetime) -> int:
    """Book the failure once: the credit is owed again, or the money is the payer's again; people get it listed."""
    lock_accounts(session, [made.account])
    on = max(jst_day(failed_at), made.settled_on or date.min)
    table = KINDS[made.kind]
    saved = session.execute(
        sa.update(table)
        .where(table.c.id == made.refund_id, table.c.failure_recorded_at.is_(None))
        .values(failed_on=on, failed_at=failed_at, failed_code=state.code or state.state, failure_recorded_at=now)
    )
    if not saved.rowcount:
        return 0
    key, amounts = f"{SUBJECTS[made.kind]}:{made.refund_id}:failed", {"yen": made.yen}
    if made.kind == "credit":
        owed = sa.select(credit_refund.c.credit_id).where(credit_refund.c.id == made.refund_id).scalar_subquery()
        session.execute(
            sa.update(credit).where(credit.c.id == owed).values(available_yen=credit.c.available_yen + made.yen)
        )
        post(session, [Posting("refund_failed", key, on, amounts, made.account)], now)
    else:
        use_deposit(
            session, DepositUse(made.account, "refunded", CARD, -made.yen, "keizoku", GROUND, CARD), now, used_on=on
        )
        post(session, [Posting("overcharge_refund_failed", key, on, amounts, made.account)], now)
    detail = {"account": made.account, "yen": made.yen, "code": state.code or state.state, "failed_on": on.isoformat()}
    open_task(session, "refund_failed", subject_of(made.kind, made.refund_id), detail, now)
    return 3
