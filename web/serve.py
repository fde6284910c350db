"""`keizoku serve`: the application under uvicorn, on the database that the settings name, until SIGTERM."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from keizoku.db.migrate import upgrade
from keizoku.db.roles import apply_roles
from keizoku.db.session import DatabaseError
from keizoku.extras import naming_the_extra
from keizoku.scheduler.app import services_on
from keizoku.scheduler.cli.shared.context import bring_up_to_date, open_database
from keizoku.scheduler.cli.shared.inputs import recorder
from keizoku.scheduler.cli.shared.output import UserError, note
from keizoku.terms.calendar import iso_jst
from keizoku.web.demo import demo_sandbox, demo_settings
from keizoku.web.door import Door
from keizoku.web.form_health import FormHealth
from keizoku.web.identity.browser import Site
from keizoku.web.identity.links import new_link
from keizoku.web.identity.principal import ROLES, Principal
from keizoku.web.sandbox import fresh_keys, is_sandbox, open_sandbox, sandbox_settings

if TYPE_CHECKING:
    from keizoku.scheduler.cli.shared.context import Database
    from keizoku.scheduler.settings import Settings
    from keizoku.web.identity.oidc import Directory

__all__ = ["Place", "directory_at", "local_link", "serve", "site_at"]

END_WITHIN_S: Final = 20
"""Calls that are under way at SIGTERM have so long to end."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where it listens, and behind what. `threads`: calls that are answered at once."""

    host: str = "127.0.0.1"
    port: int = 8420
    threads: int = 16
    local: bool = False
    """For one person at this machine: a link is printed that begins a session, once."""
    behind_proxy: tuple[str, ...] = ()
    oidc: Path | None = None
    """The file of the directory in which the staff sign in."""
    sandbox: str = ""
    """The seed of a sandbox; empty: it is none."""
    demo: bool = False
    """Whether it shows the month of `keizoku demo`, which is played where it was not yet."""


def serve(settings: Settings, place: Place, started: Callable[[str], None] = note) -> None:
    """Answer calls until SIGTERM or SIGINT; calls under way are ended first. UserError where it cannot listen."""
    with naming_the_extra():
        import uvicorn

        from keizoku.web.application import make_application
        from keizoku.web.protocol import DoorProtocol

    if place.demo:
        settings = demo_settings(settings)
    settings = sandbox_settings(settings) if place.sandbox else settings
    site = site_at(settings, place)
    directory = directory_at(place, site)
    with open_database(settings) as database:
        door = _door(settings, database, place, site)
        door.directory = directory
        health = FormHealth(door) if site is not None and not site.local and door.sandbox is None else None
        try:
            keys = _keys_of(door) if place.sandbox else {}
            app = make_application(door)
            config = uvicorn.Config(
                app,
                http=DoorProtocol,
                host=place.host,
                port=place.port,
                log_config=None,
                access_log=False,
                server_header=False,
                date_header=True,
                lifespan="off",
                proxy_headers=bool(place.behind_proxy),
                forwarded_allow_ips=list(place.behind_proxy) or None,
                timeout_keep_alive=5,
                timeout_graceful_shutdown=END_WITHIN_S,
                h11_max_incomplete_event_size=32 * 1024,
            )
            server = uvicorn.Server(config)
            started(f"listening on http://{place.host}:{place.port}")
            for role, key in keys.items():
                started(f"{role} key: {key}")
            if place.local:
                started(f"open {local_link(door)} (once{'' if place.demo else ', within 15 minutes'})")
            if place.demo:
                at = iso_jst(door.clock())[:16].replace("T", " ")
                started(f"the demo's clock stands at {at} in Japan; press Ctrl-C to end")
            try:
                if health is not None:
                    health.start()
                server.run()
            except SystemExit as error:  # uvicorn's word for an address that is taken
                raise UserError(f"cannot listen on {place.host}:{place.port}: is something else there?") from error
            if not server.started:
                raise UserError(f"cannot listen on {place.host}:{place.port}: is something else there?")
        finally:
            if health is not None:
                health.stop()
            door.close()


def site_at(settings: Settings, place: Place) -> Site | None:
    """Where browsers reach us. UserError for --local on an address that others reach."""
    if not place.local:
        return Site(settings.public_url) if settings.public_url else None
    if place.host not in ("127.0.0.1", "localhost", "::1"):
        raise UserError(f"--local listens on this machine alone, not on {place.host}: leave --listen out")
    host = f"[{place.host}]" if ":" in place.host else place.host
    return Site(f"http://{host}:{place.port}", local=True)


def directory_at(place: Place, site: Site | None) -> Directory | None:
    """Where the staff sign in. UserError for a file that cannot be used, and without an address for browsers."""
    if place.oidc is None:
        return None
    if site is None or site.local:
        raise UserError("--oidc needs the address of the door in browsers: set KEIZOKU_PUBLIC_URL to https://…")
    with naming_the_extra():
        from keizoku.web.identity.oidc import Directory
        from keizoku.web.identity.oidc_settings import OidcFileError, read_oidc_file
    try:
        return Directory(read_oidc_file(place.oidc), f"{site.origin}/sign-in/back")
    except OidcFileError as error:
        raise UserError(str(error)) from None


def local_link(door: Door) -> str:
    """A new link that opens the pages once, for whoever sits at this machine."""
    who = Principal("local", f"local:{recorder('')}", ROLES)
    with door.connect("worker") as session:
        token = new_link(session, who, by=who.name, now=door.clock())
        session.commit()
    return f"{door.site.origin if door.site else ''}/enter/{token}"


def _keys_of(door: Door) -> dict[str, str]:
    with door.connect("worker") as session:
        return fresh_keys(session, door.clock())


def _door(settings: Settings, database: Database, place: Place, site: Site | None) -> Door:
    """The door on this database; where it is the embedded one, its roles are made."""
    if place.sandbox and not database.embedded:
        upgrade(database.session)
    try:
        bring_up_to_date(database)
    except UserError:
        if place.demo:
            raise UserError("the demo here was made by another build: `keizoku demo` makes it anew") from None
        raise
    if database.embedded:
        apply_roles(database.session)
    database.session.rollback()
    sandbox = None
    if place.sandbox:
        engine = database.session.engine
        with services_on(engine, settings, clock="given", reader=None) as services:
            sandbox = open_sandbox(services, place.sandbox)
    elif place.demo:
        sandbox = demo_sandbox(database.session)
    elif is_sandbox(database.session):
        raise UserError("this database is a sandbox's or the demo's: serve it with --sandbox, or --local --demo")
    door = Door(settings, settings.rules(), database.url, database.schema, sandbox, place.threads, site=site)
    try:
        door.check()
    except Exception as error:
        door.close()
        if "role" in str(error) and not isinstance(error, DatabaseError):
            raise UserError(
                "this login may not act as keizoku_worker, keizoku_finance, keizoku_support and keizoku_member: "
                "`keizoku db roles` makes them, the tables' owner grants all four to the login of the server"
            ) from error
        raise
    return door
