"""kill -9 of the night at random statements, also inside a gateway's call: a rerun ends where an undisturbed run ends.

The child is killed at its n-th statement, on whichever connection that falls: the night's own, or the one on which the
simulated gateway commits what it has done. Each kill has a copy of the same database. `make soak` kills more often.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
from collections.abc import Iterator
from datetime import date, timedelta
from uuid import uuid4

import pytest
import sqlalchemy as sa

from db.migrate import create_all
from db.session import make_engine
from scheduler.hours import night_at
from scheduler.night import run_night
from tests.integration.world import Rows, house_on, live, open_world, rows

KILLS = int(os.environ.get("KEIZOKU_SOAK_KILLS", "10"))
BUSY = date(2026, 4, 26)
"""A night of renewals and charges, one of them with a lost answer."""
TECHNICAL = {"id", "key", "event_key", "subject", "occasion", "detail", "calculation"}
_Forked = multiprocessing.get_context("fork")
Server = sa.Engine


def _night(url: sa.URL, die_at: int, counted: object) -> None:
    """One night in a process of its own, which is gone at the statement `die_at` (0: never)."""
    engine = make_engine(url)
    seen = 0

    def count(*_: object) -> None:
        nonlocal seen
        seen += 1
        counted.value = seen  # type: ignore[attr-defined]
        if seen == die_at:
            os.kill(os.getpid(), signal.SIGKILL)

    sa.event.listen(engine, "before_cursor_execute" if die_at % 2 else "after_cursor_execute", count)
    with house_on(engine) as house:
        run_night(house, BUSY, night_at(BUSY))
    os._exit(0)


def _run(url: sa.URL, die_at: int) -> tuple[int, int]:
    """The child's exit code and how many statements it got to."""
    counted = _Forked.Value("q", 0)
    child = _Forked.Process(target=_night, args=(url, die_at, counted))
    child.start()
    child.join()
    assert child.exitcode is not None
    return child.exitcode, counted.value


def _same(found: Rows, engine: sa.Engine) -> Rows:
    """Rows without ids and what is made of them: a killed run leaves gaps in the numbers."""
    kept = sa.MetaData()
    kept.reflect(engine)
    same: Rows = {}
    for name, lines in found.items():
        names = [column.name for column in kept.tables[name].columns]
        places = [at for at, column in enumerate(names) if column not in TECHNICAL and not column.endswith("_id")]
        same[name] = sorted(tuple(line[at] for at in places) for line in lines)
    return same


@pytest.fixture
def world(database_url: sa.URL | str) -> Iterator[tuple[Server, sa.URL, str]]:
    """A database that has lived until the night before, to be copied."""
    name = f"k{uuid4().hex}"
    server = make_engine(database_url).execution_options(isolation_level="AUTOCOMMIT")
    with server.connect() as admin:
        admin.exec_driver_sql(f"CREATE DATABASE {name}")
    url = sa.make_url(database_url).set(database=name)
    engine = make_engine(url)
    with engine.begin() as session:
        create_all(session)
    with house_on(engine) as house:
        open_world(house)
        live(house, BUSY - timedelta(days=1))
    engine.dispose()
    yield server, url, name
    with server.connect() as admin:
        admin.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")


def test_a_night_killed_anywhere_and_run_again_ends_as_if_nothing_had_happened(
    world: tuple[Server, sa.URL, str],
) -> None:
    server, url, name = world
    dice = random.Random(KILLS)  # noqa: S311  a test's dice

    def ends(die_at: int) -> tuple[int, int, Rows]:
        copy = f"{name}_copy"
        with server.connect() as admin:
            admin.exec_driver_sql(f"CREATE DATABASE {copy} TEMPLATE {name}")
        try:
            code, count = _run(url.set(database=copy), die_at)
            engine = make_engine(url.set(database=copy))
            with house_on(engine) as house:
                if die_at:
                    assert run_night(house, BUSY, night_at(BUSY)).certificate == "ok"
                found = _same(rows(house.session), engine)
            engine.dispose()
            return code, count, found
        finally:
            with server.connect() as admin:
                admin.exec_driver_sql(f"DROP DATABASE {copy} WITH (FORCE)")

    code, statements, undisturbed = ends(0)
    assert (code, statements > 50) == (0, True)
    for die_at in sorted(dice.sample(range(1, statements + 1), min(KILLS, statements))):
        code, _, after = ends(die_at)
        assert (die_at, code) == (die_at, -signal.SIGKILL)
        assert {table for table in after if after[table] != undisturbed[table]} == set(), f"killed at {die_at}"
