"""Sets of seconds: exact set algebra, and what other availability engines expect of the same arithmetic."""

import json
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keizoku.sla.rules.intervals import (
    NOTHING,
    Spans,
    as_iso,
    bridge,
    clip,
    intersect,
    length,
    normalise,
    subtract,
    union,
)
from keizoku.terms.calendar import from_epoch, iso_jst

VECTORS = Path(__file__).parents[5] / "shared" / "vectors" / "sla.json"
# What other systems' own tests expect: window, down, maintenance (counted as up), seconds up.
OTHERS = {
    "icinga-flap": ((1000, 2000), [(1000, 1100), (1300, 1400), (1600, 1700), (1900, 2000)], [], 600),
    "icinga-overlap": ((1000, 2000), [(1200, 1500)], [(1100, 1300), (1400, 1600)], 900),
    "op5-up-down-dt-up": (
        (1202684400, 1202770800),
        [(1202688000, 1202698800)],
        [(1202688000, 1202695200)],
        75_600 + 7_200,
    ),
    "ma-timeperiod": ((1262991600, 1262991900), [(1262991640, 1262991710)], [], 230),
}

spans = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 12)).map(lambda at: (at[0], at[0] + at[1])), max_size=8)


def seconds(of: Spans) -> set[int]:
    return {second for start, end in of for second in range(start, end)}


def test_overlapping_adjacent_and_empty_spans_become_one_set() -> None:
    assert normalise([(30, 40), (10, 20), (15, 30), (50, 50), (12, 13)]) == ((10, 40),)


def test_a_span_that_ends_before_it_starts_is_a_programmers_error() -> None:
    with pytest.raises(ValueError, match="cannot end before it starts"):
        normalise([(5, 4)])


@given(spans, spans)
def test_the_algebra_is_that_of_sets_of_seconds(a: list[tuple[int, int]], b: list[tuple[int, int]]) -> None:
    left, right = normalise(a), normalise(b)
    assert seconds(union(left, right)) == seconds(left) | seconds(right)
    assert seconds(intersect(left, right)) == seconds(left) & seconds(right)
    assert seconds(subtract(left, right)) == seconds(left) - seconds(right)
    assert length(left) == len(seconds(left))


@given(spans, spans)
def test_equal_sets_are_equal_values(a: list[tuple[int, int]], b: list[tuple[int, int]]) -> None:
    for made in (union(normalise(a), normalise(b)), subtract(normalise(a), normalise(b))):
        assert made == normalise(made)
        assert all(before[1] < after[0] for before, after in pairwise(made))


@given(spans, st.integers(0, 72), st.integers(0, 72))
def test_clipping_keeps_what_lies_inside(a: list[tuple[int, int]], start: int, end: int) -> None:
    assert seconds(clip(normalise(a), start, end)) == seconds(normalise(a)) & set(range(start, end))


def test_only_gaps_shorter_than_the_resolution_are_bridged() -> None:
    apart = ((0, 10), (40, 50), (110, 120))
    assert bridge(apart, 0) == apart
    assert bridge(apart, 30) == apart
    assert bridge(apart, 31) == ((0, 50), (110, 120))
    assert bridge(NOTHING, 31) == NOTHING


def test_spans_are_written_in_japan_time() -> None:
    assert as_iso(((1775779200, 1775792220),)) == [["2026-04-10T09:00:00+09:00", "2026-04-10T12:37:00+09:00"]]


@pytest.mark.parametrize("name", OTHERS)
def test_other_availability_engines_count_the_same(name: str) -> None:
    (start, end), down, maintenance, up_seconds = OTHERS[name]
    missed = subtract(clip(normalise(down), start, end), normalise(maintenance))
    assert end - start - length(missed) == up_seconds


def test_service_hours_leave_the_seconds_outside_them_out() -> None:
    hours = normalise([(1262991600, 1262991630), (1262991700, 1262991900)])
    down = normalise([(1262991640, 1262991710)])
    inside = length(intersect(hours, down))
    assert (length(hours) - inside, inside, 300 - length(hours)) == (220, 10, 70)


@pytest.mark.skipif(not VECTORS.exists(), reason="the vectors are not beside this checkout")
def test_the_vectors_of_other_systems_are_those_above() -> None:
    cases = {case["id"]: case for case in json.loads(VECTORS.read_text())["other_systems"]["cases"]}
    for name, (window, down, maintenance, up_seconds) in OTHERS.items():
        case, expected = cases[name], cases[name].get("expect", {})
        assert tuple(case["window"]) == window
        assert [tuple(span) for span in case["down"]] == down
        assert [tuple(span) for span in case.get("maintenance", [])] == maintenance
        if "expect_pct" in case:
            assert Fraction(str(case["expect_pct"])) == Fraction(up_seconds * 100, window[1] - window[0])
        elif "up" in expected:
            assert expected["up"] + expected["down_sched"] == up_seconds
            assert expected["down_unsched"] == window[1] - window[0] - up_seconds
        else:
            assert expected["all"]["ok"] == up_seconds


@given(st.integers(-(10**9), 7_258_118_400))
def test_times_are_those_of_the_calendar(second: int) -> None:
    assert as_iso(((second, second + 1),)) == [[iso_jst(from_epoch(second)), iso_jst(from_epoch(second + 1))]]
