"""Where a browser comes in by a link, and where it leaves: plain pages without script."""

from __future__ import annotations

import html
from string import Template
from typing import Annotated, Final, cast

from fastapi import APIRouter, Form, Path, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from keizoku.web.door import Door
from keizoku.web.identity.browser import check_form, check_origin, session_of, sign_in, sign_out, site_of
from keizoku.web.identity.links import is_open, use_link

__all__ = ["router"]

router = APIRouter(include_in_schema=False)
_Token = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{43}$")]
_PAGE: Final = Template(
    '<!doctype html><html lang="ja"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    "<title>Keizoku</title></head><body><main><h1>$title</h1>$body</main></body></html>"
)
_OLD: Final = (
    "<p>このリンクは使用済みか、期限切れです。新しいリンクを取得してください。</p>"
    '<p lang="en">This link was used before, or is too old. Ask for a new one.</p>'
)
_CONFIRM: Final = Template(
    '<form method="post" action="/enter/$token"><p><button>続ける <span lang="en">Continue</span></button></p></form>'
)
_POLICY: Final = {
    "Content-Security-Policy": "default-src 'none'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "same-origin",  # with no-referrer a browser says `Origin: null` of our own forms
}


@router.get("/enter/{token}")
def look_at_link(request: Request, token: _Token) -> Response:
    """Ask whether to come in; the link is not used up by looking."""
    site, door = site_of(request), _door(request)
    with door.connect("worker") as session:
        found = is_open(session, token, site.links, door.clock())
    return _page(_CONFIRM.substitute(token=html.escape(token)), 200) if found else _page(_OLD, 410)


@router.post("/enter/{token}")
def come_in(request: Request, token: _Token) -> Response:
    """Use the link up, and begin a session with a new cookie."""
    check_origin(request)
    door = _door(request)
    response: Response = RedirectResponse("/", 303)
    with door.connect("worker") as session:
        principal = use_link(session, token, site_of(request).links, door.clock())
        if principal is None:
            return _page(_OLD, 410)
        sign_in(request, response, session, principal)
        session.commit()
    return response


@router.post("/sign-out")
def leave(request: Request, form_token: Annotated[str, Form(max_length=100)] = "") -> Response:
    """End the session of this browser; without one there is nothing to end."""
    check_origin(request)
    if session_of(request) is not None:
        check_form(request, form_token)
    response = _page('<p>サインアウトしました。</p><p lang="en">You are signed out.</p>', 200)
    sign_out(request, response)
    return response


def _page(body: str, status: int) -> Response:
    return HTMLResponse(_PAGE.substitute(title="Keizoku", body=body), status, dict(_POLICY))


def _door(request: Request) -> Door:
    return cast("Door", request.app.state.door)
