"""How much may come in, and how slowly: bodies are counted as they arrive, and refused before they are read as a whole.

JSON has 1 MiB, a file 256 MiB, a form of the console's acts as much; a call that says more, or sends more, gets 413 and
is heard no further. JSON has half a minute to come, a file ten minutes; then the answer is 408.
"""

from __future__ import annotations

import asyncio
import json
from time import monotonic
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from keizoku.limits import LARGEST_FILE
from keizoku.web.calls.problems import ProblemError, too_slow

__all__ = ["LARGEST_JSON", "SizeLimit"]

LARGEST_JSON: Final = 1024 * 1024
"""Bytes."""


FORMS_WITH_FILES: Final = "/console/acts/"
"""Where browsers send files."""
JSON_WITHIN_S: Final = 30.0
FILE_WITHIN_S: Final = 600.0


class _TooLargeError(BaseException):
    """More came in than may. No Exception: nothing on the way makes another answer of it."""


class _TooSlowError(BaseException):
    """It comes too slowly."""


class SizeLimit:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the call on, and count its body."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        is_file = kind == b"application/octet-stream" or (
            kind == b"multipart/form-data" and scope["path"].startswith(FORMS_WITH_FILES)
        )
        most, within = (LARGEST_FILE, FILE_WITHIN_S) if is_file else (LARGEST_JSON, JSON_WITHIN_S)
        said = headers.get(b"content-length", b"0")
        if not said.isdigit() or int(said) > most:
            await _refuse(send, _too_large(most))
            return
        seen, started, whole = 0, False, False
        until = monotonic() + within

        async def counted() -> Message:
            nonlocal seen, whole
            if whole:
                return await receive()
            try:
                message = await asyncio.wait_for(receive(), until - monotonic())
            except TimeoutError:
                raise _TooSlowError from None
            whole = not message.get("more_body", False)
            seen += len(message.get("body", b""))
            if seen > most:
                raise _TooLargeError
            return message

        async def watched(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, counted, watched)
        except _TooLargeError:
            if not started:
                await _refuse(send, _too_large(most))
        except _TooSlowError:
            if not started:
                await _refuse(send, too_slow(f"its body did not come within {within:g} s"))


def _too_large(most: int) -> ProblemError:
    detail = f"a body of this kind has at most {most:,} bytes"
    return ProblemError(413, "size", "The body is too large.", detail, "send less at once")


async def _refuse(send: Send, problem: ProblemError) -> None:
    body = json.dumps(problem.to_json()).encode()
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": problem.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
