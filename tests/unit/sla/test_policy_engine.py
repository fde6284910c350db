"""The dimensions of a stated SLA, one at a time: what each does to the seconds, the figure and the credit."""

from datetime import UTC, date, datetime
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sla.intervals import length, union
from sla.policy_engine import Credit, PolicyOutcome, evaluate
from sla.policy_seconds import CauseRuling, Outage, PolicyFacts, recurring_windows
from sla.unusable import Interruption, UpdateNotice
from terms.calendar import epoch
from terms.sla_periods import period_of
from terms.sla_policy import PeriodRule, Recurring, SlaPolicy, StopCause, parse_policy

PLAIN: dict[str, Any] = {
    "name": "plain",
    "title": "A plain SLA",
    "source": {"name": "made up", "last_checked_on": date(2027, 1, 1)},
    "subject": {"of": "all users", "signal": "errors"},
    "predicate": {"comparator": ">", "threshold": "0.05", "population": "users"},
    "weight": "binary",
    "unknown": "up",
    "period": {"kind": "month", "zone": "UTC"},
    "metric": {"kind": "seconds", "promised": {"at_most": 3_600}},
    "tiers": [{"above": 3_600, "credit": {"kind": "step", "rate": "0.1"}}],
    "claim": {"kind": "days", "after": 30},
    "settlement": {"kind": "later_invoice", "fee": "monthly fee"},
}
JUNE = period_of(PeriodRule(kind="month", zone="UTC"), date(2027, 6, 1))
ZERO = epoch(JUNE.start_at)
HOUR = 3_600


def policy(**changed: Any) -> SlaPolicy:
    return parse_policy({**PLAIN, **changed}, "plain.toml")


def outcome(stated: SlaPolicy, *outages: Outage, **more: Any) -> PolicyOutcome:
    return evaluate(stated, PolicyFacts(JUNE, outages, **more))


def hours(start: float, end: float, affected: int = 1, cause: str = "fault", known: int | None = None) -> Outage:
    return Outage(ZERO + int(start * HOUR), ZERO + int(end * HOUR), affected, StopCause(cause), known)


def filled(result: PolicyOutcome) -> dict[str, int]:
    return {bucket: seconds for bucket, seconds in result.waterfall().items() if seconds}


def seconds_and_credit(result: PolicyOutcome) -> tuple[int, Credit]:
    return int(result.figure), result.credit


# ── predicate and population ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("comparator", "affected", "counts"), [(">", 50, False), (">", 51, True), (">=", 49, False), (">=", 50, True)]
)
def test_the_comparator_decides_at_the_threshold(comparator: str, affected: int, counts: bool) -> None:
    stated = policy(predicate={"comparator": comparator, "threshold": "0.05", "population": "users"})
    result = outcome(stated, hours(0, 1, affected), population=((0, 1_000),))
    assert filled(result) == ({"counted": HOUR} if counts else {})


def test_nobody_affected_is_no_stop_even_at_threshold_zero() -> None:
    stated = policy(predicate={"comparator": ">=", "threshold": "0", "population": "users"})
    assert filled(outcome(stated, hours(0, 1, 0))) == {}


def test_the_population_of_the_moment_counts() -> None:
    grown = ((0, 1_000), (ZERO + HOUR, 1_100))
    assert filled(outcome(policy(), hours(0, 2, 51), population=grown)) == {"counted": HOUR}


def test_overlapping_outages_do_not_add_up() -> None:
    both = (hours(0, 1, 30), hours(0, 1, 30))
    assert filled(outcome(policy(), *both, population=((0, 1_000),))) == {}


@pytest.mark.parametrize("population", [(), ((0, 0),)])
def test_a_population_of_nobody_is_refused(population: tuple[tuple[int, int], ...]) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        outcome(policy(), hours(0, 1), population=population)


# ── duration ───────────────────────────────────────────────────────────────────────────────────────────

NIGHT = {"kind": "recurring", "name": "night", "from_second": "01:00", "to_second": "06:00", "zone": "UTC"}


def test_a_minimum_is_judged_before_or_after_the_exclusions() -> None:
    over_one = Outage(ZERO + HOUR - 480, ZERO + HOUR + 300, 1)  # 00:52 to 01:05
    judged = {
        order: filled(outcome(policy(duration={"minimum_seconds": 600, "judged": order}, exclusions=[NIGHT]), over_one))
        for order in ("whole_stop", "after_exclusions")
    }
    assert judged == {
        "whole_stop": {"night": 300, "counted": 480},
        "after_exclusions": {"night": 300, "too_short": 480},
    }


