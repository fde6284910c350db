"""A sample of what `make soak` calls at length: every library act with arguments that nobody means."""

import os
from datetime import date
from pathlib import Path

import sqlalchemy as sa

from tests.worlds.hostile_calls import described, hostile_calls, write_files
from tests.worlds.world import live, open_world, services_on

CALLS = int(os.environ.get("KEIZOKU_SOAK_CALLS", "300"))
SEED = int(os.environ.get("KEIZOKU_SOAK_SEED", "5"))


def test_hostile_calls_of_every_act_are_refused_in_words_and_nights_stay_certified(
    engine: sa.Engine, tmp_path: Path
) -> None:
    write_files(tmp_path)
    with services_on(engine) as services:
        open_world(services)
        live(services, date(2026, 5, 6))
        found = hostile_calls(services, CALLS, SEED)
    assert found.calls >= CALLS
    wrong = "\n".join(described(found))
    assert wrong == "", wrong
