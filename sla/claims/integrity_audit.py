"""What the certificate asks of the SLA side: every claim of a month that is over is decided, awards only rise.

Claims of a month with unknown time may wait for people; `keizoku sla unknown list` names them. What this night has set
aside waits too, with a task.
"""

from collections.abc import Sequence
from datetime import date, datetime
from fractions import Fraction

import sqlalchemy as sa

from keizoku.db.session import PreparedQuery, Session
from keizoku.terms.calendar import Month

# an account of which something was recorded after the night began waits for the next one; few awards are revised, so
# only those pairs are fetched: worth is exact, and no number of the database is
_ASKED = PreparedQuery(
    sa.text(
        """
    SELECT (SELECT json_agg(json_build_array(month, claims)) FROM (
        SELECT month, count(*) AS claims FROM claim WHERE month < :month AND recorded_at <= :now
        AND NOT EXISTS (SELECT 1 FROM claim_decision WHERE claim_decision.claim_id = claim.id)
        AND NOT EXISTS (SELECT 1 FROM claim_withdrawal WHERE claim_withdrawal.claim_id = claim.id)
        AND NOT EXISTS (SELECT 1 FROM month_to_review r WHERE r.month = claim.month AND r.account = claim.account
                        AND r.recorded_at > :now)
        AND NOT EXISTS (
            SELECT 1 FROM review_task WHERE kind = 'set_aside' AND closed_at IS NULL
            AND detail ->> 'step' = 'claims' AND coalesce(detail ->> 'month', claim.month) = claim.month
            AND coalesce(detail ->> 'account', claim.account) = claim.account)
        GROUP BY month
    ) AS waiting) AS undecided, (
        SELECT json_agg(json_build_array(award.rate, award.fee_basis, later.rate, later.fee_basis))
        FROM award JOIN award AS later
        ON later.account = award.account AND later.month = award.month AND later.revision = award.revision + 1
    ) AS revised
    """
    ).bindparams(sa.bindparam("month", type_=sa.Text()), sa.bindparam("now", type_=sa.DateTime(timezone=True)))
)


def differences(session: Session, business_date: date, now: datetime) -> list[str]:
    """What should not be as of a night that began at `now`, in words; empty where all is as it should be."""
    [row] = _ASKED.rows(session, {"month": str(Month.of(business_date)), "now": now})
    undecided = _undecided(session, row["undecided"], now) if row["undecided"] else 0
    falling = sum(
        Fraction(later_rate) * Fraction(later_basis) < Fraction(rate) * Fraction(basis)
        for rate, basis, later_rate, later_basis in row["revised"] or ()
    )
    found = []
    if undecided:
        found.append(f"{undecided} claims of months that are over have no decision")
    if falling:
        found.append(f"{falling} awards are worth less than the one before them")
    return found


def _undecided(session: Session, waiting: Sequence[tuple[str, int]], now: datetime) -> int:
    """The claims without a decision that wait for nobody, of (month, claims)."""
    from keizoku.sla.months.month_facts import (
        is_unknown_within_reach,  # most nights need nothing of how a month is measured
    )

    return sum(claims for month, claims in waiting if not is_unknown_within_reach(session, Month.parse(month), now))
