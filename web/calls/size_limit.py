"""How much may come in: bodies are counted as they arrive, and refused before they are read as a whole.

JSON has 1 MiB, a file 256 MiB; a call that says more, or sends more, gets 413 and is heard no further.
"""

from __future__ import annotations

import json
from typing import Any, Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from keizoku.limits import LARGEST_FILE
from keizoku.web.calls.problems import PREFIX

__all__ = ["LARGEST_JSON", "SizeLimit"]

LARGEST_JSON: Final = 1024 * 1024
"""Bytes."""


class _TooLargeError(Exception):
    """More came in than may."""


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
        most = LARGEST_FILE if kind == b"application/octet-stream" else LARGEST_JSON
        said = headers.get(b"content-length", b"0")
        if not said.isdigit() or int(said) > most:
            await _refuse(send, most)
            return
        seen, started = 0, False

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
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
                await _refuse(send, most)


async def _refuse(send: Send, most: int) -> None:
    told: dict[str, Any] = {
        "type": f"{PREFIX}size", "title": "The body is too large.", "status": 413,
        "detail": f"a body of this kind has at most {most:,} bytes", "clause": None, "remedy": "send less at once",
        "findings": [],
    }  # fmt: skip
    body = json.dumps(told).encode()
    headers = [(b"content-type", b"application/problem+json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": body})
