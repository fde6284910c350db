"""Writing the journal: postings become entries and lines, by COPY, in the caller's transaction.

Each posting has an event key of its own; the database refuses the same key twice, so an event is booked once. What
belongs to a day that is closed is posted on the first open one, and names its month.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Final, NamedTuple

import sqlalchemy as sa

from keizoku.billing.rules.books.journal_rules import Entry, journal
from keizoku.db.keys import DRAW_KEYS, draws
from keizoku.db.session import PreparedQuery, Rows, Session, copy_rows, copy_together
from keizoku.db.tables.books import entry, line
from keizoku.db.tables.closing import month_act
from keizoku.terms.calendar import Month

CLOSE_LOCK: sa.ColumnElement[int] = sa.func.hashtextextended(
    sa.func.concat("keizoku/", sa.func.current_schema(), "/close"), 0
)
"""Held shared by whoever posts, alone by whoever closes a month (db/tables/guards.py takes the same)."""


class Posting(NamedTuple):
    """An event to book: its name in the table of journal rules, its own key, its JST day, its named amounts."""

    event: str
    key: str
    posted_on: date
    amounts: Mapping[str, int]
    account: str | None = None


Beside = Callable[[Sequence[int]], Rows]
"""Of the entries' ids, rows that point at them: written with them."""


def post(
    session: Session, postings: Iterable[Posting], recorded_at: datetime, beside: Beside | None = None
) -> list[int]:
    """Book the postings; returns the entries' ids in order (0 for an event with nothing to book)."""
    made: dict[object, Entry] = {}  # many events of a night are of the same kind and amount: one draft does for them
    drafts: list[tuple[Posting, Entry]] = []
    for posting in postings:
        kind = (posting.event, *posting.amounts.items())
        draft = made.get(kind)
        if draft is None:
            draft = made[kind] = journal(posting.event, **posting.amounts)
        drafts.append((posting, draft))
    return post_entries(session, drafts, recorded_at, beside)


def post_entries(
    session: Session, drafts: Sequence[tuple[Posting, Entry]], recorded_at: datetime, beside: Beside | None = None
) -> list[int]:
    """Book entries as they are; returns their ids in order (0 for one without lines)."""
    count = sum(1 for _, draft in drafts if draft.lines)
    if not count:
        entry_ids = [0] * len(drafts)
        if beside is not None:
            copy_rows(session, *beside(entry_ids))
        return entry_ids
    [held] = _HELD_OPEN.rows(session, draws(entry, count))
    ids = iter(held["ids"])
    entry_ids = [next(ids) if draft.lines else 0 for _, draft in drafts]
    first_open = _first_open_day(session)
    entries = Rows(
        entry,
        ("id", "posted_on", "belongs_to", "event", "event_key", "clause", "account", "recorded_at"),
        (
            (entry_id, *_open_day(p.posted_on, first_open), p.event, p.key, draft.clause, p.account, recorded_at)
            for entry_id, (p, draft) in zip(entry_ids, drafts, strict=True)
            if entry_id
        ),
    )
    lines = Rows(
        line,
        ("entry_id", "seq", "code", "yen"),
        (
            (entry_id, seq, each.account, each.yen)
            for entry_id, (_, draft) in zip(entry_ids, drafts, strict=True)
            for seq, each in enumerate(draft.lines, start=1)
        ),
    )
    copy_together(session, entries, lines, *(() if beside is None else (beside(entry_ids),)))
    return entry_ids


def _first_open_day(session: Session) -> date | None:
    """The first day on which entries may be posted; None: every day is open."""
    return next((row["open_from"] for row in _OPEN_FROM.rows(session)), None)


# two statements: what was closed while the lock was waited for is seen by the second only
_HELD_OPEN: Final = PreparedQuery(
    sa.select(sa.func.pg_advisory_xact_lock_shared(CLOSE_LOCK).label("held"), sa.text(f"({DRAW_KEYS}) AS ids"))
)
_OPEN_FROM: Final = PreparedQuery(sa.select(month_act.c.open_from).order_by(month_act.c.id.desc()).limit(1))


def _open_day(on: date, first_open: date | None) -> tuple[date, str | None]:
    """The day to post on, and the closed month that it is about if that is another day."""
    if first_open is None or on >= first_open:
        return on, None
    return first_open, str(Month.of(on))
