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
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, cast

from keizoku.db.session import make_engine
from keizoku.scheduler.cli.shared.output import explained
from keizoku.terms.refusal import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator

    import sqlalchemy as sa

    from keizoku.scheduler.app import Services
    from keizoku.scheduler.clock import ClockName
    from keizoku.scheduler.night.asked import Wish
    from keizoku.scheduler.night.nightly_run import NightResult
    from keizoku.scheduler.settings import Settings
    from keizoku.web.identity.principal import Role

__all__ = ["ENDED", "Job", "JobProgress", "Jobs", "NightPlace", "night_job"]

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
class Job:
    """A piece of work: its name, what does it, and how far it has come."""

    name: str
    work: Callable[[Job], str]
    command: str = "db status"
    """Whoever may give this command may have its files."""
    state: str = "queued"
    business_date: str = ""
    stage: str = ""
    rows: int = 0
    done: int = 0
    whole: int = 0
    """Of so many steps or rows of the stage; 0: that is not known."""
    said: str = ""
    refused: str = ""
    """The code of the refusal that ended it."""
    counted_from: float = 0.0
    files: list[Path] = field(default_factory=list)
    folder: TemporaryDirectory[str] | None = None
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

    def step(self, stage: str, done: int, whole: int) -> None:
        """Progress of anything that counts (keizoku.billing.closing.reconciliation_run.Progress)."""
        if done == 0 or whole != self.whole:
            self.counted_from = monotonic()
        if (stage, done, whole) != (self.stage, self.done, self.whole):
            self.stage, self.done, self.whole = stage, done, whole
            self.version += 1

    def room(self) -> Path:
        """A private folder for what the work makes; it goes with the process, or when the job is asked for anew."""
        if self.folder is None:
            self.folder = TemporaryDirectory(prefix="keizoku-made-")
        return Path(self.folder.name)

    @property
    def seconds_left(self) -> int | None:
        """How long the stage will take yet, by what it has taken so far; None: that is not known."""
        if self.state != "running" or not 0 < self.done < self.whole:
            return None
        return round((monotonic() - self.counted_from) / self.done * (self.whole - self.done))

    def became(self, state: str, said: str = "") -> None:
        """The next state."""
        self.said, self.state = said, state
        if state == "running":
            self.began = monotonic()
        elif state in ENDED:
            self.ended = monotonic()
        self.version += 1

    def come(self, steps_of_a_night: int) -> JobProgress:
        """How far it has come, and how long it may still take: by the stages of nights, or by its own count."""
        if self.whole:
            return self._progress(self.done, self.whole, self.seconds_left)
        whole = max(self.nights * steps_of_a_night, self.steps, 1)
        taken = 0.0 if self.began is None else (self.ended or monotonic()) - self.began
        begun = self.steps - 1  # the newest is under way
        left = round(taken * (whole - begun) / begun) if self.state == "running" and begun > 0 else None
        return self._progress(whole if self.state == "done" else max(begun, 0), whole, left)

    def _progress(self, done: int, whole: int, left: int | None) -> JobProgress:
        taken = 0.0 if self.began is None else (self.ended or monotonic()) - self.began
        return JobProgress(
            self.name, self.state, self.business_date, self.stage, self.rows, self.said, done, whole, round(taken), left
        )

    def shown(self) -> dict[str, Any]:
        """As it is answered."""
        come = self.come(_steps_of_a_night())
        return {
            "id": self.name,
            "state": self.state,
            "business_date": self.business_date,
            "stage": self.stage,
            "rows": self.rows,
            "said": self.said,
            "done": come.done,
            "whole": come.whole,
            "seconds_left": come.left_seconds,
            "refused": self.refused,
            "files": [each.name for each in self.files],
        }


def _steps_of_a_night() -> int:
    from keizoku.scheduler.night.nightly_run import STAGES

    return len(STAGES)


def night_job(on: date) -> str:
    """The name of the job that runs the night of a business date."""
    return f"night-{on}"


class Jobs:
    """A queue, and the thread that works on it; the thread begins with the first job."""

    def __init__(
        self,
        services: Callable[[Role], AbstractContextManager[Services]],
        clock: Callable[[], datetime],
        place: NightPlace,
    ) -> None:
        self._services, self._clock, self._place = services, clock, place
        self._queue: SimpleQueue[Job | None] = SimpleQueue()
        self._jobs: dict[str, Job] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def run_night(self, wish: Wish) -> None:
        """Queue a night (`night_job`); one that waits or runs is not queued twice."""
        self.start(Job(night_job(wish.dates[-1]), partial(self._night, wish)))

    def services(self, role: str) -> AbstractContextManager[Services]:
        """Services as the role of a call, for the work of a job."""
        return self._services(cast("Role", role))

    def now(self) -> datetime:
        """When it is."""
        return self._clock()

    def file_of(self, name: str, file: str) -> tuple[Job, Path] | None:
        """A file that a job has made, and the job; None: there is none."""
        job = self._jobs.get(name)
        found = next((each for each in job.files if each.name == file), None) if job is not None else None
        return None if job is None or found is None else (job, found)

    def state_of(self, name: str) -> dict[str, Any] | None:
        """How far a job has come; None: this process has none of the name."""
        job = self._jobs.get(name)
        return None if job is None else job.shown()

    def progress_of(self, name: str) -> JobProgress | None:
        """The same for people: how much of it is done; None: this process has none of the name."""
        job = self._jobs.get(name)
        return None if job is None else job.come(_steps_of_a_night())

    def seen(self, name: str) -> tuple[str, dict[str, Any]] | None:
        """(the mark of the newest state, that state); None: this process has no job of the name."""
        job = self._jobs.get(name)
        return None if job is None else (f"{job.mark}-{job.version}", job.shown())

    def close(self) -> None:
        """End after the job that runs."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join(timeout=30)
        for job in self._jobs.values():
            if job.folder is not None:
                job.folder.cleanup()

    def _night(self, wish: Wish, job: Job) -> str:
        """What `keizoku night` does, by the same settings."""
        from keizoku.scheduler.night.asked import run_asked
        from keizoku.scheduler.night.processes import WorkerPool
        from keizoku.scheduler.night.run_log import run_log_state

        processes = WorkerPool(self._place.settings.night_jobs - 1, self._place.services)
        with self._services("worker") as services, processes as pool:
            missed = run_log_state(services.session, wish.dates[0]).missed
            services.session.rollback()
            job.nights = len(missed) + len(wish.dates)
            results = run_asked(services, wish, self._clock(), job.told, pool)
        return "; ".join(map(_said_of, results))

    def start(self, job: Job) -> None:
        """Queue a piece of work; one of its name that waits or runs is not queued twice."""
        with self._lock:
            known = self._jobs.get(job.name)
            if known is not None and known.state not in ENDED:
                return
            if known is not None and known.folder is not None:
                known.files.clear()
                known.folder.cleanup()
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
                job.refused = error.code if isinstance(error, Refused) else ""
                job.became("failed", told[0] if told is not None else "a fault of ours; it is in the server's log")
                _log.error("%s failed: %s", job.name, type(error).__name__, exc_info=told is None)


def _said_of(result: NightResult) -> str:
    aside = f", {len(result.set_aside)} set aside" if result.set_aside else ""
    return f"{result.certificate}{aside}"
