"""What the night shows people about the linked service: load (9.2), announcements (11.2), failures of the partner."""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa

from keizoku.db.review_tasks import open_task
from keizoku.db.session import Session
from keizoku.db.tables.link.grants import link_use
from keizoku.link.records.customers import all_stops
from keizoku.link.rules.load import loads
from keizoku.link.rules.outages import UseOutcome, partner_outages
from keizoku.link.rules.stops import announcements_due
from keizoku.terms.calendar import day_start_at, iso_jst, jst_day

__all__ = ["open_tasks_for_people"]


def open_tasks_for_people(session: Session, fetches_an_hour: int, now: datetime) -> int:
    """Open a task for each load, missing announcement and failure that people have to look at; commits; how many.

    Of the day in Japan before: a day that is over. Run again, nothing is opened twice.
    """
    to_at = day_start_at(jst_day(now))
    from_at = to_at - timedelta(days=1)
    rows = session.execute(
        sa.select(link_use.c.account, link_use.c.begun_at, link_use.c.purpose, link_use.c.outcome).where(
            link_use.c.begun_at >= from_at, link_use.c.begun_at < to_at
        )
    ).all()
    opened = 0
    fetches = ((row.account, row.begun_at) for row in rows if row.purpose == "fetch")
    for each in loads(fetches, fetches_an_hour):
        if each.above:
            subject = f"{each.account} {iso_jst(each.hour_at)[:13]}"
            detail = {"account": each.account, "fetches": each.fetches, "an_hour": fetches_an_hour}
            opened += open_task(session, "link_load", subject, detail, now)
    answered = (UseOutcome(row.account, row.begun_at, row.outcome) for row in rows if row.outcome is not None)
    for outage in partner_outages(answered):
        span = f"{iso_jst(outage.from_at)}/{iso_jst(outage.to_at)}"
        draft = {"affected": outage.affected, "total": outage.total, "cause": "partner", "clause": "premium/9.3"}
        why = "people say whether our own pages could be viewed: `keizoku sla incident add --cause partner`"
        opened += open_task(session, "link_outage", span, {**draft, "why": why}, now)
    for due in announcements_due(all_stops(session), now):
        detail = {"stop": due.stop.id, "what": due.stop.what, "why": "begun" if due.late else "not begun yet"}
        opened += open_task(session, "link_announcement", f"stop {due.stop.id}", detail, now)
    session.commit()
    return opened
