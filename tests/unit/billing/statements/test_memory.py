"""A large file is read as it comes by: what is held grows with the packed lines, not with objects for every line."""

import tracemalloc
from datetime import timedelta

import pytest

from keizoku.billing.statements.recognise import read_statements
from tests.unit.billing.statements import writers
from tests.unit.billing.statements.writers import FIRST_ON, Movement

LINES = 1_200
OF_A_LINE = {"camt": 480, "mt940": 200, "ofx": 320, "zengin": 320}
"""Bytes for each line, its text as a whole among them; lines as objects in a list took two to six times as much."""


def peak(raw: bytes) -> int:
    tracemalloc.start()
    try:
        read = read_statements("file", raw)
        found = tracemalloc.get_traced_memory()[1]
        assert sum(len(each.lines) for each in read.statements) * 2 >= LINES
        return found
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", sorted(OF_A_LINE))
def test_memory_grows_with_the_file_alone(name: str) -> None:
    def written(lines: int) -> bytes:
        days = [FIRST_ON + timedelta(days=2 * at // lines) for at in range(lines)]
        return writers.FILES[name]([Movement(on, 500 + at, f"ﾔﾏﾀﾞ {at}", at + 1) for at, on in enumerate(days)])

    small, large = written(LINES), written(2 * LINES)
    read_statements("file", large)  # what is loaded or remembered once
    assert peak(large) - peak(small) < OF_A_LINE[name] * LINES
