"""Adjudication of claims (申請): is it in time, how much time is recognised, which share of the fee.

Decides premium/9.2.1 and 9.2.2 (tiers), 9.5 (deadline) and 9.6 (only card). Facts in, decisions out:
no clock, no database. All timely claims of one account and month are one claim in the law's eyes:
they are united, adjudicated together, and lead to at most one award.

    claims in time ──unite──> claimed ┐
    terms, suspensions ───────────────┼─ claimant_month ─> waterfall ─> recognised ─> tier ─> rate
    rulings by people ────────────────┘

Instants are aware datetimes, sets of seconds are half-open epoch spans, fees are exact yen.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from fractions import Fraction

from sla.claim_facts import AccountMonth, Claim, ClaimFacts, TermFact
from sla.claim_steps import deadline_steps, deciding_clauses, outcome_steps, united_steps, waterfall_steps
from sla.intervals import NOTHING, Spans, clip, length, normalise, subtract, union
from sla.unusable import Claimant, ServiceMonth, claimant_month, narrowed
from terms.calendar import Month, claim_deadline_at, epoch, jst_day
from terms.decision import Decision, Step, decides
from terms.policy import Policy, Tier

ASSESSMENTS_KEPT = 20_000

Circumstances = tuple[object, ...]

#: the open questions of the contract that every decision on a claim answers
READINGS = (
    "unusable_time_of_claimant",
    "quorum_base",
    "night_hours",
    "short_stop",
    "update_window",
    "announcement_days",
    "month_length",
    "partial_recognition",
    "part_of_month",
    "claim_deadline",
    "eligible_payment",
    "monthly_fee",
    "annual_fee",
    "repeated_claims",
    "terms_version",
)


@dataclass(frozen=True, slots=True)
class Deadline:
    """When claims for a month have to be here, ordinarily and as moved by outages of our form."""

    ordinary_at: datetime
    at: datetime

    @classmethod
    def of(cls, among: AccountMonth, policy: Policy) -> Deadline:
        """The deadline of an account's month."""
        ordinary_at = claim_deadline_at(among.month, policy.sla.claim_months_after)
        if not among.form_outages:
            return cls(ordinary_at, ordinary_at)
        return cls(ordinary_at, claim_deadline(among.month, among.form_outages, policy))

    def timely(self, claims: Iterable[Claim]) -> tuple[Claim, ...]:
        """The claims received before it, in the order of receipt."""
        timely = [claim for claim in claims if claim.received_at < self.at]
        return tuple(sorted(timely, key=lambda claim: (claim.received_at, claim.claim_id)))


@dataclass(frozen=True, slots=True)
class Assessment:
    """What a month means for a claimant: seconds by bucket, what is recognised, the steps that tell it."""

    recognised: Spans
    waterfall: dict[str, int]
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What all claims made in the same circumstances are told; `touched`: places of terms among the account's."""

    assessment: Assessment
    reason: str | None
    tier: Tier | None  # only when granted
    touched: tuple[int, ...]
    clauses: tuple[str, ...]
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class ClaimDecision:
    """What was decided on one claim. `reason` only when rejected, `rate` only when granted.

    `verdict`: what it has in common with others; its steps are the last of the decision's.
    """

    claim_id: str
    decision: Decision
    outcome: str
    reason: str | None
    seconds: int
    rate: Fraction | None
    waterfall: dict[str, int]
    recognised: Spans
    terms: tuple[TermFact, ...]  # paid by card and touched by recognised time
    verdict: Verdict

    @property
    def term_ids(self) -> tuple[int, ...]:
        """The terms whose fee counts."""
        return tuple(term.term_id for term in self.terms)

    @property
    def monthly_fee(self) -> Fraction:
        """The fee that the rate applies to; 0 when nothing was recognised."""
        return monthly_fee(self.terms)

    @property
    def worth(self) -> Fraction:
        """Exact yen that the decision is worth, before rounding; billing rounds it."""
        return self.monthly_fee * (self.rate or 0)


@dataclass(frozen=True, slots=True)
class Award:
    """What an account gets for a month, and the claim that it rests on."""

    claim_id: str
    usable_from: date
    rests_on: ClaimDecision


@dataclass(frozen=True, slots=True)
class MonthDecision:
    """What was decided on all claims of one account and month, and the award they are worth."""

    claims: tuple[ClaimDecision, ...]
    award: Award | None


