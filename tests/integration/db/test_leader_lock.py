"""Locks by name: one at a time, nothing half-written left, gone with their connection, and each of one schema."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from keizoku.db.locks import leader_lock, take_turn, try_leader_lock, try_leader_lock_until_commit, turn

pytestmark = pytest.mark.database


def test_one_at_a_time_holds_it_and_what_is_not_committed_is_gone(engine_for_schema: Callable[[], sa.Engine]) -> None:
    engine = engine_for_schema()
    with engine.connect() as first, engine.connect() as second:

        def work() -> None:
            with leader_lock(first, "night") as held:
                with leader_lock(second, "night") as also:
                    assert (held, also, second.in_transaction()) == (True, False, False)
                first.execute(sa.text("INSERT INTO note VALUES (1)"))
                first.commit()
                first.execute(sa.text("INSERT INTO note VALUES (2)"))
                raise ZeroDivisionError

        first.execute(sa.text("CREATE TABLE note (id bigint)"))
        first.commit()
        with pytest.raises(ZeroDivisionError):
            work()
        with leader_lock(second, "night") as held:
            assert (held, second.scalars(sa.text("SELECT id FROM note")).all()) == (True, [1])


def test_a_connection_that_is_lost_is_told_as_such(engine_for_schema: Callable[[], sa.Engine]) -> None:
    engine = engine_for_schema()
    with engine.connect() as first, engine.connect() as second:

        def work() -> None:
            with leader_lock(first, "night"):
                own = first.scalar(sa.text("SELECT pg_backend_pid()"))
                second.execute(sa.text("SELECT pg_terminate_backend(:own, 5000)"), {"own": own})
                second.commit()
                first.scalar(sa.text("SELECT 1"))

        with pytest.raises(OperationalError, match="terminat"):
            work()
        with leader_lock(second, "night") as held:
            assert held


ELSEWHERE = {
    "billing/closing/month_close.py", "billing/ledger/posting.py", "db/migrate.py", "db/tables/guards.py",
    "db/tables/web/events.py", "link/records/grant_locks.py", "scheduler/scenario/kept_schema.py",
    "scheduler/scenario/scratch_schema.py",
}  # fmt: skip
"""Locks that are shared, taken by a trigger, many in one statement, or before there is a schema."""


def test_who_waits_is_let_in_when_the_other_is_done_and_another_schema_never_waits(
    engine_for_schema: Callable[[], sa.Engine],
) -> None:
    engine, other = engine_for_schema(), engine_for_schema()
    with engine.connect() as first, other.connect() as elsewhere, engine.connect() as second:
        second.exec_driver_sql("SET lock_timeout = '200ms'")
        second.commit()
        take_turn(first, "thing/1")
        with turn(first, "thing/2"):
            first.commit()  # thing/1 is given back, thing/2 is not
            take_turn(second, "thing/1")
            second.rollback()
            with pytest.raises(OperationalError, match="lock timeout"):
                take_turn(second, "thing/2")
            second.rollback()
            assert not try_leader_lock_until_commit(second, "thing/2")
            second.rollback()
            take_turn(elsewhere, "thing/2")
            assert try_leader_lock(elsewhere, "thing/2")
        take_turn(second, "thing/2")


def test_a_lock_is_taken_in_its_one_home() -> None:
    root = Path(__file__).parents[3]
    rooms = ("billing", "db", "keizoku", "link", "scheduler", "sla", "terms", "web")
    found = {
        str(file.relative_to(root))
        for room in rooms
        for file in (root / room).rglob("*.py")
        if re.search(r"\bpg_(try_)?advisory_", file.read_text(encoding="utf-8"))
    }
    assert found == {"db/locks.py", *ELSEWHERE}
