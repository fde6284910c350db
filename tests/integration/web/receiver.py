"""A receiver of webhooks over real HTTP, which does what it is told: takes, fails, hangs, drips, redirects, floods."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

Behaviour = Callable[["Got", socket.socket], None]


@dataclass
class Got:
    """A request as it came in."""

    path: str
    headers: dict[str, str]
    body: bytes


def answers(status: int, *lines: str, body: bytes = b"ok") -> Behaviour:
    """A plain answer."""

    def do(_: Got, connection: socket.socket) -> None:
        head = "\r\n".join([f"HTTP/1.1 {status} Said", f"Content-Length: {len(body)}", *lines])
        connection.sendall(f"{head}\r\n\r\n".encode() + body)

    return do


def hangs(seconds: float) -> Behaviour:
    """No answer for so long."""
    return lambda _, __: time.sleep(seconds)


def drips(_: Got, connection: socket.socket) -> None:
    """A letter of the head each 50 ms, for ever."""
    with suppress(OSError):
        for letter in "HTTP/1.1 200 OK\r\n" + "X-Slow: a\r\n" * 1000:
            connection.sendall(letter.encode())
            time.sleep(0.05)


def floods(_: Got, connection: socket.socket) -> None:
    """A head without end."""
    with suppress(OSError):
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        while True:
            connection.sendall(b"X-Much: " + b"a" * 8_000 + b"\r\n")


def huge(_: Got, connection: socket.socket) -> None:
    """Taken, with a body without end."""
    with suppress(OSError):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n")
        while True:
            connection.sendall(b"a" * 65_536)


def hangs_up(_: Got, connection: socket.socket) -> None:
    """The connection ends without an answer."""
    connection.shutdown(socket.SHUT_RDWR)


def no_http(_: Got, connection: socket.socket) -> None:
    """Something else than HTTP."""
    connection.sendall(b"220 mail.example ESMTP\r\n\r\n")


@dataclass
class Receiver:
    """A server on a port of this machine; `behaves` decides for each request."""

    behaves: Callable[[Got], Behaviour] = lambda _: answers(200)
    tls: ssl.SSLContext | None = None
    got: list[Got] = field(default_factory=list)
    connections: int = 0
    _socket: Any = None

    def __enter__(self) -> Receiver:
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._socket.getsockname()[1])

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}/hooks?of=shop"

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError, ValueError):
            if self.tls is not None:
                connection = self.tls.wrap_socket(connection, server_side=True)
            stream = connection.makefile("rb")
            while line := stream.readline():
                headers = {}
                while (row := stream.readline().strip()) != b"":
                    name, _, value = row.decode().partition(": ")
                    headers[name.lower()] = value
                body = stream.read(int(headers["content-length"]))
                got = Got(line.decode().split()[1], headers, body)
                self.got.append(got)
                self.behaves(got)(got, connection)
        with suppress(OSError):
            connection.close()
