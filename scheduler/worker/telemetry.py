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

import sqlalchemy as sa
import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, make_wsgi_app

from keizoku.db.failures import failure_of
from keizoku.db.session import Session
from keizoku.db.tables.books import certificate
from keizoku.db.tables.gateway import gateway_cursor, overpayment_refund
from keizoku.db.tables.money import credit_refund, payment_attempt
from keizoku.scheduler.night import run_log
from keizoku.scheduler.night.schedule import last_night_due
from keizoku.scheduler.reports.work_list import waiting_counts
from keizoku.terms.calendar import jst_day

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

_REFUNDS_UNKNOWN = sa.select(
    sa.select(sa.func.count()).where(credit_refund.c.outcome.is_(None)).scalar_subquery()
    + sa.select(sa.func.count()).where(overpayment_refund.c.outcome.is_(None)).scalar_subquery()
)
NIGHT_BUCKETS = (1, 5, 15, 60, 300, 900, 3_600, 10_800)


class Numbers:
    """The metrics of one worker, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.leader = self._gauge("keizoku_worker_leads", "1 while this worker leads")
        self.reachable = self._gauge("keizoku_database_reachable", "1 while the database answers")
        self.jobs = Counter("keizoku_job_runs", "Jobs by outcome", ["job", "outcome"], registry=self.registry)
        self.seconds = Histogram(
            "keizoku_job_seconds", "How long jobs took", ["job"], buckets=NIGHT_BUCKETS, registry=self.registry
        )
        self.rows = Counter("keizoku_stage_rows", "Rows written by stage", ["stage"], registry=self.registry)
        self.behind = self._gauge("keizoku_nights_behind", "Nights that are due and not done")
        self.certificate = self._gauge("keizoku_certificate_ok", "1 if the last certificate names no difference")
        self.attempts = self._gauge("keizoku_attempts_today", "Card charges begun today, in Japan", "outcome")
        self.unknown = self._gauge("keizoku_attempts_unknown", "Charges without an answer")
        self.unknown_age = self._gauge("keizoku_attempts_unknown_oldest_seconds", "Age of the oldest of them")
        self.refunds_unknown = self._gauge("keizoku_refunds_unknown", "Refunds without an answer")
        self.tasks = self._gauge("keizoku_people_tasks_open", "What waits for people", "kind")
        self.events_age = self._gauge("keizoku_gateway_news_age_seconds", "Since the gateway's news were read")

        self.backup_age = self._gauge("keizoku_backup_age_seconds", "Since the last backup that lies in every place")
        self.backup_age.set(float("inf"))

    def _gauge(self, name: str, meaning: str, *labels: str) -> Gauge:
        return Gauge(name, meaning, labels, registry=self.registry)

    def read(self, session: Session, now: datetime) -> None:
        """Read the state of the services from the database with a few small queries."""
        last = run_log.last_night(session)
        self.behind.set(0 if last is None else max((last_night_due(now) - last).days, 0))
        state = session.execute(
            sa.select(certificate.c.state).order_by(certificate.c.id.desc()).limit(1)
        ).scalar_one_or_none()
        self.certificate.set(0 if state == "differences" else 1)
        for outcome, count in _attempts_today(session, now).items():
            self.attempts.labels(outcome).set(count)
        oldest, waiting = session.execute(
            sa.select(sa.func.min(payment_attempt.c.started_at), sa.func.count()).where(
                payment_attempt.c.outcome.is_(None)
            )
        ).one()
        self.unknown.set(waiting)
        self.unknown_age.set((now - oldest).total_seconds() if oldest is not None else 0)
        self.refunds_unknown.set(session.execute(_REFUNDS_UNKNOWN).scalar_one())
        self.tasks.clear()
        for kind, count in waiting_counts(session, now).items():
            self.tasks.labels(kind).set(count)
        seen_to = session.execute(sa.select(sa.func.min(gateway_cursor.c.seen_to))).scalar_one()
        if seen_to is not None:
            self.events_age.set((now - seen_to).total_seconds())
        session.rollback()


OUTCOMES = ("succeeded", "declined_soft", "declined_hard", "needs_user", "abandoned", "unknown")


def _attempts_today(session: Session, now: datetime) -> dict[str, int]:
    """Attempts begun today by outcome; reads only the newest rows, by their ids."""
    newest: int = session.execute(sa.select(sa.func.coalesce(sa.func.max(payment_attempt.c.id), 0))).scalar_one()
    found = dict.fromkeys(OUTCOMES, 0)
    for outcome, count in session.execute(
        sa.select(sa.func.coalesce(payment_attempt.c.outcome, "unknown"), sa.func.count())
        .where(payment_attempt.c.id > newest - 1_000_000, payment_attempt.c.started_on == jst_day(now))
        .group_by(payment_attempt.c.outcome)
    ):
        found[outcome] = count
    return found


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
