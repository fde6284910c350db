"""A scratch schema is as new for every scenario, and leaves nothing behind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa

from keizoku.db.session import make_engine
from keizoku.scheduler.scenario.document import read_scenario
from keizoku.scheduler.scenario.run import play, run_on
from keizoku.scheduler.scenario.scratch_schema import ScratchSchema
from keizoku.terms.discretion import Discretion
from keizoku.terms.policy import Terms
from keizoku.terms.rules import Rules

HERE = Path(__file__).parent
SCENARIO = HERE / "premium-9.4.2-short-stop.yaml"
RULES = Rules(Terms.load(), Discretion())


def _state(session: sa.Connection) -> dict[str, Any]:
    """Every table's rows and every sequence's next key, the session's settings and what it holds."""
    tables = session.scalars(
        sa.text("SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'")
    ).all()
    rows = {name: session.scalar(sa.text(f"SELECT count(*) FROM {name}")) for name in tables}
    sequences = sa.text("SELECT sequencename, last_value FROM pg_sequences WHERE schemaname = current_schema()")
    keys: dict[str, int] = dict(session.execute(sequences).all())
    changed = sa.text("SELECT name, setting FROM pg_settings WHERE source = 'session' AND name !~ '^transaction_'")
    settings: dict[str, str] = dict(session.execute(changed).all())
    held = session.scalar(
        sa.text("SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory'")
    )
    triggers = session.scalar(
        sa.text(
            "SELECT count(*) FROM pg_trigger WHERE tgenabled = 'O' AND tgrelid IN (SELECT oid FROM pg_class "
            "WHERE relnamespace = current_schema()::regnamespace)"
        )
    )
    session.commit()
    return {"rows": rows, "keys": keys, "settings": settings, "advisory locks": held, "guards": triggers}


def test_a_wiped_scratch_is_as_a_new_one(database_url: sa.URL | str) -> None:
    scenario, _ = read_scenario(SCENARIO)
    assert scenario is not None
    with ScratchSchema(database_url) as scratch:
        session = scratch.services(RULES).session
        new, schema = _state(session), scratch.schema
        used = scratch.services(scenario.rules)
        assert play(scenario, used) == ([], None)
        session.exec_driver_sql("SELECT pg_advisory_lock(1)")
        session.exec_driver_sql("SET work_mem = '1MB'")
        session.commit()
        assert _state(session) != new
        assert scratch.services(RULES).session is session
        assert scratch.schema == schema
        assert _state(session) == new
        assert set(new["rows"].values()) == {0}
        with pytest.raises(sa.exc.DBAPIError):  # the guards stand again
            session.exec_driver_sql("DELETE FROM entry")


def test_one_scenario_after_another_ends_as_on_a_schema_of_its_own(database_url: sa.URL | str) -> None:
    names = ("premium-9.4.2-short-stop", "premium-9.3-symptoms", "premium-9.4.2-short-stop")
    with ScratchSchema(database_url) as scratch:
        outcomes = [run_on(scratch, HERE / f"{name}.yaml") for name in names]
    assert [outcome.failures for outcome in outcomes] == [(), (), ()]
    assert outcomes[0] == outcomes[2]


def test_an_error_that_stopped_a_scenario_is_not_seen_by_the_next(database_url: sa.URL | str) -> None:
    with ScratchSchema(database_url) as scratch:
        services = scratch.services(RULES)
        with pytest.raises(sa.exc.DBAPIError):
            services.session.exec_driver_sql("SELECT 1 / 0")
        scratch.rest(intact=False)
        assert run_on(scratch, SCENARIO).passed
        session = scratch.services(RULES).session
        process = session.scalar(sa.text("SELECT pg_backend_pid()"))
        session.commit()
        with make_engine(database_url).connect() as other:  # the connection is lost
            other.execute(sa.text("SELECT pg_terminate_backend(:process)"), {"process": process})
        assert run_on(scratch, SCENARIO).passed


@pytest.fixture
def ordinary_role(database_url: sa.URL | str) -> Iterator[sa.URL]:
    """The server as one who is no superuser sees it."""
    role = f"scenarios_{uuid4().hex[:8]}"
    with make_engine(database_url).connect() as session:
        session.exec_driver_sql(f"CREATE ROLE {role}")
        session.exec_driver_sql(f"GRANT CREATE ON DATABASE {session.engine.url.database} TO {role}")
        session.commit()
        yield sa.make_url(database_url).update_query_dict({"options": f"-c role={role}"})
        session.exec_driver_sql(f"DROP OWNED BY {role}")
        session.exec_driver_sql(f"DROP ROLE {role}")
        session.commit()


def test_who_may_not_pass_over_the_guards_gets_a_schema_for_each(ordinary_role: sa.URL) -> None:
    with ScratchSchema(ordinary_role) as scratch:
        schemas = []
        for _ in range(2):
            assert run_on(scratch, SCENARIO).passed
            schemas.append(scratch.schema)
        assert schemas[0] != schemas[1]
        with make_engine(ordinary_role).connect() as session:
            found = session.scalars(sa.text("SELECT nspname FROM pg_namespace WHERE nspowner = current_role::regrole"))
            assert list(found) == [schemas[1]]
