"""Addresses of pages: `to("accounts", "a/b")` is /console/accounts/a%2Fb; a way back leads to pages of ours alone.

/console…   the staff's pages      /member…   a member's
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlencode, urlsplit

from keizoku.web.calls.paths import path_part

__all__ = [
    "CONSOLE", "HOMES", "MEMBER_PAGES", "back_to", "home_of", "of_segment", "segment", "to", "to_in",
    "with_query",
]  # fmt: skip

CONSOLE: Final = "/console"
MEMBER_PAGES: Final = "/member"
HOMES: Final = (CONSOLE, MEMBER_PAGES)


def to(*parts: object, **query: object) -> str:
    """A page of the console; parts and values are quoted, what is None is left out."""
    return to_in(CONSOLE, *parts, **query)


def to_in(home: str, *parts: object, **query: object) -> str:
    """A page of the family of pages that begins here."""
    path = "/".join([home, *map(segment, parts)])
    return with_query(path, **query)


def home_of(path: str) -> str | None:
    """Where the family of pages begins that a path is of; None: it is no page."""
    return next((home for home in HOMES if path == home or path.startswith(f"{home}/")), None)


def segment(part: object) -> str:
    """A value as one part of a path; ~2 stands for dots alone, which browsers take out of one however it is escaped."""
    text = str(part).replace("~", "~0")
    return path_part(text if text.strip(".") else text.replace(".", "~2"))


def of_segment(text: str) -> str:
    """The value again."""
    return text.replace("~2", ".").replace("~0", "~")


def with_query(path: str, **query: object) -> str:
    """A path with these values behind it."""
    asked = {name: str(value) for name, value in query.items() if value not in (None, "")}
    return f"{path}?{urlencode(asked)}" if asked else path


def back_to(wanted: str | None, home: str = CONSOLE) -> str:
    """Where a form leads back to: an address of its family of pages, and never another host's."""
    if not wanted or home_of(wanted.partition("?")[0]) != home:
        return home
    parts = urlsplit(wanted)
    clean = not parts.scheme and not parts.netloc and "\\" not in wanted and wanted.isprintable()
    return wanted if clean else home
