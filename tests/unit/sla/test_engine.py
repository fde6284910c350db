"""The dimensions of a stated SLA, one at a time: what each does to the seconds, the figure and the credit."""

from datetime import UTC, date, datetime
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keizoku.sla.policies.engine import Credit, evaluate
from keizoku.sla.policies.seconds import CauseRuling, PolicyFacts, StatedOutage, recurring_windows
from keizoku.sla.rules.intervals import length, union
from keizoku.sla.rules.outages import Interruption, UpdateNotice
from keizoku.terms.calendar import epoch
from keizoku.terms.stated.sla_periods import period_of
from keizoku.terms.stated.sla_policy import OutageCause, Recurring
from tests.unit.sla.plain_policy import HOUR, JUNE, ZERO, filled, hours, outcome, policy

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
    over_one = StatedOutage(ZERO + HOUR - 480, ZERO + HOUR + 300, 1)  # 00:52 to 01:05
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
        StatedOutage(ZERO, ZERO + 400, 1, OutageCause.SYSTEM_UPDATE),
        StatedOutage(ZERO + 430, ZERO + 700, 1, OutageCause.SYSTEM_UPDATE),
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
            tuple(StatedOutage(*window, 1, OutageCause.SYSTEM_UPDATE) for window in windows),
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
        rulings=(CauseRuling((second,), OutageCause.CUSTOMER, "suzuki", "own router"),),
    )
    without = outcome(
        stated,
        hours(0, 4),
        interruptions=(Interruption(*first, "", "cto"),),
        rulings=(CauseRuling((second,), OutageCause.CUSTOMER, "suzuki", " "),),
    )
    assert filled(with_ground) == {"interruption": HOUR, "customer": HOUR, "counted": 2 * HOUR}
    assert filled(without) == {"counted": 4 * HOUR}


def test_a_ruling_of_another_cause_excludes_nothing() -> None:
    stated = policy(exclusions=[{"kind": "cause", "name": "customer", "causes": ["customer"]}])
    ruling = CauseRuling(((ZERO, ZERO + HOUR),), OutageCause.PARTNER, "suzuki", "their own line")
    assert filled(outcome(stated, hours(0, 1), rulings=(ruling,))) == {"counted": HOUR}


def test_an_announcement_excludes_only_the_causes_it_is_for() -> None:
    update = {"kind": "announced", "name": "update", "notice_seconds": 0, "causes": ["system_update"]}
    notice = UpdateNotice("n", ZERO, ZERO, ZERO + 2 * HOUR)
    result = outcome(policy(exclusions=[update]), hours(0, 1, cause="system_update"), hours(1, 2), notices=(notice,))
    assert filled(result) == {"update": HOUR, "counted": HOUR}


def test_an_announcement_that_was_withdrawn_or_moved_excludes_no_more_than_both_issues() -> None:
    announced = {"kind": "announced", "name": "announced", "notice_seconds": 0}
    first = UpdateNotice("n", ZERO - HOUR, ZERO, ZERO + 3 * HOUR)
    withdrawn = UpdateNotice("n", ZERO + HOUR, ZERO, ZERO + 3 * HOUR, cancelled=True)
    moved = UpdateNotice("n", ZERO + HOUR, ZERO + 2 * HOUR, ZERO + 4 * HOUR)
    stated = policy(exclusions=[announced])
    assert filled(outcome(stated, hours(0, 5), notices=(first, withdrawn))) == {"announced": HOUR, "counted": 4 * HOUR}
    assert outcome(stated, hours(0, 5), notices=(first, moved)).buckets["announced"] == (
        (ZERO, ZERO + HOUR),
        (ZERO + 2 * HOUR, ZERO + 4 * HOUR),
    )


def test_a_count_states_its_own_total() -> None:
    of_fewer = StatedOutage(ZERO, ZERO + HOUR, 6, total=100)
    assert filled(outcome(policy(), of_fewer, population=((0, 1_000),))) == {"counted": HOUR}


def test_a_window_from_midnight_to_midnight_is_the_whole_day() -> None:
    sundays = {**NIGHT, "from_second": "00:00", "to_second": "00:00", "weekdays": [7]}
    result = outcome(policy(exclusions=[sundays]), hours(5 * 24 - 1, 6 * 24 + 2))  # 6 June 2027 is a Sunday
    assert filled(result) == {"night": 24 * HOUR, "counted": 3 * HOUR}


def test_a_window_that_began_the_evening_before_takes_the_small_hours() -> None:
    late = {**NIGHT, "from_second": "23:00", "to_second": "04:00"}
    assert filled(outcome(policy(exclusions=[late]), hours(24.5, 29))) == {"night": int(3.5 * HOUR), "counted": HOUR}


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


def test_what_was_reported_as_small_is_evidence_and_not_unknown() -> None:
    blind = ((ZERO, ZERO + 2 * HOUR),)
    result = outcome(policy(unknown="down"), hours(0, 1, 10), population=((0, 1_000),), unknown=blind)
    assert filled(result) == {"counted": HOUR}


def test_nobody_is_affected_twice() -> None:
    stated = policy(weight="affected_ratio")
    assert outcome(stated, hours(0, 1, 25), population=((0, 20),)).down == HOUR


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


# ── every second, whatever the policy ──────────────────────────────────────────────────────────────────

spans = st.tuples(st.integers(-100_000, 2_700_000), st.integers(1, 90_000)).map(
    lambda each: (ZERO + each[0], ZERO + each[0] + each[1])
)
outages = st.lists(
    st.builds(
        lambda span, affected, cause: StatedOutage(span[0], span[1], affected, cause),
        spans,
        st.integers(0, 20),
        st.sampled_from(OutageCause),
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
    outages: list[StatedOutage],
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
        *outages,
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
