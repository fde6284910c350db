"""Each role can do its work and nothing beyond it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import ProgrammingError

from keizoku.db.migrate import upgrade
from keizoku.db.roles import NAMES, SUPPORT_ADDS, apply_roles, privileges
from keizoku.db.session import DatabaseError, Session
from keizoku.db.tables import metadata
from keizoku.db.tables.guards import APPEND_ONLY
from tests import role_tables
from tests.worlds.world import FIRST_NIGHT, live, open_world, services_on

NOW = datetime(2026, 4, 1, tzinfo=UTC)


@pytest.fixture
def prefix(engine_for_schema: Callable[[], sa.Engine]) -> Iterator[str]:
    """Roles belong to the whole server: names of our own, removed afterwards."""
    name = f"k{uuid.uuid4().hex[:10]}"
    yield name
    with engine_for_schema().connect() as session:
        for role in session.scalars(sa.text("SELECT rolname FROM pg_roles WHERE rolname LIKE :p"), {"p": f"{name}%"}):
            session.exec_driver_sql(f"DROP OWNED BY {role}")
            session.exec_driver_sql(f"DROP ROLE {role}")
        session.commit()


@contextmanager
def acting_as(session: Session, role: str) -> Iterator[None]:
    session.exec_driver_sql(f"SET ROLE {role}")
    try:
        yield
    finally:
        session.rollback()
        session.exec_driver_sql("RESET ROLE")
        session.commit()


def _given(session: Session, role: str) -> set[tuple[str, str, str]]:
    """Every right that the database grants on our tables: (privilege, table, column or "" for the whole table)."""
    rows = session.execute(
        sa.text(
            """
            SELECT acl.privilege_type, c.relname, '' FROM pg_class c, aclexplode(c.relacl) acl
            WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r' AND acl.grantee = :role ::regrole
            UNION ALL
            SELECT acl.privilege_type, c.relname, a.attname
            FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid, aclexplode(a.attacl) acl
            WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r' AND acl.grantee = :role ::regrole
            """
        ),
        {"role": role},
    )
    return {(privilege, table, column) for privilege, table, column in rows}


def _wanted(role: str) -> set[tuple[str, str, str]]:
    return {
        (privilege, table, column)
        for privilege, tables in privileges()[role].items()
        for table, columns in tables.items()
        for column in columns or ("",)
    }


def test_each_role_has_just_its_privileges_in_every_schema_however_often_they_are_given(
    engine_for_schema: Callable[[], sa.Engine], prefix: str
) -> None:
    with engine_for_schema().connect() as first, engine_for_schema().connect() as second:
        for session in (first, second):
            upgrade(session)
        schemas = [str(each.exec_driver_sql("SELECT current_schema()").scalar_one()) for each in (first, second)]
        for _ in range(2):
            made = apply_roles(first, schemas, prefix)
        assert made == [f"{prefix}_{name}" for name in ("worker", "finance", "support", "tokens", "member")]
        for session in (first, second):
            for role, name in zip(made, NAMES, strict=True):
                assert _given(session, role) == _wanted(name)
        with pytest.raises(DatabaseError, match="there is no schema nowhere"):
            apply_roles(first, ["nowhere"], prefix)


def test_what_a_role_is_not_given_the_database_refuses(engine_for_schema: Callable[[], sa.Engine], prefix: str) -> None:
    with engine_for_schema().connect() as session:
        upgrade(session)
        worker, finance, support, tokens, member = apply_roles(session, (), prefix)
        schema = session.exec_driver_sql("SELECT current_schema()").scalar_one()
        insert_account = sa.insert(metadata.tables["account"]).values(id="taro", created_at=NOW)
        refused = (
            (worker, sa.text("DELETE FROM invoice")),
            (worker, sa.text("UPDATE entry SET event = 'x'")),
            (worker, sa.text("ALTER TABLE line DISABLE TRIGGER ALL")),
            (worker, sa.text("DROP TABLE stage_run")),
            # one row would hold every charge and refund for good
            (worker, sa.text("INSERT INTO restoration SELECT * FROM restoration")),
            (worker, sa.text("SELECT * FROM link_secret")),
            (worker, sa.text("INSERT INTO link_secret SELECT * FROM link_secret")),
            (worker, sa.text("UPDATE link_secret SET sealed = NULL")),
            (finance, sa.text("SELECT id FROM link_secret")),
            (support, sa.text("SELECT id FROM link_secret")),
            (tokens, sa.text("SELECT * FROM link_token")),
            (tokens, sa.text("UPDATE link_secret SET kind = 'access'")),
            (tokens, insert_account),
            (member, sa.text(f"SELECT * FROM {schema}.invoice")),
            (member, sa.text(f"SELECT digest FROM {schema}.web_session")),
            (member, sa.text(f"INSERT INTO {schema}.account SELECT * FROM {schema}.account")),
            (member, sa.text(f"UPDATE {schema}_member.account SET id = 'x'")),
            (member, sa.text(f"INSERT INTO {schema}_member.account (id, created_at) VALUES ('x', now())")),
            (finance, insert_account),
            (finance, sa.text("SELECT * FROM code")),
            (support, insert_account),
            (support, sa.text("SELECT * FROM code_batch")),
            (support, sa.text("UPDATE claim SET account = 'x'")),
        )
        for role, statement in refused:
            with acting_as(session, role), pytest.raises(ProgrammingError, match=r"permission denied|must be owner"):
                session.execute(statement)
        claim = sa.insert(metadata.tables["claim"]).values(
            id="c1", account="taro", month="2026-04", received_at=NOW, recorded_at=NOW
        )
        for role, statement in (
            (worker, insert_account),
            (support, claim),
            (finance, sa.text("TABLE entry")),
            (tokens, sa.text("UPDATE link_secret SET sealed = NULL, destroyed_at = now()")),
        ):
            with acting_as(session, role):
                session.execute(statement)


def test_the_worker_role_can_run_nights(engine_for_schema: Callable[[], sa.Engine], prefix: str) -> None:
    engine = engine_for_schema()
    with engine.connect() as session:
        upgrade(session)
        worker, *_ = apply_roles(session, (), prefix)
    with services_on(engine) as services:
        open_world(services)
        services.session.exec_driver_sql(f"SET ROLE {worker}")
        services.session.commit()
        nights = live(services, FIRST_NIGHT + timedelta(days=6))
        services.session.exec_driver_sql("RESET ROLE")
        services.session.commit()
    assert {night.certificate for night in nights} == {"ok"}
    assert sum(night.changes for night in nights) > 0


def test_an_account_that_may_not_make_roles_is_told_what_an_administrator_has_to_run(
    engine_for_schema: Callable[[], sa.Engine], prefix: str
) -> None:
    with engine_for_schema().connect() as session:
        upgrade(session)
        schema = session.exec_driver_sql("SELECT current_schema()").scalar_one()
        session.exec_driver_sql(f"CREATE ROLE {prefix}_plain NOLOGIN")
        session.exec_driver_sql(f"GRANT USAGE ON SCHEMA {schema} TO {prefix}_plain")
        session.commit()
        session.exec_driver_sql(f"SET ROLE {prefix}_plain")
        session.commit()
        with pytest.raises(DatabaseError, match=f"CREATE ROLE {prefix}_worker NOLOGIN;.*and then this command again"):
            apply_roles(session, (), prefix)
        session.exec_driver_sql("RESET ROLE")
        session.commit()


def test_support_adds_to_append_only_tables_and_no_others() -> None:
    assert set(APPEND_ONLY) >= SUPPORT_ADDS
    assert set(metadata.tables) >= SUPPORT_ADDS


def test_the_page_on_security_says_what_the_roles_have() -> None:
    page = role_tables.PAGE.read_text(encoding="utf-8")
    assert role_tables.written(page) == page, "python -m tests.role_tables"
