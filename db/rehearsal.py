"""A rehearsal: what is done and committed on a session inside it is seen by nobody else, and undone at its end.

    with rehearsal(session):        one transaction, open until the end
        session.commit()            ──> a savepoint: kept, as far as the rehearsal goes
        session.rollback()          ──> back to the last savepoint
    ──> rolled back

The code that runs inside is the same as ever, so a rehearsal cannot drift from the deed. What commits on another
connection would be no rehearsal: whoever opens one asks `is_rehearsed` first. Rows that are locked inside stay locked
until the end, and the database checks at every commit what it would check at a real one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import psycopg

from keizoku.db.session import Session

__all__ = ["is_rehearsed", "rehearsal"]

_MARK: Final = "rehearsed"
_SAVE: Final = b"SAVEPOINT rehearsal"
_KEEP: Final = b"SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED; RELEASE SAVEPOINT rehearsal; " + _SAVE
_UNDO: Final = b"ROLLBACK TO SAVEPOINT rehearsal"


def is_rehearsed(session: Session) -> bool:
    """Whether what this session commits is undone later: its work stays on its own connection."""
    return bool(session.info.get(_MARK))


@contextmanager
def rehearsal(session: Session) -> Iterator[Session]:
    """Let nothing of what is done on the session inside last. Uncommitted changes of it are rolled back first.

    Advisory locks of the session stay. Nothing inside may set the connection's isolation or end it.
    """
    session.rollback()
    connection: psycopg.Connection[Any] = session.connection.driver_connection  # type: ignore[assignment]

    def run(statements: bytes) -> None:
        with psycopg.ClientCursor(connection) as cursor:
            cursor.execute(statements)

    run(_SAVE)  # the driver begins the transaction by itself
    own = vars(connection)
    own["commit"], own["rollback"] = (lambda: run(_KEEP)), (lambda: run(_UNDO))
    session.info[_MARK] = True
    try:
        yield session
    finally:
        for name in ("commit", "rollback"):
            own.pop(name, None)
        session.info.pop(_MARK, None)
        session.rollback()  # SQLAlchemy's own state; the driver's is rolled back with it
        if not connection.closed:
            connection.rollback()
