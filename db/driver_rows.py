"""Rows of our values as rows of the driver's values: converted as the types of a table's columns say."""

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from keizoku.db.copy_text import CopyText

Row = Sequence[object]
_DIALECT = PGDialect_psycopg()


@lru_cache(maxsize=512)
def driver_rows(table: sa.Table | str, columns: tuple[str, ...]) -> Callable[[Iterable[Row]], list[Row]]:
    """A function that converts rows of these columns; it raises ValueError for an instant without a zone."""
    if isinstance(table, str):
        return list
    converters: list[tuple[int, Callable[[Any], Any]]] = []
    instants: list[int] = []
    for place, name in enumerate(columns):
        column = table.c[name]
        convert = column.type.dialect_impl(_DIALECT).bind_processor(_DIALECT)
        if convert is not None:
            converters.append((place, convert))
        elif isinstance(column.type, sa.DateTime) and column.type.timezone:
            instants.append(place)

    def converted(row: Row) -> Row:
        values = list(row)
        for place, convert in converters:
            value = values[place]
            if value is not None and type(value) is not CopyText:
                values[place] = convert(value)
        return values

    def ready(rows: Iterable[Row]) -> list[Row]:
        some = [converted(row) for row in rows] if converters else list(rows)
        for place in instants:
            _refuse_naive({row[place] for row in some})
        return some

    return ready


def _refuse_naive(instants: Iterable[object]) -> None:
    for value in instants:
        if isinstance(value, dt.datetime) and value.tzinfo is None:
            raise ValueError(f"{value.isoformat()} has no zone; an instant needs one")
