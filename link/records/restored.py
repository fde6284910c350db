"""A restored database and the linked service: its tokens may be those of before, and another database may be alive.

    restored ──> nothing is asked of the partner ──people adopt the links──> tokens are used again
                                                     └ one that was renewed since the backup is refused: consent anew

A partner that gives each refresh token once takes the use of an old one for theft and voids the whole grant, so a copy
that asked by itself would cut off the customers of the database that works. What the lost rows knew of orders nobody
can tell: an order of before the restore is never sent.
"""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from keizoku.db.session import Session
from keizoku.db.tables.link.grants import link_grant
from keizoku.db.tables.restoration import link_adoption, restoration
from keizoku.terms.calendar import iso_jst
from keizoku.terms.refusal import Refused

__all__ = ["adopt", "held", "restored_since", "waiting", "want_adopted"]

_OPEN = ~sa.exists().where(link_adoption.c.restoration_id == restoration.c.id)


def waiting(session: Session) -> list[sa.Row[tuple[int, str, datetime, bool]]]:
    """Restores after which nobody has adopted the links yet, in order; a drill's copy waits for ever."""
    query = sa.select(restoration.c.id, restoration.c.backup, restoration.c.taken_at, restoration.c.drill)
    return list(session.execute(query.where(sa.or_(_OPEN, restoration.c.drill)).order_by(restoration.c.id)))


def held(session: Session) -> list[sa.Row[tuple[int, str, datetime, bool]]]:
    """The same for people: only where a grant lives, and no drill's copy, which is held anyway."""
    lives = session.scalar(sa.select(sa.exists().where(link_grant.c.ended_at.is_(None))))
    return [row for row in waiting(session) if lives and not row.drill]


def want_adopted(session: Session) -> None:
    """Raises Refused where this database was restored and its links are not adopted: the partner is not asked."""
    rows = waiting(session)
    if not rows:
        return
    session.rollback()
    if any(row.drill for row in rows):
        raise Refused("link.drill", "this database is the copy of a restore drill: nothing is asked of the partner")
    raise Refused(
        "link.restored",
        f"this database was restored from a backup of {iso_jst(rows[-1].taken_at)}: its tokens may be old",
        "stop whatever else works with these links, then `keizoku link adopt`",
    )


def restored_since(session: Session, at: datetime) -> bool:
    """Whether this database was restored at `at` or later."""
    found = session.scalar(sa.select(sa.exists().where(restoration.c.restored_at >= at)))
    return bool(found)


def adopt(session: Session, by: str, ground: str, now: datetime) -> int:
    """People say that this database alone works with the links from now on; how many restores; commits.

    Raises Refused where none waits, and in a drill's copy.
    """
    rows = waiting(session)
    if any(row.drill for row in rows):
        session.rollback()
        raise Refused("link.drill", "this database is the copy of a restore drill: its links are not adopted")
    if not rows:
        session.rollback()
        raise Refused("link.not_restored", "no restore waits for the links to be adopted")
    for row in rows:
        new = {"restoration_id": row.id, "author": by, "ground": ground, "recorded_at": now}
        session.execute(sa.insert(link_adoption).values(new))
    session.commit()
    return len(rows)
