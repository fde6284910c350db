"""Sessions: one connection to PostgreSQL, commit as you go.

A session is a plain SQLAlchemy connection of psycopg 3. Its zone is UTC, its search path is one schema or the
server's own default, so tables are never written with a schema's name. A password never leaves this file in a
message.
"""

import datetime as dt
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property, lru_cache
from itertools import chain, count, islice
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import psycopg
import sqlalchemy as sa
from psycopg import sql
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import NullPool, QueuePool
from sqlalchemy.types import UserDefinedType

from keizoku.db.copy_text import CopyText, copy_text, driver_rows
from keizoku.limits import SCHEMA_NAME

if TYPE_CHECKING:
    from sqlalchemy.sql.compiler import SQLCompiler

__all__ = [
    "NO_SPACE",
    "OLDEST_SERVER",
    "CopyText",
    "DatabaseError",
    "DiskFullError",
    "PreparedQuery",
    "RightError",
    "Rows",
    "Session",
    "backend_of",
    "check_server",
    "copy_rows",
    "copy_together",
    "driver_cursor",
    "libpq_address",
    "make_engine",
    "normalised_url",
    "numbers",
    "open_session",
    "plain_array",
    "server_version",
    "text_array",
    "texts",
]  # fmt: skip

Session = sa.Connection
"""A connection passed to the modules that read and write; the caller commits."""

OLDEST_SERVER = 15
"""The oldest major version of PostgreSQL whose constraints the tables use."""

CONNECT_SECONDS = 10
_ROWS_AT_ONCE = 1_000
_FEW = 8
"""Rows up to which a COPY, which is never prepared and goes back and forth twice, takes longer than an INSERT."""
_TAKEN_AS_TEXT = {str, int, bool, type(None), dt.date, dt.datetime}
NO_SPACE = "No space left on device"
"""What the system and PostgreSQL say of a full disk."""


class DatabaseError(Exception):
    """The database cannot be used; the message is one line for the person at the keyboard."""


class RightError(DatabaseError):
    """The login may not do this; asked before PostgreSQL would refuse it."""


class DiskFullError(DatabaseError):
    """The disk under the database is full."""


def make_engine(
    url: str | URL, schema: str | None = None, *, lock_timeout_seconds: int | None = None,
    role: str | None = None, pooled: int = 0, more: int = 0,
) -> sa.Engine:  # fmt: skip
    """An engine whose connections are in UTC, write dates as ISO 8601 and, if a schema is named, see that schema only.

    Connections are not pooled: closing one ends it, and with it its locks; with `pooled`, so many are kept open, and
    `more` can be opened besides. With a lock timeout they give up waiting for another's lock after so long. With a
    `role` they are that role from the first statement on. Raises DatabaseError for what is not PostgreSQL's address,
    ValueError for a name that needs quotes.
    """
    options = ["-c timezone=UTC", "-c datestyle=ISO"]
    for kind, setting, name in (("schema", "search_path", schema), ("role", "role", role)):
        if name is not None:
            if not SCHEMA_NAME.fullmatch(name):
                raise ValueError(f"{kind} name {name!r}: small letters, digits and _ only, at most 63")
            options.append(f"-c {setting}={name}")
    if lock_timeout_seconds is not None:
        options.append(f"-c lock_timeout={lock_timeout_seconds}s")
    target = normalised_url(url)
    own_options = target.query.get("options")
    if own_options is not None:
        options = [own_options if isinstance(own_options, str) else " ".join(own_options), *options]
        target = target.difference_update_query(["options"])
    defaults = {"application_name": "keizoku", "connect_timeout": CONNECT_SECONDS}
    arguments: dict[str, object] = {name: value for name, value in defaults.items() if name not in target.query}
    arguments["options"] = " ".join(options)
    pool = (
        {"poolclass": NullPool} if not pooled else {"poolclass": QueuePool, "pool_size": pooled, "max_overflow": more}
    )
    return sa.create_engine(target, connect_args=arguments, **pool)


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


