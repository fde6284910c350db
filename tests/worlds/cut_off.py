"""A wire to the database that is cut at a commit: it is done, and its answer never arrives."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import sqlalchemy as sa

_COMMIT = b"COMMIT\0"


class Wire:
    """Forwards to the server; with `cut`, the next commit is forwarded, and its answer is thrown away."""

    def __init__(self, server: sa.URL) -> None:
        self.cut = False
        self._server = server
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = server.set(host="127.0.0.1", port=self._listening.getsockname()[1], query={})
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listening.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                threading.Thread(target=self._forward, args=(client, self._upstream()), daemon=True).start()

    def _upstream(self) -> socket.socket:
        named = self._server.host or self._server.query.get("host", "")
        assert isinstance(named, str)
        if named.startswith("/"):
            upstream = socket.socket(socket.AF_UNIX)
            port = self._server.port or self._server.query.get("port", 5432)
            upstream.connect(f"{named}/.s.PGSQL.{port}")
            return upstream
        return socket.create_connection((named, self._server.port or 5432))

    def _forward(self, client: socket.socket, server: socket.socket) -> None:
        dropped = threading.Event()
        threading.Thread(target=self._answers, args=(client, server, dropped), daemon=True).start()
        with suppress(OSError):
            while sent := client.recv(65_536):
                if self.cut and sent.endswith(_COMMIT):
                    self.cut = False
                    dropped.set()
                server.sendall(sent)
        with suppress(OSError):
            server.shutdown(socket.SHUT_WR)

    @staticmethod
    def _answers(client: socket.socket, server: socket.socket, dropped: threading.Event) -> None:
        with suppress(OSError):
            while answer := server.recv(65_536):
                if dropped.is_set():
                    break  # the server has done it
                client.sendall(answer)
        for end in (client, server):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


@contextmanager
def wire_to(server: sa.URL) -> Iterator[Wire]:
    """A wire for one test."""
    wire = Wire(server)
    try:
        yield wire
    finally:
        wire.close()
