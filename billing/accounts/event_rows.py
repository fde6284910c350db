"""How the events of an account are collected: one function for each kind of row, each for itself. Read only."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias

import sqlalchemy as sa

from keizoku.billing.rules.account_event import Event
from keizoku.db.session import Session

Collect: TypeAlias = Callable[[Session, str], Iterator[Event]]
"""The events of one kind of row of an account."""


def collected(kinds: Iterable[Collect], session: Session, account: str) -> Iterator[Event]:
    """The events of all kinds, in no order."""
    for collect in kinds:
        yield from collect(session, account)


def rows_of(
    session: Session, table: sa.Table, account: str, *conditions: sa.ColumnElement[bool]
) -> Iterable[sa.Row[Any]]:
    """The rows of a table that are about an account, and as the conditions say."""
    return session.execute(sa.select(table).where(table.c.account == account, *conditions))
