"""What is left of a month before it costs: unusable seconds so far, and how far the tiers are.

    keizoku sla budget 2026-04      12,000 s of 12,960 s (20 %)      960 s left      the night carries 14,400 s

An exclusion carries the month where without it a higher tier would be reached by now. A month that is under way counts
until the present, an outage that goes on or whose end is expected too; what nobody knows yet is told beside it, as it
may still turn out to have been down.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from keizoku.db.session import Session
from keizoku.db.tables.evidence import month_to_review
from keizoku.sla.months.month_facts import load_month_facts
from keizoku.sla.review_queue import policy_of
from keizoku.sla.rules.intervals import clip, length
from keizoku.sla.rules.unusable_time import (
    SERVICE_BUCKETS,
    MonthFacts,
    ServiceMonth,
    if_unknown_was_down,
    service_month,
)
from keizoku.terms.calendar import DAY_SECONDS, Month, epoch, iso_jst
from keizoku.terms.money import fraction_text
from keizoku.terms.policy import Policy, Tier
from keizoku.terms.rules import Rules

__all__ = ["BudgetDay", "CarryingExclusion", "MonthBudget", "TierLeft", "budget_of", "newest_evidence"]


@dataclass(frozen=True, slots=True)
class TierLeft:
    """A tier, and how far the month is from it. `left` None: it is reached."""

    tier: Tier
    used: int
    left: int | None  # seconds that may still be unusable without reaching it

    @property
    def percent_used(self) -> int:
        """Rounded down; 100 only where no second is left."""
        return self.used * 100 // self.tier.over_seconds


@dataclass(frozen=True, slots=True)
class CarryingExclusion:
    """An exclusion that took seconds: what would be unusable without it, and whether a higher tier would be reached."""

    bucket: str
    seconds: int
    unusable_without: int
    carries: bool


@dataclass(frozen=True, slots=True)
class BudgetDay:
    """A day with an outage: seconds in all, and by bucket."""

    on: date
    gross: int
    buckets: Mapping[str, int]

    @property
    def unusable(self) -> int:
        """What no exclusion took."""
        return self.buckets.get("unusable", 0)


@dataclass(frozen=True, slots=True)
class MonthBudget:
    """A month as known at an instant."""

    month: Month
    at: datetime
    terms: str
    unusable: int
    unknown: int
    unusable_if_unknown_was_down: int
    tiers: tuple[TierLeft, ...]
    exclusions: tuple[CarryingExclusion, ...]
    measured: ServiceMonth
    policy: Policy
    goes_on: bool  # an outage reaches the present: the figures grow without new evidence

    @property
    def days(self) -> list[BudgetDay]:
        """Each day of the month on which there was an outage."""
        found = []
        for number in range(self.month.days):
            start = epoch(self.month.start_at) + number * DAY_SECONDS
            own = {name: length(clip(each, start, start + DAY_SECONDS)) for name, each in self.measured.buckets.items()}
            if any(own.values()):
                on = self.month.first_on + timedelta(days=number)
                found.append(BudgetDay(on, sum(own.values()), {name: each for name, each in own.items() if each}))
        return found

    def to_json(self) -> dict[str, Any]:
        """As it is printed in JSON; seconds are whole."""
        return {
            "month": str(self.month),
            "as_known_at": iso_jst(self.at),
            "terms": self.terms,
            "unusable_seconds": self.unusable,
            "unknown_seconds": self.unknown,
            "unusable_seconds_if_unknown_was_down": self.unusable_if_unknown_was_down,
            "tiers": [
                {
                    "rate": fraction_text(each.tier.rate),
                    "clause": each.tier.clause,
                    "over_seconds": each.tier.over_seconds,
                    "left_seconds": each.left,
                    "percent_used": each.percent_used,
                    "reached": each.left is None,
                }
                for each in self.tiers
            ],
            "exclusions": [
                {
                    "bucket": each.bucket,
                    "clause": SERVICE_BUCKETS[each.bucket][0],
                    "seconds": each.seconds,
                    "unusable_seconds_without": each.unusable_without,
                    "carries": each.carries,
                }
                for each in self.exclusions
            ],
        }


def budget_of(session: Session, rules: Rules, month: Month, at: datetime) -> MonthBudget:
    """The month's budget as known at an instant. Raises NoPopulationError, UncoveredDateError."""
    policy, resolution = policy_of(rules, month), rules.discretion.resolution_seconds
    known = load_month_facts(session, policy, month, at)
    facts = _until(known, epoch(at))
    measured = service_month(facts, policy, resolution)
    unusable = length(measured.unusable)
    exclusions = []
    for bucket, seconds in measured.waterfall().items():
        if bucket != "unusable" and seconds:
            without = length(service_month(facts, policy, resolution, without=(bucket,)).unusable)
            carries = _reached(policy, without) > _reached(policy, unusable)
            exclusions.append(CarryingExclusion(bucket, seconds, without, carries))
    worst = service_month(if_unknown_was_down(facts), policy, resolution) if measured.unknown else measured
    return MonthBudget(
        month,
        at,
        policy.version,
        unusable,
        length(measured.unknown),
        length(worst.unusable),
        tuple(
            TierLeft(tier, unusable, tier.over_seconds - unusable if unusable <= tier.over_seconds else None)
            for tier in sorted(policy.sla.tiers, key=lambda tier: tier.over_seconds)
        ),
        tuple(exclusions),
        measured,
        policy,
        goes_on=any(
            end >= epoch(at) for end in (*(each.end for each in known.outages), *(end for _, end in known.unknown))
        ),
    )


def newest_evidence(session: Session, month: Month, at: datetime) -> int:
    """The last thing recorded about a month by an instant, as a number; 0 before the first. One look at an index.

    As long as it is the same, and no outage goes on, the month's budget is the same.
    """
    row = month_to_review.c
    query = sa.select(row.id).where(row.month == str(month), row.recorded_at <= at).order_by(row.id.desc()).limit(1)
    return session.execute(query).scalar_one_or_none() or 0


def _until(facts: MonthFacts, at: int) -> MonthFacts:
    """The facts up to a second: nothing that is only expected counts yet."""
    so_far = tuple(replace(each, end=min(each.end, at)) for each in facts.outages if each.start < at)
    return replace(facts, outages=so_far, unknown=clip(facts.unknown, 0, at))


def _reached(policy: Policy, seconds: int) -> int:
    """How many tiers so many seconds reach."""
    return sum(seconds > tier.over_seconds for tier in policy.sla.tiers)
