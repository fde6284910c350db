"""Where a browser comes in, by a link or through the directory, and where it leaves: pages without script.

GET /enter/TOKEN ── Continue ──> POST ──> a session, once      used, too old or none: one page says what to do
POST /sign-out                                                 signed out; nothing is kept in the browser
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Final

from fastapi import APIRouter, Form, Path, Query, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy.exc import IntegrityError

from keizoku.web.calls.call import door_of
from keizoku.web.calls.problems import ProblemError
from keizoku.web.identity.browser import (
    check_form,
    check_origin,
    only_cookie,
    own_page,
    session_of,
    sign_in,
    sign_out,
    site_of,
)
from keizoku.web.identity.links import LINK_LASTS, kind_of_open, use_link
from keizoku.web.identity.oidc_settings import SignInError
from keizoku.web.identity.principal import MEMBER
from keizoku.web.pages.shared.language import keep_language
from keizoku.web.pages.shared.problem_page import asked_of, host_link
from keizoku.web.pages.shared.rendering import language_of, page_response, render
from keizoku.web.pages.shared.words import named, say

if TYPE_CHECKING:
    from keizoku.terms.rendering import Lang
    from keizoku.web.identity.oidc import Directory

__all__ = ["router"]

router = APIRouter(include_in_schema=False)
_Token = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{43}$")]
WAITS_S: Final = 600
_CLEAR: Final = {"Clear-Site-Data": '"cache"'}
"""What a browser kept of the pages is gone, so that going back shows nothing of them."""


@router.get("/enter/{token}")
def look_at_link(request: Request, token: _Token) -> Response:
    """Ask whether to come in; the link is not used up by looking."""
    site, door = site_of(request), door_of(request)
    with door.connect("worker") as session:
        kind = kind_of_open(session, token, site.links, door.clock())
    if kind is None:
        return _used(request)
    if kind != MEMBER:
        return _page(request, named("The console of this machine"), act=(named("Continue"), f"/enter/{token}"))
    minutes, most = door.settings.member_session_idle_minutes, door.settings.member_session_minutes
    return _page(
        request, named("Your contract pages"),
        [_said(named("Here you see your contract, payments, reductions and documents, and change what you may "
                     "change."))],
        act=(named("Continue"), f"/enter/{token}"),
        notes=[_said(named("They stay open for {most} minutes, and close sooner when nobody has used them for "
                           "{minutes}."),
                     most=most, minutes=minutes)],
    )  # fmt: skip


@router.post("/enter/{token}")
def come_in(request: Request, token: _Token) -> Response:
    """Use the link up, and begin a session with a new cookie."""
    check_origin(request)
    door = door_of(request)
    response: Response = RedirectResponse("/", 303)
    try:
        with door.connect("worker") as session:
            principal = use_link(session, token, site_of(request).links, door.clock())
            if principal is None:
                return _used(request)
            sign_in(request, response, session, principal, token)
            session.commit()
    except IntegrityError:  # somebody opened it at the same time
        return _used(request)
    return response


@router.get("/sign-in")
def ask_directory(request: Request, to: Annotated[str, Query(max_length=500)] = "/") -> Response:
    """Send a member of the staff to the directory; the browser keeps a random value until it comes back."""
    site, directory, secret = site_of(request), _directory(request), secrets.token_urlsafe(32)
    try:
        response: Response = RedirectResponse(directory.address(secret, own_page(to)), 303)
    except SignInError as error:
        return _nobody(request, error)
    site.keep(response, site.sign_in_cookie, secret, WAITS_S)
    return response


@router.get("/sign-in/back")
def come_back(request: Request) -> Response:
    """Take what the directory says, once, in the browser that asked for it."""
    site, directory = site_of(request), _directory(request)
    said, secret = dict(request.query_params), only_cookie(request, site.sign_in_cookie)
    try:
        if not secret or len(said) != len(request.query_params.multi_items()):
            raise SignInError("this browser did not ask for it")
        principal, to = directory.came_back(secret, said)
        response: Response = RedirectResponse(to, 303)
        with door_of(request).connect("worker") as session:
            sign_in(request, response, session, principal, secret)
            session.commit()
    except SignInError as error:
        response = _nobody(request, error)
    except IntegrityError:
        response = _nobody(request, SignInError("it was used before"))
    site.forget(response, site.sign_in_cookie)
    return response


@router.post("/sign-out")
def leave(request: Request, form_token: Annotated[str, Form(max_length=100)] = "") -> Response:
    """End the session of this browser; without one there is nothing to end."""
    check_origin(request)
    found = session_of(request)
    if found is not None:
        check_form(request, form_token)
    member = found is not None and found.principal.kind == MEMBER
    response = _left(request, "/signed-out/member" if member else "/signed-out")
    response.headers.update(_CLEAR)
    sign_out(request, response)
    return response


@router.get("/signed-out")
def left(request: Request) -> Response:
    """The same again, in the other language."""
    return _left(request, "/signed-out")


@router.get("/signed-out/member")
def member_left(request: Request) -> Response:
    """The same for a member."""
    return _left(request, "/signed-out/member")


def _left(request: Request, at: str) -> Response:
    """Nobody is signed in any more, and what comes next."""
    door, lang = door_of(request), language_of(request)
    site = site_of(request)
    if at.endswith(MEMBER):
        return _page(
            request, named("You are signed out"),
            [_said(named("Nothing of your pages is kept in this browser. To see them again, open them from "
                         "where you came."))],
            onward=host_link(door, lang), at=at,
        )  # fmt: skip
    try:
        further = door.directory.leaving(site.origin) if door.directory is not None else None
    except SignInError:
        further = None
    onward = (say("Sign out of the directory, too", lang), further) if further else None
    return _page(request, named("You are signed out"), onward=onward, at=at)


def _directory(request: Request) -> Directory:
    found = door_of(request).directory
    if found is None:
        raise ProblemError(
            404, "session.no_directory", "Nobody signs in here.", "the door has no directory", "start it with --oidc"
        )
    return found


def _said(text: str, **facts: object) -> Callable[[Lang], str]:
    """A sentence for a page, in the language that it turns out to have."""
    return lambda lang: say(text, lang, **facts)


def _used(request: Request) -> Response:
    """The link leads nowhere any more: one answer, whether it was used, is too old, or never was."""
    door, lang = door_of(request), language_of(request)
    told = _said(named("A link works once, and for {minutes} minutes. Nothing is wrong with your contract: open "
                       "the pages anew from "
        "where you came."), minutes=LINK_LASTS // timedelta(minutes=1),
    )  # fmt: skip
    return _page(
        request, named("This link was used, or is too old"), [told], 410, onward=host_link(door, lang),
        notes=[lambda lang: asked_of(door, lang)],
    )  # fmt: skip


def _nobody(request: Request, error: SignInError) -> Response:
    """Not signed in; why is for whoever keeps the directory, in the words of its programs."""
    again = (say("Once more", language_of(request)), "/sign-in")
    return _page(request, named("You are not signed in"), status=403, onward=again, why=str(error))


def _page(
    request: Request,
    title: str,
    told: Sequence[Callable[[Lang], str]] = (),
    status: int = 200,
    *,
    act: tuple[str, str] | None = None,
    onward: tuple[str, str] | None = None,
    notes: Sequence[Callable[[Lang], str]] = (),
    why: str = "",
    at: str = "",
) -> Response:
    """A page of the way in or out, with the header and the style of all others."""
    lang = language_of(request)
    text = render(
        "sign_in.html.j2", request, lang, title=say(title, lang), told=[each(lang) for each in told],
        act=(say(act[0], lang), act[1]) if act else None, onward=onward,
        notes=[said for said in (each(lang) for each in notes) if said], places=(), groups=(), linked=False,
        why=why, at=at,
    )  # fmt: skip
    answer = page_response(text, status)
    if request.query_params.get("lang") in ("ja", "en"):
        keep_language(answer, lang, secure=request.url.scheme == "https")
    return answer
