"""What the night shows people about the linked service: load (9.2), announcements (11.2), failures of the partner."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import sqlalchemy as sa

from keizoku.db.review_tasks import open_task
from keizoku.db.session import Session
from keizoku.db.tables.link.grants import link_use
from keizoku.link.records.customers import all_stops
from keizoku.link.records.probes import MOST_DAYS
from keizoku.link.rules.load import loads
from keizoku.link.rules.outages import FAILED, SHORTEST, UseOutcome, partner_outages
from keizoku.link.rules.stops import announcements_due
from keizoku.terms.calendar import day_start_at, iso_jst, jst_day

__all__ = ["open_tasks_for_people"]


def open_tasks_for_people(session: Session, fetches_an_hour: int, since: date, now: datetime) -> int:
    """Open a task for each load, missing announcement and failure that people have to look at; commits; how many.

    Of the days in Japan from `since` on that are over, MOST_DAYS at most: nights that were missed are made up for. Run
    again, nothing is opened twice.
    """
    today, opened = jst_day(now), 0
    day = max(since, today - timedelta(days=MOST_DAYS))
    while day < today:
        opened += _loads_of(session, day, fetches_an_hour, now) + _outages_of(session, day, now)
        day += timedelta(days=1)
    for due in announcements_due(all_stops(session), now):
        detail = {"stop": due.stop.id, "what": due.stop.what, "why": "begun" if due.late else "not begun yet"}
        opened += open_task(session, "link_announcement", f"stop {due.stop.id}", detail, now)
    session.commit()
    return opened


def _loads_of(session: Session, day: date, fetches_an_hour: int, now: datetime) -> int:
    """Only accounts that fetched more than that in the whole day are read, hour by hour."""
    used = _used_on(day)
    many = sa.select(link_use.c.account).where(*used, link_use.c.purpose == "fetch").group_by(link_use.c.account)
    read = sa.select(link_use.c.account, link_use.c.begun_at).where(
        *used, link_use.c.purpose == "fetch", link_use.c.account.in_(many.having(sa.func.count() > fetches_an_hour))
    )
    opened = 0
    for each in loads(((row.account, row.begun_at) for row in session.execute(read)), fetches_an_hour):
        if each.above:
            subject = f"{each.account} {iso_jst(each.hour_at)[:13]}"
            detail = {"account": each.account, "fetches": each.fetches, "an_hour": fetches_an_hour}
            opened += open_task(session, "link_load", subject, detail, now)
    return opened


def _outages_of(session: Session, day: date, now: datetime) -> int:
    """Only where a call failed: one row for each account and minute between the first failure and the last."""
    used, failed = _used_on(day), link_use.c.outcome.in_(sorted(FAILED))
    first, last = session.execute(
        sa.select(sa.func.min(link_use.c.begun_at), sa.func.max(link_use.c.begun_at)).where(*used, failed)
    ).one()
    if first is None or last - first < SHORTEST - timedelta(minutes=1):
        return 0
    minute = sa.func.date_trunc("minute", link_use.c.begun_at)
    asked = (
        sa.select(link_use.c.account, minute.label("at"), sa.func.bool_or(failed).label("failed"))
        .where(link_use.c.outcome.is_not(None), link_use.c.begun_at >= first.replace(second=0, microsecond=0))
        .where(link_use.c.begun_at < last.replace(second=0, microsecond=0) + timedelta(minutes=1))
        .group_by(link_use.c.account, minute)
    )
    rows = session.execute(asked)
    opened = 0
    for outage in partner_outages(UseOutcome(row.account, row.at, "no_answer" if row.failed else "") for row in rows):
        span = f"{iso_jst(outage.from_at)}/{iso_jst(outage.to_at)}"
        draft = {"affected": outage.affected, "total": outage.total, "cause": "partner", "clause": "premium/9.3"}
        why = "people say whether our own pages could be viewed: `keizoku sla incident add --cause partner`"
        opened += open_task(session, "link_outage", span, {**draft, "why": why}, now)
    return opened


def _used_on(day: date) -> tuple[sa.ColumnElement[bool], ...]:
    begin, end = day_start_at(day), day_start_at(day + timedelta(days=1))
    return link_use.c.begun_at >= begin, link_use.c.begun_at < end
