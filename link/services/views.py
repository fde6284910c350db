"""What is asked about links, each as a read model: who is linked, uses, orders, stops, designations, events, load."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from keizoku.db.account_reads import noted
from keizoku.db.session import Session
from keizoku.db.tables.link.grants import link_designation, link_grant, link_use
from keizoku.db.tables.link.orders import link_order
from keizoku.db.tables.link.stops import link_disclosure, link_security_event
from keizoku.link.orders import book
from keizoku.link.orders.book import Order
from keizoku.link.records.customers import all_stops, load_customers
from keizoku.link.rules.designation import Designation, designated
from keizoku.link.rules.facts import Customer
from keizoku.link.rules.load import loads
from keizoku.link.rules.security import item_of
from keizoku.link.rules.tokens import grant_state, lapses_at
from keizoku.terms.read_model import JapanInstant, ReadModel

__all__ = [
    "DesignationView",
    "EventView",
    "LinkView",
    "LoadView",
    "OrderView",
    "StopView",
    "UseView",
    "count_links",
    "count_orders",
    "count_uses",
    "designation_list",
    "event_list",
    "link_as_it_is",
    "link_list",
    "link_view",
    "load_list",
    "order_list",
    "order_view",
    "stop_list",
    "use_list",
]


@dataclass(frozen=True, slots=True, eq=False)
class LinkView(ReadModel):
    """A customer's link as it is: its state, what it is for, and when it ends."""

    account: str
    state: str
    scopes: tuple[str, ...]
    granted_at: JapanInstant | None
    lapses_at: JapanInstant | None  # unless the customer acts
    generation: int | None
    token_expires_at: JapanInstant | None
    ended_at: JapanInstant | None
    ended_cause: str | None


@dataclass(frozen=True, slots=True, eq=False)
class UseView(ReadModel):
    """One use of a token: what for, when, and what came of it. Never what was fetched."""

    id: int
    account: str
    purpose: str
    kinds: str | None
    author: str
    begun_at: JapanInstant
    answered_at: JapanInstant | None
    outcome: str | None
    code: str | None
    dropped: int | None


@dataclass(frozen=True, slots=True, eq=False)
class OrderView(ReadModel):
    """An order, and what became of it."""

    id: int
    account: str
    state: str
    product: str
    side: str
    quantity: int
    limit_price: str | None
    good_until: date | None
    fee_yen: int
    reference: str
    partner_id: str | None
    code: str | None
    drafted_at: JapanInstant
    sent_at: JapanInstant | None


@dataclass(frozen=True, slots=True, eq=False)
class StopView(ReadModel):
    """A stop or a change of the service."""

    id: int
    clause: str
    kind: str
    whose: str
    scope: str
    account: str | None
    what: str
    from_at: JapanInstant
    ended_at: JapanInstant | None
    announced_at: JapanInstant | None


@dataclass(frozen=True, slots=True, eq=False)
class DesignationView(ReadModel):
    """A field or product that is designated, or was."""

    id: int
    kind: str
    name: str
    designated: bool
    holds_from: date
    holds_today: bool
    author: str
    ground: str


@dataclass(frozen=True, slots=True, eq=False)
class EventView(ReadModel):
    """A security event, with what was disclosed because of it."""

    id: int
    clause: str
    kind: str
    account: str | None
    what: str
    occurred_at: JapanInstant
    disclosed: tuple[str, ...]
    author: str
    ground: str


@dataclass(frozen=True, slots=True, eq=False)
class LoadView(ReadModel):
    """The fetches of an account in an hour."""

    account: str
    hour_at: JapanInstant
    fetches: int
    above: bool


def link_list(session: Session, at: datetime, after: str = "", limit: int = 0) -> list[LinkView]:
    """Every account that was ever linked, in order of the accounts, behind one of them."""
    named = link_grant.c.account
    query = sa.select(named).distinct().where(named > after).order_by(named)
    accounts = session.scalars(query.limit(limit) if limit else query).all()
    known = load_customers(session, accounts)
    renewing = _renewing(session, accounts)
    session.rollback()
    return [_view(known[account], at, account in renewing) for account in accounts]


def count_links(session: Session) -> int:
    """How many accounts were ever linked."""
    return _count(session, sa.select(sa.func.count(link_grant.c.account.distinct())))


def link_view(session: Session, account: str, at: datetime) -> LinkView:
    """One customer's link."""
    noted(account, "link_view")
    return link_as_it_is(session, account, at)


def link_as_it_is(session: Session, account: str, at: datetime) -> LinkView:
    """The same within another question about the account, which is noted already."""
    customer = load_customers(session, [account])[account]
    renewing = _renewing(session, [account])
    session.rollback()
    return _view(customer, at, bool(renewing))


