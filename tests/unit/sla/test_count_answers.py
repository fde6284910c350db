"""Counts as monitors really answer: what is missing is unknown, never up, and what is not whole is told."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from keizoku.sla.evidence.count_files import CountSeries, CountsRead, read_counts, unknown_time
from keizoku.terms.calendar import epoch, parse_instant

NOON = epoch(parse_instant("2026-04-15 12:00"))
ALONE = CountSeries(total="1000")


def samples(*users: object, step: float = 60, first: float = NOON) -> list[list[object]]:
    return [[first + step * place, None if each is None else str(each)] for place, each in enumerate(users)]


def series(values: Sequence[Sequence[object]], **labels: str) -> dict[str, Any]:
    return {"metric": labels, "values": values}


def answer(folder: Path, *results: dict[str, Any], kind: str = "matrix", **more: object) -> Path:
    path = folder / "answer.json"
    path.write_text(json.dumps({"status": "success", **more, "data": {"resultType": kind, "result": list(results)}}))
    return path


def windows(read: CountsRead) -> list[tuple[int, int, int]]:
    return [(row.start - NOON, row.end - NOON, row.affected) for row in read.rows]


def unknown(read: CountsRead) -> list[tuple[int, int]]:
    return [(start - NOON, end - NOON) for start, end in unknown_time(read.rows, read.blank)]


def told(read: CountsRead) -> list[str]:
    return [each.value for each in read.findings]


@pytest.mark.parametrize(
    ("more", "value"),
    [
        ({"isPartial": True}, "isPartial"),
        ({"warnings": ["store-2: context deadline exceeded"]}, "store-2: context deadline exceeded"),
    ],
)
def test_9_3__of_an_answer_that_is_not_whole_only_stops_are_known(
    tmp_path: Path, more: dict[str, Any], value: str
) -> None:
    file = answer(tmp_path, series(samples(40, 51, 40), __name__="affected"), **more)
    read = read_counts(file, ALONE, lambda affected, total: affected * 20 > total)
    assert (windows(read), unknown(read), told(read)) == ([(60, 120, 51)], [(0, 60), (120, 180)], [value])
    read = read_counts(file, ALONE)
    assert (windows(read), unknown(read), told(read)) == ([], [(0, 180)], [value])


def test_9_3__what_is_only_worth_knowing_is_not_told(tmp_path: Path) -> None:
    read = read_counts(answer(tmp_path, series(samples(40, 51), __name__="affected"), infos=["PromQL info"]), ALONE)
    assert (len(read.rows), told(read)) == (2, [])


def test_9_3__a_failed_query_is_refused_and_its_time_unknown(tmp_path: Path) -> None:
    file = answer(
        tmp_path, series(samples(40, 40), __name__="affected"), status="error", errorType="timeout", error="timed out"
    )
    read = read_counts(file, ALONE)
    assert (windows(read), unknown(read), told(read)) == ([], [(0, 120)], ["timeout: timed out"])


def test_9_3__the_step_of_samples_with_gaps_everywhere_divides_all_their_distances(tmp_path: Path) -> None:
    at = (0, 3439, 5792, 6154, 17557)
    file = answer(tmp_path, series([[NOON + each, "100"] for each in at], __name__="affected"))
    assert windows(read_counts(file, ALONE)) == [(each, each + 181, 100) for each in at]


def test_9_3__samples_of_which_no_step_fits_are_told(tmp_path: Path) -> None:
    at = (0, 1009.5, 3021.7, 3700.2, 9001.9)
    read = read_counts(answer(tmp_path, series([[NOON + each, "100"] for each in at], __name__="affected")), ALONE)
    assert (read.rows, told(read), unknown(read)) == ((), ["5 samples"], [(0, 9002)])


def test_9_3__scrapes_are_some_milliseconds_off(tmp_path: Path) -> None:
    off = (0, 60.012, 119.998, 180.003, 600.004, 660.001)
    unable = [[NOON + each, "100"] for each in off]
    everyone = [[NOON + each + 0.009, "1000"] for each in off]
    file = answer(tmp_path, series(unable, __name__="affected"), series(everyone, __name__="total"))
    read = read_counts(file)
    assert ([row.affected for row in read.rows], told(read)) == ([100] * 6, [])
    assert unknown(read) == [(240, 600)]


def test_9_3__the_only_series_that_an_aggregation_left_is_taken(tmp_path: Path) -> None:
    assert len(read_counts(answer(tmp_path, series(samples(100, 100))), ALONE).rows) == 2
    assert len(read_counts(answer(tmp_path, series(samples(100, 100), job="web")), ALONE).rows) == 2
    two = answer(tmp_path, series(samples(100, 100), job="web"), series(samples(1000, 1000), job="app"))
    read = read_counts(two, ALONE)
    assert (read.rows, unknown(read)) == ((), [(0, 120)])
    assert read.findings[0].remedy == 'name it: label_replace(sum(…), "name", "affected", "", "")'
    read = read_counts(answer(tmp_path, series(samples(100, 100))))
    assert (read.rows, told(read)) == ((), ["series 'affected'", "series 'total'"])


def test_9_3__an_answer_without_a_series_is_told(tmp_path: Path) -> None:
    read = read_counts(answer(tmp_path), CountSeries(total="1000", asked=(NOON, NOON + 600)))
    assert (read.rows, told(read)) == ((), ["'matrix'"])
    assert unknown_time(read.rows, read.blank, CountSeries(asked=(NOON, NOON + 600))) == ((NOON, NOON + 600),)


def test_9_3__null_samples_and_histograms_are_unknown(tmp_path: Path) -> None:
    histogram = {"count": "51", "sum": "3", "buckets": [[0, "0", "1", "51"]]}
    result = series(samples(51, None, 52), __name__="affected") | {"histograms": [[NOON + 180, histogram]]}
    read = read_counts(answer(tmp_path, result), ALONE)
    assert (windows(read), unknown(read)) == ([(0, 60, 51), (120, 180, 52)], [(60, 120), (180, 240)])
    assert told(read) == ["affected at 2026-04-15T12:03:00+09:00"]


@pytest.mark.parametrize("kind", ["vector", "scalar"])
def test_9_3__an_instant_answer_holds_for_the_step_that_is_stated(tmp_path: Path, kind: str) -> None:
    file = answer(tmp_path, {"metric": {}, "value": [NOON, "51"]}, kind=kind)
    if kind == "scalar":
        file.write_text(json.dumps({"status": "success", "data": {"resultType": kind, "result": [NOON, "51"]}}))
    read = read_counts(file, ALONE)
    assert (read.rows, told(read)) == ((), [repr(kind)])
    assert windows(read_counts(file, CountSeries(total="1000", step_seconds=300))) == [(0, 300, 51)]


def test_9_3__findings_are_capped_and_summed(tmp_path: Path) -> None:
    read = read_counts(answer(tmp_path, series(samples(*["3.5"] * 500), __name__="affected")), ALONE)
    assert (len(read.findings), read.told, told(read)[-1]) == (21, 500, "480 more")


GRAFANA = [
    ('"Time","affected","total"\n{0},51,1000\n{1},,1000\n{2},52,1000\n', CountSeries()),
    ('sep=,\n"Time","affected"\n{0},51\n{1},NaN\n{2},52\n', ALONE),
    ('"Time","sum(unable)"\n{0},51\n{1},null\n{2},52\n', ALONE),
    ("Time;affected;total\n{0};51;1000\n{1};;1000\n{2};52;1000\n", CountSeries()),
    (
        '"Time","{{__name__=""affected"", a=""b""}}","{{__name__=""total""}}"\n{0},51,"1,000"\n{1},,9\n{2},52,1000\n',
        CountSeries(),
    ),
    ('"Time","affected {{job=""web""}}","up {{job=""web""}}"\n{0},51,1\n{1},undefined,1\n{2},52,1\n', ALONE),
    ("sep=;\nSeries;Time;Value\naffected;{0};51\naffected;{1};null\naffected;{2};52\n", ALONE),
]


@pytest.mark.parametrize(("text", "known"), GRAFANA)
@pytest.mark.parametrize(
    "times",
    [
        ("2026-04-15 12:00:00", "2026-04-15 12:01:00", "2026-04-15 12:02:00"),
        ("2026-04-15T03:00:00.000Z", "2026-04-15T03:01:00.000Z", "2026-04-15T03:02:00.000Z"),
        (str(NOON * 1_000), str((NOON + 60) * 1_000), str((NOON + 120) * 1_000)),
    ],
)
def test_9_3__a_panel_of_grafana_is_read(
    tmp_path: Path, text: str, known: CountSeries, times: tuple[str, str, str]
) -> None:
    file = tmp_path / "panel.csv"
    file.write_text(text.format(*times), encoding="utf-8")
    read = read_counts(file, known)
    assert (windows(read), unknown(read), told(read)) == ([(0, 60, 51), (120, 180, 52)], [(60, 120)], [])


def test_9_3__a_panel_without_the_column_and_with_cells_that_are_no_numbers_is_told(tmp_path: Path) -> None:
    file = tmp_path / "panel.csv"
    file.write_text(
        'Time,affected,"other"\n2026-04-15 12:00:00,51 users,1\nsoon,52,1\n2026-04-15 12:01:00,53,1\n', encoding="utf-8"
    )
    read = read_counts(file)
    assert [(each.line, each.value) for each in read.findings] == [
        (2, "affected '51 users' at 2026-04-15T12:00:00+09:00"),
        (3, "'soon'"),
        (None, "series 'total'"),
        (3, "'soon'"),
    ]
    assert read.rows == ()


def test_9_3__a_panel_with_two_series_of_a_name_is_told(tmp_path: Path) -> None:
    file = tmp_path / "panel.csv"
    header = '"Time","affected {job=""web""}","affected {job=""app""}"'
    file.write_text(f"{header}\n2026-04-15 12:00:00,51,1\n", encoding="utf-8")
    read = read_counts(file, CountSeries(total="1000", step_seconds=60))
    rule = 'one column is named so; there are 2, of affected {job="web"}, affected {job="app"}'
    assert (windows(read), unknown(read), [each.rule for each in read.findings]) == ([], [(0, 60)], [rule])
    assert windows(read_counts(file, CountSeries("app", "1000", step_seconds=60))) == [(0, 60, 1)]


def test_9_3__columns_of_counts_may_have_other_names_and_semicolons(tmp_path: Path) -> None:
    file = tmp_path / "counts.csv"
    file.write_text("start;end;down;users\n2026-04-15 12:00;2026-04-15 12:10;51;1000\n", encoding="utf-8")
    known = CountSeries(columns=(("from", "start"), ("to", "end"), ("affected", "down"), ("total", "users")))
    assert windows(read_counts(file, known)) == [(0, 600, 51)]
    assert known.description() == "columns=from=start to=end affected=down total=users"
