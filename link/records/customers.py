"""Loads what is known of customers, one or many, in few statements; locks them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from keizoku.db.session import Session, texts
from keizoku.db.tables.contracts import account as account_table
from keizoku.db.tables.contracts import contract_fact
from keizoku.db.tables.link.grants import link_designation, link_fact, link_grant, link_ruling, link_token
from keizoku.db.tables.link.stops import link_announcement, link_stop, link_stop_end
from keizoku.link.rules.designation import Designation, designated
from keizoku.link.rules.facts import Customer, Fact, Grant, Ruling, Stop, Token
from keizoku.terms.refusal import Refused

__all__ = [
    "all_stops",
    "designations",
    "ensure_account",
    "load_customer",
    "load_customers",
    "lock_account",
    "lock_accounts",
]


def ensure_account(session: Session, account: str, now: datetime) -> None:
    """A link needs no premium: an account that is not known yet becomes known. Does not commit."""
    new = insert(account_table).values(id=account, created_at=now)
    session.execute(new.on_conflict_do_nothing(index_elements=["id"]))


def lock_account(session: Session, account: str) -> None:
    """Lock the account's row until the transaction ends. Raises Refused for one that is not known."""
    known = sa.select(account_table.c.id).where(account_table.c.id == account).with_for_update()
    if session.execute(known).first() is None:
        session.rollback()
        raise Refused("account.unknown", f"account {account!r} is not known")


def lock_accounts(session: Session, accounts: Collection[str]) -> None:
    """The same for accounts that are known, always in the same order."""
    which = account_table.c.id == sa.any_(texts(sorted(set(accounts))))
    session.execute(sa.select(account_table.c.id).where(which).order_by(account_table.c.id).with_for_update())


def load_customer(session: Session, account: str) -> Customer:
    """What is known of one customer, as the session's transaction sees it."""
    return load_customers(session, [account])[account]


def load_customers(session: Session, accounts: Collection[str]) -> Mapping[str, Customer]:
    """account -> what is known of it; one that nothing is known of has no facts."""
    which = texts(sorted(set(accounts)))
    facts: defaultdict[str, list[Fact]] = defaultdict(list)
    for row in _rows(session, link_fact, which):
        facts[row.account].append(Fact(row.kind, row.occurred_at, row.rules_version))
    rulings: defaultdict[str, list[Ruling]] = defaultdict(list)
    for row in _rows(session, link_ruling, which):
        rulings[row.account].append(Ruling(row.clause, row.met, row.occurred_at))
    grants: defaultdict[str, list[Grant]] = defaultdict(list)
    for row in _rows(session, link_grant, which):
        grants[row.account].append(grant_of(row))
    living = sa.select(link_token).where(link_token.c.account == sa.any_(which), link_token.c.ended_at.is_(None))
    tokens = {row.account: token_of(row) for row in session.execute(living)}
    deleted = sa.select(contract_fact.c.account, sa.func.max(contract_fact.c.occurred_at)).where(
        contract_fact.c.account == sa.any_(which), contract_fact.c.kind == "delete_user"
    )
    gone = {row.account: row[1] for row in session.execute(deleted.group_by(contract_fact.c.account))}
    stops = all_stops(session, which)
    return {
        account: Customer(
            account,
            tuple(facts[account]),
            tuple(rulings[account]),
            tuple(grants[account]),
            tokens.get(account),
            tuple(stop for stop in stops if stop.account in (None, account)),
            gone.get(account),
        )
        for account in accounts
    }


def all_stops(session: Session, which: sa.ColumnElement[Any] | None = None) -> tuple[Stop, ...]:
    """The stops and changes in order, those of nobody in particular and, where named, of these accounts."""
    announced = (
        sa.select(link_announcement.c.stop_id, sa.func.min(link_announcement.c.announced_at).label("announced_at"))
        .group_by(link_announcement.c.stop_id)
        .subquery()
    )
    query = (
        sa.select(link_stop, link_stop_end.c.ended_at, announced.c.announced_at)
        .outerjoin(link_stop_end, link_stop_end.c.stop_id == link_stop.c.id)
        .outerjoin(announced, announced.c.stop_id == link_stop.c.id)
        .order_by(link_stop.c.from_at, link_stop.c.id)
    )
    if which is not None:
        query = query.where(sa.or_(link_stop.c.account.is_(None), link_stop.c.account == sa.any_(which)))
    return tuple(
        Stop(
            row.id,
            row.kind,
            row.whose,
            row.scope,
            row.account,
            row.clause,
            row.what,
            row.from_at,
            row.ended_at,
            row.announced_at,
        )
        for row in session.execute(query)
    )


def designations(session: Session, kind: str, day: date) -> frozenset[str]:
    """The names of a kind that are designated on a day in Japan."""
    rows = session.execute(
        sa.select(link_designation).where(link_designation.c.kind == kind).order_by(link_designation.c.id)
    )
    return designated((Designation(row.kind, row.name, row.designated, row.holds_from) for row in rows), kind, day)


def grant_of(row: sa.Row[Any]) -> Grant:
    """A grant as its row has it."""
    return Grant(row.id, tuple(row.scopes.split()), row.granted_at, row.consent_until, row.ended_at, row.ended_cause)


def token_of(row: sa.Row[Any]) -> Token:
    """A token's life as its row has it."""
    return Token(row.generation, row.asked_at, row.expires_at, row.renewable, row.ended_at)


def _rows(session: Session, table: sa.Table, which: sa.ColumnElement[Any]) -> sa.CursorResult[Any]:
    return session.execute(sa.select(table).where(table.c.account == sa.any_(which)).order_by(table.c.id))