class Assessor:
    """A service month as claimants see it, worked out once for all whose circumstances are alike."""

    def __init__(self, service: ServiceMonth, policy: Policy) -> None:
        self.service = service
        self.policy = policy
        self.readings = {name: choice for name, choice in policy.chosen if name in READINGS}
        self._verdicts: dict[Circumstances, Verdict] = {}
        self._left: dict[Claimant, dict[str, Spans]] = {}
        self._steps: dict[tuple[str, Spans], Step] = {}

    def verdict(self, among: AccountMonth, united: tuple[Claim, ...], *, in_time: bool) -> Verdict:
        """What is decided on united claims of an account, but for who they are and when they came."""
        circumstances = _circumstances(among, united, in_time)
        known = self._verdicts.get(circumstances)
        if known is None:
            if len(self._verdicts) >= ASSESSMENTS_KEPT:
                self._verdicts.clear()
            known = self._verdicts[circumstances] = _verdict(among, united, in_time, self)
        return known

    def of(self, claimant: Claimant) -> Assessment:
        """What the month means for one claimant."""
        alike = replace(claimant, claimed=None, recognised=None)
        left = self._left.get(alike)
        if left is None:
            left = self._left[alike] = claimant_month(self.service, alike)
        buckets = narrowed(left, claimant)
        return Assessment(
            recognised=buckets["recognised"],
            waterfall={bucket: length(spans) for bucket, spans in buckets.items()},
            steps=tuple(waterfall_steps(self.service.month, self.service.gross, buckets, self.policy, self._steps)),
        )


def _circumstances(among: AccountMonth, united: tuple[Claim, ...], in_time: bool) -> Circumstances:
    """All that a verdict depends on, beside the month for everyone."""
    terms = tuple((term.start, term.end, term.method, term.interval, term.price_yen) for term in among.terms)
    windows = tuple(claim.windows for claim in united)
    if not among.rulings:
        return terms, windows, (), among.suspended, among.environment, in_time
    places = {claim.claim_id: place for place, claim in enumerate(united)}
    rulings = tuple((places[each.claim_id], each.windows) for each in among.rulings if each.claim_id in places)
    return terms, windows, rulings, among.suspended, among.environment, in_time


def adjudicate(facts: ClaimFacts, service: ServiceMonth, policy: Policy) -> ClaimDecision:
    """Decide one claim; timely claims of the same account and month are united with it.

    Reasons to reject, the first that holds: deadline, not_member, method, threshold. The recognised
    time and its waterfall are worked out in every case.
    """
    return _adjudicate(facts, Assessor(service, policy), Deadline.of(facts.among, policy))


def adjudicate_month(among: AccountMonth, assessor: Assessor) -> MonthDecision:
    """Decide every claim of an account and month, and what they are worth together.

    An award rests on the earliest claim with which the claims received so far are already worth as
    much: so the answer does not depend on how many nights ran between two claims.
    """
    deadline = Deadline.of(among, assessor.policy)
    decisions = tuple(_adjudicate(ClaimFacts(claim, among), assessor, deadline) for claim in among.claims)
    timely = deadline.timely(among.claims)
    whole = next((each for each in decisions if timely and each.claim_id == timely[-1].claim_id), None)
    if whole is None or whole.rate is None:
        return MonthDecision(decisions, None)
    cause = next(
        (
            timely[count - 1]
            for count in range(1, len(timely))
            if _worth_of_first(timely[:count], among, assessor, deadline) >= whole.worth
        ),
        timely[-1],
    )
    return MonthDecision(decisions, Award(cause.claim_id, usable_from(cause.received_at), whole))


def usable_from(received_at: datetime) -> date:
    """The first day of the month after the one in which the claim was received."""
    return Month.of(jst_day(received_at)).end_on


@decides("premium/9.5")
def claim_deadline(month: Month, form_outages: Spans, policy: Policy) -> datetime:
    """The instant before which a claim for the month has to arrive.

    The end of the following month, later by as long as our own claim form was down in the hours before.
    """
    at = claim_deadline_at(month, policy.sla.claim_months_after)
    if policy.readings["claim_deadline"] == "month_end":
        return at
    end = epoch(at)
    hours_before = clip(form_outages, end - policy.sla.claim_form_grace_hours * 3600, end)
    return at + timedelta(seconds=length(hours_before))


@decides("premium/9.2.1", "premium/9.2.2")
def tier_of(seconds: int, policy: Policy) -> Tier | None:
    """The tier that recognised time falls in: strictly more than its lower bound, at most its upper.

    3.6 hours to the second is nothing; the bounds are fixed, not prorated for short months or members.
    """
    return policy.sla.tier(seconds)


@decides("premium/9.6")
def is_covered(term: TermFact, policy: Policy) -> bool:
    """Whether seconds under this term count at all: only those of a term paid by card."""
    return term.method == policy.sla.eligible_method


def eligible_terms(terms: Iterable[TermFact], policy: Policy) -> tuple[TermFact, ...]:
    """The terms whose seconds count: those paid by card; by the reading any_term_of_month, one makes all count."""
    terms = tuple(terms)
    by_card = tuple(term for term in terms if is_covered(term, policy))
    return terms if by_card and policy.readings["eligible_payment"] == "any_term_of_month" else by_card


def touched_terms(terms: Iterable[TermFact], recognised: Spans, policy: Policy) -> tuple[TermFact, ...]:
    """The terms that count in which some of the recognised time lies."""
    return tuple(term for term in eligible_terms(terms, policy) if clip(recognised, term.start, term.end))


