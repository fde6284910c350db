"""The locks of grants: whoever uses or renews a grant's token does so alone, across processes; many in one statement.

A lock is held until it is released or the session's connection ends, so it goes with its process.
"""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa

from keizoku.db.session import LOCK_KEY, Session

__all__ = ["release_grant_locks", "try_grant_locks"]


def try_grant_locks(session: Session, grant_ids: Collection[int]) -> frozenset[int]:
    """Lock these grants; those that nobody else had. Opens a transaction, which the locks outlive."""
    return _called(session, _TRY, grant_ids)


def release_grant_locks(session: Session, grant_ids: Collection[int]) -> None:
    """Give the locks back, and roll back what was not committed; commits. A session that is gone has none."""
    if session.closed or session.invalidated:
        return
    session.rollback()
    _called(session, _RELEASE, grant_ids)
    session.commit()


def _called(session: Session, call: sa.TextClause, grant_ids: Collection[int]) -> frozenset[int]:
    return frozenset(session.execute(call, {"grants": list(grant_ids)}).scalars())


_KEY = LOCK_KEY.format(name="'link/', id")
_TRY, _RELEASE = (
    sa.text(f"SELECT id FROM unnest(CAST(:grants AS bigint[])) AS id WHERE {function}({_KEY})")  # noqa: S608 - ours
    for function in ("pg_try_advisory_lock", "pg_advisory_unlock")
)
