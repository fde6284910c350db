"""Counts asked of monitors: resumed where the last time ended, gaps unknown, faults leave nothing half recorded."""

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit
from urllib.request import urlopen

import pytest

from keizoku.db.session import Session
from keizoku.scheduler.collect_sources import Collecting, CollectSource
from keizoku.scheduler.collecting import Collection, Login, collect, collected_to
from keizoku.scheduler.fetching import fetched
from keizoku.sla.claims.claim_stage import adjudicate_due
from keizoku.sla.evidence.import_log import Imported
from keizoku.sla.evidence.unknown_store import load_unknown
from keizoku.sla.months.budget import budget_of
from keizoku.sla.rules.intervals import as_iso
from keizoku.sla.services.imports import ImportService
from keizoku.sla.services.sla_service import SlaService
from keizoku.terms.calendar import Month, epoch, iso_jst, parse_instant
from keizoku.terms.policy import Policy, Terms
from keizoku.terms.refusal import Refused
from keizoku.terms.rules import Rules
from tests.worlds.evidence_files import service_of_thousand, unusable
from tests.worlds.sla_world import APRIL, RULES, awards, member, open_service, seen

NOON = parse_instant("2026-04-10 12:00")


class Monitor:
    """An API that has samples each minute, and faults when it is told."""

    def __init__(self, unable: dict[int, int]) -> None:
        self.unable, self.answers, self.asked = unable, list[dict[str, object]](), list[dict[str, str]]()

    def fetch(self, url: str, headers: dict[str, str]) -> bytes:
        query = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        self.asked.append(query | headers)
        values = [
            [at, str(self.unable[at])]
            for at in range(int(query["start"]), int(query["end"]) + 1, int(query["step"]))
            if at in self.unable
        ]
        result = [{"metric": {}, "values": values}] if values else []
        answer = {"status": "success", "data": {"resultType": "matrix", "result": result}}
        return json.dumps(answer | (self.answers.pop(0) if self.answers else {})).encode()


@pytest.fixture
def service(session: Session) -> SlaService:
    return service_of_thousand(session)


def taken(service: SlaService, what: Collection, monitor: Monitor, now: datetime) -> list[Imported]:
    return list(
        collect(ImportService(service), service.session, what, since=NOON, now=now, by="sato", fetch=monitor.fetch)
    )


def test_9_3__what_is_new_is_asked_for_and_what_is_missing_is_unknown(
    session: Session, service: SlaService, tmp_path: Path
) -> None:
    start = epoch(NOON)
    minutes = [*range(20), *range(25, 60)]
    monitor = Monitor({start + 60 * minute: 100 if minute < 15 else 1 for minute in minutes})
    secret = tmp_path / "token"
    secret.write_text("t0ken\n", encoding="utf-8")
    what = Collection("web", "http://monitor", "sum(unable)", "1000", 60, tmp_path / "kept", Login(bearer_file=secret))
    (first,) = taken(service, what, monitor, NOON + timedelta(minutes=10, seconds=30))
    assert (first.source, first.rows_new) == ("collected-web-20260410T030000Z.json", 10)
    assert monitor.asked[0]["Authorization"] == "Bearer t0ken"
    assert (monitor.asked[0]["lookback_delta"], monitor.asked[0]["max_lookback"]) == ("120s", "120s")
    assert collected_to(session, "web") == NOON + timedelta(minutes=10)
    monitor.answers = [{"status": "error", "errorType": "timeout", "error": "too slow"}]
    with pytest.raises(Refused, match="the query failed: timeout: too slow"):
        taken(service, what, monitor, NOON + timedelta(minutes=20))
    monitor.answers = [{"isPartial": True}]
    with pytest.raises(Refused, match="not whole"):
        taken(service, what, monitor, NOON + timedelta(minutes=30))
    assert collected_to(session, "web") == NOON + timedelta(minutes=10)
    days_later = NOON + timedelta(days=8)
    done = taken(service, what, monitor, days_later)
    assert [each.rows_new for each in done] == [45, 0]
    assert collected_to(session, "web") == days_later
    assert unusable(session) == 900
    unknown = load_unknown(session, (APRIL.start_at, APRIL.end_at), days_later)
    assert as_iso(unknown) == [
        ["2026-04-10T12:20:00+09:00", "2026-04-10T12:25:00+09:00"],
        ["2026-04-10T13:00:00+09:00", iso_jst(days_later)],
    ]
    assert taken(service, what, monitor, days_later) == []
    kept = sorted((tmp_path / "kept").iterdir())
    assert len(kept) == 3
    assert not any("t0ken" in each.read_text(encoding="utf-8") for each in kept)


