"""Bodies as JSON has them, and no looser: no key twice, no NaN, no number without end, UTF-8 alone, not too deep.

What a lenient reader would make something of (the last of two keys, a NaN) is refused, so that what was signed, logged
and meant is one thing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from typing import Any, Final, NoReturn

from fastapi import Request, Response

from keizoku.web.calls.paths import PathRoute
from keizoku.web.calls.problems import ProblemError

_ONCE: Final = ("authorization", "content-type", "host", "idempotency-key", "if-match")
__all__ = ["StrictRoute", "strict_json"]

LONGEST_NUMBER: Final = 40
"""Digits."""


def strict_json(content: bytes) -> Any:
    """The value that these bytes are. Raises json.JSONDecodeError, in one line."""
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise json.JSONDecodeError("not UTF-8", "", error.start) from None
    try:
        return json.loads(
            text, object_pairs_hook=_once, parse_constant=_no_number, parse_int=_whole, parse_float=_fraction
        )
    except RecursionError:
        raise json.JSONDecodeError("nested too deeply", "", 0) from None


class StrictRoute(PathRoute):
    """A route whose bodies are read so."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, on a request that reads so."""
        handler = super().get_route_handler()

        async def strictly(request: Request) -> Response:
            _want_readable(request)
            return await handler(_StrictRequest(request.scope, request.receive))

        return strictly


def _want_readable(request: Request) -> None:
    """Raises ProblemError for a head that can be read in two ways, and for a body that does not come as it is."""
    for name in _ONCE:
        if len(request.headers.getlist(name)) > 1:
            raise ProblemError(400, "header.twice", "A header stands twice.", name, "send it once")
    coding = request.headers.get("content-encoding", "identity").strip().lower()
    if coding not in ("", "identity"):
        raise ProblemError(
            415, "body.coding", "The body is coded.", f"Content-Encoding: {ascii(coding)[:60]}", "send it as it is"
        )
    _, _, more = request.headers.get("content-type", "").lower().partition("charset=")
    charset = more.partition(";")[0].strip(' "')
    if charset not in ("", "utf-8", "utf8"):
        raise ProblemError(
            415, "body.charset", "The body is of another charset.", f"charset={ascii(charset)[:60]}", "send UTF-8"
        )


class _StrictRequest(Request):
    async def json(self) -> Any:
        return strict_json(await self.body())


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise json.JSONDecodeError(f"the key {ascii(key)[:60]} is there twice", "", 0)
        found[key] = value
    return found


def _no_number(word: str) -> NoReturn:
    raise json.JSONDecodeError(f"{word} is no JSON", "", 0)


def _whole(digits: str) -> int:
    if len(digits) > LONGEST_NUMBER:
        raise json.JSONDecodeError("a number has at most 40 digits", "", 0)
    return int(digits)


def _fraction(digits: str) -> float:
    found = float(digits)
    if len(digits) > LONGEST_NUMBER or found in (float("inf"), float("-inf")):
        raise json.JSONDecodeError("a number is out of reach", "", 0)
    return found
