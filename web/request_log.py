"""The log of requests: who asked for what, about whom, when, and how it was answered.

The row of an act is in the act's own transaction. What was only read, and what was refused, is written a moment
later by one thread, many at a time: a question is not made to wait for a commit. What is in memory when the process
is killed is lost, at most the last half second; an orderly end writes it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, fields
from datetime import datetime
from queue import Empty, SimpleQueue
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from keizoku.db.session import Session, copy_rows
from keizoku.db.tables.web import http_request
from keizoku.terms.calendar import iso_jst

if TYPE_CHECKING:
    from keizoku.web.calls.operation import Operation
    from keizoku.web.identity.principal import Principal

    Who = tuple[Principal, str]
    """Who asks, and as which role of the database; "": as none."""

__all__ = ["Entry", "RequestLog", "request_count", "requests_of", "write_entry"]

EVERY_S: Final = 0.5
ANSWERED: Final = 400
"""Below it a call was answered, from it on refused."""
_log = logging.getLogger("keizoku.web")


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the log."""

    received_at: datetime
    principal: str
    role: str
    method: str
    route: str
    account: str | None
    status: int
    act: bool
    milliseconds: int
    session_id: int | None = None
    as_member: int | None = None
    """The member's session as which it was answered: the database holds `account` against it."""

    @classmethod
    def of(cls, operation: Operation, who: Who, at: datetime, account: str | None, status: int, began: float) -> Entry:
        """The entry of a call by somebody, received at an instant, begun at this time of the monotonic clock."""
        principal, role = who
        took = int((monotonic() - began) * 1000)
        session = principal.session
        member = session if principal.account is not None and status < ANSWERED else None
        is_act = operation.kind == "act"
        return cls(
            at, principal.name, role, operation.method, operation.path, account, status, is_act, took, session, member
        )

    def values(self) -> tuple[object, ...]:
        """In the order of the columns."""
        return tuple(getattr(self, name) for name in _COLUMNS)


_COLUMNS: Final = tuple(each.name for each in fields(Entry))


def write_entry(session: Session, entry: Entry) -> None:
    """In the session's own transaction."""
    copy_rows(session, http_request, _COLUMNS, [entry.values()])


def requests_of(
    session: Session,
    *,
    account: str | None = None,
    who: str | None = None,
    act: bool | None = None,
    span: tuple[datetime | None, datetime | None] = (None, None),
    limit: int,
    after: int = 0,
) -> list[dict[str, Any]]:
    """Rows of the log, the oldest first, behind the row of this number; `span`: received from, and before."""
    log, (begun, ended) = http_request.c, span
    wanted = [
        log.id > after,
        *_about(account, who),
        *([log.act.is_(act)] if act is not None else ()),
        *([log.received_at >= begun] if begun is not None else ()),
        *([log.received_at < ended] if ended is not None else ()),
    ]
    rows = session.execute(sa.select(http_request).where(*wanted).order_by(log.id).limit(limit)).all()
    names = ("id", "principal", "role", "method", "route", "account", "status", "act", "session_id")
    return [{**{name: getattr(row, name) for name in names}, "received_at": iso_jst(row.received_at)} for row in rows]


def request_count(session: Session, *, account: str | None = None, who: str | None = None) -> int:
    """How many rows of the log there are about an account, of somebody."""
    return session.scalar(sa.select(sa.func.count()).select_from(http_request).where(*_about(account, who))) or 0


def _about(account: str | None, who: str | None) -> list[sa.ColumnElement[bool]]:
    log = http_request.c
    return [
        *([log.account == account] if account is not None else ()),
        *([log.principal == who] if who is not None else ()),
    ]


class RequestLog:
    """Writes entries from a thread of its own."""

    def __init__(self, connect: Callable[[], AbstractContextManager[Session]]) -> None:
        self._connect = connect
        self._waiting: SimpleQueue[Entry] = SimpleQueue()
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._run, name="request-log", daemon=True)
        self._thread.start()

    def later(self, entry: Entry) -> None:
        """Write it within the next second."""
        self._waiting.put(entry)

    def close(self) -> None:
        """Write what waits, and end."""
        self._ends.set()
        self._thread.join(timeout=10)

    def flush(self) -> int:
        """Write what waits now; how many."""
        entries = []
        while True:
            try:
                entries.append(self._waiting.get_nowait())
            except Empty:
                break
        if not entries:
            return 0
        try:
            with self._connect() as session:
                copy_rows(session, http_request, _COLUMNS, (each.values() for each in entries))
                session.commit()
        except SQLAlchemyError as error:  # the database is away: what was read is told in the process's own log
            _log.error("%d requests were not logged: %s", len(entries), type(error).__name__)
        return len(entries)

    def _run(self) -> None:
        while not self._ends.wait(EVERY_S):
            self.flush()
        self.flush()
