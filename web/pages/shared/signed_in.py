"""Who sits at the browser, and whether a form that came is one that we gave them.

The pages ask this small interface and nothing else of how people sign in; the door has one (`door.signed_in`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from fastapi import Request

from keizoku.web.identity.browser import check_form, session_of

if TYPE_CHECKING:
    from keizoku.web.identity.principal import Principal

__all__ = ["BY_COOKIE", "MEMBER_BY_COOKIE", "SignedIn"]


class SignedIn(Protocol):
    """How people are known."""

    def principal(self, request: Request) -> Principal | None:
        """Who asks; None: nobody is signed in."""

    def token(self, request: Request) -> str:
        """What a form that is given to them carries."""

    def check(self, request: Request, token: str) -> None:
        """Raises ProblemError 403 for a form that another place made, or that was given to somebody else."""


@dataclass(frozen=True, slots=True)
class _ByCookie:
    members: bool = False

    def principal(self, request: Request) -> Principal | None:
        """Whose session the cookie is; a member is not of the staff, nor the staff a member."""
        found = session_of(request)
        return None if found is None or (found.principal.kind == "member") != self.members else found.principal

    def token(self, request: Request) -> str:
        """The form token of the session."""
        found = session_of(request)
        return "" if found is None else found.form_token

    def check(self, request: Request, token: str) -> None:
        """Raises ProblemError 401 or 403, as `check_form`."""
        check_form(request, token)


BY_COOKIE: Final[SignedIn] = _ByCookie()
"""The staff, by the sessions of keizoku.web.identity."""
MEMBER_BY_COOKIE: Final[SignedIn] = _ByCookie(members=True)
