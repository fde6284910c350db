"""The door on a schema with a small world in it, and a key for every role; calls go through the application itself."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from keizoku.db.members.views import member_schema
from keizoku.db.migrate import upgrade
from keizoku.db.roles import NAMES, apply_roles
from keizoku.db.session import make_engine
from keizoku.scheduler.settings import Settings
from keizoku.terms.calendar import parse_instant
from keizoku.web.application import make_application
from keizoku.web.door import Door
from keizoku.web.identity.keys import new_key
from keizoku.web.identity.principal import ROLES
from tests.worlds.role_walk import live_for_the_walk
from tests.worlds.world import services_on

NOW = parse_instant("2026-05-07 09:00")


@dataclass
class House:
    """A door with its application, a clock that tests set, and keys by role."""

    engine: sa.Engine
    door: Door
    client: TestClient
    keys: dict[str, str] = field(default_factory=dict)
    now: datetime = NOW
    known: dict[str, str] = field(default_factory=dict)
    """What only we know of this house: codes, states."""

    def key(self, role: str, *scopes: str, name: str = "") -> str:
        """A key of a role, with these scopes (none: all)."""
        with self.engine.connect() as session:
            made = new_key(session, name or f"{role}-{uuid.uuid4().hex[:6]}", role, scopes or ("*",), by="t", now=NOW)
            return made.key

    def get(self, path: str, role: str = "worker", **query: object) -> Any:
        """GET as a role; the answer's body."""
        return self.ask("GET", path, role, params=query)[1]

    def act(self, path: str, body: Mapping[str, object] | None = None, role: str = "worker", key: str = "") -> Any:
        """POST as a role with a new Idempotency-Key; (status, body)."""
        headers = {"Idempotency-Key": key or uuid.uuid4().hex}
        return self.ask("POST", path, role, json=body or {}, headers=headers)

    def upload(self, path: str, content: bytes) -> Any:
        """POST of a file as the worker; (status, body)."""
        headers = {"Content-Type": "application/octet-stream", "Idempotency-Key": uuid.uuid4().hex}
        return self.ask("POST", path, content=content, headers=headers)

    def ask(self, method: str, path: str, role: str = "worker", **more: Any) -> tuple[int, Any]:
        """Any call as a role; (status, body)."""
        headers = {"Authorization": f"Bearer {self.keys[role]}", **more.pop("headers", {})}
        answer = self.client.request(method, path, headers=headers, **more)
        return answer.status_code, answer.json()

    def count(self, table: sa.Table) -> int:
        """Rows of a table."""
        with self.engine.connect() as session:
            return int(session.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())


@contextmanager
def open_house(engine: sa.Engine, schema: str) -> Iterator[House]:
    """A house on a schema that has its tables; roles of its own, gone at the end."""
    prefix = f"w{uuid.uuid4().hex[:10]}"
    with engine.connect() as session:
        apply_roles(session, (), prefix)
    settings = Settings(database_schema=schema, screening="tests.worlds.role_walk:everybody")
    door = Door(settings, settings.rules(), engine.url, schema, pool=4, prefix=prefix, clock_name="given")
    try:
        with TestClient(make_application(door), raise_server_exceptions=False) as client:
            house = House(engine, door, client)
            door.clock = lambda: house.now
            house.keys = {role: house.key(role) for role in ROLES}
            yield house
    finally:
        door.close()
        drop_roles(engine, schema, prefix)


def drop_roles(engine: sa.Engine, schema: str, prefix: str) -> None:
    """What `apply_roles` made beside the tables: the roles, and the members' views."""
    with engine.connect() as session:
        for role in NAMES:
            session.exec_driver_sql(f"DROP OWNED BY {prefix}_{role}")
            session.exec_driver_sql(f"DROP ROLE {prefix}_{role}")
        session.exec_driver_sql(f"DROP SCHEMA IF EXISTS {member_schema(schema)} CASCADE")
        session.commit()


@pytest.fixture(scope="module")
def lived_schema(database_url: sa.URL | str) -> Iterator[tuple[sa.Engine, str]]:
    """A schema with two months of the small world, for the tests of a file."""
    schema = f"t{uuid.uuid4().hex}"
    with make_engine(database_url).begin() as connection:
        connection.execute(sa.schema.CreateSchema(schema))
    engine = make_engine(database_url, schema)
    with engine.connect() as session:
        upgrade(session)
    with services_on(engine) as services:
        live_for_the_walk(services)
    yield engine, schema
    with make_engine(database_url).begin() as connection:
        connection.execute(sa.schema.DropSchema(schema, cascade=True))


@pytest.fixture(scope="module")
def house(lived_schema: tuple[sa.Engine, str]) -> Iterator[House]:
    """The door on the small world; what a test of the file does stays for the next."""
    os.environ.setdefault("KEIZOKU_LANG", "en")
    with open_house(*lived_schema) as house:
        yield house


@pytest.fixture
def empty_house(engine_for_schema: Callable[[], sa.Engine]) -> Iterator[House]:
    """The door on tables without a row."""
    engine = engine_for_schema()
    with engine.connect() as session:
        upgrade(session)
        schema = str(session.exec_driver_sql("SELECT current_schema()").scalar_one())
    with open_house(engine, schema) as house:
        yield house
