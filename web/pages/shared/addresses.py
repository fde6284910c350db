"""Addresses of pages: `to("accounts", "a/b")` is /console/accounts/a%2Fb; a way back leads to pages of ours alone."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote, urlencode, urlsplit

__all__ = ["CONSOLE", "act_at", "back_to", "of_segment", "segment", "to", "with_query"]

CONSOLE: Final = "/console"


def to(*parts: object, **query: object) -> str:
    """A page of the console; parts and values are quoted, what is None is left out."""
    path = "/".join([CONSOLE, *map(segment, parts)])
    return with_query(path, **query)


def segment(part: object) -> str:
    """A value as one part of a path; ~1 stands for a slash and ~2 for dots alone, which paths keep for themselves."""
    text = str(part).replace("~", "~0").replace("/", "~1")
    return quote(text if text.strip(".") else text.replace(".", "~2"), safe="~")


def of_segment(text: str) -> str:
    """The value again."""
    return text.replace("~2", ".").replace("~1", "/").replace("~0", "~")


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
