"""What a worker shows to the outside: metrics for Prometheus, its health, and logs as JSON lines.

None of the three contains personal data or secrets: only counts, days, states, kinds of errors and ids of runs.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, make_wsgi_app

from keizoku.db.failures import failure_of
from keizoku.scheduler.worker.budget_numbers import BudgetNumbers
from keizoku.scheduler.worker.state_numbers import StateNumbers

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

NIGHT_BUCKETS = (1, 5, 15, 60, 300, 900, 3_600, 10_800)


class Numbers:
    """The metrics of one worker, in a registry of their own.

    What it did itself is counted; whether it leads and how long its jobs have run is asked of it at each scrape, the
    state of the services of the database (`StateNumbers`). So a standby, and one that led yesterday, tell what is. The
    month's budget is told by the one that leads (`BudgetNumbers`).
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.leader = self._gauge("keizoku_worker_leads", "1 while this worker leads")
        self.reachable = self._gauge("keizoku_database_reachable", "1 while the database answers")
        self.jobs = Counter("keizoku_job_runs", "Jobs by outcome", ["job", "outcome"], registry=self.registry)
        self.seconds = Histogram(
            "keizoku_job_seconds", "How long jobs took", ["job"], buckets=NIGHT_BUCKETS, registry=self.registry
        )
        self.running = self._gauge("keizoku_job_running_seconds", "How long the job under way has run, else 0", "job")
        self.rows = Counter("keizoku_stage_rows", "Rows written by stage", ["stage"], registry=self.registry)
        self.budget = BudgetNumbers()
        self.registry.register(self.budget)
        self.state = StateNumbers()
        self.registry.register(self.state)

    def _gauge(self, name: str, meaning: str, *labels: str) -> Gauge:
        return Gauge(name, meaning, labels, registry=self.registry)


@dataclass
class Health:
    """Whether the worker can do its work: the scheduler beats, and the database answered lately."""

    longest_silence: timedelta = timedelta(seconds=60)
    beat_at: datetime | None = None
    answered_at: datetime | None = None
    leads: bool = False

    def state(self, now: datetime) -> tuple[bool, Mapping[str, object]]:
        """Healthy or not, and why."""
        alive = self.beat_at is not None and now - self.beat_at <= self.longest_silence
        reachable = self.answered_at is not None and now - self.answered_at <= self.longest_silence
        return alive and reachable, {"healthy": alive and reachable, "database": reachable, "leads": self.leads}


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Silent(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the base class's word
        """Requests of a monitor are not logged."""


def serve(
    host: str, port: int, numbers: Numbers, health: Health, clock: Callable[[], datetime]
) -> tuple[int, Callable[[], None]]:
    """Serve /metrics and /healthz in a thread; returns the port and a function that stops it."""
    metrics = make_wsgi_app(numbers.registry)

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path == "/metrics":
            answer: Iterable[bytes] = metrics(environ, start_response)
            return answer
        if path == "/healthz":
            healthy, why = health.state(clock())
            start_response("200 OK" if healthy else "503 Service Unavailable", [("Content-Type", "application/json")])
            return [json.dumps(why).encode()]
        start_response("404 Not Found", [("Content-Type", "text/plain")])
        return [b"/healthz and /metrics\n"]

    server = make_server(host, port, application, server_class=_Server, handler_class=_Silent)
    thread = threading.Thread(target=server.serve_forever, name="telemetry", daemon=True)
    thread.start()

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join(5)

    return server.server_port, stop


def json_logger(run_id: str, **about: object) -> structlog.typing.FilteringBoundLogger:
    """A logger that writes one JSON object per line to stderr, each with the id of this run."""
    logging.getLogger("apscheduler").setLevel(logging.CRITICAL)  # its messages would name jobs' arguments
    made: structlog.typing.FilteringBoundLogger = structlog.wrap_logger(
        structlog.PrintLogger(sys.stderr),
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    )
    return made.bind(worker=run_id, **about)


class _Libraries(logging.Handler):
    """What libraries log, as a line of ours: from whom, of what kind, its fixed words; never values or a trace."""

    def __init__(self, log: structlog.typing.FilteringBoundLogger) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record as one line."""
        facts = {"library": record.name, "words": str(record.msg).splitlines()[0] if record.msg else ""}
        if record.exc_info and record.exc_info[0] is not None:
            facts["error"] = record.exc_info[0].__name__
        self._log.warning("library", **facts)


def log_as_json(log: structlog.typing.FilteringBoundLogger) -> None:
    """Let all that this process says on stderr be lines of that log: libraries, warnings, threads that die."""
    logging.basicConfig(level=logging.WARNING, handlers=[_Libraries(log)], force=True)
    logging.captureWarnings(True)

    def died(about: threading.ExceptHookArgs) -> None:
        if about.exc_value is not None:
            log.error("thread ended", **what_failed(about.exc_value))

    threading.excepthook = died


def what_failed(error: BaseException) -> dict[str, object]:
    """An error for the log: its kind and place, and its message only where it is one of ours.

    Messages of the driver may quote rows, and so personal data.
    """
    from traceback import extract_tb

    frames = extract_tb(error.__traceback__)
    ours = [each for each in frames if "site-packages" not in each.filename] or frames
    place = f"{ours[-1].name}:{ours[-1].lineno}" if ours else ""
    found: dict[str, object] = {"error": type(error).__name__, "place": place}
    failure = failure_of(error)
    if type(error).__module__.split(".")[0] == "keizoku":
        found["words"] = str(error)
    elif failure is not None:
        found["words"] = str(failure)
    return found
