"""What of documents and of bank lines is done with: remembered by a process, so that its lists read what is new.

    nothing seen ──> seen(session) reads all ──> seen(session, before) reads what came since ──> …

A document that was handed over stays so. A line of a bank waits or not by its newest act, so all that is new of it is
an act with a higher id. What still waited when it was looked at is remembered by its id; where that is too much, the
place is where it begins. Nothing is remembered in the database: another process looks for itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

import sqlalchemy as sa

if TYPE_CHECKING:
    from keizoku.db.session import Session

__all__ = ["NOTHING_SEEN", "Series", "WorkSeen", "seen_by", "work_seen"]

_LATE_COMMITS: Final = 100_000
"""Ids this near the newest may still be committed."""
_LATE_LINES: Final = 10_000
"""The same of bank lines and their acts, which a file at a time writes."""
MOST_OPEN: Final = 5_000
"""So many ids are remembered at most."""
AGAIN_S: Final = 60
"""So many seconds what a process saw serves before it looks for what is new."""


@dataclass(frozen=True, slots=True)
class Series:
    """Up to which id everything was looked at, and what of that was still open."""

    up_to: int = 0
    still_open: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class WorkSeen:
    """Of each series of documents and of the lines of the bank, what was seen; `acts`: the newest act on a line."""

    notices: Series = Series()
    demands: Series = Series()
    letters: Series = Series()
    lines: Series = Series()
    acts: int = 0

    def values(self) -> dict[str, Any]:
        """As the sources of the work list name it."""
        documents = {"notices": self.notices, "demands": self.demands, "letters": self.letters}
        return {
            **{f"sent_{name}": each.up_to for name, each in documents.items()},
            **{f"unsent_{name}": list(each.still_open) for name, each in documents.items()},
            "seen_lines": self.lines.up_to,
            "seen_acts": self.acts,
            "open_lines": list(self.lines.still_open),
        }

    def unsent(self) -> dict[str, tuple[int, tuple[int, ...]]]:
        """table -> (id, ids): a document that was not handed over is above the one or among the others."""
        seen = {"user_notice": self.notices, "demand": self.demands, "letter": self.letters}
        return {table: (each.up_to, each.still_open) for table, each in seen.items()}


NOTHING_SEEN: Final = WorkSeen()
_TABLES: Final = {"notices": ("user_notice", "notice_id"), "demands": ("demand", "demand_id"),
                  "letters": ("letter", "letter_id")}  # fmt: skip


def work_seen(session: Session, before: WorkSeen = NOTHING_SEEN) -> WorkSeen:
    """What is done with as of now, from what was seen before: only what came since is looked at."""
    documents = {name: _documents(session, getattr(before, name), *tables) for name, tables in _TABLES.items()}
    lines, acts = _lines(session, before)
    return WorkSeen(**documents, lines=lines, acts=acts)


def _documents(session: Session, before: Series, table: str, sent: str) -> Series:
    unsent = f"""
        SELECT id FROM {table} WHERE id > :above EXCEPT SELECT {sent} FROM handover WHERE {sent} > :above
        UNION SELECT id FROM unnest(CAST(:still_open AS bigint[])) AS id
        WHERE NOT EXISTS (SELECT 1 FROM handover WHERE {sent} = id) ORDER BY id LIMIT :most
    """  # noqa: S608 - our own names
    newest = session.execute(sa.text(f"SELECT coalesce(max(id), 0) FROM {table}")).scalar_one()  # noqa: S608
    return _series(session, before, unsent, newest - _LATE_COMMITS)


def _lines(session: Session, before: WorkSeen) -> tuple[Series, int]:
    waits = """
        SELECT looked_at.id FROM (
            SELECT id FROM bank_line WHERE id > :above UNION SELECT line_id FROM bank_act WHERE id > :acts
            UNION SELECT unnest(CAST(:still_open AS bigint[]))
        ) AS looked_at JOIN bank_line ON bank_line.id = looked_at.id LEFT JOIN LATERAL (
            SELECT kind FROM bank_act WHERE line_id = looked_at.id ORDER BY id DESC LIMIT 1
        ) AS acts ON true
        WHERE CASE WHEN acts.kind IS NULL THEN posts ELSE acts.kind IN ('unmatched', 'posted', 'reopened') END
        ORDER BY looked_at.id LIMIT :most
    """
    newest = session.execute(
        sa.text("SELECT (SELECT coalesce(max(id), 0) FROM bank_line), (SELECT coalesce(max(id), 0) FROM bank_act)")
    ).one()
    acts = max(before.acts, newest[1] - _LATE_LINES)
    series = _series(session, before.lines, waits, newest[0] - _LATE_LINES, acts=before.acts)
    # where the lines were too many to remember, what happened to those before is looked at again with them
    return series, acts if series.up_to >= newest[0] - _LATE_LINES else before.acts


def _series(session: Session, before: Series, query: str, sure: int, **more: int) -> Series:
    values = {"above": before.up_to, "still_open": list(before.still_open), "most": MOST_OPEN + 1, **more}
    still_open = list(session.scalars(sa.text(query), values))
    up_to = max(before.up_to, sure)
    if len(still_open) > MOST_OPEN:
        up_to = max(before.up_to, min(up_to, still_open[MOST_OPEN] - 1))
    return Series(up_to, tuple(each for each in still_open if each <= up_to))


_LOCK: Final = Lock()
_SEEN: Final[WeakKeyDictionary[sa.Engine, tuple[float, WorkSeen]]] = WeakKeyDictionary()


def seen_by(session: Session) -> WorkSeen:
    """What this process saw over the session's pool, at most a minute ago."""
    with _LOCK:
        looked_at, known = _SEEN.get(session.engine, (0.0, NOTHING_SEEN))
    # what a transaction wrote itself may be taken back, as a preview is
    fresh = "SELECT pg_current_xact_id_if_assigned() IS NULL"
    if (not looked_at or monotonic() - looked_at > AGAIN_S) and session.exec_driver_sql(fresh).scalar():
        known = work_seen(session, known)
        with _LOCK:
            _SEEN[session.engine] = monotonic(), known
    return known
