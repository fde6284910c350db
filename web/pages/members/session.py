"""How long a member's pages stay open: said on each of them, and lengthened where the member says so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from fastapi import APIRouter, Request, Response

from keizoku.terms.calendar import JST
from keizoku.web.identity.browser import session_of
from keizoku.web.identity.sessions import SEEN_EVERY
from keizoku.web.pages.shared.addresses import MEMBER_PAGES

if TYPE_CHECKING:
    from keizoku.web.door import Door

__all__ = ["ROUTER", "session_frame"]

ROUTER: Final = APIRouter(include_in_schema=False)


def session_frame(request: Request) -> Mapping[str, Any]:
    """When the session of a page ends: at an instant in any case, and so long after it was last used."""
    found = session_of(request)
    if found is None:
        return {}
    door: Door = request.app.state.door
    minutes = door.settings.member_session_idle_minutes
    left = int((found.expires_at - door.clock()).total_seconds())
    idle = minutes * 60 - int(SEEN_EVERY.total_seconds())  # so much later than it was used it may be noted
    at = found.expires_at.astimezone(JST).strftime("%H:%M")
    return {"session": {"left": left, "idle": max(idle, 1), "at": at, "minutes": minutes}}


@ROUTER.get(f"{MEMBER_PAGES}/stay")
def stay(request: Request) -> Response:
    """Note that the pages are used; 401 where their session is over."""
    found = session_of(request)
    member = found is not None and found.principal.account is not None
    return Response(status_code=204 if member else 401)
