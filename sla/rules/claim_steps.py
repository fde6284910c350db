"""The steps of a claim's decision: what is said, in which order, from which facts.

Decides nothing; the sentences are in terms/sentences/sla.toml.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from fractions import Fraction
from functools import lru_cache

from keizoku.sla.rules.claim_facts import Claim
from keizoku.sla.rules.intervals import Spans, as_iso, length
from keizoku.terms.calendar import Month
from keizoku.terms.decision import PlainList, Step
from keizoku.terms.monthly_fee import MonthlyFee
from keizoku.terms.policy import Policy, Tier

#: bucket -> clause that takes the seconds out of what is recognised, for the sentence about it
EXCLUDED_BY = {
    "short_stop": "premium/9.4.2",
    "night": "premium/9.4.1",
    "announced_update": "premium/9.4.4",
    "interruption": "premium/9.4.5",
    "environment": "premium/9.4.3",
    "not_member": "premium/3.3",
    "suspended": "premium/9.4.5",
    "not_card": "premium/9.6",
    "not_claimed": "premium/9.2",
    "not_recognised": "premium/9.2",
}

#: the last of them: what depends on the claim itself
BY_CLAIM = ("not_claimed", "not_recognised")


def decisive_clauses(reason: str | None, tier: Tier | None) -> tuple[str, ...]:
    """The clauses that made the outcome."""
    if tier is not None:
        return "premium/9.2", tier.clause
    by_reason = {"deadline": "premium/9.5", "not_member": "premium/3.3", "method": "premium/9.6"}
    return (by_reason.get(reason or "", "premium/9.2"),)


def deadline_steps(
    month: Month, claim: Claim, ordinary_at: datetime, down_seconds: int, deadline_at: datetime
) -> Iterable[Step]:
    """When it came, against the deadline, and why that was moved."""
    if deadline_at > ordinary_at:
        moved = {"ordinary_at": ordinary_at, "form_down_seconds": down_seconds, "deadline_at": deadline_at}
        yield Step("premium/9.5", "claim.deadline_moved", moved)
    key = "claim.in_time" if claim.received_at < deadline_at else "claim.too_late"
    facts: dict[str, object] = {"month": month, "received_at": claim.received_at, "deadline_at": deadline_at}
    if claim.late_grant is not None and key == "claim.too_late":
        key, facts = "claim.late_granted", facts | claim.late_grant._asdict()
    yield Step("premium/9.5", key, facts)


def united_steps(others: Sequence[str]) -> Iterable[Step]:
    """The other claims that it was decided with."""
    if others:
        yield Step("premium/9.2", "claim.united", {"others": ", ".join(others)})


def waterfall_steps(month: Month, gross: Spans, buckets: Mapping[str, Spans], policy: Policy) -> Iterable[Step]:
    """All outages, what each clause takes out of them, and what is left."""
    yield from excluded_steps(month, gross, buckets, policy)
    yield from claimed_steps(buckets)


def excluded_steps(month: Month, gross: Spans, buckets: Mapping[str, Spans], policy: Policy) -> Iterable[Step]:
    """All outages, and what is taken out of them whatever is claimed."""
    all_stops = {"month": month, "gross_seconds": length(gross), "quorum_share": policy.sla.quorum_share}
    yield Step("premium/9.3", "claim.stops", all_stops)
    bounds: dict[str, dict[str, object]] = {
        "short_stop": {"minimum_seconds": policy.sla.minimum_outage_seconds},
        "night": {
            "night_from": _clock(policy.sla.night_from_second),
            "night_to": _clock(policy.sla.night_to_second),
        },
    }
    for bucket in EXCLUDED_BY:
        if buckets[bucket] and bucket not in BY_CLAIM:
            left = bucket == "short_stop" and policy.readings["short_stop"] == "what_is_left"
            yield _excluded(bucket, buckets[bucket], ".left" if left else "", bounds.get(bucket, {}))


def claimed_steps(buckets: Mapping[str, Spans]) -> Iterable[Step]:
    """What was not claimed, what people did not recognise of the rest, and what is left."""
    for bucket in BY_CLAIM:
        if buckets[bucket]:
            yield _excluded(bucket, buckets[bucket])
    recognised = buckets["recognised"]
    key = "claim.recognised" if recognised else "claim.nothing_recognised"
    facts = {"recognised_seconds": length(recognised), "recognised_windows": PlainList(as_iso(recognised))}
    yield Step("premium/9.2", key, facts)


def _excluded(bucket: str, spans: Spans, way: str = "", bounds: Mapping[str, object] | None = None) -> Step:
    taken = {"excluded_seconds": length(spans), "excluded_windows": PlainList(as_iso(spans)), **(bounds or {})}
    return Step(EXCLUDED_BY[bucket], f"claim.excluded.{bucket}{way}", taken)


def outcome_steps(
    reason: str | None,
    seconds: int,
    tier: Tier | None,
    fee: MonthlyFee | None,
    month: Month,
    policy: Policy,
) -> Iterable[Step]:
    """The outcome, the fee it is worked out from, and how far it is to the next tier.

    `fee`: the fee of the month; None where nothing was recognised.
    """
    if tier is None or fee is None:
        clause = decisive_clauses(reason, None)[0]
        facts: dict[str, object] = {"month": month}
        if reason == "threshold":
            threshold_seconds = policy.sla.tiers[0].over_seconds
            facts = {"threshold_seconds": threshold_seconds, "missing_seconds": threshold_seconds - seconds}
        yield Step(clause, f"claim.rejected.{reason}", facts)
        return
    yield _granted(tier.clause, tier.over_seconds, tier.rate)
    yield _fee(fee.interval, fee.price_yen)
    if tier.up_to_seconds is not None:
        next_tier = {"next_seconds": tier.up_to_seconds, "missing_seconds": tier.up_to_seconds - seconds}
        yield Step("premium/9.2", "claim.next_tier", next_tier)


@lru_cache(maxsize=100)
def _granted(clause: str, over_seconds: int, rate: Fraction) -> Step:
    return Step(clause, "claim.granted", {"over_seconds": over_seconds, "rate": rate})


@lru_cache(maxsize=1_000)
def _fee(interval: str, price_yen: int) -> Step:
    return Step("premium/9.2", f"claim.fee.{interval}", {"price_yen": price_yen})


def _clock(second_of_day: int) -> str:
    """A time of day as people write it: 06:00."""
    return f"{second_of_day // 3600:02d}:{second_of_day // 60 % 60:02d}"
