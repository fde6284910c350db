"""A worker whose jobs wait: for a lock, for a place, for a person; and what it says when libraries speak."""

from __future__ import annotations

import json
import logging
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from prometheus_client import generate_latest

from keizoku.db.session import make_engine
from keizoku.scheduler.app import Services
from keizoku.scheduler.night.nightly_run import run_night
from keizoku.scheduler.night.schedule import night_at
from keizoku.scheduler.worker.leadership import Leadership
from keizoku.scheduler.worker.telemetry import json_logger, log_as_json
from keizoku.scheduler.worker.worker import Worker
from tests.worlds.forked import until
from tests.worlds.world import open_world, services_on

APRIL_1 = date(2026, 4, 1)


def lived_in(engine: sa.Engine) -> None:
    with services_on(engine) as services:
        open_world(services)
        services.billing.approve("taro", "monthly", "card", now=night_at(APRIL_1) - timedelta(hours=20))


def made(engine: sa.Engine, opened: sa.Engine | None = None, **more: Any) -> Worker:
    worker = Worker(
        lambda: services_on(opened or engine),
        Leadership(engine.connect),
        json_logger("test"),
        clock=lambda: night_at(APRIL_1),
        heartbeat_seconds=0.2,
        **more,
    )
    worker.beat()
    return worker


@contextmanager
def at_work(worker: Worker) -> Iterator[threading.Thread]:
    thread = threading.Thread(target=worker.run, daemon=True)
    thread.start()
    try:
        yield thread
    finally:
        worker.stop()
        thread.join(30)


def jobs(text: str) -> list[dict[str, Any]]:
    return [each for line in text.splitlines() if (each := json.loads(line))["event"] == "job"]


def shown(worker: Worker, name: str) -> float:
    (line,) = (
        line for line in generate_latest(worker.numbers.registry).decode().splitlines() if line.startswith(f"{name} ")
    )
    return float(line.rpartition(" ")[2])


def test_a_night_that_waits_for_a_lock_shows_and_holds_up_no_other_job_and_heeds_the_end(
    engine: sa.Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    lived_in(engine)
    backed_up = threading.Event()

    def backup(services: Services, now: datetime) -> None:
        backed_up.set()

    with engine.connect() as open_psql:
        open_psql.exec_driver_sql("LOCK TABLE term IN ACCESS EXCLUSIVE MODE")
        worker = made(engine, backup=backup, poll_seconds=0.3)
        with at_work(worker) as thread:
            until(lambda: shown(worker, 'keizoku_job_running_seconds{job="night"}') > 1)
            news = 'keizoku_job_runs_total{job="news",outcome="done"}'
            until(lambda: news in generate_latest(worker.numbers.registry).decode())
            worker.back_up()
            assert backed_up.is_set()
            assert shown(worker, "keizoku_nights_behind") == 1
            began = time.monotonic()
            worker.stop()
            thread.join(20)
            assert not thread.is_alive()
            assert time.monotonic() - began < 20
    night = [each for each in jobs(capsys.readouterr().err) if each["name"] == "night"]
    assert [each["outcome"] for each in night] == ["stopped"]


def test_a_job_that_waits_for_a_lock_too_long_has_a_clear_end(
    engine: sa.Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    lived_in(engine)
    impatient = make_engine(engine.url, _schema(engine), lock_timeout_seconds=1)
    with engine.connect() as open_psql:
        open_psql.exec_driver_sql("LOCK TABLE term IN ACCESS EXCLUSIVE MODE")
        worker = made(engine, impatient)
        worker.night_if_due()
    worker.leadership.give_up()
    (job,) = jobs(_json_only(capsys.readouterr().err))
    assert (job["outcome"], job["seconds"] < 30) == ("database_broke_off", True)
    assert job["words"].startswith("the database did not get a lock in time")
    assert shown(worker, 'keizoku_job_running_seconds{job="night"}') == 0


def test_many_missed_nights_are_refused_once_and_the_other_jobs_go_on(
    engine: sa.Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    lived_in(engine)
    now = [night_at(APRIL_1)]
    worker = made(engine, most_missed=7)
    worker.clock = worker.numbers.state.clock = lambda: now[0]
    worker.night_if_due()
    now[0] += timedelta(days=365)
    for _ in range(3):
        worker._not_before = 0
        worker.night_if_due()
    worker.read_events()
    told = jobs(_json_only(capsys.readouterr().err))
    assert [(each["name"], each["outcome"]) for each in told] == [
        ("night", "done"),
        ("night", "wants_a_word"),
        ("news", "done"),
    ]
    assert "keizoku night --catch-up" in told[1]["words"]
    assert shown(worker, "keizoku_night_wants_a_word") == 1
    assert shown(worker, "keizoku_nights_behind") == 365
    with services_on(engine) as services:  # a person says so
        run_night(services, date(2027, 4, 1), now[0])
    worker._not_before = 0
    worker.night_if_due()
    assert jobs(_json_only(capsys.readouterr().err)) == []
    assert shown(worker, "keizoku_night_wants_a_word") == 0
    worker.leadership.give_up()


def test_what_libraries_and_dying_threads_say_is_a_line_of_json_without_data(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = logging.getLogger()
    before, hook, showing = list(root.handlers), threading.excepthook, warnings.showwarning
    try:
        log_as_json(json_logger("test"))
        try:
            raise sa.exc.OperationalError("SELECT", {"account": "hanako"}, Exception("hanako"))
        except sa.exc.OperationalError:
            logging.getLogger("sqlalchemy.pool").exception("Exception during reset or similar")
        logging.getLogger("psycopg").warning("error ignored in rollback on %s: %s", "x", "hanako")

        def dies() -> None:
            raise ValueError("hanako")

        thread = threading.Thread(target=dies)
        thread.start()
        thread.join()
    finally:
        logging.captureWarnings(False)
        root.handlers[:] = before
        threading.excepthook, warnings.showwarning = hook, showing
    said = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(each["event"], each.get("library"), each.get("error")) for each in said] == [
        ("library", "sqlalchemy.pool", "OperationalError"),
        ("library", "psycopg", None),
        ("thread ended", None, "ValueError"),
    ]
    assert "hanako" not in str(said)


def _json_only(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if line.startswith("{"))


def _schema(engine: sa.Engine) -> str | None:
    with engine.connect() as session:
        return str(session.exec_driver_sql("SELECT current_schema()").scalar_one())
