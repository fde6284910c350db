"""The typical night at one, two, four and eight times the size: what grows, and what must not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.benchmarks.harness import Case, Contender
from tests.benchmarks.night_runs import Clock, run_nights
from tests.benchmarks.night_world import DUE_ON, copy_of, counted, make_world

TIMES = (1, 2, 4, 8)


def prepare(folder: Path, size: Mapping[str, int]) -> None:
    """A world of each size."""
    for times in TIMES:
        make_world(folder, _sized(size, times), f"world_{times}")


def _sized(size: Mapping[str, int], times: int) -> dict[str, int]:
    return {name: number * times for name, number in size.items()}


def _at(times: int) -> Callable[[Path, Mapping[str, int]], Mapping[str, Any]]:
    def keizoku(folder: Path, size: Mapping[str, int]) -> dict[str, Any]:
        clock = Clock()
        sized = _sized(size, times)
        with copy_of(folder, f"world_{times}") as session:
            before = counted(session)
            run_nights(session, sized, [DUE_ON], clock)
            after = counted(session)
        renewed = after["terms"][0] - before["terms"][0]
        figures = clock.figures() | {"renewals_per_second": renewed / clock.wall}
        return {"renewed_of_those_due": renewed / sized["due"], "seconds": clock.wall, "figures": figures}

    return keizoku


CASE = Case(
    name="night_growth",
    title="The night as it grows",
    about="The typical night at sizes that double; `times ours` is against the smallest.",
    size={"contracts": 125_000, "due": 4_125, "credits": 125, "overdue": 62},
    tiny={"contracts": 60, "due": 10, "credits": 2, "overdue": 3},
    prepare=prepare,
    contenders=[Contender(f"{times} ×", _at(times)) for times in TIMES],
)
