"""Addresses of pages: `to("accounts", "a/b")` is /console/accounts/a%2Fb; a way back leads to pages of ours alone."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote, urlencode, urlsplit

__all__ = ["CONSOLE", "act_at", "back_to", "to", "with_query"]

CONSOLE: Final = "/console"


def to(*parts: object, **query: object) -> str:
    """A page of the console; parts and values are quoted, what is None is left out."""
    path = "/".join([CONSOLE, *(quote(str(part), safe="") for part in parts)])
    return with_query(path, **query)


def with_query(path: str, **query: object) -> str:
    """A path with these values behind it."""
    asked = {name: str(value) for name, value in query.items() if value not in (None, "")}
    return f"{path}?{urlencode(asked)}" if asked else path


def act_at(operation: str, **known: object) -> str:
    """The form of an act, with what is known of it."""
    return to("acts", operation, **known)


def back_to(wanted: str | None) -> str:
    """Where a form leads back to: an address of the console, and never another host's."""
    if not wanted or (not wanted.startswith(f"{CONSOLE}/") and wanted != CONSOLE):
        return CONSOLE
    parts = urlsplit(wanted)
    clean = not parts.scheme and not parts.netloc and "\\" not in wanted and wanted.isprintable()
    return wanted if clean else CONSOLE