def monthly_fee(terms: Iterable[TermFact]) -> Fraction:
    """The fee of the month that a rate applies to: the highest of the touched terms."""
    return max((term.monthly_fee for term in terms), default=Fraction(0))


def term_json(term: TermFact) -> dict[str, object]:
    """A term as stored with an award."""
    return {"term_id": term.term_id, "interval": term.interval, "price_yen": term.price_yen}


def _adjudicate(facts: ClaimFacts, assessor: Assessor, deadline: Deadline) -> ClaimDecision:
    claim, among, policy = facts.claim, facts.among, assessor.policy
    in_time = claim.received_at < deadline.at
    united = deadline.timely(among.claims) if in_time else (claim,)
    verdict = assessor.verdict(among, united, in_time=in_time)
    seconds = verdict.assessment.waterfall["recognised"]
    terms = tuple(among.terms[place] for place in verdict.touched)
    others = [each.claim_id for each in united if each.claim_id != claim.claim_id]
    outcome = "granted" if verdict.tier else "rejected"
    decision = Decision(
        subject=f"claim {claim.claim_id}",
        outcome=outcome,
        clauses=verdict.clauses,
        terms=policy.version,
        readings=assessor.readings,
        facts={
            "account": among.account,
            "month": among.month,
            "received_at": claim.received_at,
            "deadline_at": deadline.at,
            "reason": verdict.reason,
            "seconds": seconds,
            "united_claims": [each.claim_id for each in united],
            "terms": [term_json(term) for term in terms],
        },
        steps=(
            *deadline_steps(among.month, claim.received_at, deadline.ordinary_at, deadline.at),
            *united_steps(others),
            *verdict.steps,
        ),
    )
    return ClaimDecision(
        claim_id=claim.claim_id,
        decision=decision,
        outcome=outcome,
        reason=verdict.reason,
        seconds=seconds,
        rate=verdict.tier.rate if verdict.tier else None,
        waterfall=verdict.assessment.waterfall,
        recognised=verdict.assessment.recognised,
        terms=terms,
        verdict=verdict,
    )


def _verdict(among: AccountMonth, united: tuple[Claim, ...], in_time: bool, assessor: Assessor) -> Verdict:
    policy = assessor.policy
    claimant = claimant_of(among, united, policy)
    assessment = assessor.of(claimant)
    seconds = assessment.waterfall["recognised"]
    tier = tier_of(seconds, policy)
    month = _span(among.month)
    reason: str | None = None
    if not in_time:
        reason = "deadline"
    elif not clip(claimant.member, *month):
        reason = "not_member"
    elif not clip(claimant.card, *month):
        reason = "method"
    elif tier is None:
        reason = "threshold"
    granted = tier if reason is None else None
    terms = touched_terms(among.terms, assessment.recognised, policy)
    dearest = max(terms, key=lambda term: term.monthly_fee, default=None)
    fee = (dearest.interval, dearest.price_yen) if dearest else None
    return Verdict(
        assessment=assessment,
        reason=reason,
        tier=granted,
        touched=tuple(place for place, term in enumerate(among.terms) if term in terms),
        clauses=deciding_clauses(reason, granted),
        steps=(*assessment.steps, *outcome_steps(reason, seconds, granted, fee, among.month, policy)),
    )


def _worth_of_first(first: tuple[Claim, ...], among: AccountMonth, assessor: Assessor, deadline: Deadline) -> Fraction:
    """What the first claims are worth, had the later ones not been made."""
    ids = {claim.claim_id for claim in first}
    rulings = tuple(ruling for ruling in among.rulings if ruling.claim_id in ids)
    earlier = replace(among, claims=first, rulings=rulings)
    return _adjudicate(ClaimFacts(first[-1], earlier), assessor, deadline).worth


def claimant_of(among: AccountMonth, united: tuple[Claim, ...], policy: Policy) -> Claimant:
    """The circumstances by which the united claims of an account see the month."""
    everything: Spans = (_span(among.month),)
    claimed: Spans | None = NOTHING
    for claim in united:
        claimed = None if claim.windows is None or claimed is None else union(claimed, claim.windows)
    refused = NOTHING
    windows_of = {claim.claim_id: claim.windows for claim in united}
    for ruling in among.rulings:
        if ruling.claim_id in windows_of:
            ruled_on = windows_of[ruling.claim_id]
            refused = subtract(union(refused, everything if ruled_on is None else ruled_on), ruling.windows)
    return Claimant(
        member=normalise((term.start, term.end) for term in among.terms),
        suspended=among.suspended,
        card=normalise((term.start, term.end) for term in eligible_terms(among.terms, policy)),
        claimed=claimed,
        environment=among.environment,
        recognised=subtract(everything, refused) if refused else None,
    )


def _span(month: Month) -> tuple[int, int]:
    return epoch(month.start_at), epoch(month.end_at)
