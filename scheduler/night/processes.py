"""Processes beside a night's own that take ranges of contracts from it (`keizoku.scheduler.night.ranges`).

    with WorkerPool(3, open_services) as pool:              processes start when there is first enough to share
        run_night(services, on, now, pool=pool)

A process of the pool receives its assignment, a step of a night, through a pipe, and takes ranges until none is free.
It ends when the pipe closes, so also when the night's process is killed; its work is then committed or not done at all.
If it fails or dies, the others take its range: the night has the same result, later.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from keizoku.scheduler.night import ranges as sharing

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess
    from types import TracebackType

    from keizoku.db.session import Session
    from keizoku.scheduler.app import Services
    from keizoku.scheduler.night.stages import Work

LEAST_SHARED: Final = 2_000
"""Contracts from which a step is shared: fewer are done before another process has read them."""
MOST_IN_A_RANGE: Final = 5_000
"""Less than a stage reads at once, so that a range is mostly one chunk."""
RANGES_EACH: Final = 3
"""At least this many ranges for each process, so that none waits long for the slowest."""

ServicesOpener = Callable[[], AbstractContextManager["Services"]]
_SET_NAME: Final = sa.text("SELECT set_config('application_name', :name, false)")
_OWN_NAME: Final = sa.text("SELECT current_setting('application_name')")
_Spawned = multiprocessing.get_context("spawn")  # a fork would share this process's connections


@dataclass(frozen=True, slots=True)
class Assignment:
    """A step of a night to be shared. `session_name`: that of the night's sessions, by which they can be ended."""

    step: str
    on: date
    now: datetime
    dates: tuple[date, ...]
    floor: int
    session_name: str


class WorkerPool:
    """`count` processes beside this one. `open_services`, which is pickled, opens the services of each process."""

    def __init__(
        self,
        count: int,
        open_services: ServicesOpener,
        *,
        least: int = LEAST_SHARED,
        most_in_a_range: int = MOST_IN_A_RANGE,
    ) -> None:
        self._count, self._open_services = count, open_services
        self._least, self._most = least, most_in_a_range
        self._running: list[tuple[BaseProcess, Connection]] = []

    def __enter__(self) -> WorkerPool:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for _, assignments in self._running:
            assignments.close()
        for process, _ in self._running:
            process.join()
        self._running.clear()

    def share(self, step: str, work: Work, due: sa.Select[int]) -> Iterator[int]:
        """Run a step together; yields the rows written here, range by range, then those of the other processes."""
        from keizoku.scheduler.night.stages import do_step, probe_values

        if not self._count:
            yield do_step(step, work)
            return
        values = dict(probe_values(work))
        count = work.session.execute(sa.select(sa.func.count()).select_from(due.subquery()), values).scalar_one()
        if count < max(self._least, 2):
            yield do_step(step, work)
            return
        ranges = max(RANGES_EACH * (self._count + 1), -(-count // self._most))
        offered = sharing.cut(work.session, due, values, min(ranges, count))
        session_name = str(work.session.execute(_OWN_NAME).scalar_one())
        sharing.offer(work.session, work.on, step, offered, work.now)
        self._assign(Assignment(step, work.on, work.now, work.dates, work.floor, session_name))
        own = 0
        with work.session.engine.connect() as taking:
            _name(taking, session_name)

            def do(within: sharing.Range) -> int:
                return do_step(step, replace(work, within=within))

            for written in sharing.take_free(taking, do, lambda: False):
                own += written
                yield written
            for written in sharing.take_rest(taking, do):
                own += written
                yield written
            theirs = sharing.rows_written(taking, len(offered)) - own
        work.session.rollback()  # what is read from now on is read after what they wrote
        yield theirs

    def _assign(self, assignment: Assignment) -> None:
        """Send it to every process; missing ones are started first, dead ones are ignored."""
        while len(self._running) < self._count:
            theirs, ours = _Spawned.Pipe(duplex=False)
            process = _Spawned.Process(target=_work_on, args=(self._open_services, theirs), daemon=True)
            process.start()
            theirs.close()
            self._running.append((process, ours))
        for _, assignments in self._running:
            with suppress(OSError):
                assignments.send(assignment)


def _work_on(open_services: ServicesOpener, assignments: Connection) -> None:
    """The main function of a process of the pool."""
    from keizoku.scheduler.night.stages import Work, do_step

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the night's own process handles it, and closes the pipe
    with suppress(EOFError), open_services() as services, services.session.engine.connect() as taking:
        while True:
            assignment: Assignment = assignments.recv()
            for session in (services.session, taking):
                _name(session, assignment.session_name)
            work = Work(services, assignment.on, assignment.now, assignment.dates, assignment.floor)

            def do(within: sharing.Range, step: str = assignment.step, work: Work = work) -> int:
                return do_step(step, replace(work, within=within))

            for _ in sharing.take_free(taking, do, assignments.poll):
                pass


def _name(session: Session, name: str) -> None:
    session.execute(_SET_NAME, {"name": name})
    session.commit()
