"""The choice of language, kept in a cookie of its own."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request, Response
from starlette.responses import RedirectResponse

from keizoku.web.pages.shared.addresses import back_to
from keizoku.web.pages.shared.rendering import COOKIE_OF_LANGUAGE, PAGE_HEADERS

__all__ = ["keep_language", "language_router"]

_YEAR_S: Final = 365 * 24 * 3600


def keep_language(answer: Response, lang: str, *, secure: bool) -> None:
    """Let the browser keep the choice, for a year."""
    answer.set_cookie(COOKIE_OF_LANGUAGE, lang, max_age=_YEAR_S, path="/", httponly=True, samesite="lax", secure=secure)


def language_router(home: str) -> APIRouter:
    """The router of the choice, for the family of pages that begins here."""
    router = APIRouter(prefix=f"{home}/language", include_in_schema=False)

    @router.get("/{lang}")
    def choose(request: Request, lang: str) -> RedirectResponse:
        """Speak this language from now on, and go back."""
        answer = RedirectResponse(back_to(request.query_params.get("back"), home), 303, dict(PAGE_HEADERS))
        if lang in ("ja", "en"):
            keep_language(answer, lang, secure=request.url.scheme == "https")
        return answer

    return router
