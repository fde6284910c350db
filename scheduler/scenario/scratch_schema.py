"""Where scenarios run: empty tables for each, in a schema that is wiped and written on again.

    with Slate(url) as slate:                a schema for as long as this lasts
        house = slate.house(rules)           empty tables, every key from 1, a simulated gateway
        …                                    a diary
        house = slate.house(rules)           wiped: the next diary

The server takes longer to make a schema than most diaries take, and a new connection has every statement to read and
to plan again. The tables let nobody delete (db/tables/guards.py); a superuser, as on the embedded server, may pass
over that, and does so within the slate's own schema only. On a server of which we are none each diary gets a schema of
its own, as it does where the rows are to be kept. On the embedded server the schema outlasts even the run, emptied
(lasting.py), on any other it is dropped at the end.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from types import TracebackType
from typing import Final, Self
from uuid import uuid4

import psycopg
import sqlalchemy as sa
from sqlalchemy.engine import URL

from keizoku.billing.gateway.simulated import SimulatedGateway
from keizoku.db.migrate import create_all
from keizoku.db.session import Session, backend_of, driver_cursor, make_engine
from keizoku.db.tables import metadata
from keizoku.scheduler.app import Services
from keizoku.scheduler.scenario.kept_schema import KeptSchema, kept_schema_of
from keizoku.terms.rules import Rules

__all__ = ["ScratchSchema"]

_SETTINGS: Final = (
    "SET synchronous_commit = off; "  # nobody misses these rows after a power cut
    "SET plan_cache_mode = force_generic_plan; "
)
_STATEMENTS_KEPT: Final = 1_000
"""More than the engine has: the server reads and plans each once."""
_KEYS_FROM_1: Final = "SELECT setval(seqrelid, 1, false) FROM pg_sequence JOIN pg_class ON pg_class.oid = seqrelid"


class ScratchSchema:
    """A schema for one diary after the other; not for two at once. `keep`: a schema for each, which stays."""

    def __init__(self, url: str | URL, *, keep: bool = False) -> None:
        self._url, self.keep = url, keep
        self._schema = ""
        self._session: Session | None = None
        self._gateway: SimulatedGateway | None = None
        self._kept: KeptSchema | None = None
        self._open = ExitStack()

    @property
    def schema(self) -> str:
        """The name of the present schema."""
        return self._schema

    def services(self, rules: Rules) -> Services:
        """An empty engine. What an earlier one had is gone."""
        if self._session is not None and (self.keep or not self._wiped(self._session)):
            self.close()
        if self._session is None or self._gateway is None:
            self._session, self._gateway = self._made()
        return Services(session=self._session, rules=rules, gateway=self._gateway)

    @contextmanager
    def alternating(self) -> Iterator[None]:
        """Engine and server on one processor: they take turns, and to wake another up takes longer than an answer.

        Each slate that lasts has a processor of its own, as far as there are any; elsewhere nothing is changed.
        """
        if self._kept is None or self._session is None or not hasattr(os, "sched_getaffinity"):
            yield
            return
        usual = os.sched_getaffinity(0)
        one = {sorted(usual)[self._kept.number % len(usual)]}
        try:
            with suppress(OSError):  # of another user: then it stays as it is
                os.sched_setaffinity(backend_of(self._session), one)
                os.sched_setaffinity(0, one)
            yield
        finally:
            os.sched_setaffinity(0, usual)

    def rest(self, *, intact: bool) -> None:
        """A diary is over: nothing is locked until the next. Not `intact`: an error stopped it, this slate is done."""
        if self._session is None:
            return
        try:
            if intact and not self.keep:
                self._session.commit()  # a rollback would take the driver's prepared statements with it
            else:
                self._session.rollback()
        except sa.exc.SQLAlchemyError:
            self._session.invalidate()  # it may be the connection that is gone
            intact = False
        if not intact:
            self.close()

    def close(self) -> None:
        """Drop the schema, unless it lasts or is to be kept. Raises what the database says to that."""
        self._session = self._gateway = None
        self._open.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _made(self) -> tuple[Session, SimulatedGateway]:
        with ExitStack() as open_:
            kept = None if self.keep else open_.enter_context(kept_schema_of(self._url))
            if kept is None:
                url, self._schema = self._url, f"scenario_{uuid4().hex[:16]}"
                server = make_engine(url)
                open_.callback(server.dispose)
                _run_alone(server, f"CREATE SCHEMA {self._schema}")
                if not self.keep:
                    open_.callback(_run_alone, server, f"DROP SCHEMA {self._schema} CASCADE")
            else:
                url, self._schema = kept.url, kept.name
            engine = make_engine(url, schema=self._schema)
            sa.event.listen(engine, "connect", _keep_statements)
            open_.callback(engine.dispose)
            session = open_.enter_context(engine.connect())
            session.exec_driver_sql(_SETTINGS)
            session.commit()
            if kept is None:
                create_all(session)
                session.commit()
            else:
                if not kept.fresh:
                    _empty(session, kept)  # of a run that was killed
                open_.callback(_leave_nothing, session, kept)
            self._kept = kept
            gateway = SimulatedGateway(engine)
            open_.callback(gateway.close)
            self._open = open_.pop_all()
        return session, gateway

    def _wiped(self, session: Session) -> bool:
        """Whether it could be: every table empty, every key from 1, no lock and no setting of the last diary left."""
        try:
            _wipe(session, self._schema, [table.name for table in metadata.sorted_tables])
        except (sa.exc.SQLAlchemyError, psycopg.Error):
            session.invalidate()  # it may be the connection that is gone
            return False
        return True


def _empty(session: Session, kept: KeptSchema) -> None:
    used = kept.used()
    _wipe(session, kept.name, used)
    kept.sweep(used)


def _leave_nothing(session: Session, kept: KeptSchema) -> None:
    """Whose rows they are is nobody's business afterwards. Where that fails, the next run sees to it."""
    with suppress(sa.exc.SQLAlchemyError, psycopg.Error):
        session.rollback()
        _empty(session, kept)


def _wipe(session: Session, schema: str, tables: Iterable[str]) -> None:
    """Names of tables are written with their schema: whatever the search path, no other is touched."""
    rows = "".join(f"DELETE FROM {schema}.{table}; " for table in tables)  # noqa: S608 - our names
    wiping = (
        f"SELECT pg_advisory_unlock_all(); DISCARD TEMP; RESET ALL; {_SETTINGS}"
        f"SET LOCAL session_replication_role = replica; {rows}"
        f"{_KEYS_FROM_1} WHERE relnamespace = '{schema}'::regnamespace"
    )
    with driver_cursor(session) as cursor:
        cursor.execute(wiping.encode(), prepare=False)
    session.commit()


def _keep_statements(connection: psycopg.Connection[object], _record: object) -> None:
    connection.prepared_max = _STATEMENTS_KEPT
    connection.prepare_threshold = 1


def _run_alone(engine: sa.Engine, statement: str) -> None:
    with engine.connect() as session:
        session.exec_driver_sql(statement)
        session.commit()
