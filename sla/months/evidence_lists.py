"""Lists of what is recorded about stops, for people to look through. Read-only; times as JST text."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on

from keizoku.db.session import Session
from keizoku.db.tables.evidence import incident, interruption, maintenance_notice, population
from keizoku.sla.review_queue import policy_of
from keizoku.sla.rules.outages import UpdateNotice
from keizoku.sla.rules.unusable_time import is_announced_in_time
from keizoku.terms.calendar import Month, epoch, epoch_up, iso_jst
from keizoku.terms.policy import UncoveredDateError
from keizoku.terms.rules import Rules

Listed = list[dict[str, object]]


def incident_list(session: Session, month: Month | None = None, *, every_revision: bool = False) -> Listed:
    """Stops of people by their start, the newest revision of each or all."""
    table = incident.c
    query = sa.select(incident).order_by(table.from_at, table.incident_id, table.revision)
    if not every_revision:
        newest = (
            sa.select(table.id).ext(distinct_on(table.incident_id)).order_by(table.incident_id, table.revision.desc())
        )
        query = query.where(table.id.in_(newest))
    rows = session.execute(_of_month(query, incident, month))
    return [
        {
            "id": row.incident_id,
            "revision": row.revision,
            "from": iso_jst(row.from_at),
            "to": iso_jst(row.to_at),
            "affected": row.affected,
            "cause": row.cause,
            "ground": row.ground,
            "author": row.author,
            "recorded_at": iso_jst(row.recorded_at),
        }
        for row in rows
    ]


def notice_list(session: Session, rules: Rules, month: Month | None = None) -> Listed:
    """Notices by their start, and whether each was published in time to cover."""
    table = maintenance_notice.c
    rows = session.execute(
        _of_month(sa.select(maintenance_notice), maintenance_notice, month).order_by(table.from_at, table.id)
    )
    return [
        {
            "id": row.uid,
            "published": iso_jst(row.published_at),
            "from": iso_jst(row.from_at),
            "to": iso_jst(row.to_at),
            "in_time": _in_time(rules, row),
            "cancelled": row.cancelled,
            "calendar": row.calendar,
            "ground": row.ground,
            "author": row.author,
            "recorded_at": iso_jst(row.recorded_at),
        }
        for row in rows
    ]


def interruption_list(session: Session, month: Month | None = None) -> Listed:
    """Interruptions by their start."""
    table = interruption.c
    rows = session.execute(_of_month(sa.select(interruption), interruption, month).order_by(table.from_at, table.id))
    return [
        {
            "from": iso_jst(row.from_at),
            "to": iso_jst(row.to_at),
            "ground": row.ground,
            "approver": row.approved_by,
            "author": row.author,
            "recorded_at": iso_jst(row.recorded_at),
        }
        for row in rows
    ]


def population_list(session: Session) -> Listed:
    """The figures that hold, in order; one recorded later for the same instant replaces the earlier one."""
    holding: dict[datetime, Any] = {
        row.from_at: row for row in session.execute(sa.select(population).order_by(population.c.id))
    }
    return [
        {
            "from": iso_jst(from_at),
            "users": row.users,
            "author": row.author,
            "recorded_at": iso_jst(row.recorded_at),
        }
        for from_at, row in sorted(holding.items())
    ]


def _of_month(query: sa.Select[Any], table: sa.Table, month: Month | None) -> sa.Select[Any]:
    if month is None:
        return query
    return query.where(table.c.from_at < month.end_at, table.c.to_at > month.start_at)


def _in_time(rules: Rules, row: Any) -> bool | None:
    """None: no terms reach it."""
    try:
        policy = policy_of(rules, Month.of(row.from_at))
    except UncoveredDateError:
        return None
    window = UpdateNotice(row.uid, epoch_up(row.published_at), epoch(row.from_at), epoch_up(row.to_at))
    return is_announced_in_time(window, policy)
