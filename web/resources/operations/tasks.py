"""The work list: all that waits for people."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from keizoku.scheduler.reports.work_list import WorkItem, waiting_counts, waiting_for_people, work_item
from keizoku.scheduler.reports.work_list import done as record_done
from keizoku.scheduler.reports.work_list import snooze as record_snooze
from keizoku.scheduler.reports.work_seen import seen_by
from keizoku.web.calls.answers import listed
from keizoku.web.calls.call import Call, Listing
from keizoku.web.calls.operation import Resource
from keizoku.web.calls.values import Day, Ground, Id
from keizoku.web.calls.versions import TASK

__all__ = ["tasks"]

tasks = Resource("tasks", "All that waits for people.")

TaskAct = listed("TaskAct", id=str, done=bool)
Kinds = Annotated[list[Id], Field(max_length=50)]
Age = Annotated[int, Field(ge=0, le=36_500)]


@tasks.list("/tasks", command="tasks list", row=dict[str, Any])
def list_tasks(
    call: Call, *, kind: Id | None = None, account: Id | None = None, min_age_days: Age = 0, snoozed: bool = False
) -> Listing:
    """What waits for people, the oldest first; with `snoozed` what was put off, instead."""

    def read(limit: int, after: str) -> list[dict[str, object]]:
        found = waiting_for_people(
            call.session,
            call.now,
            kinds=(kind,) if kind else (),
            account=account,
            min_age_days=min_age_days,
            snoozed=snoozed,
            limit=limit,
            after=after,
            most_missed=call.settings.most_missed_nights,
            seen=seen_by(call.session),
        )
        return [each.to_json() for each in found]

    return Listing(read)


@tasks.question("/task-counts", command="tasks list", answer=dict[str, int])
def counts(call: Call) -> Any:
    """How many of each kind wait."""
    most_missed = call.settings.most_missed_nights
    return waiting_counts(call.session, call.now, most_missed=most_missed, seen=seen_by(call.session))


@tasks.question("/tasks/{task}", command="tasks show", answer=dict[str, Any], version=TASK)
def show(call: Call, task: Id) -> WorkItem:
    """One of them: what it is, since when, under which clause, and the command that ends it."""
    return work_item(call.session, task, call.now, call.settings.most_missed_nights, seen_by(call.session))


@tasks.act("/tasks/{task}/done", command="tasks done", answer=TaskAct, version=TASK)
def done(call: Call, task: Id, *, ground: Ground) -> Any:
    """People have dealt with it: it leaves the list and stays on record."""
    record_done(call.session, task, call.author, ground, call.now)
    return {"id": task, "done": True}


@tasks.act("/tasks/{task}/snooze", command="tasks snooze", answer=dict[str, Any], version=TASK)
def snooze(call: Call, task: Id, *, until: Day, ground: Ground) -> Any:
    """Put it off until a day: it is left out of the list until then."""
    record_snooze(call.session, task, until, call.author, ground, call.now)
    return {"id": task, "snoozed_until": until}
