"""Work that takes longer than a call: one at a time, in a thread of one process; how far it has come, any can tell.

    asked for ──> its lock is taken ──> a row `queued` ──> the lock of all jobs ──> `running`, … ──> `done` or `failed`
                  another has it: it waits or runs already                          a row whenever it moves
    its process is lost: the lock goes with its connection, and whoever asks is told `lost`

What a job has done is in the database, and it is level-triggered: one that was lost is asked for again, and does what
is left. Whoever watches is told the newest state, by the number of its row, whatever was missed on the way.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, cast

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from keizoku.db.locks import lock_is_held, try_leader_lock
from keizoku.db.session import Session, make_engine
from keizoku.db.tables.web import job_state
from keizoku.scheduler.cli.shared.output import explained
from keizoku.terms.refusal import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from keizoku.scheduler.app import Services
    from keizoku.scheduler.clock import ClockName
    from keizoku.scheduler.night.asked import Wish
    from keizoku.scheduler.night.nightly_run import NightResult
    from keizoku.scheduler.settings import Settings
    from keizoku.web.identity.principal import Role
    from keizoku.web.kept_files import KeptFiles

__all__ = ["ENDED", "Job", "JobProgress", "Jobs", "NightPlace", "job_progress", "job_seen", "night_job"]

ENDED: Final = ("done", "failed", "lost")
TELLS_EVERY_S: Final = 0.5
LOOKS_EVERY_S: Final = 0.2
LOST: Final = "its process ended before it did: ask for it again, and it does what is left"
_KEPT: Final = (
    "state", "business_date", "stage", "rows", "said", "nights", "steps", "done", "whole", "counted_from", "refused",
    "began_at",
)  # fmt: skip
_ALL: Final = "jobs"
"""The lock of whoever is at a job."""
_log = logging.getLogger("keizoku.web")


@dataclass(frozen=True, slots=True)
class NightPlace:
    """Where the processes beside a night's own work: pickled, so it holds no connection."""

    settings: Settings
    url: sa.URL
    schema: str
    role: str
    clock: ClockName

    def connection(self) -> Session:
        """A connection as the role, for as long as it is held."""
        waits = self.settings.lock_timeout_seconds
        return make_engine(self.url, self.schema, role=self.role, lock_timeout_seconds=waits).connect()

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
    """A piece of work that this process has: its name, what does it, and how far it has come."""

    name: str
    work: Callable[[Job], str]
    holder: Session
    """The connection that has its lock."""
    tell: Callable[[Job], None]
    room: Callable[[], Path]
    """An empty folder for what it makes."""
    state: str = "queued"
    business_date: str = ""
    stage: str = ""
    rows: int = 0
    said: str = ""
    told_at: float = 0.0
    nights: int = 1
    """How many business dates it will write, those that were missed among them."""
    steps: int = 0
    """Stages that were begun."""
    done: int = 0
    whole: int = 0
    """Of so many of what it counts by itself; 0: it counts by the stages of nights."""
    counted_from: datetime | None = None
    refused: str = ""
    """The code of the refusal that ended it."""
    began_at: datetime | None = None

    def step(self, stage: str, done: int, whole: int) -> None:
        """Progress of anything that counts (keizoku.billing.closing.reconciliation_run.Progress)."""
        anew = done == 0 or whole != self.whole
        if anew:
            self.counted_from = datetime.now(UTC)
        moved = anew or stage != self.stage or done == whole
        self.stage, self.done, self.whole = stage, done, whole
        if moved or monotonic() - self.told_at >= TELLS_EVERY_S:
            self.tell(self)

    def told(self, on: date, stage: str, rows: int) -> None:
        """Progress of a night (keizoku.scheduler.night.nightly_run.Progress)."""
        moved = (self.business_date, self.stage) != (str(on), stage)
        self.business_date, self.stage, self.rows = str(on), stage, self.rows + rows
        self.steps += moved
        if moved or (rows and monotonic() - self.told_at >= TELLS_EVERY_S):
            self.tell(self)

    def became(self, state: str, said: str = "") -> None:
        """The next state."""
        self.said, self.state = said, state
        if state == "running":
            self.began_at = datetime.now(UTC)
        self.tell(self)


def night_job(on: date) -> str:
    """The name of the job that runs the night of a business date."""
    return f"night-{on}"


def job_seen(session: Session, name: str) -> tuple[str, dict[str, Any]] | None:
    """(the mark of the newest state of a job, that state), whichever process has it; None: it was never asked for."""
    row = _newest(session, name)
    while row is not None and row.state not in ENDED and not lock_is_held(session, _lock_of(name)):
        again = _newest(session, name)  # it may have ended, or begun anew, between the two looks
        if again is not None and again.id == row.id:
            return f"{row.id}-lost", _shown(row, "lost", LOST)
        row = again
    return None if row is None else (str(row.id), _shown(row, row.state, row.said))


def job_progress(session: Session, name: str) -> JobProgress | None:
    """The same for people: how much of it is done; None: it was never asked for."""
    seen, row = job_seen(session, name), _newest(session, name)
    if seen is None or row is None:
        return None
    told = seen[1]
    names = ("id", "state", "business_date", "stage", "rows", "said", "done", "whole")
    return JobProgress(
        **{each: told[each] for each in names},
        taken_seconds=round(_taken(row, told["state"])),
        left_seconds=told["seconds_left"],
    )