def libpq_address(url: URL) -> str:
    """The address for direct calls of libpq, with the password; libpq reads a space only as %20."""
    return url.set(drivername="postgresql").render_as_string(hide_password=False).replace("+", "%20")


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
    """The session as a read-only snapshot of now: the database refuses writes, and nothing is left behind.

    Uncommitted changes of the session are rolled back first.
    """
    session.rollback()
    connection = psycopg_of(session)
    connection.isolation_level, connection.read_only = psycopg.IsolationLevel.REPEATABLE_READ, True  # set by the BEGIN
    try:
        yield session
        session.commit()  # of nothing; after a rollback the driver has every statement to prepare again
    except BaseException:
        session.rollback()
        raise
    finally:
        if not connection.closed:
            connection.isolation_level = connection.read_only = None


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
    """Texts as an array literal of PostgreSQL: one value that is cheap to pass, however many texts there are."""
    if None in values:
        return "{" + ",".join("NULL" if each is None else text_array([each])[1:-1] for each in values) + "}"
    texts = cast("Collection[str]", values)
    if any(special in "".join(texts) for special in '"\\'):
        texts = [text.replace("\\", r"\\").replace('"', r"\"") for text in texts]
    return '{"' + '","'.join(texts) + '"}' if texts else "{}"


def plain_array(values: Iterable[int | dt.date]) -> str:
    """The same of numbers, days and aware instants."""
    return "{" + ",".join(map(str, values)) + "}"


class _ArrayText(UserDefinedType[Any]):
    """An array handed over as its text: the server reads it once, as it binds the value.

    As a text to be cast it would be read again for every row that a query looks through.
    """

    cache_ok = True
    render_bind_cast = True

    def __init__(self, element: str) -> None:
        self.element = element

    def get_col_spec(self, **_: Any) -> str:
        """What the value is cast to where it is bound."""
        return f"{self.element}[]"


def texts(values: Collection[str]) -> sa.ColumnElement[Any]:
    """Texts as an array in a statement: `column == sa.any_(texts(names))`."""
    return sa.literal(text_array(values), _ArrayText("TEXT"))


def numbers(values: Iterable[int]) -> sa.ColumnElement[Any]:
    """Ids as an array in a statement: `column == sa.any_(numbers(ids))`; a list costs the driver half a µs a value."""
    return sa.literal(plain_array(values), _ArrayText("BIGINT"))


class Rows(NamedTuple):
    """What is to be written into a table: its columns, and in each row their values (see copy_rows)."""

    table: sa.Table | str
    columns: Sequence[str]
    rows: Iterable[Sequence[object]]


