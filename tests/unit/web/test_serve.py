"""`keizoku serve` where its start fails half way."""

import multiprocessing
import os
import socket
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy.engine import make_url

from keizoku.scheduler.cli.shared.output import UserError
from keizoku.scheduler.settings import Settings
from keizoku.web import application, workers
from keizoku.web import serve as serving
from keizoku.web.process import bound, let_go


def test_a_start_that_fails_says_why_and_lets_the_door_go(monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[bool] = []
    door = SimpleNamespace(sandbox=None, close=lambda: closed.append(True))

    def fails(_: Any) -> None:
        raise RuntimeError("no application")

    monkeypatch.setattr(serving, "open_database", lambda _: nullcontext())
    monkeypatch.setattr(serving, "_door", lambda *_: door)
    monkeypatch.setattr(application, "make_application", fails)
    with pytest.raises(RuntimeError, match="no application"):
        serving.serve(Settings(), serving.Place())
    assert closed == [True]


def test_a_sandbox_has_one_process() -> None:
    with pytest.raises(UserError, match="one clock"):
        serving.serve(Settings(), serving.Place(sandbox="plans", workers=2))


def test_an_address_that_is_taken_is_said_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=f"cannot listen on 127.0.0.1:{port}: is something else there"):
            bound(serving.Place(port=port))
    sockets = bound(serving.Place(host="localhost", port=0))
    assert {each.getsockname()[0] for each in sockets} <= {"127.0.0.1", "::1"}
    let_go(sockets)


def test_processes_that_end_as_soon_as_they_begin_are_not_begun_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[int] = []

    def ends_at_once(_: Any, __: Any, number: int) -> Any:
        process = multiprocessing.get_context("fork").Process(target=os._exit, args=(7,))
        process.start()
        begun.append(number)
        return process

    monkeypatch.setattr(workers, "_started", ends_at_once)
    monkeypatch.setattr(workers, "PAUSE_S", 0.01)
    work = workers.Work(Settings(), serving.Place(workers=2), make_url("postgresql://x"), "public")
    told: list[str] = []
    with pytest.raises(UserError, match=r"end as soon as they begin \(code 7\)"):
        workers.run_workers(work, [], told.append)
    assert 5 <= len(begun) <= 12
    assert all("ended by itself (7): another takes its place" in each for each in told)
