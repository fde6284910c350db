"""What is known of outages: incidents, notices, interruptions, counts, the number of users, what is unknown."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import Field, TypeAdapter

from keizoku.sla.evidence.import_log import import_list
from keizoku.sla.evidence.observation_store import Reading
from keizoku.sla.evidence.unknown_store import unknown_decisions, unknown_list
from keizoku.sla.months.evidence_lists import (
    IncidentRow,
    InterruptionRow,
    NoticeRow,
    PopulationRow,
    incident_list,
    interruption_list,
    notice_list,
    population_list,
)
from keizoku.sla.services.imports import ImportService
from keizoku.terms.calendar import Month, epoch, epoch_up
from keizoku.terms.decision import Finding
from keizoku.web.calls.answers import listed
from keizoku.web.calls.call import Call, Listing, shown_rows
from keizoku.web.calls.imports import import_answer
from keizoku.web.calls.operation import Resource
from keizoku.web.calls.problems import ProblemError
from keizoku.web.calls.uploads import Uploaded
from keizoku.web.calls.values import Ground, Id, Instant, MonthText

__all__ = ["LONGEST_SPANS", "Windows", "evidence", "findings_of", "month_of", "spans_in", "spans_of"]

evidence = Resource("evidence", "What is known of outages of the service.")

LONGEST_SPANS: Final = 20_000
"""Letters of windows that are written in an address."""
Users = Annotated[int, Field(strict=True, ge=0, le=10**12)]
Cause = Annotated[str, Field(pattern="^(fault|system_update|partner|user_environment)$")]
Windows = Annotated[
    list[Annotated[list[Instant], Field(min_length=2, max_length=2)]],
    Field(max_length=1_000, description="[from, to) pairs; none: the whole"),
]
Kind = Annotated[str, Field(pattern="^(incidents|observations|counts|notices|population|claims)$")]
_INSTANT: TypeAdapter[datetime] = TypeAdapter(Instant)
Recorded = listed("Recorded", recorded=bool, doubts=list[dict[str, Any]])


def findings_of(findings: list[Finding] | Any) -> dict[str, Any]:
    """What is answered to an act on evidence: it is recorded, and the doubts about it."""
    doubts = [
        {"source": each.source, "line": each.line, "value": each.value, "rule": each.rule, "remedy": each.remedy}
        for each in findings
    ]
    return {"recorded": True, "doubts": doubts}


def spans_of(windows: Any) -> list[Any]:
    """Windows as pairs. Raises Problem for one that ends before it begins."""
    for start, end in windows or []:
        if end <= start:
            raise ProblemError(
                422, "form", "The call has another form.", f"{start.isoformat()}/{end.isoformat()} has no length",
                "give [from, to)",
            )  # fmt: skip
    return [(start, end) for start, end in windows or []]


def spans_in(text: str) -> list[tuple[int, int]]:
    """Windows written FROM/TO and joined by commas, in epoch seconds. Raises ProblemError for another form."""
    try:
        if len(text) > LONGEST_SPANS:
            raise ValueError
        pairs = [[_INSTANT.validate_python(part) for part in each.split("/")] for each in text.split(",")]
        spans_of(pairs)
        return [(epoch(start), epoch_up(end)) for start, end in pairs]
    except ValueError:  # of pydantic too
        raise ProblemError(
            422, "form", "The call has another form.", "windows are written FROM/TO, joined by commas",
            "2026-04-10T09:00:00+09:00/2026-04-10T13:00:00+09:00",
        ) from None  # fmt: skip


def month_of(month: str | None) -> Month | None:
    """The month, where one is asked for."""
    return Month.parse(month) if month else None


@evidence.list("/incidents", command="sla incident list", row=IncidentRow)
def list_incidents(call: Call, *, month: MonthText | None = None, every_revision: bool = False) -> Listing:
    """Stops as people confirmed them, the newest revision of each, or all."""
    return shown_rows(incident_list(call.session, month_of(month), every_revision=every_revision))


@evidence.act("/incidents", command="sla incident add", answer=Recorded)
def add_incident(
    call: Call,
    *,
    from_at: Instant,
    to_at: Instant,
    affected: Users,
    ground: Ground,
    cause: Cause = "fault",
    incident: Id | None = None,
) -> Any:
    """People confirm an outage: so many users could not use the service."""
    found = call.sla.record_outage(
        from_at, to_at, affected, cause=cause, id=incident, ground=ground, by=call.author, now=call.now
    )
    return findings_of(found)


@evidence.act("/incidents/{incident}/correct", command="sla incident correct", answer=Recorded)
def correct_incident(
    call: Call,
    incident: Id,
    *,
    ground: Ground,
    from_at: Instant | None = None,
    to_at: Instant | None = None,
    affected: Users | None = None,
    cause: Cause | None = None,
) -> Any:
    """An outage was otherwise: a new revision of it; what it changes is decided anew by night."""
    found = call.sla.correct_outage(
        incident, from_at=from_at, to_at=to_at, affected=affected, cause=cause, ground=ground, by=call.author,
        now=call.now,
    )  # fmt: skip
    return findings_of(found)


@evidence.act("/incidents/{incident}/environment", command="sla incident environment", answer=Recorded)
def rule_on_environment(call: Call, incident: Id, *, ground: Ground, windows: Windows | None = None) -> Any:
    """An outage, or parts of it, came from users' own environment (9.4)."""
    return findings_of(call.sla.environment(spans_of(windows), call.author, ground, outage=incident, now=call.now))


