"""Evidence as a stated SLA looks at it: how many distinct users were unable at each second, and from which cause."""

from collections.abc import Iterator
from functools import cache
from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keizoku.sla.counting.outage_threshold import Population, UsersUnable, users_unable
from keizoku.sla.counting.stated_outages import measured_period, stated_outages
from keizoku.sla.evidence.incident_files import Count, Incident
from keizoku.sla.evidence.observations import Observations, open_observations
from keizoku.sla.policies.seconds import StatedOutage
from keizoku.sla.rules.outages import Cause
from keizoku.terms.calendar import Month
from keizoku.terms.stated.sla_policy import OutageCause, Predicate
from tests.unit.sla.observed import add_observations
from tests.unit.sla.plain_policy import policy

HORIZON = 1_000
Row = tuple[str, int, int | None]


@cache
def shared_table() -> Observations:
    return open_observations()


@pytest.fixture(scope="module", autouse=True)
def _table_closed_at_the_end() -> Iterator[None]:
    yield
    shared_table().close()
    shared_table.cache_clear()


def unable_at(rows: list[Row], second: int) -> int:
    return len({user for user, start, end in rows if start <= second < (HORIZON if end is None else end)})


rows = st.lists(
    st.tuples(st.sampled_from("abcd"), st.integers(0, 120), st.none() | st.integers(1, 150)).map(
        lambda row: (row[0], row[1], None if row[2] is None else row[1] + row[2])
    ),
    max_size=10,
)


@given(rows, st.sampled_from(["0", "0.25", "0.5", "1"]), st.sampled_from([">", ">="]), st.booleans())
def test_levels_are_those_of_counting_every_second(
    stated: list[Row], threshold: str, comparator: str, each_level: bool
) -> None:
    predicate = Predicate.model_validate({"comparator": comparator, "threshold": threshold, "population": "users"})
    population = Population(((0, 4), (90, 5)))
    observed = shared_table()
    observed.clear()
    add_observations(observed, stated)
    found = users_unable(observed.table, population, predicate.needed, HORIZON, each_level=each_level)
    enough = {
        second: users
        for second in range(HORIZON)
        if (users := unable_at(stated, second)) >= predicate.needed(4 if second < 90 else 5)
    }
    if each_level:
        assert {second: each.users for each in found for second in range(each.start, each.end)} == enough
        return
    seconds = sorted(enough)
    runs = [
        [second for _, second in run]
        for _, run in groupby(enumerate(seconds), key=lambda each: (each[1] - each[0], each[1] < 90))
    ]
    assert found == [UsersUnable(run[0], run[-1] + 1, min(enough[second] for second in run)) for run in runs]


@pytest.mark.parametrize(
    ("comparator", "threshold", "users", "needed"),
    [
        (">", "0.05", 1_000, 51),
        (">=", "0.05", 1_000, 50),
        (">=", "0.05", 1_001, 51),
        (">", "0", 9, 1),
        (">=", "0", 9, 1),
    ],
)
def test_the_fewest_users_that_make_a_stop(comparator: str, threshold: str, users: int, needed: int) -> None:
    stated = policy(predicate={"comparator": comparator, "threshold": threshold, "population": "users"})
    assert stated.predicate.needed(users) == needed


def test_what_is_observed_or_counted_takes_the_strongest_cause_of_the_incidents_it_overlaps() -> None:
    update = Incident("u", 100, 300, 1, Cause.SYSTEM_UPDATE, "", "suzuki")
    partner = Incident("p", 200, 250, 1, Cause.PARTNER, "", "suzuki")
    found = stated_outages([UsersUnable(50, 400, 9)], [Count(150, 210, 3, 30)], [update, partner])
    fault, partners, updates = OutageCause.FAULT, OutageCause.PARTNER, OutageCause.SYSTEM_UPDATE
    assert set(found) == {
        StatedOutage(100, 300, 1, updates),
        StatedOutage(200, 250, 1, partners),
        StatedOutage(50, 100, 9, fault),
        StatedOutage(100, 200, 9, updates),
        StatedOutage(200, 250, 9, partners),
        StatedOutage(250, 300, 9, updates),
        StatedOutage(300, 400, 9, fault),
        StatedOutage(150, 200, 3, updates, total=30),
        StatedOutage(200, 210, 3, partners, total=30),
    }


@pytest.mark.parametrize(
    ("kind", "days"),
    [
        ("month", "2026-05-01 2026-06-01"),
        ("quarter", "2026-04-01 2026-07-01"),
        ("billing_cycle", "2026-05-01 2026-06-01"),
    ],
)
def test_the_period_is_the_one_in_which_the_month_begins(kind: str, days: str) -> None:
    period = measured_period(policy(period={"kind": kind, "zone": "UTC"}), Month(2026, 5))
    assert f"{period.first_on} {period.end_on}" == days
