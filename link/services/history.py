"""The story of a customer's link: what happened, when, by which clause; for the account's history. Decides nothing.

Renewals and fetches are not told one by one: `keizoku link uses` has them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from keizoku.db.session import Session
from keizoku.db.tables.link.grants import link_fact, link_grant, link_ruling
from keizoku.db.tables.link.orders import link_order, link_order_event
from keizoku.db.tables.link.stops import (
    link_disclosure,
    link_load_ruling,
    link_security_event,
    link_stop,
    link_stop_end,
)
from keizoku.link.rules.ends import CLAUSES
from keizoku.link.rules.security import item_of

__all__ = ["Told", "link_story"]

_OF_FACT = {
    "partner_account_opened": "api_link/4.1",
    "partner_account_closed": "api_link/4.1",
    "rules_consented": "api_link/4.2",
    "rules_withdrawn": "api_link/4.2",
    "base_account_closed": "api_link/12.2.1",
    "base_account_opened": "api_link/12.2.1",
    "partner_ended": "api_link/12.2.2",
    "partner_resumed": "api_link/12.2.2",
}
_OF_ORDER = {"drafted": "api_link/6.3", "confirmed": "api_link/6.4", "sent": "api_link/1.3"}
"""The clause of an order's step; 6.5 of every other."""


@dataclass(frozen=True, slots=True)
class Told:
    """One thing that happened: from when it holds, when it was learned, its sentence's key, its clause, its facts."""

    at: datetime
    known_at: datetime
    kind: str
    clause: str
    facts: Mapping[str, Any] = field(default_factory=dict)


def link_story(session: Session, account: str) -> list[Told]:
    """All that happened to an account's link, in no order."""
    return [
        *_facts(session, account),
        *_grants(session, account),
        *_orders(session, account),
        *_stops(session, account),
    ]


def _facts(session: Session, account: str) -> Iterator[Told]:
    for row in _of(session, link_fact, account):
        facts = {"author": row.author, "ground": row.ground, "rules": row.rules_version}
        yield Told(row.occurred_at, row.recorded_at, f"link_{row.kind}", _OF_FACT[row.kind], facts)
    for row in _of(session, link_ruling, account):
        facts = {"author": row.author, "ground": row.ground, "ruled": row.clause}
        kind = "link_ruled_met" if row.met else "link_ruled_unmet"
        yield Told(row.occurred_at, row.recorded_at, kind, f"api_link/{row.clause}", facts)
    for row in _of(session, link_load_ruling, account):
        facts = {"author": row.author, "ground": row.ground, "fetches": row.fetches}
        yield Told(row.recorded_at, row.recorded_at, f"link_load_{row.outcome}", "api_link/9.2", facts)


def _grants(session: Session, account: str) -> Iterator[Told]:
    for row in _of(session, link_grant, account):
        kind = "link_granted_orders" if "orders" in row.scopes else "link_granted_data"
        if row.consent_until is not None:
            kind += "_until"
        yield Told(row.granted_at, row.recorded_at, kind, "api_link/4.2", {"until_at": row.consent_until})
        if row.ended_at is not None:
            yield Told(row.ended_at, row.end_recorded_at, f"link_ended_{row.ended_cause}", CLAUSES[row.ended_cause])


def _orders(session: Session, account: str) -> Iterator[Told]:
    event = link_order_event.c
    query = (
        sa.select(link_order_event, link_order.c.product, link_order.c.side, link_order.c.quantity)
        .join(link_order, link_order.c.id == event.order_id)
        .where(link_order.c.account == account)
        .order_by(event.id)
    )
    for row in session.execute(query):
        number = row.partner_id or "–"
        facts = {"order": row.order_id, "product": row.product, "quantity": row.quantity, "number": number,
                 "code": row.code or "–", "author": row.author, "ground": row.ground}  # fmt: skip
        kind = f"link_order_{row.kind}" + (f"_{row.side}" if row.kind == "drafted" else "")
        yield Told(row.occurred_at, row.recorded_at, kind, _OF_ORDER.get(row.kind, "api_link/6.5"), facts)


def _stops(session: Session, account: str) -> Iterator[Told]:
    for row in _of(session, link_stop, account):
        facts = {"author": row.author, "ground": row.ground, "what": row.what}
        yield Told(row.from_at, row.recorded_at, f"link_stopped_by_{row.whose}", f"api_link/{row.clause}", facts)
    lifted = sa.select(link_stop_end, link_stop.c.clause).join(link_stop, link_stop.c.id == link_stop_end.c.stop_id)
    for row in session.execute(lifted.where(link_stop.c.account == account)):
        yield Told(row.ended_at, row.recorded_at, "link_stop_lifted", f"api_link/{row.clause}", {"author": row.author})
    for row in _of(session, link_security_event, account):
        facts = {"author": row.author, "ground": row.ground, "what": row.what}
        yield Told(row.occurred_at, row.recorded_at, f"link_{row.kind}", item_of(row.kind), facts)
    for row in _of(session, link_disclosure, account):
        facts = {"author": row.author, "ground": row.ground, "what": row.what, "recipient": row.recipient}
        yield Told(row.occurred_at, row.recorded_at, "link_disclosed", "api_link/5.7", facts)


def _of(session: Session, table: sa.Table, account: str) -> list[sa.Row[Any]]:
    return list(session.execute(sa.select(table).where(table.c.account == account).order_by(table.c.id)))
