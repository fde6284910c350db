"""What the database would read for a statement: the tables that it would go through from end to end.

The planner is told that every table is large (`as_of_a_million`), so that its choice on a small world is the one that
it makes on a large one: where it still reads a whole table, there is no index that serves.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

__all__ = ["WholeRead", "as_of_a_million", "whole_reads"]

_EXPLAINED: Final = ("SELECT", "WITH", "INSERT", "UPDATE", "DELETE")


@dataclass(frozen=True, slots=True)
class WholeRead:
    """A table that a statement reads whole: `how` is a Seq Scan, or an index that is walked with a filter beside it."""

    table: str
    how: str
    filter: str


def whole_reads(connection: sa.Connection, text: str, values: Any) -> list[WholeRead]:
    """What of a statement reads a whole table; nothing for a statement that has no plan."""
    if not text.lstrip().upper().startswith(_EXPLAINED):
        return []
    cursor = connection.connection.dbapi_connection.cursor()  # type: ignore[union-attr]
    cursor.execute(f"EXPLAIN (FORMAT JSON) {text}", values)
    (found,) = cursor.fetchone()
    cursor.close()
    plan = found if isinstance(found, list) else json.loads(found)
    return list(_of(plan[0]["Plan"]))


def _of(node: Mapping[str, Any]) -> Iterator[WholeRead]:
    kind, filtered = node["Node Type"], node.get("Filter", "")
    if kind == "Seq Scan":
        yield WholeRead(node["Relation Name"], "Seq Scan", filtered)
    elif kind in ("Index Scan", "Index Only Scan") and "Index Cond" not in node:
        yield WholeRead(node["Relation Name"], node["Index Name"], filtered)
    for below in node.get("Plans", ()):
        yield from _of(below)


def as_of_a_million(connection: sa.Connection, schema: str, rows: int = 1_000_000) -> None:
    """Tell the planner that each table of a schema has so many rows, a hundred on a page, as far as it can be told.

    It takes the pages from the files and the rows on each from the catalog, so that these are told. What was found
    about the values in a small world is forgotten: an equality then finds a two hundredth of the rows.
    """
    of_schema = "relnamespace = CAST(:schema AS regnamespace)"
    connection.execute(
        sa.text(
            "DELETE FROM pg_statistic WHERE starelid IN (SELECT oid FROM pg_class WHERE "  # noqa: S608
            f"{of_schema})"
        ),
        {"schema": schema},
    )
    connection.execute(
        sa.text(
            "UPDATE pg_class SET reltuples = :rows, "  # noqa: S608
            "relpages = greatest(pg_relation_size(oid) / current_setting('block_size')::bigint, 1) "
            f"WHERE relkind = 'r' AND {of_schema}"
        ),
        {"schema": schema, "rows": rows},
    )