@pytest.mark.parametrize(
    ("what", "said"),
    [
        (Collection("a b", "http://m", "x", "1", 60, Path("k")), "a name is a word"),
        (Collection("a", "http://m", " ", "1", 60, Path("k")), "both numbers"),
        (Collection("a", "http://m", "x", "1", 0, Path("k")), "a step"),
        (Collection("a", "http://m", "x", "1", 60, Path("k"), Login(Path("none"))), "cannot be read"),
    ],
)
def test_9_3__what_cannot_be_asked_is_refused(service: SlaService, what: Collection, said: str) -> None:
    with pytest.raises(Refused, match=said):
        taken(service, what, Monitor({}), NOON + timedelta(hours=1))


def test_a_login_follows_no_redirect_to_another_address() -> None:
    class Elsewhere(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(302)
            self.send_header("Location", "http://127.0.0.1:1/steal")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        with pytest.raises(Refused, match="Found"):
            fetched(f"http://127.0.0.1:{server.server_address[1]}/", {"Authorization": "Bearer t"})
        server.shutdown()


CUT_OFF = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n400\r\n{"


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"SSH-2.0-OpenSSH\r\n", "SSH-2.0-OpenSSH"),
        (CUT_OFF, "IncompleteRead"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"a" * 70_000, "got more than 65536 bytes"),
        (b"", "Remote end closed connection"),
    ],
)
def test_what_is_cut_off_or_no_http_is_refused_in_one_line(said: bytes, why: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def speak() -> None:
            with server.accept()[0] as caller:
                caller.recv(4_000)
                caller.sendall(said)

        Thread(target=speak, daemon=True).start()
        with pytest.raises(Refused, match=f"it does not answer: {why}"):
            fetched(f"http://127.0.0.1:{server.getsockname()[1]}/")


@pytest.mark.parametrize("address", ["http://a b/", "http://127.0.0.1:9x/", "http://[::1/", "http:///", "ftp://a/"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(Refused) as refused:
        fetched(address)
    assert refused.value.code in ("address.form", "address.silent")


class Target:
    """What a real monitor scrapes: users unable, or nothing at all while it fails."""

    def __init__(self) -> None:
        self.unable, self.fails = 0, False
        outer = self

        class Metrics(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = f"users_unable {outer.unable}\nusers_registered 1000\n".encode()
                self.send_response(503 if outer.fails else 200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.end_headers()
                self.wfile.write(b"" if outer.fails else body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Metrics)
        self.address = f"127.0.0.1:{self.server.server_address[1]}"
        Thread(target=self.server.serve_forever, daemon=True).start()


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def command(name: str, binary: str, config: Path, folder: Path, port: int) -> list[str]:
    address = f"127.0.0.1:{port}"
    if name == "prometheus":
        own = [f"--config.file={config}", f"--storage.tsdb.path={folder}", f"--web.listen-address={address}"]
        return [binary, *own, "--query.lookback-delta=2s"]
    own = [f"-promscrape.config={config}", f"-storageDataPath={folder}", f"-httpListenAddr={address}"]
    return [binary, *own, "-search.latencyOffset=0s"]


@pytest.fixture(params=["prometheus", "victoria-metrics"])
def monitored(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Target, str]]:
    """A real monitor that scrapes a target of ours each second."""
    binary = shutil.which(request.param)
    if binary is None:
        pytest.skip(f"no {request.param} here (the Debian package of that name)")
    target, port = Target(), free_port()
    config = tmp_path / "monitor.yml"
    job = f"{{job_name: web, scrape_interval: 1s, static_configs: [{{targets: ['{target.address}']}}]}}"
    config.write_text(f"scrape_configs:\n  - {job}\n", encoding="utf-8")
    started = command(request.param, binary, config, tmp_path / "data", port)
    with (tmp_path / "log").open("w") as log, subprocess.Popen(started, stdout=log, stderr=log) as process:
        yield target, f"http://127.0.0.1:{port}"
        process.terminate()
        process.wait(20)
    target.server.shutdown()
    target.server.server_close()


def value_of(url: str, query: str) -> list[Any]:
    try:
        with urlopen(f"{url}/api/v1/query?query={query}", timeout=5) as answer:  # noqa: S310  a loopback of the test's
            found: list[Any] = json.load(answer)["data"]["result"]
            return found
    except OSError:
        return []


def waits_for(url: str, query: str, wanted: str) -> None:
    for _ in range(120):
        if any(each["value"][1] == wanted for each in value_of(url, query)):
            return
        time.sleep(0.5)
    raise AssertionError(f"{query} was never {wanted}")


@pytest.mark.monitor
def test_9_3__a_real_monitor_sees_a_target_fail_and_the_budget_falls(
    session: Session, service: SlaService, tmp_path: Path, monitored: tuple[Target, str]
) -> None:
    target, url = monitored
    began = datetime.now(UTC)
    what = Collection("real", url, "users_unable", "users_registered", 1, tmp_path / "kept")

    def ask() -> list[Imported]:
        now = datetime.now(UTC) - timedelta(seconds=3)
        return list(collect(ImportService(service), session, what, since=began, now=now, by="sato"))

    waits_for(url, "users_unable", "0")
    target.unable = 200
    waits_for(url, "users_unable", "200")
    time.sleep(5)
    target.fails = True  # the monitor has no sample: nobody knows
    time.sleep(7)
    target.fails, target.unable = False, 0
    waits_for(url, "users_unable", "0")
    time.sleep(5)
    assert sum(each.rows_new for each in ask()) > 0
    month = APRIL.of(began)
    found = budget_of(session, RULES, month, datetime.now(UTC))
    assert found.unknown > 0
    down = [each for each in found.exclusions if each.bucket == "short_stop"]
    assert [5 <= each.seconds <= 60 for each in down] == [True]
    time.sleep(2)
    assert sum(each.rows_new for each in ask()) > 0  # it goes on where it ended


class InSeconds(Terms):
    """The contract with seconds for its hours, so that an outage that a test can wait for is worth a credit."""

    def of_month(self, month: Month) -> Policy:
        policy = super().of_month(month)
        first, second = policy.sla.tiers
        tiers = (
            first.model_copy(update={"over_seconds": 4, "up_to_seconds": 3_600}),
            second.model_copy(update={"over_seconds": 3_600}),
        )
        sla = policy.sla.model_copy(
            update={"minimum_outage_seconds": 3, "night_from_second": 0, "night_to_second": 1, "tiers": tiers}
        )
        return policy.model_copy(update={"sla": sla})


@pytest.mark.monitor
def test_9__a_target_goes_down_and_a_claim_is_granted(
    session: Session, tmp_path: Path, monitored: tuple[Target, str]
) -> None:
    (target, url), began = monitored, datetime.now(UTC)
    month = Month.of(began)
    open_service(session)
    days = {"starts_at": f"{month.first_on} 00:00", "ends_on": f"{month.next().end_on}"}
    member(session, "hanako", **days)  # type: ignore[arg-type]
    rules = Rules(InSeconds(RULES.terms.contract, RULES.terms.versions), RULES.discretion)
    service = SlaService(session, rules)
    asked = {"affected": '1000 * (1 - up{job="web"})', "total": "1000", "step_seconds": 1, "delay_seconds": 3}
    source = {"name": "web", "url": url, "keep": tmp_path / "kept", "since": iso_jst(began), **asked}
    collecting = Collecting((CollectSource.model_validate(source),))
    services: Any = SimpleNamespace(session=session, sla=service)

    def left() -> list[int | None]:
        return [each.left for each in budget_of(session, rules, month, datetime.now(UTC)).tiers]

    waits_for(url, "up", "1")
    assert left() == [4, 3_600]
    target.fails = True
    waits_for(url, "up", "0")
    time.sleep(7)
    target.fails = False
    waits_for(url, "up", "1")
    time.sleep(5)
    done = collecting(services, datetime.now(UTC), lambda: True)
    assert (done["failed"], left()[0]) == ({}, None)
    assert service.claim("h1", "hanako", month, now=datetime.now(UTC)) == []
    after = month.end_at + timedelta(hours=2, minutes=30)
    assert sum(adjudicate_due(session, rules, month.next().first_on, after)) > 0
    assert seen(session, "h1", iso_jst(after))["outcome"] == "granted"
    assert [(row.account, str(row.month)) for row in awards(session)] == [("hanako", str(month))]
