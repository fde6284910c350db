"""Processes beside a night's own that take ranges of contracts from it (`keizoku.scheduler.night.ranges`).

    with Helpers(3, open_services) as helpers:              started when there is first enough to share
        run_night(house, on, now, helpers=helpers)

A helper is told through a pipe which part of which night is handed out, and takes ranges until none is free. It ends
when the pipe does, so also when the night's process is killed; what it was doing is committed or not at all. One that
fails or dies leaves its range to the others: the night ends the same, later.
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
"""Contracts from which on a part is shared: fewer are done before another process has looked at them."""
MOST_IN_A_RANGE: Final = 5_000
"""Less than a stage takes at once, so that a range is mostly one piece."""
RANGES_EACH: Final = 3
"""At least so many ranges for each process, so that none waits long for the slowest."""

ServicesOpener = Callable[[], AbstractContextManager["Services"]]
_MARK: Final = sa.text("SELECT set_config('application_name', :mark, false)")
_OWN_MARK: Final = sa.text("SELECT current_setting('application_name')")
_Spawned = multiprocessing.get_context("spawn")  # a fork would share this process's connections


@dataclass(frozen=True, slots=True)
class Assignment:
    """A part of a night that was handed out. `mark`: the name of the night's sessions, by which they are cut off."""

    part: str
    on: date
    now: datetime
    dates: tuple[date, ...]
    floor: int
    mark: str


class WorkerPool:
    """So many processes beside this one. `open_services` opens each a house of its own; it has to be picklable."""

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

    def share(self, part: str, work: Work, due: sa.Select[int]) -> Iterator[int]:
        """Do a part together: the rows written, range by range, then those that the helpers wrote."""
        from keizoku.scheduler.night.stages import do_part, probe_values

        if not self._count:
            yield do_part(part, work)
            return
        values = dict(probe_values(work))
        count = work.session.execute(sa.select(sa.func.count()).select_from(due.subquery()), values).scalar_one()
        if count < max(self._least, 2):
            yield do_part(part, work)
            return
        ranges = max(RANGES_EACH * (self._count + 1), -(-count // self._most))
        handed_out = sharing.cut(work.session, due, values, min(ranges, count))
        mark = str(work.session.execute(_OWN_MARK).scalar_one())
        sharing.hand_out(work.session, work.on, part, handed_out, work.now)
        self._call(Assignment(part, work.on, work.now, work.dates, work.floor, mark))
        own = 0
        with work.session.engine.connect() as taking:
            _mark(taking, mark)

            def do(within: sharing.Range) -> int:
                return do_part(part, replace(work, within=within))

            for written in sharing.take_free(taking, do, lambda: False):
                own += written
                yield written
            for written in sharing.take_rest(taking, do):
                own += written
                yield written
            theirs = sharing.rows_written(taking, len(handed_out)) - own
        work.session.rollback()  # what is read from now on is read after what they wrote
        yield theirs

    def _call(self, assignment: Assignment) -> None:
        """Tell all; those that are not there yet are started, those that are gone are not missed."""
        while len(self._running) < self._count:
            theirs, ours = _Spawned.Pipe(duplex=False)
            process = _Spawned.Process(target=_help, args=(self._open_services, theirs), daemon=True)
            process.start()
            theirs.close()
            self._running.append((process, ours))
        for _, assignments in self._running:
            with suppress(OSError):
                assignments.send(assignment)


def _help(open_services: ServicesOpener, assignments: Connection) -> None:
    """What a helper's process does."""
    from keizoku.scheduler.night.stages import Work, do_part

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the night is asked to stop, and tells us by the pipe
    with suppress(EOFError), open_services() as services, services.session.engine.connect() as taking:
        while True:
            assignment: Assignment = assignments.recv()
            for session in (services.session, taking):
                _mark(session, assignment.mark)
            work = Work(services, assignment.on, assignment.now, assignment.dates, assignment.floor)

            def do(within: sharing.Range, part: str = assignment.part, work: Work = work) -> int:
                return do_part(part, replace(work, within=within))

            for _ in sharing.take_free(taking, do, assignments.poll):
                pass


def _mark(session: Session, mark: str) -> None:
    session.execute(_MARK, {"mark": mark})
    session.commit()