def test_a_gap_that_the_evidence_cannot_see_is_no_gap_and_takes_its_neighbours_cause() -> None:
    stated = policy(
        duration={"minimum_seconds": 600},
        exclusions=[{"kind": "cause", "name": "update", "causes": ["system_update"]}],
    )
    halves = (
        Outage(ZERO, ZERO + 400, 1, StopCause.SYSTEM_UPDATE),
        Outage(ZERO + 430, ZERO + 700, 1, StopCause.SYSTEM_UPDATE),
    )
    assert filled(outcome(stated, *halves)) == {"too_short": 670}
    assert filled(outcome(stated, *halves, resolution_seconds=31)) == {"update": 700}


# ── exclusions ─────────────────────────────────────────────────────────────────────────────────────────


def test_each_second_lands_in_the_first_exclusion_that_takes_it_in_the_order_of_the_text() -> None:
    announced = {"kind": "announced", "name": "announced", "notice_seconds": 0}
    notice = UpdateNotice("n", ZERO, ZERO, ZERO + 3 * HOUR)
    first = outcome(policy(exclusions=[NIGHT, announced]), hours(0, 8), notices=(notice,))
    second = outcome(policy(exclusions=[announced, NIGHT]), hours(0, 8), notices=(notice,))
    assert filled(first) == {"night": 5 * HOUR, "announced": HOUR, "counted": 2 * HOUR}
    assert filled(second) == {"announced": 3 * HOUR, "night": 3 * HOUR, "counted": 2 * HOUR}


def test_a_yearly_budget_takes_the_earliest_seconds_and_begins_anew_each_year() -> None:
    budget = {"kind": "announced", "name": "announced", "notice_seconds": 0, "yearly_seconds": 12 * HOUR}
    stated = policy(exclusions=[budget], period={"kind": "billing_cycle", "zone": "UTC"})
    cycle = period_of(stated.period, date(2027, 12, 31), date(2026, 12, 15))
    old, new = epoch(datetime(2027, 12, 20, tzinfo=UTC)), epoch(datetime(2028, 1, 5, tzinfo=UTC))
    windows = tuple((at, at + 10 * HOUR) for at in (old, new))
    result = evaluate(
        stated,
        PolicyFacts(
            cycle,
            tuple(Outage(*window, 1, StopCause.SYSTEM_UPDATE) for window in windows),
            notices=tuple(UpdateNotice("n", 0, *window) for window in windows),
            announced_seconds_used=5 * HOUR,
        ),
    )
    assert result.buckets["announced"] == ((old, old + 7 * HOUR), (new, new + 10 * HOUR))
    assert result.buckets["counted"] == ((old + 7 * HOUR, old + 10 * HOUR),)


def test_a_used_up_budget_excludes_nothing() -> None:
    budget = {"kind": "announced", "name": "announced", "notice_seconds": 0, "yearly_seconds": HOUR}
    notice = UpdateNotice("n", ZERO, ZERO, ZERO + HOUR)
    used = outcome(policy(exclusions=[budget]), hours(0, 1), notices=(notice,), announced_seconds_used=2 * HOUR)
    assert filled(used) == {"counted": HOUR}


def test_only_rulings_and_interruptions_with_name_and_ground_exclude() -> None:
    stated = policy(
        exclusions=[
            {"kind": "contract", "name": "interruption"},
            {"kind": "cause", "name": "customer", "causes": ["customer"]},
        ]
    )
    first, second = (ZERO, ZERO + HOUR), (ZERO + HOUR, ZERO + 2 * HOUR)
    with_ground = outcome(
        stated,
        hours(0, 4),
        interruptions=(Interruption(*first, "flood", "cto"),),
        rulings=(CauseRuling((second,), StopCause.CUSTOMER, "suzuki", "own router"),),
    )
    without = outcome(
        stated,
        hours(0, 4),
        interruptions=(Interruption(*first, "", "cto"),),
        rulings=(CauseRuling((second,), StopCause.CUSTOMER, "suzuki", " "),),
    )
    assert filled(with_ground) == {"interruption": HOUR, "customer": HOUR, "counted": 2 * HOUR}
    assert filled(without) == {"counted": 4 * HOUR}


def test_where_causes_overlap_the_strongest_holds() -> None:
    stated = policy(exclusions=[{"kind": "cause", "name": "customer", "causes": ["customer"]}])
    assert filled(outcome(stated, hours(0, 3, cause="customer"), hours(1, 2))) == {
        "customer": 2 * HOUR,
        "counted": HOUR,
    }


