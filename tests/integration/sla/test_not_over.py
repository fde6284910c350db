"""What is not over yet has no end: no reader of files takes one, and no command by hand."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from keizoku.db.session import Session
from keizoku.scheduler import cli
from keizoku.sla.evidence.count_files import CountSeries
from keizoku.sla.evidence.incident_files import NOT_OVER
from keizoku.sla.evidence.unknown_store import load_unknown
from keizoku.sla.months.history import history_of
from keizoku.sla.rules.intervals import as_iso
from keizoku.sla.services.imports import ImportService
from keizoku.terms.calendar import parse_instant
from tests.worlds.evidence_files import numbers, service_of_thousand, told, unusable, written
from tests.worlds.sla_world import APRIL, RULES

NOW = parse_instant("2026-04-20 12:00")


def test_9_3__no_file_is_recorded_beyond_now(session: Session, tmp_path: Path) -> None:
    service = service_of_thousand(session)
    imports = ImportService(service)
    incidents = ("id,from,to,affected,cause,ground,author", "a,2026-04-20 09:00,2026-04-20 10:00,60,fault,,")
    file = written(tmp_path, "i.csv", *incidents, "b,2026-04-20 11:00,2026-04-21 11:00,60,fault,,")
    done = imports.incidents(file, author="sato", now=NOW)
    said = "2026-04-20T11:00:00+09:00 to 2026-04-21T11:00:00+09:00"
    assert (numbers(done)[1:5], told(done)) == ((2, 1, 1, 1), [(3, said, NOT_OVER)])
    rows = ("u,site,2026-04-20 11:00,2026-04-20 12:05", "u,site,2026-04-20 11:30,2026-04-20 12:06")
    more = ("u,view,2026-04-20 12:30,", "u,login,2026-04-20 11:00,")
    file = written(tmp_path, "o.csv", "user_id,symptom,started_at,ended_at", *rows, *more)
    done = imports.observations(file, author="sato", now=NOW)
    assert (numbers(done)[1:5], [(line, rule) for line, _, rule in told(done)]) == (
        (4, 2, 2, 2),
        [(3, NOT_OVER), (4, NOT_OVER)],
    )
    counts = ("from,to,affected,total", "2026-04-20 10:00,2026-04-20 11:00,1,1000")
    file = written(tmp_path, "c.csv", *counts, "2026-04-20 11:00,2026-04-20 20:00,900,1000")
    done = imports.counts(file, author="sato", now=NOW)
    assert (numbers(done)[3:5], [(line, rule) for line, _, rule in told(done)]) == ((1, 1), [(3, NOT_OVER)])
    samples = '{"status": "success", "data": {"resultType": "matrix", "result": [{"metric": {"__name__": "affected"}, '
    file = written(tmp_path, "s.json", samples + '"values": [[1776650400, "900"], [1776654000, "900"]]}]}}')  # 11, 12 h
    asked = (1_776_650_400, 1_776_740_000)
    imports.counts(file, author="sato", now=NOW, series=CountSeries(total="1000", step_seconds=3_600, asked=asked))
    ends = [end for row in history_of(session, RULES, APRIL, NOW) for _, end in row.windows if end is not None]
    assert max(ends) <= NOW + timedelta(minutes=5)
    unknown = as_iso(load_unknown(session, (APRIL.start_at, APRIL.end_at), NOW))
    assert all(end <= "2026-04-20T12:05:00+09:00" for _, end in unknown)
    assert unusable(session, NOW) == 3_600 + 3_600 + 300


def test_9_3__measuring_files_takes_nothing_that_is_not_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    now = datetime.now(UTC)
    start, end = (f"{now + timedelta(hours=hours):%Y-%m-%dT%H:%M:%SZ}" for hours in (-1, 1))
    file = written(tmp_path, "i.csv", "id,from,to,affected,cause,ground,author", f"a,{start},{end},60,fault,,")
    month = f"{now + timedelta(hours=9):%Y-%m}"
    with pytest.raises(SystemExit) as ended:
        cli.main(["sla", "measure", "--month", month, "--population", "1000", "--incidents", str(file)])
    assert (ended.value.code, NOT_OVER in " ".join(capsys.readouterr().err.split())) == (1, True)
