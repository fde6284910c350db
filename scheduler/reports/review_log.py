"""What each night's review of a month came to: the month then, the claims it decided otherwise, the yen.

The month is worked out from what was known when the review ran, by the rules that hold now; decisions and awards are
those that were saved. Read only; whole seconds and yen.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from keizoku.billing.rules.sla_credit import credit_yen
from keizoku.db.session import Session
from keizoku.db.tables.claims import award, claim, claim_decision
from keizoku.db.tables.evidence import month_review, month_to_review
from keizoku.scheduler.reports.claim_states import ClaimState, yen_of
from keizoku.sla.claims.award_falls import falls_of_month
from keizoku.sla.months.month_facts import NoPopulationError, load_service_month
from keizoku.sla.review_queue import policy_of
from keizoku.sla.rules.intervals import length
from keizoku.terms.calendar import Month, iso_jst
from keizoku.terms.rules import Rules


@dataclass(frozen=True, slots=True)
class ReviewedClaim:
    """A claim's decision, and the one before it; `before` None: decided for the first time."""

    claim_id: str
    account: str
    revision: int
    before: ClaimState | None
    after: ClaimState


@dataclass(frozen=True, slots=True)
class Awarded:
    """An account's award in yen, and what it was before."""

    account: str
    revision: int
    before_yen: int
    after_yen: int


@dataclass(frozen=True, slots=True)
class NotLowered:
    """An award that this review would have made lower, and that stays."""

    account: str
    awarded_yen: int
    found_yen: int


@dataclass(frozen=True, slots=True)
class Review:
    """One review. Seconds are None where nobody had said how many users there are."""

    decided_at: datetime
    whys: tuple[str, ...]
    gross_seconds: int | None
    unusable_seconds: int | None
    decided: tuple[ReviewedClaim, ...]
    awarded: tuple[Awarded, ...]
    not_lowered: tuple[NotLowered, ...]

    @property
    def known_at(self) -> datetime:
        """When its result was known."""
        return self.decided_at

    @property
    def changed(self) -> tuple[ReviewedClaim, ...]:
        """Claims that had been decided before, and now otherwise."""
        return tuple(each for each in self.decided if each.before is not None and each.before != each.after)

    @property
    def first(self) -> int:
        """How many claims were decided for the first time."""
        return sum(each.before is None for each in self.decided)

    @property
    def yen(self) -> int:
        """What it added to the awards of all accounts."""
        return sum(each.after_yen - each.before_yen for each in self.awarded)

    def to_json(self) -> dict[str, Any]:
        """As it is printed in JSON."""
        return {
            "decided_at": iso_jst(self.decided_at),
            "asked_for_by": list(self.whys),
            "gross_seconds": self.gross_seconds,
            "unusable_seconds": self.unusable_seconds,
            "claims": [
                {
                    "id": each.claim_id,
                    "account": each.account,
                    "revision": each.revision,
                    "before": each.before,
                    "after": each.after,
                }
                for each in self.decided
                if each.before != each.after
            ],
            "awards": [
                {
                    "account": each.account,
                    "revision": each.revision,
                    "before_yen": each.before_yen,
                    "after_yen": each.after_yen,
                    "added_yen": each.after_yen - each.before_yen,
                }
                for each in self.awarded
            ],
            "added_yen": self.yen,
            "not_lowered": [
                {"account": each.account, "awarded_yen": each.awarded_yen, "would_be_yen": each.found_yen}
                for each in self.not_lowered
            ],
        }


def reviews_of(session: Session, rules: Rules, month: Month, at: datetime) -> list[Review]:
    """Every review of the month by `at`, oldest first."""
    rounding = policy_of(rules, month).readings["credit_rounding"]
    rows = session.execute(
        sa.select(month_review)
        .where(month_review.c.month == str(month), month_review.c.decided_at <= at)
        .order_by(month_review.c.up_to_id)
    ).all()
    whys = _whys(session, month)
    decided = list(_decisions(session, month))
    awarded = list(_awards(session, month, rounding))
    falls = list(_falls(session, month, rounding))
    found = []
    after_id, after_at = 0, None
    for row in rows:
        ran = (after_at, row.decided_at)
        gross_seconds, unusable_seconds = _seconds(session, rules, month, row.decided_at)
        asked = dict.fromkeys(why for place, why in whys if after_id < place <= row.up_to_id)
        found.append(
            Review(
                decided_at=row.decided_at,
                whys=tuple(asked),
                gross_seconds=gross_seconds,
                unusable_seconds=unusable_seconds,
                decided=tuple(each for when, each in decided if _within(when, ran)),
                awarded=tuple(each for when, each in awarded if _within(when, ran)),
                not_lowered=tuple(each for when, each in falls if _within(when, ran)),
            )
        )
        after_id, after_at = row.up_to_id, row.decided_at
    return found


def _within(when: datetime, ran: tuple[datetime | None, datetime]) -> bool:
    return (ran[0] is None or ran[0] < when) and when <= ran[1]


def _seconds(session: Session, rules: Rules, month: Month, at: datetime) -> tuple[int | None, int | None]:
    try:
        service = load_service_month(session, rules, month, at)
    except NoPopulationError:
        return None, None
    return length(service.gross), length(service.unusable)


def _whys(session: Session, month: Month) -> list[tuple[int, str]]:
    query = sa.select(month_to_review.c.id, month_to_review.c.why).where(month_to_review.c.month == str(month))
    return [(row.id, row.why) for row in session.execute(query.order_by(month_to_review.c.id))]


def _decisions(session: Session, month: Month) -> Iterator[tuple[datetime, ReviewedClaim]]:
    table = claim_decision.c
    query = (
        sa.select(
            table.claim_id,
            table.revision,
            table.outcome,
            table.reason,
            table.seconds,
            table.rate,
            table.decided_at,
            claim.c.account,
        )
        .join(claim, claim.c.id == table.claim_id)
        .where(claim.c.month == str(month))
        .order_by(table.claim_id, table.revision)
    )
    before: dict[str, ClaimState] = {}
    for row in session.execute(query):
        after = ClaimState.of_row(row)
        decided = ReviewedClaim(row.claim_id, row.account, row.revision, before.get(row.claim_id), after)
        yield row.decided_at, decided
        before[row.claim_id] = after


def _awards(session: Session, month: Month, rounding: str) -> Iterator[tuple[datetime, Awarded]]:
    table = award.c
    query = (
        sa.select(table.account, table.revision, table.rate, table.term_prices, table.decided_at)
        .where(table.month == str(month))
        .order_by(table.account, table.revision)
    )
    before: dict[str, int] = {}
    for row in session.execute(query):
        yen = yen_of(row.rate, row.term_prices, rounding)
        yield row.decided_at, Awarded(row.account, row.revision, before.get(row.account, 0), yen)
        before[row.account] = yen


def _falls(session: Session, month: Month, rounding: str) -> Iterator[tuple[datetime, NotLowered]]:
    for noted_at, fall in falls_of_month(session, month):
        yen = (credit_yen(fall.awarded, rounding), credit_yen(fall.found, rounding))
        yield noted_at, NotLowered(fall.account, *yen)
