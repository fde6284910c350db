"""The locks of grants: whoever uses or renews a grant's token does so alone, across processes; many in one statement.

A lock is held until it is released or the session's connection ends, so it goes with its process.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress

import sqlalchemy as sa

from keizoku.db.locks import LOCK_KEY
from keizoku.db.session import Session

__all__ = ["let_go", "lock_of", "try_locks"]


def lock_of(grant_id: int) -> str:
    """The name of a grant's lock, for `leader_lock`."""
    return f"link/{grant_id}"


def try_locks(session: Session, grant_ids: Collection[int]) -> frozenset[int]:
    """Lock these grants; those that nobody else had. Opens a transaction, which the locks outlive."""
    return _called(session, _TRY, grant_ids)


def let_go(session: Session, grant_ids: Collection[int]) -> None:
    """Give the grants' locks back, and roll back what was not committed; a session that is gone has none."""
    if session.closed or session.invalidated or not grant_ids:
        return
    with suppress(sa.exc.SQLAlchemyError):
        session.rollback()
        _called(session, _RELEASE, grant_ids)
        session.commit()


def _called(session: Session, call: sa.TextClause, grant_ids: Collection[int]) -> frozenset[int]:
    return frozenset(session.execute(call, {"grants": list(grant_ids)}).scalars())


_KEY = LOCK_KEY.format(name="'link/', id")  # as lock_of has it
_TRY, _RELEASE = (
    sa.text(f"SELECT id FROM unnest(CAST(:grants AS bigint[])) AS id WHERE {function}({_KEY})")  # noqa: S608 - ours
    for function in ("pg_try_advisory_lock", "pg_advisory_unlock")
)
