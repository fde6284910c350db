"""Entries of people: one that takes another back, and one posted by hand, each with author and ground.

    reverse 17 ──> 18: the same lines with their sides turned over; 17 stays as it was
    post_by_hand   ──> any balanced lines on accounts of the chart

The night's audit holds what the rows stand for against the journal without these (billing/closing/integrity_audit.py).
"""

from collections.abc import Mapping
from datetime import date, datetime

import sqlalchemy as sa

from keizoku.billing.ledger.posting import Posting, post_entries
from keizoku.billing.ledger.queries import account_of
from keizoku.billing.rules.books.journal_rules import Entry, JournalLine, reversal
from keizoku.db.session import Session
from keizoku.db.tables.books import entry, line
from keizoku.db.tables.closing import manual_entry
from keizoku.terms.refusal import Refused


def reverse(session: Session, entry_id: int, on: date, by: str, ground: str, now: datetime) -> int:
    """Take an entry back by a new one on a JST day. Commits; returns the new entry's id.

    Refused without author and ground, for an entry that is not there or is reversed already, for a day before it.
    """
    _need(by, ground)
    row = session.execute(sa.select(entry).where(entry.c.id == entry_id)).one_or_none()
    if row is None:
        raise Refused("entry.unknown", f"there is no entry {entry_id}")
    if on < row.posted_on:
        raise Refused(
            "entry.later_than_day", f"entry {entry_id} is of {row.posted_on}: it cannot be taken back on {on}"
        )
    taken_back = session.execute(
        sa.select(manual_entry.c.entry_id).where(manual_entry.c.reverses == entry_id)
    ).scalar_one_or_none()
    if taken_back is not None:
        raise Refused("entry.reversed", f"entry {entry_id} is taken back already, by entry {taken_back}")
    lines = session.execute(
        sa.select(line.c.code, line.c.yen).where(line.c.entry_id == entry_id).order_by(line.c.seq)
    ).all()
    turned = reversal(Entry("reversal", row.clause, tuple(JournalLine(each.code, int(each.yen)) for each in lines)))
    posting = Posting("reversal", f"reversal:{entry_id}", on, {}, row.account)
    return _post(session, posting, turned, entry_id, by, ground, now)


def post_by_hand(
    session: Session,
    lines: Mapping[str, int],
    on: date,
    by: str,
    ground: str,
    now: datetime,
    *,
    key: str | None = None,
    commit: bool = True,
) -> int:
    """Post balanced lines (code -> yen, debit positive) on a JST day; returns the entry's id.

    Refused without author and ground, for accounts that the chart has not, lines that do not balance, nothing to post.
    """
    _need(by, ground)
    posted = {account_of(code).code: yen for code, yen in lines.items() if yen}
    off_yen = sum(posted.values(), start=0)
    if not posted or off_yen != 0:
        raise Refused("entry.unbalanced", f"the lines do not balance: debits less credits are {off_yen} yen")
    number = session.execute(sa.select(sa.func.coalesce(sa.func.max(manual_entry.c.entry_id), 0))).scalar_one()
    made = Entry("by_people", "", tuple(JournalLine(code, yen) for code, yen in posted.items()))
    posting = Posting("by_people", key or f"people:{now.isoformat()}:{number}", on, {})
    return _post(session, posting, made, None, by, ground, now, commit=commit)


def _post(
    session: Session,
    posting: Posting,
    made: Entry,
    reverses: int | None,
    by: str,
    ground: str,
    now: datetime,
    *,
    commit: bool = True,
) -> int:
    (entry_id,) = post_entries(session, [(posting, made)], now)
    session.execute(
        sa.insert(manual_entry).values(entry_id=entry_id, reverses=reverses, author=by, ground=ground, recorded_at=now)
    )
    if commit:
        session.commit()
    return entry_id


def _need(by: str, ground: str) -> None:
    if not by.strip() or not ground.strip():
        raise Refused("act.unsigned", "an entry by people needs who posts it and why", ": --author and --ground")
