"""Where a browser comes in, by a link or through the directory, and where it leaves: plain pages without script."""

from __future__ import annotations

import html
import secrets
from string import Template
from typing import TYPE_CHECKING, Annotated, Final

from fastapi import APIRouter, Form, Path, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
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
from keizoku.web.identity.links import is_open, use_link
from keizoku.web.identity.oidc_settings import SignInError

if TYPE_CHECKING:
    from keizoku.web.identity.oidc import Directory

__all__ = ["router"]

router = APIRouter(include_in_schema=False)
_Token = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{43}$")]
_PAGE: Final = Template(
    '<!doctype html><html lang="ja"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    "<title>Keizoku</title></head><body><main><h1>Keizoku</h1>$body</main></body></html>"
)
_OLD: Final = (
    "<p>このリンクは使用済みか、期限切れです。新しいリンクを取得してください。</p>"
    '<p lang="en">This link was used before, or is too old. Ask for a new one.</p>'
)
_CONFIRM: Final = Template(
    '<form method="post" action="/enter/$token"><p><button>続ける <span lang="en">Continue</span></button></p></form>'
)
_REFUSED: Final = Template(
    '<p>サインインできませんでした。</p><p lang="en">You are not signed in: $why.</p>'
    '<p><a href="/sign-in">もう一度 <span lang="en">Once more</span></a></p>'
)
_FURTHER: Final = Template(
    '<p><a href="$url">ディレクトリからもサインアウトする <span lang="en">Sign out of the directory, too</span></a></p>'
)
WAITS_S: Final = 600
_POLICY: Final = {
    "Content-Security-Policy": "default-src 'none'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "same-origin",  # with no-referrer a browser says `Origin: null` of our own forms
}


@router.get("/enter/{token}")
def look_at_link(request: Request, token: _Token) -> Response:
    """Ask whether to come in; the link is not used up by looking."""
    site, door = site_of(request), door_of(request)
    with door.connect("worker") as session:
        found = is_open(session, token, site.links, door.clock())
    return _page(_CONFIRM.substitute(token=html.escape(token)), 200) if found else _page(_OLD, 410)


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
                return _page(_OLD, 410)
            sign_in(request, response, session, principal, token)
            session.commit()
    except IntegrityError:  # somebody opened it at the same time
        return _page(_OLD, 410)
    return response


@router.get("/sign-in")
def ask_directory(request: Request, to: Annotated[str, Query(max_length=500)] = "/") -> Response:
    """Send a member of the staff to the directory; the browser keeps a random value until it comes back."""
    site, directory, secret = site_of(request), _directory(request), secrets.token_urlsafe(32)
    try:
        response: Response = RedirectResponse(directory.address(secret, own_page(to)), 303)
    except SignInError as error:
        return _nobody(error)
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
        response = _nobody(error)
    except IntegrityError:
        response = _nobody(SignInError("it was used before"))
    site.forget(response, site.sign_in_cookie)
    return response


@router.post("/sign-out")
def leave(request: Request, form_token: Annotated[str, Form(max_length=100)] = "") -> Response:
    """End the session of this browser; without one there is nothing to end."""
    check_origin(request)
    if session_of(request) is not None:
        check_form(request, form_token)
    directory = door_of(request).directory
    try:
        further = directory.leaving(site_of(request).origin) if directory is not None else None
    except SignInError:
        further = None
    more = _FURTHER.substitute(url=html.escape(further)) if further else ""
    response = _page('<p>サインアウトしました。</p><p lang="en">You are signed out.</p>' + more, 200)
    sign_out(request, response)
    return response


def _directory(request: Request) -> Directory:
    found = door_of(request).directory
    if found is None:
        raise ProblemError(
            404, "session.no_directory", "Nobody signs in here.", "the door has no directory", "start it with --oidc"
        )
    return found


def _nobody(error: SignInError) -> Response:
    return _page(_REFUSED.substitute(why=html.escape(str(error))), 403)


def _page(body: str, status: int) -> Response:
    return HTMLResponse(_PAGE.substitute(body=body), status, dict(_POLICY))
