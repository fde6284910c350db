"""Every act over HTTP, its connection killed before any statement, before its commit, and after it: done exactly once.

A sample by a fixed seed; KEIZOKU_TEST_KILLS=all kills before every statement of every act (`make soak`).
"""

from __future__ import annotations

import os
import random
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from keizoku.db.session import Session
from keizoku.db.tables import metadata
from keizoku.db.tables.web import http_request
from keizoku.web.application import operations
from keizoku.web.jobs import Jobs
from tests.integration.web.act_walk import ACTS, FOUND, make_ready
from tests.integration.web.conftest import House

ALL = os.environ.get("KEIZOKU_TEST_KILLS") == "all"
KILLS = 1
"""Of the statements of an act, in the sample; its commit besides."""
MOST = 30
"""A sampled statement is one of the first so many."""
AFTER_COMMIT = -1
LOGGED = (http_request.name,)
COMMITS = 4
"""Of an act that commits on its way, in the sample: it is killed after one of so many."""
WRITES_FREELY = {each.name for each in operations() if each.repeat == "again"}
"""They commit on the way; a repeat goes on from there."""
TAKEN_ONCE = {"links.finish": "/v1/problems/link.state_used"}
"""Killed while the partner was asked, its word is spent: a repeat is refused, and nothing stands."""
BY_ANOTHER = {"proposals.approve", "bank.approve_transfer", "bank.reject_transfer"}
"""Done by a second person."""