@evidence.list("/notices", command="sla notice list", row=NoticeRow)
def list_notices(call: Call, *, month: MonthText | None = None) -> Listing:
    """Announced maintenance, and whether it was announced in time (9.4.4)."""
    return shown_rows(notice_list(call.session, call.rules, month_of(month)))


@evidence.act("/notices", command="sla notice add", answer=Recorded)
def add_notice(
    call: Call,
    *,
    notice: Id,
    published: Instant,
    from_at: Instant,
    to_at: Instant,
    cancelled: bool = False,
    ground: Ground | None = None,
) -> Any:
    """Maintenance was announced."""
    found = call.sla.notice(
        notice, published, from_at, to_at, now=call.now, by=call.author, ground=ground, cancelled=cancelled
    )
    return findings_of(found)


@evidence.list("/interruptions", command="sla interruption list", row=InterruptionRow)
def list_interruptions(call: Call, *, month: MonthText | None = None) -> Listing:
    """Interruptions under the terms (9.4)."""
    return shown_rows(interruption_list(call.session, month_of(month)), "from")


@evidence.act("/interruptions", command="sla interruption add", answer=dict[str, Any], four_eyes=True)
def add_interruption(call: Call, *, from_at: Instant, to_at: Instant, ground: Ground) -> Any:
    """The service was interrupted under the terms (9.4). Another person approves it."""
    found = call.sla.interruption(from_at, to_at, ground, call.approver or "", now=call.now, by=call.author)
    return findings_of(found)


@evidence.list("/population", command="sla population list", row=PopulationRow)
def list_population(call: Call) -> Listing:
    """The number of all users, from when on."""
    return shown_rows(population_list(call.session), "from")


@evidence.act("/population", command="sla population add", answer=Recorded)
def add_population(call: Call, *, from_at: Instant, users: Annotated[int, Field(strict=True, ge=1, le=10**12)]) -> Any:
    """The service has so many users from an instant on: what 5 % of all users is."""
    return findings_of(call.sla.population(from_at, users, now=call.now, by=call.author))


@evidence.list("/unknown-time", command="sla unknown list", row=dict[str, Any])
def list_unknown(call: Call, *, month: MonthText | None = None, decided: bool = False) -> Listing:
    """Time of which no monitor says anything; or what people decided about it."""
    read = unknown_decisions if decided else unknown_list
    return shown_rows(read(call.session, month_of(month), call.now), "from")


@evidence.act("/unknown-time/decide", command="sla unknown decide", answer=Recorded)
def decide_unknown(
    call: Call,
    *,
    from_at: Instant,
    to_at: Instant,
    verdict: Annotated[str, Field(pattern="^(up|down)$")],
    ground: Ground,
    affected: Users | None = None,
) -> Any:
    """People decide what an unknown time was."""
    found = call.sla.decide_unknown(from_at, to_at, verdict, call.author, ground, affected=affected, now=call.now)
    return findings_of(found)


@evidence.list("/evidence-imports", command="sla imports", row=dict[str, Any])
def list_imports(call: Call) -> Listing:
    """Every file of evidence that was taken: kind, hash, rows."""
    return shown_rows(import_list(call.session), "source")


@evidence.act("/evidence-imports/{kind}", command="sla incident import", answer=dict[str, Any], upload="file")
def import_file(call: Call, kind: Kind, file: Uploaded, *, name: Id, symptom: Id | None = None) -> Any:
    """Take a file of evidence or claims; a finding for each row that could not be used, the others are taken."""
    service = ImportService(call.sla)
    with file.as_file(name) as path:
        if kind == "incidents":
            done = service.incidents(path, author=call.author, now=call.now)
        elif kind == "observations":
            reading = Reading({}, symptom)
            done = service.observations(path, author=call.author, now=call.now, reading=reading, source=name)
        elif kind == "counts":
            done = service.counts(path, author=call.author, now=call.now)
        elif kind == "notices":
            done = service.notices(path, author=call.author, now=call.now)
        elif kind == "population":
            done = service.population(path, author=call.author, now=call.now)
        else:
            done = service.claims(path, author=call.author, now=call.now)
    return import_answer(done, name)
