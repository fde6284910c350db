"""Who may do what in the database: five roles, each with no more than its work needs.

    NAME_worker    reads all but tokens; adds rows; changes the few columns that may change; removes nothing
    NAME_finance   reads all, but tokens and the hashes of codes; adds only that it read an account
    NAME_support   reads the same; adds evidence, claims and rulings (append-only tables)
    NAME_tokens    reads, adds and destroys the sealed tokens of the linked service; nothing else. It is given beside
                   `worker` to the one login that talks to the partner, and to the one that makes the backups.
    NAME_member    reads views of the rows of one account, that of the session which is said (`members/views.py`);
                   no table

None of them owns a table, so none can disable the guards. They are roles without login: grant them to the logins
of people and machines. Applying them again changes nothing; several schemas may be named.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final

import sqlalchemy as sa
from psycopg import sql
from sqlalchemy.exc import ProgrammingError

from keizoku.db.members.views import member_schema, member_view_statements
from keizoku.db.session import DatabaseError, RightError, Session, driver_cursor
from keizoku.db.tables import metadata
from keizoku.db.tables.changing import LOCKED, changing_columns

NAMES = ("worker", "finance", "support", "tokens", "member")
SECRETS: Final[Mapping[str, frozenset[str]]] = {
    "api_key": frozenset({"digest"}),
    "code": frozenset({"digest"}),
    "code_batch": frozenset({"salt"}),
    "webhook_secret": frozenset({"sealed"}),
    "sign_in_link": frozenset({"digest"}),
    "web_session": frozenset({"digest", "begun_by"}),
}
"""Columns that would help to guess codes and keys, by table; the rest of these rows is no secret."""
TOKENS_ALONE: Final = frozenset({"link_secret"})
"""Tables of the role `tokens`, which no other role reads, adds to or changes."""
SUPPORT_ADDS = frozenset(
    {
        "incident",
        "maintenance_notice",
        "notice_issue",
        "notice_publication",
        "notice_sighting",
        "interruption",
        "environment_ruling",
        "observation",
        "observation_arrival",
        "population",
        "claim_form_outage",
        "evidence_import",
        "outage_count",
        "unknown_time",
        "unknown_ruling",
        "month_to_review",
        "alternative_consent",
        "alternative_outcome",
        "claim_late_grant",
        "claim",
        "claim_ruling",
        "act_key",
        "claim_withdrawal",
        "event_batch",
        "account_read",
        "member_file",
        "sign_in_link",
        "http_request",
        "proposal",
        "proposal_decision",
    }
)
FINANCE_ADDS: Final = frozenset({"account_read"})
"""That it read an account."""
VERSION_TABLE = "alembic_version"
RELEASE_TABLE = "schema_release"
"""Written by the tables' owner alone, when it upgrades them."""

Columns = tuple[str, ...]
"""Names of columns; none: the whole table."""


OWNER_ADDS: Final = frozenset({RELEASE_TABLE, "restoration"})
"""Written by upgrades and restores, which the owner runs; a row of `restoration` would hold every charge and refund."""


def privileges() -> Mapping[str, Mapping[str, Mapping[str, Columns]]]:
    """role -> privilege (SELECT, INSERT, UPDATE) -> table -> the columns that it is for (none named: all of them)."""
    tables = sorted(set(metadata.tables) - TOKENS_ALONE)
    whole: dict[str, Columns] = dict.fromkeys([*tables, VERSION_TABLE], ())
    readable = whole | {
        table: tuple(column.name for column in metadata.tables[table].columns if column.name not in secret)
        for table, secret in SECRETS.items()
    }
    sealed: dict[str, Columns] = dict.fromkeys(sorted(TOKENS_ALONE), ())
    may_change = {table: columns for table in tables if (columns := changing_columns(table))}
    return {
        "worker": {
            "SELECT": whole,
            "INSERT": dict.fromkeys((table for table in tables if table not in OWNER_ADDS), ()),
            "UPDATE": may_change | {table: (column,) for table, column in LOCKED.items()},
        },
        "finance": {"SELECT": readable, "INSERT": dict.fromkeys(sorted(FINANCE_ADDS), ()), "UPDATE": {}},
        "support": {"SELECT": readable, "INSERT": dict.fromkeys(sorted(SUPPORT_ADDS), ()), "UPDATE": {}},
        "tokens": {
            "SELECT": sealed,
            "INSERT": sealed,
            "UPDATE": {table: changing_columns(table) for table in sorted(TOKENS_ALONE)},
        },
        "member": {"SELECT": {}, "INSERT": {}, "UPDATE": {}},
    }