def copy_rows(session: Session, table: sa.Table | str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> int:
    """Write rows inside the session's transaction, by COPY or, where they are few, by INSERT; their number.

    Values are as for an INSERT through the table: dicts and lists for JSON columns, lists for arrays, aware
    datetimes for instants (a naive one is refused with ValueError). None is NULL, also in a JSON column.
    A table given by name takes plain values only. Either way it is one statement, and errors are the driver's.
    """
    ready, left = driver_rows(table, tuple(columns)), iter(rows)
    some = ready(islice(left, _ROWS_AT_ONCE))
    if not some or (len(some) <= _FEW and _inserted(session, [Rows(table, columns, some)])):
        return len(some)
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(*_target(table, columns))
    written = 0
    with driver_cursor(session) as cursor, cursor.copy(statement) as copy:
        while some:
            text = copy_text(some)
            if text is not None:
                copy.write(text)
            else:
                for row in some:
                    copy.write_row(row)
            written += len(some)
            some = ready(islice(left, _ROWS_AT_ONCE))
    return written


def copy_together(session: Session, *several: Rows) -> None:
    """Write rows of several tables, those that others point at first; where all are few, by one statement."""
    left = [each._replace(rows=iter(each.rows)) for each in several]
    begun = [list(islice(each.rows, _FEW + 1)) for each in left]
    few = [
        each._replace(rows=driver_rows(each.table, tuple(each.columns))(some))
        for each, some in zip(left, begun, strict=True)
        if some
    ]
    if few and (sum(map(len, begun)) > _FEW or not _inserted(session, few)):
        for each, some in zip(left, begun, strict=True):
            copy_rows(session, each.table, each.columns, chain(some, each.rows))


def _inserted(session: Session, several: Sequence[Rows]) -> bool:
    """Whether the rows were of kinds that an INSERT takes as their text; then they are written."""
    values = [value for each in several for row in each.rows for value in row]
    if not _TAKEN_AS_TEXT.issuperset(map(type, values)):
        return False
    statement = _insertion(*((each.table, tuple(each.columns), len(list(each.rows))) for each in several))
    connection = _driver_connection(session)
    with psycopg.RawCursor(connection) as cursor:
        # as texts, so that the server need not tell apart small and large numbers: one plan for each number of rows
        cursor.execute(statement, [None if value is None else str(value) for value in values], prepare=True)
    return True


@lru_cache(maxsize=512)
def _insertion(*several: tuple[sa.Table | str, tuple[str, ...], int]) -> bytes:
    """One statement; all but the last INSERT stand before it by a name."""
    places, inserts = count(1), []
    for table, columns, number in several:
        rows = ", ".join(f"({', '.join(f'${next(places)}' for _ in columns)})" for _ in range(number))
        inserts.append(sql.SQL("INSERT INTO {} ({}) VALUES {}").format(*_target(table, columns), sql.SQL(rows)))
    named = [sql.SQL("{} AS ({})").format(sql.Identifier(f"part {at}"), each) for at, each in enumerate(inserts[:-1])]
    return sql.SQL("WITH {} {}" if named else "{}{}").format(sql.SQL(", ").join(named), inserts[-1]).as_bytes()


def _target(table: sa.Table | str, columns: Sequence[str]) -> tuple[sql.Identifier, sql.Composed]:
    names = (table,) if isinstance(table, str) else (table.schema, table.name)
    return sql.Identifier(*filter(None, names)), sql.SQL(", ").join(sql.Identifier(column) for column in columns)


NOTHING: Mapping[str, Any] = {}


class PreparedQuery:
    """A statement that runs often: compiled once, and parsed by the server once for each session.

    SQLAlchemy compiles a statement and looks for its parameters on every call; for the audit that costs more than
    the answer. Values are passed by name, in the driver's own types; rows are dictionaries. Errors are the driver's,
    as with copy_rows.
    """

    def __init__(self, statement: sa.ClauseElement) -> None:
        self._statement = statement
        self._columns: Sequence[str] | None = None

    @cached_property
    def compiled(self) -> tuple[bytes, Sequence[str], Mapping[str, Any]]:
        """The text with the parameters as the server numbers them, their names in order, values that are fixed."""
        compiled = cast("SQLCompiler", self._statement.compile(dialect=PGDialect_psycopg(paramstyle="numeric_dollar")))
        asked = dict.fromkeys(parameter.key for parameter in compiled.bind_names if parameter.required)
        state = compiled.construct_expanded_state({**compiled.params, **asked})
        fixed = {name: value for name, value in state.parameters.items() if name not in asked}
        return state.statement.encode(), state.positiontup or (), fixed

    def rows(self, session: Session, values: Mapping[str, Any] = NOTHING) -> list[dict[str, Any]]:
        """All rows, in the session's transaction."""
        return self._run(_driver_connection(session), values)

    def rows_and_commit(self, session: Session, values: Mapping[str, Any] = NOTHING) -> list[dict[str, Any]]:
        """All rows, and a commit: one round trip instead of three where no transaction is open."""
        if session.in_transaction():
            answer = self.rows(session, values)
            session.commit()
            return answer
        connection = psycopg_of(session)
        usual = connection.autocommit
        connection.autocommit = True
        try:
            return self._run(connection, values)
        finally:
            if not connection.closed:
                connection.autocommit = usual

    def _run(self, connection: psycopg.Connection[Any], values: Mapping[str, Any]) -> list[dict[str, Any]]:
        text, names, fixed = self.compiled
        given = {**fixed, **values}
        with psycopg.RawCursor(connection) as cursor:
            cursor.execute(text, [given[name] for name in names], prepare=True)
            if self._columns is None:  # the driver needs longer for the names than for the rows
                self._columns = [column.name for column in cursor.description or ()]
            return [dict(zip(self._columns, row, strict=True)) for row in cursor.fetchall()] if self._columns else []


def driver_cursor(session: Session) -> psycopg.Cursor[Any]:
    """psycopg's own cursor in the session's transaction, for what SQLAlchemy cannot express."""
    return _driver_connection(session).cursor()


def backend_of(session: Session) -> int:
    """The process of the server that works for this session; on the server's machine."""
    return psycopg_of(session).info.backend_pid


def _driver_connection(session: Session) -> psycopg.Connection[Any]:
    if not session.in_transaction():
        session.begin()
    return psycopg_of(session)


def psycopg_of(session: Session) -> psycopg.Connection[Any]:
    """The driver's connection, whether a transaction is under way or not."""
    connection: psycopg.Connection[Any] = session.connection.driver_connection  # type: ignore[assignment]
    return connection
