"""A sample of what `make soak` lives at length: poison in random lives leaves every healthy account as it would be."""

import os
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from tests.worlds.poison import poisoned_life
from tests.worlds.poison_kinds import FAULTS, POISONS

LIVES = int(os.environ.get("KEIZOKU_SOAK_POISONED", "3"))
SEED = int(os.environ.get("KEIZOKU_SOAK_SEED", "5"))


@pytest.mark.parametrize("seed", range(SEED, SEED + LIVES))
def test_healthy_accounts_end_as_in_the_world_without_poison(
    engine_with_tables: Callable[[], sa.Engine], seed: int
) -> None:
    found = poisoned_life(engine_with_tables(), engine_with_tables(), seed)
    assert set(found.poisons) == {*POISONS, *FAULTS}
    assert found.set_aside > 0
    assert found.refused > 0
    assert (found.wrong, found.differences) == ([], [])
