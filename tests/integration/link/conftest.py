"""One database for the tests of a file."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest
import sqlalchemy as sa


@pytest.fixture(scope="module")
def own_database_of_module(own_database: Callable[[], AbstractContextManager[sa.Engine]]) -> Iterator[sa.Engine]:
    """An engine on a database with all tables, which the tests of a file share."""
    with own_database() as engine:
        yield engine
