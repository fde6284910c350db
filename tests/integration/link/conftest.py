"""One database for the tests of a file, and the linked service on it."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest
import sqlalchemy as sa

from keizoku.link.partner.simulated import SimulatedPartner
from keizoku.link.services.link_service import LinkService
from tests.worlds.link_world import designate, linked_house


@pytest.fixture(scope="module")
def own_database_of_module(own_database: Callable[[], AbstractContextManager[sa.Engine]]) -> Iterator[sa.Engine]:
    """An engine on a database with all tables, which the tests of a file share."""
    with own_database() as engine:
        yield engine


@pytest.fixture(scope="module")
def house(own_database_of_module: sa.Engine) -> Iterator[tuple[LinkService, SimulatedPartner]]:
    """One house for the file, whose partner is simulated: every test has customers of its own."""
    with linked_house(own_database_of_module) as (link, partner):
        designate(link)
        yield link, partner
