"""What the certificate asks of the SLA side: every claim of a month that is over is decided, awards only rise.

Claims of a month with unknown time may wait for people; `keizoku sla unknown list` names them.
"""

from datetime import date, datetime
from fractions import Fraction

import sqlalchemy as sa

from db.session import Session
from sla.month_store import is_unknown_within_reach
from terms.calendar import Month

# a month about which something was recorded after the night began waits for the next one
_UNDECIDED = sa.text(
    """SELECT month, count(*) AS claims FROM claim WHERE month < :month AND recorded_at <= :now
       AND NOT EXISTS (SELECT 1 FROM claim_decision WHERE claim_decision.claim_id = claim.id)
       AND NOT EXISTS (SELECT 1 FROM month_to_review r WHERE r.month = claim.month AND r.recorded_at > :now)
       GROUP BY month"""
)
# few awards are revised, so only those pairs are fetched; worth is exact, and no number of the database is
_REVISED = sa.text(
    """SELECT award.rate, award.fee_basis, later.rate AS later_rate, later.fee_basis AS later_fee_basis
       FROM award JOIN award AS later
       ON later.account = award.account AND later.month = award.month AND later.revision = award.revision + 1"""
)


def differences(session: Session, business_date: date, now: datetime) -> list[str]:
    """What should not be as of a night that began at `now`, in words; empty where all is as it should be."""
    asked = {"month": str(Month.of(business_date)), "now": now}
    undecided = sum(
        row.claims
        for row in session.execute(_UNDECIDED, asked).all()
        if not is_unknown_within_reach(session, Month.parse(row.month), now)
    )
    falling = sum(
        Fraction(row.later_rate) * Fraction(row.later_fee_basis) < Fraction(row.rate) * Fraction(row.fee_basis)
        for row in session.execute(_REVISED)
    )
    found = []
    if undecided:
        found.append(f"{undecided} claims of months that are over have no decision")
    if falling:
        found.append(f"{falling} awards are worth less than the one before them")
    return found
