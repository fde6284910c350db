"""DuckDB and Spark on the same observations, at four sizes: what each row costs, and what it costs to begin."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

from keizoku.sla.counting.outage_threshold import Population, observed_windows
from keizoku.sla.evidence.observations import open_observations, read_observations
from keizoku.terms.policy import Terms
from tests.benchmarks import case_quorum
from tests.benchmarks.harness import Case, Contender

SHARES = (8, 4, 2, 1)
POLICY = Terms.load().at(date(2026, 4, 1))


def prepare(folder: Path, size: Mapping[str, int]) -> None:
    """Files for each size, an eighth to all of the observations."""
    for share in SHARES:
        part = folder / str(share)
        part.mkdir(exist_ok=True)
        case_quorum.prepare(part, _size(size, share))


def duckdb(folder: Path, size: Mapping[str, int]) -> dict[str, Any]:
    """This process, with every processor of this machine."""

    def windows(files: Path, users: int) -> list[list[int]]:
        with open_observations() as observed:
            read_observations(observed, files)
            found = observed_windows(observed.table, Population.always(users), POLICY, case_quorum.HORIZON)
        return [list(window) for window in found]

    return _at_each_size(folder, size, windows)


def spark(folder: Path, size: Mapping[str, int]) -> dict[str, Any]:
    """One session for all sizes; the smallest is asked twice, so that Java has been warmed up."""
    from keizoku.sla.counting.spark_engine import open_spark

    began = time.perf_counter()
    with open_spark("local[*]", {"spark.driver.memory": "4g"}) as engine:

        def windows(files: Path, users: int) -> list[list[int]]:
            engine.read_observations([files])
            found = observed_windows(engine, Population.always(users), POLICY, case_quorum.HORIZON)
            return [list(window) for window in found]

        started = time.perf_counter() - began
        windows(folder / str(SHARES[0]) / "seen", _size(size, SHARES[0])["users"])
        first = time.perf_counter() - began - started
        answer = _at_each_size(folder, size, windows)
    answer["figures"] |= {"seconds_to_start": started, "seconds_of_the_first_question": first}
    return answer


def _at_each_size(
    folder: Path, size: Mapping[str, int], windows: Callable[[Path, int], list[list[int]]]
) -> dict[str, Any]:
    answer: dict[str, Any] = {"figures": {}}
    for share in SHARES:
        part = _size(size, share)
        began = time.perf_counter()
        answer[f"windows_of_{part['observations']}"] = windows(folder / str(share) / "seen", part["users"])
        answer["figures"][f"seconds_for_{part['observations']}"] = time.perf_counter() - began
    return answer


def _size(size: Mapping[str, int], share: int) -> dict[str, int]:
    return {name: number // share for name, number in size.items()}


CASE = Case(
    name="engines",
    title="Quorum: DuckDB and Spark on the same machine",
    about=(
        "The same query by either engine over files of an eighth, a quarter, a half and all of the observations. Spark "
        "has all processors of this one machine, so that its price for a row stands beside DuckDB's; what several "
        "machines make of it is worked out in docs/how-to/scale.md."
    ),
    size={"observations": 8_000_000, "users": 1_600_000},
    tiny={"observations": 16_000, "users": 3_200},
    prepare=prepare,
    contenders=[
        Contender("DuckDB", duckdb),
        Contender(
            "Spark, local[*]",
            spark,
            needs=("pyspark",),
            note="CPU and memory of Java are not in these.",
        ),
    ],
)
