"""Observations that a test states itself, in seconds, put where the readers of files put theirs."""

from collections.abc import Iterable

from keizoku.sla.evidence.observations import Observations


def add_observations(observed: Observations, rows: Iterable[tuple[str, int, int | None]]) -> None:
    """Add rows: user, start, end (None: still open)."""
    users, starts, ends = zip(*rows, strict=True) if (rows := list(rows)) else ((), (), ())
    observed.table.execute(
        "CREATE OR REPLACE TEMP TABLE stated AS SELECT unnest($users::VARCHAR[]) AS user_id, "
        "unnest($starts::BIGINT[]) AS started, unnest($ends::BIGINT[]) AS ended",
        {"users": list(users), "starts": list(starts), "ends": list(ends)},
    )
    observed.table.execute("INSERT INTO taken_row (user_id, started, ended) SELECT user_id, started, ended FROM stated")
    observed.count_minutes("FROM stated WHERE ended IS NULL OR ended > started")
    observed.take(len(rows))
