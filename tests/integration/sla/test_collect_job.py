"""The worker's job that asks monitors: faults between answers, days of silence, and who is told."""

import json
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import sqlalchemy as sa
import structlog

from keizoku.db.session import Session
from keizoku.db.tables.money import review_task
from keizoku.scheduler.cli import main
from keizoku.scheduler.cli.sla import collect as command
from keizoku.scheduler.collect_sources import Collecting, CollectSource, SourcesError, read_sources
from keizoku.scheduler.collecting import collected_to
from keizoku.scheduler.reports.work.work_list import waiting_for_people
from keizoku.scheduler.worker.state_numbers import read_state
from keizoku.scheduler.worker.worker import Worker
from keizoku.sla.evidence.unknown_store import load_unknown
from keizoku.sla.rules.intervals import as_iso
from keizoku.sla.services.sla_service import SlaService
from keizoku.terms.calendar import iso_jst, parse_instant
from tests.worlds.evidence_files import service_of_thousand, unusable
from tests.worlds.sla_world import APRIL

NOON = parse_instant("2026-04-10 12:00")


class FakeMonitor:
    """An API on loopback in the form of Prometheus's: 100 of 1,000 unable in the first 20 minutes; faults as told."""

    def __init__(self) -> None:
        self.faults: list[tuple[int, bytes]] = []
        self.asked: list[str] = []
        outer = self

        class Api(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
                outer.asked.append(f"{self.headers['Authorization'] or ''} {query['query']}".strip())
                status, body = outer.faults.pop(0) if outer.faults else (200, outer.answer(query))
                self.send_response(status)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, query: dict[str, str]) -> bytes:
        times = range(int(query["start"]), int(query["end"]) + 1, int(query["step"]))
        values = [[at, "100" if at < NOON.timestamp() + 1_200 else "0"] for at in times]
        result = [{"metric": {}, "values": values}]
        return json.dumps({"status": "success", "data": {"resultType": "matrix", "result": result}}).encode()


@pytest.fixture
def monitor() -> Iterator[FakeMonitor]:
    made = FakeMonitor()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def service(session: Session) -> SlaService:
    return service_of_thousand(session)


def source(monitor: FakeMonitor, folder: Path, **more: Any) -> CollectSource:
    values = {"name": "web", "url": monitor.url, "affected": "sum(unable)", "total": "1000", "keep": folder / "kept"}
    return CollectSource.model_validate({**values, "since": iso_jst(NOON), **more})


def open_tasks(session: Session) -> list[tuple[str, dict[str, Any]]]:
    rows = session.execute(sa.select(review_task).where(review_task.c.closed_at.is_(None)))
    return [(row.subject, row.detail) for row in rows]


def test_9_3__the_worker_collects_between_faults_and_goes_on_after_days(
    session: Session, service: SlaService, monitor: FakeMonitor, tmp_path: Path
) -> None:
    now = [NOON + timedelta(minutes=11)]
    leadership: Any = SimpleNamespace(leads=True, reachable=True, connect=None, let_in=lambda session: None, taken=1)
    services: Any = SimpleNamespace(session=session, sla=service, clock=None)
    worker = Worker(lambda: nullcontext(services), leadership, structlog.get_logger(), clock=lambda: now[0])
    secret = tmp_path / "token"
    secret.write_text("t0ken\n", encoding="utf-8")
    names = ("web", "other")
    sources = [source(monitor, tmp_path, name=name, bearer_file=secret) for name in names]
    worker.collecting = Collecting(tuple(sources))

    def behind() -> dict[str, float]:
        found: Any = read_state(session, now[0], (), sources=names)["keizoku_collect_behind_seconds"]
        session.rollback()
        return dict(found)

    def after(minutes: int) -> list[datetime | None]:
        now[0] += timedelta(minutes=minutes)
        worker.collect_counts()
        return [collected_to(session, name) for name in names]

    at = [NOON + timedelta(minutes=minute) for minute in range(60)]
    assert behind() == {"web": float("inf"), "other": float("inf")}
    assert after(0) == [at[10], at[10]]
    assert set(monitor.asked) == {"Bearer t0ken sum(unable)"}
    assert (after(4), len(monitor.asked)) == ([at[10], at[10]], 2)  # its minutes are not over
    partial = json.dumps({"status": "success", "isPartial": True, "data": {"result": []}}).encode()
    monitor.faults = [(500, b"broken"), (200, partial)]
    assert after(1) == [at[10], at[10]]  # neither is taken
    monitor.faults = [(200, b'{"status": "error", "errorType": "timeout", "error": "slow"}')]
    assert after(5) == [at[10], at[20]]  # what one fails at keeps no other from its turn
    assert (behind(), open_tasks(session)) == ({"web": 660, "other": 60}, [])
    worker._began["night"] = 1.0
    assert after(60) == [at[10], at[20]]  # not while a night runs
    del worker._began["night"]
    leadership.leads = False
    assert after(1) == [at[10], at[20]]
    leadership.leads = True
    monitor.faults = [(503, b"")]
    after(0)
    ((subject, told),) = open_tasks(session)
    assert (subject, told["source"]) == ("collect web", "web")
    assert "does not answer" in told["why"]
    (item,) = waiting_for_people(session, now[0], kinds=["collect_silent"])
    assert (item.what_en.startswith("source of counts does not answer"), item.remedy) == (True, "keizoku sla imports")
    days_later = after(6 * 1_440)
    assert days_later == [now[0] - timedelta(minutes=1)] * 2
    assert open_tasks(session) == []
    assert unusable(session) == 1_200
    unknown = load_unknown(session, (APRIL.start_at, APRIL.end_at), now[0])
    assert as_iso(unknown) == []
    assert not any("t0ken" in each.read_text(encoding="utf-8") for each in (tmp_path / "kept").iterdir())


