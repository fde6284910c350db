"""Server-sent events (text/event-stream): the newest state of something, told whenever it changes, until its end.

    id: 4f1a-7        the mark of the state; sent back as Last-Event-ID, the same state is not told again
    event: state      or `end`, the last one
    data: {…}

A state that nobody was told of is passed over: each event is whole, so nothing has to be kept for a slow client. One
that takes nothing for half a minute is let go, and comes back with its Last-Event-ID.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

__all__ = ["HEARTBEAT_S", "Stream"]

LOOKS_EVERY_S: Final = 0.5
HEARTBEAT_S: Final = 10.0
TAKES_WITHIN_S: Final = 30.0
RETRY_MS: Final = 2_000
"""After so long a browser comes back by itself."""


@dataclass(frozen=True, slots=True)
class Stream:
    """What a handler returns: `seen` is the newest (mark, state), or None where it is gone; `ended` by the state."""

    seen: Callable[[], tuple[str, dict[str, Any]] | None]
    ended: Callable[[dict[str, Any]], bool]

    def response(self, last: str) -> Response:
        """The answer to whoever has seen the state of this mark."""
        return _Events(self, last)


class _Events(Response):
    """Written event by event; between two looks no thread and no connection to the database is held."""

    media_type = "text/event-stream"

    def __init__(self, stream: Stream, last: str) -> None:
        super().__init__(headers={"X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._stream, self._last = stream, last

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Tell until the end, or until the client is gone."""
        gone = asyncio.ensure_future(_gone(receive))
        telling = asyncio.ensure_future(self._tell(send))
        try:
            await asyncio.wait({gone, telling}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in (gone, telling):
                each.cancel()
            with suppress(asyncio.CancelledError, TimeoutError, OSError):
                await telling

    async def _tell(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await _write(send, f"retry: {RETRY_MS}\n\n")
        loop, last = asyncio.get_running_loop(), self._last
        told_at = loop.time()
        while (found := await run_in_threadpool(self._stream.seen)) is not None:
            mark, state = found
            ended = self._stream.ended(state)
            if mark != last or ended:
                text = json.dumps(state, ensure_ascii=False, separators=(",", ":"))
                await _write(send, f"id: {mark}\nevent: {'end' if ended else 'state'}\ndata: {text}\n\n")
                last, told_at = mark, loop.time()
            if ended:
                break
            if loop.time() - told_at >= HEARTBEAT_S:
                await _write(send, ": still here\n\n")
                told_at = loop.time()
            await asyncio.sleep(LOOKS_EVERY_S)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _write(send: Send, text: str) -> None:
    await asyncio.wait_for(
        send({"type": "http.response.body", "body": text.encode(), "more_body": True}), TAKES_WITHIN_S
    )


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
