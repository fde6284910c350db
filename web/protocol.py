"""HTTP as it comes in: what is no good request gets a problem, and the end of the connection.

httptools reads it. What it lets pass and we do not is refused here: a head over 32 KiB, no Host or two of them, a
switch to another protocol that has a body, more requests ahead of their answers than anybody needs. What stands in a
trailer is dropped, since it would be taken for a header.

A request's head has ten seconds from its first byte on (from the connection on, for the first); bodies have their own
limit (`calls/size_limit.py`).
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from keizoku.web.calls.problems import ProblemError, too_slow

if TYPE_CHECKING:
    from keizoku.web.calls.lean import Lean, LeanCall

__all__ = ["HEAD_WITHIN_S", "LARGEST_HEAD", "DoorProtocol"]

HEAD_WITHIN_S: Final = 10.0
LARGEST_HEAD: Final = 32 * 1024
"""Bytes of a request line with its headers; trailers have as many."""
MOST_AHEAD: Final = 32
"""Requests on one connection that wait for the answer to another."""
_LINES: Final = {400: b"400 Bad Request", 405: b"405 Method Not Allowed", 408: b"408 Request Timeout"}
_NO_METHOD: Final = ProblemError(405, "http.405", "This path has no such method.", "Method Not Allowed")
_OTHER_METHOD: Final = re.compile(rb"[A-Za-z]{1,40} [!-~]+ HTTP/[0-9]\.[0-9]\r\n")
_Base: Any = HttpToolsProtocol


class _UnfitError(Exception):
    """A head that httptools takes, and we do not; it makes a parser's error of it."""


class _Together:
    """A transport that sends what is written at once as one piece: a head with its body, not each by itself."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        self._held: list[bytes] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def is_closing(self) -> bool:
        """Whether it is closed, or about to be."""
        return self._transport.is_closing()

    def write(self, data: bytes) -> None:
        """Send it before the loop goes on to what comes in."""
        if not self._held:
            self._loop.call_soon(self.flush)
        self._held.append(data)

    def flush(self) -> None:
        """Send what is held."""
        if self._held:
            held, self._held = self._held, []
            self._transport.write(b"".join(held))

    def close(self) -> None:
        """Send what is held, and end."""
        self.flush()
        self._transport.close()


class DoorProtocol(_Base):  # type: ignore[misc]
    """uvicorn's protocol, with an end for slow heads, stricter, and with our words for broken ones."""

    _timer: asyncio.TimerHandle | None = None
    _in_head: bool = False
    _head: int = 0
    """Bytes of the head or the trailers that were told so far."""
    _pieces: int = 0
    """Bytes that came while nothing else than the head did: a header is told when it is whole."""
    _data: bytes = b""
    _refused: ProblemError | None = None
    """What is said when the answers before it are given."""
    _lean: Lean | None = None
    _lean_head: bytes = b""
    _defaults: list[tuple[bytes, bytes]] | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        """The first head has so long."""
        super().connection_made(_Together(transport, self.loop))
        self.parser.set_dangerous_leniencies(lenient_version=True)  # the path says what there is, whatever the version
        self._lean = getattr(getattr(self.config.app, "state", None), "lean", None)
        self._arm()

    def data_received(self, data: bytes) -> None:
        """A head that is whole ends the wait for it; the first byte of the next begins another."""
        if self._refused is not None:
            return
        was_in_head, self._data = self._in_head, data
        super().data_received(data)
        if self.transport.is_closing():
            self._disarm()
            return
        if was_in_head and self._in_head:
            self._pieces += len(data)
            if self._pieces > LARGEST_HEAD:
                self.send_400_response("")
                return
        if self._waits():
            self._arm()
        else:
            self._disarm()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is waited for any more."""
        self._disarm()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """A head begins."""
        self._in_head, self._head, self._pieces = True, 0, 0
        if len(self.pipeline) >= MOST_AHEAD:
            raise _UnfitError
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """A part of what is asked for."""
        self._counted(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a trailer."""
        self._counted(len(name) + len(value) + 4)
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._in_head, self._head = False, 0
        hosts = sum(name == b"host" for name, _ in self.headers)
        if hosts > 1 or (not hosts and self.parser.get_http_version() != "1.0"):
            raise _UnfitError
        switches = self.parser.should_upgrade()
        if switches and any(name in (b"content-length", b"transfer-encoding") for name, _ in self.headers):
            raise _UnfitError  # its body would be taken for the other protocol
        super().on_headers_complete()
        if switches:
            self.cycle.keep_alive = False

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        """The short way has no task and no middleware; where it has no answer, the long one begins."""
        asked = self._lean.begin(cycle.scope) if self._lean is not None else None
        if asked is None:
            super()._start_asgi_task(cycle, app)
        else:
            asked.row.add_done_callback(partial(self._lean_answer, asked, cycle, app))

    def _lean_answer(self, asked: LeanCall, cycle: Any, app: Any, row: asyncio.Future[Any]) -> None:
        answer = None if row.cancelled() else asked.answer(row.result())
        if answer is None or self._lean is None:
            super()._start_asgi_task(cycle, app)
            return
        if cycle.disconnected:
            return
        if self._defaults is not self.server_state.default_headers:  # a new list each second, with the date
            self._defaults = self.server_state.default_headers
            lines = [b"%b: %b\r\n" % each for each in (*self._defaults, *self._lean.headers)]
            self._lean_head = b"HTTP/1.1 200 OK\r\n" + b"".join(lines)
        end = b"" if cycle.keep_alive else b"connection: close\r\n"
        self.transport.write(b"%b%bcontent-length: %d\r\n\r\n%b" % (self._lean_head, end, len(answer), answer))
        cycle.response_started = cycle.response_complete = True
        cycle.message_event.set()
        if not cycle.keep_alive:
            self.transport.close()
        cycle.on_response()

    def on_response_complete(self) -> None:
        """An answer is given; behind the last one stands what was refused."""
        self.transport.flush()
        super().on_response_complete()
        if self._refused is not None and self._waits() and not self.transport.is_closing():
            self._say(self._refused)

    def send_400_response(self, msg: str) -> None:
        """The bytes are no HTTP; answers that are under way come first."""
        detail = "it is no HTTP request, or its head has over 32 KiB"
        problem = ProblemError(400, "http.400", "The call cannot be read.", detail, "send it again, whole")
        if self._waits():
            no_method = isinstance(sys.exc_info()[1], httptools.HttpParserInvalidMethodError)
            self._say(_NO_METHOD if no_method and _OTHER_METHOD.match(self._data) else problem)
        elif self.cycle.more_body and not self.cycle.response_started and not self.pipeline:
            self.cycle.disconnected = True  # its own body is broken: it has this answer, and no other
            self._say(problem)
        elif not self.transport.is_closing():
            self._refused = problem

    def _counted(self, size: int) -> None:
        self._head += size
        if self._head > LARGEST_HEAD:
            raise _UnfitError

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
