"""Announced maintenance in the database: every issue of every event, as calendars and people gave it.

What was announced is worked out from all of them each time (`keizoku.sla.rules.announcements`), the same for files that
are only measured: so the order in which calendars were imported decides nothing. What people state by hand
(`keizoku sla notice add --id`) is a publication of its own, and joins the event of that UID.

What one file says of an event is kept together, under a digest of it: the same again is not kept twice.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from keizoku.db.session import Session
from keizoku.db.tables.evidence import maintenance_notice, notice_issue
from keizoku.sla.rules.announcements import BY_HAND, EventIssue, Occurrence, Recurrence, announcements_of
from keizoku.sla.rules.intervals import Span
from keizoku.sla.rules.outages import UpdateNotice
from keizoku.terms.calendar import epoch, epoch_up, from_epoch, parse_instant

__all__ = [
    "RecordedNotice",
    "add_issues",
    "issues_of",
    "load_notices",
    "recorded_notices",
    "recorded_publications",
    "spans_of_issues",
]

FIRST_SEEN: Final = "first seen"
Reach = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class RecordedNotice:
    """A publication with who recorded it, when; `ground`: where it was published."""

    notice: UpdateNotice
    author: str
    recorded_at: datetime
    ground: str | None = None


def add_issues(session: Session, issues: Iterable[EventIssue], author: str, now: datetime) -> list[EventIssue]:
    """Record what a file says of events; those events' issues of which anything is new. The caller commits."""
    of_event: dict[str, list[EventIssue]] = defaultdict(list)
    for issue in issues:
        of_event[issue.uid].append(issue)
    told = {_digest(own): own for own in of_event.values()}
    table = notice_issue.c
    known = set(session.execute(sa.select(table.object).where(table.object.in_(told))).scalars())
    new = {digest: own for digest, own in told.items() if digest not in known}
    rows = [
        _values(replace(issue, source=digest), place, author, now)
        for digest, own in new.items()
        for place, issue in enumerate(own)
    ]
    if rows:
        session.execute(insert(notice_issue).on_conflict_do_nothing(), rows)
    return [issue for own in new.values() for issue in own]


def issues_of(session: Session, uids: Iterable[str], at: datetime | None = None) -> list[EventIssue]:
    """Every issue of these events, as known at an instant; what people stated of them, too."""
    wanted = set(uids)
    return [issue for issue, _ in _issues(session, wanted, at)] + [
        issue for row in _by_hand(session, at) if (issue := _stated_issue(row, wanted)) is not None
    ]


def load_notices(session: Session, reach: Reach, at: datetime) -> tuple[UpdateNotice, ...]:
    """Every publication of the events that announce anything of a period, as known at an instant."""
    issue, stated = notice_issue.c, maintenance_notice.c
    near = sa.select(issue.uid).where(issue.from_at < reach[1], issue.to_at > reach[0], issue.recorded_at <= at)
    uids = set(session.execute(near.distinct()).scalars())
    close = sa.select(stated.calendar, stated.uid).where(
        stated.from_at < reach[1], stated.to_at > reach[0], stated.recorded_at <= at
    )
    rows = [
        row
        for row in _by_hand(session, at, sa.tuple_(stated.calendar, stated.uid).in_(close))
        if _stated_issue(row, uids) is None
    ]
    announced = announcements_of(issues_of(session, uids, at) if uids else [])
    return (*announced.notices, *(_stated_notice(row) for row in rows))


def recorded_notices(session: Session, reach: Reach | None = None, at: datetime | None = None) -> list[RecordedNotice]:
    """Publications by their start: those of each calendar, and what events of several calendars come to together."""
    table = notice_issue.c
    query = sa.select(table.uid).distinct()
    if reach is not None:
        query = query.where(table.from_at < reach[1], table.to_at > reach[0])
    of_event: dict[str, list[tuple[EventIssue, sa.Row[Any]]]] = defaultdict(list)
    for issue, row in _issues(session, set(session.execute(query).scalars()), at):
        of_event[issue.uid].append((issue, row))
    found = []
    for known in of_event.values():
        rows = {(issue.source, issue.line): row for issue, row in known}
        calendars = dict.fromkeys(issue.calendar for issue, _ in known)
        groups = [[issue for issue, _ in known if issue.calendar == calendar] for calendar in calendars]
        listed: set[tuple[object, ...]] = set()
        together = [issue for issue, _ in known]
        for group in groups if len(groups) == 1 else [*groups, together]:
            for announced in announcements_of(group).rows:
                notice, row = announced.notice, rows[announced.issue.source, announced.issue.line]
                says = (notice.uid, notice.published_at, notice.start, notice.end, notice.cancelled)
                if says not in listed or group is not together:
                    found.append((row.id, RecordedNotice(notice, row.author, row.recorded_at)))
                listed.add(says)
    stated = [
        (row.id, RecordedNotice(_stated_notice(row), row.author, row.recorded_at, row.ground))
        for row in _by_hand(session, at)
    ]
    ordered = sorted((*found, *stated), key=lambda each: (each[1].notice.start, each[1].recorded_at, each[0]))
    span = (epoch(reach[0]), epoch(reach[1])) if reach is not None else None
    return [each for _, each in ordered if span is None or (each.notice.start < span[1] and each.notice.end > span[0])]


