"""Sessions: one connection to PostgreSQL, commit as you go.

A session is a plain SQLAlchemy connection of psycopg 3. Its zone is UTC, its search path is one schema or the
server's own default, so tables are never written with a schema's name. A password never leaves this file in a
message.
"""

import datetime as dt
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any, cast

import psycopg
import sqlalchemy as sa
from psycopg import sql
from psycopg.rows import dict_row
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.engine import URL, Dialect, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import NullPool

from db.copy_text import CopyText, copy_text

__all__ = [
    "NO_SPACE",
    "OLDEST_SERVER",
    "CopyText",
    "DatabaseError",
    "DiskFullError",
    "Session",
    "check_server",
    "copy_rows",
    "driver_cursor",
    "make_engine",
    "normalised_url",
    "numbers",
    "open_session",
    "plain_array",
    "release_leader_lock",
    "server_version",
    "text_array",
    "texts",
    "try_leader_lock",
]

Session = sa.Connection
"""What every thin module takes: a connection on which the caller commits."""

OLDEST_SERVER = 15
"""The oldest major version of PostgreSQL whose constraints the tables use."""

CONNECT_SECONDS = 10
_ROWS_AT_ONCE = 1_000
NO_SPACE = "No space left on device"
"""What the system and PostgreSQL say of a full disk."""
_SCHEMA_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")


class DatabaseError(Exception):
    """The database cannot be used; the message is one line for the person at the keyboard."""


class DiskFullError(DatabaseError):
    """The disk under the database is full."""


def make_engine(url: str | URL, schema: str | None = None) -> sa.Engine:
    """An engine whose connections are in UTC and, if a schema is named, see that schema only.

    Connections are not pooled: closing one ends it, and with it its locks. Raises DatabaseError for an
    address that is not PostgreSQL's, ValueError for a schema name that would need quotes.
    """
    options = ["-c timezone=UTC"]
    if schema is not None:
        if not _SCHEMA_NAME.fullmatch(schema):
            raise ValueError(f"schema name {schema!r}: small letters, digits and _ only, at most 63")
        options.append(f"-c search_path={schema}")
    target = normalised_url(url)
    own_options = target.query.get("options")
    if own_options is not None:
        options = [own_options if isinstance(own_options, str) else " ".join(own_options), *options]
        target = target.difference_update_query(["options"])
    defaults = {"application_name": "keizoku", "connect_timeout": CONNECT_SECONDS}
    arguments: dict[str, object] = {name: value for name, value in defaults.items() if name not in target.query}
    arguments["options"] = " ".join(options)
    return sa.create_engine(target, poolclass=NullPool, connect_args=arguments)


def normalised_url(url: str | URL) -> URL:
    """The address with the psycopg driver in it: postgres:// and postgresql:// are both taken."""
    try:
        target = make_url(url)
        name = target.drivername
    except (ArgumentError, ValueError):
        # the address itself stays out of the message: it may hold a password
        raise DatabaseError("the database address is not of the form postgresql://user@host/database") from None
    if name in ("postgres", "postgresql", "postgresql+psycopg"):
        return target.set(drivername="postgresql+psycopg")
    raise DatabaseError(f"the database address begins with {name}://, and only postgresql:// is spoken here")


@contextmanager
def open_session(url: str | URL, schema: str | None = None) -> Iterator[Session]:
    """One session, closed at the end; what was not committed is rolled back."""
    engine = make_engine(url, schema)
    try:
        with engine.connect() as session:
            yield session
    finally:
        engine.dispose()


