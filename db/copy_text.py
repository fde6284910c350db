"""Rows for COPY: as the text that it reads, column by column, or as rows of the driver's values.

A column of few different values (days, words, one instant) is converted once for each value, and a column of numbers in
one call: this takes half the time of converting row by row.
"""

import datetime as dt
import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

_ESCAPES = {"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"}
_SPECIAL = re.compile(r"[\\\t\n\r]")


class CopyText(str):
    """A value in COPY's format (JSON, `{1,2}`, a time): converted once where many rows share it; for `copy_rows`."""

    __slots__ = ()


_TEXTS = {str, CopyText}
_PLAIN = {*_TEXTS, int, type(None), dt.date, dt.datetime}
_TRUTHS = {bool, type(None)}


def copy_text(rows: Sequence[Sequence[object]]) -> str | None:
    """The lines of these rows, each with its end; None if a value is of a type that only the driver can write.

    ValueError if the rows are not of one length.
    """
    columns: list[Iterable[str]] = []
    for values in zip(*rows, strict=True):
        kinds = set(map(type, values))
        if kinds == {int}:
            columns.append(map(str, values))
        elif kinds <= _TEXTS:
            text = "".join(values)
            columns.append(map(_escaped, values) if any(special in text for special in _ESCAPES) else values)
        elif kinds <= _PLAIN or kinds <= _TRUTHS:
            written = {value: _written(value) for value in set(values)}
            columns.append([written[value] for value in values])
        else:
            return None
    return "\n".join(map("\t".join, zip(*columns, strict=True))) + "\n" if columns else None


def _written(value: object) -> str:
    return r"\N" if value is None else _escaped(str(value))


def _escaped(text: str) -> str:
    return _SPECIAL.sub(lambda found: _ESCAPES[found[0]], text)


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
