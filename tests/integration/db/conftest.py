"""Empty databases, for what looks beyond one schema."""

import uuid
from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa

from keizoku.db.session import normalised_url


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
