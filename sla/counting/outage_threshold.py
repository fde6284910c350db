"""When did more than the threshold of all users have an outage (サービス停止状態)?

Decides premium/9.3 with its three kinds of symptom, which are one: who cannot open the site, log in or see
his information is one user unable. Strictly more than the share counts: of 1,000,000 users 50,000 are not
enough, 50,001 are.

    user a   |------|                      users unable   1 2 2 1 0
    user b      |------|            need at least 2  ->       [--)
    user a       |-|   (another symptom, same user)

Evidence is of three kinds. Observations name users and are counted as distinct users per instant, by one query
that DuckDB and Spark both answer (`sql_query`). Incidents and counts state how many users were hit; those of
overlapping ones may be the same people and never add up, so each has to pass alone. Instants are epoch seconds,
spans are [start, end).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

from keizoku.sla.evidence.incident_files import Count, Incident
from keizoku.sla.evidence.sql_query import BROADCAST, SIDES, Query, Relations, Step, ask, edge, has
from keizoku.sla.rules.intervals import NOTHING, Spans, intersect, normalise, subtract
from keizoku.sla.rules.outages import Cause, Outage
from keizoku.terms.calendar import DAY_SECONDS
from keizoku.terms.decision import decides
from keizoku.terms.policy import Policy

BEFORE_ALL = -(2**62)
AFTER_ALL = 2**62
COUNTED = "observation_minute"
OWN_SECONDS = f"SELECT {edge('started', 'ended')} AS moment, side AS delta FROM distinct_users CROSS JOIN {SIDES}"  # noqa: S608
MOST_CANDIDATES = 64
"""Spans that a row is held against; of more, those with the smallest gaps between them are one."""


@dataclass(frozen=True, slots=True)
class Population:
    """Registered users of the whole service: (from epoch, users), in order, each until the next one.

    The first figure also holds for the time before it. Raises ValueError when empty or not positive.
    """

    steps: tuple[tuple[int, int], ...]

    def __post_init__(self) -> None:
        if not self.steps or any(users < 1 for _, users in self.steps):
            raise ValueError("A population needs at least one figure, and each of at least 1 user.")
        object.__setattr__(self, "steps", tuple(sorted(dict(self.steps).items())))

    @classmethod
    def always(cls, users: int) -> "Population":
        """A number of users that does not change."""
        return cls(((BEFORE_ALL, users),))

    def periods(self) -> list[tuple[int, int, int]]:
        """(from, to, users) without a gap from the beginning to the end of time."""
        starts = [BEFORE_ALL, *(at for at, _ in self.steps[1:])]
        ends = [*starts[1:], AFTER_ALL]
        return [(start, end, users) for start, end, (_, users) in zip(starts, ends, self.steps, strict=True)]


class UsersUnable(NamedTuple):
    """So many distinct users were unable in [start, end)."""

    start: int
    end: int
    users: int


@decides("premium/9.3")
def users_needed(users: int, share: Fraction) -> int:
    """The fewest users unable at one instant that are strictly more than the share of all users."""
    return users * share.numerator // share.denominator + 1


@decides("premium/9.3.1", "premium/9.3.2", "premium/9.3.3")
def observed_windows(observations: Relations, population: Population, policy: Policy, horizon: int) -> Spans:
    """Maximal windows in which enough distinct users were unable, of the relation `observation`.

    It has user_id, started and ended in whole seconds from 0 on, and is a view of files as they are
    (`observations`, `spark_engine`): nothing is copied. Where `observation_minute` counts its rows already,
    they are read once here, else twice. A user with overlapping rows, several symptoms, or the same row twice counts
    once. A row without an end is still open and runs to `horizon`.
    """
    at_first, rises = _needed(population, lambda users: users_needed(users, policy.sla.quorum_share))
    candidates = _candidates(observations, at_first, rises, horizon)
    if not candidates:
        return NOTHING
    return _between(ask(observations, threshold_query(at_first, rises, horizon, candidates)))


def users_unable(
    observations: Relations,
    population: Population,
    needed: Callable[[int], int],
    horizon: int,
    *,
    each_level: bool,
) -> list[UsersUnable]:
    """How many distinct users were unable, wherever they were enough: what an SLA that is stated as data looks at.

    `needed`: the fewest that are enough of so many users. `each_level`: a row for every number of users; else a row
    for every run in which they were enough, with the least of its numbers. Rows end where the population changes.
    """
    at_first, rises = _needed(population, needed)
    candidates = _candidates(observations, at_first, rises, horizon)
    if not candidates:
        return []
    levels = ask(observations, levels_query(horizon, candidates))
    found: list[UsersUnable] = []
    for since, until, users in population.periods():
        enough = needed(users)
        run: UsersUnable | None = None
        for (start, unable), (end, _) in pairwise(levels):
            if end <= since or start >= until or unable < enough:
                continue
            level = UsersUnable(max(start, since), min(end, until), unable)
            if run is None or each_level or run.end != level.start:
                found += [run] if run is not None else []
                run = level
            else:
                run = UsersUnable(run.start, level.end, min(run.users, level.users))
        found += [run] if run is not None else []
    return found


def incident_windows(incident: Incident, population: Population, policy: Policy) -> Spans:
    """The part of an incident in which its users alone are more than the share of the population."""
    passing = normalise(
        (start, end)
        for start, end, users in population.periods()
        if incident.affected >= users_needed(users, policy.sla.quorum_share)
    )
    return intersect(((incident.start, incident.end),), passing) if incident.start < incident.end else ()


def outage_rule_of(policy: Policy) -> Callable[[int, int], bool]:
    """Whether so many of so many users unable are an outage, by a policy."""
    return lambda affected, total: affected >= users_needed(total, policy.sla.quorum_share)


def counted_windows(counts: Iterable[Count], policy: Policy) -> Spans:
    """Windows of the counts (affected of a total) that pass, each alone."""
    return normalise(
        (count.start, count.end)
        for count in counts
        if count.affected >= users_needed(count.total, policy.sla.quorum_share)
    )


def outages_from(
    observed: Spans, incidents: Iterable[Incident], population: Population, policy: Policy, counted: Spans = NOTHING
) -> tuple[Outage, ...]:
    """Stops out of what was observed, what was counted, and what people confirmed, in order of time.

    An observed or counted second takes the cause of the incidents it overlaps, even of those too small to pass alone,
    the strongest if there are several; without one it is a fault.
    """
    incidents = tuple(incidents)
    outages = [
        Outage(start, end, incident.cause, incident.evidence, incident.exact, incident.id)
        for incident in incidents
        for start, end in incident_windows(incident, population, policy)
    ]
    for evidence, unexplained in (("observations", observed), ("counts", counted)):
        for cause in Cause:
            named = [each for each in incidents if each.cause is cause and each.start < each.end]
            for incident in named:
                outages += [
                    Outage(start, end, cause, f"{evidence}, cause by {incident.evidence}", incident=incident.id)
                    for start, end in intersect(unexplained, ((incident.start, incident.end),))
                ]
            unexplained = subtract(unexplained, normalise((each.start, each.end) for each in named))
        outages += [Outage(start, end, Cause.FAULT, evidence) for start, end in unexplained]
    return tuple(sorted(outages, key=lambda outage: (outage.start, outage.end, outage.cause, outage.source)))


def _needed(population: Population, needed: Callable[[int], int]) -> tuple[int, list[tuple[int, int]]]:
    """How many users are enough at first, and (instant, change of how many there are above what is needed)."""
    steps = [(start, needed(users)) for start, _, users in population.periods()]
    return steps[0][1], [(at, before - after) for (_, before), (at, after) in pairwise(steps)]


def _candidates(observations: Relations, needed: int, rises: list[tuple[int, int]], horizon: int) -> Spans:
    edges = ask(observations, bound_query(needed, rises, horizon, counted=has(observations, COUNTED)))
    return _between(edges if len(edges) % 2 == 0 else [*edges, (AFTER_ALL, False)])  # what is open has no end yet


def bound_query(needed: int, rises: Iterable[tuple[int, int]], horizon: int, *, counted: bool = False) -> Query:
    """Where enough users may have been unable at all: instants at which even an upper bound of them passes or ceases.

    The bound is the number of rows of each minute, not merged per user: cheap to count. `needed` users are enough at
    first; `rises` are (instant, change of how many there are above what is needed). `counted`: the rows of each minute
    were counted when they were read, as the relation `observation_minute`.
    """
    by_minute = edge("started - started % 60", "ended + 59 - (ended + 59) % 60")
    counted_here = f"SELECT {by_minute} AS moment, side AS delta FROM unable CROSS JOIN {SIDES}"  # noqa: S608
    minutes = f"SELECT moment, delta FROM {COUNTED}" if counted else counted_here  # noqa: S608
    return _passing(needed, rises, [_unable(horizon)], minutes)


def threshold_query(needed: int, rises: Iterable[tuple[int, int]], horizon: int, candidates: Spans) -> Query:
    """The one definition of what is observed: instants at which the users unable begin and cease to be enough.

    Only rows that touch one of the `candidates`, outside which the threshold cannot be reached (`bound_query`), are
    merged per user: each keeps the seconds its predecessors left.
    """
    return _passing(needed, rises, _distinct_users(horizon, candidates), OWN_SECONDS)


def levels_query(horizon: int, candidates: Spans) -> Query:
    """The same count itself: (instant, users unable from then on). It is whole only within the candidates."""
    return Query(_running((), _distinct_users(horizon, candidates), OWN_SECONDS), "SELECT moment, balance FROM running")


def _distinct_users(horizon: int, candidates: Spans) -> list[Step]:
    """The relation `distinct_users`: rows of one user without overlap, of those that touch a candidate."""
    return [
        _unable(horizon),
        Step(
            "touching",
            f"""SELECT user_id, started, ended FROM unable
            WHERE ended > {_next_candidate(_fewer(candidates, MOST_CANDIDATES))}""",  # noqa: S608
        ),
        Step(
            "ordered",
            """SELECT started, ended, max(ended) OVER (
                PARTITION BY user_id ORDER BY started ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
            ) AS covered FROM touching""",
        ),
        Step(
            "distinct_users",
            """SELECT greatest(started, coalesce(covered, started)) AS started, ended FROM ordered
            WHERE covered IS NULL OR ended > covered""",
        ),
    ]


def _between(edges: Iterable[tuple[int, bool]]) -> Spans:
    """Spans out of the instants at which something begins and ceases in turn."""
    moments = [moment for moment, _ in edges]
    return tuple(zip(moments[::2], moments[1::2], strict=True))


def _fewer(spans: Spans, most: int) -> Spans:
    """Spans joined over their smallest gaps until there are at most so many: no second of them is lost."""
    wide = sorted(range(1, len(spans)), key=lambda later: spans[later - 1][1] - spans[later][0])[: most - 1]
    return tuple((spans[first][0], spans[until - 1][1]) for first, until in pairwise([0, *sorted(wide), len(spans)]))


def _next_candidate(spans: Spans) -> str:
    """SQL: the beginning of the first span that is not over when a row starts; NULL after all of them."""
    if len(spans) == 1:
        start, end = spans[0]
        return f"CASE WHEN started < {end} THEN {start} END"
    middle = len(spans) // 2
    earlier, later = _next_candidate(spans[:middle]), _next_candidate(spans[middle:])
    return f"CASE WHEN started < {spans[middle - 1][1]} THEN {earlier} ELSE {later} END"


def _unable(horizon: int) -> Step:
    return Step(
        "unable",
        f"""SELECT user_id, started, coalesce(ended, {horizon}) AS ended FROM observation
        WHERE started < coalesce(ended, {horizon})""",  # noqa: S608
        keep=False,
    )


def _passing(needed: int, rises: Iterable[tuple[int, int]], before: Iterable[Step], changes: str) -> Query:
    """Instants at which the sum of `changes` (moment, delta) begins and ceases to be what is needed."""
    return Query(
        _running(rises, before, changes),
        f"""SELECT moment, balance >= {needed} AS enough FROM running
        WHERE (balance >= {needed}) <> (balance - delta >= {needed})""",  # noqa: S608
    )


def _running(rises: Iterable[tuple[int, int]], before: Iterable[Step], changes: str) -> list[Step]:
    """The relation `running`: the sum of `changes` (moment, delta) from each instant on, its `balance`.

    The sum runs within a day and begins with what the days before left: what meets in one place is a row for each
    day, whatever the number of observations.
    """
    steps = ", ".join(f"({at}, {change})" for at, change in [(0, 0), *rises])
    return [
        Step("step", f"SELECT moment, delta FROM (VALUES {steps}) AS steps (moment, delta)"),  # noqa: S608
        *before,
        Step(
            "changed",
            f"""SELECT moment - moment % {DAY_SECONDS} AS day, moment, sum(delta) AS delta
            FROM ({changes} UNION ALL SELECT moment, delta FROM step) AS one GROUP BY moment""",  # noqa: S608
            keep=True,
        ),
        Step(
            "by_day",
            """SELECT day, sum(sum(delta)) OVER (ORDER BY day) - sum(delta) AS left_before FROM changed
            GROUP BY day""",
        ),
        Step(
            "running",
            f"""SELECT {BROADCAST.format("by_day")} moment, delta,
                left_before + sum(delta) OVER (PARTITION BY changed.day ORDER BY moment) AS balance
            FROM changed JOIN by_day ON by_day.day = changed.day""",  # noqa: S608
        ),
    ]
