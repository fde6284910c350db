"""The console as a whole: every screen, the acts, the search, the language."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse

from keizoku.web.identity.browser import session_of
from keizoku.web.pages.shared.acts import acts_router
from keizoku.web.pages.shared.addresses import CONSOLE, MEMBER_PAGES
from keizoku.web.pages.shared.assets import ASSETS
from keizoku.web.pages.shared.language import language_router
from keizoku.web.pages.shared.rendering import PAGE_HEADERS
from keizoku.web.pages.staff import screens  # noqa: F401 - declares them all
from keizoku.web.pages.staff.books.work import WORK
from keizoku.web.pages.staff.navigation import staff

__all__ = ["PAGES", "SCREENS"]

_first: Final = APIRouter(include_in_schema=False)


@_first.get("/")
def first(request: Request) -> RedirectResponse:
    """Where a browser begins: a member at their own pages, everybody else at the console."""
    found = session_of(request)
    member = found is not None and found.principal.kind == "member"
    return RedirectResponse(MEMBER_PAGES if member else CONSOLE, 303, dict(PAGE_HEADERS))


PAGES: Final = (_first, WORK, ASSETS, language_router(CONSOLE), acts_router(staff), staff.router)
SCREENS: Final = staff.screens
