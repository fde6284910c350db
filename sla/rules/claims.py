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
from datetime import date, datetime
from fractions import Fraction
from functools import lru_cache

from keizoku.sla.rules.claim_decision import Award, ClaimDecision, ClaimVerdict, Deadline, MonthDecision
from keizoku.sla.rules.claim_facts import AccountMonth, Claim, ClaimFacts, TermFact, TermKind
from keizoku.sla.rules.claim_steps import claimed_steps, decisive_clauses, excluded_steps, outcome_steps
from keizoku.sla.rules.intervals import NOTHING, Spans, clip, length, normalise, subtract, union
from keizoku.sla.rules.unusable_time import Claimant, ServiceMonth, claimant_month, narrowed
from keizoku.terms.calendar import Month, claim_deadline_at, epoch, from_epoch, jst_day
from keizoku.terms.decision import Step, decides
from keizoku.terms.monthly_fee import NO_FEE, monthly_fee
from keizoku.terms.policy import Policy, Tier

VERDICTS_KEPT = 20_000

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
    "given_back",
    "eligible_payment",
    "monthly_fee",
    "annual_fee",
    "repeated_claims",
    "terms_version",
)


@dataclass(frozen=True, slots=True)
class ClaimBaseline:
    """What a month means for all accounts alike in terms, suspensions and environment, before anything is claimed.

    `eligible` and `seconds` by bucket; `barred`: the reason that rejects whatever is claimed; `counting`: the terms
    whose seconds count, each with its place among the account's.
    """

    eligible: dict[str, Spans]
    seconds: dict[str, int]
    steps: tuple[Step, ...]
    barred: str | None
    counting: tuple[tuple[int, TermKind], ...]


class Assessor:
    """A service month as claimants see it, worked out once for all whose circumstances are alike."""

    def __init__(self, service: ServiceMonth, policy: Policy) -> None:
        self.service = service
        self.policy = policy
        self.readings = {name: choice for name, choice in policy.chosen if name in READINGS}
        self._verdicts: dict[Circumstances, ClaimVerdict] = {}
        self._baselines: dict[Circumstances, ClaimBaseline] = {}
        self._deadlines: dict[Spans, Deadline] = {}

    def verdict(self, among: AccountMonth, united: tuple[Claim, ...], *, in_time: bool) -> ClaimVerdict:
        """What is decided on united claims of an account, but for who they are and when they came."""
        circumstances = _circumstances(among, united, in_time)
        known = self._verdicts.get(circumstances)
        if known is None:
            if len(self._verdicts) >= VERDICTS_KEPT:
                self._verdicts.clear()
            baseline = self._baseline(among, circumstances[0])
            known = self._verdicts[circumstances] = _verdict(among, united, in_time, baseline, self)
        return known

    def _baseline(self, among: AccountMonth, terms: object) -> ClaimBaseline:
        """What the month means for an account before anything is claimed; `terms`: what of them matters."""
        circumstances = terms, among.suspended, among.environment
        known = self._baselines.get(circumstances)
        if known is None:
            if len(self._baselines) >= VERDICTS_KEPT:
                self._baselines.clear()
            known = self._baselines[circumstances] = _baseline(among, self)
        return known

    def deadline(self, among: AccountMonth) -> Deadline:
        """The deadline of an account's month, which is the service month."""
        known = self._deadlines.get(among.form_outages)
        if known is None:
            known = self._deadlines[among.form_outages] = deadline_of(among, self.policy)
        return known


def _circumstances(among: AccountMonth, united: tuple[Claim, ...], in_time: bool) -> Circumstances:
    """All that a verdict depends on, beside the month for everyone."""
    terms = tuple([term.kind for term in among.terms])
    windows = tuple([claim.windows for claim in united])
    if not among.rulings:
        return terms, windows, (), among.suspended, among.environment, in_time
    places = {claim.claim_id: place for place, claim in enumerate(united)}
    rulings = tuple((places[each.claim_id], each.windows) for each in among.rulings if each.claim_id in places)
    return terms, windows, rulings, among.suspended, among.environment, in_time


def deadline_of(among: AccountMonth, policy: Policy) -> Deadline:
    """The deadline of an account's month."""
    ordinary_at = claim_deadline_at(among.month, policy.sla.claim_months_after)
    if not among.form_outages:
        return Deadline(ordinary_at, ordinary_at)
    lost_seconds = _lost(epoch(ordinary_at), among.form_outages, policy.sla.claim_form_grace_hours * 3600)
    return Deadline(ordinary_at, claim_deadline(among.month, among.form_outages, policy), lost_seconds)


