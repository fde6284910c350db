"""Counts from files: good rows are taken, the others told, and what they leave unknown waits for people."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from keizoku.db.session import Session
from keizoku.db.tables.evidence import outage_count, unknown_time
from keizoku.sla.evidence.count_files import CountSeries
from keizoku.sla.evidence.unknown_store import load_unknown
from keizoku.sla.services.imports import ImportService
from keizoku.sla.services.sla_service import SlaService
from keizoku.terms.calendar import Month, parse_instant
from tests.worlds.evidence_files import LATER, NOW, numbers, service_of_thousand, told, unusable, written


@pytest.fixture
def service(session: Session) -> SlaService:
    return service_of_thousand(session)


def test_import__counts_are_taken_in_bulk_and_told_by_line(
    session: Session, service: SlaService, tmp_path: Path
) -> None:
    file = written(
        tmp_path,
        "counts.csv",
        "from,to,affected,total",
        "2026-04-10 12:00,2026-04-10 12:10,51,1000",
        "2026-04-10 12:10,2026-04-10 12:20,52,1000",
        "2026-04-10 12:10,2026-04-10 12:20,1001,1000",
        "2024-04-10 12:10,2024-04-10 12:20,52,1000",
    )
    service.counts([(parse_instant("2026-04-10 12:00"), parse_instant("2026-04-10 12:10"), 51, 1_000)], now=NOW)
    done = ImportService(service).counts(file, author="sato", now=LATER)
    assert numbers(done) == ("counts", 4, 2, 1, 2, "sato", False)
    assert [line for line, _, _ in told(done)] == [4, 5]
    assert told(done)[1][1] == "2024-04"
    assert unusable(session) == 1_200
    assert numbers(ImportService(service).counts(file, author="sato", now=LATER))[-1]
    assert session.execute(sa.select(sa.func.count()).select_from(outage_count)).scalar_one() == 2


def test_import__every_row_of_counts_is_read_or_refused_also_one_without_numbers(
    session: Session, service: SlaService, tmp_path: Path
) -> None:
    file = written(
        tmp_path,
        "counts.csv",
        "from,to,affected,total",
        "2026-04-10 12:00,2026-04-10 12:10,51,1000",
        "2026-04-10 12:10,2026-04-10 12:20,,",
        "2024-04-10 12:10,2024-04-10 12:20,,",
        "2026-04-10 12:20,2026-04-10 12:30,,many",
        "2026-04-10 12:30,2026-04-10 12:40,,1000",
    )
    done = ImportService(service).counts(file, author="sato", now=LATER)
    assert numbers(done) == ("counts", 5, 3, 3, 2, "sato", False)
    assert [(line, value) for line, value, _ in told(done)] == [(4, "2024-04"), (5, "total 'many'")]
    unknown = session.execute(sa.select(unknown_time.c.from_at, unknown_time.c.to_at)).all()
    assert [tuple(each) for each in unknown] == [(parse_instant("2026-04-10 12:10"), parse_instant("2026-04-10 12:40"))]
    more = written(tmp_path, "more.csv", "from,to,affected,total", "2026-04-10 12:10,2026-04-10 12:40,,")
    assert numbers(ImportService(service).counts(more, author="sato", now=LATER)) == (
        "counts",
        1,
        1,
        0,
        0,
        "sato",
        False,
    )


@pytest.mark.parametrize("only_stops", [False, True])
def test_import__the_time_of_a_refused_count_is_unknown_until_the_row_is_corrected(
    session: Session, service: SlaService, tmp_path: Path, only_stops: bool
) -> None:
    """Its own time, as far as it is over, and nothing between it and the rows that are taken."""
    header, series = "from,to,affected,total", CountSeries(only_stops=only_stops)
    file = written(
        tmp_path,
        "a.csv",
        header,
        "2026-04-10 12:00,2026-04-10 12:10,51,1000",
        "2026-04-12 12:00,2026-04-12 12:10,51,",
        "2024-04-12 12:00,2024-04-12 12:10,NaN,",
        "2026-04-30 23:50,2027-04-30 23:50,,many",
    )
    at = parse_instant("2026-05-01 00:10")
    done = ImportService(service).counts(file, author="sato", now=at, series=series)
    assert numbers(done) == ("counts", 4, 1, 1, 3, "sato", False)
    assert [(line, value) for line, value, _ in told(done)] == [
        (3, "51 of nothing"),
        (4, "affected 'NaN'"),
        (5, "total 'many'"),
    ]
    stored = sa.select(unknown_time.c.from_at, unknown_time.c.to_at).order_by(unknown_time.c.from_at)
    assert [tuple(each) for each in session.execute(stored)] == [
        (parse_instant("2026-04-12 12:00"), parse_instant("2026-04-12 12:10")),
        (parse_instant("2026-04-30 23:50"), at),
    ]
    reach = Month(2026, 4).start_at, Month(2026, 5).end_at
    right = ("2026-04-12 12:00,2026-04-12 12:10,51,1000", "2026-04-30 23:50,2026-05-01 00:10,0,1000")
    outages = CountSeries(only_stops=True)
    ImportService(service).counts(written(tmp_path, "b.csv", header, *right), author="sato", now=LATER, series=outages)
    assert load_unknown(session, reach, max(at, LATER)) == ()
