"""`keizoku serve`: the application under uvicorn, on the database that the settings name, until SIGTERM."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

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
from keizoku.web.identity.browser import Site
from keizoku.web.identity.links import new_link
from keizoku.web.identity.principal import ROLES, Principal
from keizoku.web.process import Place, answer, bound, let_go
from keizoku.web.sandbox import fresh_keys, is_sandbox, open_sandbox, sandbox_settings
from keizoku.web.workers import Work, run_workers

if TYPE_CHECKING:
    from keizoku.scheduler.cli.shared.context import Database
    from keizoku.scheduler.settings import Settings
    from keizoku.web.identity.oidc import Directory

__all__ = ["Place", "directory_at", "local_link", "serve", "site_at"]


def serve(settings: Settings, place: Place, started: Callable[[str], None] = note) -> None:
    """Answer calls until SIGTERM or SIGINT; calls under way are ended first. UserError where it cannot listen."""
    with naming_the_extra():
        import uvicorn  # noqa: F401 - whether the extra is there

        from keizoku.web.application import make_application

    if place.workers > 1 and (place.sandbox or place.demo):
        raise UserError("a sandbox has one clock, in one process: leave --workers out")
    if place.demo:
        settings = demo_settings(settings)
    settings = sandbox_settings(settings) if place.sandbox else settings
    site = site_at(settings, place)
    directory = directory_at(place, site)
    with open_database(settings) as database:
        door = _door(settings, database, place, site)
        door.directory = directory
        sockets: list[socket.socket] = []
        try:
            app = make_application(door)
            sockets = bound(place)
            keys = _keys_of(door) if place.sandbox else {}
            started(f"listening on http://{place.host}:{sockets[0].getsockname()[1]}")
            for role, key in keys.items():
                started(f"{role} key: {key}")
            if place.local:
                started(f"open {local_link(door)} (once{'' if place.demo else ', within 15 minutes'})")
            if place.demo:
                at = iso_jst(door.clock())[:16].replace("T", " ")
                started(f"the demo's clock stands at {at} in Japan; press Ctrl-C to end")
            if place.workers == 1:
                answer(app, door, place, sockets)
        finally:
            door.close()
            if place.workers == 1:
                let_go(sockets)
        if place.workers > 1:
            try:
                run_workers(Work(settings, place, database.url, database.schema), sockets, started)
            finally:
                let_go(sockets)


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
