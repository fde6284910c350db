"""What holds for a month: the newest decision of every claim, and the yen of every account's newest award.

Read only; seconds and yen are whole.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on

from keizoku.billing.rules.sla_credit import award_yen
from keizoku.db.session import Session
from keizoku.db.tables.claims import award, claim
from keizoku.sla.claims.claim_views import newest_decisions, withdrawn
from keizoku.sla.rules.claim_decision import ClaimDecision, PricedTerm
from keizoku.terms.calendar import Month
from keizoku.terms.money import fraction_text


class ClaimResult(NamedTuple):
    """What a decision means for the user, the seconds aside."""

    outcome: str
    reason: str | None
    rate: str | None


@dataclass(frozen=True, slots=True)
class ClaimState:
    """Where a claim is; a pending one has neither seconds nor rate."""

    outcome: str
    reason: str | None = None
    seconds: int | None = None
    rate: str | None = None

    @classmethod
    def of_decision(cls, decided: ClaimDecision) -> "ClaimState":
        """As it was just decided."""
        rate = None if decided.rate is None else fraction_text(decided.rate)
        return cls(decided.outcome, decided.reason, decided.seconds, rate)

    @classmethod
    def of_row(cls, row: Any) -> "ClaimState":
        """As it was saved."""
        return cls(row.outcome, row.reason, row.seconds, row.rate)

    @property
    def result(self) -> ClaimResult:
        """What it means for the user, the seconds aside."""
        return ClaimResult(self.outcome, self.reason, self.rate)


PENDING = ClaimState("pending")
WITHDRAWN = ClaimState("withdrawn")
UNDECIDED = (PENDING, WITHDRAWN)


def claim_states(session: Session, month: Month, at: datetime) -> dict[str, tuple[str, ClaimState]]:
    """claim -> (account, state) of every claim of the month, in the order of ids."""
    newest = newest_decisions(at)
    rows = session.execute(
        sa.select(
            claim.c.id,
            claim.c.account,
            newest.c.outcome,
            newest.c.reason,
            newest.c.seconds,
            newest.c.rate,
            withdrawn(at).label("withdrawn"),
        )
        .outerjoin(newest, newest.c.claim_id == claim.c.id)
        .where(claim.c.month == str(month), claim.c.recorded_at <= at)
        .order_by(claim.c.id)
    )
    undecided = {True: WITHDRAWN, False: PENDING}
    return {row.id: (row.account, ClaimState.of_row(row) if row.outcome else undecided[row.withdrawn]) for row in rows}


def newest_award_yen(session: Session, month: Month, at: datetime, rounding: str) -> dict[str, int]:
    """account -> yen of its newest award for the month; an account without an award is not in it."""
    rows = session.execute(
        sa.select(award.c.account, award.c.rate, award.c.term_prices)
        .where(award.c.month == str(month), award.c.decided_at <= at)
        .ext(distinct_on(award.c.account))
        .order_by(award.c.account, award.c.revision.desc())
    )
    return {row.account: yen_of(row.rate, row.term_prices, rounding) for row in rows}


def yen_of(rate: str | None, term_prices: Iterable[PricedTerm], rounding: str) -> int:
    """A rate of the dearest of some terms, in yen; nothing for no rate."""
    prices = [(each["price_yen"], each["interval"]) for each in term_prices]
    return award_yen(Fraction(rate), prices, rounding) if rate is not None else 0