def use_list(session: Session, account: str | None = None, after: int = 0, limit: int = 0) -> list[UseView]:
    """Uses of tokens, the newest last, behind one of them."""
    query = sa.select(link_use).where(link_use.c.id > after).order_by(link_use.c.id)
    if account is not None:
        noted(account, "use_list")
        query = query.where(link_use.c.account == account)
    rows = session.execute(query.limit(limit) if limit else query).all()
    session.rollback()
    return [
        UseView(
            row.id,
            row.account,
            row.purpose,
            row.kinds,
            row.author,
            row.begun_at,
            row.answered_at,
            row.outcome,
            row.code,
            row.dropped,
        )
        for row in rows
    ]


def count_uses(session: Session, account: str | None = None) -> int:
    """How many uses there are."""
    return _count(session, _of(sa.select(sa.func.count()).select_from(link_use), link_use, account))


def order_list(session: Session, account: str | None = None, after: int = 0, limit: int = 0) -> list[OrderView]:
    """Orders in order of their numbers, behind one of them."""
    if account is not None:
        noted(account, "order_list")
    found = book.load_all(session, account, after, limit)
    session.rollback()
    return [order_view(order) for order in found]


def count_orders(session: Session, account: str | None = None) -> int:
    """How many orders there are."""
    return _count(session, _of(sa.select(sa.func.count()).select_from(link_order), link_order, account))


def order_view(order: Order) -> OrderView:
    """An order as people see it."""
    wanted = order.wanted
    return OrderView(
        order.id,
        order.account,
        order.state,
        wanted.product,
        wanted.side,
        wanted.quantity,
        wanted.limit_price,
        order.good_until,
        order.fee_yen,
        order.reference,
        order.partner_id,
        order.code,
        order.drafted_at,
        order.events.get("sent"),
    )


def stop_list(session: Session) -> list[StopView]:
    """Every stop and change, in order of its beginning."""
    found = all_stops(session)
    session.rollback()
    return [
        StopView(
            stop.id,
            f"api_link/{stop.clause}",
            stop.kind,
            stop.whose,
            stop.scope,
            stop.account,
            stop.what,
            stop.from_at,
            stop.ended_at,
            stop.announced_at,
        )
        for stop in found
    ]


def designation_list(session: Session, day: date) -> list[DesignationView]:
    """Every designation as it was recorded, and whether its name is designated on a day."""
    rows = session.execute(sa.select(link_designation).order_by(link_designation.c.id)).all()
    session.rollback()
    known = [Designation(row.kind, row.name, row.designated, row.holds_from) for row in rows]
    today = {kind: designated(known, kind, day) for kind in ("field", "product")}
    return [
        DesignationView(
            row.id,
            row.kind,
            row.name,
            row.designated,
            row.holds_from,
            row.name in today[row.kind],
            row.author,
            row.ground,
        )
        for row in rows
    ]


def event_list(session: Session) -> list[EventView]:
    """Every security event, with what was disclosed because of it."""
    events = session.execute(sa.select(link_security_event).order_by(link_security_event.c.id)).all()
    told: dict[int, list[str]] = {}
    for row in session.execute(sa.select(link_disclosure).order_by(link_disclosure.c.id)):
        told.setdefault(row.event_id, []).append(f"{row.account}: {row.what} to {row.recipient}")
    session.rollback()
    return [
        EventView(
            row.id,
            item_of(row.kind),
            row.kind,
            row.account,
            row.what,
            row.occurred_at,
            tuple(told.get(row.id, ())),
            row.author,
            row.ground,
        )
        for row in events
    ]


def load_list(session: Session, threshold: int, from_at: datetime, to_at: datetime) -> list[LoadView]:
    """The fetches of each account by the hour in a time, most first."""
    fetches = session.execute(
        sa.select(link_use.c.account, link_use.c.begun_at).where(
            link_use.c.purpose == "fetch", link_use.c.begun_at >= from_at, link_use.c.begun_at < to_at
        )
    ).all()
    session.rollback()
    found = loads(((row.account, row.begun_at) for row in fetches), threshold)
    return [LoadView(each.account, each.hour_at, each.fetches, each.above) for each in found]


def _view(customer: Customer, at: datetime, renewing: bool) -> LinkView:
    grant, token = customer.grant, customer.token
    return LinkView(
        customer.account,
        grant_state(customer, at, renewing=renewing),
        grant.scopes if grant is not None else (),
        grant.granted_at if grant is not None else None,
        lapses_at(customer),
        token.generation if token is not None else None,
        token.expires_at if token is not None else None,
        grant.ended_at if grant is not None else None,
        grant.ended_cause if grant is not None else None,
    )


def _renewing(session: Session, accounts: Sequence[str]) -> set[str]:
    under_way = sa.select(link_use.c.account).where(
        link_use.c.purpose == "refresh", link_use.c.outcome.is_(None), link_use.c.account.in_(accounts)
    )
    return set(session.scalars(under_way))


def _of(query: sa.Select[Any], table: sa.Table, account: str | None) -> sa.Select[Any]:
    return query if account is None else query.where(table.c.account == account)


def _count(session: Session, query: sa.Select[Any]) -> int:
    found: int = session.execute(query).scalar_one()
    session.rollback()
    return found
