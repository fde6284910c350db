"""Rows as the text that COPY reads, column by column. Values in, text out.

A column of the same few values (days, words, one instant) is written once for each value that is in it, and a column of
numbers by one call: half the time of a row after the other.
"""

import datetime as dt
import re
from collections.abc import Iterable, Sequence

_ESCAPES = {"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"}
_SPECIAL = re.compile(r"[\\\t\n\r]")


class CopyText(str):
    """A value as COPY wants it (JSON, `{1,2}`, a time): what many rows share is written once, `copy_rows` takes it."""

    __slots__ = ()


_TEXTS = {str, CopyText}
_PLAIN = {*_TEXTS, int, type(None), dt.date, dt.datetime}


def copy_text(rows: Sequence[Sequence[object]]) -> str | None:
    """The lines of these rows, each with its end; None if a value is of a kind that only the driver knows how to write.

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
        elif kinds <= _PLAIN:
            written = {value: _written(value) for value in set(values)}
            columns.append([written[value] for value in values])
        else:
            return None
    return "\n".join(map("\t".join, zip(*columns, strict=True))) + "\n" if columns else None


def _written(value: object) -> str:
    return r"\N" if value is None else _escaped(str(value))


def _escaped(text: str) -> str:
    return _SPECIAL.sub(lambda found: _ESCAPES[found[0]], text)
