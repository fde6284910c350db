"""What the lint finds in an SLA as stated: each planted fault by name, and nothing where nothing is."""

from datetime import date
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keizoku.terms.stated.sla_lint import lint
from keizoku.terms.stated.sla_policy import PUBLIC, SlaPolicy, parse_policy, public_policies, read_policy

SOUND: dict[str, Any] = {
    "name": "sound",
    "title": "A sound SLA",
    "source": {"name": "made up", "last_checked_on": date(2027, 1, 1)},
    "subject": {"of": "all users", "signal": "errors"},
    "predicate": {"comparator": ">", "threshold": "0.05", "population": "users"},
    "weight": "binary",
    "unknown": "up",
    "period": {"kind": "month", "zone": "UTC"},
    "metric": {"kind": "percent", "promised": {"at_least": "99.9"}},
    "tiers": [
        {"at_least": "99", "below": "99.9", "credit": {"kind": "step", "rate": "0.1"}},
        {"below": "99", "credit": {"kind": "step", "rate": "0.3"}},
    ],
    "claim": {"kind": "days", "after": 30},
    "settlement": {"kind": "later_invoice", "fee": "monthly fee"},
}
SECONDS = {"kind": "seconds", "promised": {"at_most": 3_600}}


def found(**changed: Any) -> list[tuple[str, str]]:
    """(value, kind of finding) of the sound SLA with some dimensions changed."""
    findings = lint(parse_policy({**SOUND, **changed}, "sound.toml"), "sound.toml")
    return [(finding.value, finding.rule.partition(":")[0]) for finding in findings]


def tier(rate: str = "0.1", **bounds: Any) -> dict[str, Any]:
    return {**bounds, "credit": {"kind": "step", "rate": rate}}


def test_a_sound_sla_has_no_findings() -> None:
    assert found() == []


def test_github__nothing_is_owed_at_exactly_99_and_a_credit_at_exactly_99_9() -> None:
    assert [str(finding) for finding in lint(read_policy(PUBLIC / "github.toml"), "github.toml")] == [
        "github.toml: u = exactly 99: gap: the promise is broken and no tier takes it; widen a tier",
        (
            "github.toml: u = exactly 99.9: overlap: the promise is kept and tier 1 owes a credit; "
            "let the promise end where the tier begins"
        ),
    ]


@pytest.mark.parametrize(
    "policy", [each for each in public_policies() if each.name != "github"], ids=lambda policy: policy.name
)
def test_the_other_examples_have_no_findings(policy: SlaPolicy) -> None:
    assert lint(policy, policy.name) == []


@pytest.mark.parametrize(
    ("tiers", "expected"),
    [
        # a gap between tiers, under the last, above the first
        ([tier(at_least="99", below="99.9"), tier("0.3", below="98.5")], [("u = 98.5 <= u < 99", "gap")]),
        ([tier(at_least="99", below="99.9"), tier("0.3", at_least="95", below="99")], [("u = 0 <= u < 95", "gap")]),
        ([tier(below="99.5")], [("u = 99.5 <= u < 99.9", "gap")]),
        ([tier(above="99", below="99.9"), tier("0.3", below="99")], [("u = exactly 99", "gap")]),
        # overlaps
        ([tier(at_least="99", below="99.9"), tier("0.3", at_most="99")], [("u = exactly 99", "overlap")]),
        ([tier(at_least="98", below="99.9"), tier("0.3", below="99")], [("u = 98 <= u < 99", "overlap")]),
        ([tier(below="99.95")], [("u = 99.9 <= u < 99.95", "overlap")]),
    ],
)
def test_gaps_and_overlaps_are_found_with_their_exact_bounds(
    tiers: list[dict[str, Any]], expected: list[tuple[str, str]]
) -> None:
    assert found(tiers=tiers) == expected


@pytest.mark.parametrize(
    ("tiers", "unreachable"),
    [
        ([tier(below="99.9"), tier("0.3", below="99")], "tier 2 (u < 99)"),  # the first takes it all
        ([tier(below="99.9"), tier("0.3", at_least="99", below="99")], "tier 2 (99 <= u < 99)"),  # empty
        ([tier(below="99.9"), tier("0.3", below="0")], "tier 2 (u < 0)"),  # less than nothing
        ([tier(below="99.9"), tier("0.3", above="100")], "tier 2 (100 < u)"),
    ],
)
def test_a_tier_that_nothing_comes_to_first_is_found(tiers: list[dict[str, Any]], unreachable: str) -> None:
    assert (unreachable, "unreachable") in found(tiers=tiers)


def test_a_tier_beyond_the_longest_month_is_unreachable_but_not_in_a_quarter() -> None:
    month = 31 * 86_400
    tiers = [tier(above=3_600, at_most=month), tier("0.5", above=month)]
    assert found(metric=SECONDS, tiers=tiers) == [(f"tier 2 ({month} < u)", "unreachable")]
    assert found(metric=SECONDS, tiers=tiers, period={"kind": "quarter", "zone": "UTC"}) == []


