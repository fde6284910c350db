"""Many locks of the session's schema at once, in one statement: the same locks as those of `db.session`, by name.

A lock is held until it is released or the session's connection ends, so it goes with its process.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from keizoku.db.session import LOCK_KEY, Session

__all__ = ["release_leader_locks", "try_leader_locks"]


def try_leader_locks(session: Session, names: Sequence[str]) -> frozenset[str]:
    """Take these locks; those that nobody else had. Opens a transaction, which the locks outlive."""
    return _called(session, _TRY, names)


def release_leader_locks(session: Session, names: Sequence[str]) -> frozenset[str]:
    """Give these locks back; those that this session had."""
    return _called(session, _RELEASE, names)


def _called(session: Session, call: sa.TextClause, names: Sequence[str]) -> frozenset[str]:
    return frozenset(session.execute(call, {"names": list(names)}).scalars())


_KEY = LOCK_KEY.format(name="name")
_TRY, _RELEASE = (
    sa.text(f"SELECT name FROM unnest(CAST(:names AS text[])) AS name WHERE {function}({_KEY})")  # noqa: S608 - ours
    for function in ("pg_try_advisory_lock", "pg_advisory_unlock")
)
