"""A leader lock that is held for a block: one at a time, nothing half-written left, and gone with its connection."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from keizoku.db.session import leader_lock

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