class Killer:
    """Counts what the door's connections are asked, and closes one before the statement of a number."""

    def __init__(self, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
        self.before, self.count, self.commits, self.killed = 0, 0, 0, False
        self.ours: set[int] = set()
        self.lock = threading.Lock()
        for engine in (*house.door._engines.values(), house.door._login):
            sa.event.listen(engine, "connect", lambda connection, _: self.ours.add(id(connection)))
            engine.dispose()
        for name in ("execute", "executemany", "copy"):
            monkeypatch.setattr(psycopg.Cursor, name, self._told(getattr(psycopg.Cursor, name)))
        commit = psycopg.Connection.commit

        def commits(connection: Any) -> None:
            self._asked(connection)
            commit(connection)
            if self.before < 0 and id(connection) in self.ours and self._kills_after(connection):
                raise psycopg.OperationalError("server closed the connection unexpectedly")

        monkeypatch.setattr(psycopg.Connection, "commit", commits)

    @contextmanager
    def at(self, number: int) -> Iterator[None]:
        """Kill before this statement; a number below zero: after that commit."""
        self.before, self.count, self.commits, self.killed = number, 0, 0, False
        try:
            yield
        finally:
            self.before = 0

    def _kills_after(self, connection: Any) -> bool:
        with self.lock:
            self.commits += 1
            if self.commits != -self.before or self.killed:
                return False
            self._kill(connection)
            return True

    def _told(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(cursor: Any, *args: Any, **more: Any) -> Any:
            self._asked(cursor.connection)
            return real(cursor, *args, **more)

        return call

    def _asked(self, connection: Any) -> None:
        with self.lock:
            if self.before == 0 or id(connection) not in self.ours:
                return
            self.count += 1
            if self.count == self.before:
                self._kill(connection)

    def _kill(self, connection: Any) -> None:
        self.killed = True
        connection.pgconn.finish()


def fingerprint(session: Session) -> dict[str, tuple[int, int]]:
    """Of each table how many rows, and the newest transaction that wrote one; on one connection, which is quick."""
    query = " UNION ALL ".join(
        f"SELECT '{name}', count(*), coalesce(max(xmin::text::bigint), 0) FROM {name}"
        for name in metadata.tables
        if name not in LOGGED
    )
    found = {row[0]: (row[1], row[2]) for row in session.exec_driver_sql(query)}
    session.commit()
    return found


def say(house: House, path: str, body: Any, key: str, role: str) -> tuple[int, Any, bool]:
    """(status, answer, whether it was done before); asks again while the act is still said to run."""
    for _ in range(100):
        headers = {"Authorization": f"Bearer {house.keys[role]}", "Idempotency-Key": key}
        if isinstance(body, bytes):
            headers["Content-Type"] = "application/octet-stream"
            got = house.client.post(path, params={"name": "f.csv"}, content=body, headers=headers)
        else:
            got = house.client.post(path, json=body, headers=headers)
        if got.status_code != 409 or got.json()["type"] != "/v1/problems/idempotency.running":
            return got.status_code, got.json(), "idempotency-replayed" in got.headers
        time.sleep(0.02)
    raise AssertionError("it runs for ever")


def found(house: House, path: str, body: Any) -> tuple[str, Any]:
    with house.engine.connect() as session:
        values: dict[str, Any] = {
            name: session.execute(sa.text(query)).scalar()
            for name, query in FOUND.items()
            if f"{{{name}}}" in f"{path} {body}"
        }
    values |= house.known
    if isinstance(body, dict):
        body = {key: _filled(value, values) for key, value in body.items()}
    return f"/v1{path.format(**values)}", body


def _filled(value: Any, values: Mapping[str, Any]) -> Any:
    if not isinstance(value, str) or "{" not in value:
        return value
    text = value.format(**values)
    return int(text) if text.isdecimal() else text


def acts_logged(house: House) -> int:
    house.door.log.flush()
    with house.engine.connect() as session:
        query = sa.select(sa.func.count()).where(http_request.c.act, http_request.c.status < 300)
        return int(session.execute(query).scalar_one())


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def test_an_act_whose_connection_is_killed_anywhere_is_done_once_by_its_repeat(
    house: House, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, opened: ExitStack
) -> None:
    make_ready(house, tmp_path, monkeypatch)
    queued: list[Any] = []
    monkeypatch.setattr(Jobs, "start", lambda _, name, work: queued.append(name))
    looks = opened.enter_context(house.engine.connect())
    killer = Killer(house, monkeypatch)
    chance = random.Random(20_260_507)  # noqa: S311 - no secret
    wrong: list[str] = []
    killed, once = 0, fingerprint(looks)
    for name, written, sent in ACTS:
        path, body = found(house, written, sent)
        role = "second" if name in BY_ANOTHER else "worker"
        key, logged, before = uuid.uuid4().hex, acts_logged(house), once
        done: Any = None
        numbers = range(1, 500) if ALL else chance.sample(range(1, MOST), KILLS)
        commits = [AFTER_COMMIT]
        if name in WRITES_FREELY:
            commits += range(-2, -50, -1) if ALL else [chance.randint(-COMMITS, -2)]
        for number in (*numbers, *commits):
            with killer.at(number):
                status, told, replayed = say(house, path, body, key, role)
            killed += killer.killed
            after = fingerprint(looks)
            if status < 300:
                done = told
                break
            if TAKEN_ONCE.get(name) == told.get("type"):
                break
            if status != 503:
                wrong.append(f"{name} at {number}: {status} {told['type']} {told['detail']}")
                break
            changed = [table for table in after if after[table] != before[table]]
            if changed and "act_key" not in changed and name not in WRITES_FREELY:
                wrong.append(f"{name} at {number}: a part of it was written although it was killed: {changed}")
            if number == AFTER_COMMIT and name not in WRITES_FREELY and after == before:
                wrong.append(f"{name} at {number}: it was committed, and nothing is there")
        status, told, replayed = say(house, path, body, key, role)
        once = fingerprint(looks)
        if TAKEN_ONCE.get(name) == told.get("type") and once["link_grant"] == before["link_grant"]:
            continue
        if status >= 300:
            wrong.append(f"{name}: {status} {told['type']} {told['detail']}")
            continue
        again = say(house, path, body, key, role)
        if again != (status, told, True) or fingerprint(looks) != once:
            wrong.append(f"{name}: said once more it was answered {again}, first {told}")
        if acts_logged(house) != logged + 1:
            wrong.append(f"{name}: {acts_logged(house) - logged} rows in the log of requests")
        if done is not None and not replayed:
            wrong.append(f"{name}: done, and done again")
    assert not wrong, "\n".join(wrong)
    assert killed >= len(ACTS)
    assert queued
    assert {each.name for each in operations() if each.kind == "act"} == {name for name, _, _ in ACTS}
