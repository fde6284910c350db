"""Article 9 stated as any SLA (terms/public/article-9.toml) gives what the premium engine gives, to the second."""

from dataclasses import replace
from datetime import date, datetime
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keizoku.sla.counting.outage_threshold import Population, outages_from
from keizoku.sla.evidence.incident_files import Incident
from keizoku.sla.policies.engine import Credit, PolicyOutcome, evaluate
from keizoku.sla.policies.seconds import CauseRuling, PolicyFacts, StatedOutage
from keizoku.sla.rules.claims import claim_deadline
from keizoku.sla.rules.intervals import Spans, clip, length, normalise
from keizoku.sla.rules.outages import Cause, EnvironmentRuling, Interruption, Outage, UpdateNotice
from keizoku.sla.rules.unusable_time import SERVICE_BUCKETS, MonthFacts, service_month
from keizoku.terms.calendar import Month, epoch, parse_instant
from keizoku.terms.policy import Terms
from keizoku.terms.stated.sla_periods import SlaPeriod, period_of
from keizoku.terms.stated.sla_policy import (
    PUBLIC,
    Announced,
    ByCause,
    ByContract,
    OutageCause,
    Recurring,
    SlaPolicy,
    Step,
    read_policy,
)

ARTICLE_9 = read_policy(PUBLIC / "article-9.toml")
PREMIUM = Terms.load().at(date(2026, 4, 1))
APRIL = Month(2026, 4)
MINUTE_ZERO = epoch(parse_instant("2026-04-29 22:00"))

# One outage of so many of 1,000 users on 10 April: from, to, unusable seconds, percent (an independent oracle's).
ORACLE = {
    "over one o'clock": (51, "00:55:00", "01:08:00", 300, 0),
    "exactly 5 %": (50, "12:00:00", "18:00:00", 0, 0),
    "5.1 %": (51, "12:00:00", "18:00:00", 21_600, 20),
    "12,960 s exactly": (51, "12:00:00", "15:36:00", 12_960, 0),
    "12,961 s": (51, "12:00:00", "15:36:01", 12_961, 20),
    "25,920 s exactly": (51, "12:00:00", "19:12:00", 25_920, 20),
    "25,921 s": (51, "12:00:00", "19:12:01", 25_921, 40),
    "9 min 59 s": (51, "12:00:00", "12:09:59", 0, 0),
    "10 min": (51, "12:00:00", "12:10:00", 600, 0),
}


def period(month: Month) -> SlaPeriod:
    return period_of(ARTICLE_9.period, month.first_on)


def at(text: str) -> int:
    return epoch(parse_instant(text))


def rate_of(outcome: PolicyOutcome) -> Fraction:
    return outcome.credit.rate


def test_article_9__every_number_is_that_of_the_premium_terms() -> None:
    sla = PREMIUM.sla
    night, update, interruption, environment = ARTICLE_9.exclusions
    assert isinstance(night, Recurring)
    assert isinstance(update, Announced)
    assert isinstance(interruption, ByContract)
    assert isinstance(environment, ByCause)
    assert (ARTICLE_9.predicate.comparator, ARTICLE_9.predicate.threshold) == (">", sla.quorum_share)
    assert (night.from_second, night.to_second, night.zone, night.weekdays) == (
        sla.night_from_second,
        sla.night_to_second,
        "Asia/Tokyo",
        (1, 2, 3, 4, 5, 6, 7),
    )
    assert ARTICLE_9.duration.minimum_seconds == sla.minimum_outage_seconds
    assert (update.clear_days, update.causes) == (sla.announce_clear_days, (OutageCause.SYSTEM_UPDATE,))
    assert (ARTICLE_9.claim.after, ARTICLE_9.claim.grace_hours) == (sla.claim_months_after, sla.claim_form_grace_hours)
    assert ARTICLE_9.eligibility.methods == (sla.eligible_method,)
    assert [
        (tier.above, tier.at_most, tier.credit.rate, tier.clause)
        for tier in ARTICLE_9.tiers
        if isinstance(tier.credit, Step)
    ] == [
        (Fraction(tier.over_seconds), tier.up_to_seconds and Fraction(tier.up_to_seconds), tier.rate, tier.clause)
        for tier in sla.tiers
    ]
    assert (ARTICLE_9.unknown, ARTICLE_9.settlement.months_after, ARTICLE_9.settlement.counted_from) == (
        "up",
        1,
        "claim",
    )
    assert ARTICLE_9.denominator.hours is not None
    assert ARTICLE_9.metric.promised.at_most == (1 - sla.guaranteed_share) * ARTICLE_9.denominator.hours * 3600


@pytest.mark.parametrize("name", ORACLE)
def test_article_9__the_oracles_seconds_and_tiers_come_out(name: str) -> None:
    affected, start, end, unusable, percent = ORACLE[name]
    begun, over = at(f"2026-04-10 {start}"), at(f"2026-04-10 {end}")
    facts = PolicyFacts(period(APRIL), (StatedOutage(begun, over, affected),), ((0, 1_000),), method="card")
    outcome = evaluate(ARTICLE_9, facts)
    assert (int(outcome.figure), outcome.credit) == (unusable, Credit(rate=Fraction(percent, 100)))
    outages = outages_from(
        (), [Incident("i", begun, over, affected, Cause.FAULT, "", "a")], Population.always(1_000), PREMIUM
    )
    assert outcome.buckets["counted"] == service_month(MonthFacts(APRIL, outages), PREMIUM, 0).unusable


