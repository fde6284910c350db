"""Whether a night has anything to do for the linked service: asked of every night, so it reads little and no secret."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import sqlalchemy as sa

from keizoku.db.probes import NOW
from keizoku.db.tables.link.grants import link_grant, link_kept, link_use
from keizoku.db.tables.link.orders import link_order
from keizoku.db.tables.link.stops import link_announcement, link_stop

__all__ = ["MOST_DAYS", "anything_linked", "anything_ordered", "anything_to_look_at"]

MOST_DAYS: Final = 31
"""So many days are looked at again after missed nights; what is older nobody can act on."""


def anything_linked() -> sa.ColumnElement[bool]:
    """A grant lives, or ended so lately that its tokens may not be destroyed yet; or data are kept."""
    lately = link_grant.c.end_recorded_at > NOW - timedelta(days=7)
    grants = sa.exists().where(sa.or_(link_grant.c.ended_at.is_(None), lately))
    return sa.or_(grants, sa.exists().where(link_kept.c.destroyed_at.is_(None)))


def anything_ordered() -> sa.ColumnElement[bool]:
    """There are orders."""
    return sa.exists().where(link_order.c.id.is_not(None))


def anything_to_look_at() -> sa.ColumnElement[bool]:
    """A token was used in the days that may be looked at, of today or of MOST_DAYS, or a stop is not announced."""
    told = sa.exists().where(link_announcement.c.stop_id == link_stop.c.id)
    return sa.or_(
        sa.exists().where(link_use.c.begun_at > NOW - timedelta(days=MOST_DAYS + 1)),
        sa.exists().where(link_stop.c.clause == "11.2", ~told),
    )
