"""What the tests with programs from outside share: a spring that was lived once."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from scheduler.app import House
from tests.integration.finance_world import lived_house


@pytest.fixture(scope="session")
def spring(database_url: sa.URL | str) -> Iterator[House]:
    """The world of tests/integration/finance_world.py; nobody writes into it."""
    with lived_house(database_url) as house:
        yield house