def test_a_window_over_midnight_on_some_weekdays_follows_the_clocks_of_its_zone() -> None:
    saturday_night = Recurring(
        kind="recurring", name="w", from_second="23:00", to_second="04:00", zone="America/New_York", weekdays=(6,)
    )
    spring = epoch(datetime(2027, 3, 8, tzinfo=UTC)), epoch(datetime(2027, 3, 29, tzinfo=UTC))
    windows = recurring_windows(saturday_night, *spring)
    assert [(datetime.fromtimestamp(start, UTC), (end - start) // HOUR) for start, end in windows] == [
        (datetime(2027, 3, 14, 4, tzinfo=UTC), 4),  # clocks go forward that night
        (datetime(2027, 3, 21, 3, tzinfo=UTC), 5),
        (datetime(2027, 3, 28, 3, tzinfo=UTC), 5),
    ]


# ── time without evidence, weight, denominator, metric ─────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("unknown", "down", "denominator"),
    [("up", 1, 720), ("down", 3, 720), ("excluded", 1, 718)],
)
def test_time_without_evidence_is_up_down_or_left_out(unknown: str, down: int, denominator: int) -> None:
    blind = ((ZERO, ZERO + 3 * HOUR),)  # one hour of it was reported after all
    result = outcome(policy(unknown=unknown), hours(2, 3), unknown=blind)
    assert (int(result.down), int(result.denominator)) == (down * HOUR, denominator * HOUR)
    assert result.availability == 100 - Fraction(100 * down, denominator)


def test_a_weight_by_affected_share_takes_the_largest_of_what_overlaps() -> None:
    stated = policy(weight="affected_ratio", predicate={"comparator": ">", "threshold": "0", "population": "servers"})
    result = outcome(stated, hours(0, 2, 1), hours(1, 3, 3), population=((0, 4),))
    assert result.down == Fraction(HOUR, 4) + 2 * Fraction(3 * HOUR, 4)
    assert filled(result) == {"counted": 3 * HOUR}


def test_user_minutes_follow_the_number_of_users() -> None:
    stated = policy(
        weight="user_minutes",
        predicate={"comparator": ">", "threshold": "0", "population": "users"},
        metric={"kind": "percent", "promised": {"at_least": "99.9"}},
        tiers=[{"below": "99.9", "credit": {"kind": "step", "rate": "0.25"}}],
    )
    grown = ((0, 10), (ZERO + 360 * HOUR, 30))
    result = outcome(stated, hours(359, 361, 20), population=grown)
    assert (int(result.down), int(result.denominator)) == (30 * HOUR, (10 + 30) * 360 * HOUR)
    fixed = policy(**{**stated.model_dump(), "denominator": {"kind": "fixed", "hours": 360}})
    assert int(outcome(fixed, population=grown).denominator) == 20 * 360 * HOUR


def test_more_down_than_the_fixed_hours_is_zero_percent() -> None:
    stated = policy(
        denominator={"kind": "fixed", "hours": 10},
        metric={"kind": "percent", "promised": {"at_least": "99"}},
        tiers=[{"below": "99", "credit": {"kind": "step", "rate": "1"}}],
    )
    result = outcome(stated, hours(0, 11))
    assert (result.figure, result.credit) == (Fraction(0), Credit(rate=Fraction(1)))


def test_a_period_without_any_evidence_owes_nothing() -> None:
    stated = policy(unknown="excluded", metric={"kind": "percent", "promised": {"at_least": "99"}})
    result = outcome(stated, unknown=((ZERO, epoch(JUNE.end_at)),))
    assert (int(result.denominator), int(result.availability), result.kept) == (0, 100, True)


# ── kinds of credit, caps, stacking ────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("count", "seconds", "units"),
    [
        ("started", 3_601, 1),
        ("started", 7_200, 1),
        ("started", 7_201, 2),
        ("complete", 7_199, 0),
        ("complete", 7_200, 1),
    ],
)
def test_a_credit_per_unit_counts_started_or_complete_units(count: str, seconds: int, units: int) -> None:
    credit = {"kind": "per_unit", "rate": "0.02", "unit": 3_600, "beyond": 3_600, "count": count}
    stated = policy(tiers=[{"above": 3_600, "credit": credit}])
    assert outcome(stated, Outage(ZERO, ZERO + seconds, 1)).credit == Credit(rate=Fraction(units, 50))


def test_a_credit_per_unit_of_percent_counts_downward() -> None:
    credit = {"kind": "per_unit", "rate": "0.05", "unit": "0.5", "beyond": "99.5"}
    stated = policy(
        metric={"kind": "percent", "promised": {"at_least": "99.5"}}, tiers=[{"below": "99.5", "credit": credit}]
    )
    assert outcome(stated, hours(0, 7.2)).credit == Credit(rate=Fraction(1, 20))  # 99.0: one half point
    assert outcome(stated, hours(0, 7.3)).credit == Credit(rate=Fraction(1, 10))


