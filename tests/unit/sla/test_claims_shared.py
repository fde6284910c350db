"""What claims share is worked out and written once: it has to be what each claim alone, told in full, would say."""

import json
from datetime import date, timedelta
from fractions import Fraction
from hashlib import sha256
from types import SimpleNamespace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from keizoku.sla.claims.decision_json import Reasoning, ReasoningTexts, evidence_hash, service_hash, whole_decision
from keizoku.sla.months.month_facts import read_spans
from keizoku.sla.rules.claim_decision import Deadline, MonthDecision
from keizoku.sla.rules.claim_facts import AccountMonth, Claim, ClaimRuling, TermFact, TermKind
from keizoku.sla.rules.claim_steps import deadline_steps, decisive_clauses, outcome_steps, united_steps, waterfall_steps
from keizoku.sla.rules.claims import (
    READINGS,
    Assessor,
    adjudicate_month,
    claimant_of,
    deadline_of,
    touched_terms,
    usable_from,
)
from keizoku.sla.rules.intervals import Spans, clip, length, normalise
from keizoku.sla.rules.outages import Cause, Outage
from keizoku.sla.rules.unusable_time import MonthFacts, ServiceMonth, claimant_month, service_month
from keizoku.terms.calendar import Interval, Month, epoch, from_epoch
from keizoku.terms.decision import Decision
from keizoku.terms.monthly_fee import NO_FEE, monthly_fee
from keizoku.terms.policy import Terms

POLICY = Terms.load().at(date(2026, 4, 1))
APRIL = Month(2026, 4)
FIRST, LAST = epoch(APRIL.start_at), epoch(APRIL.end_at)
DEADLINE = epoch(Month(2026, 5).end_at)
HOUR, DAY = 3_600, 86_400


