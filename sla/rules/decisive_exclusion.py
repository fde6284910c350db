"""Which exclusion decided a claim: the one without which a higher tier would have been reached.

    recognised 12,000 s, night 14,400 s, short outages 60 s      tiers above 12,960 s and 25,920 s
    without the night     26,400 s → 40 %    it decided
    without short outages   12,060 s → none    it did not

Facts in, answer out. "Without" is worked out, not added up: seconds that one exclusion lets go may fall to the next.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from fractions import Fraction

from keizoku.sla.rules.claim_facts import ClaimFacts
from keizoku.sla.rules.claims import claimant_of, deadline_of
from keizoku.sla.rules.intervals import Spans, length
from keizoku.sla.rules.unusable_time import CLAIMANT_BUCKETS, MonthFacts, claimant_month, service_month
from keizoku.terms.policy import Policy, Tier


@dataclass(frozen=True, slots=True)
class DecisiveExclusion:
    """Exclusions without which `seconds` would have been recognised, in a higher `tier`."""

    buckets: tuple[str, ...]  # one; more only where no single one decides
    seconds: int
    tier: Tier


def decisive_exclusions(
    facts: MonthFacts, claim: ClaimFacts, policy: Policy, resolution_seconds: int
) -> tuple[DecisiveExclusion, ...]:
    """Every exclusion that decided the tier by itself, in the order of the buckets.

    Where none did, those that did together: the largest is let go, then the largest of what is left, until a higher
    tier is reached. Empty: no exclusion kept one from being reached.
    """
    deadline = deadline_of(claim.among, policy)
    in_time = deadline.admits(claim.claim)
    united = deadline.timely(claim.among.claims) if in_time else (claim.claim,)
    claimant = claimant_of(claim.among, united, policy)

    def seen_without(buckets: Collection[str]) -> Mapping[str, Spans]:
        return claimant_month(service_month(facts, policy, resolution_seconds, buckets), claimant, buckets)

    def higher_without(buckets: Collection[str]) -> DecisiveExclusion | None:
        seconds = length(seen_without(buckets)["recognised"])
        tier = policy.sla.tier(seconds)
        if tier is None or tier.rate <= reached:
            return None
        return DecisiveExclusion(tuple(each for each in CLAIMANT_BUCKETS if each in buckets), seconds, tier)

    reached = _rate(policy.sla.tier(length(seen_without(())["recognised"])))
    alone = tuple(each for bucket in CLAIMANT_BUCKETS if (each := higher_without((bucket,))) is not None)
    if alone:
        return alone
    together: list[str] = []
    while taken := _largest(seen_without(together)):
        together.append(taken)
        if (found := higher_without(together)) is not None:
            return (found,)
    return ()


def _largest(buckets: Mapping[str, Spans]) -> str | None:
    """The exclusion that takes the most; None when nothing is excluded any more."""
    excluded = [bucket for bucket, spans in buckets.items() if spans and bucket != "recognised"]
    return max(excluded, key=lambda bucket: length(buckets[bucket]), default=None)


def _rate(tier: Tier | None) -> Fraction:
    return tier.rate if tier else Fraction(0)