def test_an_incident_shorter_than_the_minimum_reaches_no_tier() -> None:
    stated = {
        "metric": {"kind": "per_incident", "promised": {"below": 300}},
        "tiers": [tier(at_least=300, below=600), tier("0.3", at_least=600)],
    }
    assert found(**stated, duration={"minimum_seconds": 600}) == [("tier 1 (300 <= u < 600)", "unreachable")]
    assert found(**stated, duration={"minimum_seconds": 599}) == []
    # what an exclusion or a late clock takes off a long incident leaves a short one
    known = {**stated, "metric": {"kind": "per_incident", "clock": "known", "promised": {"below": 300}}}
    assert found(**known, duration={"minimum_seconds": 600}) == []
    assert found(**stated, duration={"minimum_seconds": 600}, exclusions=[window("night", "01:00", "06:00")]) == []


def test_between_two_whole_seconds_there_is_no_gap() -> None:
    tiers = [tier(at_least=3_601, at_most=7_200), tier("0.3", at_least=7_201)]
    assert found(metric=SECONDS, tiers=tiers) == []
    assert found(metric=SECONDS, tiers=tiers, weight="affected_ratio") == [
        ("u = 3600 < u < 3601", "gap"),
        ("u = 7200 < u < 7201", "gap"),
    ]
    assert found(metric=SECONDS, tiers=[tiers[0], tier("0.3", above=7_201)]) == [("u = exactly 7201", "gap")]


def test_a_worse_tier_that_owes_less_is_found() -> None:
    steps = [tier("0.3", at_least="99", below="99.9"), tier("0.1", below="99")]
    assert found(tiers=steps) == [("tier 2 (u < 99)", "order")]
    days = [{**one, "credit": {"kind": "days", "days": 9 - number}} for number, one in enumerate(steps)]
    assert found(tiers=days) == [("tier 2 (u < 99)", "order")]
    rising = [tier("0.3", above=3_600, at_most=7_200), tier("0.1", above=7_200)]
    assert found(metric=SECONDS, tiers=rising) == [("tier 2 (7200 < u)", "order")]


def test_a_worse_tier_may_owe_the_same() -> None:
    assert found(tiers=[tier("0.1", at_least="99", below="99.9"), tier("0.1", below="99")]) == []


def test_a_tier_that_owes_more_than_the_cap_is_found() -> None:
    assert found(cap={"rate": "0.2"}) == [("tier 2 (u < 99)", "cap")]
    days = [{"below": "99.9", "credit": {"kind": "days", "days": 16}}]
    assert found(tiers=days, cap={"days": 15}) == [("tier 1 (u < 99.9)", "cap")]


@pytest.mark.parametrize(
    ("period", "claim", "value"),
    [
        # counted from the incident: a stop on the first day runs out of time before the period is over
        ("month", {"kind": "days", "after": 29, "since": "incident"}, "an outage on 2027-01-01"),
        ("quarter", {"kind": "end_of_month", "after": 1, "since": "incident"}, "an outage on 2027-01-01"),
        ("quarter", {"kind": "days", "after": 30, "since": "incident"}, "an outage on 2027-01-01"),
        ("billing_cycle", {"kind": "end_of_month", "after": 0, "since": "incident"}, "an outage on 2027-01-01"),
        ("billing_cycle", {"kind": "end_of_cycle", "after": 0, "since": "incident"}, "an outage on 2027-01-01"),
        # counted from the period, and yet within it
        ("month", {"kind": "day_of_month", "day": 15, "after": 0}, "an outage on 2027-01-01"),
        ("month", {"kind": "end_of_month", "after": 0}, "an outage on 2027-01-01"),
        ("month", {"kind": "days", "after": 0}, "an outage on 2027-01-01"),
        ("month", {"kind": "days", "after": -3}, "an outage on 2027-01-01"),
    ],
)
def test_a_deadline_before_the_period_is_over_is_found(period: str, claim: dict[str, Any], value: str) -> None:
    findings = found(period={"kind": period, "zone": "Asia/Tokyo"}, claim=claim)
    assert [(told.partition(" in the period")[0], kind) for told, kind in findings] == [(value, "deadline")]


@pytest.mark.parametrize(
    ("period", "claim"),
    [
        ("month", {"kind": "days", "after": 31, "since": "incident"}),
        ("month", {"kind": "end_of_month", "after": 1, "since": "incident"}),
        ("quarter", {"kind": "end_of_month", "after": 3, "since": "incident"}),
        ("quarter", {"kind": "day_of_month", "day": 1, "after": 1}),
        ("billing_cycle", {"kind": "end_of_cycle", "after": 1, "since": "incident"}),
        ("month", {"kind": "automatic"}),
        ("month", {"kind": "unstated"}),
    ],
)
def test_a_deadline_after_the_period_is_fine(period: str, claim: dict[str, Any]) -> None:
    assert found(period={"kind": period, "zone": "UTC"}, claim=claim) == []


