"""Orders without an answer are looked up, never sent again; accepted ones are followed to their end (api_link/6.5).

    sent, no answer ──the grant's lock is free──> unknown ──> the partner's list ─┬─> found: accepted
                                                                                  ├─> not found: again; then people
                                                                                  └─> two of them: people at once
    accepted ──> the partner's list ──> lapsed | finished

What the partner lists may lag, so an order that is not listed proves nothing: that it never arrived is said by people.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Final

from sqlalchemy.exc import IntegrityError

from keizoku.db.review_tasks import close_task, open_task
from keizoku.link.grants.context import Link, grant_lock
from keizoku.link.grants.using import use_for_reading, want_open
from keizoku.link.orders import book
from keizoku.link.orders.book import Order, Written
from keizoku.link.records import uses
from keizoku.link.records.customers import lock_account
from keizoku.link.rules.orders import Listed, match_listed, people_are_asked
from keizoku.terms.refusal import Refused

__all__ = ["LookedUp", "look_up_all", "never_arrived", "settle"]

FOLLOWED_FOR: Final = timedelta(days=40)
"""Accepted orders are followed so long; no order of the partner is good for longer."""


@dataclass(frozen=True, slots=True)
class LookedUp:
    """What looking up has brought: rows written, orders left to people, accounts that could not be asked."""

    changes: int
    to_people: tuple[int, ...]
    unasked: tuple[str, ...]


def settle(link: Link, order_id: int, now: datetime) -> Order:
    """Look one order up; commits; the order as it then is. Raises Refused where it cannot be asked about."""
    order = book.load(link.session, order_id)
    link.session.rollback()
    if "sent" not in order.events or order.state in ("refused", "never_arrived", "lapsed", "finished"):
        return order
    _settle_account(link, order.account, [order], uses.Elapsing(now))
    return book.load(link.session, order_id)


def look_up_all(link: Link, now: datetime, *, only_unanswered: bool = False) -> LookedUp:
    """Look up all orders without an answer and all accepted ones without an end, account by account; commits each."""
    orders = book.unanswered(link.session)
    if not only_unanswered:
        orders += book.unfinished(link.session, now - FOLLOWED_FOR)
    link.session.rollback()
    changes, people, unasked = 0, [], []
    clock = uses.Elapsing(now)
    for account, of_account in groupby(sorted(orders, key=lambda each: (each.account, each.id)), lambda o: o.account):
        some = list(of_account)
        try:
            written, left = _settle_account(link, account, some, clock)
        except Refused:
            unasked.append(account)
            written, left = _without_asking(link, some, clock)
        changes += written
        people += left
    return LookedUp(changes, tuple(people), tuple(unasked))


def never_arrived(link: Link, order_id: int, by: str, ground: str, now: datetime) -> None:
    """People say that an order without an answer never reached the partner; commits. Raises Refused."""
    order = book.load(link.session, order_id)
    if order.state != "unknown":
        link.session.rollback()
        raise Refused("link.order_state", f"order {order_id} is {order.state}, not unknown")
    if not by.strip() or not ground.strip():
        raise Refused("act.unsigned", f"order {order_id}: that it never arrived needs an author and a ground")
    lock_account(link.session, order.account)
    book.append(link.session, order, Written("never_arrived", now, author=by, ground=ground))
    close_task(link.session, "link_order_unknown", f"order {order_id}", by, ground, now)
    link.session.commit()


def _settle_account(link: Link, account: str, orders: Sequence[Order], clock: uses.Elapsing) -> tuple[int, list[int]]:
    grant = want_open(link, account, "orders", clock.at()).grant
    link.session.rollback()
    if grant is None:
        raise Refused("link.closed", f"account {account}: access has not been granted")
    with grant_lock(link.session, grant.id):  # nobody is sending one of these any more
        changes = sum(_unknown_if_lost(link, order, clock) for order in orders)
        used = use_for_reading(link, account, "orders", "look_up", link.partner.list_orders, clock)
        uses.answer(link.session, used.use_id, used.at)
        link.session.commit()
        people = []
        for order in orders:
            written, asked = _apply(link, order, used.found, clock)
            changes += written
            if asked:
                people.append(order.id)
    return changes, people


def _without_asking(link: Link, orders: Sequence[Order], clock: uses.Elapsing) -> tuple[int, list[int]]:
    """The partner cannot be asked: what has no answer is left to people after the same time."""
    changes, people = 0, []
    for order in orders:
        if order.is_answered:
            continue
        if people_are_asked(order.events["sent"], link.rules.discretion.link_look_up_seconds, clock.at()):
            changes += _unknown_if_lost(link, order, clock)
            changes += _ask_people(link, order, "unasked", clock)
            people.append(order.id)
    return changes, people


def _unknown_if_lost(link: Link, order: Order, clock: uses.Elapsing) -> int:
    """An order that was sent by a process that died has an unknown answer."""
    if order.is_answered or "unknown" in order.events:
        return 0
    return _write(link, order, Written("unknown", clock.at(), code="process_died"))


def _apply(link: Link, order: Order, listed: Sequence[Listed], clock: uses.Elapsing) -> tuple[int, bool]:
    """Write what the list says of an order; whether people are asked."""
    taken = book.taken_numbers(link.session, order.account, order.id)
    known = next((each for each in listed if order.partner_id and each.partner_id == order.partner_id), None)
    found = known or match_listed(order.reference, order.wanted, listed, order.known_before or frozenset(), taken)
    link.session.rollback()
    if isinstance(found, str):
        if order.is_answered:
            return 0, False
        due = found == "unclear" or people_are_asked(
            order.events["sent"], link.rules.discretion.link_look_up_seconds, clock.at()
        )
        return (_ask_people(link, order, found, clock) if due else 0), due
    changes = 0
    if not order.is_answered:
        changes += _write(link, order, Written("accepted", clock.at(), partner_id=found.partner_id))
        close_task(
            link.session, "link_order_unknown", f"order {order.id}", "keizoku", "the partner lists it", clock.at()
        )
        link.session.commit()
    if found.state != "working":
        changes += _write(link, order, Written(found.state, clock.at(), partner_id=found.partner_id))
    return changes, False


def _write(link: Link, order: Order, event: Written) -> int:
    """Write and commit; 0 where somebody else was first."""
    try:
        book.append(link.session, order, event)
        link.session.commit()
    except IntegrityError:
        link.session.rollback()
        return 0
    return 1


def _ask_people(link: Link, order: Order, why: str, clock: uses.Elapsing) -> int:
    detail = {"account": order.account, "order": order.id, "reference": order.reference, "why": why}
    opened = open_task(link.session, "link_order_unknown", f"order {order.id}", detail, clock.at())
    link.session.commit()
    return opened
