"""Runs benchmarks: `python -m tests.benchmarks.run [CASE …]`; see harness.py."""

import argparse
import hashlib
import importlib
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import Any

from tests.benchmarks import crossing
from tests.benchmarks.growth_picture import growth_svg
from tests.benchmarks.harness import JSON_FILE, RUNS, Case, as_markdown, measure, one_run, summary


def all_cases() -> dict[str, Case]:
    """Every case of this folder by its name."""
    files = sorted(Path(__file__).parent.glob("case_*.py"))
    cases = [importlib.import_module(f"tests.benchmarks.{file.stem}").CASE for file in files]
    return {case.name: case for case in cases}


def main(arguments: list[str]) -> None:
    """Measure the named cases, or all, and write the pages after each; `--tiny` proves that they run, no more."""
    if arguments[:1] == ["--one"]:
        _, name, contender, where, written_size = arguments
        case = importlib.import_module(f"tests.benchmarks.case_{name}").CASE
        one_run(case, contender, Path(where), json.loads(written_size))
        return
    cases = all_cases()
    parser = argparse.ArgumentParser(prog="benchmarks")
    parser.add_argument("cases", nargs="*", choices=[[], *cases], metavar="CASE", help=", ".join(cases))
    parser.add_argument("--tiny", action="store_true", help="tiny sizes, to see that it works")
    parser.add_argument("--size", choices=("ordinary", "large"), default="ordinary", help="large: those that take long")
    parser.add_argument("--runs", type=int, default=RUNS, help="warm ones of each contender")
    parser.add_argument("--keep", type=Path, help="make the data in this folder, or take those of a run before")
    parser.add_argument(
        "--set", nargs="*", default=[], metavar="NAME=NUMBER", help="another size, to look at; writes no page"
    )
    asked = parser.parse_args(arguments)
    otherwise = {name: int(number) for name, _, number in (each.partition("=") for each in asked.set)}
    work = [
        (f"{name} {next(iter(size.values())):,}" if asked.size == "large" else name, cases[name], size)
        for name in asked.cases or cases
        for size in (cases[name].large if asked.size == "large" else [cases[name].size])
    ]
    for number, (key, case, full_size) in enumerate(work, start=1):
        size = {**(case.tiny if asked.tiny else full_size), **otherwise}
        sys.stderr.write(f"[{number} of {len(work)}] {key}\n")
        with _folder(case, size, asked.keep, asked.tiny) as folder:
            found = summary(case, measure(case, folder, size, asked.runs, cold=not asked.tiny), size)
        if not (asked.tiny or otherwise):
            write_pages({**_written(), key: found}, list(cases))


def write_pages(figures: Mapping[str, Mapping[str, Any]], order: list[str]) -> None:
    """The JSON, the pages, the picture; cases in the order of their names, ordinary sizes before large ones."""
    known = {key: case for key, case in figures.items() if key.split()[0] in order}
    sizes = {key: next(iter(case["size"].values())) for key, case in known.items()}
    ordered = {key: known[key] for key in sorted(known, key=lambda key: (order.index(key.split()[0]), sizes[key]))}
    JSON_FILE.write_text(json.dumps(ordered, indent=1) + "\n", encoding="utf-8")
    JSON_FILE.with_suffix(".md").write_text(as_markdown(ordered), encoding="utf-8")
    if any(case.get("growth") for case in ordered.values()):
        JSON_FILE.with_name("growth.svg").write_text(growth_svg(ordered), encoding="utf-8")
    crossing.write_into(crossing.PAGE, ordered)


def _written() -> dict[str, Any]:
    return json.loads(JSON_FILE.read_text(encoding="utf-8")) if JSON_FILE.exists() else {}


@contextmanager
def _folder(case: Case, size: Mapping[str, int], keep: Path | None, tiny: bool) -> Iterator[Path]:
    """Where the data are: a folder that is left, one that is kept for the next time, or one that goes at the end."""
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        yield keep
    elif case.keeps and not tiny:
        made_by = Path(sys.modules[case.prepare.__module__].__file__ or "").read_bytes() + json.dumps(size).encode()
        kept = Path(gettempdir()) / "keizoku-benchmarks" / f"{case.name}-{hashlib.sha256(made_by).hexdigest()[:12]}"
        kept.mkdir(parents=True, exist_ok=True)
        yield kept
    else:
        with TemporaryDirectory(prefix="keizoku-bench-") as folder:
            Path(folder).chmod(0o755)
            yield Path(folder)


if __name__ == "__main__":
    main(sys.argv[1:])
