"""`keizoku serve`: the application under uvicorn, on the database that the settings name, until SIGTERM."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from keizoku.db.roles import apply_roles
from keizoku.db.session import DatabaseError
from keizoku.extras import naming_the_extra
from keizoku.scheduler.cli.shared.context import open_database
from keizoku.scheduler.cli.shared.output import UserError, note
from keizoku.web.door import Door

if TYPE_CHECKING:
    from keizoku.scheduler.cli.shared.context import Database
    from keizoku.scheduler.settings import Settings

__all__ = ["Place", "serve"]

END_WITHIN_S: Final = 20
"""Calls that are under way at SIGTERM have so long to end."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where it listens, and behind what. `threads`: calls that are answered at once."""

    host: str = "127.0.0.1"
    port: int = 8420
    threads: int = 16
    behind_proxy: tuple[str, ...] = ()


def serve(settings: Settings, place: Place, started: Callable[[str], None] = note) -> None:
    """Answer calls until SIGTERM or SIGINT; calls under way are ended first. UserError where it cannot listen."""
    with naming_the_extra():
        import uvicorn

        from keizoku.web.application import make_application

    with open_database(settings) as database:
        door = _door(settings, database, place.threads)
        try:
            app = make_application(door)
            config = uvicorn.Config(
                app,
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
            try:
                server.run()
            except SystemExit as error:  # uvicorn's word for an address that is taken
                raise UserError(f"cannot listen on {place.host}:{place.port}: is something else there?") from error
            if not server.started:
                raise UserError(f"cannot listen on {place.host}:{place.port}: is something else there?")
        finally:
            door.close()


def _door(settings: Settings, database: Database, threads: int) -> Door:
    """The door on this database; where it is the embedded one, its roles are made."""
    if database.embedded:
        apply_roles(database.session)
    database.session.rollback()
    door = Door(settings, settings.rules(), database.url, database.schema, pool=threads)
    try:
        door.check()
    except Exception as error:
        door.close()
        if "role" in str(error) and not isinstance(error, DatabaseError):
            raise UserError(
                "this login may not act as keizoku_worker, keizoku_finance and keizoku_support: `keizoku db roles` "
                "makes them, the tables' owner grants all three to the login of the server"
            ) from error
        raise
    return door
