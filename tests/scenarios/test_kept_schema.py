"""On the embedded server a run leaves its tables to the next one: as if new, whatever became of the run."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
import sqlalchemy as sa

from keizoku.db.embedded import CLUSTER_NAME
from keizoku.db.session import backend_of, libpq_address, make_engine
from keizoku.scheduler.scenario import kept_schema
from keizoku.scheduler.scenario.run import run_file, run_on
from keizoku.scheduler.scenario.scratch_schema import ScratchSchema
from keizoku.terms.discretion import Discretion
from keizoku.terms.policy import Terms
from keizoku.terms.rules import Rules

SCENARIO = Path(__file__).parent / "premium-9.4.2-short-stop.yaml"
RULES = Rules(Terms.load(), Discretion())


@pytest.fixture
def kept_database(database_url: sa.URL | str, monkeypatch: pytest.MonkeyPatch) -> Iterator[sa.URL]:
    """The address of a database of scenarios that no other test knows; the first run makes it."""
    name = f"own_{uuid4().hex}"
    monkeypatch.setattr(kept_schema, "DATABASE", name)
    server = make_engine(database_url).execution_options(isolation_level="AUTOCOMMIT")
    with server.connect() as session:
        if session.scalar(sa.text("SELECT current_setting('cluster_name')")) != CLUSTER_NAME:
            pytest.skip("schemas last on the embedded server only")
        yield sa.make_url(database_url).set(database=name)
        session.exec_driver_sql(f"DROP DATABASE IF EXISTS {name}")


def schemas(address: sa.URL) -> dict[str, str]:
    """Every schema that a run left, with the release of its tables; once nobody is connected any more."""
    with psycopg.connect(libpq_address(address), autocommit=True) as connection:
        patience = time.monotonic() + 20
        while connection.execute(
            "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend' "
            "AND pid <> pg_backend_pid()"
        ).fetchall():
            assert time.monotonic() < patience, "somebody stays connected"
            time.sleep(0.005)
        return dict(
            connection.execute(
                "SELECT nspname, obj_description(oid, 'pg_namespace') FROM pg_namespace WHERE nspname LIKE 'scratch_%'"
            ).fetchall()
        )


def test_the_next_run_finds_the_tables_of_the_last_one_as_new(database_url: sa.URL, kept_database: sa.URL) -> None:
    first = run_file(SCENARIO, database_url)
    [(name, release)] = schemas(kept_database).items()
    with ScratchSchema(database_url) as scratch:
        session = scratch.services(RULES).session
        assert scratch.schema == name
        tables = session.scalars(
            sa.text(
                "SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'"
            )
        ).all()
        assert {name: session.scalar(sa.text(f"SELECT count(*) FROM {name}")) for name in tables} == dict.fromkeys(
            tables, 0
        )
        begun = "SELECT count(*) FROM pg_sequences WHERE schemaname = current_schema() AND last_value IS NOT NULL"
        assert session.scalar(sa.text(begun)) == 0
        planned_for = "SELECT count(*) FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND "
        assert session.scalar(sa.text(planned_for + "relkind IN ('r', 'i') AND reltuples >= 0")) == 0
        assert session.scalar(sa.text(planned_for + "relkind = 'r' AND pg_relation_size(oid) > 0")) == 0
        with pytest.raises(sa.exc.DBAPIError):  # the guards stand
            session.exec_driver_sql("INSERT INTO line (entry_id, seq, code, yen) VALUES (1, 1, '111', 1)")
        session.rollback()
        assert run_on(scratch, SCENARIO) == first
    assert schemas(kept_database) == {name: release}


def test_two_at_once_have_a_schema_each(database_url: sa.URL, kept_database: sa.URL) -> None:
    with ScratchSchema(database_url) as one, ScratchSchema(database_url) as other:
        assert one.services(RULES).session is not other.services(RULES).session
        assert {one.schema, other.schema} == {"scratch_0", "scratch_1"}
        assert run_on(one, SCENARIO).passed
        assert run_on(other, SCENARIO).passed


def test_tables_of_another_release_are_made_anew(database_url: sa.URL, kept_database: sa.URL) -> None:
    with ScratchSchema(database_url) as scratch:
        scratch.services(RULES)
    made = schemas(kept_database)
    with make_engine(kept_database).connect() as session:
        session.exec_driver_sql("COMMENT ON SCHEMA scratch_0 IS 'an earlier one'")
        session.exec_driver_sql("DROP TABLE scratch_0.line CASCADE")
        session.commit()
    assert run_file(SCENARIO, database_url).passed
    assert schemas(kept_database) == made


def test_of_a_killed_run_the_last_statement_is_waited_for_elsewhere(
    database_url: sa.URL, kept_database: sa.URL
) -> None:
    with ScratchSchema(database_url) as scratch:
        scratch.services(RULES)
    assert list(schemas(kept_database)) == ["scratch_0"]
    # its claim is gone with it, its other connection still writes
    writes = make_engine(kept_database.update_query_dict({"application_name": "keizoku scratch_0"}), schema="scratch_0")
    with writes.connect() as session:
        session.exec_driver_sql("INSERT INTO account (id, created_at) VALUES ('left', now())")
        with ScratchSchema(database_url) as scratch:
            scratch.services(RULES)
            assert scratch.schema == "scratch_1"
        session.commit()
    schemas(kept_database)
    with ScratchSchema(database_url) as scratch:
        session = scratch.services(RULES).session
        assert scratch.schema == "scratch_0"
        assert session.scalar(sa.text("SELECT count(*) FROM account")) == 0


def test_on_any_other_server_nothing_is_left_behind(
    database_url: sa.URL, kept_database: sa.URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_schema, "CLUSTER_NAME", "another")
    with ScratchSchema(database_url) as scratch:
        scratch.services(RULES)
        assert scratch.schema.startswith("scenario_")
    with make_engine(database_url).connect() as session:
        found = session.scalars(
            sa.text("SELECT nspname FROM pg_namespace WHERE nspname = :name"), {"name": scratch.schema}
        )
        assert found.all() == []
        named = sa.text("SELECT count(*) FROM pg_database WHERE datname = :name")
        assert session.scalar(named, {"name": kept_database.database}) == 0


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="the system has no word for it")
def test_a_scenario_and_its_server_take_turns_on_a_processor_of_their_own(
    database_url: sa.URL, kept_database: sa.URL
) -> None:
    assert kept_database.database
    usual = os.sched_getaffinity(0)
    with ScratchSchema(database_url) as one, ScratchSchema(database_url) as other:
        for number, scratch in enumerate((one, other)):
            session = scratch.services(RULES).session
            with scratch.alternating():
                assert os.sched_getaffinity(0) == {sorted(usual)[number % len(usual)]}
                assert os.sched_getaffinity(backend_of(session)) == os.sched_getaffinity(0)
            assert os.sched_getaffinity(0) == usual
