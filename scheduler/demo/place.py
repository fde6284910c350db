"""Where the demo works: a folder of its own with a new database in it. It removes nothing else.

DIR/.keizoku-demo    the marker of a demo's folder: without it nothing in the folder is touched; it says until when it
                     was played, once it was
DIR/postgresql/      the demo's database, made anew by every run
DIR/demo.html        its page
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from keizoku.billing.gateway.simulated import SimulatedGateway
from keizoku.db.embedded import ROOT_DIR, EmbeddedServer
from keizoku.db.migrate import upgrade
from keizoku.db.programs import server_account, succeeds
from keizoku.db.session import make_engine
from keizoku.db.tables.simulated import test_clock
from keizoku.scheduler.app import Services
from keizoku.scheduler.linking import simulated_setup
from keizoku.terms.calendar import iso_jst
from keizoku.terms.rules import Rules

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from keizoku.link.services.base import LinkSetup

__all__ = [
    "NotADemoError", "clear", "default_dir", "demo_dir", "examples_dir", "fresh_services", "pretended_partner",
    "stand_at", "was_played",
]  # fmt: skip

MARKER = ".keizoku-demo"
PLAYED = "played until "
EXAMPLES = Path("examples") / "2026-04"
FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
"""A demo need not survive a power cut."""


class NotADemoError(Exception):
    """The folder is not a demo's, or it is in use: nothing was removed."""


def default_dir() -> tuple[Path, str]:
    """`.demo` here, or, for root in a private folder, a place that the server's account can reach; and why."""
    here = Path.cwd() / ".demo"
    account = server_account()
    if account is None or succeeds(["/bin/sh", "-c", 'cd "$0"', str(here.parent)], account):
        return here, ""
    there = ROOT_DIR / "demo"
    return there, f"{here.parent} is private and PostgreSQL does not run as root, so the demo works in {there}"


def demo_dir(named: Path | None) -> tuple[Path, str]:
    """The named folder where it is a demo's, else the default one; and why that is another than `.demo`, if it is."""
    return (named, "") if named is not None and (named / MARKER).is_file() else default_dir()


def was_played(folder: Path) -> bool:
    """Whether a demo was played to its end in this folder."""
    marker = folder / MARKER
    return marker.is_file() and PLAYED in marker.read_text(encoding="utf-8")


def stand_at(services: Services, folder: Path, now: datetime) -> None:
    """The demo is played: its clock stands at `now`, and whoever opens its pages is at that morning."""
    kept = {"now": now, "author": "demo", "recorded_at": datetime.now(UTC)}
    services.session.execute(test_clock.insert().values(**kept))
    services.session.commit()
    with (folder / MARKER).open("a", encoding="utf-8") as marker:
        marker.write(f"{PLAYED}{iso_jst(now)}\n")


def examples_dir() -> Path | None:
    """The example month of the checkout that this runs from, or of the current folder; None: neither has one."""
    candidates = (Path(__file__).resolve().parents[2] / EXAMPLES, Path.cwd() / EXAMPLES)
    return next((each for each in candidates if (each / "contracts.csv").is_file()), None)


def clear(folder: Path) -> None:
    """Remove an earlier demo's database from its folder, and write the marker. Raises NotADemoError."""
    if folder.exists() and not folder.is_dir():
        raise NotADemoError(f"{folder} is a file; name a folder by --data-dir")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / MARKER).is_file():
        raise NotADemoError(
            f"{folder} is not empty and not a demo's (no {MARKER} in it), so nothing was touched; "
            "name another folder by --data-dir"
        )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARKER).write_text("made by `keizoku demo`, which replaces the database in this folder\n")
    database = folder / "postgresql"
    if database.is_dir():
        if not EmbeddedServer(folder).stop():
            raise NotADemoError(f"another command uses the demo's database in {folder}; wait for it, then try again")
        shutil.rmtree(database)


def pretended_partner(engine: Engine) -> Callable[[], LinkSetup]:
    """The simulated partner of the linked service, the same for the whole demo."""
    return cache(partial(simulated_setup, engine))


@contextmanager
def fresh_services(folder: Path, rules: Rules) -> Iterator[Services]:
    """Services on a new, empty database in the cleared folder."""
    with EmbeddedServer(folder, FAST) as server:
        engine = make_engine(server.url)
        try:
            with engine.connect() as session:
                upgrade(session)
                gateway = SimulatedGateway(engine)
                try:
                    yield Services(session=session, rules=rules, gateway=gateway, link_setup=pretended_partner(engine))
                finally:
                    gateway.close()
        finally:
            engine.dispose()
