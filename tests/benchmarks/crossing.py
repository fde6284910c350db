"""From how many rows on Spark on several machines is faster than DuckDB on one: the figures of docs/how-to/scale.md.

Worked out of the case `engines`: a line is laid through the seconds of its four sizes. What a machine costs that
waits for another is left out, so that this is the least from which Spark can pay.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.harness import ROOT

PAGE = ROOT / "docs" / "how-to" / "scale.md"
BEGINS, ENDS = "<!-- figures of `make bench CASES=engines` -->", "<!-- end of these figures -->"
MACHINES = (2, 4, 8, 16, 32, 64, 128)


@dataclass(frozen=True)
class Price:
    """What an engine costs on one machine, in seconds: before the first row, and for each million rows."""

    to_begin: float
    per_million: float


def prices(case: Mapping[str, Any]) -> tuple[Price, Price]:
    """DuckDB's and Spark's. To begin with Spark is a session that starts, and its first question but for the rows."""
    (duckdb_per_million, duckdb_begins), (per_million, _) = (_line(each["figures"]) for each in case["contenders"])
    told = case["contenders"][1]["figures"]
    rows_of_the_first = min(_sizes(told))
    begins = told["seconds_to_start"] + told["seconds_of_the_first_question"] - per_million * rows_of_the_first
    return Price(max(duckdb_begins, 0.0), duckdb_per_million), Price(max(begins, told["seconds_to_start"]), per_million)


def crossing_millions(duckdb: Price, spark: Price, machines: int) -> float:
    """Millions of rows from which Spark on so many machines is faster than DuckDB on one; infinity: never."""
    gained = duckdb.per_million - spark.per_million / machines
    return max(spark.to_begin - duckdb.to_begin, 0.0) / gained if gained > 0 else math.inf


def told(figures: Mapping[str, Mapping[str, Any]]) -> str:
    """The figures as they stand in the page."""
    case = figures.get("engines", {"contenders": ()})
    if len(case["contenders"]) < 2:  # Spark may not be installed
        return "Not measured yet: run `make bench CASES=engines`."
    duckdb, spark = prices(case)
    where, most_rows = case["machine"], next(iter(case["size"].values()))
    too_few = math.floor(spark.per_million / duckdb.per_million)
    lines = [
        f"Measured on {where['measured_on']}, {where['processors']} processors, up to {most_rows:,} observations:",
        "",
        "| | DuckDB | Spark, `local[*]` |",
        "|---|--:|--:|",
        f"| seconds for a million rows | *d* = {duckdb.per_million:.2f} | *s* = {spark.per_million:.2f} |",
        f"| seconds to begin | *a* = {duckdb.to_begin:.1f} | *b* = {spark.to_begin:.1f} |",
        "",
        f"So Spark needs more than {too_few} such machines to be faster at all, and then a month of",
        "",
        "| machines | rows, in millions | DuckDB on one machine would take |",
        "|--:|--:|--:|",
    ]
    for machines in MACHINES:
        millions = crossing_millions(duckdb, spark, machines)
        if math.isinf(millions):
            lines.append(f"| {machines} | never | |")
        else:
            seconds = duckdb.to_begin + duckdb.per_million * millions
            lines.append(f"| {machines} | {millions:,.0f} | {seconds:,.0f} s |")
    return "\n".join(lines)


def write_into(page: Path, figures: Mapping[str, Mapping[str, Any]]) -> None:
    """Put the figures into the page, in place of those that stand there."""
    written = page.read_text(encoding="utf-8")
    page.write_text(_with(written, told(figures)), encoding="utf-8")


def _with(written: str, block: str) -> str:
    before, _, rest = written.partition(BEGINS)
    _, ends, after = rest.partition(ENDS)
    if not ends:
        raise ValueError(f"The page has no place for the figures: {BEGINS} … {ENDS}.")
    return f"{before}{BEGINS}\n{block}\n{ENDS}{after}"


def _line(figures: Mapping[str, float]) -> tuple[float, float]:
    """Seconds for a million rows, and before the first."""
    sizes = _sizes(figures)
    line = statistics.linear_regression(list(sizes), list(sizes.values()))
    return line.slope, line.intercept


def _sizes(figures: Mapping[str, float]) -> Mapping[float, float]:
    """Seconds by millions of rows."""
    named: Sequence[tuple[str, float]] = [(name.partition("seconds_for_")[2], each) for name, each in figures.items()]
    return {int(rows) / 1_000_000: seconds for rows, seconds in named if rows.isdigit()}
