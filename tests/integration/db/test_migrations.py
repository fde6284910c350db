"""What the migrations build is what the tables declare."""

from collections.abc import Callable

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from keizoku.db.migrate import create_all, current_revision, head_revision, scripts, upgrade
from keizoku.db.session import Session
from keizoku.db.tables import metadata

REWRITE = (
    "before the first release: python -m tests.release_schema; after it: a new revision (docs/explanation/schema.md)"
)

CATALOG = {
    "columns": """
        SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity,
               a.attgenerated, pg_get_expr(d.adbin, d.adrelid)
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
        LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm')
          AND a.attnum > 0 AND NOT a.attisdropped""",
    "constraints": """
        SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid)
        FROM pg_constraint WHERE connamespace = current_schema()::regnamespace""",
    "indexes": "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = current_schema()",
    "triggers": """
        SELECT tgname, pg_get_triggerdef(t.oid) FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
        WHERE c.relnamespace = current_schema()::regnamespace AND NOT tgisinternal""",
    "functions": """
        SELECT proname, pg_get_functiondef(oid) FROM pg_proc
        WHERE pronamespace = current_schema()::regnamespace""",
    "views": "SELECT viewname, definition FROM pg_views WHERE schemaname = current_schema()",
    "relations": """
        SELECT relname, relkind, relpersistence, reloptions::text FROM pg_class
        WHERE relnamespace = current_schema()::regnamespace""",
}


def catalog(session: Session) -> dict[str, list[tuple[str, ...]]]:
    """All that a schema holds, but the version table, without the schema's own name."""
    schema = session.exec_driver_sql("SELECT current_schema()").scalar_one()
    found = {}
    for kind, query in CATALOG.items():
        rows = [tuple(str(value).replace(f"{schema}.", "") for value in row) for row in session.exec_driver_sql(query)]
        found[kind] = sorted(row for row in rows if not any("alembic_version" in value for value in row[:2]))
    return found


def test_migrations_build_what_the_tables_declare(engine_for_schema: Callable[[], sa.Engine]) -> None:
    with engine_for_schema().connect() as declared, engine_for_schema().connect() as migrated:
        create_all(declared)
        upgrade(migrated)
        expected, found = catalog(declared), catalog(migrated)
        assert all(expected[kind] for kind in ("columns", "constraints", "indexes", "triggers", "functions"))
        for kind, rows in expected.items():
            assert found[kind] == rows, REWRITE
        context = MigrationContext.configure(migrated, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == [], REWRITE


def test_an_upgrade_that_was_done_is_done_no_more_and_keeps_the_rows(
    engine_for_schema: Callable[[], sa.Engine],
) -> None:
    with engine_for_schema().connect() as session:
        assert current_revision(session) is None
        upgrade(session)
        assert current_revision(session) == head_revision()
        session.execute(metadata.tables["account"].insert().values(id="A", created_at=sa.func.now()))
        session.commit()
        before = catalog(session)
        upgrade(session)
        assert catalog(session) == before
        assert session.execute(sa.select(metadata.tables["account"].c.id)).scalars().all() == ["A"]


def test_a_schema_is_upgraded_alone(engine_for_schema: Callable[[], sa.Engine]) -> None:
    with engine_for_schema().connect() as first, engine_for_schema().connect() as second:
        upgrade(first)
        assert current_revision(second) is None
        assert not any(catalog(second).values())


def test_revisions_are_one_line_without_branches() -> None:
    found = ScriptDirectory.from_config(scripts())
    assert found.get_heads() == [head_revision()]
    assert [script.revision for script in found.walk_revisions()][-1] == "0001"
