"""When were more than 5 % of 1,000,000 users unable, of 5,000,000 observations in Parquet files?

A month with four outages (30 %, 12 %, 7 % and, not enough, 4.8 % of all users, each user trying again and again, so
that his rows overlap) in a noise of short failures of single users. Rows are in no order, users are texts. What a
contender imports, it imports itself: the process is what its user would start.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from tests.benchmarks.harness import Case, Contender

FIRST_SECOND = 1_774_969_200  # 2026-04-01 00:00 JST
HORIZON = FIRST_SECOND + 31 * 86_400
# day, second of the day, seconds, users per 1,000, rows of each
OUTAGES = ((10, 32_400, 10_800, 300, 3), (14, 72_000, 5_400, 120, 3), (20, 3_000, 1_500, 70, 2), (25, 0, 7_200, 48, 2))


FILE_ROWS = 5_000_000


def prepare(folder: Path, size: Mapping[str, int]) -> None:
    """Files of FILE_ROWS rows, each with rows of the whole month; hashes of row numbers stand for chance."""
    users, left, parts = size["users"], size["observations"], []
    for number, (day, second, seconds, per_mille, rows) in enumerate(OUTAGES):
        count = users * per_mille // 1_000 * rows
        left -= count
        begins_us = (day * 86_400 + second) * 1_000_000
        parts.append(
            f"SELECT i, ((i // {rows}) * 7919 + {number} * 104729) % {users} AS u, "
            f"{begins_us} + {_chance(f'i * 8 + {number}', seconds * 400_000)} AS start_us, "
            f"{seconds * 300_000} + {_chance(f'i * 8 + {number} + 4', seconds * 300_000)} AS lasts_us "
            f"FROM range({count}) AS rows(i)"
        )
    parts.append(
        f"SELECT i, {_chance('i * 3 + 1', users)}, {_chance('i * 3 + 2', 30 * 86_400 * 1_000_000)}, "
        f"5000000 + {_chance('i * 3', 900_000_000)} FROM range({left}) AS rows(i)"
    )
    files = -(-size["observations"] // FILE_ROWS)
    (folder / "seen").mkdir(exist_ok=True)
    with duckdb.connect(config={"temp_directory": str(folder / "spilled")}) as table:
        for file in range(files):
            table.execute(
                f"COPY (SELECT 'user-' || lpad(u::VARCHAR, 8, '0') AS user_id, "
                "['site', 'login', 'view'][1 + (hash(start_us) % 3)::INT] AS symptom, "
                f"make_timestamptz({FIRST_SECOND * 1_000_000} + start_us) AS started_at, "
                f"make_timestamptz({FIRST_SECOND * 1_000_000} + start_us + lasts_us) AS ended_at "
                f"FROM ({' UNION ALL '.join(parts)}) WHERE i % {files} = {file} ORDER BY hash(start_us, u)) "
                f"TO '{folder / 'seen' / f'{file:03d}.parquet'}'"
            )


def _chance(number: str, below: int) -> str:
    return f"(hash({number}) % {below}::UBIGINT)::BIGINT"


def _files(folder: Path) -> str:
    return f"read_parquet('{folder / 'seen' / '*.parquet'}')"


def keizoku(folder: Path, size: Mapping[str, int]) -> dict[str, Any]:
    """Our own: the files are checked and counted where they are."""
    from keizoku.sla.counting.outage_threshold import Population, observed_windows
    from keizoku.sla.evidence.observations import open_observations, read_observations
    from keizoku.terms.policy import Terms

    with open_observations() as observed:
        taken = read_observations(observed, folder / "seen").taken
        policy = Terms.load().at(date(2026, 4, 1))
        windows = observed_windows(observed.table, Population.always(size["users"]), policy, HORIZON)
    assert taken == size["observations"]
    return {"windows": [list(window) for window in windows]}


def plain_duckdb(folder: Path, size: Mapping[str, int]) -> dict[str, Any]:
    """The query as one would write it: merge each user's rows by a window, sum up starts and ends."""
    with duckdb.connect(config={"temp_directory": str(folder / "spilled")}) as table:
        edges = table.execute(f"""
            WITH seen AS (
                SELECT user_id, epoch_us(started_at) // 1000000 AS s, (epoch_us(ended_at) + 999999) // 1000000 AS e
                FROM {_files(folder)}
            ), ordered AS (
                SELECT s, e, max(e) OVER (PARTITION BY user_id ORDER BY s
                    ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS covered FROM seen
            ), merged AS (
                SELECT greatest(s, coalesce(covered, s)) AS s, e FROM ordered WHERE covered IS NULL OR e > covered
            ), counted AS (
                SELECT t, sum(sum(d)) OVER (ORDER BY t) AS unable
                FROM (SELECT s AS t, 1 AS d FROM merged UNION ALL SELECT e, -1 FROM merged) GROUP BY t
            ), marked AS (
                SELECT t, unable * 20 > {size["users"]} AS enough, lag(unable * 20 > {size["users"]}, 1, false)
                    OVER (ORDER BY t) AS before FROM counted
            ) SELECT t FROM marked WHERE enough <> before ORDER BY t""").fetchall()
    return {"windows": _pairs(t for (t,) in edges)}


