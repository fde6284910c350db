"""Missed nights caught up in one, beside the same nights one by one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.benchmarks.harness import Case, Contender
from tests.benchmarks.night_runs import Clock, run_nights
from tests.benchmarks.night_world import DUE_ON, copy_of, counted, make_world


def at_once(folder: Path, size: Mapping[str, int]) -> dict[str, Any]:
    """One night for all of them, on the last day."""
    return _nights(folder, size, [size["nights"] - 1])


def one_by_one(folder: Path, size: Mapping[str, int]) -> dict[str, Any]:
    """Each night on its day."""
    return _nights(folder, size, range(size["nights"]))


def _nights(folder: Path, size: Mapping[str, int], days: range | list[int]) -> dict[str, Any]:
    clock = Clock()
    with copy_of(folder) as session:
        results = run_nights(session, size, [DUE_ON + timedelta(days=day) for day in days], clock)
        answer = counted(session)
    nights = sum(1 + len(result.caught_up) for result in results)
    return {**answer, "nights": nights, "seconds": clock.wall, "figures": clock.figures()}


CASE = Case(
    name="night_catch_up",
    title="A month of missed nights",
    about="Nights that were missed are caught up by the next one; beside it, the same nights as they would have been.",
    size={"contracts": 100_000, "due": 3_300, "credits": 0, "overdue": 0, "nights": 30},
    tiny={"contracts": 100, "due": 5, "credits": 0, "overdue": 0, "nights": 4},
    prepare=make_world,
    contenders=[Contender("caught up at once", at_once), Contender("one by one", one_by_one)],
)
