"""Runs benchmarks: `python -m tests.benchmarks.run [CASE …]`; see harness.py."""

import argparse
import importlib
import json
import sys
from contextlib import nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.benchmarks.harness import JSON_FILE, RUNS, Case, as_markdown, measure, one_run, summary


def all_cases() -> dict[str, Case]:
    """Every case of this folder by its name."""
    files = sorted(Path(__file__).parent.glob("case_*.py"))
    cases = [importlib.import_module(f"tests.benchmarks.{file.stem}").CASE for file in files]
    return {case.name: case for case in cases}


def main(arguments: list[str]) -> None:
    """Measure the named cases, or all, and write the two files; `--tiny` proves that they run and writes nothing."""
    if arguments[:1] == ["--one"]:
        _, name, contender, where, written_size = arguments
        case = importlib.import_module(f"tests.benchmarks.case_{name}").CASE
        one_run(case, contender, Path(where), json.loads(written_size))
        return
    cases = all_cases()
    parser = argparse.ArgumentParser(prog="benchmarks")
    parser.add_argument("cases", nargs="*", choices=[[], *cases], metavar="CASE", help=", ".join(cases))
    parser.add_argument("--tiny", action="store_true", help="tiny sizes, to see that it works")
    parser.add_argument("--runs", type=int, default=RUNS, help="at most so many of each contender")
    parser.add_argument("--keep", type=Path, help="make the data in this folder and leave them; writes no page")
    parser.add_argument(
        "--set", nargs="*", default=[], metavar="NAME=NUMBER", help="another size, to look at; writes no page"
    )
    asked = parser.parse_args(arguments)
    otherwise = {name: int(number) for name, _, number in (each.partition("=") for each in asked.set)}
    figures = json.loads(JSON_FILE.read_text(encoding="utf-8")) if JSON_FILE.exists() else {}
    for name in asked.cases or cases:
        case = cases[name]
        size = {**(case.tiny if asked.tiny else case.size), **otherwise}
        with nullcontext(asked.keep) if asked.keep else TemporaryDirectory(prefix="keizoku-bench-") as folder:
            Path(folder).chmod(0o755)
            figures[name] = summary(case, measure(case, Path(folder), size, asked.runs), size)
    if asked.tiny or asked.keep or otherwise:
        return
    figures = {name: figures[name] for name in cases if name in figures}
    JSON_FILE.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    JSON_FILE.with_suffix(".md").write_text(as_markdown(figures), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
