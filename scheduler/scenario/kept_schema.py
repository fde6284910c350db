"""Tables that are kept after a run: on the embedded server a schema stays for the next, in a database of its own.

Making and dropping a schema takes the server longer than most scenarios run. A run claims the first unused schema and
wipes it before anything else, so it does not matter in which state a killed run left it; as many schemas stay as ran at
once. The comment of each names the release of its tables: after an upgrade it is made anew.

The database is not the user's, so no backup and no export contains these rows; it may be dropped at any time. On a
server other than the embedded one nothing is left behind.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Final

import psycopg
import sqlalchemy as sa
from psycopg import sql
from sqlalchemy.engine import URL

from keizoku.db import migrate, tables
from keizoku.db.embedded import CLUSTER_NAME
from keizoku.db.programs import MAJOR
from keizoku.db.session import CONNECT_SECONDS, libpq_address, normalised_url

__all__ = ["DATABASE", "KeptSchema", "kept_schema_of"]

DATABASE: Final = "keizoku_scenarios"
_LOCK: Final = 0x51A7E  # the first half of the locks' keys; the second is the schema's number
_Connection = psycopg.Connection[Any]


@dataclass(frozen=True)
class KeptSchema:
    """A schema that is ours for now: where it is, and whether it was just made, thus empty."""

    url: URL
    number: int
    fresh: bool
    _claim: _Connection

    @property
    def name(self) -> str:
        """Of the schema."""
        return _name(self.number)

    def used(self) -> list[str]:
        """The tables that hold rows, or have held some."""
        found = self._claim.execute(
            "SELECT relname FROM pg_class "
            "WHERE relnamespace = %s::regnamespace AND relkind = 'r' AND pg_relation_size(oid) > 0",
            [self.name],
        )
        return [name for (name,) in found]

    def sweep(self, used: Sequence[str]) -> None:
        """Make wiped tables as if new: without dead rows, and without statistics for the planner.

        No autovacuum runs within the seconds of a run. After a vacuum the planner would expect empty tables for a year.
        """
        if used:
            named = sql.SQL(", ").join(sql.Identifier(self.name, table) for table in used)
            self._claim.execute(sql.SQL("VACUUM {}").format(named))
        self._claim.execute(
            "SELECT pg_clear_relation_stats(%s, relname) FROM pg_class "
            "WHERE relnamespace = %s::regnamespace AND relkind IN ('r', 'i') AND reltuples >= 0",
            [self.name, self.name],
        )


@contextmanager
def kept_schema_of(url: str | URL) -> Iterator[KeptSchema | None]:
    """Claim a schema until the end of the context; None where none may stay. Wipe it before use unless fresh."""
    usual = normalised_url(url)
    address = usual.set(database=DATABASE)
    claim = _connected(address) or _connected_to_new(usual, address) if _by_socket(usual) else None
    if claim is None:
        yield None
        return
    with claim:
        if not _may_stay(claim):
            yield None
            return
        number = _claimed(claim)
        name = _name(number)
        fresh = not _is_of_this_release(claim, name)
        if fresh:
            _make(claim, name)
        yield KeptSchema(address.update_query_dict({"application_name": _user_of(name)}), number, fresh, claim)


def _by_socket(url: URL) -> bool:
    """Only the embedded server is reached by a socket: no other server is tried needlessly."""
    host = url.query.get("host")
    return url.host is None and isinstance(host, str) and host.startswith("/")


def _connected(address: URL) -> _Connection | None:
    """A connection of its own; its claim ends with it, and both end with the process."""
    with suppress(psycopg.OperationalError):
        return psycopg.connect(libpq_address(address), autocommit=True, connect_timeout=CONNECT_SECONDS)
    return None


def _connected_to_new(url: URL, address: URL) -> _Connection | None:
    """The same, to a database that is made first, where we may leave one behind."""
    server = _connected(url)
    if server is None:
        return None
    with server:
        if not _may_stay(server):
            return None
        with suppress(psycopg.Error):  # made by another just now, or not to be had: then nothing stays
            server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))
    return _connected(address)


def _may_stay(connection: _Connection) -> bool:
    """The server is the embedded one, and we may pass over the tables' guards to wipe them."""
    return bool(
        _answer(
            connection,
            "SELECT current_setting('cluster_name') = %s AND current_setting('server_version_num')::int / 10000 = %s "
            "AND rolsuper FROM pg_roles WHERE rolname = current_user",
            CLUSTER_NAME,
            MAJOR,
        )
    )


def _claimed(claim: _Connection) -> int:
    """The number of the first unused schema; it is ours as long as this connection lives.

    The last statement of a killed run may still be running: while one of its connections is open, its schema is in use.
    """
    for number in count():
        name = _name(number)
        if not _answer(claim, "SELECT pg_try_advisory_lock(%s, %s)", _LOCK, number):
            continue
        users = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = %s"
        if not _answer(claim, users, _user_of(name)):
            return number
        _answer(claim, "SELECT pg_advisory_unlock(%s, %s)", _LOCK, number)
    raise AssertionError("numbers do not end")


def _name(number: int) -> str:
    return f"scratch_{number}"


def _user_of(name: str) -> str:
    """How a connection that works in the schema calls itself."""
    return f"keizoku {name}"


def _is_of_this_release(claim: _Connection, name: str) -> bool:
    comment = _answer(claim, "SELECT obj_description(to_regnamespace(%s), 'pg_namespace')", name)
    return bool(comment == _release())


def _make(claim: _Connection, name: str) -> None:
    """Make the schema in place of one with this name, in one transaction."""
    named = sql.Identifier(name)
    with claim.transaction():
        claim.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(named))
        claim.execute(sql.SQL("CREATE SCHEMA {}").format(named))
        claim.execute(sql.SQL("SET LOCAL search_path = {}").format(named))
        claim.execute(migrate.ddl_script().encode())
        claim.execute(sql.SQL("COMMENT ON SCHEMA {} IS {}").format(named, _release()))


def _release() -> str:
    """A digest of the declared tables: reading their source takes less time than compiling them."""
    digest = hashlib.sha256(sa.__version__.encode())
    for source in (*sorted(Path(tables.__file__).parent.glob("*.py")), Path(migrate.__file__)):
        digest.update(source.read_bytes())
    return digest.hexdigest()


def _answer(connection: _Connection, query: str, *values: object) -> object:
    """The one value of the one row; None where there is no row."""
    row = connection.execute(query.encode(), values).fetchone()
    return None if row is None else row[0]
