"""Empty databases, for what looks beyond one schema, and a small world with a login of every role."""

import uuid
from collections.abc import Callable, Iterator, Mapping

import pytest
import sqlalchemy as sa

from keizoku.db.migrate import upgrade
from keizoku.db.roles import NAMES, apply_roles
from keizoku.db.session import normalised_url
from tests.worlds.role_walk import live_for_the_walk
from tests.worlds.world import services_on


@pytest.fixture
def empty_database(database_url: sa.URL | str, run_alone: Callable[[str], object]) -> Iterator[Callable[[], sa.URL]]:
    """A function that makes an empty database; they go away with the test."""
    made: list[str] = []

    def fresh() -> sa.URL:
        made.append(f"empty_{uuid.uuid4().hex[:16]}")
        run_alone(f"CREATE DATABASE {made[-1]}")
        return normalised_url(database_url).set(database=made[-1])

    yield fresh
    for name in made:
        run_alone(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def served(engine_for_schema: Callable[[], sa.Engine], monkeypatch: pytest.MonkeyPatch) -> sa.Engine:
    """A schema of its own with two months of a small world."""
    engine = engine_for_schema()
    with engine.connect() as session:
        upgrade(session)
        schema = str(session.exec_driver_sql("SELECT current_schema()").scalar_one())
    monkeypatch.setenv("KEIZOKU_DATABASE_SCHEMA", schema)
    with services_on(engine) as services:
        live_for_the_walk(services)
    return engine


@pytest.fixture
def logins(served: sa.Engine) -> Iterator[Mapping[str, str]]:
    """role -> the address of the database for a login that has it; the owner's too."""
    prefix = f"k{uuid.uuid4().hex[:10]}"
    with served.connect() as session:
        roles = dict(zip(NAMES, apply_roles(session, (), prefix), strict=True))
        found = {"owner": served.url}
        for role, named in roles.items():
            session.exec_driver_sql(f"CREATE ROLE {named}_login LOGIN PASSWORD 'x' IN ROLE {named}")
            found[role] = served.url.set(username=f"{named}_login", password="x")  # noqa: S106
        session.exec_driver_sql(f"GRANT {roles['worker']} TO {roles['tokens']}_login")  # as it is given to people
        session.commit()
    yield {role: url.render_as_string(hide_password=False) for role, url in found.items()}
    with served.connect() as session:
        for named in roles.values():
            session.exec_driver_sql(f"DROP OWNED BY {named}")
            session.exec_driver_sql(f"DROP ROLE {named}_login, {named}")
        session.commit()
