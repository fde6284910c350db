"""Counts as monitors hand them over: CSV and range queries; what a sample says, and when nobody knows."""

import json
from pathlib import Path

import pytest

from keizoku.sla.evidence.count_files import CountSeries, CountsRead, read_counts, unknown_time
from keizoku.sla.evidence.incident_files import Count
from keizoku.sla.rules.unknown_time import UnknownRuling, UnknownTimeDecision, holding, still_unknown
from keizoku.terms.calendar import epoch, parse_instant

NOON = epoch(parse_instant("2026-04-10 12:00"))


def csv_file(folder: Path, *rows: str) -> Path:
    path = folder / "counts.csv"
    path.write_text("\n".join(("from,to,affected,total", *rows)) + "\n", encoding="utf-8")
    return path


def matrix(folder: Path, *results: tuple[str, list[list[object]]]) -> Path:
    path = folder / "answer.json"
    listed = [{"metric": {"__name__": name}, "values": values} for name, values in results]
    path.write_text(json.dumps({"status": "success", "data": {"resultType": "matrix", "result": listed}}))
    return path


def minutes(*spans: tuple[int, int]) -> tuple[tuple[int, int], ...]:
    return tuple((NOON + 60 * start, NOON + 60 * end) for start, end in spans)


def at_minutes(**values: object) -> list[list[object]]:
    return [[NOON + 60 * int(name[1:]), value] for name, value in values.items()]


def told(read: CountsRead) -> list[str]:
    return [finding.value for finding in read.findings]


def test_9_3__a_row_without_numbers_and_time_without_a_row_are_unknown(tmp_path: Path) -> None:
    file = csv_file(
        tmp_path,
        "2026-04-10 12:00,2026-04-10 12:10,51,1000",
        "2026-04-10 12:10,2026-04-10 12:20,,1000",
        "2026-04-10 12:30,2026-04-10 12:40,50,1000",
        "2026-04-10 12:40,2026-04-10 12:50,,",
        "2026-04-10 12:50,2026-04-10 12:55,1001,1000",
        "2026-04-10 12:55,2026-04-10 13:00,,many",
        "2026-04-10 13:00,2026-04-10 13:10,51,",
    )
    read = read_counts(file)
    assert read.rows == (Count(NOON, NOON + 600, 51, 1_000), Count(NOON + 1_800, NOON + 2_400, 50, 1_000))
    assert (read.lines, told(read)) == ((2, 4), ["1001 of 1000", "total 'many'", "51 of nothing"])
    assert read.blank_rows == tuple(zip((3, 5), minutes((10, 20), (40, 50)), strict=True))
    assert read.refused == minutes((50, 55), (55, 60), (60, 70))
    assert unknown_time(read.rows, read.blank) == minutes((10, 30), (40, 50))
    assert unknown_time(read.rows, read.blank, CountSeries(), read.refused) == minutes((10, 30), (40, 70))
    only_stops = CountSeries(only_stops=True)
    assert unknown_time(read.rows, read.blank, only_stops, read.refused) == minutes((10, 20), (40, 70))
    assert unknown_time(read.rows, read.blank, refused=minutes((5, 15), (90, 95))) == minutes(
        (10, 30), (40, 50), (90, 95)
    )
    asked = CountSeries(asked=minutes((-10, 60))[0])
    assert unknown_time(read.rows, read.blank, asked) == minutes((-10, 0), (10, 30), (40, 60))
    assert unknown_time((), ()) == ()


def test_9_3__samples_of_a_range_query_hold_for_a_step_and_missing_ones_are_unknown(tmp_path: Path) -> None:
    affected = at_minutes(m0="51", m1="52", m4="NaN", m5="50", m6="3.5", m7="60", m8="+Inf", m9="1")
    total = at_minutes(m0="1000", m1="1000", m4="1000", m5="1000", m6="1000", m8="1000", m9="1000")
    read = read_counts(matrix(tmp_path, ("affected", affected), ("total", total)))
    assert [((row.start - NOON) // 60, (row.end - NOON) // 60, row.affected) for row in read.rows] == [
        (0, 1, 51),
        (1, 2, 52),
        (5, 6, 50),
        (9, 10, 1),
    ]
    assert told(read) == [
        "affected '3.5' at 2026-04-10T12:06:00+09:00",
        "affected '+Inf' at 2026-04-10T12:08:00+09:00",
    ]
    assert unknown_time(read.rows, read.blank) == minutes((2, 5), (6, 9))


def test_9_3__a_step_may_be_stated_and_all_users_be_a_number(tmp_path: Path) -> None:
    file = matrix(tmp_path, ("users_unable", [[NOON + 0.5, "51"], [NOON + 30.5, "52"]]))
    read = read_counts(file, CountSeries("users_unable", "1000", step_seconds=60))
    assert read.rows == (Count(NOON, NOON + 31, 51, 1_000), Count(NOON + 30, NOON + 91, 52, 1_000))
    assert unknown_time(read.rows, read.blank) == ()


@pytest.mark.parametrize(
    ("written", "value"),
    [
        (b"", "Expecting value: line 1 column 1 (char 0)"),
        (b"[1]", "'list'"),
        (b"\xff\xfe", "'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"),
        (b'{"data": {"resultType": "vector", "result": []}}', "'vector'"),
        (b'{"data": {"resultType": "matrix", "result": [{"metric": {"__name__": "down"}}]}}', "series 'affected'"),
    ],
)
def test_9_3__an_answer_that_is_no_matrix_is_told(tmp_path: Path, written: bytes, value: str) -> None:
    path = tmp_path / "answer.json"
    path.write_bytes(written)
    read = read_counts(path, CountSeries(total="1000"))
    assert (read.rows, told(read)) == ((), [value])


@pytest.mark.parametrize(
    ("sample", "rule"),
    [
        ([NOON], "a sample is [seconds since 1970, number]"),
        (["noon", "51"], "a sample is [seconds since 1970, number]"),
        ([1e30, "51"], "a time in seconds since 1970"),
        ([-1, "51"], "a time in seconds since 1970"),
        ([NOON, "99999999999999999999"], "a whole number of users"),
        ([NOON, "1001"], "affected users are a part of all users"),
        ([NOON, "51"], "it does not say how long it holds"),
    ],
)
def test_9_3__a_sample_that_cannot_be_one_is_told(tmp_path: Path, sample: list[object], rule: str) -> None:
    step = None if rule.startswith("it does") else 60
    read = read_counts(matrix(tmp_path, ("affected", [sample])), CountSeries(total="1000", step_seconds=step))
    assert (read.rows, [finding.rule for finding in read.findings]) == ((), [rule])


def test_9_3__the_newest_decision_on_unknown_time_holds_and_other_counts_know() -> None:
    rulings = (
        UnknownRuling(1, 0, 60, UnknownTimeDecision.UP),
        UnknownRuling(2, 30, 90, UnknownTimeDecision.DOWN, 60),
        UnknownRuling(3, 40, 50, UnknownTimeDecision.UNKNOWN),
    )
    assert [(ruling.number, spans) for ruling, spans in holding(rulings)] == [
        (3, ((40, 50),)),
        (2, ((30, 40), (50, 90))),
        (1, ((0, 30),)),
    ]
    assert still_unknown([(0, 120)], [(100, 110)], rulings) == ((40, 50), (90, 100), (110, 120))
