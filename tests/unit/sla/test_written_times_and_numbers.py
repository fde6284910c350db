"""One definition of a written time and of a number, for observations, counts, incidents and claims."""

import random
from pathlib import Path

import duckdb
import pytest

from keizoku.sla.evidence.count_files import read_counts
from keizoku.sla.evidence.incident_files import read_incidents, read_population
from keizoku.sla.evidence.observation_files import literal, written_us
from keizoku.sla.evidence.observations import open_observations, read_observations
from keizoku.terms.calendar import WRITTEN_TIME, epoch, parse_instant
from keizoku.terms.decision import Finding

TIMES = [
    ("2026-04-10 22:00:00 BST", "BST is no zone, an abbreviation means several; it needs an offset"),
    ("2026-04-10 11:00:00 CST", "CST is no zone, an abbreviation means several; it needs an offset"),
    ("2026-04-10 11:00 JST", "JST is no zone, an abbreviation means several; it needs an offset"),
    ("2026-04-10T11:00:00EST", "EST is no zone, an abbreviation means several; it needs an offset"),
    ("2026-04-10 11:00:00+25:00", "no zone is at +25:00, they go from -12:00 to +14:00"),
    ("2026-04-10 11:00:00-13:00", "no zone is at -13:00, they go from -12:00 to +14:00"),
    ("2026-04-10 24:00:00", ""),
    ("20260410T110000", ""),
    ("2026-W15-5", ""),
    ("10/04/2026 11:00", ""),
    ("infinity", ""),
    ("1776222000", ""),
]


def seen(folder: Path, *rows: str) -> tuple[list[tuple[int, int]], tuple[Finding, ...]]:
    file = folder / "seen.csv"
    file.write_text("\n".join(["user_id,symptom,started_at,ended_at", *rows]), encoding="utf-8")
    with open_observations() as observed:
        read = read_observations(observed, file)
        return observed.table.execute("SELECT started, ended FROM observation").fetchall(), read.findings


def incidents(folder: Path, *rows: str) -> tuple[list[tuple[int, int]], tuple[Finding, ...]]:
    file = folder / "incidents.csv"
    file.write_text("\n".join(["id,from,to,affected,cause,ground,author", *rows]), encoding="utf-8")
    read = read_incidents(file)
    return [(row.start, row.end) for row in read.rows], read.findings


@pytest.mark.parametrize(("written", "why"), TIMES)
def test_9_3__what_is_no_time_in_one_kind_of_evidence_is_none_in_the_others(
    tmp_path: Path, written: str, why: str
) -> None:
    rule = f"not a time: {why}" if why else "not a time"
    rows, told = seen(tmp_path, f"u,site,{written},2026-04-12 00:00")
    assert (rows, [(each.line, each.rule) for each in told]) == ([], [(2, rule)])
    rows, told = incidents(tmp_path, f"a,{written},2026-04-12 00:00,1,fault,,")
    assert (rows, [(each.line, each.rule) for each in told]) == ([], [(2, rule)])
    with pytest.raises(ValueError, match=f"^{rule.replace('+', '.')}: "):
        parse_instant(written)


@pytest.mark.parametrize(
    "written",
    [
        "2026-04-10",
        "2026-04-10 09:00",
        "2026-04-10T09:00:00.25",
        "2026-04-10T09:00Z",
        "2026-04-10 09:00:00+0900",
        "2026-04-10 09:00:00-03:30",
        "2026-04-10T09:00:00.123456789+14:00",
        "2026-04-10T09:00:00+05",
    ],
)
def test_9_3__a_time_is_the_same_instant_in_every_kind_of_evidence(tmp_path: Path, written: str) -> None:
    start = epoch(parse_instant(written))
    span = (start, epoch(parse_instant("2026-04-12 00:00")))
    assert seen(tmp_path, f"u,site,{written},2026-04-12 00:00") == ([span], ())
    assert incidents(tmp_path, f"a,{written},2026-04-12 00:00,1,fault,,") == ([span], ())


@pytest.mark.parametrize(
    "written", ["12,0", "0,5", "1,00,000", "30,5", "12.0", "1,2345", "0,000", ",100", "1e3", "１２"]
)
def test_9_3__only_groups_of_three_digits_are_thousands(tmp_path: Path, written: str) -> None:
    _, told = incidents(tmp_path, f'a,2026-04-10 10:00,2026-04-10 15:00,"{written}",fault,,')
    assert [(each.value, each.rule) for each in told] == [(f"affected {written!r}", "a whole number of users")]
    file = tmp_path / "counts.csv"
    file.write_text(f'from,to,affected,total\n2026-04-15 12:00,2026-04-15 17:00,"{written}",1000\n', encoding="utf-8")
    read = read_counts(file)
    assert (read.rows, [each.value for each in read.findings]) == ((), [f"affected {written!r}"])