def come(row: Any, state: str, now: datetime) -> tuple[int, int, int | None]:
    """(how much is done, of how much, about how many seconds it takes yet) of a job's newest row."""
    from keizoku.scheduler.night.nightly_run import STAGES

    if row.whole:
        counted = (now - row.counted_from).total_seconds() if row.counted_from is not None else 0.0
        under_way = state == "running" and 0 < row.done < row.whole
        return row.done, row.whole, round(counted / row.done * (row.whole - row.done)) if under_way else None
    whole = max(row.nights * len(STAGES), row.steps, 1)
    begun = row.steps - 1  # the newest is under way
    left = round(_taken(row, state) * (whole - begun) / begun) if state == "running" and begun > 0 else None
    return whole if state == "done" else max(begun, 0), whole, left


def _taken(row: Any, state: str) -> float:
    until = row.recorded_at if state in ENDED else datetime.now(UTC)
    return 0.0 if row.began_at is None else float((until - row.began_at).total_seconds())


def _newest(session: Session, name: str) -> sa.Row[Any] | None:
    query = sa.select(job_state).where(job_state.c.job == name).order_by(job_state.c.id.desc()).limit(1)
    return session.execute(query).one_or_none()


def _shown(row: sa.Row[Any], state: str, said: str) -> dict[str, Any]:
    done, whole, left = come(row, state, datetime.now(UTC))
    return {
        "id": row.job, "state": state, "business_date": row.business_date, "stage": row.stage, "rows": row.rows,
        "said": said, "done": done, "whole": whole, "seconds_left": left, "refused": row.refused,
    }  # fmt: skip


def _lock_of(name: str) -> str:
    return f"job {name}"


class Jobs:
    """A queue of this process, and the thread that works on it; the thread begins with the first job."""

    def __init__(
        self,
        services: Callable[[Role], AbstractContextManager[Services]],
        clock: Callable[[], datetime],
        place: NightPlace,
        connect: Callable[[str], AbstractContextManager[Session]],
        kept: KeptFiles,
    ) -> None:
        self._services, self._clock, self._place, self._connect = services, clock, place, connect
        self._kept = kept
        self._queue: SimpleQueue[Job | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._ends = threading.Event()

    def run_night(self, wish: Wish) -> None:
        """Queue a night (`night_job`); one that waits or runs, here or in another process, is not queued twice."""
        self.start(night_job(wish.dates[-1]), partial(self._night, wish))

    def services(self, role: str) -> AbstractContextManager[Services]:
        """Services as the role of a call, for the work of a job."""
        return self._services(cast("Role", role))

    def now(self) -> datetime:
        """When it is."""
        return self._clock()

    def seen(self, name: str, role: str) -> tuple[str, dict[str, Any]] | None:
        """(the mark of the newest state, that state), on a connection of its own."""
        with self._connect(role) as session:
            return job_seen(session, name)

    def close(self) -> None:
        """End after the job that runs; those that wait are lost."""
        self._ends.set()
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join(timeout=30)

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

    def start(self, name: str, work: Callable[[Job], str]) -> None:
        """Queue a piece of work; one of its name that waits or runs, here or elsewhere, is not queued twice."""
        holder = self._place.connection()
        try:
            if not try_leader_lock(holder, _lock_of(name)):
                holder.close()
                return
            holder.commit()
            job = Job(name, work, holder, self._tell, partial(self._kept.room, name))
            job.tell(job)
        except BaseException:
            holder.close()
            raise
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="jobs", daemon=True)
                self._thread.start()
        self._queue.put(job)

    def _tell(self, job: Job) -> None:
        job.told_at = monotonic()
        values = {name: getattr(job, name) for name in _KEPT}
        with self._connect("worker") as session:
            session.execute(sa.insert(job_state).values(job=job.name, recorded_at=datetime.now(UTC), **values))
            session.commit()

    def _run(self) -> None:
        while (job := self._queue.get()) is not None:
            try:
                if self._is_its_turn(job):
                    job.became("running")
                    job.became("done", job.work(job))
            except Exception as error:
                told = explained(error)
                job.refused = error.code if isinstance(error, Refused) else ""
                _log.error("%s failed: %s", job.name, type(error).__name__, exc_info=told is None)
                with suppress(SQLAlchemyError):  # where the database is away: then it is lost
                    job.became("failed", told[0] if told is not None else "a fault of ours; it is in the server's log")
            finally:
                job.holder.close()  # and with it its locks

    def _is_its_turn(self, job: Job) -> bool:
        """Wait until no other process is at a job; False: this process ends before."""
        while not try_leader_lock(job.holder, _ALL):
            job.holder.commit()
            if self._ends.wait(LOOKS_EVERY_S):
                return False
        job.holder.commit()
        return not self._ends.is_set()


def _said_of(result: NightResult) -> str:
    aside = f", {len(result.set_aside)} set aside" if result.set_aside else ""
    return f"{result.certificate}{aside}"
