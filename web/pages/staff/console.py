"""The console as a whole: every screen, the acts, the search, the language."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse

from keizoku.web.pages.shared.acts import acts_router
from keizoku.web.pages.shared.addresses import CONSOLE, back_to
from keizoku.web.pages.shared.assets import ASSETS
from keizoku.web.pages.shared.rendering import COOKIE_OF_LANGUAGE, PAGE_HEADERS
from keizoku.web.pages.staff import screens  # noqa: F401 - declares them all
from keizoku.web.pages.staff.navigation import frame, staff

__all__ = ["PAGES", "SCREENS"]

_YEAR_S: Final = 365 * 24 * 3600
_language: Final = APIRouter(prefix=f"{CONSOLE}/language", include_in_schema=False)


@_language.get("/{lang}")
def choose(request: Request, lang: str) -> RedirectResponse:
    """Speak this language from now on, and go back."""
    answer = RedirectResponse(back_to(request.query_params.get("back")), 303, dict(PAGE_HEADERS))
    if lang in ("ja", "en"):
        answer.set_cookie(
            COOKIE_OF_LANGUAGE, lang, max_age=_YEAR_S, path="/", httponly=True, samesite="lax",
            secure=request.url.scheme == "https",
        )  # fmt: skip
    return answer


_first: Final = APIRouter(include_in_schema=False)


@_first.get("/")
def first() -> RedirectResponse:
    """Where a browser begins."""
    return RedirectResponse(CONSOLE, 303, dict(PAGE_HEADERS))


PAGES: Final = (_first, ASSETS, _language, acts_router(frame), staff.router)
SCREENS: Final = staff.screens
