"""One request to an endpoint, with a bound on everything: where it goes, how long it takes, how much is read.

    post(body, headers) ──> Answer(status, retry_after)      raises SendingError in one line

A redirect is an answer like any other and is not followed. Of an answer only its head is read; a small body is read
past so that the connection can be used again, a large one ends it. No time is renewed by a byte that drips in: all of
it, the looking up aside, has one deadline.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import Final

from keizoku.web.webhooks.addresses import NotAllowedError, Target, look_up

__all__ = ["Answer", "Connection", "SendingError"]

LONGEST_HEAD: Final = 32 * 1024
LONGEST_BODY: Final = 64 * 1024
"""Bytes of an answer; a larger body is not read."""


class SendingError(Exception):
    """There is no answer; one line without the address."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What an endpoint said. `retry_after`: seconds, where it named some."""

    status: int
    retry_after: int | None = None


@dataclass
class Connection:
    """A connection to an endpoint, opened at the first request and again when it was closed."""

    target: Target
    seconds: float
    _socket: socket.socket | None = field(default=None, init=False)
    _left: bytes = field(default=b"", init=False)

    def post(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Send it, and read how it is answered. Raises SendingError."""
        lines = [f"POST {self.target.path} HTTP/1.1", f"Host: {self.target.host_header}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        message = ("\r\n".join(lines) + f"\r\nContent-Length: {len(body)}\r\n\r\n").encode("ascii") + body
        until = monotonic() + self.seconds
        fresh = self._socket is None
        try:
            try:
                return self._asked(message, until)
            except (ConnectionError, ssl.SSLError, _ClosedError):
                self.close()
                if fresh:
                    raise
            return self._asked(message, until)  # the connection had been closed since the request before
        except SendingError:
            self.close()
            raise
        except _ClosedError:
            self.close()
            raise SendingError("it closed the connection without an answer") from None
        except TimeoutError:
            self.close()
            raise SendingError(f"it did not answer within {self.seconds:g} s") from None
        except NotAllowedError as error:
            raise SendingError(str(error)) from None
        except ssl.SSLCertVerificationError as error:
            self.close()
            raise SendingError(f"its certificate is not taken: {error.verify_message}") from None
        except (OSError, ValueError) as error:
            self.close()
            kind = "the name is not found" if isinstance(error, socket.gaierror) else type(error).__name__
            raise SendingError(f"it cannot be reached: {kind}") from None

    def close(self) -> None:
        """Let the connection go."""
        found, self._socket, self._left = self._socket, None, b""
        if found is not None:
            with suppress(OSError):
                found.close()

    def _asked(self, message: bytes, until: float) -> Answer:
        if self._socket is None:
            self._socket = self._opened(until)
        self._write(message, until)
        while True:
            head = self._head(until)
            status, fields = _parsed(head)
            if status >= 200:
                break
        if self._keeps(fields, status):
            self._skip(int(fields.get("content-length", "0")), until)
        else:
            self.close()
        after = fields.get("retry-after", "")
        return Answer(status, int(after) if after.isascii() and after.isdigit() and len(after) < 9 else None)

    def _opened(self, until: float) -> socket.socket:
        """Connected to an address that was looked at, not to a name. Raises OSError."""
        wrong: OSError = NotAllowedError("the name has no address")
        for address in look_up(self.target):
            try:
                made = socket.create_connection((address, self.target.port), timeout=_remaining(until))
            except OSError as error:
                wrong = error
                continue
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if not self.target.secure:
                return made
            try:
                made.settimeout(_remaining(until))
                return ssl.create_default_context().wrap_socket(made, server_hostname=self.target.host)
            except BaseException:
                made.close()
                raise
        raise wrong

    def _write(self, message: bytes, until: float) -> None:
        assert self._socket is not None  # noqa: S101 - opened by the caller
        view = memoryview(message)
        while view:
            self._socket.settimeout(_remaining(until))
            view = view[self._socket.send(view) :]

    def _more(self, until: float) -> bytes:
        assert self._socket is not None  # noqa: S101 - opened by the caller
        self._socket.settimeout(_remaining(until))
        found = self._socket.recv(16 * 1024)
        if not found:
            raise _ClosedError
        return found

    def _head(self, until: float) -> bytes:
        found = self._left
        while b"\r\n\r\n" not in found:
            if len(found) > LONGEST_HEAD:
                raise SendingError(f"the head of its answer has more than {LONGEST_HEAD:,} bytes")
            found += self._more(until)
        head, _, self._left = found.partition(b"\r\n\r\n")
        return head

    def _skip(self, count: int, until: float) -> None:
        """Read past the body; one that does not come as it was announced ends the connection, not the delivery."""
        try:
            while len(self._left) < count:
                self._left += self._more(until)
        except (OSError, _ClosedError):
            self.close()
            return
        if len(self._left) > count:  # what nobody asked for
            self.close()
            return
        self._left = b""

    @staticmethod
    def _keeps(fields: Mapping[str, str], status: int) -> bool:
        length = fields.get("content-length", "0" if status == 204 else "")
        if not (length.isascii() and length.isdigit()) or len(length) > 6 or int(length) > LONGEST_BODY:
            return False
        return "transfer-encoding" not in fields and "close" not in fields.get("connection", "").lower()


class _ClosedError(Exception):
    """The other side closed the connection before it answered."""


def _remaining(until: float) -> float:
    left = until - monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _parsed(head: bytes) -> tuple[int, dict[str, str]]:
    first, *rest = head.decode("latin-1").split("\r\n")
    version, _, said = first.partition(" ")
    code = said[:3]
    if not version.startswith("HTTP/1.") or not (code.isascii() and code.isdigit() and 100 <= int(code) <= 599):
        raise SendingError("what it answers is not HTTP")
    fields = {}
    for line in rest:
        name, _, value = line.partition(":")
        fields[name.strip().lower()] = value.strip()
    return int(code), fields
