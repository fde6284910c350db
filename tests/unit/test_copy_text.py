"""Rows as COPY reads them: what is special is escaped, what only the driver can write is left to it."""

import datetime as dt
from enum import StrEnum

import pytest

from keizoku.db.copy_text import CopyText, copy_text

DAY = dt.date(2026, 4, 10)
AT = dt.datetime(2026, 4, 10, 2, 30, tzinfo=dt.UTC)


def test_every_plain_kind_is_written_as_the_driver_writes_it() -> None:
    rows = [(1, "継続", DAY, AT, None), (-2, "\\N\t\r\n.", None, AT, CopyText('{"a\\b"}'))]
    first = "1\t継続\t2026-04-10\t2026-04-10 02:30:00+00:00\t\\N\n"
    assert copy_text(rows) == first + '-2\t\\\\N\\t\\r\\n.\t\\N\t2026-04-10 02:30:00+00:00\t{"a\\\\b"}\n'


def test_a_column_of_one_row_and_an_empty_text_are_lines_too() -> None:
    assert copy_text([("",)]) == "\n"
    assert copy_text([("\\.",)]) == "\\\\.\n"


@pytest.mark.parametrize("value", [True, 1.5, [1], {"a": 1}, StrEnum("Kind", ["ONE"]).ONE])  # type: ignore[attr-defined]
def test_other_kinds_are_left_to_the_driver(value: object) -> None:
    assert copy_text([(1, value), (2, "text")]) is None


def test_rows_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="shorter"):
        copy_text([(1, 2), (3,)])
