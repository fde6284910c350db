"""What the certificate asks of the SLA side: every claim of a month that is over is decided, awards only rise."""

from datetime import date

import sqlalchemy as sa

from db.session import Session
from terms.calendar import Month

_UNDECIDED = sa.text(
    """SELECT count(*) FROM claim WHERE month < :month
       AND NOT EXISTS (SELECT 1 FROM claim_decision WHERE claim_decision.claim_id = claim.id)"""
)
_FALLING = sa.text(
    """SELECT count(*) FROM award JOIN award AS later
       ON later.account = award.account AND later.month = award.month AND later.revision = award.revision + 1
       WHERE CAST(later.rate AS numeric) < CAST(award.rate AS numeric)"""
)


def differences(session: Session, business_date: date) -> list[str]:
    """What should not be, in words; empty where all is as it should be."""
    undecided = session.execute(_UNDECIDED, {"month": str(Month.of(business_date))}).scalar_one()
    falling = session.execute(_FALLING).scalar_one()
    found = []
    if undecided:
        found.append(f"{undecided} claims of months that are over have no decision")
    if falling:
        found.append(f"{falling} awards are lower than the one before them")
    return found
