"""What a stated SLA owes for one period: availability, tier, credit, and until when to ask for it.

    counted seconds × weight ──> figure (seconds, percent or per incident) ──> tier ──> share of the fee or days

Facts in, outcome out, for any `SlaPolicy`; the premium contract itself is computed by `sla.rules.claims`, and a test
holds both to one answer for Article 9. Money is not rounded here: a rate is a share of the fee that the
policy's settlement names. Fractions are exact.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

from keizoku.sla.policies.seconds import PolicyFacts, Seconds, seconds_of, weights
from keizoku.sla.rules.claims import given_back
from keizoku.sla.rules.intervals import NOTHING, Spans, as_iso, clip, intersect, length, normalise, subtract
from keizoku.terms.calendar import epoch, from_epoch, iso_jst
from keizoku.terms.money import fraction_text
from keizoku.terms.stated.sla_periods import SlaPeriod, claim_before
from keizoku.terms.stated.sla_policy import CreditRule, Days, MultipleOfProRata, PerUnit, SlaPolicy, Step


@dataclass(frozen=True, slots=True)
class Credit:
    """What is owed: a share of the fee, days of service, or nothing."""

    rate: Fraction = Fraction(0)
    days: int = 0

    def to_json(self) -> dict[str, object]:
        """As it is printed in JSON."""
        return {"rate": fraction_text(self.rate), "days": self.days}


@dataclass(frozen=True, slots=True)
class IncidentOutcome:
    """One outage under a policy that looks at each by itself."""

    start: int
    end: int
    figure: Fraction  # seconds since its start, or since it was known
    tier: int | None
    credit: Credit
    claim_before_at: datetime | None

    def to_json(self) -> dict[str, object]:
        """As it is printed in JSON."""
        ((start, end),) = as_iso(((self.start, self.end),))
        return {
            "from": start,
            "to": end,
            "figure": fraction_text(self.figure),
            "tier": self.tier,
            "credit": self.credit.to_json(),
            "claim_before": _iso(self.claim_before_at),
        }


@dataclass(frozen=True, slots=True)
class PolicyOutcome:
    """What a period comes to. `tier` counts from 1 in the order of the text; None: nothing is owed."""

    policy: str
    period: SlaPeriod
    gross: Spans
    buckets: Mapping[str, Spans]  # disjoint, in order, summing to `gross`; the last is "counted"
    down: Fraction  # weighted seconds; user-seconds under user_minutes
    denominator: Fraction  # in the same unit
    figure: Fraction  # of the policy's metric; per incident: the longest
    kept: bool  # the promise
    tier: int | None
    credit: Credit
    refused: str | None  # why the credit is nothing although a tier was reached: method, plan
    claim_before_at: datetime | None
    incidents: tuple[IncidentOutcome, ...] = ()

    @property
    def availability(self) -> Fraction:
        """Percent of the denominator, never below 0."""
        return percent_available(self.down, self.denominator)

    def waterfall(self) -> dict[str, int]:
        """Seconds per bucket, unweighted."""
        return {bucket: length(spans) for bucket, spans in self.buckets.items()}

    def to_json(self) -> dict[str, object]:
        """As it is printed in JSON; exact numbers are text."""
        counted = self.buckets["counted"]
        return {
            "name": self.policy,
            "from": iso_jst(self.period.start_at),
            "to": iso_jst(self.period.end_at),
            "stop_windows": as_iso(self.gross),
            "stop_seconds": length(self.gross),
            "counted_windows": as_iso(counted),
            "counted_seconds": length(counted),
            "waterfall": self.waterfall(),
            "down": fraction_text(self.down),
            "denominator": fraction_text(self.denominator),
            "availability": fraction_text(self.availability),
            "figure": fraction_text(self.figure),
            "kept": self.kept,
            "tier": self.tier,
            "credit": self.credit.to_json(),
            "refused": self.refused,
            "claim_before": _iso(self.claim_before_at),
            "incidents": [each.to_json() for each in self.incidents],
        }


def evaluate(policy: SlaPolicy, facts: PolicyFacts) -> PolicyOutcome:
    """Evaluate a policy over one period."""
    seconds = seconds_of(policy, facts)
    start, end = facts.span
    buckets = {name: clip(spans, start, end) for name, spans in seconds.buckets.items()}
    down = _down(policy, seconds, buckets["counted"])
    denominator = _denominator(policy, facts)
    incidents: tuple[IncidentOutcome, ...] = ()
    if policy.metric.kind == "per_incident":
        incidents = tuple(_incidents(policy, facts, seconds, denominator))
        worst = max(incidents, key=lambda each: each.figure, default=None)
        figure, tier = (worst.figure, worst.tier) if worst else (Fraction(0), None)
        credit = _stacked(policy, [each.credit for each in incidents])
    else:
        figure = down if policy.metric.kind == "seconds" else percent_available(down, denominator)
        tier, credit = _owed(policy, figure, down, denominator)
    refused = _refusal(policy, facts) if tier is not None else None
    return PolicyOutcome(
        policy=policy.name,
        period=facts.period,
        gross=clip(seconds.wholes, start, end),
        buckets=buckets,
        down=down,
        denominator=denominator,
        figure=figure,
        kept=policy.metric.promised.takes(figure),
        tier=tier,
        credit=Credit() if refused else _stacked(policy, [credit]),
        refused=refused,
        claim_before_at=_claim_before(policy, facts, buckets["counted"]),
        incidents=incidents,
    )


def percent_available(down: Fraction, denominator: Fraction) -> Fraction:
    """100 less the percentage down; without any time to measure nothing was down."""
    return max(Fraction(0), 100 * (1 - down / denominator)) if denominator else Fraction(100)


def credit_of(rule: CreditRule, policy: SlaPolicy, figure: Fraction, down_share: Fraction) -> Credit:
    """What one tier owes for a figure; `down_share` is the time down by the whole time."""
    if isinstance(rule, Step):
        return Credit(rate=rule.rate)
    if isinstance(rule, Days):
        return Credit(days=rule.days)
    if isinstance(rule, MultipleOfProRata):
        return Credit(rate=rule.times * down_share)
    return Credit(rate=rule.rate * _units(rule, figure, worse_when_lower=policy.metric.kind == "percent"))


def _units(rule: PerUnit, figure: Fraction, *, worse_when_lower: bool) -> int:
    missed = max(Fraction(0), rule.beyond - figure if worse_when_lower else figure - rule.beyond) / rule.unit
    complete = missed.numerator // missed.denominator
    return complete + (rule.count == "started" and missed > complete)


def _owed(policy: SlaPolicy, figure: Fraction, down: Fraction, denominator: Fraction) -> tuple[int | None, Credit]:
    for place, tier in enumerate(policy.tiers, 1):
        if tier.takes(figure):
            return place, credit_of(tier.credit, policy, figure, down / denominator if denominator else Fraction(0))
    return None, Credit()


def _stacked(policy: SlaPolicy, credits: Iterable[Credit]) -> Credit:
    """Several credits of one period as one, up to the cap."""
    together = sum if policy.cap.stacking == "sum" else max
    owed = list(credits) or [Credit()]
    rate, days = together(each.rate for each in owed), together(each.days for each in owed)
    cap = policy.cap
    return Credit(
        rate=Fraction(rate) if cap.rate is None else min(Fraction(rate), cap.rate),
        days=days if cap.days is None else min(days, cap.days),
    )


def _down(policy: SlaPolicy, seconds: Seconds, counted: Spans) -> Fraction:
    """Counted seconds, each with its weight."""
    if policy.weight == "binary":
        return Fraction(length(counted))
    parts = weights(seconds, counted)
    if policy.weight == "user_minutes":
        return Fraction(sum((end - start) * affected for start, end, affected, _ in parts))
    return sum((Fraction((end - start) * affected, size) for start, end, affected, size in parts), Fraction(0))


def _denominator(policy: SlaPolicy, facts: PolicyFacts) -> Fraction:
    """The whole time, in seconds or user-seconds, without time that is left out for want of evidence."""
    start, end = facts.span
    measured: Spans = ((start, end),)
    if policy.unknown == "excluded":
        seen = normalise((outage.start, outage.end) for outage in facts.outages)
        measured = subtract(measured, subtract(facts.unknown, seen))
    fixed = policy.denominator.hours
    whole = length(measured) if fixed is None else fixed * 3600
    if policy.weight != "user_minutes":
        return Fraction(whole)
    user_seconds = sum(length(clip(measured, since, until)) * size for since, until, size in facts.sizes())
    if fixed is None or not length(measured):
        return Fraction(user_seconds)
    return Fraction(user_seconds * whole, length(measured))  # fixed hours for the users there were on average


def _incidents(
    policy: SlaPolicy, facts: PolicyFacts, seconds: Seconds, denominator: Fraction
) -> Iterable[IncidentOutcome]:
    """The outages whose clock starts in the period, each counted to its end."""
    start, end = facts.span
    for whole in seconds.wholes:
        begun = whole[0]
        if policy.metric.clock == "known":
            known = [p.known_at for p in seconds.parts if p.known_at is not None and whole[0] <= p.start < whole[1]]
            begun = max(begun, min(known, default=begun))
        counted = clip(intersect(seconds.counted, (whole,)), begun, whole[1])
        if not counted or not start <= begun < end:
            continue
        figure = _down(policy, seconds, counted)
        tier, credit = _owed(policy, figure, figure, denominator)
        before_at = _claim_before(policy, facts, counted)
        yield IncidentOutcome(whole[0], whole[1], figure, tier, credit, before_at)


def _refusal(policy: SlaPolicy, facts: PolicyFacts) -> str | None:
    """Why this customer gets nothing, the first reason that holds."""
    eligible = policy.eligibility
    if eligible.methods and facts.method not in eligible.methods:
        return "method"
    if eligible.plans and facts.plan not in eligible.plans:
        return "plan"
    return None


def _claim_before(policy: SlaPolicy, facts: PolicyFacts, counted: Spans) -> datetime | None:
    """The deadline, counted from the last counted outage where the text counts from an incident.

    What the claim form was down in the hours of grace before it is given back afterwards.
    """
    if policy.claim.since == "incident" and counted == NOTHING:
        return None
    at = claim_before(policy, facts.period, from_epoch(counted[-1][1]) if counted else None)
    if at is None or not policy.claim.grace_hours:
        return at
    return from_epoch(given_back(epoch(at), facts.form_outages, policy.claim.grace_hours * 3600))


def _iso(at: datetime | None) -> str | None:
    return iso_jst(at) if at is not None else None
