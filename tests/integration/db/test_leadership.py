"""Who leads: a lease that ends by itself, a connection that is cut, hangs and comes back, and jobs that are cut off."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import date
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from keizoku.db.session import make_engine
from keizoku.scheduler.night.schedule import night_at
from keizoku.scheduler.worker.leadership import Leadership, NotLeadingError, watched_engine
from keizoku.scheduler.worker.telemetry import json_logger
from keizoku.scheduler.worker.worker import Worker
from keizoku.terms.calendar import parse_instant
from tests.integration.night.test_at_once import figures
from tests.worlds.disturbed_nights import outcome_of_night
from tests.worlds.forked import until
from tests.worlds.world import open_world, services_on

RENEWED = date(2026, 4, 26)


class Wire:
    """A connection to the database that can be cut, or hang: what comes in on a port goes on to the server."""

    def __init__(self, url: sa.URL) -> None:
        self._url = url
        self._open: list[socket.socket] = []
        self._whole, self._flows = True, threading.Event()
        self._flows.set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> sa.URL:
        """The database by way of this wire."""
        return self._url.set(host="127.0.0.1", port=self._listener.getsockname()[1], query={})

    def cut(self) -> None:
        """Every connection ends, and there is no new one."""
        self._whole = False
        for each in self._open:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        self._open.clear()

    def hang(self) -> None:
        """Nothing arrives any more, and nobody is told."""
        self._flows.clear()

    def mend(self) -> None:
        """As if nothing had been; what hung arrives."""
        self._whole = True
        self._flows.set()

    def close(self) -> None:
        self.mend()
        self.cut()
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                if not self._whole:
                    near.close()
                    continue
                far = self._server()
                self._open += [near, far]
                for source, target in ((near, far), (far, near)):
                    threading.Thread(target=self._carry, args=(source, target), daemon=True).start()

    def _server(self) -> socket.socket:
        folder, port = self._url.query.get("host"), self._url.query.get("port", "5432")
        if self._url.host is not None:
            return socket.create_connection((self._url.host, self._url.port or 5432))
        local = socket.socket(socket.AF_UNIX)
        local.connect(f"{folder}/.s.PGSQL.{port}")
        return local

    def _carry(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while part := source.recv(65_536):
                self._flows.wait()
                target.sendall(part)
        for each in (source, target):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def wire(engine: sa.Engine) -> Iterator[Wire]:
    made = Wire(engine.url)
    yield made
    made.close()


def test_a_lease_ends_by_itself_before_the_server_loses_patience(engine: sa.Engine) -> None:
    now = [100.0]
    first, second = Leadership(engine.connect, "a", clock=lambda: now[0]), Leadership(engine.connect, "b")
    assert (first.acquire_or_renew(), first.leads, second.acquire_or_renew()) == (True, True, False)
    led = []
    for seconds in (29.9, 0.1):
        now[0] += seconds
        led.append(first.leads)
    assert led == [True, False]
    assert (first.acquire_or_renew(), first.taken) == (True, 1)  # nobody has led meanwhile
    first.give_up()
    until(second.acquire_or_renew)
    second.give_up()


def test_a_leader_that_hangs_loses_the_lead_and_its_jobs_are_cut_off(engine: sa.Engine, wire: Wire) -> None:
    watched = watched_engine(wire.url)
    first, second = Leadership(watched.connect, "a", 0.5), Leadership(engine.connect, "b")
    assert first.acquire_or_renew()
    with engine.connect() as job, engine.connect() as late:
        first.let_in(job)
        job.exec_driver_sql("CREATE TABLE half_done (id int)")
        wire.hang()
        until(second.acquire_or_renew)
        assert (first.leads, second.cut_off) == (False, 1)
        with pytest.raises(OperationalError, match="terminating connection"):
            job.commit()
        wire.mend()
        with pytest.raises(NotLeadingError):
            first.let_in(late)  # it has led when it was asked last, and asks before it writes
        assert late.exec_driver_sql("SELECT to_regclass('half_done')").scalar_one() is None
    assert (first.acquire_or_renew(), first.reachable) == (False, True)
    first.give_up()
    second.give_up()
    watched.dispose()


def test_5_2__a_worker_whose_connection_is_cut_in_a_charge_comes_back_and_nothing_is_doubled(
    engine: sa.Engine, wire: Wire
) -> None:
    with services_on(engine) as service:
        open_world(service)
        service.billing.approve("hanako", "monthly", "card", now=parse_instant("2026-03-26 10:00"))
    wired = make_engine(wire.url)

    def cut_after_the_charge(*about: Any) -> None:
        if "INSERT INTO simulated_charge" in about[2]:
            wire.cut()

    sa.event.listen(wired, "after_cursor_execute", cut_after_the_charge)
    with _worker(wired, "a") as first, _worker(engine, "b") as second:
        first.beat()
        assert outcome_of_night(first) == "database_gone"
        until(second.beat)
        assert outcome_of_night(second) == "done"
        first.beat()
        assert (first.leadership.leads, first.leadership.reachable) == (False, False)
        wire.mend()
        first.beat()
        assert (first.leadership.leads, first.leadership.reachable) == (False, True)
        assert outcome_of_night(first) == "nothing_due"
        second.leadership.give_up()
        until(first.beat)
        assert outcome_of_night(first) == "nothing_due"
    with engine.connect() as session:
        assert figures(session) == {
            "terms": [("hanako", date(2026, 3, 26)), ("hanako", RENEWED)],
            "invoices": [("hanako", "paid", 0), ("hanako", "paid", 0)],
            "attempts": [("hanako", "succeeded"), ("hanako", "succeeded")],
            "charges": [("hanako", "succeeded"), ("hanako", "succeeded")],
            "settlements": [("hanako", "card", 500), ("hanako", "card", 500)],
            "clearing": [(1_000,)],
            "receivable": [(0,)],
        }
    wired.dispose()


@contextmanager
def _worker(engine: sa.Engine, name: str) -> Iterator[Worker]:
    made = Worker(
        lambda: services_on(engine),
        Leadership(engine.connect, name),
        json_logger(name),
        clock=lambda: night_at(RENEWED),
        retry_seconds=0,
    )
    yield made
    made.leadership.give_up()
