"""Entries found as the tax office asks for them: by day, sum and counterparty, any of them together; late ones marked.

The sum of an entry is what it debits. Late: recorded more than so many days after the day that it is posted on (the act
on books kept electronically wants what is entered after the usual time to be seen). Read only; JST days, whole yen.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import sqlalchemy as sa

from keizoku.db.session import Session
from keizoku.db.tables.books import entry, line
from keizoku.terms.read_model import ReadModel

__all__ = ["EntryFound", "Sought", "entries_found", "entry_count"]


PARTS: Final = ("deposit", "credit", "closed", "over", "key", "fee", "returned")
"""What keys of events say behind the number of a document, where it has more than one entry."""


@dataclass(frozen=True, slots=True)
class Sought:
    """What is looked for; conditions that are stated hold together. Days and sums include both ends."""

    from_on: date | None = None
    to_on: date | None = None
    from_yen: int | None = None
    to_yen: int | None = None
    account: str | None = None
    late_after_days: int = 7
    late_only: bool = False
    number: int | None = None
    reference: str | None = None
    """What it was posted for: the key of its event, with or without what the key says of its part."""

    def conditions(self) -> Iterator[sa.ColumnElement[bool]]:
        """As conditions of a query."""
        if self.from_on is not None:
            yield entry.c.posted_on >= self.from_on
        if self.to_on is not None:
            yield entry.c.posted_on <= self.to_on
        if self.from_yen is not None:
            yield self.from_yen <= _YEN
        if self.to_yen is not None:
            yield self.to_yen >= _YEN
        if self.account is not None:
            yield entry.c.account == self.account
        if self.number is not None:
            yield entry.c.id == self.number
        if self.reference is not None:
            yield entry.c.event_key.in_([self.reference, *(f"{self.reference}:{part}" for part in PARTS)])
        if self.late_only:
            yield self.late_after_days < _DAYS


@dataclass(frozen=True, slots=True, eq=False)
class EntryFound(ReadModel):
    """An entry: what it debits in all, the days from its own to that of recording, and whether these are too many."""

    id: int
    posted_on: date
    recorded_on: date
    days: int
    late: bool
    belongs_to: str | None
    event: str
    account: str | None
    yen: int


_YEN: Final = (
    sa.select(sa.func.coalesce(sa.func.sum(line.c.yen), 0))
    .where(line.c.entry_id == entry.c.id, line.c.yen > 0)
    .scalar_subquery()
)
_RECORDED_ON: Final = sa.cast(sa.func.timezone("Asia/Tokyo", entry.c.recorded_at), sa.Date)
_DAYS: Final[sa.ColumnElement[int]] = sa.type_coerce(_RECORDED_ON - entry.c.posted_on, sa.Integer)


def entries_found(session: Session, sought: Sought, *, limit: int | None = None, after: int = 0) -> list[EntryFound]:
    """The entries that meet every condition, in the order of recording; at most `limit`, behind `after`."""
    query = sa.select(
        entry.c.id,
        entry.c.posted_on,
        _RECORDED_ON.label("recorded_on"),
        _DAYS.label("days"),
        (sought.late_after_days < _DAYS).label("late"),
        entry.c.belongs_to,
        entry.c.event,
        entry.c.account,
        sa.cast(_YEN, sa.BigInteger).label("yen"),
    )
    found = session.execute(_of(query, sought).where(entry.c.id > after).order_by(entry.c.id).limit(limit))
    return [EntryFound(**row._mapping) for row in found]


def entry_count(session: Session, sought: Sought) -> int:
    """How many `entries_found` has in all."""
    return session.scalar(_of(sa.select(sa.func.count()).select_from(entry), sought)) or 0


def _of(query: sa.Select[Any], sought: Sought) -> sa.Select[Any]:
    return query.where(*sought.conditions())