def adjudicate(facts: ClaimFacts, service: ServiceMonth, policy: Policy) -> ClaimDecision:
    """Decide one claim; timely claims of the same account and month are united with it.

    Reasons to reject, the first that holds: deadline, not_member, method, threshold. The recognised
    time and its waterfall are worked out in every case.
    """
    assessor = Assessor(service, policy)
    deadline = assessor.deadline(facts.among)
    in_time = deadline.admits(facts.claim)
    united = deadline.timely(facts.among.claims) if in_time else (facts.claim,)
    return _of_claim(facts.claim, facts.among, united, deadline, assessor.verdict(facts.among, united, in_time=in_time))


def adjudicate_month(among: AccountMonth, assessor: Assessor) -> MonthDecision:
    """Decide every claim of an account and month, and what they are worth together.

    An award rests on the earliest claim with which the claims received so far are already worth as
    much: so the answer does not depend on how many nights ran between two claims.
    """
    deadline = assessor.deadline(among)
    timely = deadline.timely(among.claims)
    together = assessor.verdict(among, timely, in_time=True) if timely else None
    decisions = []
    whole: ClaimDecision | None = None
    for claim in among.claims:
        if together is not None and deadline.admits(claim):
            made = _of_claim(claim, among, timely, deadline, together)
            if claim is timely[-1]:
                whole = made
        else:
            made = _of_claim(claim, among, (claim,), deadline, assessor.verdict(among, (claim,), in_time=False))
        decisions.append(made)
    if whole is None or whole.verdict.tier is None:
        return MonthDecision(tuple(decisions), None)
    cause = timely[0] if len(timely) == 1 else _cause(timely, among, assessor, whole.worth)
    return MonthDecision(tuple(decisions), Award(cause.claim_id, usable_from(cause.received_at), whole))


def _cause(timely: tuple[Claim, ...], among: AccountMonth, assessor: Assessor, worth: Fraction) -> Claim:
    """The claim with which those received so far are worth as much as all."""
    for count in range(1, len(timely)):
        if _worth_of_first(timely[:count], among, assessor) >= worth:
            return timely[count - 1]
    return timely[-1]


