"""Our book of orders: reads an order with its events, writes the next event. Decides nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from keizoku.db.session import Session
from keizoku.db.tables.link.orders import link_order, link_order_event
from keizoku.link.rules.orders import OrderRequest, OrderState, state_of
from keizoku.terms.refusal import Refused

__all__ = ["Order", "Written", "append", "load", "load_all", "taken_numbers", "unanswered", "unfinished"]


@dataclass(frozen=True, slots=True)
class Order:
    """An order as our book has it, with what became of it so far."""

    id: int
    account: str
    reference: str
    wanted: OrderRequest
    good_until: date | None
    fee_yen: int
    drafted_at: datetime
    events: Mapping[str, datetime]  # kind -> when
    partner_id: str | None
    code: str | None
    known_before: frozenset[str] | None  # where it was sent to a partner that carries no reference of ours

    @property
    def state(self) -> OrderState:
        """What it is now."""
        return state_of(list(self.events))

    @property
    def is_answered(self) -> bool:
        """Whether a definite answer is known."""
        return bool({"accepted", "refused", "never_arrived"} & set(self.events))


@dataclass(frozen=True, slots=True)
class Written:
    """An event to write; what it follows is derived."""

    kind: str
    at: datetime
    text_digest: str | None = None
    partner_id: str | None = None
    code: str | None = None
    author: str | None = None
    ground: str | None = None
    use_id: int | None = None
    known_before: Sequence[str] | None = None


def append(session: Session, order: Order, event: Written) -> None:
    """Write the next event of an order. Does not commit."""
    session.execute(
        sa.insert(link_order_event).values(
            order_id=order.id,
            account=order.account,
            kind=event.kind,
            follows=_follows(event.kind, order),
            occurred_at=event.at,
            text_digest=event.text_digest,
            partner_id=event.partner_id,
            code=event.code,
            author=event.author,
            ground=event.ground,
            use_id=event.use_id,
            known_before=sa.null() if event.known_before is None else list(event.known_before),
            recorded_at=event.at,
        )
    )


def _follows(kind: str, order: Order) -> str | None:
    if kind == "drafted":
        return None
    if kind == "withdrawn":
        return order.state
    return {"confirmed": "drafted", "sent": "confirmed", "never_arrived": "unknown"}.get(
        kind, "accepted" if kind in ("lapsed", "finished") else "sent"
    )


def load(session: Session, order_id: int, account: str | None = None) -> Order:
    """One order, of this account where one is named. Raises Refused."""
    query = _orders().where(link_order.c.id == order_id)
    if account is not None:
        query = query.where(link_order.c.account == account)
    found = _read(session, query)
    if not found:
        session.rollback()
        raise Refused("link.order_unknown", f"there is no order {order_id}", "`keizoku link orders` lists them")
    return found[0]


def load_all(session: Session, account: str | None, after: int, limit: int) -> list[Order]:
    """Orders in order of their ids, behind one of them; of one account or of all; 0: no limit."""
    query = _orders().where(link_order.c.id > after)
    if account is not None:
        query = query.where(link_order.c.account == account)
    return _read(session, query.limit(limit) if limit else query)


def unanswered(session: Session) -> list[Order]:
    """Orders that were sent and have no definite answer."""
    return _read(session, _orders().where(_has("sent"), ~_has("accepted", "refused", "never_arrived")))


def unfinished(session: Session, sent_after: datetime) -> list[Order]:
    """Orders that were accepted since, and of which no end is known."""
    accepted = sa.exists().where(
        link_order_event.c.order_id == link_order.c.id,
        link_order_event.c.kind == "accepted",
        link_order_event.c.occurred_at > sent_after,
    )
    return _read(session, _orders().where(accepted, ~_has("lapsed", "finished")))


def taken_numbers(session: Session, account: str, but: int) -> frozenset[str]:
    """The partner's numbers of the account's other orders."""
    numbers = sa.select(link_order_event.c.partner_id).where(
        link_order_event.c.account == account,
        link_order_event.c.partner_id.is_not(None),
        link_order_event.c.order_id != but,
    )
    return frozenset(number for number in session.scalars(numbers) if number is not None)


def _has(*kinds: str) -> sa.ColumnElement[bool]:
    return sa.exists().where(link_order_event.c.order_id == link_order.c.id, link_order_event.c.kind.in_(kinds))


def _orders() -> sa.Select[Any]:
    return sa.select(link_order).order_by(link_order.c.id)


def _read(session: Session, query: sa.Select[Any]) -> list[Order]:
    rows = session.execute(query).all()
    if not rows:
        return []
    events = session.execute(
        sa.select(link_order_event)
        .where(link_order_event.c.order_id.in_([row.id for row in rows]))
        .order_by(link_order_event.c.id)
    ).all()
    of: dict[int, list[sa.Row[Any]]] = {row.id: [] for row in rows}
    for event in events:
        of[event.order_id].append(event)
    return [_order(row, of[row.id]) for row in rows]


def _order(row: sa.Row[Any], events: Sequence[sa.Row[Any]]) -> Order:
    before = next((event.known_before for event in events if event.known_before is not None), None)
    return Order(
        row.id,
        row.account,
        row.reference,
        OrderRequest(row.product, row.side, row.quantity, row.limit_price),
        row.good_until,
        row.fee_yen,
        row.drafted_at,
        {event.kind: event.occurred_at for event in events},
        next((event.partner_id for event in reversed(events) if event.partner_id), None),
        next((event.code for event in reversed(events) if event.code), None),
        None if before is None else frozenset(before),
    )
