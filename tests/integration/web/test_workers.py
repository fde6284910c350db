"""Two processes answer as one: keys, jobs, the log; one that dies is replaced, and SIGTERM ends what is under way."""

from __future__ import annotations

import json
import os
import pickle
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from http.client import HTTPConnection
from typing import Any

import pytest
import sqlalchemy as sa

from keizoku.db.locks import try_leader_lock
from keizoku.db.tables.web import http_request
from keizoku.scheduler.settings import Settings
from keizoku.web.identity.keys import end_key, new_key
from keizoku.web.process import Place
from keizoku.web.workers import Work
from tests.integration.web.conftest import House

SERVE = """
import pickle, sys
from pathlib import Path
from keizoku.web.process import bound
from keizoku.web.workers import run_workers
if __name__ == "__main__":
    work = pickle.loads(Path(sys.argv[1]).read_bytes())
    sockets = bound(work.place)
    print(sockets[0].getsockname()[1], flush=True)
    run_workers(work, sockets, lambda said: print(said, flush=True))
    print("ended", flush=True)
"""


class Servers:
    """The parent, its two processes, the port."""

    def __init__(self, parent: subprocess.Popen[str], port: int) -> None:
        self.parent, self.port = parent, port

    def processes(self) -> list[int]:
        """Those that answer."""
        told = subprocess.run(["pgrep", "-P", str(self.parent.pid), "-f", "spawn_main"], capture_output=True, text=True)
        return [int(each) for each in told.stdout.split()]

    @contextmanager
    def only(self, process: int) -> Iterator[None]:
        """The other stands still."""
        others = [each for each in self.processes() if each != process]
        for each in others:
            os.kill(each, signal.SIGSTOP)
        try:
            yield
        finally:
            for each in others:
                os.kill(each, signal.SIGCONT)

    def ask(self, key: str, path: str, method: str = "GET", body: Any = None) -> tuple[int, Any]:
        """On a connection of its own."""
        headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": os.urandom(8).hex()}
        text = None if body is None else json.dumps(body)
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=30)) as connection:
            connection.request(method, path, text, headers | ({"Content-Type": "application/json"} if text else {}))
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())


def until(holds: Callable[[], Any]) -> Any:
    for _ in range(600):
        found = holds()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(found)


@pytest.fixture(scope="module")
def servers(house: House, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    settings = Settings(database_schema=house.door.schema)
    place = Place(port=0, threads=3, workers=2)
    folder = tmp_path_factory.mktemp("workers")
    script, given = folder / "serve.py", folder / "work"
    script.write_text(SERVE, encoding="utf-8")
    given.write_bytes(pickle.dumps(Work(settings, place, house.engine.url, house.door.schema, house.door.prefix)))
    with subprocess.Popen([sys.executable, script, given], stdout=subprocess.PIPE, text=True) as parent:
        try:
            assert parent.stdout is not None
            servers = Servers(parent, int(parent.stdout.readline()))
            until(lambda: len(servers.processes()) == 2)
            for process in servers.processes():
                until(partial(_answers, servers, process))
            yield servers
        finally:
            parent.kill()


def _answers(servers: Servers, process: int) -> bool:
    with servers.only(process):
        try:
            return servers.ask("", "/healthz")[0] == 200
        except OSError:
            return False


def test_an_ended_key_is_refused_by_both_at_once(house: House, servers: Servers) -> None:
    with house.engine.connect() as session:
        made = new_key(session, "shop", "support", ["*"], by="t", now=house.now)
    for process in servers.processes():
        with servers.only(process):
            asked = [servers.ask(made.key, "/v1/accounts/a5/access") for _ in range(2)]
            assert asked == [(200, {"account": "a5", "access": True, "state": "active"})] * 2
    with house.engine.connect() as session:
        end_key(session, made.id, by="t", ground="a test", now=house.now)
    for process in servers.processes():
        with servers.only(process):
            assert servers.ask(made.key, "/v1/accounts/a5/access")[0] == 401


def test_any_process_tells_how_far_a_job_is_and_that_one_was_lost(house: House, servers: Servers) -> None:
    first, second = servers.processes()
    key, name = house.keys["worker"], "/v1/jobs/night-2026-05-08"
    with house.engine.connect() as session:
        assert try_leader_lock(session, "jobs")  # somebody else is at a job: it waits
        session.commit()
        with servers.only(first):
            status, told = servers.ask(key, "/v1/nights", "POST", {"on": "2026-05-08", "catch_up": True})
            assert (status, told["job"]) == (200, "night-2026-05-08"), told
        with servers.only(second):
            status, told = servers.ask(key, name)
            assert (status, told["state"]) == (200, "queued")
            assert servers.ask(key, "/v1/nights", "POST", {"on": "2026-05-08", "catch_up": True})[0] == 200
        os.kill(first, signal.SIGKILL)
        until(lambda: first not in servers.processes() and len(servers.processes()) == 2)
        told = until(lambda: _state(servers, key, name, "lost"))
        assert "ask for it again" in told["said"]
        with servers.only(second):
            assert servers.ask(key, "/v1/nights", "POST", {"on": "2026-05-08", "catch_up": True})[0] == 200
            assert servers.ask(key, name)[1]["state"] == "queued"
    third = next(each for each in servers.processes() if each != second)
    until(lambda: _state(servers, key, name, "done"))
    with servers.only(third):
        assert servers.ask(key, name)[1]["state"] == "done"
        told = servers.ask(key, "/v1/nights/2026-05-08")[1]
        assert (told["certificate"]["state"], told["run"]["stage"]) == ("ok", "audit")


def _state(servers: Servers, key: str, name: str, wanted: str) -> Any:
    told = servers.ask(key, name)[1]
    assert told["state"] != "failed", told
    return told if told["state"] == wanted else None


def test_at_sigterm_what_is_under_way_is_answered_and_the_log_is_written(house: House, servers: Servers) -> None:
    key = house.keys["finance"]
    wanted = sa.select(sa.func.count()).where(http_request.c.account == "a6")
    with house.engine.connect() as session:
        before = session.scalar(wanted)
    body = b'{"ground": "under way", "until_on": "2026-12-24"}'
    head = (
        f"POST /v1/accounts/a6/hold HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {house.keys['worker']}\r\n"
        f"Idempotency-Key: at the end\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", servers.port), timeout=30) as connection:
        connection.sendall(head.encode() + body[:5])
        assert servers.ask(key, "/v1/accounts/a6/access")[0] == 200
        time.sleep(0.2)
        servers.parent.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        connection.sendall(body[5:])
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    assert answer.startswith(b"HTTP/1.1 200"), answer
    assert servers.parent.wait(60) == 0
    assert servers.parent.stdout is not None
    said = servers.parent.stdout.read().splitlines()
    assert [each.partition(" (")[2] for each in said[:-1]] == ["-9): another takes its place"]
    assert said[-1] == "ended"
    with house.engine.connect() as session:
        assert session.scalar(wanted) == (before or 0) + 2
