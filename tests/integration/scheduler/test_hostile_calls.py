"""A sample of what `make soak` calls at length: every command, with what nobody means well."""

import resource
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from keizoku.db.schemas import schema_of
from tests.worlds.hostile_commands import TODAY, commands, hostile_commands, prepare

CALLS = 300
SEED = 5
MOST_MEMORY = 12 * 1024**3
"""Bytes of address space, most of it never touched."""


def test_hostile_calls_of_every_command_end_in_a_line_and_nights_stay_certified(
    engine_for_schema: Callable[[], sa.Engine], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = engine_for_schema()
    with engine.connect() as session:
        monkeypatch.setenv("KEIZOKU_DATABASE_SCHEMA", schema_of(session))
    monkeypatch.setenv("KEIZOKU_DATABASE_URL", engine.url.render_as_string(hide_password=False))
    monkeypatch.setenv("KEIZOKU_DATA_DIR", str(tmp_path / "data"))
    place = prepare(engine, tmp_path)
    assert len(commands()) > 150
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, before[1]))  # what eats memory is named, and eats no machine
    try:
        found = hostile_commands(place, CALLS, SEED, night_every=150, until=TODAY)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
    assert found.calls == CALLS
    assert set(found.codes) <= {0, 1, 2, 3}
    wrong = "\n".join(found.described())
    assert wrong == "", wrong
