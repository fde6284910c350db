"""`keizoku serve --local --demo`: the month of `keizoku demo` in a browser, on the morning on which it ended.

    a demo's folder that was played ──> its database, its clock
    none, or one that was broken off ──> it is played first

The demo's database is marked by its clock, as a sandbox's is, so nothing live is ever served as one, nor it as live.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from keizoku.db.tables.simulated import test_clock
from keizoku.scheduler.cli.shared.output import UserError, note
from keizoku.scheduler.demo.place import demo_dir, was_played
from keizoku.scheduler.settings import Settings
from keizoku.web.sandbox import Sandbox, outside_of_nothing

if TYPE_CHECKING:
    from keizoku.db.session import Session

__all__ = ["demo_sandbox", "demo_settings"]


def demo_settings(settings: Settings) -> Settings:
    """The settings under which the demo is served; it is played first where it was not, and ends so where it cannot."""
    folder, why = demo_dir(settings.data_dir)
    if why:
        note(why)
    if not was_played(folder):
        from keizoku.scheduler.cli.operations.demo_run import make_demo

        note("the demo was not played here yet: it is played now, which takes a minute or two")
        make_demo(folder)
    own = {
        "database_url": None,
        "data_dir": folder,
        "database_schema": Settings.model_fields["database_schema"].default,
    }
    return outside_of_nothing(settings, own)


def demo_sandbox(session: Session) -> Sandbox:
    """The clock of the demo. UserError for a database that is none."""
    now = session.execute(sa.select(sa.func.max(test_clock.c.now))).scalar_one()
    session.rollback()
    if now is None:
        raise UserError("this database is not a finished demo: run `keizoku demo`, which makes it anew")
    return Sandbox(now)
