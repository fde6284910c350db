"""Observations from files: read in bulk, refused one by one, the same from CSV, NDJSON and Parquet."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from keizoku.sla.counting.outage_threshold import Population, observed_windows
from keizoku.sla.evidence.observations import Observations, open_observations, read_observation_rows, read_observations
from keizoku.terms.calendar import epoch, parse_instant
from keizoku.terms.decision import Finding
from keizoku.terms.policy import Terms

HEADER = "user_id,symptom,started_at,ended_at\n"
TIME = "write 2026-04-10 09:00 (JST) or 2026-04-10T09:00:00+09:00"
NINE = epoch(parse_instant("2026-04-10 09:00"))


@pytest.fixture
def table() -> Iterator[Observations]:
    opened = open_observations()
    yield opened
    opened.close()


def rows_of(table: Observations) -> list[tuple[str, int, int | None]]:
    return table.table.execute("SELECT user_id::VARCHAR, started, ended FROM observation ORDER BY ALL").fetchall()


def written(folder: Path, text: str | bytes, name: str = "seen.csv") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_9_3__times_have_a_zone_or_are_japans_and_open_ends_stay_open(table: Observations, tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "\ufeff" + HEADER + 'a,site,2026-04-10 09:00,2026-04-10T09:00:01.2+09:00\r\n"b,1",login,2026-04-10T00:00Z,\r\n'
        " c ,view,2026-04-10 09:00:00.9,2026-04-10 00:00:05+00\r\n",
    )
    read = read_observations(table, path)
    assert (read.taken, read.refused, read.findings) == (3, 0, ())
    assert rows_of(table) == [("a", NINE, NINE + 2), ("b,1", NINE, None), ("c", NINE, NINE + 5)]


BAD = [
    ("", "site", "2026-04-10 09:00", "2026-04-10 10:00"),
    ("a", "slow", "2026-04-10 09:00", "2026-04-10 10:00"),
    ("a", "site", "infinity", "2026-04-10 10:00"),
    ("a", "site", "2026-04-10 09:00", "soon"),
    ("a", "site", "2026-04-10 09:00", "2026-04-10 09:00"),
    ("a", "site", "2026-04-10 09:00", "2026-04-10 08:00"),
]
GOOD = ("ok", "site", "2026-04-10 09:00", "2026-04-10 09:10")
TOLD = [
    ("no user_id", "every observation names its user", "fill it in"),
    ("symptom 'slow'", "a symptom is site, login, view", "correct it"),
    ("started_at 'infinity'", "not a time", TIME),
    ("ended_at 'soon'", "not a time", f"{TIME}, or leave it empty while still open"),
    (
        "2026-04-10 09:00 to 2026-04-10 09:00",
        "an observation ends after it starts",
        "correct one of the times",
    ),
    (
        "2026-04-10 09:00 to 2026-04-10 08:00",
        "an observation ends after it starts",
        "correct one of the times",
    ),
]


def test_9_3__refused_rows_of_a_csv_are_told_and_the_good_ones_go_on(table: Observations, tmp_path: Path) -> None:
    lines = [",".join(row) for row in (*BAD, GOOD)]
    path = written(tmp_path, HEADER + "\n".join(lines) + "\n\nbroken,row\nok2,view,2026-04-10 09:00,\n")
    read = read_observations(table, path)
    assert (read.taken, read.refused) == (2, 7)
    assert rows_of(table) == [("ok", NINE, NINE + 600), ("ok2", NINE, None)]
    width = ("broken,row", "the header has 4 columns, this row 2", "quote values that hold a comma")
    assert sorted(read.findings, key=lambda finding: finding.line or 0) == [
        *(Finding(str(path), line, *told) for line, told in enumerate(TOLD, start=2)),
        Finding(str(path), 10, *width),
    ]


def test_9_3__refused_rows_of_ndjson_are_told_with_their_lines(table: Observations, tmp_path: Path) -> None:
    names = HEADER.strip().split(",")
    lines = [json.dumps(dict(zip(names, row, strict=True))) for row in (*BAD, GOOD)]
    path = written(tmp_path, "\n".join([*lines, "", "not json", "[1]"]), "seen.ndjson")
    read = read_observations(table, path)
    assert (read.taken, read.refused) == (1, 8)
    assert [(finding.line, finding.value) for finding in read.findings] == [
        *((line, told[0]) for line, told in enumerate(TOLD, start=1)),
        (9, "not json"),
        (10, "[1]"),
    ]


def test_9_3__refused_rows_of_parquet_are_told_with_their_places(table: Observations, tmp_path: Path) -> None:
    path = tmp_path / "seen.parquet"
    table.table.execute("CREATE TABLE raw (user_id VARCHAR, symptom VARCHAR, started_at VARCHAR, ended_at VARCHAR)")
    table.table.executemany("INSERT INTO raw VALUES (?, ?, ?, ?)", [*BAD, GOOD])
    table.table.execute(f"COPY (SELECT * FROM raw) TO '{path}'")
    read = read_observations(table, path)
    assert (read.taken, read.refused) == (1, 6)
    assert [finding.value for finding in read.findings] == [told[0] for told in TOLD]


TYPED = """SELECT u AS user_id, s AS symptom, make_timestamptz(k) AS started_at, make_timestamptz(e) AS ended_at
    FROM (VALUES {}) AS typed (u, s, k, e)"""


@pytest.mark.parametrize(
    ("row", "finding"),
    [
        ("(NULL, 'site', 0, 9)", TOLD[0]),
        ("('  ', 'site', 0, 9)", TOLD[0]),
        ("('a', 'slow', 0, 9)", TOLD[1]),
        ("('a', NULL, 0, 9)", ("symptom None", "a symptom is site, login, view", "correct it")),
        ("('a', 'site', NULL, 9)", ("started_at None", "not a time", TIME)),
        ("('a', 'site', -1, 9)", ("started_at '1970-01-01 08:59:59.999999+09'", "not a time", TIME)),
        ("('a', 'site', 0, 221845392000000001)", None),
        ("('a', 'site', 9, 9)", None),
    ],
)
def test_9_3__each_rule_holds_for_typed_parquet_whose_statistics_answer_it(
    table: Observations, tmp_path: Path, row: str, finding: tuple[str, str, str] | None
) -> None:
    """Good rows around it: still open, with spaces, half a second; the bad one alone is refused."""
    path = tmp_path / "seen.parquet"
    good = "(' b ', ' view ', 0, NULL), ('\u3000c', 'site', 1500000, 2000000), ('d e', 'login', 0, 1)"
    table.table.execute(f"COPY ({TYPED.format(f'{good}, {row}')}) TO '{path}' (FORMAT parquet)")
    read = read_observations(table, path)
    assert (read.taken, read.refused, [each.line for each in read.findings]) == (3, 1, [4])
    if finding:
        assert read.findings == (Finding(str(path), 4, *finding),)
    assert rows_of(table) == [("b", 0, None), ("c", 1, 2), ("d e", 0, 1)]


def test_9_3__a_user_has_no_spaces_around_him_whatever_his_letters(table: Observations, tmp_path: Path) -> None:
    """Whoever has neither a space nor a letter beyond ASCII is taken as he is: it comes to the same."""
    users = ["a", "a b", " a", "a ", "\u3000名", "名\u3000", "名", "é\xa0", "\ta", "a\t", " x y ", "user-00000001"]
    path = tmp_path / "seen.parquet"
    rows = ", ".join(f"('{user}', 'site', 0, 1)" for user in users)
    table.table.execute(f"COPY ({TYPED.format(rows)}) TO '{path}' (FORMAT parquet)")
    assert read_observations(table, path).taken == len(users)
    trimmed = table.table.execute("SELECT trim(unnest($users::VARCHAR[]))", {"users": users}).fetchall()
    assert sorted(user for user, _, _ in rows_of(table)) == sorted(user for (user,) in trimmed)


def test_9_3__clean_ndjson_may_leave_an_open_end_out(table: Observations, tmp_path: Path) -> None:
    lines = (
        '{"user_id": 7, "symptom": "site", "started_at": "2026-04-10T00:00:00Z"}\n'
        '{"user_id": "b", "symptom": "view", "started_at": "2026-04-10 09:00", "ended_at": null, "x": [1]}\n'
    )
    assert read_observations(table, written(tmp_path, lines, "seen.jsonl")).findings == ()
    assert rows_of(table) == [("7", NINE, None), ("b", NINE, None)]


@pytest.mark.parametrize("kind", ["TIMESTAMP", "TIMESTAMPTZ", "TIMESTAMP_NS", "VARCHAR"])
def test_9_3__parquet_of_any_type_of_time(table: Observations, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "seen.parquet"
    table.table.execute(
        f"COPY (SELECT 1 AS user_id, 'site' AS symptom, '2026-04-10 09:00:00.5'::{kind} AS started_at, "
        f"'2026-04-10 09:00:01.5'::{kind} AS ended_at) TO '{path}'"
    )
    assert read_observations(table, path).findings == ()
    assert rows_of(table) == [("1", NINE, NINE + 2)]


def test_9_3__a_missing_column_is_told_with_the_nearest_one(table: Observations, tmp_path: Path) -> None:
    path = written(tmp_path, "user,symptom,started_at,ended_at\na,site,2026-04-10 09:00,\n")
    assert read_observations(table, path).findings == (
        Finding(
            str(path),
            1,
            "no column 'user_id'",
            "the file needs it; the nearest is 'user'",
            "rename or add it",
        ),
    )


def test_9_3__columns_of_another_name_and_one_symptom_for_all(table: Observations, tmp_path: Path) -> None:
    path = written(tmp_path, "site,from,to\nForum,2026-04-10T00:00:00+00:00,2026-04-10T00:10:00+00:00\n")
    names = {"user_id": "site", "started_at": "from", "ended_at": "to"}
    assert read_observations(table, path, names, symptom="site").taken == 1
    assert rows_of(table) == [("Forum", NINE, NINE + 600)]


def test_9_3__after_a_hundred_findings_the_rest_is_counted(table: Observations, tmp_path: Path) -> None:
    path = written(tmp_path, HEADER + "a,slow,2026-04-10 09:00,\n" * 250 + ",".join(GOOD) + "\n")
    read = read_observations(table, path)
    assert (read.taken, read.refused, len(read.findings)) == (1, 250, 101)
    assert read.findings[99].line == 101
    assert read.findings[100] == Finding(str(path), None, "150 more rows refused", "as above", "correct these first")


def test_9_3__rows_that_are_not_utf8_are_refused_and_the_others_go_on(table: Observations, tmp_path: Path) -> None:
    other = "利用者,site,2026-04-10 09:00,\n".encode("shift_jis")
    path = written(tmp_path, HEADER.encode() + other + ",".join(GOOD).encode())
    read = read_observations(table, path)
    assert (read.taken, read.refused, read.findings[0].line, read.findings[0].rule) == (
        1,
        1,
        2,
        "files are UTF-8",
    )


def test_9_3__mixed_line_ends_are_read(table: Observations, tmp_path: Path) -> None:
    rows = [f"{user},site,2026-04-10 09:00," for user in "abc"]
    path = written(tmp_path, f"{HEADER}{rows[0]}\r\n{rows[1]}\n{rows[2]}")
    assert read_observations(table, path).taken == 3


@pytest.mark.parametrize(
    ("name", "content", "value"),
    [
        ("seen.txt", b"x", "'seen.txt'"),
        ("seen.csv", "利用者".encode("utf-16"), "not UTF-8"),
        ("seen.csv", b"", "no column 'user_id'"),
    ],
)
def test_9_3__a_file_of_another_kind_is_a_finding(
    table: Observations, tmp_path: Path, name: str, content: bytes, value: str
) -> None:
    read = read_observations(table, written(tmp_path, content, name))
    assert (read.taken, read.findings[0].value) == (0, value)


def test_9_3__a_broken_parquet_file_is_a_finding(table: Observations, tmp_path: Path) -> None:
    read = read_observations(table, written(tmp_path, b"no parquet", "seen.parquet"))
    assert (read.taken, read.findings[0].rule) == (0, "the file can be read")


def parquet(observed: Observations, path: Path, rows: str) -> Path:
    """Write good rows, `user_id` as given, of 2026-04-10 09:00 to 09:10."""
    path.parent.mkdir(parents=True, exist_ok=True)
    observed.table.execute(f"COPY (SELECT {rows}) TO '{path}' (FORMAT parquet)")
    return path


TIMES = "'2026-04-10 09:00' AS started_at, TIMESTAMP '2026-04-10 09:10' AS ended_at"


def test_9_3__a_partitioned_folder_is_read_as_one(table: Observations, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    parquet(table, seen / "symptom=site" / "day=10" / "a.parquet", f"'7' AS user_id, {TIMES}")
    parquet(table, seen / "symptom=slow" / "a.parquet", f"'8' AS user_id, {TIMES}")
    parquet(table, seen / "symptom=view" / "b.parquet", f"9 AS user_id, {TIMES}")
    parquet(table, seen / "_temporary" / "c.parquet", f"'10' AS user_id, {TIMES}")
    written(seen, HEADER + ",".join(GOOD) + "\n")
    read = read_observations(table, seen)
    assert (read.taken, read.refused) == (3, 1)
    wrong = seen / "symptom=slow" / "a.parquet"
    assert read.findings == (Finding(str(wrong), 1, *TOLD[1]),)
    assert rows_of(table) == [(user, NINE, NINE + 600) for user in ("7", "9", "ok")]


def test_9_3__one_broken_file_of_many_does_not_spoil_the_others(table: Observations, tmp_path: Path) -> None:
    good = parquet(table, tmp_path / "good.parquet", f"1 AS user_id, 'site' AS symptom, {TIMES}")
    broken = written(tmp_path, b"no parquet", "broken.parquet")
    read = read_observations(table, [broken, good])
    assert (read.taken, [finding.source for finding in read.findings]) == (1, [str(broken)])
    assert rows_of(table) == [("1", NINE, NINE + 600)]


def test_9_3__a_user_is_the_same_as_a_number_and_as_a_text(table: Observations, tmp_path: Path) -> None:
    number = parquet(table, tmp_path / "number.parquet", f"7 AS user_id, 'site' AS symptom, {TIMES}")
    text = written(tmp_path, HEADER + "7,site,2026-04-10 09:05,2026-04-10 09:20\n")
    assert read_observations(table, [number, text]).taken == 2
    policy = Terms.load().at(date(2026, 4, 1))
    assert observed_windows(table.table, Population.always(20), policy, NINE + 9_999) == ()
    assert observed_windows(table.table, Population.always(19), policy, NINE + 9_999) == ((NINE, NINE + 1_200),)


def test_9_3__a_folder_without_observations_is_a_finding(table: Observations, tmp_path: Path) -> None:
    read = read_observations(table, tmp_path)
    assert (read.taken, [finding.value for finding in read.findings]) == (0, ["no observations in this folder"])


def test_9_3__names_that_look_like_patterns_are_names(table: Observations, tmp_path: Path) -> None:
    path = parquet(table, tmp_path / "it's [1]*.parquet".replace("'", ""), f"1 AS user_id, 'site' AS symptom, {TIMES}")
    assert read_observations(table, path).taken == 1
    assert read_observations(table, written(tmp_path, HEADER + ",".join(GOOD), "it's [2].csv")).taken == 1
    assert rows_of(table) == [("1", NINE, NINE + 600), ("ok", NINE, NINE + 600)]


def test_9_3__a_file_that_is_not_there_is_the_callers_error(table: Observations, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_observations(table, tmp_path / "none.csv")


def test_9_3__rows_of_a_document_are_read_as_a_file_is(table: Observations) -> None:
    rows: list[object] = [
        ["a", "site", "2026-04-10 09:00", datetime(2026, 4, 10, 0, 1, tzinfo=UTC)],
        {"user_id": "b", "symptom": "view", "started_at": "2026-04-10 09:00"},
        ["c", "view", "2026-04-10 09:00"],
        ["d", "slow", "2026-04-10 09:00", None],
    ]
    read = read_observation_rows(table, rows, "step 3")  # type: ignore[arg-type]
    assert rows_of(table) == [("a", NINE, NINE + 60), ("b", NINE, None), ("c", NINE, None)]
    assert read.findings == (Finding("step 3", 4, "symptom 'slow'", "a symptom is site, login, view", "correct it"),)


def test_9_3__a_row_that_was_still_open_gives_way_to_the_row_with_its_end() -> None:
    start, end, later = "2026-04-10 12:00", "2026-04-10 12:30", "2026-04-10 13:00"
    with open_observations() as observed:
        rows = [("a", "site", start, None), ("a", "login", start, None), ("b", "site", start, None)]
        read_observation_rows(observed, rows, "first")
        read_observation_rows(observed, [("a", "site", start, end), ("b", "site", later, None)], "second")
        observed.settle()
        left = observed.table.execute("SELECT user_id, symptom, ended IS NULL FROM observation").fetchall()
    assert sorted(left) == [("a", "login", True), ("a", "site", False), ("b", "site", True), ("b", "site", True)]
