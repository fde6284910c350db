"""Jobs: work of the door's processes that takes longer than a call."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from keizoku.web.calls.answers import listed
from keizoku.web.calls.call import Call
from keizoku.web.calls.operation import Resource
from keizoku.web.calls.problems import ProblemError
from keizoku.web.calls.streaming import Stream
from keizoku.web.jobs import ENDED, job_seen

__all__ = ["jobs"]

jobs = Resource("jobs", "Work that takes longer than a call, and how far it has come.")

Job = listed(
    "Job", id=str, state=str, business_date=str, stage=str, rows=int, said=str, done=int, whole=int,
    seconds_left=int | None, refused=str,
)  # fmt: skip
JobId = Annotated[str, Field(max_length=40, pattern="^[a-z]+-[0-9-]+$", examples=["night-2026-05-07"])]


@jobs.question("/jobs/{job}", command="db status", answer=Job)
def show(call: Call, job: JobId) -> Any:
    """How far a job has come: queued, running, done, failed or lost with its process; its stage, its rows."""
    return _state(call, job)


@jobs.stream("/jobs/{job}/events", command="db status")
def events(call: Call, job: JobId) -> Any:
    """The state of a job whenever it changes (text/event-stream), until the event `end`; Last-Event-ID goes on."""
    _state(call, job)
    jobs, role = call.jobs, call.role
    return Stream(lambda: jobs.seen(job, role), lambda state: state["state"] in ENDED)


def _state(call: Call, job: str) -> dict[str, Any]:
    found = job_seen(call.session, job)
    if found is None:
        raise ProblemError(
            404,
            "job.unknown",
            "There is no such job.",
            f"job {job} was never asked for",
            "ask for it",
        )
    return found[1]
