"""The application: routers, what is said of errors, limits on what comes in, headers of what goes out."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from keizoku import __version__
from keizoku.db.failures import failure_of
from keizoku.db.session import DatabaseError, RightError
from keizoku.scheduler.cli.shared.output import BROKEN_OFF, MISTAKEN, explained
from keizoku.scheduler.night.nightly_run import NightBusyError
from keizoku.sla.months.month_facts import NoPopulationError
from keizoku.terms.policy import UncoveredDateError, UnknownReadingError
from keizoku.terms.refusal import Refused
from keizoku.web.calls.lean import Lean, LeanFirst
from keizoku.web.calls.operation import Operation, ProblemForm
from keizoku.web.calls.paths import IdsInPaths
from keizoku.web.calls.problems import ProblemError, of_refusal
from keizoku.web.calls.size_limit import SizeLimit
from keizoku.web.description import SERVERS, bounded
from keizoku.web.door import Door
from keizoku.web.pages.members.pages import PAGES as MEMBER_PAGES
from keizoku.web.pages.shared.problem_page import as_page
from keizoku.web.pages.staff.console import PAGES
from keizoku.web.resources.catalogue import RESOURCES, SESSIONS, SYSTEM, WEBHOOKS
from keizoku.web.resources.operations.sandbox import sandbox_router

__all__ = ["make_application", "openapi_of", "operations"]

_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
_MOST_FINDINGS: Final = 100
"""Of a call of another form."""
_log = logging.getLogger("keizoku.web")


def operations() -> list[Operation]:
    """Every operation under /v1, in the order of the resources."""
    return [each for resource in RESOURCES for each in resource.operations]


def make_application(door: Door | None) -> FastAPI:
    """The application on a door; without one it only knows its own description."""
    app = FastAPI(
        title="Keizoku",
        version=__version__,
        description="Premium-subscription billing and SLA credits, as the contract says it.",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        strict_content_type=True,
    )
    app.state.door = door
    app.state.operations = {each.name: each for each in operations()}
    app.include_router(SYSTEM)
    app.include_router(WEBHOOKS)
    if door is not None and door.sandbox is not None:
        app.include_router(sandbox_router(door.sandbox))
    app.include_router(SESSIONS)
    for resource in RESOURCES:
        app.include_router(resource.router)
    for router in (*PAGES, *MEMBER_PAGES):
        app.include_router(router)
    app.add_exception_handler(ProblemError, as_page(_of_problem))
    app.add_exception_handler(Refused, as_page(_of_refused))
    app.add_exception_handler(RequestValidationError, as_page(_of_form))
    app.add_exception_handler(HTTPException, as_page(_of_http))
    app.add_exception_handler(Exception, as_page(_of_any))
    for kind in (NightBusyError, UncoveredDateError, NoPopulationError, UnknownReadingError, RecursionError):
        app.add_exception_handler(kind, as_page(_of_any))
    app.add_middleware(_Headers)
    app.add_middleware(SizeLimit)
    if door is not None:
        app.state.lean = Lean(door, operations(), _HEADERS)
        app.add_middleware(LeanFirst, lean=app.state.lean, threads=door.pool)
    app.add_middleware(IdsInPaths)
    return app


def openapi_of(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI 3.1 description, as it is kept in docs/reference/openapi.json."""
    made = get_openapi(
        title=app.title,
        version=app.version,
        openapi_version="3.1.0",
        description=app.description,
        routes=app.routes,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        tags=[{"name": each.name, "description": each.said} for each in RESOURCES],
        contact={"name": "whoever operates this house"},
        servers=list(SERVERS),
    )
    parts = made.setdefault("components", {})
    parts.setdefault("schemas", {})["Problem"] = ProblemForm.model_json_schema()
    for unused in ("HTTPValidationError", "ValidationError"):
        parts["schemas"].pop(unused, None)
    parts["securitySchemes"] = {
        "key": {"type": "http", "scheme": "bearer", "description": "a key of `keizoku api new-key`"}
    }
    return bounded(made)


def _answer(problem: ProblemError) -> Response:
    text = json.dumps(problem.to_json(), ensure_ascii=False)
    return Response(text, problem.status, dict(problem.headers or {}), "application/problem+json")


