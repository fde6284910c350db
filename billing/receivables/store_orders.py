"""Whose an order at a store is: kept with an application, or said later by people or a file of orders.

The store's reports name orders, not accounts; a renewal has the number of the first order with its own behind it.
"""

import re
from collections.abc import Collection, Mapping
from datetime import datetime

import sqlalchemy as sa

from keizoku.db.session import Session, copy_rows, texts
from keizoku.db.tables.bank import store_order
from keizoku.limits import id_flaw
from keizoku.terms.refusal import Refused

_RENEWAL = re.compile(r"\.\.\d+$")


def order_of(written: str) -> str:
    """An order's id without the number of its renewal: GPA.1234..5 is GPA.1234."""
    return _RENEWAL.sub("", written.strip())


def check_order(order: str) -> None:
    """Refused for a text that can be no order's id."""
    if flaw := id_flaw(order):
        raise Refused("store.order_form", f"order {order!r}: {flaw}")


def refuse_taken(order: str, account: str, owners: Mapping[str, str]) -> None:
    """Refused for an order that is another account's."""
    if owners.get(order, account) != account:
        raise Refused("store.order_taken", f"order {order} is {owners[order]}'s already")


def owners_of(session: Session, orders: Collection[str]) -> dict[str, str]:
    """order -> whose it is, of those that are known."""
    if not orders:
        return {}
    rows = session.execute(
        sa.select(store_order.c.order_id, store_order.c.account).where(store_order.c.order_id == sa.any_(texts(orders)))
    )
    return {row.order_id: row.account for row in rows}


def write_orders(session: Session, orders: Mapping[str, str], by: str, now: datetime) -> int:
    """Write orders (order -> account) that are not known yet; does not commit; how many."""
    known = owners_of(session, orders)
    rows = [(order, account, by, now) for order, account in orders.items() if order not in known]
    copy_rows(session, store_order, ("order_id", "account", "author", "recorded_at"), rows)
    return len(rows)
