"""Jobs in a browser: how far one has come and how long it will take yet; the files that it made.

    POST /console/close/2026-04/make/yayoi       a job, and its page: /console/jobs/yayoi-2026-04
    GET  /console/jobs/yayoi-2026-04/files/…     what it made

The page asks for itself anew while the job runs; without script by its link.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Final

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import FileResponse, RedirectResponse

from keizoku.billing.closing.exports.mapping import FORMATS
from keizoku.terms import words
from keizoku.terms.calendar import Month
from keizoku.terms.refusal import code_of
from keizoku.web.calls.call import Call, door_of
from keizoku.web.calls.operation import Operation
from keizoku.web.calls.problems import ProblemError
from keizoku.web.calls.values import MonthText
from keizoku.web.identity.browser import FORM_FIELD
from keizoku.web.jobs import ENDED
from keizoku.web.pages.shared.addresses import CONSOLE, to
from keizoku.web.pages.shared.blocks import Act, Acts, Block, Page, Prose, Running
from keizoku.web.pages.shared.rendering import PAGE_HEADERS, language_of
from keizoku.web.pages.shared.screens import admit_to_page
from keizoku.web.pages.shared.view import View
from keizoku.web.pages.shared.words import word
from keizoku.web.pages.staff.navigation import staff
from keizoku.web.resources.books.month_jobs import Queued, export_job, report_job, verify_job
from keizoku.web.resources.operations.jobs import JobId

__all__ = ["WORK", "job"]

WORK: Final = APIRouter(prefix=CONSOLE, include_in_schema=False)


@staff.screen("/jobs/{job}", command="db status", resource="jobs")
def job(view: View, job: JobId) -> Page:
    """A piece of work: its state, how far it has come, how long it will take yet, what it made."""
    say = view.say
    found = view.ask("jobs.show", job=job)
    kind, _, about = job.partition("-")
    state, stage = found["state"], found["stage"]
    parts = [word("job_state", state, view.lang)]
    if state == "running" and stage:
        parts.append(word("step", stage, view.lang))
    if found["business_date"] and state == "running":
        parts.append(f"{found['business_date']}: {found['rows']:,}")
    if found["whole"] and state == "running":
        parts.append(say("{n} of {m}", n=f"{found['done']:,}", m=f"{found['whole']:,}"))
    if found["seconds_left"] is not None:
        parts.append(say("about {time} left", time=words.duration(max(1, found["seconds_left"]), view.ja)))
    made = door_of(view.request).kept_files.made(job) if state == "done" else []
    files = [Act(each.name, to("jobs", job, "files", each.name)) for each in made]
    running = Running(
        say("Progress"), " · ".join(parts), found["done"], max(found["whole"], 1), state not in ENDED, say("Look again")
    )
    back = _back(view, kind, about)
    outcome = _outcome(view, found)
    blocks: list[Block] = [
        running,
        *(
            [Prose(outcome, "bad" if state == "failed" or found["said"].startswith(_BAD) else "good")]
            if outcome
            else []
        ),
        *([Acts(say("What it made"), files)] if files else []),
        Acts("", [back]),
    ]
    title = f"{word('job', kind, view.lang)} {words.month(about, view.ja) if len(about) == 7 else about}"
    return Page(title, blocks, above=[(say("Month close"), to("close"))] if len(about) == 7 else [])


_BAD: Final = ("broken", "checks do not hold")
"""How a job that was done begins to say that what it looked at is not well."""


def _back(view: View, kind: str, about: str) -> Act:
    if len(about) == 7:
        return Act(view.say("Back to the month"), to("close", about))
    return Act(view.say("Month close"), to("close")) if kind == "verify" else Act(view.say("Nights"), to("nights"))


def _outcome(view: View, found: Any) -> str:
    """What a job said at its end, in the language of the page."""
    if not found["said"]:
        return ""
    if found["refused"] and view.ja:
        return code_of(found["refused"]).ja
    return view.told("job_said", found["said"]).text


@WORK.post("/close/verify")
def begin_verify(request: Request, token: Annotated[str, Form(alias=FORM_FIELD)] = "") -> Response:
    """Begin to verify what is closed, and lead to its page."""
    return _begun(request, "close verify", token, verify_job)


@WORK.post("/close/{month}/make/{what}")
def make(request: Request, month: MonthText, what: str, token: Annotated[str, Form(alias=FORM_FIELD)] = "") -> Response:
    """Begin a report or an export, and lead to its page."""
    if what != "report" and what not in FORMATS:
        raise ProblemError(404, "act.unknown", "There is no such act.", what[:40])
    about, lang = Month.parse(month), language_of(request)
    if what == "report":
        return _begun(request, "report", token, lambda call: report_job(call, about, lang))
    return _begun(request, "export", token, lambda call: export_job(call, about, what))


def _begun(request: Request, command: str, token: str, work: Callable[[Call], Queued]) -> Response:
    """Start a job for whoever may give the command; where its page is."""
    sitting = staff.sitting(request)
    admit_to_page(_making(command), request, sitting)
    sitting.check(request, token)
    door, (principal, role) = door_of(request), request.state.admitted
    with door.services(role, acts=False) as services:
        name, begun = work(Call(principal, role, door.clock(), services, door.settings, door.jobs))
    door.jobs.start(name, begun)
    return RedirectResponse(to("jobs", name), 303, dict(PAGE_HEADERS))


@WORK.get("/jobs/{job}/files/{file}")
def made_file(request: Request, job: JobId, file: str) -> Response:
    """A file that a job made, for whoever may give the command that made it."""
    admit_to_page(_making(_COMMANDS.get(job.partition("-")[0], "export")), request, staff.sitting(request))
    found = next((each for each in door_of(request).kept_files.made(job) if each.name == file), None)
    if found is None:
        raise ProblemError(404, "file.gone", "There is no such file.", file[:80], "make it again")
    return FileResponse(found, filename=found.name, headers=dict(PAGE_HEADERS))


_COMMANDS: Final = {"report": "report"}
"""A kind of jobs whose files are for another command than `export`."""


def _making(command: str) -> Operation:
    return Operation(f"console.{command}", "question", "GET", "/console/jobs", "months", command, make, {}, None)
