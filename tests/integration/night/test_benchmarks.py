"""The benchmarks run, at tiny sizes and without a stopwatch: contenders agree, and the page has every one of them."""

import json
import math
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from keizoku.db.embedded import EmbeddedServer
from tests.benchmarks import crossing
from tests.benchmarks.growth_picture import growth_svg
from tests.benchmarks.harness import JSON_FILE, Contender, Measured, agreed, as_markdown, measure, summary, takes_part
from tests.benchmarks.run import all_cases


@pytest.fixture
def folder(database_folder: Path) -> Iterator[Path]:
    yield database_folder
    EmbeddedServer(database_folder).stop(force=True)


def test_a_case_runs_in_processes_of_its_own_and_its_contenders_agree(folder: Path) -> None:
    whole = all_cases()["quorum"]
    case = replace(
        whole, contenders=[each for each in whole.contenders if "DuckDB" in each.name or each.name == "Keizoku"]
    )
    told: list[str] = []
    measured = measure(case, folder, case.tiny, 1, told.append, cold=True)
    assert [(each.contender.name, len(each.wall)) for each in measured] == [
        ("Keizoku", 1),
        ("plain DuckDB window query", 1),
    ]
    assert all(each.cold is not None for each in measured)
    assert len(told) == 5  # the data, a cold and a warm run of both
    assert len(measured[0].answer["windows"]) == 3  # of four outages: one is not enough
    page = as_markdown({"quorum": summary(case, measured, case.tiny)})
    assert [line.split("|")[1:3] for line in page.splitlines() if line.startswith("| ")][1:] == [
        [" Keizoku ", " 1 "],
        [" plain DuckDB window query ", " 1 "],
    ]


@pytest.mark.parametrize("name", ["access", "bank", "claims", "close", "link", "quorum_growth", "scrape", "startup"])
def test_every_case_works_at_a_tiny_size(name: str, folder: Path) -> None:
    """In this process, one contender after the other; what others test themselves is not in the list."""
    case = all_cases()[name]
    answers = []
    served = ("access", "bank", "claims", "close", "scrape")
    with EmbeddedServer(folder) if name in served else nullcontext():  # one start for all
        case.prepare(folder, case.tiny)
        for contender in [each for each in case.contenders if takes_part(each, case.tiny)]:
            if case.before_run is not None:
                case.before_run(folder, case.tiny)
            answer = dict(contender.work(folder, case.tiny))
            answers.append({key: value for key, value in answer.items() if key not in ("figures", "seconds")})
    assert answers == [answers[0]] * len(answers)


def test_growth_is_fitted_drawn_and_told() -> None:
    case = replace(all_cases()["quorum"], contenders=[Contender(f"{times} ×", lambda *_: {}) for times in (1, 2, 4, 8)])
    measured = [
        Measured(each, wall=[2 * 3**power, 99.0, 2 * 3**power], cpu=[1.0] * 3, peak_mb=[1.0] * 3)
        for power, each in enumerate(case.contenders)
    ]
    found = summary(case, measured, case.tiny)
    assert found["growth"] == {"times": [1, 2, 4, 8], "seconds": [2, 6, 18, 54], "exponent": 1.58}  # log2 of 3
    assert "to the power of 1.58" in as_markdown({"quorum": found})
    picture = growth_svg({"quorum": found})
    assert ElementTree.fromstring(picture).tag.endswith("svg")  # noqa: S314
    assert picture.count("<circle") == 4


def engines(duckdb: dict[str, float], spark: dict[str, float]) -> dict[str, Any]:
    machine = {"measured_on": "2026-04-01", "processors": 2}
    size = {"observations": 8_000_000, "users": 1_600_000}
    return {"machine": machine, "size": size, "contenders": [{"figures": duckdb}, {"figures": spark}]}


def test_from_how_many_rows_spark_pays_is_worked_out() -> None:
    """DuckDB 0.5 s and 2 s a million; Spark 10 s to start, 4 s a question and 8 s a million, by hand."""
    case = engines(
        {"seconds_for_1000000": 2.5, "seconds_for_2000000": 4.5, "seconds_for_4000000": 8.5},
        {
            "seconds_for_1000000": 12.0,
            "seconds_for_2000000": 20.0,
            "seconds_for_4000000": 36.0,
            "seconds_to_start": 10.0,
            "seconds_of_the_first_question": 18.5,
        },
    )
    duckdb, spark = crossing.prices(case)
    assert [round(each, 9) for each in (duckdb.to_begin, duckdb.per_million)] == [0.5, 2.0]
    assert [round(each, 9) for each in (spark.to_begin, spark.per_million)] == [20.5, 8.0]  # 10 + 18.5 − 8
    assert crossing.crossing_millions(duckdb, spark, 4) == math.inf
    assert round(crossing.crossing_millions(duckdb, spark, 8), 9) == 20.0  # 20 s are won by 1 s a million
    page = crossing.told({"engines": case})
    assert "more than 4 such machines" in page
    assert "| 4 | never | |\n| 8 | 20 | 40 s |" in page
    assert crossing.told({"engines": {**case, "contenders": case["contenders"][:1]}}) == crossing.told({})


def test_the_page_on_scale_has_the_figures_of_the_benchmark(tmp_path: Path) -> None:
    page = tmp_path / "scale.md"
    page.write_text(crossing.PAGE.read_text(encoding="utf-8"), encoding="utf-8")
    crossing.write_into(page, json.loads(JSON_FILE.read_text(encoding="utf-8")))
    assert page.read_text(encoding="utf-8") == crossing.PAGE.read_text(encoding="utf-8")
    page.write_text("no place", encoding="utf-8")
    with pytest.raises(ValueError, match="no place"):
        crossing.write_into(page, {})


def test_the_cold_round_comes_before_all_warm_ones_and_is_not_among_them(folder: Path) -> None:
    case = all_cases()["startup"]
    told: list[str] = []
    measured = measure(case, folder, case.tiny, 2, told.append, cold=True)
    assert [(len(each.wall), each.cold is None) for each in measured] == [(2, False)] * len(case.contenders)
    assert [line.split(":")[1].endswith("(cold)") for line in told[1:]] == [
        number < len(case.contenders) for number in range(3 * len(case.contenders))
    ]


def test_a_size_that_is_too_much_for_a_peer_is_told() -> None:
    case = all_cases()["quorum"]
    names = [each.name for each in case.contenders if takes_part(each, {"observations": 10**8})]
    assert names == ["Keizoku", "plain DuckDB window query"]
    ours = [Measured(each, wall=[1.0], cpu=[1.0], peak_mb=[1.0]) for each in case.contenders[:2]]
    page = as_markdown({"quorum 100,000,000": summary(case, ours, case.large[-1])})
    assert f"## {case.title}: 100,000,000" in page.splitlines()
    assert "range_agg." in page


def test_contenders_that_disagree_are_no_benchmark() -> None:
    case = all_cases()["quorum"]
    measured = [Measured(each, answer={"windows": [number]}) for number, each in enumerate(case.contenders[:2])]
    with pytest.raises(AssertionError, match="answers differ"):
        agreed(case, measured)
    agreed(case, [replace(each, answer={}) for each in measured])
