"""Awards that are higher than what would be found now: they are never lowered, finance is shown the difference.

    awarded 200 yen (40 %), would now be 100 (20 %): recognised 32,400 s -> 14,400 s, since stop s2 was corrected

Read from what was saved: the newest award against the newest decisions. Whole yen and seconds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on

from keizoku.db.session import Session, one_snapshot
from keizoku.db.tables.claims import award, claim, claim_decision, claim_reasoning
from keizoku.db.tables.evidence import month_to_review
from keizoku.scheduler.reports.claim_states import yen_of
from keizoku.sla.claims.award_falls import settled_by
from keizoku.sla.review_queue import policy_of
from keizoku.sla.rules.unusable_time import CLAIMANT_BUCKETS
from keizoku.terms.calendar import Month, iso_jst
from keizoku.terms.rules import Rules


@dataclass(frozen=True, slots=True)
class Difference:
    """One account and month. `seconds`: bucket -> (when awarded, now), only those that differ."""

    account: str
    month: Month
    claim_id: str
    awarded_at: datetime
    awarded_yen: int
    would_be_yen: int
    rates: tuple[str, str | None]
    seconds: Mapping[str, tuple[int, int]]
    since: tuple[str, ...]  # what was recorded in between
    settled_by: str  # who noted that it was dealt with; "" while it is open

    @property
    def above_yen(self) -> int:
        """How much more was awarded."""
        return self.awarded_yen - self.would_be_yen

    def to_json(self) -> dict[str, Any]:
        """As it is printed in JSON."""
        return {
            "account": self.account,
            "month": str(self.month),
            "claim": self.claim_id,
            "awarded_at": iso_jst(self.awarded_at),
            "awarded_yen": self.awarded_yen,
            "would_be_yen": self.would_be_yen,
            "above_yen": self.above_yen,
            "awarded_rate": self.rates[0],
            "would_be_rate": self.rates[1],
            "seconds": {bucket: {"awarded": then, "now": now} for bucket, (then, now) in self.seconds.items()},
            "since": list(self.since),
            "settled_by": self.settled_by,
        }


def award_differences(session: Session, rules: Rules, month: Month | None, at: datetime) -> list[Difference]:
    """Awards of a month, or of all, that would be lower by the newest decisions; by month and account."""
    with one_snapshot(session):
        decisions = _newest_decisions(session, month, at)
        found = []
        for row in _awards(session, month, at):
            newest = decisions[row.account, row.month]
            difference = _difference(session, rules, row, newest)
            if difference is not None:
                found.append(difference)
        return found


def _awards(session: Session, month: Month | None, at: datetime) -> list[sa.Row[Any]]:
    """The newest award of each account and month."""
    table = award.c
    query = (
        sa.select(award)
        .where(table.decided_at <= at, _of(table.month, month))
        .ext(distinct_on(table.month, table.account))
        .order_by(table.month, table.account, table.revision.desc())
    )
    return list(session.execute(query))


def _newest_decisions(session: Session, month: Month | None, at: datetime) -> dict[tuple[str, str], list[Any]]:
    """(account, month) -> the newest decision of each of its claims."""
    table = claim_decision.c
    query = (
        sa.select(
            claim.c.account,
            claim.c.month,
            table.claim_id,
            table.rate,
            claim_reasoning.c.facts["terms"].label("terms"),
            claim_reasoning.c.waterfall,
            table.review_id,
        )
        .join(claim, claim.c.id == table.claim_id)
        .join(claim_reasoning, claim_reasoning.c.id == table.reasoning_id)
        .where(table.decided_at <= at, _of(claim.c.month, month))
        .ext(distinct_on(table.claim_id))
        .order_by(table.claim_id, table.revision.desc())
    )
    found: dict[tuple[str, str], list[Any]] = {}
    for row in session.execute(query):
        found.setdefault((row.account, row.month), []).append(row)
    return found


def _of(column: sa.ColumnElement[str], month: Month | None) -> sa.ColumnElement[bool]:
    return sa.true() if month is None else column == str(month)


def _difference(session: Session, rules: Rules, awarded: sa.Row[Any], newest: Sequence[Any]) -> Difference | None:
    month = Month.parse(awarded.month)
    rounding = policy_of(rules, month).readings["credit_rounding"]
    awarded_yen = yen_of(awarded.rate, awarded.term_prices, rounding)
    now = max(newest, key=lambda row: yen_of(row.rate, row.terms, rounding))
    would_be_yen = yen_of(now.rate, now.terms, rounding)
    if would_be_yen >= awarded_yen:
        return None
    then = session.execute(
        sa.select(claim_decision.c.claim_id, claim_decision.c.review_id, claim_reasoning.c.waterfall)
        .join(claim_reasoning, claim_reasoning.c.id == claim_decision.c.reasoning_id)
        .where(claim_decision.c.claim_id == awarded.claim_id, claim_decision.c.revision == awarded.decision_revision)
    ).one()
    own = next(row for row in newest if row.claim_id == then.claim_id)
    pairs = {bucket: (then.waterfall[bucket], own.waterfall[bucket]) for bucket in CLAIMANT_BUCKETS}
    return Difference(
        account=awarded.account,
        month=month,
        claim_id=then.claim_id,
        awarded_at=awarded.decided_at,
        awarded_yen=awarded_yen,
        would_be_yen=would_be_yen,
        rates=(awarded.rate, now.rate),
        seconds={bucket: pair for bucket, pair in pairs.items() if pair[0] != pair[1]},
        since=_recorded_between(session, awarded, then.review_id, max(row.review_id for row in newest)),
        settled_by=settled_by(session, awarded.account, month, Fraction(awarded.rate) * Fraction(awarded.fee_basis)),
    )


def _recorded_between(session: Session, awarded: sa.Row[Any], after_id: int, up_to_id: int) -> tuple[str, ...]:
    table = month_to_review.c
    rows = session.execute(
        sa.select(table.why)
        .where(
            table.month == awarded.month,
            table.id > after_id,
            table.id <= up_to_id,
            sa.or_(table.account.is_(None), table.account == awarded.account),
        )
        .order_by(table.id)
    )
    return tuple(dict.fromkeys(rows.scalars()))