def recorded_publications(
    session: Session, uids: Iterable[str]
) -> dict[tuple[str, str, int], set[tuple[int, int, bool]]]:
    """What is on record of these events: windows, and whether withdrawn, by calendar, name and time of publication."""
    wanted = set(uids)
    of_event: dict[tuple[str, str], list[EventIssue]] = defaultdict(list)
    for issue, _ in _issues(session, wanted, None):
        of_event[issue.uid, issue.source].append(issue)
    notices = [notice for own in of_event.values() for notice in announcements_of(own).notices]
    notices += [_stated_notice(row) for row in _by_hand(session, None) if _stated_issue(row, wanted)]
    found: dict[tuple[str, str, int], set[tuple[int, int, bool]]] = defaultdict(set)
    for each in notices:
        found[each.calendar, each.uid, each.published_at].add((each.start, each.end, each.cancelled))
    return found


def spans_of_issues(issues: Iterable[EventIssue]) -> list[Span]:
    """Every window that they speak of."""
    return [(each.start, each.end) for issue in issues for each in issue.occurrences]


def _issues(session: Session, uids: set[str], at: datetime | None) -> Iterator[tuple[EventIssue, sa.Row[Any]]]:
    if not uids:
        return
    table = notice_issue.c
    query = sa.select(notice_issue).where(table.uid.in_(uids)).order_by(table.id)
    if at is not None:
        query = query.where(table.recorded_at <= at)
    for row in session.execute(query):
        yield _issue(row), row


def _by_hand(session: Session, at: datetime | None, *where: sa.ColumnElement[bool]) -> Sequence[sa.Row[Any]]:
    table = maintenance_notice.c
    query = sa.select(maintenance_notice).where(*where).order_by(table.from_at, table.id)
    if at is not None:
        query = query.where(table.recorded_at <= at)
    return session.execute(query).all()


def _stated_issue(row: Any, uids: set[str]) -> EventIssue | None:
    """What people stated of an event that calendars have, or of an occurrence of it by its name; else nothing."""
    uid, recurrence = row.uid, None
    if uid not in uids:
        uid, _, start = row.uid.rpartition("#")
        if uid not in uids:
            return None
        try:
            recurrence = Recurrence(epoch(parse_instant(start)), start[:10], False)
        except ValueError:
            return None
    start_at = epoch(row.from_at)
    return EventIssue(
        uid=uid,
        published_at=epoch_up(row.published_at),
        published_from=BY_HAND,
        occurrences=(Occurrence(start_at, "", start_at, epoch_up(row.to_at)),),
        withdrawn=row.cancelled,
        recurrence=recurrence,
        calendar=row.calendar,
        source=f"by hand {row.id}",
    )


def _stated_notice(row: Any) -> UpdateNotice:
    return UpdateNotice(
        row.uid,
        epoch_up(row.published_at),
        epoch(row.from_at),
        epoch_up(row.to_at),
        cancelled=row.cancelled,
        calendar=row.calendar,
        published_from=BY_HAND,
    )


def _content(issue: EventIssue) -> dict[str, Any]:
    """What of it is kept as it is, in JSON."""
    return {
        "uid": issue.uid,
        "calendar": issue.calendar,
        "published_from": issue.published_from,
        "occurrences": [list(each) for each in issue.occurrences],
        "is_series": issue.is_series,
        "withdrawn": issue.withdrawn,
        "recurrence": list(issue.recurrence) if issue.recurrence is not None else None,
        "sequence": issue.sequence,
    }


def _digest(issues: Sequence[EventIssue]) -> str:
    """Of what a file says of an event. When our record first saw it is not what it says."""
    said = [
        {
            **_content(issue),
            "published_at": None if issue.published_from == FIRST_SEEN else issue.published_at,
            "stamped_at": issue.stamped_at,
            "edited_at": issue.edited_at,
        }
        for issue in issues
    ]
    return sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _values(issue: EventIssue, place: int, author: str, now: datetime) -> dict[str, Any]:
    return {
        **_content(issue),
        "object": issue.source,
        "place": place,
        "published_at": from_epoch(issue.published_at),
        "stamped_at": None if issue.stamped_at is None else from_epoch(issue.stamped_at),
        "edited_at": None if issue.edited_at is None else from_epoch(issue.edited_at),
        "from_at": from_epoch(min((each.start for each in issue.occurrences), default=0))
        if issue.occurrences
        else None,
        "to_at": from_epoch(max((each.end for each in issue.occurrences), default=0)) if issue.occurrences else None,
        "author": author,
        "recorded_at": now,
    }


def _issue(row: Any) -> EventIssue:
    return EventIssue(
        uid=row.uid,
        published_at=epoch(row.published_at),
        published_from=row.published_from,
        occurrences=tuple(Occurrence(*each) for each in row.occurrences),
        is_series=row.is_series,
        withdrawn=row.withdrawn,
        recurrence=Recurrence(*row.recurrence) if row.recurrence is not None else None,
        sequence=row.sequence,
        stamped_at=None if row.stamped_at is None else epoch(row.stamped_at),
        edited_at=None if row.edited_at is None else epoch(row.edited_at),
        calendar=row.calendar,
        source=row.object,
        line=row.place,
    )