def test_article_9__nothing_is_owed_to_who_does_not_pay_by_card() -> None:
    outage = (StatedOutage(at("2026-04-10 08:00"), at("2026-04-10 18:00"), 1),)
    outcome = evaluate(ARTICLE_9, PolicyFacts(period(APRIL), outage, method="coupon"))
    assert (int(outcome.figure), outcome.tier, outcome.credit, outcome.refused) == (36_000, 2, Credit(), "method")


# ── random months: times on a grid of minutes around the month's end, so that edges meet often ──────────


def on_grid(minutes: tuple[int, int]) -> tuple[int, int]:
    start = MINUTE_ZERO + 60 * minutes[0]
    return start, start + 60 * minutes[1]


periods = st.tuples(st.integers(0, 3000), st.integers(1, 500)).map(on_grid)
months = st.builds(
    lambda outages, notices, interruptions, environments: MonthFacts(
        APRIL,
        tuple(Outage(span[0], span[1], cause, "s") for span, cause in outages),
        tuple(UpdateNotice("n", published, span[0], span[1]) for published, span in notices),
        tuple(Interruption(span[0], span[1], ground, "cto") for ground, span in interruptions),
        tuple(EnvironmentRuling((span,), "suzuki", ground, "r") for ground, span in environments),
    ),
    st.lists(st.tuples(periods, st.sampled_from(Cause)), max_size=8),
    st.lists(st.tuples(st.integers(MINUTE_ZERO - 7 * 86_400, MINUTE_ZERO), periods), max_size=3),
    st.lists(st.tuples(st.sampled_from(["", "flood"]), periods), max_size=2),
    st.lists(st.tuples(st.sampled_from(["", "carrier"]), periods), max_size=2),
)


def as_facts(of: MonthFacts, resolution: int) -> PolicyFacts:
    return PolicyFacts(
        period(of.month),
        tuple(StatedOutage(outage.start, outage.end, 1, OutageCause(outage.cause.value)) for outage in of.outages),
        notices=of.notices,
        interruptions=of.interruptions,
        rulings=tuple(
            CauseRuling(one.spans, OutageCause.USER_ENVIRONMENT, one.by, one.ground) for one in of.environments
        ),
        resolution_seconds=resolution,
        method="card",
    )


def renamed(buckets: dict[str, Spans]) -> dict[str, Spans]:
    return {
        bucket: buckets[{"short_stop": "too_short", "unusable": "counted"}.get(bucket, bucket)]
        for bucket in SERVICE_BUCKETS
    }


@given(months, st.sampled_from([0, 61, 600]), st.sampled_from([APRIL, APRIL.next()]))
def test_article_9__random_months_agree_bucket_by_bucket_and_in_the_tier(
    of: MonthFacts, resolution: int, month: Month
) -> None:
    of = replace(of, month=month)
    service, outcome = service_month(of, PREMIUM, resolution), evaluate(ARTICLE_9, as_facts(of, resolution))
    assert outcome.gross == service.gross
    assert renamed(dict(outcome.buckets)) == dict(service.buckets)
    assert outcome.buckets["partial_step"] == ()
    tier = PREMIUM.sla.tier(length(service.unusable))
    assert rate_of(outcome) == (tier.rate if tier else 0)
    assert outcome.kept == (tier is None)


@given(st.integers(0, 31 * 86_400))
def test_article_9__every_second_has_the_tier_of_the_premium_terms(seconds: int) -> None:
    tier, premium = ARTICLE_9.tier(seconds), PREMIUM.sla.tier(seconds)
    assert (tier.clause if tier else None) == (premium.clause if premium else None)


outages_of_form = st.lists(st.tuples(st.integers(-9 * 3600, 96 * 3600), st.integers(1, 9 * 3600)), max_size=3)


@given(st.integers(0, 60), outages_of_form)
def test_article_9__deadlines_agree_even_when_the_claim_form_was_down(later: int, down: list[tuple[int, int]]) -> None:
    month = Month(2025, 1).shift(later)
    end = epoch(month.shift(1).end_at)
    spans = tuple(sorted((end - before, end - before + lasted) for before, lasted in down))
    apart = normalise(spans)
    outcome = evaluate(ARTICLE_9, PolicyFacts(period(month), (), form_outages=apart))
    assert outcome.claim_before_at == claim_deadline(month, apart, PREMIUM)
    lost = length(clip(apart, end - 72 * 3600, end))
    moved = epoch(claim_deadline(month, apart, PREMIUM))
    assert moved - end - length(clip(apart, end, moved)) == lost  # as much time with the form up as was lost


def test_article_9__the_claim_for_february_of_a_leap_year_ends_with_march() -> None:
    def deadline(policy: SlaPolicy, month: Month) -> datetime | None:
        return evaluate(policy, PolicyFacts(period(month), ())).claim_before_at

    assert deadline(ARTICLE_9, Month(2028, 1)) == parse_instant("2028-03-01 00:00")
    assert deadline(ARTICLE_9, Month(2028, 2)) == parse_instant("2028-04-01 00:00")
