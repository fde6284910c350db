"""From an empty database to the tables of this release: the plan of an upgrade, and the upgrade.

`upgrade` runs the migrations, one after the other, in the schema of the session, in one transaction; the version table
is in that schema too. `create_all` makes the same tables at once for short-lived schemas (scenarios, tests); a test
holds the two equal. A released migration is never edited: a change of the tables is a new revision
(docs/explanation/schema.md).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Final

import psycopg
import sqlalchemy as sa
from sqlalchemy.sql.ddl import ExecutableDDLElement

from keizoku.db.failures import failure_of
from keizoku.db.locks import try_leader_lock_until_commit
from keizoku.db.members.views import drop_member_views
from keizoku.db.releases import OURS, Migrations, Step
from keizoku.db.schemas import make_schema, schema_of
from keizoku.db.session import DatabaseError, Session, driver_cursor
from keizoku.db.shape import differences_on
from keizoku.db.standing import Standing, check_untouched, standing

if TYPE_CHECKING:
    from alembic.config import Config

__all__ = ["Plan", "create_all", "current_revision", "ddl_script", "head_revision", "plan", "scripts", "upgrade"]

_BUSY: Final = {
    "worker": "a worker leads on this database: stop all workers, then upgrade",
    "night": "a night is running on this database: wait for its end, then upgrade",
    "bank": "a file of the bank is being imported: wait for its end, then upgrade",
}
"""The locks of those who write for long, and what is said where one is held."""

_LOCK_SECONDS: Final = 60
"""How long a step waits for a session that still uses a table."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What an upgrade does: from where to where, and by which steps; none: nothing."""

    standing: Standing
    to_revision: str
    to_release: str
    steps: tuple[Step, ...]


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


def plan(session: Session, migrations: Migrations = OURS) -> Plan:
    """What `upgrade` would do; what is open in the session stays open.

    Raises DatabaseError, in one line, for tables that cannot be upgraded: those of a later release, of an unknown
    build, or changed by hand.
    """
    found = standing(session, migrations)
    if found.state not in ("empty", "behind", "current"):
        raise DatabaseError(found.complaint or found.state)
    steps = migrations.after(found.revision)
    if found.revision is not None:
        check_untouched(session, migrations, found.revision)
    return Plan(found, migrations.head, migrations.release, steps)


def upgrade(session: Session, migrations: Migrations = OURS) -> Plan:
    """Run every migration that the session's schema has not had, in one transaction, and commit; what was done.

    A schema that is not there is made. Two at once: the second waits for the first and finds nothing to do. Raises
    DatabaseError, and nothing was changed, for what `plan` refuses, while a worker leads or a night runs, and for a
    step that fails.
    """
    session.rollback()
    schema = schema_of(session)
    lock = "hashtextextended('keizoku/migrate/' || CAST(:schema AS text), 0)"
    session.execute(sa.text(f"SELECT pg_advisory_xact_lock({lock})"), {"schema": schema})
    try:
        planned = plan(session, migrations)
        if planned.steps:
            make_schema(session, schema)
            _alone(session)
            _run(session, planned, migrations)
    except BaseException:
        session.rollback()
        raise
    session.commit()
    return planned


def _alone(session: Session) -> None:
    """Take the locks of those who write for long, to the end of the transaction. Raises DatabaseError."""
    for name, why in _BUSY.items():
        if not try_leader_lock_until_commit(session, name):
            raise DatabaseError(why)
    session.exec_driver_sql(f"SET LOCAL lock_timeout = '{_LOCK_SECONDS}s'")


def _run(session: Session, planned: Plan, migrations: Migrations) -> None:
    """The steps, their proof, and the row that says who made the tables."""
    from alembic import command

    config = scripts(migrations)
    config.attributes["session"] = session
    drop_member_views(session, schema_of(session))
    try:
        command.upgrade(config, migrations.head)
    except (sa.exc.DBAPIError, psycopg.Error) as error:  # a step may speak to the driver itself
        if failure_of(error) is not None:
            raise
        said = str(error.orig if isinstance(error, sa.exc.DBAPIError) else error).strip().splitlines()[0]
        raise DatabaseError(
            f"the upgrade to revision {migrations.head} failed and nothing was changed: {said}"
        ) from error
    wrong = differences_on(session, migrations.shape(migrations.head))
    if wrong:
        raise DatabaseError(
            f"the upgrade would not end in the tables of {migrations.head}, and nothing was changed: {wrong[0]}"
        )
    session.execute(
        sa.text(
            "INSERT INTO schema_release (release, revision, fingerprint, applied_at, by) "
            "VALUES (:release, :revision, :fingerprint, now(), session_user)"
        ),
        {
            "release": planned.to_release,
            "revision": planned.to_revision,
            "fingerprint": migrations.fingerprint(planned.to_revision),
        },
    )


def current_revision(session: Session) -> str | None:
    """The revision that the session's schema is at; None: no migration has been run there."""
    return standing(session).revision


def head_revision() -> str:
    """The revision that this release wants."""
    return OURS.head


def scripts(migrations: Migrations = OURS) -> Config:
    """Where Alembic finds the migrations."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(migrations.folder).replace("%", "%%"))
    return config
