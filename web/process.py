"""One process that answers: the application of a door under uvicorn, on sockets that are bound, until SIGTERM."""

from __future__ import annotations

import errno
import gc
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from keizoku.scheduler.cli.shared.output import UserError
from keizoku.web.form_health import FormHealth

if TYPE_CHECKING:
    from keizoku.web.door import Door

__all__ = ["END_WITHIN_S", "Place", "answer", "bound", "let_go", "make_steady", "uvicorn_settings"]

END_WITHIN_S: Final = 20
"""Calls that are under way at SIGTERM have so long to end."""
SWITCH_S: Final = 0.000_5
"""After so long a thread that computes lets another go on: the loop that answers never waits for the log's rows."""
GARBAGE: Final = (10_000, 20, 50)


@dataclass(frozen=True, slots=True)
class Place:
    """Where it listens, and behind what. `threads`: calls that a process answers at once."""

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
    workers: int = 1
    """Processes that answer."""


def bound(place: Place) -> list[socket.socket]:
    """Sockets on all addresses of the place, on which nobody listens yet. UserError where that cannot be."""
    found: list[socket.socket] = []
    try:
        addresses = dict.fromkeys(
            (family, where)
            for family, _, _, _, where in socket.getaddrinfo(
                place.host, place.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )
        )
        for family, where in addresses:
            taken = socket.socket(family, socket.SOCK_STREAM)
            found.append(taken)
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                taken.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            try:
                taken.bind(where)
            except OSError as error:
                if error.errno != errno.EADDRNOTAVAIL or len(addresses) == 1:
                    raise
                found.pop().close()  # a name with an address that this machine has not
    except OSError as error:
        let_go(found)
        raise UserError(f"cannot listen on {place.host}:{place.port}: is something else there?") from error
    return found


def let_go(sockets: Sequence[socket.socket]) -> None:
    """Close them."""
    for each in sockets:
        each.close()


def make_steady() -> None:
    """What keeps a process that answers from standing still: its threads take turns sooner, what was loaded stays."""
    sys.setswitchinterval(SWITCH_S)
    gc.collect()
    gc.freeze()  # else each whole collection looks through all that was imported
    gc.set_threshold(*GARBAGE)


def uvicorn_settings() -> dict[str, Any]:
    """How uvicorn answers here."""
    from keizoku.web.protocol import DoorProtocol

    return {
        "http": DoorProtocol,
        "ws": "none",
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "date_header": True,
        "lifespan": "off",
        "timeout_keep_alive": 5,
        "timeout_graceful_shutdown": END_WITHIN_S,
    }


def answer(app: Any, door: Door, place: Place, sockets: list[socket.socket]) -> None:
    """Answer calls until SIGTERM or SIGINT; calls under way are ended first. The door stays open."""
    import uvicorn

    site = door.site
    health = FormHealth(door) if site is not None and not site.local and door.sandbox is None else None
    config = uvicorn.Config(
        app,
        proxy_headers=bool(place.behind_proxy),
        forwarded_allow_ips=list(place.behind_proxy) or None,
        **uvicorn_settings(),
    )
    server = uvicorn.Server(config)
    if threading.current_thread() is threading.main_thread():
        # uvicorn gives the signal again when it has ended: that must not end us before the log is written
        signal.signal(signal.SIGTERM, lambda *_: setattr(server, "should_exit", True))
    make_steady()
    try:
        if health is not None:
            health.start()
        server.run(sockets=sockets)
    except SystemExit as error:
        raise UserError("the server did not start: see its log") from error
    finally:
        gc.unfreeze()  # what ends with the process may be looked through
        if health is not None:
            health.stop()
    if not server.started:
        raise UserError("the server did not start: see its log")
