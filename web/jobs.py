"""Work that takes longer than a call: one at a time, in a thread of this process; how far it has come can be asked.

What a job has done is in the database, and it is level-triggered: one that was lost with its process is asked for
again, and does what is left. Only the newest state of a job is kept, with a number that rises at each change: whoever
watches is told the newest one, whatever was missed on the way.
"""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import partial
from queue import SimpleQueue
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from keizoku.db.session import make_engine
from keizoku.scheduler.cli.shared.output import explained

if TYPE_CHECKING:
    from collections.abc import Iterator

    import sqlalchemy as sa

    from keizoku.scheduler.app import Services
    from keizoku.scheduler.clock import ClockName
    from keizoku.scheduler.night.asked import Wish
    from keizoku.scheduler.night.nightly_run import NightResult
    from keizoku.scheduler.settings import Settings

__all__ = ["ENDED", "JobProgress", "Jobs", "NightPlace", "night_job"]

ENDED: Final = ("done", "failed")
_log = logging.getLogger("keizoku.web")


@dataclass(frozen=True, slots=True)
class NightPlace:
    """Where the processes beside a night's own work: pickled, so it holds no connection."""

    settings: Settings
    url: sa.URL
    schema: str
    role: str
    clock: ClockName

    @contextmanager
    def services(self) -> Iterator[Services]:
        """Services as the role, with the limit on waits that a night has."""
        from keizoku.scheduler.app import services_on

        waits = self.settings.lock_timeout_seconds
        engine = make_engine(self.url, self.schema, role=self.role, lock_timeout_seconds=waits)
        try:
            with services_on(engine, self.settings, clock=self.clock, reader=None) as services:
                yield services
        finally:
            engine.dispose()


@dataclass(frozen=True, slots=True)
class JobProgress:
    """A job as people watch it: what it does, how much of it is done, how long it may still take (None: not known)."""

    id: str
    state: str
    business_date: str
    stage: str
    rows: int
    said: str
    done: int
    whole: int
    taken_seconds: int
    left_seconds: int | None

    @property
    def ended(self) -> bool:
        """Whether nothing more will come."""
        return self.state in ENDED


@dataclass
class _Job:
    name: str
    work: Callable[[_Job], str]
    state: str = "queued"
    business_date: str = ""
    stage: str = ""
    rows: int = 0
    said: str = ""
    mark: str = field(default_factory=lambda: secrets.token_hex(4))
    version: int = 1
    nights: int = 1
    """How many business dates it will write, those that were missed among them."""
    steps: int = 0
    """Stages that were begun."""
    began: float | None = None
    ended: float | None = None

    def told(self, on: date, stage: str, rows: int) -> None:
        """Progress of a night (keizoku.scheduler.night.nightly_run.Progress)."""
        moved = (self.business_date, self.stage) != (str(on), stage)
        self.business_date, self.stage, self.rows = str(on), stage, self.rows + rows
        self.steps += moved
        if moved or rows:
            self.version += 1

    def became(self, state: str, said: str = "") -> None:
        """The next state."""
        self.said, self.state = said, state
        if state == "running":
            self.began = monotonic()
        elif state in ENDED:
            self.ended = monotonic()
        self.version += 1

    def come(self, steps_of_a_night: int) -> JobProgress:
        """How far it has come, and how long it may still take."""
        whole = max(self.nights * steps_of_a_night, self.steps, 1)
        taken = 0.0 if self.began is None else (self.ended or monotonic()) - self.began
        begun = self.steps - 1  # the newest is under way
        left = round(taken * (whole - begun) / begun) if self.state == "running" and begun > 0 else None
        done = whole if self.state == "done" else max(begun, 0)
        return JobProgress(**self.shown(), done=done, whole=whole, taken_seconds=round(taken), left_seconds=left)

    def shown(self) -> dict[str, Any]:
        """As it is answered."""
        return {
            "id": self.name,
            "state": self.state,
            "business_date": self.business_date,
            "stage": self.stage,
            "rows": self.rows,
            "said": self.said,
        }


def night_job(on: date) -> str:
    """The name of the job that runs the night of a business date."""
    return f"night-{on}"


class Jobs:
    """A queue, and the thread that works on it; the thread begins with the first job."""

    def __init__(
        self,
        services: Callable[[], AbstractContextManager[Services]],
        clock: Callable[[], datetime],
        place: NightPlace,
    ) -> None:
        self._services, self._clock, self._place = services, clock, place
        self._queue: SimpleQueue[_Job | None] = SimpleQueue()
        self._jobs: dict[str, _Job] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def run_night(self, wish: Wish) -> None:
        """Queue a night (`night_job`); one that waits or runs is not queued twice."""
        self._add(_Job(night_job(wish.dates[-1]), partial(self._night, wish)))

    def state_of(self, name: str) -> dict[str, Any] | None:
        """How far a job has come; None: this process has none of the name."""
        job = self._jobs.get(name)
        return None if job is None else job.shown()

    def progress_of(self, name: str) -> JobProgress | None:
        """The same for people: how much of it is done; None: this process has none of the name."""
        from keizoku.scheduler.night.nightly_run import STAGES

        job = self._jobs.get(name)
        return None if job is None else job.come(len(STAGES))

    def seen(self, name: str) -> tuple[str, dict[str, Any]] | None:
        """(the mark of the newest state, that state); None: this process has no job of the name."""
        job = self._jobs.get(name)
        return None if job is None else (f"{job.mark}-{job.version}", job.shown())

    def close(self) -> None:
        """End after the job that runs."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join(timeout=30)

    def _night(self, wish: Wish, job: _Job) -> str:
        """What `keizoku night` does, by the same settings."""
        from keizoku.scheduler.night.asked import run_asked
        from keizoku.scheduler.night.processes import WorkerPool
        from keizoku.scheduler.night.run_log import run_log_state

        processes = WorkerPool(self._place.settings.night_jobs - 1, self._place.services)
        with self._services() as services, processes as pool:
            missed = run_log_state(services.session, wish.dates[0]).missed
            services.session.rollback()
            job.nights = len(missed) + len(wish.dates)
            results = run_asked(services, wish, self._clock(), job.told, pool)
        return "; ".join(map(_said_of, results))

    def _add(self, job: _Job) -> None:
        with self._lock:
            known = self._jobs.get(job.name)
            if known is not None and known.state not in ENDED:
                return
            self._jobs[job.name] = job
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="jobs", daemon=True)
                self._thread.start()
        self._queue.put(job)

    def _run(self) -> None:
        while (job := self._queue.get()) is not None:
            job.became("running")
            try:
                job.became("done", job.work(job))
            except Exception as error:
                told = explained(error)
                job.became("failed", told[0] if told is not None else "a fault of ours; it is in the server's log")
                _log.error("%s failed: %s", job.name, type(error).__name__, exc_info=told is None)


def _said_of(result: NightResult) -> str:
    aside = f", {len(result.set_aside)} set aside" if result.set_aside else ""
    return f"{result.certificate}{aside}"
