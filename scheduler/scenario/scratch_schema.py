"""Where scenarios run: empty tables for each, in a schema that is wiped and used again.

    with ScratchSchema(url) as scratch:          a schema for as long as the context
        services = scratch.services(rules)       empty tables, every key from 1, a simulated gateway
        …                                        a scenario
        services = scratch.services(rules)       wiped: the next scenario

Making a schema takes the server longer than most scenarios run, and a new connection has to parse and plan every
statement again. The tables refuse deletions (db/tables/guards.py); a superuser, as on the embedded server, may bypass
that, and does so only within the scratch schema. Where we are not superuser, each scenario gets a schema of its own, as
it does where the rows are to be kept. On the embedded server the schema even stays after the run, emptied
(kept_schema.py); on any other it is dropped at the end.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
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
from keizoku.scheduler.linking import simulated_setup
from keizoku.scheduler.scenario.kept_schema import KeptSchema, kept_schema_of
from keizoku.terms.rules import Rules

__all__ = ["ScratchSchema"]

_SETTINGS: Final = (
    "SET synchronous_commit = off; "  # these rows need not survive a power cut
    "SET plan_cache_mode = force_generic_plan; "
)
_STATEMENTS_KEPT: Final = 1_000
"""More than the engine has: the server reads and plans each once."""
_KEYS_FROM_1: Final = "SELECT setval(seqrelid, 1, false) FROM pg_sequence JOIN pg_class ON pg_class.oid = seqrelid"


class ScratchSchema:
    """A schema for one scenario after another, not for two at once. `keep`: a schema for each, which stays."""

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
        """The services on empty tables. The rows of an earlier scenario are gone."""
        if self._session is not None and (self.keep or not self._wiped(self._session)):
            self.close()
        if self._session is None or self._gateway is None:
            self._session, self._gateway = self._made()
        setup = partial(simulated_setup, self._session.engine)
        return Services(session=self._session, rules=rules, gateway=self._gateway, link_setup=setup)

    @contextmanager
    def alternating(self) -> Iterator[None]:
        """Engine and server on one processor: they alternate, and waking another one takes longer than an answer.

        Each kept schema has a processor of its own, as far as there are enough; otherwise nothing is changed.
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
        """End a scenario: nothing stays locked. Not `intact`: an error stopped it, and the schema is not used again."""
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
        """Drop the schema unless it stays. Raises the database's errors."""
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
        """Wipe: empty tables, every key from 1, no lock or setting of the last scenario. False if it failed."""
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
    """Empty the kept schema at the end. Where that fails, the next run does it."""
    with suppress(sa.exc.SQLAlchemyError, psycopg.Error):
        session.rollback()
        _empty(session, kept)


def _wipe(session: Session, schema: str, tables: Iterable[str]) -> None:
    """Delete all rows. Tables are named with their schema, so no other one is touched, whatever the search path."""
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
