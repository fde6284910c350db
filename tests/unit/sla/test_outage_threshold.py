"""Article 9.3: more than 5 % of all users, counted as distinct users at each instant."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import date
from functools import cache

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keizoku.sla.counting import outage_threshold
from keizoku.sla.counting.outage_threshold import (
    Population,
    counted_windows,
    incident_windows,
    observed_windows,
    outages_from,
    users_needed,
)
from keizoku.sla.evidence.incident_files import Count, Incident
from keizoku.sla.evidence.observations import Observations, open_observations, read_observation_rows
from keizoku.sla.rules.intervals import Spans, normalise
from keizoku.sla.rules.outages import Cause, Outage
from keizoku.terms.policy import Terms
from tests.unit.sla.observed import add_observations

POLICY = Terms.load().at(date(2026, 4, 1))
HORIZON = 1_000_000
Row = tuple[str, int, int | None]


@cache
def shared_table() -> Observations:
    return open_observations()


@pytest.fixture(scope="module", autouse=True)
def _table_closed_at_the_end() -> Iterator[None]:
    yield
    shared_table().close()
    shared_table.cache_clear()


def windows(rows: Iterable[Row], users: int | Population, horizon: int = HORIZON) -> Spans:
    table = shared_table()
    table.clear()
    add_observations(table, rows)
    population = users if isinstance(users, Population) else Population.always(users)
    return observed_windows(table.table, population, POLICY, horizon)


def incident(start: int, end: int, affected: int, cause: Cause = Cause.FAULT, name: str = "i") -> Incident:
    return Incident(name, start, end, affected, cause, "", "suzuki")


@pytest.mark.parametrize(
    ("users", "needed"), [(1_000_000, 50_001), (1_000, 51), (1_001, 51), (1_019, 51), (1_020, 52), (17, 1)]
)
def test_9_3__strictly_more_than_five_percent(users: int, needed: int) -> None:
    assert users_needed(users, POLICY.sla.quorum_share) == needed


def test_9_3__fifty_of_a_thousand_are_not_enough_and_fifty_one_are() -> None:
    rows: list[Row] = [(f"u{n}", 100, 200) for n in range(50)]
    assert windows(rows, 1_000) == ()
    assert windows([*rows, ("u50", 150, 300)], 1_000) == ((150, 200),)


def test_9_3__a_user_with_two_symptoms_counts_once() -> None:
    table = shared_table()
    table.clear()
    rows = [
        (f"u{n}", symptom, "2026-04-10 12:00", "2026-04-10 13:00") for n in range(30) for symptom in ("site", "login")
    ]
    assert read_observation_rows(table, rows, "rows").taken == 60
    assert observed_windows(table.table, Population.always(1_000), POLICY, 2_000_000_000) == ()
    assert len(observed_windows(table.table, Population.always(599), POLICY, 2_000_000_000)) == 1


def test_9_3__users_who_take_turns_make_one_stop() -> None:
    rows: list[Row] = [(f"a{n}", 0, 360) for n in range(51)]
    rows += [(f"b{n}", 360, 720) for n in range(51)]
    assert windows(rows, 1_000) == ((0, 720),)


def test_9_3__the_same_row_twice_counts_once() -> None:
    assert windows([("a", 0, 10)] * 2, 20) == ()
    assert windows([("a", 0, 10), ("b", 5, 10), ("b", 5, 10)], 20) == ((5, 10),)


def test_9_3__what_is_still_open_runs_to_the_horizon() -> None:
    assert windows([("a", 100, None), ("b", 50, 120), ("b", 900, None)], 20, horizon=500) == ((100, 120),)


def test_9_3__the_population_of_the_instant_counts() -> None:
    growing = Population(((0, 20), (100, 40), (200, 19)))
    assert windows([("a", 50, 300), ("b", 50, 300)], growing) == ((50, 100), (200, 300))
    assert Population(((100, 40), (0, 20))).periods()[0][1:] == (100, 20)


def test_9_3__an_empty_population_is_a_programmers_error() -> None:
    for steps in ((), ((0, 0),)):
        with pytest.raises(ValueError, match="at least"):
            Population(steps)


def test_9_3__nothing_observed_is_no_stop() -> None:
    assert windows([], 17) == ()


def test_9_3__counts_of_overlapping_incidents_do_not_add_up() -> None:
    small = [incident(0, 1_000, 30, name="a"), incident(500, 1_500, 30, name="b")]
    assert outages_from((), small, Population.always(1_000), POLICY) == ()
    largest = [*small, incident(600, 700, 51, name="c")]
    assert outages_from((), largest, Population.always(1_000), POLICY) == (
        Outage(600, 700, Cause.FAULT, "incident c", incident="c"),
    )


def test_9_3__an_incident_passes_only_where_the_population_lets_it() -> None:
    growing = Population(((0, 1_000), (100, 1_020), (200, 1_000)))
    assert incident_windows(incident(50, 250, 51), growing, POLICY) == ((50, 100), (200, 250))


def test_9_3__a_count_is_judged_by_its_own_total() -> None:
    counts = [Count(0, 10, 50, 1_000), Count(10, 20, 51, 1_000), Count(20, 30, 6, 100)]
    assert counted_windows(counts, POLICY) == ((10, 30),)


def test_9_3__an_observed_second_takes_the_cause_of_the_incident_over_it() -> None:
    small = [
        incident(100, 200, 1, Cause.SYSTEM_UPDATE, "update"),
        incident(150, 160, 1, Cause.USER_ENVIRONMENT, "carrier"),
        incident(190, 300, 1, Cause.PARTNER, "bank"),
    ]
    assert outages_from(((50, 250),), small, Population.always(1_000), POLICY) == (
        Outage(50, 100, Cause.FAULT, "observations"),
        Outage(100, 190, Cause.SYSTEM_UPDATE, "observations, cause by incident update", incident="update"),
        Outage(190, 250, Cause.PARTNER, "observations, cause by incident bank", incident="bank"),
    )


def test_9_3__an_incident_that_passes_stands_beside_what_was_observed() -> None:
    outages = outages_from(((0, 100),), [incident(50, 200, 60, Cause.SYSTEM_UPDATE)], Population.always(1_000), POLICY)
    assert outages == (
        Outage(0, 50, Cause.FAULT, "observations"),
        Outage(50, 100, Cause.SYSTEM_UPDATE, "observations, cause by incident i", incident="i"),
        Outage(50, 200, Cause.SYSTEM_UPDATE, "incident i", incident="i"),
    )


def naive(rows: Iterable[Row], population: Population, horizon: int) -> Spans:
    """Distinct users of every second, one second after the other."""
    unable: dict[int, set[str]] = defaultdict(set)
    for user, start, end in rows:
        for second in range(start, horizon if end is None else end):
            unable[second].add(user)
    steps = population.steps
    passing = []
    for second, users in unable.items():
        everyone = next((n for at, n in reversed(steps) if at <= second), steps[0][1])
        if len(users) * 20 > everyone:
            passing.append((second, second + 1))
    return normalise(passing)


observations = st.lists(
    st.tuples(st.sampled_from("abcdef"), st.integers(0, 400), st.one_of(st.none(), st.integers(1, 200))).map(
        lambda row: (row[0], row[1], None if row[2] is None else row[1] + row[2])
    ),
    max_size=14,
)
populations = st.lists(
    st.tuples(st.integers(0, 500), st.integers(1, 90)), min_size=1, max_size=3, unique_by=lambda step: step[0]
).map(lambda steps: Population(tuple(steps)))


@settings(max_examples=50)
@given(observations, populations)
def test_9_3__a_second_by_second_count_agrees(rows: list[Row], population: Population) -> None:
    assert windows(rows, population, 450) == naive(rows, population, 450)


@settings(max_examples=50)
@given(observations, populations, st.integers(1, 199))
def test_9_3__splitting_and_repeating_rows_does_not_matter(
    rows: list[Row], population: Population, seconds: int
) -> None:
    split: list[Row] = []
    for user, start, end in rows:
        cut = start + seconds
        inside = end is not None and cut < end
        split += [(user, start, cut), (user, cut, end)] if inside else [(user, start, end)] * 2
    assert windows(split[::-1], population, 450) == windows(rows, population, 450)


@pytest.mark.parametrize("most", [1, 2, 3, outage_threshold.MOST_CANDIDATES])
def test_9_3__hundreds_of_stops_are_all_found_however_few_spans_a_row_is_held_against(
    most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every 200 s two users are unable together for 40 s, or one of them twice."""
    monkeypatch.setattr(outage_threshold, "MOST_CANDIDATES", most)
    rows: list[Row] = []
    for at in range(1_000, 61_000, 200):
        rows += [("a", at, at + 50), ("b" if at % 3 else "a", at + 10, at + 90)]
    both = tuple((at + 10, at + 50) for at in range(1_000, 61_000, 200) if at % 3)
    assert len(both) == 200
    assert windows(rows, 39) == both
    assert windows([*rows, ("c", 30_005, 30_100)], 39) == normalise([*both, (30_005, 30_090)])


