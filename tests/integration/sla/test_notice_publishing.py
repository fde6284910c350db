"""Our own calendar of maintenance: written, put where users read it, fetched back: a proof of when it stood there."""

import json
from collections.abc import Iterator
from contextlib import nullcontext
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pytest
import structlog

from keizoku.db.session import Session
from keizoku.scheduler.fetching import fetched, see_published
from keizoku.scheduler.worker.worker import Worker
from keizoku.sla.evidence.maintenance_notices import read_notices
from keizoku.sla.months.evidence_lists import notice_list
from keizoku.sla.months.notice_publishing import CALENDAR, publication, record_publication
from keizoku.sla.services.sla_service import SlaService
from keizoku.terms.calendar import parse_instant
from keizoku.terms.refusal import Refused
from tests.worlds.calendars import POLICY, windows
from tests.worlds.sla_world import RULES

NOW = parse_instant("2026-04-01 09:00")
HOUR = parse_instant("2026-04-01 10:00")
WINDOW = (parse_instant("2026-04-20 10:00"), parse_instant("2026-04-20 12:00"))


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class's word
        pass


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    folder = tmp_path / "site"
    folder.mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield folder, f"http://127.0.0.1:{server.server_address[1]}/{CALENDAR}"
        server.shutdown()


def test_9_4_4__our_calendar_is_fetched_back_and_proves_since_when_a_window_stood_there(
    session: Session, site: tuple[Path, str]
) -> None:
    folder, url = site
    service = SlaService(session, RULES)
    service.notice("release", NOW, *WINDOW, now=NOW)
    service.notice("gone", NOW, *WINDOW, now=NOW)
    service.notice("gone", HOUR, *WINDOW, cancelled=True, now=HOUR)
    made = publication(session, HOUR)
    assert made == publication(session, parse_instant("2026-04-02 09:00"))  # nothing new: the same bytes
    assert record_publication(session, made, now=HOUR, by="sato")
    assert not record_publication(session, made, now=HOUR, by="sato")
    with pytest.raises(Refused, match="does not answer"):
        see_published(session, url, HOUR, by="worker")
    (folder / CALENDAR).write_bytes(made.calendar)
    assert see_published(session, url, HOUR, by="worker") == made.sha256
    see_published(session, url, parse_instant("2026-04-03"), by="worker")
    assert [(row.id, row.cancelled, row.proof_seen, row.proof_sha256) for row in notice_list(session, RULES)] == [
        ("release", False, HOUR, made.sha256),
        ("gone", False, None, None),
        ("gone", True, None, None),
    ]
    (folder / CALENDAR).write_bytes(made.calendar + b"x")
    with pytest.raises(Refused, match="no calendar that was written here"):
        see_published(session, url, HOUR, by="worker")
    read = read_notices(_saved(folder, made.calendar), POLICY)
    assert (windows(read.rows), read.findings) == (["04-20T10:00/04-20T12:00"], ())
    assert made.sha256 in made.page


def _saved(folder: Path, calendar: bytes) -> Path:
    path = folder / "again.ics"
    path.write_bytes(calendar)
    return path


@pytest.mark.parametrize("url", ["file:///etc/hosts", "ftp://a/b", "maintenance.ics", "http:///x"])
def test_only_public_addresses_are_fetched(url: str) -> None:
    with pytest.raises(Refused, match="an address begins with https://"):
        fetched(url)


def test_json_of_the_list_names_the_proof(session: Session) -> None:
    SlaService(session, RULES).notice("release", NOW, *WINDOW, now=NOW)
    (row,) = notice_list(session, RULES)
    assert json.loads(json.dumps(row.to_json()))["proof_seen"] is None


def test_9_4_4__the_worker_fetches_our_calendar_back(session: Session, site: tuple[Path, str]) -> None:
    folder, url = site
    SlaService(session, RULES).notice("release", NOW, *WINDOW, now=NOW)
    made = publication(session, HOUR)
    record_publication(session, made, now=HOUR, by="sato")
    session.commit()
    leadership: Any = SimpleNamespace(leads=True, reachable=True, connect=None, let_in=lambda session: None, taken=1)
    services: Any = SimpleNamespace(session=session, clock=None)
    worker = Worker(lambda: nullcontext(services), leadership, structlog.get_logger(), clock=lambda: HOUR)
    worker.notices_url = url
    worker.see_notices()  # nothing stands there yet: the worker goes on
    (folder / CALENDAR).write_bytes(made.calendar)
    worker.see_notices()
    assert [row.proof_seen for row in notice_list(session, RULES)] == [HOUR]
