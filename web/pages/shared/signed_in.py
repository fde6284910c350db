"""Who sits at the browser, and whether a form that came is one that we gave them.

The pages ask this small interface and nothing else of how people sign in; the door has one (`door.signed_in`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from fastapi import Request

if TYPE_CHECKING:
    from keizoku.web.identity.principal import Principal

__all__ = ["NOBODY", "SignedIn"]


class SignedIn(Protocol):
    """How people of the staff are known."""

    def principal(self, request: Request) -> Principal | None:
        """Who asks; None: nobody is signed in."""

    def token(self, request: Request) -> str:
        """What a form that is given to them carries."""

    def check(self, request: Request, token: str) -> None:
        """Raises ProblemError 403 for a form that another place made, or that was given to somebody else."""


class _Nobody:
    def principal(self, request: Request) -> Principal | None:
        """Nobody is signed in."""
        del request
        return None

    def token(self, request: Request) -> str:
        """None is given."""
        del request
        return ""

    def check(self, request: Request, token: str) -> None:
        """Nothing comes."""
        del request, token


NOBODY: Final[SignedIn] = _Nobody()
"""Until somebody can sign in."""
