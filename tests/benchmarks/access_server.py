"""The door in a process of its own, and whoever asks it: eight connections, one question after the other on each.

python -m tests.benchmarks.access_server serve URL PORT     prints a key, then answers until it is ended
python -m tests.benchmarks.access_server load PORT KEY MEMBERS REQUESTS SECONDS      prints its figures as JSON
"""

from __future__ import annotations

import json
import random
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import sqlalchemy as sa

from keizoku.db.roles import apply_roles
from keizoku.db.session import libpq_address, make_engine
from keizoku.scheduler.settings import Settings

__all__ = ["ask", "running_door"]

CONNECTIONS = 8
PREFIX = "benchmark"


def serve(url: str, port: int) -> None:
    """Answer on this port as `keizoku serve` does."""
    from keizoku.web.application import make_application
    from keizoku.web.door import Door
    from keizoku.web.identity.keys import new_key
    from keizoku.web.process import Place, answer, bound

    engine, settings = make_engine(url), Settings()
    with engine.connect() as session:
        session.exec_driver_sql("CREATE TABLE IF NOT EXISTS alembic_version (version_num varchar(32))")
        session.commit()
        apply_roles(session, (), PREFIX)
        made = new_key(session, f"host {port}", "support", ["*"], by="benchmark", now=datetime.now(UTC))
    door = Door(settings, settings.rules(), engine.url, "public", pool=CONNECTIONS, prefix=PREFIX)
    place = Place(port=port)
    sockets = bound(place)
    sys.stdout.write(f"{made.key}\n")
    sys.stdout.flush()
    try:
        answer(make_application(door), door, place, sockets)
    finally:
        door.close()


@contextmanager
def running_door(url: sa.URL) -> Iterator[tuple[int, str]]:
    """(its port, a key); it is ended at the end."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    command = [sys.executable, "-m", __name__, "serve", libpq_address(url), str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            key = server.stdout.readline().strip()
            for _ in range(600):
                try:
                    socket.create_connection(("127.0.0.1", port)).close()
                    break
                except OSError:
                    time.sleep(0.1)
            yield port, key
        finally:
            server.terminate()


def ask(port: int, key: str, members: int, requests: int = 0, seconds: float = 0) -> subprocess.Popen[str]:
    """A process that asks so often, or so long."""
    numbers = [str(each) for each in (members, requests, seconds)]
    command = [sys.executable, "-m", __name__, "load", str(port), key, *numbers]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def load(port: int, key: str, members: int, requests: int, seconds: float) -> None:
    """Ask about members at random, by a fixed seed. It shares the processors, so it does as little as it can."""
    chance = random.Random(5)  # noqa: S311 - no secret
    asked = [
        f"GET /v1/accounts/member-{chance.randint(1, members):08d}/access HTTP/1.1\r\nHost: b\r\n"
        f"Authorization: Bearer {key}\r\n\r\n".encode()
        for _ in range(2_000)
    ]
    epoll, clock = select.epoll(), time.perf_counter
    connections: dict[int, socket.socket] = {}
    sent: dict[int, float] = {}
    began = clock()
    for number in range(CONNECTIONS):
        connection = socket.create_connection(("127.0.0.1", port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connections[connection.fileno()] = connection
        epoll.register(connection, select.EPOLLIN)
        sent[connection.fileno()] = clock()
        connection.send(asked[number])
    took: list[float] = []
    until, most = (began + seconds, 1 << 60) if not requests else (began + 3_600, requests)
    while len(took) < most and clock() < until:
        for ready, _ in epoll.poll(5):
            connection = connections[ready]
            got = connection.recv(65_536)
            while got[-1:] != b"}":
                got += connection.recv(65_536)
            assert got.startswith(b"HTTP/1.1 200"), got[:200]
            now = clock()
            took.append(now - sent[ready])
            sent[ready] = now
            connection.send(asked[len(took) % 2_000])
    whole = clock() - began
    took.sort()
    told = {"seconds": whole, "requests": len(took), "p50": took[len(took) // 2], "p99": took[int(len(took) * 0.99)]}
    sys.stdout.write(json.dumps({**told, "cpu": time.process_time()}))


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2], int(sys.argv[3]))
    else:
        load(int(sys.argv[2]), sys.argv[3], int(sys.argv[4]), int(sys.argv[5]), float(sys.argv[6]))
