"""From the settings to open services: which database, is it up to date, who charges cards.

Every command that works with the database prints on stderr where that is. Nothing heavy is imported before it is
needed: the help of a group answers at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from keizoku.scheduler.cli.shared.output import UserError, note

if TYPE_CHECKING:
    import sqlalchemy as sa

    from keizoku.billing.documents.addressees import Naming
    from keizoku.db.embedded import EmbeddedServer
    from keizoku.db.session import Session
    from keizoku.scheduler.app import Services
    from keizoku.scheduler.clock import ClockName
    from keizoku.scheduler.settings import Settings

__all__ = [
    "ALL_THAT_IS_KNOWN",
    "Database",
    "bring_up_to_date",
    "embedded_server",
    "naming_of_this_process",
    "open_database",
    "open_services",
    "server_address",
    "services_now",
    "settings_of_this_process",
]


ALL_THAT_IS_KNOWN = datetime(9999, 12, 31, tzinfo=UTC)
"""As of when commands that only read ask: nothing is left out, not even what a simulated clock wrote ahead."""


@dataclass(frozen=True)
class Database:
    """An open database: a session on it, its address for further ones, and where it is in words."""

    session: Session
    url: sa.URL
    schema: str
    place: str
    embedded: bool
    keep_running: Callable[[], None]
    """Starts an embedded server again that was killed meanwhile; a server is others' to start."""


def settings_of_this_process() -> Settings:
    """The settings; a bad value ends the command with one line."""
    from keizoku.scheduler.settings import SettingsError, load_settings

    try:
        return load_settings()
    except SettingsError as error:
        raise UserError(str(error)) from error


def naming_of_this_process(settings: Settings) -> Naming | None:
    """Who is asked for names on documents, or None; a setting that cannot be used ends the command with one line."""
    from keizoku.scheduler.directories import DirectorySettingsError, naming_of

    try:
        return naming_of(settings)
    except DirectorySettingsError as error:
        raise UserError(str(error)) from error


def embedded_server(settings: Settings) -> EmbeddedServer:
    """The embedded server that the settings mean; nothing is started."""
    from keizoku.db.embedded import EmbeddedServer, default_data_dir

    try:
        return EmbeddedServer(settings.data_dir or default_data_dir())
    except RuntimeError:  # no HOME, and the system knows no home of this user
        raise UserError(
            "there is no home folder for the database: name one with KEIZOKU_DATA_DIR, or set HOME"
        ) from None


@contextmanager
def open_database(settings: Settings, *, quiet: bool = False, waits: int | None = None) -> Iterator[Database]:
    """A session on the server of the settings, which is started if it is the embedded one.

    Where it is is said on stderr, unless `quiet`: a worker opens it for every job. `waits`: after how many seconds
    a session gives up waiting for a lock; None: as the server is set.
    """
    if settings.database_url is None:
        with embedded_server(settings) as server:
            place = f"embedded PostgreSQL {{version}} in {server.data_dir}"
            with _reason_printed(server):
                yield from _connected(server.url, settings.database_schema, place, server.keep_running, quiet, waits)
    else:
        url = server_address(settings)
        named = url.query.get("host", "the local socket")
        host = url.host or (named if isinstance(named, str) else ", ".join(named))
        place = f"server {host}/{url.database or ''}, PostgreSQL {{version}}"
        yield from _connected(url, settings.database_schema, place, None, quiet, waits)


def server_address(settings: Settings) -> sa.URL:
    """The address of the server that is set; the schema has a setting of its own, and no second way to name it."""
    from keizoku.db.session import normalised_url

    if settings.database_url is None:
        raise LookupError("no server is set")
    url = normalised_url(settings.database_url.get_secret_value())
    if "search_path" in str(url.query.get("options", "")):
        raise UserError("KEIZOKU_DATABASE_URL sets a search_path: name the schema with KEIZOKU_DATABASE_SCHEMA instead")
    return url


@contextmanager
def _reason_printed(server: EmbeddedServer) -> Iterator[None]:
    """Where our own server goes away meanwhile and its log says that its disk is full, the error says so too."""
    said_before = server.log_file.stat().st_size
    try:
        yield
    except Exception as error:
        from keizoku.db.failures import failure_of, reason_in_log

        failure = failure_of(error)
        if failure is not None and failure.kind == "database_gone":
            why = reason_in_log(server.log_file, said_before)
            if why is not None:
                raise why from error
        raise


def _connected(
    url: sa.URL,
    schema: str,
    place: str,
    keep_running: Callable[[], None] | None,
    quiet: bool,
    waits: int | None,
) -> Iterator[Database]:
    from keizoku.db.session import check_server, make_engine

    engine = make_engine(url, schema, lock_timeout_seconds=waits)
    try:
        with engine.connect() as session:
            named = place.format(version=check_server(session)) + ("" if schema == "public" else f", schema {schema}")
            found = Database(session, url, schema, named, keep_running is not None, keep_running or (lambda: None))
            session.rollback()
            if not quiet:
                note(f"database: {found.place}")
            yield found
    finally:
        engine.dispose()


@contextmanager
def open_services(
    settings: Settings | None = None, *, quiet: bool = False, clock: ClockName = "real", waits: bool = True
) -> Iterator[Services]:
    """The services on a database that is up to date.

    The embedded database is brought up to date by itself; on a server that is the operator's to do. With the real
    clock, one that is ahead of the database's ends the command. Without `waits` its sessions, and those that are
    opened beside them, give up a lock after the time that is set.
    """
    from keizoku.db.account_reads import question_asked
    from keizoku.scheduler.app import services_on
    from keizoku.scheduler.cli.shared.asked import reader
    from keizoku.scheduler.settings import SettingsError

    settings = settings or settings_of_this_process()
    with ExitStack() as stack:
        try:
            settings.rules()  # what is set wrongly is said before a server is started
            settings.own_letters()
            database = stack.enter_context(
                open_database(settings, quiet=quiet, waits=None if waits else settings.lock_timeout_seconds)
            )
            bring_up_to_date(database)
            reads = reader() if question_asked() else None
            services = stack.enter_context(services_on(database.session.engine, settings, clock=clock, reader=reads))
        except SettingsError as error:
            raise UserError(str(error)) from error
        if services.clock is not None:
            services.clock.check(datetime.now(UTC))
        yield services


@contextmanager
def services_now() -> Iterator[tuple[Services, datetime]]:
    """The services and the present instant."""
    with open_services() as services:
        yield services, datetime.now(UTC)


def bring_up_to_date(database: Database) -> None:
    """Upgrade the embedded database where it is empty or behind; UserError for a server that is not up to date."""
    from keizoku.db.standing import standing

    found = standing(database.session)
    database.session.rollback()
    if found.complaint is None:
        return
    if not database.embedded or found.elsewhere or found.state not in ("empty", "behind"):
        raise UserError(found.complaint)
    from keizoku.db.migrate import upgrade

    upgrade(database.session)
