"""The door in a process of its own, and whoever asks it: eight connections, one question after the other on each.

python -m tests.benchmarks.access_server serve URL PORT     prints a key, then answers until it is ended
python -m tests.benchmarks.access_server load PORT KEY MEMBERS REQUESTS SECONDS RATE      prints its figures as JSON
"""

from __future__ import annotations

import json
import os
import random
import select
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from keizoku.db.roles import apply_roles
from keizoku.db.session import libpq_address, make_engine
from keizoku.scheduler.settings import Settings

__all__ = ["ask", "cpu_seconds", "running_door"]

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
def running_door(url: sa.URL) -> Iterator[tuple[int, str, int]]:
    """(its port, a key, its process); it is ended at the end."""
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
            yield port, key, server.pid
        finally:
            server.terminate()


def ask(
    port: int, key: str, members: int, requests: int = 0, seconds: float = 0, rate: float = 0
) -> subprocess.Popen[str]:
    """A process that asks so often, or so long: as fast as it is answered, or so many times a second."""
    numbers = [str(each) for each in (members, requests, seconds, rate)]
    command = [sys.executable, "-m", __name__, "load", str(port), key, *numbers]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def load(port: int, key: str, members: int, requests: int, seconds: float, rate: float) -> None:
    """Ask about members at random, by a fixed seed. It shares the processors, so it does as little as it can.

    At a rate each question has its moment, and its time counts from there, also where no connection was free then.
    """
    chance = random.Random(5)  # noqa: S311 - no secret
    asked = [
        f"GET /v1/accounts/member-{chance.randint(1, members):08d}/access HTTP/1.1\r\nHost: b\r\n"
        f"Authorization: Bearer {key}\r\n\r\n".encode()
        for _ in range(2_000)
    ]
    epoll, clock = select.epoll(), time.perf_counter
    connections: dict[int, socket.socket] = {}
    for _ in range(CONNECTIONS):
        connection = socket.create_connection(("127.0.0.1", port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connections[connection.fileno()] = connection
        epoll.register(connection, select.EPOLLIN)
    free, number = deque(connections), 0
    sent: dict[int, float] = {}
    took: list[float] = []
    began = clock()
    until, most = began + (seconds or 3_600), requests or 1 << 60
    while len(took) < most and clock() < until:
        now = clock()
        while free and (not rate or began + number / rate <= now):
            place = free.popleft()  # in turn, or those that wait would be closed as idle
            sent[place] = began + number / rate if rate else now
            connections[place].send(asked[number % 2_000])
            number += 1
        for ready, _ in epoll.poll(max(began + number / rate - now, 0) if rate and free else 5):
            connection = connections[ready]
            got = connection.recv(65_536)
            while got and got[-1:] != b"}":
                got += connection.recv(65_536)
            assert got.startswith(b"HTTP/1.1 200"), got[:200]
            took.append(clock() - sent[ready])
            free.append(ready)
    whole = clock() - began
    took.sort()
    told = {"seconds": whole, "requests": len(took), "p50": took[len(took) // 2], "p99": took[int(len(took) * 0.99)]}
    sys.stdout.write(json.dumps(told))


def cpu_seconds(process: int) -> float:
    """Processor time of a process so far."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2], int(sys.argv[3]))
    else:
        load(int(sys.argv[2]), sys.argv[3], int(sys.argv[4]), int(sys.argv[5]), float(sys.argv[6]), float(sys.argv[7]))
