"""The worker: which night it runs, what it does when asked to stop, and who leads when there are two."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from prometheus_client import generate_latest

from keizoku.db.session import libpq_address, make_engine, normalised_url
from keizoku.scheduler.app import Services
from keizoku.scheduler.night import run_log
from keizoku.scheduler.night.schedule import last_night_due, night_at
from keizoku.scheduler.worker.leadership import Leadership, NotLeadingError, watched_engine
from keizoku.scheduler.worker.telemetry import Health, json_logger, what_failed
from keizoku.scheduler.worker.worker import Worker
from tests.worlds.forked import until
from tests.worlds.world import open_world, services_on

APRIL_1 = date(2026, 4, 1)


def made_worker(engine: sa.Engine, now: Callable[[], datetime]) -> Worker:
    worker = Worker(lambda: services_on(engine), Leadership(engine.connect), json_logger("test"), clock=now)
    worker.beat()
    return worker


def test_a_night_is_due_from_half_past_two_in_japan() -> None:
    assert last_night_due(night_at(APRIL_1)) == APRIL_1
    assert last_night_due(night_at(APRIL_1) - timedelta(seconds=1)) == date(2026, 3, 31)
    assert last_night_due(datetime(2026, 3, 31, 15, 0, tzinfo=UTC)) == date(2026, 3, 31)


def test_the_leader_runs_what_is_due_once_and_catches_up_and_tells_it(
    engine: sa.Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    with services_on(engine) as services:
        open_world(services)
        services.billing.approve("taro", "monthly", "card", now=night_at(APRIL_1) - timedelta(hours=20))
    now = [night_at(APRIL_1)]
    first, second = made_worker(engine, lambda: now[0]), made_worker(engine, lambda: now[0])
    assert (first.leadership.leads, second.leadership.leads) == (True, False)
    second.night_if_due()
    first.night_if_due()
    first.night_if_due()
    now[0] = night_at(date(2026, 4, 4)) + timedelta(hours=3)
    first.night_if_due()
    jobs = [line for line in _lines(capsys.readouterr().err) if line["event"] == "job"]
    assert {each["set_aside"] for each in jobs} == {0}
    assert [(each["outcome"], each["business_date"], each["caught_up"], each["certificate"]) for each in jobs] == [
        ("done", "2026-04-01", 0, "ok"),
        ("done", "2026-04-04", 2, "ok"),
    ]
    assert len({each["job"] for each in jobs}) == 2
    shown = generate_latest(first.numbers.registry).decode()
    for line in (
        'keizoku_job_runs_total{job="night",outcome="done"} 2.0',
        "keizoku_nights_behind 0.0",
        "keizoku_certificate_ok 1.0",
        "keizoku_worker_leads 1.0",
        "keizoku_attempts_unknown 0.0",
    ):
        assert line in shown.splitlines()
    first.leadership.give_up()
    until(second.beat)  # the server lets go of the lock once it has noticed the end of the connection
    assert second.leadership.leads
    second.leadership.give_up()


def test_a_worker_that_is_asked_to_stop_ends_at_the_next_chunk_and_another_finishes_the_night(
    engine: sa.Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    with services_on(engine) as services:
        open_world(services)
        services.billing.approve("taro", "monthly", "card", now=night_at(APRIL_1) - timedelta(hours=20))
    worker = made_worker(engine, lambda: night_at(APRIL_1))
    worker.leadership.acquire_or_renew()
    inc = worker.numbers.rows.labels

    def stop_at_revenue(stage: str) -> object:
        if stage == "revenue":
            worker.stop()
        return inc(stage)

    worker.numbers.rows.labels = stop_at_revenue  # type: ignore[method-assign, assignment]
    worker.night_if_due()
    worker.leadership.give_up()
    [job] = [line for line in _lines(capsys.readouterr().err) if line["event"] == "job"]
    assert (job["outcome"], job["name"]) == ("stopped", "night")
    with engine.connect() as session:
        assert not run_log.is_done(session, APRIL_1)
    other = made_worker(engine, lambda: night_at(APRIL_1))
    other.night_if_due()
    other.leadership.give_up()
    with engine.connect() as session:
        assert run_log.is_done(session, APRIL_1)


def test_a_job_that_fails_is_logged_without_the_words_of_the_driver_and_not_tried_at_once_again(
    engine: sa.Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    tried = []

    @contextmanager
    def broken() -> Iterator[Services]:
        tried.append(1)
        with engine.connect() as session:
            session.exec_driver_sql("INSERT INTO account (id, created_at) VALUES ('hanako@example.jp', NULL)")
        yield from ()

    worker = Worker(broken, Leadership(engine.connect), json_logger("test"), clock=lambda: night_at(APRIL_1))
    worker.beat()
    worker.night_if_due()
    worker.night_if_due()
    worker.leadership.give_up()
    said = capsys.readouterr().err
    [job] = [line for line in _lines(said) if line["event"] == "job"]
    assert (job["outcome"], job["error"], len(tried)) == ("failed", "IntegrityError", 1)
    assert "hanako" not in said


def test_no_night_runs_on_tables_that_somebody_changed_and_the_log_says_which(
    engine: sa.Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    with engine.begin() as session:
        session.exec_driver_sql("DROP TRIGGER entry_append_only ON entry")
    worker = made_worker(engine, lambda: night_at(APRIL_1))
    worker.night_if_due()
    worker.leadership.give_up()
    [job] = [line for line in _lines(capsys.readouterr().err) if line["event"] == "job"]
    assert (job["outcome"], job["error"]) == ("failed", "DatabaseError")
    assert "changed by hand: trigger entry.entry_append_only is missing; undo the change" in str(job["words"])
    with engine.connect() as session:
        assert not run_log.is_done(session, APRIL_1)


def test_the_log_has_the_words_of_our_own_errors_only() -> None:
    logged = what_failed(NotLeadingError("this worker leads no more"))
    assert (logged["error"], logged.get("words")) == ("NotLeadingError", "this worker leads no more")
    assert "words" not in what_failed(ValueError("hanako@example.jp"))


def test_health_wants_a_beat_and_an_answer_of_the_database_within_a_minute() -> None:
    now = night_at(APRIL_1)
    health = Health()
    assert health.state(now) == (False, {"healthy": False, "database": False, "leads": False})
    health.beat_at = health.answered_at = now
    assert health.state(now + timedelta(seconds=60))[0]
    health.beat_at = now + timedelta(seconds=60)
    assert health.state(now + timedelta(seconds=61)) == (False, {"healthy": False, "database": False, "leads": False})


@pytest.fixture
def empty_database(database_url: sa.URL | str) -> Iterator[sa.URL]:
    """A database of its own on the server of the tests: commands know no schema but the default one."""
    url = normalised_url(database_url)
    name = f"worker_{uuid.uuid4().hex[:12]}"
    admin = make_engine(url)
    with admin.connect() as connection:
        autocommit = connection.execution_options(isolation_level="AUTOCOMMIT")
        autocommit.exec_driver_sql(f"CREATE DATABASE {name}")
        yield url.set(database=name)
        autocommit.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")


def test_two_worker_processes_one_leads_and_the_other_takes_over_when_it_is_killed(empty_database: sa.URL) -> None:
    environment = {**os.environ, "KEIZOKU_DATABASE_URL": libpq_address(empty_database)}
    keizoku = [sys.executable, "-c", "from keizoku.scheduler.cli import main; main()"]
    subprocess.run([*keizoku, "db", "upgrade"], env=environment, check=True)
    command = [*keizoku, "worker", "--heartbeat", "0.2", "--listen", "127.0.0.1:0"]
    with running(command, environment) as first:
        port = wait_for(first, "listens")["port"]
        wait_for(first, "leads")
        with running(command, environment) as second:
            _two_workers(first, second, port)


def _two_workers(first: subprocess.Popen[str], second: subprocess.Popen[str], port: int) -> None:
    wait_for(first, "job")  # today's night, on an empty house
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz") as answer:
        assert json.load(answer) == {"healthy": True, "database": True, "leads": True}
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        assert b"keizoku_worker_leads 1.0" in answer.read()
    killed_at = time.monotonic()
    first.kill()
    wait_for(second, "leads")
    assert time.monotonic() - killed_at < 60
    second.send_signal(signal.SIGTERM)
    wait_for(second, "stopped")
    assert second.wait(30) == 0


@contextmanager
def running(command: list[str], environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """A process whose stderr is read, ended with the block."""
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def test_a_watched_connection_is_given_up_within_half_a_minute() -> None:
    watched = watched_engine(normalised_url("postgresql://db.internal/keizoku"))
    query = {name: int(str(value)) for name, value in watched.url.query.items()}
    assert query["keepalives_idle"] + query["keepalives_interval"] * query["keepalives_count"] <= 30
    assert query["tcp_user_timeout"] <= 30_000


def _lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def wait_for(process: subprocess.Popen[str], event: str) -> dict[str, Any]:
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("{"):
            said: dict[str, Any] = json.loads(line)
            if said["event"] == event:
                return said
    raise AssertionError(f"the worker ended before it said {event!r}")
