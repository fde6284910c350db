"""The schema in which the tables lie: one for library and command line (the setting `database_schema`).

A connection sees it through its search path, so tables are never written with a schema's name.
"""

import sqlalchemy as sa

from keizoku.db.session import DatabaseError, Session
from keizoku.limits import SCHEMA_NAME

__all__ = ["make_schema", "others", "schema_of"]

_OTHERS = sa.text(
    "SELECT n.nspname FROM pg_namespace n WHERE n.nspname IS DISTINCT FROM current_schema() "
    "AND EXISTS (SELECT FROM pg_class WHERE relnamespace = n.oid AND relname = 'alembic_version') "
    "AND EXISTS (SELECT FROM pg_class WHERE relnamespace = n.oid AND relname = 'schema_release') ORDER BY 1"
)


def schema_of(session: Session) -> str:
    """The schema that the session's search path means, whether it is there yet or not."""
    found, path = session.exec_driver_sql("SELECT current_schema(), current_setting('search_path')").one()
    return str(found if found is not None else path.split(",")[0].strip().strip('"'))


def make_schema(session: Session, schema: str) -> None:
    """Make it, where it is not there, in the session's transaction. Raises DatabaseError for a name we do not make."""
    there = sa.text("SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = :schema)")
    if session.execute(there, {"schema": schema}).scalar_one():
        return
    if not SCHEMA_NAME.fullmatch(schema):
        raise DatabaseError(f"the search path leads to no schema: {schema!r} is not there")
    session.exec_driver_sql(f"CREATE SCHEMA {schema}")


def others(session: Session) -> list[str]:
    """Schemas of the same database, other than the session's, in which a Keizoku lives."""
    return [str(name) for name in session.scalars(_OTHERS)]
