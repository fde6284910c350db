"""Nights that are killed, stopped or cut off at a moment: how it is done, and what the end is held against.

    a database that lived until the night before ──copy──> a worker begins the night, and at its n-th statement, or at
    its n-th call to Stripe, it happens ──> another worker takes the lead and ends the night ──> every row, held
    against a night that nobody disturbed

A worker is a process of its own (a fork, so that it begins at once). The server is one that may be killed.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any
from uuid import uuid4

import psycopg
import sqlalchemy as sa

from keizoku.billing.cards import charge_stage
from keizoku.billing.contracts import renewal_stage
from keizoku.billing.gateway.stripe_calls import StripeCalls
from keizoku.billing.gateway.stripe_gateway import StripeGateway
from keizoku.billing.receivables import invoice_stage
from keizoku.db.embedded import EmbeddedServer
from keizoku.db.migrate import upgrade
from keizoku.db.session import libpq_address, make_engine
from keizoku.scheduler.app import Services
from keizoku.scheduler.night.nightly_run import run_night
from keizoku.scheduler.night.schedule import night_at
from keizoku.scheduler.worker.leadership import Leadership
from keizoku.scheduler.worker.telemetry import json_logger
from keizoku.scheduler.worker.worker import Worker
from keizoku.terms.policy import Terms
from keizoku.terms.rules import Rules
from tests.integration.gateway.test_stripe_gateway import DECLINES, GOOD, save_card
from tests.worlds.forked import Child, Told, until
from tests.worlds.stripe_proxy import KEY, Proxy, no_fault
from tests.worlds.world import Rows, live, open_world, rows, services_on, without_ids

FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
LEASE_SECONDS = 2.0


class World:
    """A database before its busy night, and how that night ends undisturbed."""

    on: date
    """The busy night."""

    def __init__(self, server: EmbeddedServer) -> None:
        self.server = server
        self.template = f"k{uuid4().hex}"
        self.moments = 0
        self.undisturbed: Rows = {}

    def prepare(self) -> None:
        """Make the database to copy, and run the night once undisturbed."""
        self._alone(f"CREATE DATABASE {self.template}")
        engine = make_engine(self.server.url.set(database=self.template))
        with engine.connect() as session:
            upgrade(session)
        self.furnish(engine)
        engine.dispose()
        self.undisturbed, self.moments, said = self._night("", 0)
        assert (said, self.moments > 5) == ("done", True), (said, self.moments)

    def disturbed(self, kind: str, moment: int) -> tuple[str, list[str]]:
        """What the disturbed worker said of its night, and the tables that differ in the end."""
        found, _, said = self._night(kind, moment)
        return said, [table for table in self.undisturbed if found[table] != self.undisturbed[table]]

    def _night(self, kind: str, moment: int) -> tuple[Rows, int, str]:
        with self.copied() as url:
            self.begin(url)
            worker = Child(lambda told: self.work(url, kind, moment, told))
            self.watch(worker, kind, moment)
            worker.begin()
            if kind.startswith("stopped"):
                worker.wait_until_stopped()
                with self.taking_over(url):
                    worker.go_on()
                    said = worker.end()
                    assert said in ("lost_lead", "database_gone"), said
            else:
                said = worker.end()
                self.server.keep_running()
                with self.taking_over(url):
                    pass
            return self.reckoned(url), worker.moments, said

    @contextmanager
    def copied(self) -> Iterator[sa.URL]:
        """A copy of the database, for one night."""
        copy = f"{self.template}_copy"
        self._alone(f"CREATE DATABASE {copy} TEMPLATE {self.template} STRATEGY file_copy")
        try:
            yield self.server.url.set(database=copy)
        finally:
            self.server.keep_running()
            self._alone(f"DROP DATABASE IF EXISTS {copy} WITH (FORCE)")

    @contextmanager
    def taking_over(self, url: sa.URL) -> Iterator[None]:
        """Another worker asks for the lead until it has it, ends the night, and leads on until the block is over."""
        engine = make_engine(url)
        with _logged_to_nobody(), self.services(engine) as services:
            other = Worker(
                lambda: _given(services), Leadership(engine.connect, "other"), json_logger("other"),
                clock=lambda: night_at(self.on), retry_seconds=0,
            )  # fmt: skip
            until(other.beat)
            other.night_if_due()
            yield
            other.leadership.give_up()
        engine.dispose()

    def reckoned(self, url: sa.URL) -> Rows:
        """The rows after one more night of the same date, which has to find everything as it should be."""
        engine = make_engine(url)
        with self.services(engine) as services:
            again = run_night(services, self.on, night_at(self.on))
            assert (again.certificate, again.differences, again.ran_before) == ("ok", (), True)
            found = without_ids(rows(services.session), engine)
        engine.dispose()
        return found

    def work(self, url: sa.URL, kind: str, moment: int, told: Told) -> str:
        """What the child does: lead, begin the night, and have it end one way or another."""
        in_small_pieces()
        engine, watched = make_engine(url), make_engine(url)
        self.count(engine, url, kind, moment, told)
        worker = Worker(
            lambda: self.services(engine), Leadership(watched.connect, "first", LEASE_SECONDS), json_logger("first"),
            clock=lambda: night_at(self.on), retry_seconds=0,
        )  # fmt: skip
        threading.Thread(target=_beats, args=(worker,), daemon=True).start()
        until(lambda: worker.leadership.leads)
        said = outcome_of_night(worker)
        if kind == "cut":
            assert said in ("database_gone", "lost_lead"), said
            until(lambda: worker.leadership.leads)  # it comes back, and nobody else has led
            said = f"{said}, then {outcome_of_night(worker)}"
        elif kind.startswith("stopped"):
            assert not worker.leadership.acquire_or_renew()  # the other one leads
        worker.leadership.give_up()
        return said

    # what the two worlds differ in

    def furnish(self, engine: sa.Engine) -> None:
        """Fill the database to copy."""

    def begin(self, url: sa.URL) -> None:
        """Make ready for one night on a copy."""

    def count(self, engine: sa.Engine, url: sa.URL, kind: str, moment: int, told: Told) -> None:
        """In the child: count moments, and let it happen at the one."""

    def watch(self, worker: Child, kind: str, moment: int) -> None:
        """In the parent: the same."""

    @contextmanager
    def services(self, engine: sa.Engine) -> Iterator[Services]:
        """A house on a copy."""
        with services_on(engine) as services:
            yield services

    def _alone(self, statement: str) -> None:
        with make_engine(self.server.url).connect() as admin:
            admin.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql(statement)


class Simulated(World):
    """Every method of payment, a month long; moments are statements, also those of the simulated gateway."""

    on = date(2026, 4, 26)  # renewals and charges, one of them with a lost answer

    def furnish(self, engine: sa.Engine) -> None:
        with services_on(engine) as services:
            open_world(services)
            live(services, self.on - timedelta(days=1))

    def count(self, engine: sa.Engine, url: sa.URL, kind: str, moment: int, told: Told) -> None:
        pid_file = self.server.cluster / "postmaster.pid"

        def happen(connection: psycopg.Connection[Any]) -> None:
            if kind == "process":
                os.kill(os.getpid(), signal.SIGKILL)
            elif kind == "stopped":
                os.kill(os.getpid(), signal.SIGSTOP)
            elif kind == "server":
                os.kill(int(pid_file.read_text().split()[0]), signal.SIGKILL)
            elif kind == "backend":
                os.kill(connection.info.backend_pid, signal.SIGKILL)
            elif kind == "cut":
                _cut_all(url)

        def step(connection: psycopg.Connection[Any]) -> None:
            told.moments += 1
            if told.moments == moment:
                happen(connection)

        _at_every_statement(engine, step, before=bool(moment % 2))


def _at_every_statement(engine: sa.Engine, step: Callable[[psycopg.Connection[Any]], None], *, before: bool) -> None:
    """In this process, which ends with the night: at the driver, where COPY and the short way of asking pass too."""
    execute, copy = psycopg.Cursor.execute, psycopg.Cursor.copy
    watched: list[object] = []
    sa.event.listen(engine, "connect", lambda connection, _: watched.append(connection))

    def passes(cursor: Any, now: bool) -> None:
        if now and any(cursor.connection is each for each in watched):
            step(cursor.connection)

    def watched_execute(cursor: Any, *asked: Any, **how: Any) -> Any:
        passes(cursor, before)
        done = execute(cursor, *asked, **how)
        passes(cursor, not before)
        return done

    @contextmanager
    def watched_copy(cursor: Any, *asked: Any, **how: Any) -> Iterator[object]:
        passes(cursor, before)
        with copy(cursor, *asked, **how) as writing:
            yield writing
        passes(cursor, not before)

    for name, instead in (("execute", watched_execute), ("copy", watched_copy)):
        setattr(psycopg.Cursor, name, instead)


class Stripe(World):
    """Cards on the double of Stripe; moments are calls, and half of those that are killed go through."""

    on = date(2026, 5, 2)  # renewals of all

    def __init__(self, server: EmbeddedServer, proxy: Proxy) -> None:
        super().__init__(server)
        self.proxy = proxy

    def begin(self, url: sa.URL) -> None:
        self.proxy.forget()
        now = night_at(self.on - timedelta(days=30))
        self.proxy.clock = lambda: now
        engine = make_engine(url)
        with self.services(engine) as services:
            open_world(services)
            for number, card in enumerate((GOOD, DECLINES, GOOD, GOOD, GOOD)):
                save_card(services.session, _calls(self.proxy), self.proxy, f"u{number}", card)
                services.billing.approve(f"u{number}", "monthly", "card", now=now + timedelta(hours=12))
        engine.dispose()
        self.proxy.clock = lambda: night_at(self.on)

    def watch(self, worker: Child, kind: str, moment: int) -> None:
        pid = worker.pid
        guard = threading.Lock()

        def fault(method: str, path: str) -> str | None:
            with guard:
                worker.moments += 1
                now = worker.moments == moment
            if not now or not kind:
                return None
            os.kill(pid, signal.SIGSTOP if kind == "stopped_call" else signal.SIGKILL)
            return "reset" if moment % 2 else "lost"

        self.proxy.fault = fault

    @contextmanager
    def taking_over(self, url: sa.URL) -> Iterator[None]:
        self.proxy.fault = no_fault
        with super().taking_over(url):
            yield

    @contextmanager
    def services(self, engine: sa.Engine) -> Iterator[Services]:
        gateway = StripeGateway(engine, _calls(self.proxy))
        try:
            with engine.connect() as session:
                yield Services(session, Rules(Terms.load("premium")), gateway)
        finally:
            gateway.close()


def _calls(proxy: Proxy) -> StripeCalls:
    return StripeCalls.to(KEY, api_base=proxy.url, per_second=1_000, timeout_seconds=10, retries=0)


def in_small_pieces() -> None:
    """In this process a stage takes a few at a time, so that several hands have work also in a small world."""
    renewal_stage.CHUNK = invoice_stage.CHUNK = 2
    charge_stage.CHUNK, charge_stage.ANSWERS = 4, 2


def outcome_of_night(worker: Worker) -> str:
    """Run the night that is due; the outcome that its job was counted under."""
    worker.night_if_due()
    [sample] = [
        each.labels["outcome"]
        for metric in worker.numbers.jobs.collect()
        for each in metric.samples
        if each.name.endswith("_total") and each.value
    ] or ["nothing_due"]
    worker.numbers.jobs.clear()
    return str(sample)


def _beats(worker: Worker) -> None:
    while True:
        worker.beat()
        time.sleep(0.1)


def _cut_all(url: sa.URL) -> None:
    """End every connection to this database."""
    with psycopg.connect(libpq_address(url), autocommit=True) as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


@contextmanager
def _given(services: Services) -> Iterator[Services]:
    yield services


@contextmanager
def _logged_to_nobody() -> Iterator[None]:
    kept, sys.stderr = sys.stderr, open(os.devnull, "w")  # noqa: SIM115, PTH123
    try:
        yield
    finally:
        sys.stderr.close()
        sys.stderr = kept