@pytest.mark.parametrize(("written", "users"), [("1,000", 1_000), ("12,345,678", 12_345_678), ("60000", 60_000)])
def test_9_3__thousands_are_read(tmp_path: Path, written: str, users: int) -> None:
    file = tmp_path / "population.csv"
    file.write_text(f'from,users\n1970-01-01,"{written}"\n', encoding="utf-8")
    read = read_population(file)
    assert ([row.users for row in read.rows], read.findings) == ([users], ())


@pytest.mark.parametrize("user", ["12345.0", "1.2345e+09", "7.00"])
def test_9_3__a_user_whose_id_is_a_decimal_number_is_refused(tmp_path: Path, user: str) -> None:
    rows, told = seen(
        tmp_path, f"{user},site,2026-04-10 09:00,2026-04-10 10:00", "v1.0,site,2026-04-10 09:00,2026-04-10 10:00"
    )
    assert (len(rows), [(each.value, each.rule) for each in told]) == (
        1,
        [(f"user_id {user!r}", "an id is no decimal number")],
    )
    _, told = incidents(tmp_path, f"{user},2026-04-10 10:00,2026-04-10 15:00,1,fault,,")
    assert [each.value for each in told] == [f"id {user!r}"]


def test_9_3__ids_of_a_column_of_doubles_are_refused(tmp_path: Path) -> None:
    with open_observations() as observed:
        times = "TIMESTAMP '2026-04-10 09:00' AS started_at, TIMESTAMP '2026-04-10 10:00' AS ended_at"
        file = tmp_path / "seen.parquet"
        observed.table.execute(
            f"COPY (SELECT range::DOUBLE AS user_id, 'site' AS symptom, {times} FROM range(3)) TO '{file}'"
        )
        read = read_observations(observed, file)
    assert (read.taken, read.refused, {each.rule for each in read.findings}) == (0, 3, {"an id is no decimal number"})


def test_9_3__columns_may_be_parted_by_semicolons_in_every_kind_of_evidence(tmp_path: Path) -> None:
    times = ("2026-04-10 09:00", "2026-04-10 10:00")
    span = tuple(epoch(parse_instant(each)) for each in times)
    file = tmp_path / "seen.csv"
    file.write_text(f"user_id;symptom;started_at;ended_at\nu;site;{times[0]};{times[1]}\nv;site;soon;{times[1]}\n")
    with open_observations() as observed:
        read = read_observations(observed, file)
        assert observed.table.execute("SELECT started, ended FROM observation").fetchall() == [span]
    assert [(each.line, each.value) for each in read.findings] == [(3, "started_at 'soon'")]
    file = tmp_path / "incidents.csv"
    file.write_text(f"id;from;to;affected;cause;ground;author\na;{times[0]};{times[1]};60,000;fault;;\n")
    assert [(row.start, row.end, row.affected) for row in read_incidents(file).rows] == [(*span, 60_000)]


def test_9_3__what_is_read_fast_is_read_as_the_definition_says() -> None:
    chance, letters = random.Random(20), "0123456789+-:. TZtz24\t\n\x0b\r\u00a0\u3000９/"  # noqa: S311
    usual = ("2026-04-01T00:00:00+09:00", "2026-04-01T10:11:12Z", "2026-12-31 23:59:59", "2026-04-01 10:11:12+00:00")
    written = {*usual, "2066-04-01T10:11:1Z ", "2026-04-01 24:00:00", "2026-04-01T24:00:00Z"}
    while len(written) < 30_000:
        text = list(chance.choice(usual))
        for _ in range(chance.randint(1, 3)):
            place = chance.randrange(len(text))
            text[place : place + chance.choice((0, 1, 1, 1, 2))] = chance.choice(("", *letters, *letters))
            text = text or ["0"]
        written.add("".join(text))
    defined = f"regexp_full_match(trim(x), {literal(WRITTEN_TIME)})"
    with duckdb.connect() as table:
        table.execute("SET TimeZone = 'Asia/Tokyo'")
        table.execute("CREATE TABLE written AS SELECT unnest($all::VARCHAR[]) AS x", {"all": sorted(written)})
        slow = f"CASE WHEN {defined} THEN epoch_us(try_cast(trim(x) AS TIMESTAMPTZ)) END"
        found = table.execute(f"SELECT x, {written_us('x')} AS fast, {slow} AS slow FROM written").fetchall()
    assert [row for row in found if row[1] != row[2]] == []
    assert 500 < sum(row[1] is not None for row in found) < 20_000
