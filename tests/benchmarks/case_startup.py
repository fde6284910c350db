"""How long a person waits for the first word of the command line."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.benchmarks.harness import ROOT, Case, Contender

START = "import sys; from keizoku.scheduler.cli import main; main(sys.argv[1:])"


def prepare(folder: Path, size: Mapping[str, int]) -> None:
    """Once before it is measured: everything is compiled and read from the disk."""
    _started("--help")


def _started(*arguments: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", START, *arguments], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout


def _starts(*arguments: str) -> Callable[[Path, Mapping[str, int]], dict[str, Any]]:
    def work(folder: Path, size: Mapping[str, int]) -> dict[str, Any]:
        begun = time.perf_counter()
        said = [_started(*arguments) for _ in range(size["starts"])]
        figures = {"milliseconds_of_one_start": (time.perf_counter() - begun) / len(said) * 1_000}
        return {"starts": len(said), "something_said": all(said), "figures": figures}

    return work


CASE = Case(
    name="startup",
    title="The start of a command",
    about="So many times one after the other: the command starts, says its help, ends.",
    size={"starts": 20},
    tiny={"starts": 1},
    prepare=prepare,
    contenders=[
        Contender("keizoku --help", _starts("--help"), note="the seconds of all starts."),
        Contender("keizoku claim --help", _starts("claim", "--help"), note="a group of commands with its own imports."),
        Contender("keizoku sla --help", _starts("sla", "--help"), note="the largest group."),
    ],
)
