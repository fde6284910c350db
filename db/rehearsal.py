"""Several commits as one transaction, and a rehearsal: a transaction of which nothing stays.

    with one_transaction(session):      a commit is a savepoint, a rollback goes back to it; the caller commits at last
    with rehearsal(session):            the same, and at the end all of it is rolled back

The code that runs inside is the same as ever, so a rehearsal cannot drift from the deed. What commits on another
connection would be no part of it: whoever opens one asks `is_rehearsed` first. Rows that are locked inside stay locked
until the end.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from keizoku.db.session import Session

__all__ = ["is_rehearsed", "one_transaction", "rehearsal"]

_MARK: Final = "rehearsed"
_SAVED: Final = "keizoku_act"


@contextmanager
def one_transaction(session: Session) -> Iterator[None]:
    """Inside, a commit is a savepoint, and a rollback goes back to the last one; nothing is committed at the end."""
    rollback, outer = session.rollback, dict(vars(session))
    saved = False

    def put_off() -> None:
        nonlocal saved
        if saved:
            session.exec_driver_sql(f"RELEASE SAVEPOINT {_SAVED}")
        session.exec_driver_sql(f"SAVEPOINT {_SAVED}")
        saved = True

    def back() -> None:
        if saved and session.in_transaction():
            session.exec_driver_sql(f"ROLLBACK TO SAVEPOINT {_SAVED}")
        else:
            rollback()

    vars(session).update(commit=put_off, rollback=back)
    try:
        yield
    finally:
        for name in ("commit", "rollback"):
            vars(session).pop(name, None)
            if name in outer:  # one inside another
                vars(session)[name] = outer[name]


@contextmanager
def rehearsal(session: Session) -> Iterator[Session]:
    """Let nothing of what is done on the session inside last. Uncommitted changes of it are rolled back first.

    Advisory locks of the session stay. Nothing inside may set the connection's isolation or end it.
    """
    session.rollback()
    session.info[_MARK] = True
    try:
        with one_transaction(session):
            session.commit()  # the first savepoint: whatever comes is inside the transaction
            yield session
    finally:
        session.info.pop(_MARK, None)
        session.rollback()


def is_rehearsed(session: Session) -> bool:
    """Whether what this session commits is undone later: its work stays on its own connection."""
    return bool(session.info.get(_MARK))
