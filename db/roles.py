"""Who may do what in the database: three roles, each with no more than its work needs.

    NAME_worker    reads all; adds rows; changes only tables that have columns which may change; removes nothing
    NAME_finance   reads all, but the hashes of codes
    NAME_support   reads all, but the hashes of codes; adds evidence, claims and rulings (append-only tables)

None of them owns a table, so none can disable the guards. They are roles without login: grant them to the logins
of people and machines. Applying them again changes nothing; several schemas may be named.
"""

from collections.abc import Mapping, Sequence

import sqlalchemy as sa
from psycopg import sql
from sqlalchemy.exc import ProgrammingError

from keizoku.db.session import DatabaseError, Session, driver_cursor
from keizoku.db.tables import metadata
from keizoku.db.tables.guards import APPEND_ONLY

NAMES = ("worker", "finance", "support")
SECRETS = frozenset({"code", "code_batch"})
"""Tables whose rows would help to guess codes."""
SUPPORT_ADDS = frozenset(
    {
        "incident",
        "maintenance_notice",
        "interruption",
        "environment_ruling",
        "observation",
        "population",
        "claim_form_outage",
        "evidence_import",
        "outage_count",
        "unknown_time",
        "unknown_ruling",
        "month_to_review",
        "alternative_consent",
        "claim",
        "claim_ruling",
        "claim_withdrawal",
    }
)
VERSION_TABLE = "alembic_version"
RELEASE_TABLE = "schema_release"
"""Written by the tables' owner alone, when it upgrades them."""


def privileges() -> Mapping[str, Mapping[str, frozenset[str]]]:
    """role -> privilege (SELECT, INSERT, UPDATE) -> tables."""
    tables = frozenset(metadata.tables)
    readable = (tables - SECRETS) | {VERSION_TABLE}
    return {
        "worker": {
            "SELECT": tables | {VERSION_TABLE},
            "INSERT": tables - {RELEASE_TABLE},
            "UPDATE": tables - frozenset(APPEND_ONLY),
        },
        "finance": {"SELECT": readable, "INSERT": frozenset(), "UPDATE": frozenset()},
        "support": {"SELECT": readable, "INSERT": SUPPORT_ADDS, "UPDATE": frozenset()},
    }


def apply_roles(session: Session, schemas: Sequence[str] = (), prefix: str = "keizoku") -> list[str]:
    """Make the roles that are missing and give them their privileges in each schema; the roles' names. Commits.

    Without schemas: the session's own. Raises DatabaseError, with what an administrator has to run, where our own
    account may not make roles or does not own the tables.
    """
    named = list(schemas) or [str(session.exec_driver_sql("SELECT current_schema()").scalar_one())]
    roles = {name: f"{prefix}_{name}" for name in NAMES}
    missing = [role for role in roles.values() if not _exists(session, "pg_roles", "rolname", role)]
    for schema in named:
        if not _exists(session, "pg_namespace", "nspname", schema):
            raise DatabaseError(f"there is no schema {schema} in this database")
    if missing and not _may_make_roles(session):
        session.rollback()
        wanted = " ".join(f"CREATE ROLE {role} NOLOGIN;" for role in missing)
        raise DatabaseError(
            f"our account may not make roles (it lacks CREATEROLE); let an administrator run: {wanted} "
            "and then this command again"
        )
    try:
        with driver_cursor(session) as cursor:
            for role in missing:
                cursor.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(role)))
            for schema in named:
                for name, role in roles.items():
                    for statement in _grants(schema, role, privileges()[name]):
                        cursor.execute(statement)
    except ProgrammingError as error:
        session.rollback()
        raise DatabaseError(f"the privileges were not given: {' '.join(str(error.orig).split())}") from error
    except sa.exc.DBAPIError:
        session.rollback()
        raise
    session.commit()
    return list(roles.values())


def _grants(schema: str, role: str, wanted: Mapping[str, frozenset[str]]) -> list[sql.Composed]:
    """Revoke everything, then grant what is needed: the result is the same whatever was granted before."""
    where, who = sql.Identifier(schema), sql.Identifier(role)
    statements = [
        sql.SQL("REVOKE ALL ON ALL TABLES IN SCHEMA {} FROM {}").format(where, who),
        sql.SQL("REVOKE ALL ON ALL SEQUENCES IN SCHEMA {} FROM {}").format(where, who),
        sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(where, who),
    ]
    for privilege, tables in wanted.items():
        if tables:
            listed = sql.SQL(", ").join(sql.Identifier(schema, table) for table in sorted(tables))
            statements.append(sql.SQL("GRANT {} ON {} TO {}").format(sql.SQL(privilege), listed, who))
    if wanted["INSERT"]:
        statements.append(sql.SQL("GRANT USAGE ON ALL SEQUENCES IN SCHEMA {} TO {}").format(where, who))
    return statements


def _exists(session: Session, catalog: str, column: str, value: str) -> bool:
    found = session.execute(sa.text(f"SELECT 1 FROM {catalog} WHERE {column} = :value"), {"value": value})  # noqa: S608
    return found.first() is not None


def _may_make_roles(session: Session) -> bool:
    return bool(
        session.exec_driver_sql(
            "SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user"
        ).scalar_one()
    )
