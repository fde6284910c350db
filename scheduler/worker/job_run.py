"""One run of a worker's job: what became of it is counted and logged; what goes wrong ends the job, not the worker."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import uuid4

from keizoku.db.failures import failure_of
from keizoku.scheduler.worker.leadership import NotLeadingError
from keizoku.scheduler.worker.telemetry import what_failed

if TYPE_CHECKING:
    from keizoku.scheduler.worker.worker import Worker

__all__ = ["JobRun", "StoppedError"]


class StoppedError(Exception):
    """The worker is stopping; what was committed stays, and the next night continues from there."""


@dataclass
class JobRun:
    """One run of a job: its id, its outcome in numbers and log; an error ends the job, not the worker."""

    name: str
    worker: Worker
    id: str = field(default_factory=lambda: uuid4().hex[:12])
    outcome: str = "done"
    about: dict[str, object] = field(default_factory=dict)
    began: float = 0.0

    def tell(self, made: Mapping[str, object], left: str) -> None:
        """What a run says that it did: with `why`, its outcome is `left`; where it did nothing, nothing was due."""
        self.about |= made
        if made.get("why"):
            self.outcome = left
        elif not any(made.values()):
            self.outcome = "nothing_due"

    def __enter__(self) -> JobRun:
        self.began = self.worker._began[self.name] = time.monotonic()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
        seconds = time.monotonic() - self.began
        self.worker._began.pop(self.name, None)
        log = self.worker.log
        if error is None and self.outcome == "nothing_due":
            return False
        if isinstance(error, StoppedError):
            self.outcome, error = "stopped", None
        elif isinstance(error, NotLeadingError):
            self.outcome, error = "lost_lead", None
        elif error is not None:
            failure = failure_of(error)
            self.outcome = "failed" if failure is None else failure.kind
            if self.worker.stopping.is_set() and self.outcome == "database_broke_off":
                self.outcome, error = "stopped", None  # a wait for a lock that we broke off
        self.worker.numbers.jobs.labels(self.name, self.outcome).inc()
        self.worker.numbers.seconds.labels(self.name).observe(seconds)
        facts = {"job": self.id, "name": self.name, "outcome": self.outcome, "seconds": round(seconds, 3), **self.about}
        if error is None:
            log.info("job", **facts)
        else:
            log.error("job", **facts, **what_failed(error))
        return kind is not None and issubclass(kind, Exception)
