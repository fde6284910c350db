"""May a user come in now: over HTTP, beside the limit, which is the same statement from a pool of bare connections."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from queue import LifoQueue
from subprocess import Popen
from typing import Any

import psycopg

from keizoku.billing.contracts.contract_facts import PRESENT
from keizoku.db.session import libpq_address
from tests.benchmarks.access_server import ask, cpu_seconds, running_door
from tests.benchmarks.harness import Case, Contender
from tests.benchmarks.night_runs import Clock, run_nights
from tests.benchmarks.night_world import DUE_ON, account_of, copy_of, make_world

THREADS = 4
"""With more of them the bare pool is slower: they wait for each other in Python."""


RATE = 100
"""Users a second while the night runs. 1,000,000 members who come in three times a day are 35 a second on average, and
90 in the busiest hour; the night, at 02:30, has fewer."""


def _told(process: Popen[str]) -> dict[str, float]:
    answer, _ = process.communicate()
    found: dict[str, float] = json.loads(answer)
    return found


def keizoku(folder: Path, size: Mapping[str, int]) -> dict[str, Any]:
    """So many questions, as fast as they are answered; then the worst night, alone and while users come in."""
    alone, beside = Clock(), Clock()
    with copy_of(folder) as session, running_door(session.engine.url) as (port, key, process):
        _told(ask(port, key, size["contracts"], requests=min(size["requests"], 500)))  # connections are opened
        before = cpu_seconds(process)
        asked = _told(ask(port, key, size["contracts"], requests=size["requests"]))
        used = cpu_seconds(process) - before
        run_nights(session, size, [DUE_ON], alone)
    with copy_of(folder) as session, running_door(session.engine.url) as (port, key, _):
        _told(ask(port, key, size["contracts"], requests=min(size["requests"], 500)))
        users = ask(port, key, size["contracts"], seconds=max(alone.wall, 0.5) + 0.2, rate=RATE)
        run_nights(session, size, [DUE_ON], beside)
        then = _told(users)
    figures = {
        "requests_per_second": asked["requests"] / asked["seconds"],
        "CPU_ms_of_the_door_for_a_request": used / asked["requests"] * 1_000,
        "p99_ms": asked["p99"] * 1_000,
        "p99_ms_while_the_night_runs": then["p99"] * 1_000,
        "night_times_as_long": beside.wall / alone.wall,
    }
    return {"requests": size["requests"], "seconds": asked["seconds"], "figures": figures}


def bare(folder: Path, size: Mapping[str, int]) -> dict[str, Any]:
    """The statement alone, prepared, on connections that commit by themselves."""
    text, _, _ = PRESENT.compiled
    with copy_of(folder) as session:
        address = libpq_address(session.engine.url)
        pool: LifoQueue[psycopg.Connection[Any]] = LifoQueue()
        for _ in range(THREADS):
            pool.put(psycopg.connect(address, autocommit=True))
        each = -(-size["requests"] // THREADS)

        def work(number: int) -> None:
            for turn in range(each):
                connection = pool.get()
                with psycopg.RawCursor(connection) as cursor:
                    account = account_of(1 + (number * each + turn * 7_919) % size["contracts"])
                    assert cursor.execute(text, [account], prepare=True).fetchall()
                pool.put(connection)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(THREADS)]
        began = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        took = time.perf_counter() - began
        while not pool.empty():
            pool.get().close()
    figures = {"requests_per_second": THREADS * each / took}
    return {"requests": size["requests"], "seconds": took, "figures": figures}


CASE = Case(
    name="access",
    title="May a user come in: over HTTP",
    about=(
        "GET /v1/accounts/{account}/access on eight connections, one question after the other on each; the door, who "
        f"asks, and PostgreSQL share the machine. Then the worst night, alone and while {RATE} users a second come in: "
        "1,000,000 members who come three times a day, at their busiest hour. The limit is the statement of one "
        "question, prepared, from a pool of bare psycopg connections in one process."
    ),
    size={"contracts": 20_000, "due": 20_000, "credits": 0, "overdue": 0, "requests": 20_000},
    tiny={"contracts": 60, "due": 60, "credits": 0, "overdue": 0, "requests": 40},
    prepare=make_world,
    contenders=[Contender("Keizoku", keizoku), Contender("bare psycopg", bare)],
)
