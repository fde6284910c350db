"""Nights: their certificates, and running one as a job that reports its progress."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

import sqlalchemy as sa
from pydantic import Field

from keizoku.db.tables.books import certificate
from keizoku.scheduler.night import waiting
from keizoku.scheduler.night.asked import Wish, check_may_run
from keizoku.scheduler.night.forecast import NightForecast, forecast_night
from keizoku.scheduler.night.run_log import last_night
from keizoku.terms.calendar import iso_jst
from keizoku.web.calls.answers import listed
from keizoku.web.calls.call import Call, Listing, number_in
from keizoku.web.calls.operation import Resource
from keizoku.web.calls.problems import ProblemError
from keizoku.web.calls.values import Day, Ground, Yen
from keizoku.web.jobs import job_seen, night_job

__all__ = ["nights"]

nights = Resource("nights", "Nights and their certificates.")

Held = listed("NightsHeld", held=bool)
Approved = listed("NightApproved", business_date=date, approved=bool)
Shown = Annotated[dict[Annotated[str, Field(pattern=r"^[a-z]+\.[a-z_.]+ (number|yen)$")], Yen], Field(max_length=50)]
Job = listed("NightJob", business_date=str, state=str, job=str)
State = Annotated[str, Field(pattern="^(ok|differences)$")]


@nights.list("/nights", command="db status", row=dict[str, Any])
def list_nights(call: Call, *, state: State | None = None) -> Listing:
    """Certificates, the newest first: what each night found, and what it left to people."""

    def read(limit: int, after: str) -> list[dict[str, Any]]:
        query = sa.select(certificate).order_by(certificate.c.id.desc()).limit(limit)
        if after:
            query = query.where(certificate.c.id < number_in(after))
        if state is not None:
            query = query.where(certificate.c.state == state)
        return [_shown(row) for row in call.session.execute(query)]

    return Listing(read)


@nights.question("/nights/forecast", command="night", answer=NightForecast)
def forecast(call: Call, *, on: Day | None = None) -> Any:
    """What the next night, or the night of a day, would write, by stage; what of it is odd; whether its money waits."""
    return forecast_night(call.services, on, call.now)


@nights.question("/nights/{on}", command="db status", answer=dict[str, Any])
def show(call: Call, on: Day) -> Any:
    """The newest certificate of a business date, and how far a run of it has come."""
    row = call.session.execute(
        sa.select(certificate).where(certificate.c.business_date == on).order_by(certificate.c.id.desc()).limit(1)
    ).one_or_none()
    seen = job_seen(call.session, night_job(on))
    running = None if seen is None else seen[1]
    if row is None and running is None:
        raise ProblemError(404, "night.unknown", "There is no certificate of this day.", str(on), "run the night")
    return {"business_date": on, "certificate": None if row is None else _shown(row), "run": running}


def _queue(call: Call, _: object, *, on: date, whole_audit: bool, catch_up: bool) -> None:
    call.jobs.run_night(_wish(call, on, whole_audit, catch_up))


def _wish(call: Call, on: date, whole_audit: bool, catch_up: bool) -> Wish:
    return Wish([on], None if catch_up else call.settings.most_missed_nights, whole_audit)


@nights.act("/nights", command="night", answer=Job, then=_queue)
def run(call: Call, *, on: Day, whole_audit: bool = False, catch_up: bool = False) -> Any:
    """Run the night of a business date, after those that were missed, as a job; watch it under /jobs/{id}/events.

    `catch_up`: however many nights were missed; else no more than the setting says. `whole_audit`: every row is
    checked again.
    """
    if on > call.today:
        raise ProblemError(422, "to_come", "It has not come yet.", f"today is {call.today} in Japan", "wait for it")
    check_may_run(call.session, call.rules, _wish(call, on, whole_audit, catch_up))
    return {"business_date": on, "state": "queued", "job": night_job(on)}


@nights.act("/nights/hold", command="night hold", answer=Held)
def hold(call: Call, *, ground: Ground) -> Any:
    """From now on nights make no charge and no refund; all else of them goes on."""
    waiting.hold(call.session, by=call.author, ground=ground, now=call.now)
    return {"held": True}


@nights.act("/nights/release", command="night release", answer=Held)
def release(call: Call, *, ground: Ground) -> Any:
    """End the hold: the next night makes the charges and refunds that waited."""
    waiting.release(call.session, by=call.author, ground=ground, now=call.now)
    return {"held": False}


@nights.act("/nights/{on}/approve", command="night approve", answer=Approved)
def approve(call: Call, on: Day, *, ground: Ground, shown: Shown) -> Any:
    """Let the night of one date charge and refund what its forecast showed above the limits; then run that night.

    `shown`: those figures as they were read, `{"payments.charges yen": 1200000}`; empty for a hold by hand.
    """
    waiting.approve_shown(call.session, on, shown, by=call.author, ground=ground, now=call.now)
    return {"business_date": on, "approved": True}


@nights.question("/last-night", command="db status", answer=dict[str, Any])
def newest(call: Call) -> Any:
    """The latest business date whose night was completed with its certificate."""
    return {"business_date": last_night(call.session)}


def _shown(row: sa.Row[Any]) -> dict[str, Any]:
    return {
        "id": row.id,
        "business_date": row.business_date,
        "issued_at": iso_jst(row.issued_at),
        "state": row.state,
        "counts": row.counts,
        "sums": row.sums,
        "differences": row.differences,
        "set_aside": row.set_aside,
        "hash": row.hash,
    }
