"""When nobody could submit a claim, because our own form was down (premium/9.5)."""

from datetime import datetime

import sqlalchemy as sa

from keizoku.db.session import Session
from keizoku.db.tables.evidence import claim_form_outage
from keizoku.sla.rules.claims import claim_deadline
from keizoku.sla.rules.intervals import NOTHING, Spans, clip, normalise
from keizoku.terms.calendar import Month, epoch, epoch_up
from keizoku.terms.policy import Policy


def form_outages(session: Session, month: Month, policy: Policy, at: datetime | None = None) -> Spans:
    """When our claim form was down from the hours before the month's ordinary deadline to the moved one."""
    start = epoch(claim_deadline(month, NOTHING, policy)) - policy.sla.claim_form_grace_hours * 3600
    outage = claim_form_outage.c
    known = sa.true() if at is None else outage.recorded_at <= at
    rows = session.execute(sa.select(outage.from_at, outage.to_at).where(known))
    down = normalise((epoch(row.from_at), epoch_up(row.to_at)) for row in rows)
    return clip(down, start, epoch(claim_deadline(month, down, policy)))
