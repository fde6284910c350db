"""A night by one process and by several ends the same, row for row, also when helpers are killed in the middle."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from functools import partial
from uuid import uuid4

import pytest
import sqlalchemy as sa

from keizoku.billing.cards import charge_stage
from keizoku.billing.contracts import renewal_stage
from keizoku.billing.receivables import invoice_stage
from keizoku.db.migrate import create_all
from keizoku.db.session import make_engine
from keizoku.db.tables.operations import night_range
from keizoku.scheduler.app import Services
from keizoku.scheduler.night import ranges as sharing
from keizoku.scheduler.night.nightly_run import run_night
from keizoku.scheduler.night.processes import WorkerPool
from keizoku.scheduler.night.schedule import night_at
from keizoku.terms.calendar import parse_instant
from tests.worlds.world import Rows, live, open_world, rows, services_on, without_ids

BUSY = date(2026, 4, 26)
ACCOUNTS = 24
PARTS = {"terms", "invoices"}


@contextmanager
def services_at(url: str, die_at: int) -> Iterator[Services]:
    """A helper's house; its process is gone at the statement `die_at` (0: never)."""
    engine = make_engine(url)
    seen = 0

    def count(*_: object) -> None:
        nonlocal seen
        seen += 1
        if seen == die_at:
            os.kill(os.getpid(), signal.SIGKILL)

    sa.event.listen(engine, "after_cursor_execute", count)
    with services_on(engine) as services:
        yield services


@pytest.fixture(scope="module")
def world(database_url: sa.URL | str) -> Iterator[tuple[sa.Engine, sa.URL, str]]:
    """A database that has lived until the night before a busy one, to be copied."""
    name = f"k{uuid4().hex}"
    server = make_engine(database_url).execution_options(isolation_level="AUTOCOMMIT")
    with server.connect() as admin:
        admin.exec_driver_sql(f"CREATE DATABASE {name}")
    url = sa.make_url(database_url).set(database=name)
    engine = make_engine(url)
    with engine.begin() as session:
        create_all(session)
    with services_on(engine) as services:
        open_world(services)
        for number in range(ACCOUNTS):
            method = ("card", "card", "other", "app_store")[number % 4]
            services.billing.approve(f"v{number:02}", "monthly", method, now=parse_instant("2026-03-26 00:30"))
        live(services, BUSY - timedelta(days=1))
    engine.dispose()
    yield server, url, name
    with server.connect() as admin:
        admin.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def copied(world: tuple[sa.Engine, sa.URL, str]) -> Iterator[sa.URL]:
    server, url, name = world
    copy = f"{name}_copy"
    with server.connect() as admin:
        admin.exec_driver_sql(f"CREATE DATABASE {copy} TEMPLATE {name}")
    yield url.set(database=copy)
    with server.connect() as admin:
        admin.exec_driver_sql(f"DROP DATABASE {copy} WITH (FORCE)")


def ends(world: tuple[sa.Engine, sa.URL, str], processes: int, die_at: int = 0) -> tuple[Rows, dict[str, int], int]:
    """The rows at the end, how many ranges of each part were done, and what the night said it had changed."""
    with copied(world) as url:
        engine = make_engine(url)
        address = url.render_as_string(hide_password=False)
        pool = WorkerPool(processes - 1, partial(services_at, address, die_at), least=0, most_in_a_range=3)
        with services_on(engine) as services, pool:
            night = run_night(services, BUSY, night_at(BUSY), pool=pool)
            assert (night.certificate, night.differences) == ("ok", ())
            assert run_night(services, BUSY, night_at(BUSY), pool=pool).changes == 0
            states = sa.select(night_range.c.part, night_range.c.state, sa.func.count()).group_by("part", "state")
            ranges = {part: count for part, state, count in services.session.execute(states) if state == "done"}
            found = without_ids(rows(services.session), engine)
        engine.dispose()
    return found, ranges, night.changes


@pytest.fixture(scope="module")
def alone(world: tuple[sa.Engine, sa.URL, str]) -> tuple[Rows, int]:
    """The rows at the end, and the changes, of a night that one process does."""
    found, ranges, changes = ends(world, 1)
    assert ranges == {}
    return found, changes


def test_several_hands_end_the_same_night_alike(
    world: tuple[sa.Engine, sa.URL, str], alone: tuple[Rows, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    for stage, name, size in ((renewal_stage, "CHUNK", 5), (invoice_stage, "CHUNK", 5), (charge_stage, "CHUNK", 6)):
        monkeypatch.setattr(stage, name, size)
    monkeypatch.setattr(charge_stage, "ANSWERS", 2)
    rows_alone, changes = alone
    found, ranges, said = ends(world, 1)
    assert {table for table in found if found[table] != rows_alone[table]} == set()
    assert (ranges, said) == ({}, changes)


def test_one_two_and_four_processes_end_the_same_night_alike(
    world: tuple[sa.Engine, sa.URL, str], alone: tuple[Rows, int]
) -> None:
    rows_alone, changes = alone
    for processes in (2, 4):
        found, ranges, said = ends(world, processes)
        assert {table for table in found if found[table] != rows_alone[table]} == set(), processes
        assert (set(ranges), said) == (PARTS, changes)
        assert min(ranges.values()) >= 6


@pytest.mark.parametrize("die_at", [9, 21])
def test_helpers_killed_in_the_middle_leave_their_ranges_to_the_others(
    world: tuple[sa.Engine, sa.URL, str], alone: tuple[Rows, int], die_at: int
) -> None:
    rows_alone, changes = alone
    found, ranges, said = ends(world, 2, die_at)
    assert {table for table in found if found[table] != rows_alone[table]} == set()
    assert set(ranges) == PARTS
    assert said <= changes  # what a dead one had committed of its range nobody counts


def test_ranges_leave_no_gap_and_hold_equally_many(world: tuple[sa.Engine, sa.URL, str]) -> None:
    with copied(world) as url:
        engine = make_engine(url)
        with engine.connect() as session:
            due = sa.select(sa.column("id", sa.BigInteger)).select_from(sa.text("generate_series(5, 14) AS due (id)"))
            assert sharing.cut(session, due, {}, 3) == [(0, 8), (9, 11), (12, sharing.LAST_CONTRACT)]
            assert sharing.cut(session, due.where(sa.false()), {}, 3) == []
        engine.dispose()


def test_a_range_of_a_dead_process_is_free_again_and_leftovers_are_closed(world: tuple[sa.Engine, sa.URL, str]) -> None:
    with copied(world) as url:
        engine = make_engine(url)
        with engine.connect() as leader, engine.connect() as first, engine.connect() as second:
            sharing.offer(leader, BUSY, "terms", [(0, 9), (10, 19)], night_at(BUSY))
            taken: list[sharing.Range] = []

            def die(within: sharing.Range) -> int:
                taken.append(within)
                raise ConnectionAbortedError

            def do(within: sharing.Range) -> int:
                taken.append(within)
                return 5

            with pytest.raises(ConnectionAbortedError):
                next(sharing.take_free(first, die, lambda: False))
            assert list(sharing.take_free(second, do, lambda: len(taken) > 1)) == [5]
            assert taken == [(0, 9), (0, 9)]
            sharing.close_leftovers(leader)
            assert list(sharing.take_rest(second, do)) == []
            states = leader.execute(sa.select(night_range.c.state, night_range.c.changes).order_by("id")).all()
            assert [tuple(state) for state in states] == [("done", 5), ("left", None)]
        engine.dispose()
