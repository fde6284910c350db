"""When did more than the quorum of all users have a stop (サービス停止状態)?

Decides premium/9.3 with its three kinds of symptom, which are one: who cannot open the site, log in or see
his information is one user unable. Strictly more than the share counts: of 1,000,000 users 50,000 are not
enough, 50,001 are.

    user a   |------|                      users unable   1 2 2 1 0
    user b      |------|            need at least 2  ->       [--)
    user a       |-|   (another symptom, same user)

Evidence is of three kinds. Observations name users and are counted as distinct users per instant, by one query
that DuckDB and Spark both answer (`sla.relations`). Incidents and counts state how many users were hit; those of
overlapping ones may be the same people and never add up, so each has to pass alone. Instants are epoch seconds,
spans are [start, end).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from sla.evidence import Count, Incident
from sla.intervals import NOTHING, Spans, intersect, normalise, subtract
from sla.relations import BROADCAST, SIDES, Query, Relations, Step, ask, edge, has
from sla.unusable import Cause, Stop
from terms.calendar import DAY_SECONDS
from terms.decision import decides
from terms.policy import Policy

BEFORE_ALL = -(2**62)
AFTER_ALL = 2**62
COUNTED = "observation_minute"


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


@decides("premium/9.3")
def users_needed(users: int, share: Fraction) -> int:
    """The fewest users unable at one instant that are strictly more than the share of all users."""
    return users * share.numerator // share.denominator + 1


@decides("premium/9.3.1", "premium/9.3.2", "premium/9.3.3")
def observed_windows(observations: Relations, population: Population, policy: Policy, horizon: int) -> Spans:
    """Maximal windows in which enough distinct users were unable, of the relation `observation`.

    It has user_id, started and ended in whole seconds from 0 on, and is a view of files as they are
    (`sla.observations`, `sla.spark_engine`): nothing is copied. Where `observation_minute` counts its rows already,
    they are read once here, else twice. A user with overlapping rows, several symptoms, or the same row twice counts
    once. A row without an end is still open and runs to `horizon`.
    """
    needed = [(start, users_needed(users, policy.sla.quorum_share)) for start, _, users in population.periods()]
    rises = [(at, before - after) for (_, before), (at, after) in pairwise(needed)]
    edges = ask(observations, quorum_query(needed[0][1], rises, horizon, counted=has(observations, COUNTED)))
    return tuple((start, end) for (start, _), (end, _) in zip(edges[::2], edges[1::2], strict=True))


def incident_windows(incident: Incident, population: Population, policy: Policy) -> Spans:
    """The part of an incident in which its users alone are more than the share of the population."""
    passing = normalise(
        (start, end)
        for start, end, users in population.periods()
        if incident.affected >= users_needed(users, policy.sla.quorum_share)
    )
    return intersect(((incident.start, incident.end),), passing) if incident.start < incident.end else ()


def counted_windows(counts: Iterable[Count], policy: Policy) -> Spans:
    """Windows of the counts (affected of a total) that pass, each alone."""
    return normalise(
        (count.start, count.end)
        for count in counts
        if count.affected >= users_needed(count.total, policy.sla.quorum_share)
    )


def stops_from(
    observed: Spans, incidents: Iterable[Incident], population: Population, policy: Policy, counted: Spans = NOTHING
) -> tuple[Stop, ...]:
    """Stops out of what was observed, what was counted, and what people confirmed, in order of time.

    An observed or counted second takes the cause of the incidents it overlaps, even of those too small to pass alone,
    the strongest if there are several; without one it is a fault.
    """
    incidents = tuple(incidents)
    stops = [
        Stop(start, end, incident.cause, incident.evidence, incident.exact, incident.id)
        for incident in incidents
        for start, end in incident_windows(incident, population, policy)
    ]
    for evidence, unexplained in (("observations", observed), ("counts", counted)):
        for cause in Cause:
            named = [each for each in incidents if each.cause is cause and each.start < each.end]
            for incident in named:
                stops += [
                    Stop(start, end, cause, f"{evidence}, cause by {incident.evidence}", incident=incident.id)
                    for start, end in intersect(unexplained, ((incident.start, incident.end),))
                ]
            unexplained = subtract(unexplained, normalise((each.start, each.end) for each in named))
        stops += [Stop(start, end, Cause.FAULT, evidence) for start, end in unexplained]
    return tuple(sorted(stops, key=lambda stop: (stop.start, stop.end, stop.cause, stop.source)))


def quorum_query(needed: int, rises: Iterable[tuple[int, int]], horizon: int, *, counted: bool = False) -> Query:
    """The one definition of what is observed: instants at which the users unable begin and cease to be enough.

    `needed` users are enough at first; `rises` are (instant, change of how many there are above what is needed).
    `counted`: the rows of each minute were counted when they were read, as the relation `observation_minute`.

    Rows of each minute, not merged per user, are an upper bound of its users, and cheap to count. `waiting` says for
    each minute in which a row starts when, from there on, even this bound passes first; a row that has ended by then
    can decide nothing. Only the others are merged per user: each keeps the seconds its predecessors left.

    Every sum that runs over time runs within a day and begins with what the days before left (`_running`): what
    meets in one place is a row for each day, whatever the number of observations.
    """
    steps = ", ".join(f"({at}, {change})" for at, change in [(0, 0), *rises])
    by_minute = edge("started - started % 60", "ended + 59 - (ended + 59) % 60")
    counted_here = f"SELECT {by_minute} AS moment, side AS delta FROM unable CROSS JOIN {SIDES}"  # noqa: S608
    minutes = f"SELECT moment, delta FROM {COUNTED}" if counted else counted_here  # noqa: S608
    own_seconds = edge("started", "ended")
    return Query(
        [
            Step("step", f"SELECT moment, delta FROM (VALUES {steps}) AS steps (moment, delta)"),  # noqa: S608
            Step(
                "unable",
                f"""SELECT user_id, started, coalesce(ended, {horizon}) AS ended FROM observation
                WHERE started < coalesce(ended, {horizon})""",  # noqa: S608
                keep=False,
            ),
            *_running(
                "bound",
                f"{minutes} UNION ALL SELECT moment, delta FROM step",  # noqa: S608
            ),
            Step("passing", f"SELECT day, moment, CASE WHEN balance >= {needed} THEN moment END AS passes FROM bound"),  # noqa: S608
            Step(
                "passing_later",
                """SELECT day, min(min(passes)) OVER (
                    ORDER BY day ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING
                ) AS passes_later FROM passing GROUP BY day""",
            ),
            Step(
                "waiting",
                f"""SELECT {BROADCAST.format("passing_later")} moment AS started, coalesce(min(passes) OVER (
                    PARTITION BY passing.day ORDER BY moment ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING
                ), passes_later) AS passes_from FROM passing JOIN passing_later ON passing_later.day = passing.day""",  # noqa: S608
                keep=True,
            ),
            Step(
                "touching",
                f"""SELECT {BROADCAST.format("waiting")} unable.user_id, unable.started, unable.ended FROM unable
                JOIN waiting ON waiting.started = unable.started - unable.started % 60
                WHERE unable.ended > waiting.passes_from""",  # noqa: S608
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
            *_running(
                "users",
                f"""SELECT {own_seconds} AS moment, side AS delta FROM distinct_users CROSS JOIN {SIDES}
                UNION ALL SELECT moment, delta FROM step""",  # noqa: S608
            ),
        ],
        f"""SELECT moment, balance >= {needed} AS enough FROM users
        WHERE (balance >= {needed}) <> (balance - delta >= {needed})""",  # noqa: S608
    )


def _running(name: str, changes: str) -> list[Step]:
    """Steps of which the last, `name` (day, moment, delta, balance), says how many there are after each moment.

    The day's own sum is one window of that day; what the days before left is a sum of one row a day.
    """
    return [
        Step(
            f"{name}_change",
            f"""SELECT moment - moment % {DAY_SECONDS} AS day, moment, sum(delta) AS delta FROM ({changes}) AS change
            GROUP BY moment""",  # noqa: S608
            keep=True,
        ),
        Step(
            f"{name}_day",
            f"""SELECT day, sum(sum(delta)) OVER (ORDER BY day) - sum(delta) AS left_before FROM {name}_change
            GROUP BY day""",  # noqa: S608
        ),
        Step(
            name,
            f"""SELECT {BROADCAST.format(f"{name}_day")} {name}_change.day, moment, delta,
                left_before + sum(delta) OVER (PARTITION BY {name}_change.day ORDER BY moment) AS balance
            FROM {name}_change JOIN {name}_day ON {name}_day.day = {name}_change.day""",  # noqa: S608
        ),
    ]
