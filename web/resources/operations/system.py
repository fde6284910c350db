"""What needs no key: is it alive, may it be asked, the description, what a problem means."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request

from keizoku.terms.refusal import codes
from keizoku.web.calls.call import door_of
from keizoku.web.calls.problems import ProblemError

__all__ = ["router"]

router = APIRouter()


@router.get("/healthz", include_in_schema=False)
def alive() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/readyz", include_in_schema=False)
def ready(request: Request) -> dict[str, str]:
    """The database answers, and its tables are those of this release."""
    door_of(request).check()
    return {"status": "ok"}


@router.get("/v1/openapi.json", include_in_schema=False)
def description(request: Request) -> dict[str, Any]:
    """The OpenAPI file."""
    from keizoku.web.application import openapi_of

    return openapi_of(request.app)


@router.get("/v1/problems/{code}", include_in_schema=False)
def problem(code: str) -> dict[str, Any]:
    """What a kind of problem means, in both languages."""
    found = codes().get(code)
    if found is None:
        raise ProblemError(404, "problem.unknown", "There is no such kind of problem.", code[:80])
    return {"code": found.code, "clause": found.clause, "en": found.en, "ja": found.ja}
