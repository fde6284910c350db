"""What cannot be shown, as a page: the problem that a program is told, in the words of people."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final

from fastapi import Request, Response

from keizoku.web.pages.shared.addresses import home_of
from keizoku.web.pages.shared.rendering import language_of, page_response, render
from keizoku.web.pages.shared.screens import FAMILIES
from keizoku.web.pages.shared.told import told_by, told_to_member
from keizoku.web.pages.shared.words import say

if TYPE_CHECKING:
    from keizoku.terms.rendering import Lang
    from keizoku.web.door import Door

__all__ = ["as_page", "asked_of", "host_link"]

Handler = Callable[[Request, Exception], Awaitable[Response]]
_KEPT: Final = ("retry-after", "location")
_NOBODY: Final = 401


def as_page(handler: Handler) -> Handler:
    """A handler of errors that answers a page where a page was asked for."""

    async def told(request: Request, error: Exception) -> Response:
        answer = await handler(request, error)
        home = home_of(request.url.path)
        if home is None:
            return answer
        lang, problem = language_of(request), json.loads(bytes(answer.body))
        if FAMILIES[home].members:
            text = render("problem.html.j2", request, lang, **_for_member(request, lang, home, problem))
        else:
            told_here = told_by(problem, lang, request.app.state.operations)
            text = render("problem.html.j2", request, lang, problem=told_here, groups=(), principal=None)
        headers = {name: value for name, value in answer.headers.items() if name in _KEPT}
        return page_response(text, answer.status_code, headers)

    return told


def host_link(door: Door, lang: Lang) -> tuple[str, str] | None:
    """The way to the host's own page, from which a member comes; None: no address of it is set."""
    return (say("Open the page you came from", lang), door.settings.host_url) if door.settings.host_url else None


def asked_of(door: Door, lang: Lang) -> str:
    """Whom a member asks, as it stands on letters; empty: nobody is named."""
    contact = door.settings.issuer_contact
    return say("Questions: {contact}", lang, contact=contact) if contact else ""


def _for_member(request: Request, lang: Lang, home: str, problem: dict[str, Any]) -> dict[str, Any]:
    """A member's page: what happened, what they can do, and where they go from here."""
    door: Door = request.app.state.door
    known = getattr(request.state, "principal", None) is not None
    family = FAMILIES[home]
    onward = (say("To my contract", lang), home) if problem["status"] != _NOBODY else host_link(door, lang)
    frame = family.frame(request) if known else {"groups": (), "places": ()}
    token = family.sitting(request).token(request) if known else ""
    return {
        "problem": told_to_member(problem, lang), "principal": request.state.principal if known else None,
        "onward": onward, "asked": asked_of(door, lang), "linked": known, "form_token": token, **frame,
    }  # fmt: skip