@contextmanager
def one_snapshot(session: Session) -> Iterator[Session]:
    """The session for reading only, everything as it is now: the database refuses to write, nothing is left behind.

    What the session has not committed is rolled back first.
    """
    session.rollback()
    session.execute(sa.text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"))
    try:
        yield session
    finally:
        session.rollback()


def server_version(session: Session) -> tuple[int, str]:
    """Major version and the version as people write it: (18, "18.1")."""
    number, text = session.exec_driver_sql(
        "SELECT current_setting('server_version_num')::int, current_setting('server_version')"
    ).one()
    return int(number) // 10000, str(text).split()[0]


def check_server(session: Session) -> str:
    """The server's version as people write it; raises DatabaseError for one that is too old."""
    major, text = server_version(session)
    if major < OLDEST_SERVER:
        raise DatabaseError(f"the server is PostgreSQL {text}; Keizoku needs {OLDEST_SERVER} or newer")
    return text


def text_array(values: Collection[str | None]) -> str:
    """Texts as PostgreSQL writes an array of them: one value that is cheap to hand over, however many they are."""
    if None in values:
        return "{" + ",".join("NULL" if each is None else text_array([each])[1:-1] for each in values) + "}"
    texts = cast("Collection[str]", values)
    if any(special in "".join(texts) for special in '"\\'):
        texts = [text.replace("\\", r"\\").replace('"', r"\"") for text in texts]
    return '{"' + '","'.join(texts) + '"}' if texts else "{}"


def plain_array(values: Iterable[int | dt.date]) -> str:
    """The same of numbers, days and aware instants."""
    return "{" + ",".join(map(str, values)) + "}"


def texts(values: Collection[str]) -> sa.ColumnElement[Sequence[str]]:
    """Texts as an array in a statement: `column == sa.any_(texts(names))`."""
    return sa.cast(sa.literal(text_array(values), sa.Text), sa.ARRAY(sa.Text))


def numbers(values: Iterable[int]) -> sa.ColumnElement[Sequence[int]]:
    """Ids as an array in a statement: `column == sa.any_(numbers(ids))`; a list costs the driver half a µs a value."""
    return sa.cast(sa.literal(plain_array(values), sa.Text), sa.ARRAY(sa.BigInteger))


def copy_rows(session: Session, table: sa.Table | str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> int:
    """Write many rows by COPY inside the session's transaction; the number of rows written.

    Values are as for an INSERT through the table: dicts and lists for JSON columns, lists for arrays, aware
    datetimes for instants (a naive one is refused with ValueError). None is NULL, also in a JSON column.
    A table given by name takes plain values only.
    """
    name = table if isinstance(table, str) else table.name
    schema = None if isinstance(table, str) else table.schema
    target = sql.Identifier(name) if schema is None else sql.Identifier(schema, name)
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
        target, sql.SQL(", ").join(sql.Identifier(column) for column in columns)
    )
    converters, instants = ([], []) if isinstance(table, str) else _converters(session, table, columns)
    count = 0
    left = iter(rows)
    with driver_cursor(session) as cursor, cursor.copy(statement) as copy:
        while some := list(islice(left, _ROWS_AT_ONCE)):
            if converters:
                some = [_converted(row, converters) for row in some]
            for place in instants:
                _refuse_naive({row[place] for row in some})
            text = copy_text(some)
            if text is not None:
                copy.write(text)
            else:
                for row in some:
                    copy.write_row(row)
            count += len(some)
    return count


class Question:
    """A long statement that is asked often: compiled once for all, and read by the server once for each session.

    The usual way compiles a statement and looks for its parameters anew each time; for the audit that costs more than
    the answer. The values are given by name, of the driver's own types; rows come as dictionaries.
    """

    def __init__(self, statement: sa.TextClause) -> None:
        compiled = statement.compile(dialect=_numbered_dialect())
        self._text = sql.SQL(str(compiled))  # made of this program's own statements
        self._names: Sequence[str] = compiled.positiontup or ()
        self._fixed: Mapping[str, Any] = compiled.params

    def ask(self, session: Session, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        """All rows of the answer, in the session's transaction."""
        if not session.in_transaction():
            session.begin()
        connection: psycopg.Connection[Any] = session.connection.driver_connection  # type: ignore[assignment]
        given = {**self._fixed, **values}
        with psycopg.RawCursor(connection, row_factory=dict_row) as cursor:
            cursor.execute(self._text, [given[name] for name in self._names], prepare=True)
            return cursor.fetchall() if cursor.description is not None else []


def _numbered_dialect() -> Dialect:
    """Parameters as the server itself numbers them."""
    return PGDialect_psycopg(paramstyle="numeric_dollar")


def driver_cursor(session: Session) -> psycopg.Cursor[Any]:
    """psycopg's own cursor in the session's transaction, for what SQLAlchemy has no words for."""
    if not session.in_transaction():
        session.begin()
    connection: psycopg.Connection[Any] = session.connection.driver_connection  # type: ignore[assignment]
    return connection.cursor()


_Converters = list[tuple[int, Callable[[Any], Any]]]


def _converters(session: Session, table: sa.Table, columns: Sequence[str]) -> tuple[_Converters, list[int]]:
    """For the columns that need one: place in the row, what makes the driver's value of ours; places of instants."""
    found: _Converters = []
    instants: list[int] = []
    for place, name in enumerate(columns):
        column = table.c[name]
        convert = column.type.dialect_impl(session.dialect).bind_processor(session.dialect)
        if convert is not None:
            found.append((place, convert))
        elif isinstance(column.type, sa.DateTime) and column.type.timezone:
            instants.append(place)
    return found, instants


def _converted(row: Sequence[object], converters: _Converters) -> Sequence[object]:
    values = list(row)
    for place, convert in converters:
        value = values[place]
        if value is not None and type(value) is not CopyText:
            values[place] = convert(value)
    return values


def _refuse_naive(instants: Iterable[object]) -> None:
    for value in instants:
        if isinstance(value, dt.datetime) and value.tzinfo is None:
            raise ValueError(f"{value.isoformat()} has no zone; an instant needs one")


def try_leader_lock(session: Session, name: str) -> bool:
    """Take the lock of that name in the session's schema, if nobody has it; held until released or closed."""
    return _asked(session, "pg_try_advisory_lock", name)


def release_leader_lock(session: Session, name: str) -> bool:
    """Give the lock back; False if this session did not have it."""
    return _asked(session, "pg_advisory_unlock", name)


def _asked(session: Session, function: str, name: str) -> bool:
    key = sa.func.hashtextextended(sa.func.concat("keizoku/", sa.func.current_schema(), "/", name), 0)
    return bool(session.execute(sa.select(getattr(sa.func, function)(key))).scalar_one())
