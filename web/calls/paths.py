"""Ids in paths: /v1/accounts/a%2Fb is about the account `a/b`, whatever letters it has.

    raw path ──> its parts, each decoded alone ──> matched ──> what stands in each name of the path
                 a slash within one is U+E000                  has its slashes again

A server hands over the path decoded, in which a slash that an id has is like one that parts the path. So the path is
read again from the bytes that came. U+E000 prints nothing, so no id has it; one that comes so is unreadable.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, unquote

from fastapi import Request
from fastapi.routing import APIRoute

if TYPE_CHECKING:
    from starlette.routing import Match
    from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["IdsInPaths", "PathRoute", "path_part", "written_path"]

_SLASH: Final = "\ue000"
_UNREADABLE: Final = "\ufffd"


class IdsInPaths:
    """ASGI middleware, before all others: a slash in an id parts no path."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the call on, with its path as it was meant."""
        if scope["type"] == "http":
            raw: bytes = scope.get("raw_path") or b""
            if b"%" in raw or not raw.isascii():
                scope = {**scope, "path": "/".join(map(_read, raw.decode(errors="replace").split("/")))}
        await self.app(scope, receive, send)


class PathRoute(APIRoute):
    """A route whose function is given what stands in the names of its path, as it was meant."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether it is this one, and what stands in its names."""
        match, found = super().matches(scope)
        if "path_params" in found:
            found["path_params"] = {name: _given_back(value) for name, value in found["path_params"].items()}
        return match, found


def path_part(value: object) -> str:
    """A value as one part of a path, as a client writes it; dots alone are escaped too, for paths lose them."""
    text = quote(str(value), safe="")
    return text if text.strip(".") else text.replace(".", "%2E")


def written_path(request: Request) -> str:
    """The path as it was written, escapes and all: what a link back to it says."""
    raw: bytes | None = request.scope.get("raw_path")
    return raw.decode("latin-1") if raw else quote(request.scope["path"])


def _read(part: str) -> str:
    return unquote(part).replace(_SLASH, _UNREADABLE).replace("/", _SLASH)


def _given_back(value: Any) -> Any:
    return value.replace(_SLASH, "/") if isinstance(value, str) else value