def test_a_credit_for_each_incident_can_be_asked_for_at_once() -> None:
    per_incident = {"metric": {"kind": "per_incident", "promised": {"below": 600}}, "tiers": [tier(at_least=600)]}
    assert found(**per_incident, claim={"kind": "days", "after": 3, "since": "incident"}) == []


def window(name: str, start: str, end: str, **more: Any) -> dict[str, Any]:
    return {"kind": "recurring", "name": name, "from_second": start, "to_second": end, "zone": "UTC", **more}


@pytest.mark.parametrize(
    ("exclusions", "name"),
    [
        ([window("always", "00:00", "00:00")], "always"),
        ([window("day", "06:00", "22:00"), window("night", "22:00", "06:00")], "day, night"),
        (
            [
                window("weekdays", "00:00", "00:00", weekdays=[1, 2, 3, 4, 5]),
                window("weekend", "00:00", "00:00", weekdays=[6, 7]),
            ],
            "weekdays, weekend",
        ),
        # 15:00 UTC is midnight in Japan: two zones together
        ([window("here", "00:00", "15:00"), window("there", "00:00", "09:00", zone="Asia/Tokyo")], "here, there"),
        ([{"kind": "cause", "name": "all", "causes": ["customer", "fault"]}], "all"),
        ([{"kind": "announced", "name": "as it happens", "notice_seconds": 0}], "as it happens"),
    ],
)
def test_exclusions_that_swallow_everything_are_found(exclusions: list[dict[str, Any]], name: str) -> None:
    assert found(exclusions=exclusions) == [(name, "swallows everything")]


def test_exclusions_that_leave_something_are_fine() -> None:
    assert found(exclusions=[window("nearly", "00:00", "23:59")]) == []
    assert found(exclusions=[window("weekdays", "00:00", "00:00", weekdays=[1, 2, 3, 4, 5])]) == []
    announced = {"kind": "announced", "name": "update", "notice_seconds": 0}
    assert found(exclusions=[{**announced, "causes": ["system_update"]}]) == []
    assert found(exclusions=[{**announced, "yearly_seconds": 3_600}]) == []
    assert found(exclusions=[{**announced, "notice_seconds": 1}]) == []


def test_what_the_windows_leave_may_be_shorter_than_the_shortest_stop() -> None:
    nearly = [window("nearly", "00:10", "00:00")]
    assert found(exclusions=nearly, duration={"minimum_seconds": 601, "judged": "after_exclusions"}) == [
        ("nearly", "swallows everything")
    ]
    assert found(exclusions=nearly, duration={"minimum_seconds": 600, "judged": "after_exclusions"}) == []
    assert found(exclusions=nearly, duration={"minimum_seconds": 601, "judged": "whole_stop"}) == []
    over_the_weeks_end = [window("rest", "00:05", "23:55")]  # 23:55 to 00:05 is left, from Sunday to Monday too
    on_others = [window("others", "23:55", "00:05", weekdays=[1, 2, 3, 4, 5, 6])]
    left = {"exclusions": over_the_weeks_end + on_others}
    assert found(**left, duration={"minimum_seconds": 600, "judged": "after_exclusions"}) == []


def test_a_shortest_stop_as_long_as_the_period_swallows_everything() -> None:
    assert found(duration={"minimum_seconds": 28 * 86_400}) == [("duration", "swallows everything")]


bounds = (
    st.sampled_from(["above", "at_least"]),
    st.sampled_from(["below", "at_most"]),
    st.integers(0, 100),
    st.integers(0, 100),
)


@given(st.lists(st.tuples(*bounds), min_size=1, max_size=4), st.integers(0, 200))
def test_a_figure_is_in_a_gap_or_an_overlap_exactly_where_the_lint_says(
    stated: list[tuple[str, str, int, int]], halves: int
) -> None:
    """The lint's ranges against asking every tier by itself, on whole and half percents."""
    tiers = [tier("0.1", **{low: a, high: b}) for low, high, a, b in stated]
    metric = {"kind": "percent", "promised": {"at_least": 90}}
    policy = parse_policy({**SOUND, "metric": metric, "tiers": tiers, "claim": {"kind": "automatic"}}, "x")
    figure = Fraction(halves, 2)
    takers = [one for one in policy.tiers if one.takes(figure)]
    promised = figure >= 90
    told = {
        finding.rule.partition(":")[0]
        for finding in lint(policy, "x")
        if finding.value.startswith("u = ") and takes(finding.value.removeprefix("u = "), figure)
    }
    expected = {"gap"} if not promised and not takers else {"overlap"} if len(takers) + promised > 1 else set()
    assert told == expected


def takes(text: str, figure: Fraction) -> bool:
    """Whether a range as the lint writes it holds a figure."""
    if text.startswith("exactly "):
        return figure == Fraction(text.removeprefix("exactly "))
    low, _, high = text.partition(" u ")
    bound, sign = low.split()
    other, limit = high.split()
    over = figure > Fraction(bound) if sign == "<" else figure >= Fraction(bound)
    return over and (figure < Fraction(limit) if other == "<" else figure <= Fraction(limit))
