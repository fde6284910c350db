"""Work that takes longer than a call: one at a time, in a thread of this process; how far it has come can be asked.

What a job has done is in the database, and it is level-triggered: one that was lost with its process is asked for
again, and does what is left.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from keizoku.scheduler.cli.shared.output import explained

if TYPE_CHECKING:
    from keizoku.scheduler.app import Services

__all__ = ["Jobs"]

_log = logging.getLogger("keizoku.web")


@dataclass
class _Job:
    name: str
    work: Callable[[Callable[..., None]], Any]
    state: str = "queued"
    stage: str = ""
    done: int = 0
    whole: int = 0
    said: str = ""


class Jobs:
    """A queue, and the thread that works on it; the thread begins with the first job."""

    def __init__(self, services: Callable[[], AbstractContextManager[Services]], clock: Callable[[], datetime]) -> None:
        self._services, self._clock = services, clock
        self._queue: SimpleQueue[_Job | None] = SimpleQueue()
        self._jobs: dict[str, _Job] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def run_night(self, on: date) -> None:
        """Queue the night of a business date; one that waits or runs is not queued twice."""

        def work(tell: Callable[..., None]) -> Any:
            from keizoku.scheduler.night.nightly_run import run_night

            with self._services() as services:
                return run_night(services, on, self._clock(), tell).certificate

        self._add(_Job(f"night {on}", work))

    def state_of(self, name: str) -> dict[str, Any] | None:
        """How far a job has come; None: this process has none of the name."""
        job = self._jobs.get(name)
        if job is None:
            return None
        return {"state": job.state, "stage": job.stage, "done": job.done, "whole": job.whole, "said": job.said}

    def close(self) -> None:
        """End after the job that runs."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join(timeout=30)

    def _add(self, job: _Job) -> None:
        with self._lock:
            known = self._jobs.get(job.name)
            if known is not None and known.state in ("queued", "running"):
                return
            self._jobs[job.name] = job
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="jobs", daemon=True)
                self._thread.start()
        self._queue.put(job)

    def _run(self) -> None:
        while (job := self._queue.get()) is not None:
            job.state = "running"

            def tell(stage: str, done: int = 0, whole: int = 0, of: _Job = job) -> None:
                of.stage, of.done, of.whole = stage, done, whole

            try:
                job.said = str(job.work(tell) or "")
                job.state = "done"
            except Exception as error:
                told = explained(error)
                job.said = told[0] if told is not None else "a fault of ours; it is in the log of the server"
                job.state = "failed"
                _log.error("%s failed: %s", job.name, type(error).__name__, exc_info=told is None)
