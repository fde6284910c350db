"""The quorum at one, two, four and eight times the size: the same month with more users and their rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.benchmarks import case_quorum
from tests.benchmarks.harness import Case, Contender

TIMES = (1, 2, 4, 8)


def prepare(folder: Path, size: Mapping[str, int]) -> None:
    """The files of each size."""
    for times in TIMES:
        (folder / str(times)).mkdir(exist_ok=True)
        case_quorum.prepare(folder / str(times), _sized(size, times))


def _sized(size: Mapping[str, int], times: int) -> dict[str, int]:
    return {name: number * times for name, number in size.items()}


def _at(times: int) -> Callable[[Path, Mapping[str, int]], Mapping[str, Any]]:
    def keizoku(folder: Path, size: Mapping[str, int]) -> dict[str, Any]:
        sized = _sized(size, times)
        return {"windows_found": len(case_quorum.keizoku(folder / str(times), sized)["windows"])}

    return keizoku


CASE = Case(
    name="quorum_growth",
    title="The quorum as it grows",
    about=(
        "The same month at sizes that double; `times ours` is against the smallest. The start of the process is in all "
        "of them, so that the smallest costs more for a row."
    ),
    size={"observations": 2_500_000, "users": 500_000},
    tiny={"observations": 20_000, "users": 4_000},
    keeps=True,
    prepare=prepare,
    contenders=[Contender(f"{times} ×", _at(times)) for times in TIMES],
)
