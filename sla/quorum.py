"""When did more than the quorum of all users have a stop (サービス停止状態)?

Decides premium/9.3 with its three kinds of symptom, which are one: who cannot open the site, log in or see
his information is one user unable. Strictly more than the share counts: of 1,000,000 users 50,000 are not
enough, 50,001 are.

    user a   |------|                      users unable   1 2 2 1 0
    user b      |------|            need at least 2  ->       [--)
    user a       |-|   (another symptom, same user)

Evidence is of three kinds. Observations name users and are counted as distinct users per instant, by one
DuckDB query. Incidents and counts state how many users were hit; those of overlapping ones may be the same
people and never add up, so each has to pass alone. Instants are epoch seconds, spans are [start, end).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

import duckdb

from sla.evidence import Count, Incident
from sla.intervals import NOTHING, Spans, intersect, normalise, subtract
from sla.unusable import Cause, Stop
from terms.decision import decides
from terms.policy import Policy

BEFORE_ALL = -(2**62)
AFTER_ALL = 2**62


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
def observed_windows(
    observations: duckdb.DuckDBPyConnection, population: Population, policy: Policy, horizon: int
) -> Spans:
    """Maximal windows in which enough distinct users were unable, of the relation `observation`.

    It has user_id, started and ended in whole seconds, and is a view of files as they are (`sla.observations`):
    nothing is copied. Where `observation_minute` counts its rows already, they are read once here, else three times.
    A user with overlapping rows, several
    symptoms, or the same row twice counts once. A row without an end is still open and runs to `horizon`.
    """
    periods = population.periods()
    needed = [users_needed(users, policy.sla.quorum_share) for _, _, users in periods]
    rises = [after - before for before, after in zip([0, *needed], needed, strict=False)]
    steps = {"step_at": [start for start, _, _ in periods], "step_delta": [-rise for rise in rises]}
    counted = observations.execute("FROM duckdb_tables() WHERE table_name = 'observation_minute'").fetchall()
    query = _OBSERVED_WINDOWS.format(minutes=_COUNTED_WHEN_READ if counted else _COUNTED_HERE)
    edges = observations.execute(query, {**steps, "horizon": horizon}).fetchall()
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


def _edges(rows: str) -> str:
    """SQL for the instants at which rows (started, ended) begin to be enough, and cease to be.

    One sweep: +1 where a row starts, -1 where it ends, minus what is needed where the population changes;
    enough wherever the running sum is not negative.
    """
    return f"""
        SELECT moment, enough FROM (
            SELECT moment, enough, lag(enough, 1, false) OVER (ORDER BY moment) AS enough_before FROM (
                SELECT moment, sum(sum(delta)) OVER (ORDER BY moment) >= 0 AS enough FROM (
                    SELECT started AS moment, 1 AS delta FROM {rows}
                    UNION ALL SELECT ended, -1 FROM {rows}
                    UNION ALL SELECT moment, delta FROM step
                ) GROUP BY moment
            )
        ) WHERE enough <> enough_before"""  # noqa: S608


_COUNTED_WHEN_READ = "SELECT moment, delta FROM observation_minute"
_COUNTED_HERE = """SELECT started // 60 * 60 AS moment, count(*) AS delta FROM unable GROUP BY 1
            UNION ALL SELECT (ended + 59) // 60 * 60, -count(*) FROM unable GROUP BY 1"""

# The rows of each minute, not merged per user, are an upper bound of its users, and cheap to count. `waiting` says
# for each minute in which a row starts when, from there on, even this bound passes first; a row that has ended by
# then can decide nothing. Only the others are merged per user: each keeps the seconds its predecessors left.
_OBSERVED_WINDOWS = f"""
    WITH step AS (
        SELECT unnest($step_at::BIGINT[]) AS moment, unnest($step_delta::BIGINT[]) AS delta
    ), unable AS NOT MATERIALIZED (
        SELECT user_id, started, coalesce(ended, $horizon::BIGINT) AS ended FROM observation
        WHERE started < coalesce(ended, $horizon::BIGINT)
    ), bound AS (
        SELECT moment, sum(sum(delta)) OVER (ORDER BY moment) >= 0 AS enough FROM (
            {{minutes}} UNION ALL SELECT moment, delta FROM step
        ) GROUP BY moment
    ), waiting AS MATERIALIZED (
        SELECT moment AS started, min(CASE WHEN enough THEN moment END) OVER (
            ORDER BY moment ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING
        ) AS passes_from FROM bound
    ), touching AS (
        SELECT unable.user_id, unable.started, unable.ended FROM unable
        JOIN waiting ON waiting.started = unable.started // 60 * 60
        WHERE unable.ended > waiting.passes_from
    ), ordered AS (
        SELECT started, ended, max(ended) OVER (
            PARTITION BY user_id ORDER BY started ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS covered FROM touching
    ), distinct_users AS MATERIALIZED (
        SELECT greatest(started, coalesce(covered, started)) AS started, ended FROM ordered
        WHERE covered IS NULL OR ended > covered
    )
    {_edges("distinct_users")} ORDER BY moment"""  # noqa: S608
