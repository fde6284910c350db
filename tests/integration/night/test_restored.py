"""Restores at random moments of random lives, then nights: each card is charged once, and what was charged is booked.

KEIZOKU_TEST_RESTORES=100 runs more of them.
"""

import os
from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa

from tests.worlds.restored_lives import Databases, restored_life

LIVES = int(os.environ.get("KEIZOKU_TEST_RESTORES", "4"))


@pytest.fixture
def databases(
    database_url: sa.URL | str, run_alone: Callable[[str], object], database_with_tables: str
) -> Iterator[Databases]:
    made = Databases(sa.make_url(database_url), run_alone, database_with_tables)
    yield made
    made.drop()


@pytest.mark.parametrize("seed", range(LIVES))
def test_a_card_is_charged_once_though_the_database_was_lost_since(databases: Databases, seed: int) -> None:
    told = restored_life(databases, seed)
    assert told.differences() == []
    assert told.restored.total() > 0


def test_a_restore_that_says_nothing_would_charge_cards_again(databases: Databases) -> None:
    """What the mark is for: these lives do find a database that does not know that it was restored."""
    told = restored_life(databases, 1, marked=False)
    assert told.unbooked or any(count > told.undisturbed[each] for each, count in told.restored.items())