def staircase(folder: Path, size: Mapping[str, int]) -> dict[str, Any]:
    """pandas merges each user's rows, staircase counts."""
    import pandas as pd
    from staircase import Stairs

    seen = pd.read_parquet(folder / "seen", columns=["user_id", "started_at", "ended_at"])
    seen["start"] = seen["started_at"].astype("datetime64[us, UTC]").astype("int64") // 1_000_000
    seen["end"] = -(-seen["ended_at"].astype("datetime64[us, UTC]").astype("int64") // 1_000_000)
    rows = seen[["user_id", "start", "end"]].sort_values(["user_id", "start"], kind="stable", ignore_index=True)
    covered = rows.groupby("user_id", sort=False)["end"].cummax().shift()
    opens = (rows["user_id"] != rows["user_id"].shift()) | (rows["start"] > covered)
    merged = rows.groupby(opens.cumsum(), sort=False).agg(start=("start", "first"), end=("end", "max"))
    passing = (Stairs(start=merged["start"], end=merged["end"]) > size["users"] // 20).to_frame()
    passing = passing[passing["value"] == 1]
    return {"windows": [[int(a), int(b)] for a, b in zip(passing["start"], passing["end"], strict=True)]}


def range_agg(folder: Path, size: Mapping[str, int]) -> dict[str, Any]:
    """PostgreSQL multiranges: loaded from the files, one range_agg per user, a running sum over its edges."""
    from keizoku.db.embedded import EmbeddedServer
    from keizoku.db.session import driver_cursor, open_session

    with EmbeddedServer(folder / "server") as server, open_session(server.url) as session, duckdb.connect() as table:
        begun = time.perf_counter()
        session.exec_driver_sql("CREATE TEMPORARY TABLE seen (user_id text, during int8range)")
        csv = folder / "seen.csv"
        table.execute(
            "COPY (SELECT user_id, '[' || epoch_us(started_at) // 1000000 || ',' || "
            f"(epoch_us(ended_at) + 999999) // 1000000 || ')' FROM {_files(folder)}) TO '{csv}' (HEADER false)"
        )
        load = "COPY seen FROM STDIN (FORMAT csv)"
        with csv.open("rb") as file, driver_cursor(session) as cursor, cursor.copy(load) as copy:
            while block := file.read(1 << 20):
                copy.write(block)
        csv.unlink()
        session.exec_driver_sql("ANALYZE seen")
        loaded = time.perf_counter()
        edges = session.exec_driver_sql(f"""
            WITH merged AS (SELECT unnest(range_agg(during)) AS during FROM seen GROUP BY user_id),
            counted AS (
                SELECT t, sum(sum(d)) OVER (ORDER BY t) * 20 > {size["users"]} AS enough FROM (
                    SELECT lower(during) AS t, 1 AS d FROM merged UNION ALL SELECT upper(during), -1 FROM merged
                ) AS edge GROUP BY t
            ), marked AS (SELECT t, enough, lag(enough, 1, false) OVER (ORDER BY t) AS before FROM counted)
            SELECT t FROM marked WHERE enough <> before ORDER BY t""").fetchall()
        done = time.perf_counter()
    figures = {"seconds_of_loading": loaded - begun, "seconds_of_the_query_alone": done - loaded}
    return {"windows": _pairs(int(t) for (t,) in edges), "seconds": done - begun, "figures": figures}


def _pairs(edges: Iterable[int]) -> list[list[int]]:
    edges = list(edges)
    return [list(pair) for pair in zip(edges[::2], edges[1::2], strict=True)]


CASE = Case(
    name="quorum",
    title="Quorum: when were more than 5 % of all users unable",
    about=(
        "Parquet files of observations, users as texts, in no order; a third of the rows lies in four outages of a "
        "month. Ours checks every row and merges only rows near spans in which enough rows lie at all."
    ),
    size={"observations": 5_000_000, "users": 1_000_000},
    tiny={"observations": 20_000, "users": 4_000},
    large=[
        {"observations": 30_000_000, "users": 6_000_000},
        {"observations": 100_000_000, "users": 20_000_000},
    ],
    keeps=True,
    prepare=prepare,
    contenders=[
        Contender("Keizoku", keizoku),
        Contender(
            "plain DuckDB window query",
            plain_duckdb,
            note="it may take four fifths of the machine's memory, as DuckDB does by itself; ours takes 3 GB at most.",
        ),
        Contender(
            "pandas + staircase",
            staircase,
            needs=("pandas", "pyarrow", "staircase"),
            up_to=30_000_000,
            note="all rows in memory: 100,000,000 would take about 28 GB.",
        ),
        Contender(
            "PostgreSQL range_agg",
            range_agg,
            up_to=30_000_000,
            note=(
                "from an empty table to the answer, on a server that is running; CPU and memory are the client's, "
                "not the server's. 100,000,000 would take about ten minutes a run."
            ),
        ),
    ],
)
