"""Locks by name, each of one schema: two installations in one database never wait for each other.

    leader_lock         taken if nobody has it                     held for a block, over its commits
    turn                waited for (`lock_timeout` ends the wait)  held for a block, over its commits
    take_turn           waited for                                 held until the transaction ends

A name is unique among all of ours: who locks "night" keeps every other "night" of the schema away.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

import psycopg
import sqlalchemy as sa

from keizoku.db.session import PreparedQuery, Session

__all__ = [
    "LOCK_KEY", "leader_lock", "lock_is_held", "release_leader_lock", "take_turn", "try_leader_lock",
    "try_leader_lock_until_commit", "turn",
]  # fmt: skip


def try_leader_lock(session: Session, name: str) -> bool:
    """Take the lock of that name in the session's schema, if nobody has it; held until released or closed."""
    return _call_lock(session, "pg_try_advisory_lock", name)


def try_leader_lock_until_commit(session: Session, name: str) -> bool:
    """The same lock, held until the session's transaction ends; opens one."""
    if not session.in_transaction():
        session.begin()
    return _call_lock(session, "pg_try_advisory_xact_lock", name)


def release_leader_lock(session: Session, name: str) -> bool:
    """Give the lock back; False if this session did not have it."""
    return _call_lock(session, "pg_advisory_unlock", name)


@contextmanager
def leader_lock(session: Session, name: str) -> Iterator[bool]:
    """Hold that lock inside; False inside: somebody else has it. What the block leaves uncommitted is rolled back."""
    got = try_leader_lock(session, name)
    (session.commit if got else session.rollback)()
    try:
        yield got
    finally:
        if got:
            _give_back(session, name)


def take_turn(session: Session, name: str) -> None:
    """Wait for the lock, and hold it until the session's transaction ends; opens one."""
    session.execute(_WAIT_UNTIL_COMMIT, {"name": name})


@contextmanager
def turn(session: Session, name: str) -> Iterator[None]:
    """Wait for the lock, and hold it inside, over commits. What the block leaves uncommitted is rolled back."""
    session.execute(_WAIT, {"name": name})
    try:
        yield
    finally:
        _give_back(session, name)


def _give_back(session: Session, name: str) -> None:
    if session.closed or session.invalidated:  # the lock is gone with its connection
        return
    with suppress(sa.exc.SQLAlchemyError):
        session.rollback()
        release_leader_lock(session, name)
        session.commit()


def _call_lock(session: Session, function: str, name: str) -> bool:
    call = _LOCK_CALLS[function]
    try:
        [row] = (call.rows if session.in_transaction() else call.rows_and_commit)(session, {"name": name})
    except psycopg.Error as error:  # callers handle a lost connection by this class
        raise sa.exc.OperationalError(function, None, error) from error
    return bool(row["done"])


def lock_is_held(session: Session, name: str) -> bool:
    """Whether any session has the lock of that name in this session's schema."""
    [row] = _IS_HELD.rows(session, {"name": name})
    return bool(row["held"])


LOCK_KEY: Final = "hashtextextended(concat('keizoku/', current_schema(), '/', {name}), 0)"
_KEY = LOCK_KEY.format(name="CAST(:name AS text)")
_IS_HELD = PreparedQuery(
    sa.text(
        "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1 AND granted "  # noqa: S608
        "AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
        f"AND (classid\\:\\:bigint << 32 | objid\\:\\:bigint) = {_KEY}) AS held"
    )
)
_LOCK_CALLS = {
    function: PreparedQuery(sa.text(f"SELECT {function}({_KEY}) AS done"))
    for function in ("pg_try_advisory_lock", "pg_try_advisory_xact_lock", "pg_advisory_unlock")
}
_WAIT, _WAIT_UNTIL_COMMIT = (
    sa.text(f"SELECT {function}({_KEY})") for function in ("pg_advisory_lock", "pg_advisory_xact_lock")
)
