"""The benchmarks of the night at tiny sizes, without a stopwatch: every certificate is ok, and the figures add up."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from keizoku.db.embedded import EmbeddedServer
from tests.benchmarks import case_night, case_night_catch_up, case_night_typical
from tests.benchmarks.night_world import make_world


@pytest.fixture
def folder(database_folder: Path) -> Iterator[Path]:
    with EmbeddedServer(database_folder):  # one start for all runs
        yield database_folder


def test_the_nights_that_are_measured_write_what_they_should(folder: Path) -> None:
    size = {"contracts": 60, "due": 25, "credits": 5, "overdue": 13, "nights": 3}
    make_world(folder, size)
    typical = case_night_typical.keizoku(folder, size)
    by_hand = {
        "terms": 60 + 25,
        "invoices": 60 + 25,
        "attempts": 60 - 13 + 25,
        "settlements": 60 - 13 + 25 + 5,  # a card each, and five credits
        "credits": 5,
        "open": 13,
    }
    assert {name: typical[name][0] for name in by_hand} == by_hand
    assert typical["credits"][1] == 0  # used up
    worst, copied = case_night.keizoku(folder, size), case_night.plain_copy(folder, size)
    for answer in (typical, worst, copied):
        del answer["seconds"], answer["figures"]
    assert worst == typical
    assert copied == worst  # rows are final where the night changed them later


def test_missed_nights_end_where_the_nights_one_by_one_do(folder: Path) -> None:
    size = {"contracts": 40, "due": 5, "credits": 0, "overdue": 0, "nights": 3}
    make_world(folder, size)
    answers = [case_night_catch_up.at_once(folder, size), case_night_catch_up.one_by_one(folder, size)]
    for answer in answers:
        del answer["seconds"], answer["figures"]
    assert answers[0] == answers[1]
    assert answers[0]["nights"] == 3
