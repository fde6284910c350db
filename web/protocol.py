"""What is said to bytes that are no request, and to clients that send one too slowly: a problem, and the end.

A request's head has ten seconds from its first byte on (from the connection on, for the first); bodies have their own
limit (`calls/size_limit.py`).
"""

from __future__ import annotations

import asyncio
import json
from typing import Any, Final

from uvicorn.protocols.http.auto import AutoHTTPProtocol

from keizoku.web.calls.problems import ProblemError, too_slow

__all__ = ["HEAD_WITHIN_S", "DoorProtocol"]

HEAD_WITHIN_S: Final = 10.0
_LINES: Final = {400: b"400 Bad Request", 408: b"408 Request Timeout"}
_Base: Any = AutoHTTPProtocol  # uvicorn has two, with the same methods: whichever parser is installed


class DoorProtocol(_Base):  # type: ignore[misc]
    """uvicorn's protocol, with an end for slow heads and our words for broken ones."""

    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        """The first head has so long."""
        super().connection_made(transport)
        self._arm()

    def data_received(self, data: bytes) -> None:
        """A head that is whole ends the wait for it; the first byte of the next begins another."""
        super().data_received(data)
        if self._waits() and not self.transport.is_closing():
            self._arm()
        else:
            self._disarm()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is waited for any more."""
        self._disarm()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """The bytes are no HTTP."""
        detail = "it is no HTTP request, or its head has over 32 KiB"
        self._say(ProblemError(400, "http.400", "The call cannot be read.", detail, "send it again, whole"))

    def _waits(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _arm(self) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(HEAD_WITHIN_S, self._too_slow)

    def _disarm(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def _too_slow(self) -> None:
        self._timer = None
        if self._waits() and not self.transport.is_closing():
            self._say(too_slow(f"its head did not come within {HEAD_WITHIN_S:g} s"))

    def _say(self, problem: ProblemError) -> None:
        body = json.dumps(problem.to_json()).encode()
        head = (
            b"HTTP/1.1 %b\r\ncontent-type: application/problem+json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head % (_LINES[problem.status], len(body)) + body)
        self.transport.close()
