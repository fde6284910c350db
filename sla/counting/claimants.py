"""How many seconds of a month's unusable time are each claimant's own, for all of them in one query.

Decides nothing that `claimant_month` does not: it is the same waterfall, from unusable time on, stated
as a relation so that DuckDB and Spark can share the claimants out among processes and machines.

    unusable time       |-----------|     |------|
    member         |-------------------------------------
    claimed             |------|                              -> recognised, 1 stretch; not_claimed, 2

Relations: `unusable` (month, started, ended), disjoint in each month; `claimant` (account, month, kind, started,
ended), of the kinds of KINDS, disjoint in each kind. What a claimant left open (no windows: all of the month) is a
row over the whole month. Instants are epoch seconds, spans are [start, end).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final

from keizoku.sla.evidence.sql_query import BROADCAST, SIDES, Query, Relations, Step, ask, edge
from keizoku.sla.rules.intervals import Span
from keizoku.sla.rules.unusable_time import Claimant

if TYPE_CHECKING:
    import duckdb

KINDS: Final = tuple(each.name for each in fields(Claimant))
"""What a claimant's row is about, named as in `keizoku.sla.rules.unusable_time.Claimant`."""

UnusableRow = tuple[str, int, int]
"""month, started, ended."""

ClaimantRow = tuple[str, str, str, int, int]
"""account, month, kind, started, ended."""


def claimant_rows(account: str, month: str, claimant: Claimant, whole: Span) -> Iterator[ClaimantRow]:
    """The rows of `claimant` that say what a Claimant says; `whole` stands for what was left open."""
    yield account, month, "claimed", whole[0], whole[0]  # of no length: who has nothing at all is there too
    for kind in KINDS:
        spans = getattr(claimant, kind)
        for start, end in (whole,) if spans is None else spans:
            yield account, month, kind, start, end


def claimant_seconds(relations: Relations) -> list[tuple[str, str, str, int]]:
    """(account, month, bucket, seconds) for every bucket that takes any of a claimant's unusable time, in order."""
    return [(*row[:3], int(row[3])) for row in ask(relations, CLAIMANT_SECONDS)]


def take_claimants(
    table: duckdb.DuckDBPyConnection, unusable: Iterable[UnusableRow], claimants: Iterable[ClaimantRow]
) -> None:
    """Make these the relations that are asked, in DuckDB."""
    kept: Mapping[str, tuple[str, list[Any]]] = {
        "unusable": ("month VARCHAR, started BIGINT, ended BIGINT", list(unusable)),
        "claimant": ("account VARCHAR, month VARCHAR, kind VARCHAR, started BIGINT, ended BIGINT", list(claimants)),
    }
    for name, (columns, rows) in kept.items():
        table.execute(f"CREATE OR REPLACE TEMP TABLE {name} ({columns})")
        if rows:
            values = [list(column) for column in zip(*rows, strict=True)]
            table.execute(f"INSERT INTO {name} SELECT {', '.join('unnest(?)' for _ in values)}", values)


def recognised_counts(relations: Relations) -> list[tuple[str, int, int]]:
    """(month, seconds, claimants): how many claimants have so many seconds recognised, those with none too."""
    return [(row[0], int(row[1]), int(row[2])) for row in ask(relations, RECOGNISED_COUNTS)]


def _sums(kinds: Iterable[str], expression: str) -> str:
    return ", ".join(f"{expression.format(kind=kind)} AS {kind}" for kind in kinds)


_SWEPT = (*KINDS, "unusable")
_STEPS: Final = (
    Step("who", "SELECT DISTINCT account, month FROM claimant"),
    Step(
        "edges",
        f"""SELECT account, month, kind, {edge("started", "ended")} AS moment, side FROM claimant CROSS JOIN {SIDES}
        UNION ALL
        SELECT {BROADCAST.format("unusable")} account, who.month, 'unusable', {edge("started", "ended")}, side
        FROM who JOIN unusable ON unusable.month = who.month CROSS JOIN {SIDES}""",  # noqa: S608
    ),
    Step(
        "changes",
        f"""SELECT account, month, moment, {_sums(_SWEPT, "sum(CASE WHEN kind = '{kind}' THEN side ELSE 0 END)")}
        FROM edges GROUP BY account, month, moment""",  # noqa: S608
    ),
    Step(
        "stretches",
        f"""SELECT account, month, (lead(moment) OVER own) - moment AS seconds,
            {_sums(_SWEPT, "(sum({kind}) OVER own) > 0")}
        FROM changes WINDOW own AS (PARTITION BY account, month ORDER BY moment)""",  # noqa: S608
    ),
    Step(
        "own_seconds",
        """SELECT account, month, bucket, sum(seconds) AS seconds FROM (
            SELECT account, month, seconds, CASE
                WHEN environment THEN 'environment'
                WHEN NOT member THEN 'not_member'
                WHEN suspended THEN 'suspended'
                WHEN NOT card THEN 'not_card'
                WHEN NOT claimed THEN 'not_claimed'
                WHEN NOT recognised THEN 'not_recognised'
                ELSE 'recognised' END AS bucket
            FROM stretches WHERE unusable
        ) AS taken GROUP BY account, month, bucket""",
    ),
)
"""The one definition: each claimant's instants are swept apart from everyone else's, and each stretch of unusable time
goes to the first bucket that takes it."""

CLAIMANT_SECONDS: Final = Query(_STEPS, "SELECT account, month, bucket, seconds FROM own_seconds")
RECOGNISED_COUNTS: Final = Query(
    _STEPS,
    """SELECT month, seconds, count(*) AS claimants FROM (
        SELECT who.account, who.month, coalesce(max(own.seconds), 0) AS seconds
        FROM who LEFT JOIN own_seconds AS own
            ON own.account = who.account AND own.month = who.month AND own.bucket = 'recognised'
        GROUP BY who.account, who.month
    ) AS each_claimant GROUP BY month, seconds""",
)