def april() -> ServiceMonth:
    outages = [
        Outage(FIRST + day * DAY - HOUR, FIRST + day * DAY + HOUR // 2, Cause.FAULT, "seen") for day in range(20)
    ]
    outages += [
        Outage(FIRST + day * DAY + 12 * HOUR, FIRST + day * DAY + 20 * HOUR, Cause.FAULT, "seen") for day in (3, 9)
    ]
    outages.append(Outage(FIRST + 5 * DAY, FIRST + 5 * DAY + 540, Cause.FAULT, "short"))
    return service_month(MonthFacts(APRIL, tuple(outages)), POLICY, 0)


SERVICE = april()
ASSESSOR = Assessor(SERVICE, POLICY)  # one for all examples: what it keeps must not leak from one account to the next

hours = st.integers(0, 30 * 24).map(lambda hour: FIRST + hour * HOUR)
spans = st.tuples(hours, st.sampled_from([1, HOUR, 9 * HOUR, 3 * DAY, 40 * DAY])).map(lambda s: (s[0], s[0] + s[1]))
within = st.lists(spans, max_size=2).map(lambda each: clip(normalise(each), FIRST, LAST))
names = st.sampled_from(["u1", "花子", 'a"b\\c', "tab\tline\n", "☃\u2028"])
claim_times = st.builds(
    lambda second, fraction: from_epoch(second) + timedelta(microseconds=fraction),
    st.sampled_from([FIRST, DEADLINE - 1, DEADLINE, DEADLINE + 2 * HOUR]),
    st.sampled_from([0, 1, 999_999]),
)
INTERVALS: tuple[Interval, ...] = ("month", "year")
term_kinds = st.tuples(st.sampled_from(["card", "other"]), st.sampled_from(INTERVALS), st.sampled_from([1, 500]))


@st.composite
def accounts(draw: st.DrawFn) -> AccountMonth:
    asked = draw(st.lists(st.tuples(claim_times, st.none() | within), min_size=1, max_size=3))
    prefix = draw(names)
    claims = tuple(Claim(f"{prefix}-{place}", at, windows) for place, (at, windows) in enumerate(asked))
    cuts = sorted(set(draw(st.lists(hours, max_size=3))))
    edges = draw(st.sampled_from([[FIRST, *cuts, LAST], cuts]))
    kinds = [draw(term_kinds) for _ in edges[1:]]
    terms = tuple(
        TermFact(draw(st.integers(1, 10**12)), TermKind(start, end, *kind))
        for start, end, kind in zip(edges, edges[1:], kinds, strict=False)
        if start < end
    )
    ruled_on = st.tuples(st.sampled_from([claim.claim_id for claim in claims]), within).map(lambda r: ClaimRuling(*r))
    return AccountMonth(
        account=prefix,
        month=APRIL,
        claims=claims,
        terms=terms,
        suspended=draw(within),
        rulings=tuple(draw(st.lists(ruled_on, max_size=2))),
        environment=draw(within),
        form_outages=draw(
            st.sampled_from([(), ((DEADLINE - HOUR, DEADLINE - 60),), ((DEADLINE - HOUR, DEADLINE + 60),)])
        ),
    )


def told_alone(
    claim: Claim, among: AccountMonth, united: tuple[Claim, ...], deadline: Deadline
) -> tuple[Decision, Spans, Fraction, Fraction | None]:
    """One claim by itself: nothing kept from others, every step made anew."""
    in_time = claim.received_at < deadline.at
    claimant = claimant_of(among, united, POLICY)
    buckets = claimant_month(SERVICE, claimant)
    seconds = length(buckets["recognised"])
    tier = POLICY.sla.tier(seconds)
    reason = None if tier else "threshold"
    for barred, holds in (
        ("method", not clip(claimant.card, FIRST, LAST)),
        ("not_member", not clip(claimant.member, FIRST, LAST)),
        ("deadline", not in_time),
    ):
        reason = barred if holds else reason
    granted = None if reason else tier
    terms = touched_terms(among.terms, buckets["recognised"], POLICY)
    fee = monthly_fee(term.kind.price for term in terms)
    decision = Decision(
        subject=f"claim {claim.claim_id}",
        outcome="granted" if granted else "rejected",
        clauses=decisive_clauses(reason, granted),
        terms=POLICY.version,
        readings={name: choice for name, choice in POLICY.chosen if name in READINGS},
        facts={
            "account": among.account,
            "month": APRIL,
            "received_at": claim.received_at,
            "deadline_at": deadline.at,
            "reason": reason,
            "seconds": seconds,
            "united_claims": [each.claim_id for each in united],
            "terms": [{"term_id": i, "interval": kind.interval, "price_yen": kind.price_yen} for i, kind in terms],
        },
        steps=(
            *deadline_steps(APRIL, claim, deadline.ordinary_at, deadline.form_down_seconds, deadline.at),
            *united_steps([each.claim_id for each in united if each is not claim]),
            *waterfall_steps(APRIL, SERVICE.gross, buckets, POLICY),
            *outcome_steps(reason, seconds, granted, fee, APRIL, POLICY),
        ),
    )
    worth = fee.exact_yen * granted.rate if fee and granted else NO_FEE
    return decision, buckets["recognised"], worth, granted.rate if granted else None


def award_alone(
    among: AccountMonth, timely: tuple[Claim, ...], deadline: Deadline
) -> tuple[str, date, Fraction] | None:
    """The earliest claim with which the claims so far are worth as much as all: (claim, usable from, exact yen)."""
    worth = Fraction(0)
    for count in range(len(timely), 0, -1):
        first = timely[:count]
        rulings = tuple(ruling for ruling in among.rulings if any(ruling.claim_id == each.claim_id for each in first))
        so_far = told_alone(first[-1], among._replace(claims=first, rulings=rulings), first, deadline)[2]
        worth = so_far if count == len(timely) else worth
        if count == len(timely) and not worth:
            return None
        if so_far >= worth:
            cause = first[-1]
    return (cause.claim_id, usable_from(cause.received_at), worth) if timely else None


@st.composite
def nearly_alike(draw: st.DrawFn) -> list[AccountMonth]:
    """An account, and others that differ from it in one thing only."""
    one, other = draw(accounts()), draw(accounts())
    names = ("terms", "suspended", "rulings", "environment", "form_outages")
    neighbours = [one._replace(account=name, **{name: getattr(other, name)}) for name in names]
    windows = other.claims[0].windows
    return [one, *neighbours, one._replace(claims=(one.claims[0]._replace(windows=windows), *one.claims[1:]))]


@given(nearly_alike())
@settings(max_examples=40, deadline=None)
def test_9_2__what_claims_share_is_what_each_alone_would_be_told(every: list[AccountMonth]) -> None:
    texts = ReasoningTexts()
    reasonings: dict[tuple[int, int], Reasoning] = {}
    kept: list[MonthDecision] = []
    for among in every:
        made = adjudicate_month(among, ASSESSOR)
        kept.append(made)
        deadline = deadline_of(among, POLICY)
        timely = tuple(
            sorted(
                (claim for claim in among.claims if claim.received_at < deadline.at),
                key=lambda claim: (claim.received_at, claim.claim_id),
            )
        )
        for claim, decided in zip(among.claims, made.claims, strict=True):
            united = timely if claim in timely else (claim,)
            decision, recognised, worth, rate = told_alone(claim, among, united, deadline)
            assert decided.decision == decision
            assert (decided.recognised, decided.worth, decided.rate) == (recognised, worth, rate)
            assert decided.waterfall == {
                bucket: length(taken)
                for bucket, taken in claimant_month(SERVICE, claimant_of(among, united, POLICY)).items()
            }
            key = id(decided.verdict), id(decided.deadline)
            reasoning = reasonings.setdefault(key, texts.of(decided))
            assert reasoning == texts.of(decided)  # whoever of those that share it comes first
            shared = SimpleNamespace(**{name: json.loads(text) for name, text in reasoning._asdict().items()})
            together = [each.claim_id for each in united] if len(united) > 1 else None
            whole = whole_decision(shared, claim.claim_id, among.account, claim.received_at, decided.term_ids, together)
            assert whole.to_json() == decision.to_json()
            assert (shared.waterfall, read_spans(shared.recognised)) == (decided.waterfall, recognised)
        award = made.award and (made.award.claim_id, made.award.usable_from, made.award.rests_on.worth)
        assert award == award_alone(among, timely, deadline)
        assert evidence_hash("0" * 64, among) == plain_hash("0" * 64, among)


def plain_hash(service: str, among: AccountMonth) -> str:
    made_of: Any = (
        service,
        [
            (each.claim_id, each.received_at.microsecond + 10**6 * epoch(each.received_at), each.windows)
            for each in among.claims
        ],
        [(t.term_id, *t.kind) for t in among.terms],
        [(ruling.claim_id, ruling.windows) for ruling in among.rulings],
        (among.suspended, among.environment, among.form_outages),
    )
    return sha256(ascii(made_of).encode("ascii")).hexdigest()


def test_9_2__other_evidence_or_other_readings_are_another_hash() -> None:
    claim = Claim("c1", from_epoch(DEADLINE) - timedelta(days=1))
    among = AccountMonth("u1", APRIL, (claim,))
    shorter = service_month(MonthFacts(APRIL, ()), POLICY, 0)
    hashes = {
        evidence_hash(service_hash(SERVICE, POLICY), among),
        evidence_hash(service_hash(shorter, POLICY), among),
        evidence_hash(service_hash(SERVICE, POLICY), among._replace(claims=(claim._replace(windows=()),))),
        evidence_hash(service_hash(SERVICE, POLICY), among._replace(suspended=((FIRST, FIRST + 1),))),
    }
    assert len(hashes) == 4
