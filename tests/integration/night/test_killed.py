"""Nights killed, stopped and cut off at random moments: the next worker ends where an undisturbed night ends.

A sample of what `make soak` runs at length.
"""

import os
from collections import Counter
from pathlib import Path

from tests.worlds.kills import KINDS, random_kills
from tests.worlds.stripe_running import running_proxy

KILLS = int(os.environ.get("KEIZOKU_SOAK_KILLS", str(len(KINDS))))
SEED = int(os.environ.get("KEIZOKU_SOAK_SEED", "10"))


def test_a_night_killed_stopped_or_cut_off_anywhere_ends_as_if_nothing_had_happened(database_folder: Path) -> None:
    with running_proxy() as proxy:
        damage = random_kills(database_folder, proxy, SEED, KILLS)
    assert damage.differences == []
    assert damage.kinds == Counter(KINDS[number % len(KINDS)] for number in range(KILLS))
