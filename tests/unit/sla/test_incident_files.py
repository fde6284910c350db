"""Incidents and counts as people write them: good rows go on, each other row is told with its line."""

from pathlib import Path

import pytest

from keizoku.sla.evidence.count_files import read_counts
from keizoku.sla.evidence.incident_files import Count, Incident, read_incidents
from keizoku.sla.rules.outages import Cause
from keizoku.terms.calendar import epoch, parse_instant
from keizoku.terms.decision import Finding

HEADER = "id,from,to,affected,cause,ground,author\n"
TIME = "write 2026-04-10 09:00 (JST) or 2026-04-10T09:00:00+09:00"


def at(text: str) -> int:
    return epoch(parse_instant(text))


def written(folder: Path, text: str | bytes, name: str = "incidents.csv") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_9_3__incidents_are_read_with_zones_byte_order_mark_and_quotes(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "\ufeff" + HEADER + 'i1,2026-04-10 09:00,2026-04-10T03:37:00Z,"60,000",,"disk, twice",suzuki\r\n\n'
        "i2,2026-04-11 00:00:00.2,2026-04-11 00:00:00.7,5,system_update,,\n",
    )
    read = read_incidents(path)
    start = at("2026-04-11 00:00")
    assert read.findings == ()
    assert read.rows == (
        Incident(
            "i1",
            at("2026-04-10 09:00"),
            at("2026-04-10 12:37"),
            60_000,
            Cause.FAULT,
            "disk, twice",
            "suzuki",
        ),
        Incident("i2", start, start + 1, 5, Cause.SYSTEM_UPDATE, "", ""),
    )


def test_9_3__each_refused_incident_is_told_with_line_rule_and_remedy(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        HEADER
        + "i1,2026-04-10 09:00,2026-04-10 09:00,5,fault,,\n"
        + "i2,yesterday,2026-04-10 10:00,5,fault,,\n"
        + "i3,2026-04-10 09:00,2026-04-10 10:00,many,fault,,\n"
        + "i4,2026-04-10 09:00,2026-04-10 10:00,5,faults,,\n"
        + ",2026-04-10 09:00,2026-04-10 10:00,5,fault,,\n"
        + "i6,2026-04-10 09:00\n"
        + "i7,2026-04-10 09:00,2026-04-10 10:00,5,fault,,\n"
        + "i7,2026-04-10 09:00,2026-04-10 10:00,5,fault,,\n"
        + "i7,2026-04-10 09:00,2026-04-10 11:00,5,fault,,\n",
    )
    read = read_incidents(path)
    causes = "a cause is fault, partner, system_update, user_environment"
    source = str(path)
    assert [row.id for row in read.rows] == ["i7"]
    assert read.findings == (
        Finding(
            source,
            2,
            "2026-04-10 09:00 to 2026-04-10 09:00",
            "a period ends after it starts",
            "correct one of the times",
        ),
        Finding(source, 3, "'yesterday'", "not a time", TIME),
        Finding(source, 4, "affected 'many'", "a whole number of users", "write it like 60000"),
        Finding(source, 5, "cause 'faults'", causes, "write fault?"),
        Finding(source, 6, "id is empty", "id is needed", "fill it in"),
        Finding(
            source,
            7,
            "i6,2026-04-10 09:00",
            "the header has 7 columns, this row 2",
            "quote values that hold a comma",
        ),
        Finding(
            source,
            10,
            "i7",
            "an incident of this id stands above with other values",
            "give it an id of its own",
        ),
    )


def test_9_3__a_missing_column_is_told_with_the_nearest_one(tmp_path: Path) -> None:
    read = read_incidents(written(tmp_path, "id,from,too,affected,cause,ground,author\n"))
    (finding,) = read.findings
    rule = "the file needs it; the nearest is 'too'"
    assert str(finding) == f"{tmp_path / 'incidents.csv'}:1: no column 'to': {rule}; rename or add it"


@pytest.mark.parametrize(
    ("text", "line", "value"),
    [
        ("id,from\n障害,x\n".encode("shift_jis"), 2, "not UTF-8"),
        (HEADER + 'i1,"2026-04-10\n', 2, "unexpected end of data"),
        ("", 1, "no column 'id'"),
        ("id,id,from,to,affected,cause,ground,author\n", 1, "column 'id' twice"),
    ],
)
def test_9_3__a_file_that_is_no_table_is_a_finding(tmp_path: Path, text: str | bytes, line: int, value: str) -> None:
    read = read_incidents(written(tmp_path, text))
    assert read.rows == ()
    assert (read.findings[0].line, read.findings[0].value) == (line, value)


def test_9_3__counts_are_a_part_of_all_users(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "from,to,affected,total\n2026-04-10 09:00,2026-04-10 09:05,51,1000\n"
        "2026-04-10 09:05,2026-04-10 09:10,1001,1000\n",
        "counts.csv",
    )
    read = read_counts(path)
    start = at("2026-04-10 09:00")
    assert read.rows == (Count(start, start + 300, 51, 1000),)
    assert read.findings == (
        Finding(str(path), 3, "1001 of 1000", "affected users are a part of all users", "correct the row"),
    )
