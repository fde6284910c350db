"""A large file is read as it comes by: what is held grows with the packed lines, not with objects for every line."""

import tracemalloc
from datetime import timedelta

import pytest

from keizoku.billing.statements.recognise import read_statements
from tests.unit.billing.statements import writers
from tests.unit.billing.statements.writers import FIRST_ON, Movement

LINES = 1_500
OF_A_LINE = 260
"""Bytes for each line beside the file and its text; as objects in a list a line takes about a thousand."""


def peak(raw: bytes) -> int:
    tracemalloc.start()
    try:
        read = read_statements("file", raw)
        found = tracemalloc.get_traced_memory()[1]
        assert sum(len(each.lines) for each in read.statements) * 2 >= LINES
        return found
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", ["camt", "mt940", "ofx", "zengin"])
def test_memory_grows_by_little_more_than_the_file(name: str) -> None:
    def written(lines: int) -> bytes:
        days = [FIRST_ON + timedelta(days=2 * at // lines) for at in range(lines)]
        return writers.FILES[name]([Movement(on, 500 + at, f"ﾔﾏﾀﾞ {at}", at + 1) for at, on in enumerate(days)])

    small, large = written(LINES), written(2 * LINES)
    read_statements("file", large)  # what is loaded or remembered once
    file = len(large) - len(small)
    assert peak(large) - peak(small) < 3 * file + OF_A_LINE * LINES