async def _of_problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, ProblemError)  # noqa: S101 - registered for this kind alone
    return _answer(error)


async def _of_refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)  # noqa: S101 - registered for this kind alone
    return _answer(of_refusal(error))


async def _of_form(_: Request, error: Exception) -> Response:
    """422, with a finding for each field; 400 where the header of the key is missing (the draft's word)."""
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this kind alone
    found = [_finding(each) for each in error.errors()[:_MOST_FINDINGS]]
    if any(each["source"] == "header.idempotency-key" for each in found):
        return _answer(
            ProblemError(
                400,
                "idempotency.missing",
                "An act wants an Idempotency-Key.",
                "the header Idempotency-Key is missing, empty, or longer than 255 letters",
                "send a new one for each act, and the same one when you repeat it",
            )
        )
    sentence = "; ".join(f"{each['source']}: {each['rule']}" for each in found[:5])
    return _answer(
        ProblemError(422, "form", "The call has another form.", sentence, "see the OpenAPI file", None, found)
    )


def _finding(error: Mapping[str, Any]) -> dict[str, Any]:
    where = [str(part) for part in error["loc"] if part != "fields"]
    rule = str(error["msg"]).removeprefix("Value error, ")
    if error["type"] == "json_invalid":
        rule = f"{rule}: {error['ctx']['error']}"
    value = error.get("input")
    shown = "" if isinstance(value, dict | list) or value is None else ascii(value)[:80]
    return {"source": ".".join(where), "line": None, "value": shown, "rule": rule, "remedy": "correct the field"}


async def _of_http(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this kind alone
    title = {404: "There is no such path.", 405: "This path has no such method."}.get(
        error.status_code, "The call cannot be read."
    )
    problem = ProblemError(
        error.status_code, f"http.{error.status_code}", title, str(error.detail), headers=error.headers
    )
    return _answer(problem)


async def _of_any(request: Request, error: Exception) -> Response:
    """What stands below us: the database, the gateway, a full disk; a fault of ours is logged, and told as one."""
    failure = failure_of(error)
    if isinstance(error, NightBusyError):
        return _answer(ProblemError(409, "night.busy", "Another night is running.", str(error), "wait for its end"))
    if isinstance(error, UncoveredDateError):
        return _answer(
            ProblemError(409, "terms.uncovered", "No terms cover this day.", str(error), "add their version")
        )
    if isinstance(error, NoPopulationError):
        return _answer(
            ProblemError(409, "population.none", "The number of users is not known.", str(error), "record it")
        )
    if isinstance(error, UnknownReadingError):
        return _answer(ProblemError(422, "reading.unknown", "There is no such reading.", str(error), "see /v1/terms"))
    if isinstance(error, RecursionError):
        return _answer(ProblemError(422, "form", "The call has another form.", "it is nested too deeply", "flatten it"))
    if isinstance(error, RightError):
        return _answer(ProblemError(403, "database.refuses", "The database refuses it.", str(error)))
    if failure is not None and failure.kind == "database_refuses":
        return _answer(ProblemError(403, "database.refuses", "The database refuses it.", failure.what, failure.remedy))
    told = explained(error)
    if told is not None and told[1] == BROKEN_OFF:
        unsure = failure is not None and failure.unsure
        remedy = "repeat it with its Idempotency-Key: it is done once" if unsure else "repeat it"
        line = f"{failure.what}{'; it may have been done' if unsure else ''}" if failure is not None else told[0]
        return _answer(
            ProblemError(503, "unavailable", "It cannot be done just now.", line, remedy, headers={"Retry-After": "5"})
        )
    if told is not None:
        status = 422 if told[1] == MISTAKEN and not isinstance(error, DatabaseError) else 409
        return _answer(ProblemError(status, "unfit", "It cannot be done so.", told[0]))
    _log.error("%s %s: %s", request.method, request.url.path.split("?")[0][:100], type(error).__name__, exc_info=error)
    return _answer(
        ProblemError(500, "fault", "A fault of ours.", "it is in the log of the server", "tell whoever operates it")
    )


class _Headers:
    """ASGI middleware: what every answer says beside its own headers."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the call on, and add what its answer does not say itself."""

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, told)
