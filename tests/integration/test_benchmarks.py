"""The benchmarks run, at tiny sizes and without a stopwatch: contenders agree, and the page has every one of them."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from db.embedded import EmbeddedServer
from tests.benchmarks.harness import Measured, agreed, as_markdown, measure, summary
from tests.benchmarks.run import all_cases


@pytest.fixture
def folder(database_folder: Path) -> Iterator[Path]:
    yield database_folder
    EmbeddedServer(database_folder).stop(force=True)


def test_a_case_runs_in_processes_of_its_own_and_its_contenders_agree(folder: Path) -> None:
    cases = all_cases()
    assert sorted(cases) == [
        "claims",
        "night",
        "night_catch_up",
        "night_growth",
        "night_typical",
        "payments",
        "quorum",
        "reconciliation",
        "scenario",
        "startup",
    ]
    whole = cases["quorum"]
    case = replace(
        whole, contenders=[each for each in whole.contenders if "DuckDB" in each.name or each.name == "Keizoku"]
    )
    told: list[str] = []
    measured = measure(case, folder, case.tiny, 1, told.append)
    assert [each.contender.name for each in measured] == ["Keizoku", "plain DuckDB window query"]
    assert len(told) == 2
    assert len(measured[0].answer["windows"]) == 3  # of four outages: one is not enough
    page = as_markdown({"quorum": summary(case, measured, case.tiny)})
    assert [line.split("|")[1:3] for line in page.splitlines() if line.startswith("| ")][1:] == [
        [" Keizoku ", " 1 "],
        [" plain DuckDB window query ", " 1 "],
    ]


def test_contenders_that_disagree_are_no_benchmark() -> None:
    case = all_cases()["quorum"]
    measured = [Measured(each, answer={"windows": [number]}) for number, each in enumerate(case.contenders[:2])]
    with pytest.raises(AssertionError, match="answers differ"):
        agreed(case, measured)
    agreed(case, [replace(each, answer={}) for each in measured])
