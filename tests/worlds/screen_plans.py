"""What the database would read for a statement: the tables that it would go through from end to end.

The planner is told that every table is large (`as_of_a_million`), so that its choice on a small world is the one that
it makes on a large one: where it still reads a whole table, there is no index that serves.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
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
    found = cursor.fetchall()[0][0]
    cursor.close()
    plan = found if isinstance(found, list) else json.loads(found)
    return list(_of(plan[0]["Plan"]))


def _of(node: Mapping[str, Any], *, few: bool = False) -> Iterator[WholeRead]:
    """`few`: a LIMIT above stops it, with nothing between that reads to the end."""
    kind, filtered = node["Node Type"], node.get("Filter", "")
    if kind == "Seq Scan" and not (few and not filtered):
        yield WholeRead(node["Relation Name"], kind, filtered)
    elif (
        kind in ("Index Scan", "Index Only Scan")
        and (_FROM_A_PLACE.fullmatch(node.get("Index Cond", "")) if filtered else "Index Cond" not in node)
        and not (few and not filtered)
    ):
        yield WholeRead(node["Relation Name"], node["Index Name"], filtered)
    stops = kind == "Limit" or (few and kind in _PASSES_ON)
    for place, below in enumerate(node.get("Plans", ())):
        yield from _of(below, few=stops and not (place and kind == "Hash Join"))


_FROM_A_PLACE: Final = re.compile(r"|\(\w+ > '[^']*'::\w+\)")
"""No condition, or the place where a page of a list begins: all that follows is read, and what is not meant is left."""
_PASSES_ON: Final = (
    "Nested Loop",
    "Merge Join",
    "Append",
    "Merge Append",
    "Subquery Scan",
    "Result",
    "Incremental Sort",
    "LockRows",
)


def as_of_a_million(engine: sa.Engine, schema: str, tables: Sequence[sa.Table], rows: int = 1_000_000) -> None:
    """Tell the planner that each of these tables of a schema has so many rows.

    It takes the pages from the files and the rows on each from the catalog, so that these are told; a table without a
    page is given one. What was found about the values in a small world is forgotten: an equality then finds a two
    hundredth of the rows, and three of them where the column names one account or one row.
    """
    for table in tables:
        with engine.connect() as connection:
            if not connection.scalar(sa.text("SELECT pg_relation_size(CAST(:name AS regclass))"), {"name": table.name}):
                _give_a_page(connection, table)
    named = {"schema": schema, "tables": [each.name for each in tables], "rows": rows}
    of_schema = "relnamespace = CAST(:schema AS regnamespace) AND relname = ANY (:tables)"
    pages = "greatest(pg_relation_size(oid) / current_setting('block_size')::bigint, 1)"
    with engine.begin() as connection:
        forgotten = f"DELETE FROM pg_statistic WHERE starelid IN (SELECT oid FROM pg_class WHERE {of_schema})"
        connection.execute(sa.text(forgotten), named)
        connection.execute(sa.text(f"{_DIFFERS} WHERE {of_schema} AND {_NAMES}"), named)
        connection.execute(
            sa.text(f"UPDATE pg_class SET reltuples = :rows, relpages = {pages} WHERE {of_schema}"), named
        )


_SLOTS: Final = range(1, 6)
_DIFFERS: Final = (
    "INSERT INTO pg_statistic (starelid, staattnum, stainherit, stanullfrac, stawidth, stadistinct, "
    + ", ".join(f"stakind{n}, staop{n}, stacoll{n}" for n in _SLOTS)
    + ") SELECT pg_class.oid, attnum, false, 0, 8, -0.3, "
    + ", ".join("0, 0, 0" for _ in _SLOTS)
    + " FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid AND attnum > 0 AND NOT attisdropped"
)
_NAMES: Final = "(attname IN ('account', 'id', 'gateway_id', 'occasion', 'source_id') OR attname LIKE '%\\_id')"
"""Columns in which three rows or so have the same value, however many there are."""


def _give_a_page(connection: sa.Connection, table: sa.Table) -> None:
    """A row that is taken back leaves its page: for it, and for as long, the table takes any row."""
    connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
    for name in connection.scalars(
        sa.text("SELECT conname FROM pg_constraint WHERE conrelid = CAST(:name AS regclass) AND contype = 'c'"),
        {"name": table.name},
    ).all():
        connection.exec_driver_sql(f'ALTER TABLE {table.name} DROP CONSTRAINT "{name}"')
    for column in table.columns:
        if not (column.primary_key or column.nullable or column.identity is not None):
            connection.exec_driver_sql(f"ALTER TABLE {table.name} ALTER {column.name} DROP NOT NULL")
    key = list(table.primary_key.columns)
    values = ", ".join(_ANY.get(type(column.type), "'x'") for column in key)
    names = ", ".join(column.name for column in key)
    connection.exec_driver_sql(f"INSERT INTO {table.name} ({names}) OVERRIDING SYSTEM VALUE VALUES ({values})")
    connection.rollback()


_ANY: Final[Mapping[type[Any], str]] = {
    sa.BigInteger: "1", sa.Integer: "1", sa.Date: "'2026-01-01'", sa.DateTime: "'2026-01-01'", sa.Boolean: "true",
}  # fmt: skip
