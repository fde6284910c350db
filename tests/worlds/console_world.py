"""Who sits at a browser in tests: whoever the test names, whose forms carry a word that it knows."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from fastapi import Request

from keizoku.web.calls.problems import ProblemError
from keizoku.web.identity.principal import Principal, Role

if TYPE_CHECKING:
    from keizoku.web.calls.operation import Operation

__all__ = ["KNOWN", "TOKEN", "Sitting", "addresses_of", "staff_of"]

TOKEN = "the-word-of-the-test"  # noqa: S105 - of no session


def staff_of(role: Role, name: str = "") -> Principal:
    """A person of the staff with one role."""
    return Principal("staff", name or f"{role}@example.jp", (role,))


@dataclass
class Sitting:
    """Whoever sits there, or nobody."""

    who: Principal | None = None

    def principal(self, request: Request) -> Principal | None:
        """Whoever it is."""
        del request
        return self.who

    def token(self, request: Request) -> str:
        """The word."""
        del request
        return TOKEN

    def check(self, request: Request, token: str) -> None:
        """The same word, or 403."""
        del request
        if token != TOKEN:
            raise ProblemError(403, "session.form", "The form is not one that we gave you.", "", "open it anew")


KNOWN: Final[Mapping[str, str]] = {
    "account": "u01", "claim": "c0", "letter": "N1", "month": "2026-04", "number": "1", "task": "documents overdue",
}  # fmt: skip
"""What stands in the paths of screens, in the world of tests/worlds/role_walk.py."""


def addresses_of(screens: Sequence[Operation]) -> list[str]:
    """An address of every screen but those of which the world has none."""
    return [
        re.sub(r"\{(\w+)\}", lambda part: quote(KNOWN[part[1]], safe=""), screen.path)
        for screen in screens
        if screen.name not in ("console.proposal",)
    ]
