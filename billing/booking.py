"""Writing the journal: postings become entries and lines, by COPY, in the caller's transaction.

Each posting has an event key of its own; the database refuses the same key twice, so an event is booked once.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

import sqlalchemy as sa

from billing.ledger import journal
from db.session import Session, copy_rows
from db.tables.books import entry, line


@dataclass(frozen=True, slots=True)
class Posting:
    """An event to book: its name in the table of journal rules, its own key, its JST day, its named amounts."""

    event: str
    key: str
    posted_on: date
    amounts: Mapping[str, int]
    account: str | None = field(default=None)


def next_ids(session: Session, table: sa.Table, count: int) -> Sequence[int]:
    """Draw `count` keys from the table's own sequence."""
    if not count:
        return ()
    return session.scalars(
        sa.text("SELECT nextval(CAST(:sequence AS regclass)) FROM generate_series(1, :count)"),
        {"sequence": f"{table.name}_id_seq", "count": count},
    ).all()


def post(session: Session, postings: Iterable[Posting], recorded_at: datetime) -> list[int]:
    """Book the postings; returns the entries' ids in order (0 for an event with nothing to book)."""
    drafts = [(posting, journal(posting.event, **posting.amounts)) for posting in postings]
    ids = iter(next_ids(session, entry, sum(1 for _, draft in drafts if draft.lines)))
    entry_ids = [next(ids) if draft.lines else 0 for _, draft in drafts]
    copy_rows(
        session,
        entry,
        ("id", "posted_on", "event", "event_key", "clause", "account", "recorded_at"),
        (
            (entry_id, p.posted_on, p.event, p.key, draft.clause, p.account, recorded_at)
            for entry_id, (p, draft) in zip(entry_ids, drafts, strict=True)
            if entry_id
        ),
    )
    copy_rows(
        session,
        line,
        ("entry_id", "seq", "code", "yen"),
        (
            (entry_id, seq, each.account, each.yen)
            for entry_id, (_, draft) in zip(entry_ids, drafts, strict=True)
            for seq, each in enumerate(draft.lines, start=1)
        ),
    )
    return entry_ids
