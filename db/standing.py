"""Where a database stands: which release made its tables, whether they are those of this one, and who changed them.

    empty          no table of ours                            db upgrade makes them
    behind         a revision of an earlier release            db upgrade
    current        our revision, with our fingerprint          –
    newer          a release after this one made it            install that release
    unknown        a revision or a fingerprint that no release has, or tables without one: refused

Every command asks `check_current`, which reads one row. Whether people changed the tables since, `check_untouched`
looks up in the catalog: at every night that is run unattended or by a command, at `db check`, and before an upgrade.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import sqlalchemy as sa

from keizoku.db.releases import OURS, Migrations, newer
from keizoku.db.schemas import others, schema_of
from keizoku.db.session import DatabaseError, Session
from keizoku.db.shape import differences_on

__all__ = ["Standing", "State", "check_current", "check_untouched", "standing", "touched"]

State = Literal["empty", "behind", "current", "newer", "unknown"]

_PLACES = sa.text(
    "SELECT current_schema(), "
    "(SELECT relnamespace::regnamespace::text FROM pg_class WHERE oid = to_regclass('alembic_version')), "
    "(SELECT relnamespace::regnamespace::text FROM pg_class WHERE oid = to_regclass('schema_release')), "
    "EXISTS (SELECT FROM pg_proc WHERE proname = 'keizoku_append_only' "
    "AND pronamespace = current_schema()::regnamespace)"
)
_MADE_BY = sa.text(
    "SELECT version_num, release, schema_release.revision, fingerprint "
    "FROM (SELECT max(version_num) AS version_num FROM alembic_version) at "
    "LEFT JOIN (SELECT * FROM schema_release ORDER BY id DESC LIMIT 1) schema_release ON true"
)


@dataclass(frozen=True, slots=True)
class Standing:
    """What a database records about itself, compared with the migrations of a release."""

    schema: str
    state: State
    revision: str | None
    release: str | None
    fingerprint: str | None
    complaint: str | None
    """One line that says what is wrong and what to do; None where the tables are those of this release."""
    elsewhere: bool = False
    """It is empty, and another schema of the same database is not."""


def standing(session: Session, migrations: Migrations = OURS) -> Standing:
    """The standing of the session's schema; an open transaction stays open."""
    schema, version, release, tables = session.execute(_PLACES).one()
    named = schema_of(session) if schema is None else str(schema)
    if version is None:
        if tables:
            return _unknown(named, "holds tables of Keizoku that no `keizoku db upgrade` made")
        elsewhere = ", ".join(others(session))
        line = f"the database is empty, this release needs {migrations.head}: run `keizoku db upgrade`"
        if elsewhere:
            line = (
                f"the schema {named} is empty, but the schema {elsewhere} of the same database holds a Keizoku: name "
                "that one by KEIZOKU_DATABASE_SCHEMA (a second one beside it: `keizoku db upgrade --second`)"
            )
        return Standing(named, "empty", None, None, None, line, bool(elsewhere))
    if version != schema:
        line = f"the tables lie in schema {version} and the search path leads to {named} first: name their schema"
        return Standing(named, "unknown", None, None, None, line)
    if release != schema:
        old = session.exec_driver_sql("SELECT max(version_num) FROM alembic_version").scalar_one()
        if old is not None and not migrations.knows(old):
            return Standing(named, "unknown", str(old), None, None, _not_known(old))
        return _unknown(named, "was made by a build from before the first release", old)
    at, made_by, made, mark = session.execute(_MADE_BY).one()
    if at is None:
        return _unknown(named, "holds tables of Keizoku without a revision")
    return _judged(named, str(at), made_by if made == at else None, mark if made == at else None, migrations)


def _judged(schema: str, at: str, release: str | None, mark: str | None, migrations: Migrations) -> Standing:
    state: State = "unknown"
    line: str | None
    if not migrations.knows(at):
        if release is not None and newer(release, migrations.release):
            state = "newer"
            line = (
                f"the database was made by release {release} (revision {at}) and this is {migrations.release}, "
                f"which does not know it: install {release} or a later one"
            )
        else:
            line = _not_known(at)
    elif release is None or mark != migrations.fingerprint(at):
        line = (
            f"the database is at revision {at}, but with other tables than this release has there: a build from "
            f"before release {migrations.release_of(at)} made them; use that build, or restore into a new database"
        )
    elif at != migrations.head:
        state = "behind"
        line = (
            f"the database is at revision {at} (release {release}), this release, {migrations.release}, needs "
            f"{migrations.head}: run `keizoku db upgrade`"
        )
    else:
        state, line = "current", None
    return Standing(schema, state, at, release, mark, line)


def _unknown(schema: str, what: str, revision: str | None = None) -> Standing:
    line = f"the schema {schema} {what}: use the build that made it, or name an empty one"
    return Standing(schema, "unknown", revision, None, None, line)


def _not_known(revision: str) -> str:
    return f"the database is at revision {revision}, which this release does not know: use the release that made it"


def check_current(session: Session, schema: str | None = None, migrations: Migrations = OURS) -> None:
    """Raises DatabaseError, in one line, where the tables are not those of this release; rolls back.

    So it does where a schema is named and the search path leads to another one.
    """
    found = standing(session, migrations)
    session.rollback()
    if schema is not None and found.schema != schema:
        raise DatabaseError(
            f"the search path leads to schema {found.schema}, KEIZOKU_DATABASE_SCHEMA names {schema}: name the same"
        )
    if found.complaint is not None:
        raise DatabaseError(found.complaint)


def touched(session: Session, revision: str, migrations: Migrations = OURS) -> list[str]:
    """What people changed in the tables of a revision, a line each."""
    return differences_on(session, migrations.shape(revision))


def check_untouched(session: Session, migrations: Migrations = OURS, revision: str | None = None) -> None:
    """Raises DatabaseError, in one line, where people changed the tables; of this release, unless a revision is named.

    What is open in the session stays open.
    """
    found = touched(session, revision or migrations.head, migrations)
    if found:
        more = f" and {len(found) - 1} more (`keizoku db check`)" if len(found) > 1 else ""
        raise DatabaseError(f"the tables were changed by hand: {found[0]}{more}; undo the change, or restore a backup")
