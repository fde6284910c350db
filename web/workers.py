"""Several processes that answer on one socket: started, watched and replaced by one that answers nothing itself.

    keizoku serve --workers 4 ──> binds the socket, makes the database ready
         ├─ process 1  a door of its own: pools, threads, log      ─┐
         ├─ process 2  …                                            ├─ take calls from the same socket
         └─ …                                                      ─┘
    one ends unasked ──> another takes its place        SIGTERM ──> passed on; each ends what is under way

What all have to know is in the database: keys and sessions, the state of jobs, what was seen of the claim form, the
log. A process that loses its parent ends by itself.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import wait
from time import monotonic
from typing import TYPE_CHECKING, Final

from keizoku.scheduler.cli.shared.output import UserError
from keizoku.web.process import END_WITHIN_S, Place

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

    import sqlalchemy as sa

    from keizoku.scheduler.settings import Settings

__all__ = ["Work", "run_workers"]

SOON_S: Final = 5.0
"""A process that ends within this time of its start has not come to answer."""
MOST_SOON: Final = 5
"""After so many of these in a row all is ended."""
PAUSE_S: Final = 1.0
ENDS_WITHIN_S: Final = END_WITHIN_S + 50
"""The calls under way, then the job under way and the log have their own times."""
_Spawned = multiprocessing.get_context("spawn")  # a fork would share this process's connections
_log = logging.getLogger("keizoku.web")


@dataclass(frozen=True, slots=True)
class Work:
    """What a process has to know; it is pickled."""

    settings: Settings
    place: Place
    url: sa.URL
    schema: str
    prefix: str = "keizoku"
    """How the roles of the database begin."""


def run_workers(work: Work, sockets: list[socket.socket], tell: Callable[[str], None]) -> None:
    """Answer with so many processes until SIGTERM or SIGINT. UserError where they do not come to answer."""
    asked, asks = _Spawned.Pipe(duplex=False)
    ended = [signal.signal(number, lambda *_: asks.send_bytes(b".")) for number in (signal.SIGTERM, signal.SIGINT)]
    running: dict[int, tuple[BaseProcess, float]] = {}
    soon = 0
    try:
        while True:
            for number in range(1, work.place.workers + 1):
                if number not in running:
                    running[number] = _started(work, sockets, number), monotonic()
            ready = wait([asked, *(process.sentinel for process, _ in running.values())])
            if asked in ready:
                return
            for number, (process, began) in list(running.items()):
                if process.sentinel not in ready:
                    continue
                process.join()
                del running[number]
                soon = soon + 1 if monotonic() - began < SOON_S else 0
                if soon >= MOST_SOON:
                    raise UserError(f"the processes that answer end as soon as they begin (code {process.exitcode})")
                tell(f"process {process.pid} ended by itself ({process.exitcode}): another takes its place")
            if soon and asked.poll(PAUSE_S):
                return
    finally:
        _end([process for process, _ in running.values()])
        for number, before in zip((signal.SIGTERM, signal.SIGINT), ended, strict=True):
            signal.signal(number, before)


def _started(work: Work, sockets: list[socket.socket], number: int) -> BaseProcess:
    process = _Spawned.Process(target=_work, args=(work, sockets), name=f"answers-{number}")
    process.start()
    return process


def _end(processes: list[BaseProcess]) -> None:
    """SIGTERM to all; who does not end is killed."""
    for process in processes:
        process.terminate()
    until = monotonic() + ENDS_WITHIN_S
    for process in processes:
        process.join(max(until - monotonic(), 0))
        if process.is_alive():
            _log.error("process %s did not end, and was killed", process.pid)
            process.kill()
            process.join()


def _work(work: Work, sockets: list[socket.socket]) -> None:
    """A process that answers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of the terminal, which all get; the parent passes on what it means
    threading.Thread(target=_with_parent, name="parent", daemon=True).start()
    from keizoku.web.application import make_application
    from keizoku.web.door import Door
    from keizoku.web.process import answer
    from keizoku.web.serve import directory_at, site_at

    settings, place = work.settings, work.place
    site = site_at(settings, place)
    door = Door(settings, settings.rules(), work.url, work.schema, None, place.threads, work.prefix, site=site)
    try:
        door.directory = directory_at(place, site)
        answer(make_application(door), door, place, sockets)
    finally:
        door.close()


def _with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