def test_a_name_that_begins_another_is_another_source(
    session: Session, service: SlaService, monitor: FakeMonitor, tmp_path: Path
) -> None:
    services: Any = SimpleNamespace(session=session, sla=service)
    later = NOON + timedelta(hours=1)
    Collecting((source(monitor, tmp_path, name="web-2"),))(services, later, lambda: True)
    assert (collected_to(session, "web-2"), collected_to(session, "web")) == (later - timedelta(minutes=1), None)


SOURCE = 'name = "web"\nurl = "http://a"\naffected = "x"\ntotal = "1"\nkeep = "k"\n'


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("", "holds tables \\[\\[source\\]\\]"),
        ("x = 1", "holds tables \\[\\[source\\]\\]"),
        ("[[source", "is no TOML"),
        (f"[[source]]\n{SOURCE}every = 3", "source 'web': every: Extra inputs"),
        (f"[[source]]\n{SOURCE}every_minutes = 0", "source 'web': every_minutes: "),
        (f'[[source]]\n{SOURCE}since = "tomorrow"', "source 'web': since: "),
        (f"[[source]]\n{SOURCE}step_seconds = 0", "source 'web': .*a step is 1 s to a day"),
        (f"[[source]]\n{SOURCE}[[source]]\n{SOURCE}", "source 'web': a source of this name stands above"),
        ('[[source]]\nname = "a"', "source 'a': url: Field required"),
    ],
)
def test_a_file_of_sources_that_cannot_be_used_says_why(tmp_path: Path, written: str, said: str) -> None:
    file = tmp_path / "sources.toml"
    file.write_text(written, encoding="utf-8")
    with pytest.raises(SourcesError, match=said):
        read_sources(file)
    with pytest.raises(SourcesError, match="cannot be read"):
        read_sources(tmp_path / "none")
    file.write_text(f"[[source]]\n{SOURCE}", encoding="utf-8")
    assert [each.name for each in read_sources(file)] == ["web"]


def test_9_3__the_command_leaves_the_newest_seconds_for_the_next_run(
    session: Session, service: SlaService, monitor: FakeMonitor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = SimpleNamespace(session=session, sla=service)
    monkeypatch.setattr(command, "open_services", lambda: nullcontext(services))
    began = datetime.now(UTC)
    asked = ["--affected", "sum(unable)", "--total", "1000", "--keep", str(tmp_path), "--step", "1"]
    for delay, name in ((0, "now"), (600, "later")):
        since = iso_jst(began - timedelta(minutes=20))
        with pytest.raises(SystemExit) as ended:
            main(
                [
                    "sla",
                    "collect",
                    "--url",
                    monitor.url,
                    *asked,
                    "--since",
                    since,
                    "--name",
                    name,
                    "--delay",
                    str(delay),
                ]
            )
        to = collected_to(session, name)
        assert (ended.value.code, to is not None and -2 < (to - began).total_seconds() + delay < 60) == (0, True)