def test_9_3__spans_are_joined_over_their_smallest_gaps() -> None:
    spans = ((0, 10), (12, 20), (50, 60), (63, 70), (200, 210))
    assert outage_threshold._fewer(spans, 5) == spans
    assert outage_threshold._fewer(spans, 3) == ((0, 20), (50, 70), (200, 210))
    assert outage_threshold._fewer(spans, 2) == ((0, 70), (200, 210))
    assert outage_threshold._fewer(spans, 1) == ((0, 210),)


def test_9_3__one_query_reads_any_relation_called_observation() -> None:
    with duckdb.connect() as table:
        rows = "SELECT 'u' || i AS user_id, 10 AS started, 20 AS ended FROM range(2) AS numbers(i)"
        table.execute(f"CREATE VIEW observation AS {rows}")
        assert observed_windows(table, Population.always(39), POLICY, HORIZON) == ((10, 20),)


def test_9_3__each_stop_names_the_kind_of_evidence_that_shows_it() -> None:
    small = incident(0, 900, 1, Cause.SYSTEM_UPDATE, name="release")
    ruled = Incident("", 3_000, 3_600, 60, Cause.FAULT, "", "", named="unknown time, decision 1")
    outages = outages_from(((0, 600),), [small, ruled], Population.always(1_000), POLICY, counted=((300, 1_200),))
    assert [(outage.start, outage.end, outage.cause, outage.source, outage.incident) for outage in outages] == [
        (0, 600, Cause.SYSTEM_UPDATE, "observations, cause by incident release", "release"),
        (300, 900, Cause.SYSTEM_UPDATE, "counts, cause by incident release", "release"),
        (900, 1_200, Cause.FAULT, "counts", ""),
        (3_000, 3_600, Cause.FAULT, "unknown time, decision 1", ""),
    ]