def may_add(session: Session, table: sa.Table) -> bool:
    """Whether the session's login may add rows to this table."""
    return bool(session.scalar(sa.select(sa.func.has_table_privilege(table.name, "INSERT"))))


def want_to_add(session: Session, table: sa.Table) -> None:
    """Raises RightError, which names the role, where the session's login may not add rows to this table."""
    if not may_add(session, table):
        refusal = f"permission denied for table {table.name}"
        raise RightError(f"the login may not do this in the database: {refusal}; {remedy_for(refusal, None)}")


_OF_TABLE = re.compile(r"\bpermission denied for (?:table|sequence) (\w+)")
_LOCKS = re.compile(r"\bFOR (?:NO KEY )?(?:UPDATE|SHARE)\b")


def remedy_for(refusal: str, statement: str | None) -> str:
    """Who may do what the database refused: `refusal` are its words, `statement` the SQL (None: rows were added)."""
    roles = _roles_for(refusal, (statement or "INSERT").lstrip())
    if not roles:
        return "only the owner of the tables may: `keizoku db roles` gives every other login its role"
    return f"it needs the role {' or '.join(roles)}: `keizoku db roles` makes it, the tables' owner grants it"


def _roles_for(refusal: str, statement: str) -> list[str]:
    found = _OF_TABLE.search(refusal)
    if found is None:
        return []
    named = found[1]
    verb = statement.split(maxsplit=1)[0].upper() if statement else ""
    wanted = "UPDATE" if verb == "SELECT" and _LOCKS.search(statement) else verb if verb != "COPY" else "INSERT"
    given = privileges()
    for privilege in (wanted, "INSERT", "SELECT"):
        may = [role for role in NAMES if _owner_of(named) in given[role].get(privilege, {})]
        if privilege == "SELECT":
            may = [role for role in may if not given[role]["SELECT"][_owner_of(named)]]
        if may:
            return may
    return []


def _owner_of(named: str) -> str:
    """The table that a table or one of its sequences is."""
    return next((table for table in sorted(metadata.tables, key=len, reverse=True) if named.startswith(table)), named)


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
                    if name != "member":
                        for statement in _grants(schema, role, privileges()[name]):
                            cursor.execute(statement)
                if not _exists(session, "pg_namespace", "nspname", member_schema(schema)):
                    cursor.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(member_schema(schema))))
                for statement in member_view_statements(schema, roles["member"]):
                    cursor.execute(statement)
    except ProgrammingError as error:
        session.rollback()
        raise DatabaseError(f"the privileges were not given: {' '.join(str(error.orig).split())}") from error
    except sa.exc.DBAPIError:
        session.rollback()
        raise
    session.commit()
    return list(roles.values())


def _grants(schema: str, role: str, wanted: Mapping[str, Mapping[str, Columns]]) -> list[sql.Composed]:
    """Revoke everything, then grant what is needed: the result is the same whatever was granted before."""
    where, who = sql.Identifier(schema), sql.Identifier(role)
    statements = [
        sql.SQL("REVOKE ALL ON ALL TABLES IN SCHEMA {} FROM {}").format(where, who),
        sql.SQL("REVOKE ALL ON ALL SEQUENCES IN SCHEMA {} FROM {}").format(where, who),
        sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(where, who),
    ]
    for privilege, tables in wanted.items():
        word = sql.SQL(privilege)
        whole = [table for table, columns in tables.items() if not columns]
        if whole:
            listed = sql.SQL(", ").join(sql.Identifier(schema, table) for table in sorted(whole))
            statements.append(sql.SQL("GRANT {} ON {} TO {}").format(word, listed, who))
        for table, columns in sorted(tables.items()):
            if columns:
                named = sql.SQL(", ").join(map(sql.Identifier, columns))
                on = sql.Identifier(schema, table)
                statements.append(sql.SQL("GRANT {} ({}) ON {} TO {}").format(word, named, on, who))
    if wanted["INSERT"].keys() - FINANCE_ADDS:  # an identity column draws its own number
        # whoever reads every table whole makes the backups, and a dump reads sequences
        right = "USAGE" if any(wanted["SELECT"].values()) else "USAGE, SELECT"
        statements.append(sql.SQL("GRANT {} ON ALL SEQUENCES IN SCHEMA {} TO {}").format(sql.SQL(right), where, who))
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