def usable_from(received_at: datetime) -> date:
    """The first day of the month after the one in which the claim was received."""
    return _month_after(epoch(received_at) // 3600)


@lru_cache(maxsize=10_000)
def _month_after(hour: int) -> date:
    """The same for all instants of an hour: months begin on the hour in Japan."""
    return Month.of(jst_day(from_epoch(hour * 3600))).end_on


@decides("premium/9.5")
def claim_deadline(month: Month, form_outages: Spans, policy: Policy) -> datetime:
    """The instant before which a claim for the month has to arrive: the end of the following month.

    The time for which our own claim form was down in the hours before it is given back afterwards, as time in
    which the form is up: from the deadline, or from the form's return if it was down then. The outages may be
    all that are known; those that are over before the hours and those that begin after it change nothing.
    """
    at = claim_deadline_at(month, policy.sla.claim_months_after)
    if policy.readings["claim_deadline"] == "month_end":
        return at
    return from_epoch(given_back(epoch(at), form_outages, policy.sla.claim_form_grace_hours * 3600))


def given_back(deadline: int, form_outages: Spans, grace_seconds: int) -> int:
    """When as many seconds with the form up have passed after the deadline as were lost in the grace before it."""
    lost = _lost(deadline, form_outages, grace_seconds)
    if not lost:
        return deadline
    at = deadline
    for down_from, up_again in form_outages:
        if up_again <= at:
            continue
        if at + lost <= down_from:
            break
        lost -= max(0, down_from - at)
        at = up_again
    return at + lost


def _lost(deadline: int, form_outages: Spans, grace_seconds: int) -> int:
    """The seconds for which the form was down in the grace before the deadline."""
    return length(clip(form_outages, deadline - grace_seconds, deadline))


@decides("premium/9.2.1", "premium/9.2.2")
def tier_of(seconds: int, policy: Policy) -> Tier | None:
    """The tier that recognised time falls in: strictly more than its lower bound, at most its upper.

    3.6 hours to the second is nothing; the bounds are fixed, not prorated for short months or members.
    """
    return policy.sla.tier(seconds)


@decides("premium/9.6")
def is_covered(term: TermFact, policy: Policy) -> bool:
    """Whether seconds under this term count at all: only those of a term paid by card."""
    return term.kind.method == policy.sla.eligible_method


def eligible_terms(terms: Iterable[TermFact], policy: Policy) -> tuple[TermFact, ...]:
    """The terms whose seconds count: those paid by card; by the reading any_term_of_month, one makes all count."""
    terms = tuple(terms)
    by_card = tuple(term for term in terms if is_covered(term, policy))
    return terms if by_card and policy.readings["eligible_payment"] == "any_term_of_month" else by_card


def touched_terms(terms: Iterable[TermFact], recognised: Spans, policy: Policy) -> tuple[TermFact, ...]:
    """The terms that count in which some of the recognised time lies."""
    return tuple(term for term in eligible_terms(terms, policy) if clip(recognised, term.kind.start, term.kind.end))


def _of_claim(
    claim: Claim, among: AccountMonth, united: tuple[Claim, ...], deadline: Deadline, verdict: ClaimVerdict
) -> ClaimDecision:
    touched = verdict.touched
    terms = among.terms if len(touched) == len(among.terms) else tuple([among.terms[place] for place in touched])
    return ClaimDecision(claim, among.account, among.month, united, deadline, terms, verdict)


def _baseline(among: AccountMonth, assessor: Assessor) -> ClaimBaseline:
    service, policy = assessor.service, assessor.policy
    claimant = claimant_of(among, (), policy)
    eligible = claimant_month(service, replace(claimant, claimed=None))
    counting = eligible_terms(among.terms, policy)
    month = _span(service.month)
    barred: str | None = None
    if not clip(claimant.member, *month):
        barred = "not_member"
    elif not clip(claimant.card, *month):
        barred = "method"
    return ClaimBaseline(
        eligible=eligible,
        seconds={bucket: length(spans) for bucket, spans in eligible.items()},
        steps=tuple(excluded_steps(service.month, service.gross, eligible, policy)),
        barred=barred,
        counting=tuple([(at, term.kind) for at, term in enumerate(among.terms) if term in counting]),
    )


def _verdict(
    among: AccountMonth, united: tuple[Claim, ...], in_time: bool, baseline: ClaimBaseline, assessor: Assessor
) -> ClaimVerdict:
    policy = assessor.policy
    buckets = narrowed(baseline.eligible, claimed_by(united), recognised_by_people(among, united))
    recognised = buckets["recognised"]
    by_claim = {bucket: length(buckets[bucket]) for bucket in ("not_claimed", "not_recognised", "recognised")}
    seconds = by_claim["recognised"]
    tier = tier_of(seconds, policy)
    reason = baseline.barred if in_time else "deadline"
    if reason is None and tier is None:
        reason = "threshold"
    granted = tier if reason is None else None
    touched = [each for each in baseline.counting if clip(recognised, each[1].start, each[1].end)]
    fee = monthly_fee([kind.price for _, kind in touched])
    fee_yen = fee.exact_yen if fee else NO_FEE
    return ClaimVerdict(
        version=policy.version,
        readings=assessor.readings,
        reason=reason,
        tier=granted,
        seconds=seconds,
        waterfall={**baseline.seconds, **by_claim},
        recognised=recognised,
        touched=tuple([place for place, _ in touched]),
        fee=fee_yen,
        worth=fee_yen * granted.rate if granted else NO_FEE,
        clauses=decisive_clauses(reason, granted),
        steps_before=baseline.steps,
        steps=(*claimed_steps(buckets), *outcome_steps(reason, seconds, granted, fee, among.month, policy)),
    )


def _worth_of_first(first: tuple[Claim, ...], among: AccountMonth, assessor: Assessor) -> Fraction:
    """What the first claims, all in time, are worth, had the later ones not been made."""
    ids = {claim.claim_id for claim in first}
    rulings = tuple(ruling for ruling in among.rulings if ruling.claim_id in ids)
    return assessor.verdict(among._replace(claims=first, rulings=rulings), first, in_time=True).worth


def claimant_of(among: AccountMonth, united: tuple[Claim, ...], policy: Policy) -> Claimant:
    """The circumstances by which the united claims of an account see the month."""
    return Claimant(
        member=normalise((term.kind.start, term.kind.end) for term in among.terms),
        suspended=among.suspended,
        card=normalise((term.kind.start, term.kind.end) for term in eligible_terms(among.terms, policy)),
        claimed=claimed_by(united),
        environment=among.environment,
        recognised=recognised_by_people(among, united),
    )


def claimed_by(united: tuple[Claim, ...]) -> Spans | None:
    """What united claims claim; None: every window."""
    claimed: Spans | None = NOTHING
    for claim in united:
        claimed = None if claim.windows is None or claimed is None else union(claimed, claim.windows)
    return claimed


def recognised_by_people(among: AccountMonth, united: tuple[Claim, ...]) -> Spans | None:
    """What rulings on united claims leave; None: nobody ruled anything out."""
    if not among.rulings:
        return None
    everything: Spans = (_span(among.month),)
    refused = NOTHING
    windows_of = {claim.claim_id: claim.windows for claim in united}
    for ruling in among.rulings:
        if ruling.claim_id in windows_of:
            ruled_on = windows_of[ruling.claim_id]
            refused = subtract(union(refused, everything if ruled_on is None else ruled_on), ruling.windows)
    return subtract(everything, refused) if refused else None


def _span(month: Month) -> tuple[int, int]:
    return epoch(month.start_at), epoch(month.end_at)
