"""Events: what happened, to be read from a cursor on."""

from __future__ import annotations

from time import monotonic, sleep
from typing import Annotated, Any, Final

from pydantic import Field

from keizoku.web.calls.answers import listed
from keizoku.web.calls.call import Call
from keizoku.web.calls.operation import Resource
from keizoku.web.calls.problems import ProblemError
from keizoku.web.event_feed import Cursor, Event, newest_cursor, read_events

__all__ = ["events"]

events = Resource("events", "What happened, in the transaction in which it happened.")

EVERY_S: Final = 0.5
Page = listed("EventPage", data=list[Event], next=str)
Place = Annotated[str, Field(max_length=40, pattern="^[0-9]+-[0-9]+$", description="the id of the last event you have")]


@events.question("/events", command="tasks list", answer=Page)
def feed(
    call: Call,
    *,
    after: Place = "0-0",
    limit: Annotated[int, Field(ge=1, le=1_000)] = 200,
    wait: Annotated[int, Field(ge=0, le=30, description="seconds to wait for the first one")] = 0,
) -> Any:
    """Events behind a cursor, in order; `next` is where to go on. With `wait` the answer waits for the first one."""
    cursor = _cursor(after)
    until = monotonic() + wait
    while not (found := read_events(call.session, cursor, limit)) and monotonic() < until:
        sleep(EVERY_S)
    return {"data": [each.to_json() for each in found], "next": found[-1].id if found else str(cursor)}


@events.question("/events/newest", command="tasks list", answer=listed("EventPlace", next=str))
def newest(call: Call) -> Any:
    """The cursor behind the last event: where a new reader begins who wants no past."""
    return {"next": str(newest_cursor(call.session))}


def _cursor(after: str) -> Cursor:
    try:
        return Cursor.read(after)
    except ValueError as error:
        raise ProblemError(422, "cursor", "This is no cursor.", after[:40], str(error)) from None
