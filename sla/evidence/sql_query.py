"""Questions as relations: what DuckDB and Spark are both asked, stated once.

A Query is a row of named steps and an answer, in SQL that means the same in both: whole numbers, `%`, windows, CASE.
How it is put differs and nothing else. DuckDB is given one statement, each step a CTE; Spark a view for each step.
What several later steps read is kept: MATERIALIZED in the one, cached in the other.

    Query([Step("even", "SELECT …", keep=True)], "SELECT … FROM even")
        DuckDB   WITH even AS MATERIALIZED (SELECT …) SELECT … FROM even
        Spark    even: a cached view                  SELECT … FROM even
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

if TYPE_CHECKING:
    import duckdb  # of the extra `evidence`; a night without claims does without it

SIDES: Final = "(VALUES (1), (-1)) AS sides (side)"
"""SQL: two rows for each one, side 1 where it starts and -1 where it ends."""

BROADCAST: Final = "/*+ BROADCAST({}) */"
"""SQL: this relation of a join is small. A hint to Spark, a comment to DuckDB, which sees that by itself."""


@dataclass(frozen=True, slots=True)
class Step:
    """A relation on the way. `keep` None: the engine decides whether to work it out anew for each that reads it."""

    name: str
    sql: str
    keep: bool | None = None


@dataclass(frozen=True, slots=True)
class Query:
    """A question: its steps, each of which may read those before it, and its answer."""

    steps: Sequence[Step]
    answer: str

    def as_statement(self) -> str:
        """One statement for DuckDB."""
        kept = {None: "", True: " MATERIALIZED", False: " NOT MATERIALIZED"}
        steps = ", ".join(f"{step.name} AS{kept[step.keep]} ({step.sql})" for step in self.steps)
        return f"WITH {steps} {self.answer}" if steps else self.answer


class Engine(Protocol):
    """An engine of ours that holds relations by name: `keizoku.sla.counting.spark_engine.SparkEngine`."""

    def answer(self, query: Query) -> list[tuple[Any, ...]]:
        """Every row of the answer, in no order."""
        ...


Relations: TypeAlias = "duckdb.DuckDBPyConnection | Engine"
"""Who can be asked: a connection of DuckDB as it is, or an engine of ours."""


def ask(relations: Relations, query: Query) -> list[tuple[Any, ...]]:
    """Every row of the answer, in order."""
    import duckdb

    if isinstance(relations, duckdb.DuckDBPyConnection):
        return sorted(relations.execute(query.as_statement()).fetchall())
    return sorted(relations.answer(query))


def has(relations: Relations, table: str) -> bool:
    """Whether it holds a table of that name; an engine of ours holds none but those that every query reads."""
    import duckdb

    if not isinstance(relations, duckdb.DuckDBPyConnection):
        return False
    named = relations.execute("FROM duckdb_tables() WHERE table_name = $table", {"table": table})
    return bool(named.fetchall())


def edge(started: str, ended: str) -> str:
    """SQL: the instant of a row's side."""
    return f"CASE WHEN side = 1 THEN {started} ELSE {ended} END"
