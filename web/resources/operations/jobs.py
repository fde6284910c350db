"""Jobs: work of this process that takes longer than a call."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from keizoku.web.calls.answers import listed
from keizoku.web.calls.call import Call
from keizoku.web.calls.operation import Resource
from keizoku.web.calls.problems import ProblemError
from keizoku.web.calls.streaming import Stream
from keizoku.web.jobs import ENDED

__all__ = ["jobs"]

jobs = Resource("jobs", "Work that takes longer than a call, and how far it has come.")

Job = listed(
    "Job", id=str, state=str, business_date=str, stage=str, rows=int, said=str, done=int, whole=int,
    seconds_left=int | None, refused=str, files=list[str],
)  # fmt: skip
JobId = Annotated[str, Field(max_length=40, pattern="^[a-z]+-[0-9-]+$", examples=["night-2026-05-07"])]


@jobs.question("/jobs/{job}", command="db status", answer=Job)
def show(call: Call, job: JobId) -> Any:
    """How far a job has come: queued, running, done or failed; its stage, the rows written, what it said at its end."""
    return _state(call, job)


@jobs.stream("/jobs/{job}/events", command="db status")
def events(call: Call, job: JobId) -> Any:
    """The state of a job whenever it changes (text/event-stream), until the event `end`; Last-Event-ID goes on."""
    _state(call, job)
    known = call.jobs
    return Stream(lambda: known.seen(job), lambda state: state["state"] in ENDED)


def _state(call: Call, job: str) -> dict[str, Any]:
    found = call.jobs.state_of(job)
    if found is None:
        raise ProblemError(
            404,
            "job.unknown",
            "This process has no such job.",
            f"job {job}: it was never asked for, or ended with the process",
            "ask for it again: what it did is in the database, and it does what is left",
        )
    return found
