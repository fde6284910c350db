"""Draft, confirm, send (api_link/1.3, 6.3 to 6.6): an order goes out once, with a token that may be used, and no other.

    draft ──> the text of 6.4 is shown ──> confirm, by the digest of what was shown ──> send
                                                                                        └ `sent` is committed before the
                                                                                          call; a second one is refused
What a crash, a lost answer or an answer that says nothing leaves behind is `unknown`: see looking_up.py.
"""

from __future__ import annotations

import re
import secrets as random
from collections.abc import Sequence
from datetime import date, datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError

from keizoku.db.session import Session
from keizoku.db.tables.link.orders import link_order, link_order_event, link_text
from keizoku.link.grants.context import Link, grant_lock
from keizoku.link.grants.using import token_for, use_for_reading, want_open
from keizoku.link.orders import book
from keizoku.link.orders.book import Order, Written
from keizoku.link.partner.port import NotSentError, PartnerError, PartnerRefusesUsError
from keizoku.link.records import uses
from keizoku.link.records.customers import designations, lock_account
from keizoku.link.records.restored import restored_since
from keizoku.link.rules.designation import may_be_ordered
from keizoku.link.rules.orders import (
    Listed,
    OrderRequest,
    OrderText,
    afterwards,
    listed_digest,
    order_fee_yen,
    order_text,
    same,
)
from keizoku.terms.refusal import Refused
from keizoku.terms.rendering import sentence

__all__ = ["confirm", "draft", "refuse_change", "send", "texts_of", "withdraw"]

PRICE: Final = re.compile(r"[0-9]{1,9}([.][0-9]{1,4})?")
MOST: Final = 10**9
LANGS: Final = ("ja", "en")


def draft(link: Link, account: str, wanted: OrderRequest, good_until: date | None, now: datetime) -> int:
    """Take down what the customer wants to order; commits; its id. Raises Refused."""
    session = link.session
    want_open(link, account, "orders", now)
    _check(link, account, wanted, good_until, now)
    order_id: int = session.execute(
        sa.insert(link_order)
        .values(
            account=account,
            grant_id=_living_grant(link, account, now),
            reference=f"kz{random.token_hex(12)}",
            product=wanted.product,
            side=wanted.side,
            quantity=wanted.quantity,
            limit_price=wanted.limit_price,
            good_until=good_until,
            fee_yen=order_fee_yen(link.policy(now)),
            drafted_at=now,
            recorded_at=now,
        )
        .returning(link_order.c.id)
    ).scalar_one()
    first = sa.insert(link_order_event).values(
        order_id=order_id, account=account, kind="drafted", occurred_at=now, recorded_at=now
    )
    session.execute(first)
    session.commit()
    return order_id


def texts_of(link: Link, order: Order, at: datetime) -> dict[str, OrderText]:
    """What is shown with an order, in each language."""
    policy = link.policy(at)
    return {lang: order_text(order.wanted, policy, lang) for lang in ("ja", "en")}


def confirm(link: Link, order_id: int, digest: str, now: datetime, account: str | None = None) -> None:
    """The customer has seen the text of this digest and wants the order; the text is kept. Commits. Raises Refused."""
    session = link.session
    order = book.load(session, order_id, account)
    _want_state(link, order, "drafted", now)
    _want_not_restored(session, order)
    want_open(link, order.account, "orders", now)
    shown = next((text for text in texts_of(link, order, now).values() if text.digest == digest), None)
    if shown is None:
        raise Refused(
            "link.text_differs",
            f"order {order_id}: what was confirmed is not what has to be shown",
            "show the text of `keizoku link order show` and confirm its digest",
        )
    keep = insert(link_text).values(digest=digest, content=shown.content, recorded_at=now)
    session.execute(keep.on_conflict_do_nothing())
    _append(session, order, Written("confirmed", now, text_digest=digest))
    session.commit()


def withdraw(link: Link, order_id: int, now: datetime, account: str | None = None) -> None:
    """The customer gives the order up before it is sent; commits. Raises Refused: after that it is the partner's."""
    order = book.load(link.session, order_id, account)
    if order.state not in ("drafted", "confirmed"):
        refuse_change(link, order, now)
    lock_account(link.session, order.account)
    _append(link.session, order, Written("withdrawn", now))
    link.session.commit()


def refuse_change(link: Link, order: Order, now: datetime) -> None:
    """No change and no cancellation here (6.5): the answer says where to go. Raises Refused."""
    link.session.rollback()
    raise Refused("link.order_final", f"order {order.id} is {order.state}: {_afterwards(link, order, now)}")


def send(link: Link, order_id: int, now: datetime, account: str | None = None) -> Order:
    """Pass the order on, once; commits; the order with what came of it. Raises Refused, and then nothing was sent."""
    session, clock = link.session, uses.Elapsing(now)
    order = book.load(session, order_id, account)
    grant_id = _living_grant(link, order.account, now)
    session.rollback()
    with grant_lock(session, grant_id):
        order = book.load(session, order_id, account)
        _want_state(link, order, "confirmed", now)
        _want_not_restored(session, order)
        _check(link, order.account, order.wanted, order.good_until, clock.at())
        _want_no_unknown_twin(session, order)
        before = use_for_reading(link, order.account, "orders", "look_up", link.partner.list_orders, clock)
        uses.answer(session, before.use_id, before.at)
        session.commit()
        _send(link, order, before.found, clock)
    return book.load(session, order_id, account)


