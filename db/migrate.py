"""From an empty database to the tables of this release, and which revision a database has.

`upgrade` runs the migrations, one after the other, in the schema of the session; the version table is in
that schema too. `create_all` makes the same tables at once for short-lived schemas (scenarios, tests); a test holds
the two equal. A released migration is never edited: a change of the tables is a new revision.
"""

from __future__ import annotations

import functools
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.sql.ddl import ExecutableDDLElement

from keizoku.db.session import DatabaseError, Session, driver_cursor

if TYPE_CHECKING:
    from alembic.config import Config

__all__ = ["create_all", "current_revision", "ddl_script", "head_revision", "scripts", "upgrade"]

_SCRIPTS = Path(__file__).parent / "migrations"


def create_all(session: Session) -> None:
    """Every table and guard in the session's (empty) schema, in one statement; the caller commits."""
    with driver_cursor(session) as cursor:
        cursor.execute(ddl_script().encode())


@functools.cache
def ddl_script() -> str:
    """The SQL that makes every table, index and guard, as the tables declare them now."""
    from keizoku.db.tables import metadata

    statements: list[str] = []
    ordered: list[str] = []

    def note(element: ExecutableDDLElement, *_: object, **__: object) -> None:
        statements.append(str(element.compile(dialect=engine.dialect)).strip())

    # the usual style of parameters, %(name)s, would double every percent sign
    engine = sa.create_mock_engine("postgresql+psycopg://", note, paramstyle="named")
    metadata.create_all(engine, checkfirst=False)
    # a table's indexes have no fixed order: sorted, the script is the same every time
    for is_index, run in groupby(statements, key=lambda statement: " INDEX " in statement.split("(")[0]):
        block = list(run)
        ordered.extend(sorted(block) if is_index else block)
    return "".join(f"{statement};\n\n" for statement in ordered)


def upgrade(session: Session) -> None:
    """Run every migration that the session's schema lacks, in one transaction, and commit.

    Of two calls at once the second waits for the first and finds nothing to do. Raises DatabaseError for a schema that
    a later release made.
    """
    from alembic import command

    session.rollback()
    lock = "hashtextextended('keizoku/migrate/' || current_schema(), 0)"
    session.exec_driver_sql(f"SELECT pg_advisory_xact_lock({lock})")
    config = scripts()
    config.attributes["session"] = session
    try:
        _check_known(current_revision(session))
        command.upgrade(config, "head")
    except BaseException:
        session.rollback()
        raise
    session.commit()


def _check_known(revision: str | None) -> None:
    from alembic.script import ScriptDirectory

    known = {script.revision for script in ScriptDirectory.from_config(scripts()).walk_revisions()}
    if revision is not None and revision not in known:
        raise DatabaseError(
            f"the database is at revision {revision}, which this release does not know: use the release that made it"
        )


def current_revision(session: Session) -> str | None:
    """The revision of the session's schema; None: no migration was run there."""
    from alembic.runtime.migration import MigrationContext

    return MigrationContext.configure(session).get_current_revision()


def head_revision() -> str:
    """The revision that this release needs."""
    from alembic.script import ScriptDirectory

    head = ScriptDirectory.from_config(scripts()).get_current_head()
    if head is None:
        raise LookupError("this release has no migrations")
    return head


def scripts() -> Config:
    """Where Alembic finds the migrations."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    return config