def test_a_multiple_of_pro_rata_follows_the_time_down_up_to_the_cap() -> None:
    tiers = [{"above": 3_600, "credit": {"kind": "multiple_of_pro_rata", "times": 25}}]
    stated, capped = policy(tiers=tiers), policy(tiers=tiers, cap={"rate": "0.3"})
    assert outcome(stated, hours(0, 18)).credit == Credit(rate=Fraction(25 * 18, 720))
    assert outcome(capped, hours(0, 18)).credit == Credit(rate=Fraction(3, 10))


def test_days_of_service_are_capped_too() -> None:
    stated = policy(tiers=[{"above": 3_600, "credit": {"kind": "days", "days": 20}}], cap={"days": 15})
    assert outcome(stated, hours(0, 2)).credit == Credit(days=15)


def test_several_incidents_give_the_highest_or_the_sum() -> None:
    per_incident = {
        "metric": {"kind": "per_incident", "promised": {"below": 1_800}},
        "tiers": [
            {"at_least": 1_800, "below": 3_600, "credit": {"kind": "step", "rate": "0.03"}},
            {"at_least": 3_600, "credit": {"kind": "step", "rate": "0.1"}},
        ],
    }
    stops = (hours(0, 0.5), hours(10, 11), hours(20, 20.1))
    highest = outcome(policy(**per_incident), *stops)
    summed = outcome(policy(**per_incident, cap={"stacking": "sum"}), *stops)
    assert seconds_and_credit(highest) == (3_600, Credit(rate=Fraction(1, 10)))
    assert seconds_and_credit(summed) == (3_600, Credit(rate=Fraction(13, 100)))
    assert [(each.tier, each.credit.rate) for each in summed.incidents] == [
        (1, Fraction(3, 100)),
        (2, Fraction(1, 10)),
        (None, 0),
    ]


def test_an_incident_the_provider_never_knew_of_in_its_time_has_no_clock() -> None:
    stated = policy(metric={"kind": "per_incident", "clock": "known", "promised": {"below": 1_800}})
    assert outcome(stated, hours(0, 2, known=ZERO + 2 * HOUR)).incidents == ()


def test_no_claim_is_needed_or_none_can_be_dated() -> None:
    assert outcome(policy(claim={"kind": "automatic"}), hours(0, 2)).claim_before_at is None
    since_incident = policy(claim={"kind": "days", "after": 5, "since": "incident"})
    assert outcome(since_incident).claim_before_at is None
    assert outcome(since_incident, hours(0, 24)).claim_before_at == datetime(2027, 6, 7, tzinfo=UTC)


# ── every second, whatever the policy ──────────────────────────────────────────────────────────────────

spans = st.tuples(st.integers(-100_000, 2_700_000), st.integers(1, 90_000)).map(
    lambda each: (ZERO + each[0], ZERO + each[0] + each[1])
)
outages = st.lists(
    st.builds(
        lambda span, affected, cause: Outage(span[0], span[1], affected, cause),
        spans,
        st.integers(0, 20),
        st.sampled_from(StopCause),
    ),
    max_size=8,
)
EXCLUSIONS = [
    NIGHT,
    {"kind": "announced", "name": "announced", "clear_days": 2, "causes": ["system_update"], "yearly_seconds": 7_200},
    {"kind": "contract", "name": "interruption"},
    {"kind": "cause", "name": "customer", "causes": ["customer", "user_environment"]},
]


@given(
    outages,
    st.lists(spans, max_size=3),
    st.lists(spans, max_size=2),
    st.permutations(EXCLUSIONS),
    st.sampled_from(["up", "down", "excluded"]),
    st.sampled_from(["whole_stop", "after_exclusions"]),
    st.sampled_from([1, 60]),
)
def test_buckets_are_disjoint_and_sum_to_the_gross(
    stops: list[Outage],
    windows: list[tuple[int, int]],
    blind: list[tuple[int, int]],
    order: list[dict[str, Any]],
    unknown: str,
    judged: str,
    step: int,
) -> None:
    duration = {"minimum_seconds": 600, "judged": judged, "step_seconds": step}
    result = outcome(
        policy(exclusions=order, unknown=unknown, duration=duration, weight="affected_ratio"),
        *stops,
        population=((0, 20),),
        notices=tuple(UpdateNotice("n", window[0] - 200_000, *window) for window in windows),
        interruptions=tuple(Interruption(*window, "flood", "cto") for window in windows[:1]),
        unknown=union(tuple(blind[:1]), tuple(blind[1:])),
    )
    assert sum(result.waterfall().values()) == length(result.gross)
    assert union(*result.buckets.values()) == result.gross
    assert 0 <= result.down <= result.waterfall()["counted"]
    assert 0 <= result.availability <= 100
    assert result.kept == (result.tier is None)