def _send(link: Link, order: Order, listed: Sequence[Listed], clock: uses.Elapsing) -> None:
    session = link.session
    access = token_for(link, order.account, "orders", clock)
    lock_account(session, order.account)
    want_open(link, order.account, "orders", clock.at())  # what was recorded meanwhile counts
    use = uses.Use(access.grant_id, access.token_id, order.account, "order", link.author)
    [use_id] = uses.begin(session, [use], clock.at())
    known = [listed_digest(order.reference, each.partner_id) for each in listed]
    _append(session, order, Written("sent", clock.at(), use_id=use_id, known_before=known))
    session.commit()
    until = order.good_until.isoformat() if order.good_until else None
    try:
        answer = link.partner.send_order(order.wanted, order.reference, until, access.text)
    except NotSentError as error:
        uses.answer_error(session, use_id, error, clock.at())
        _append(session, order, Written("refused", clock.at(), code="not_sent"))
    except PartnerError as error:
        uses.answer_error(session, use_id, error, clock.at())
        _append(session, order, Written("unknown", clock.at(), code=error.code))
    except PartnerRefusesUsError:
        uses.answer(session, use_id, clock.at(), "refused", "client_refused")
        _append(session, order, Written("refused", clock.at(), code="client_refused"))
    else:
        uses.answer(session, use_id, clock.at(), "answered" if answer.accepted else "refused", answer.code)
        kind = "accepted" if answer.accepted else "refused"
        _append(session, order, Written(kind, clock.at(), partner_id=answer.partner_id, code=answer.code))
    session.commit()


def _check(link: Link, account: str, wanted: OrderRequest, good_until: date | None, at: datetime) -> None:
    """Raises Refused for a product that is not designated, or content that no order can have."""
    products = designations(link.session, "product", link.day(at))
    if not may_be_ordered(wanted.product, products):
        link.session.rollback()
        raise Refused(
            "link.product",
            f"account {account}: the product {wanted.product!r} is not designated on {link.day(at)}",
            "`keizoku link designations` lists those that are",
        )
    flaw = None
    if not 0 < wanted.quantity <= MOST:
        flaw = f"quantity {wanted.quantity}: 1 to {MOST:,}"
    elif wanted.limit_price is not None and not (
        PRICE.fullmatch(wanted.limit_price) and wanted.limit_price.strip("0.")
    ):
        flaw = f"price {wanted.limit_price!r:.40}: above 0, such as 2840 or 2840.5; leave it out for the market's"
    elif good_until is not None and good_until < link.day(at):
        flaw = f"good until {good_until}: that day is over"
    if flaw is not None:
        link.session.rollback()
        raise Refused("link.order_content", f"account {account}: {flaw}", "correct it")


def _want_state(link: Link, order: Order, wanted: str, now: datetime) -> None:
    if order.state != wanted:
        link.session.rollback()
        where = _afterwards(link, order, now)
        raise Refused("link.order_state", f"order {order.id} is {order.state}, not {wanted}: {where}")


def _want_not_restored(session: Session, order: Order) -> None:
    """An order of before a restore may have gone out after the backup, and nobody can tell."""
    if restored_since(session, order.drafted_at):
        session.rollback()
        raise Refused(
            "link.order_restored",
            f"order {order.id}: it was drafted before this database was restored, and may have been sent since",
            "look at the partner; withdraw it, and draft it anew if it never got there",
        )


def _want_no_unknown_twin(session: Session, order: Order) -> None:
    """While the answer to one order is unknown, another of the same content is not sent: which is which?"""
    for other in book.unanswered(session):
        if other.account == order.account and other.id != order.id and same(other.wanted, order.wanted):
            session.rollback()
            raise Refused(
                "link.order_unclear",
                f"order {order.id}: order {other.id} of the same content was sent and its answer is not known",
                "look it up first: `keizoku link order settle`",
            )


def _append(session: Session, order: Order, event: Written) -> None:
    """Write an event; what somebody else wrote meanwhile is refused by the database."""
    try:
        book.append(session, order, event)
    except IntegrityError as error:
        session.rollback()
        raise Refused(
            "link.order_state", f"order {order.id} has gone on meanwhile", "look at it: `keizoku link order show`"
        ) from error


def _living_grant(link: Link, account: str, at: datetime) -> int:
    grant = want_open(link, account, "orders", at).grant
    if grant is None:
        raise Refused("link.closed", f"account {account}: access has not been granted")
    return grant.id


def _afterwards(link: Link, order: Order, now: datetime) -> str:
    step = afterwards(order.state, link.policy(now))
    return sentence(step.key, "en", step.facts)
