"""What a night is not run for without a person's word: a day too early, too many days at once; and rows ahead.

too early   before the terms, before the first contract, or before the last certified night and never run itself
too many    more missed nights than are set: the clock may have jumped, and what a night writes stays
ahead       a row that was recorded later than the database's clock says now: a clock was wrong
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Final

import sqlalchemy as sa

from keizoku.db.session import Session
from keizoku.db.tables import metadata
from keizoku.db.tables.contracts import contract
from keizoku.db.tables.guards import APPEND_ONLY
from keizoku.scheduler.clock import database_now
from keizoku.scheduler.night.run_log import RunLogState, run_log_state
from keizoku.terms.calendar import jst_day
from keizoku.terms.refusal import Refused
from keizoku.terms.rules import Rules

NEWEST: Final = 10_000
"""So many of the newest rows of a table are looked at each night; all of them when everything is audited."""
_LEARNED: Final = ("recorded_at", "written_at", "decided_at", "issued_at")


def check_not_too_early(session: Session, rules: Rules, business_date: date) -> None:
    """Raises Refused for a business date that lies before all that a night could be for."""
    first = rules.terms.versions[0].in_force_from
    if business_date < first:
        raise _too_early(business_date, f"the terms are in force from {first} on")
    state = run_log_state(session, business_date)
    if state.ran_before:
        return
    if state.last_night is not None and business_date < state.last_night:
        raise _too_early(
            business_date, f"it never ran, and the night of {state.last_night} did: that one stands for it"
        )
    applied: datetime | None = session.execute(sa.select(sa.func.min(contract.c.applied_at))).scalar_one()
    if applied is not None and business_date < jst_day(applied):
        raise _too_early(business_date, f"the first contract was applied for on {jst_day(applied)}")


def check_not_too_many(state: RunLogState, most_missed: int) -> None:
    """Raises Refused where more nights were missed than are caught up without a person's word."""
    if len(state.missed) > most_missed:
        raise Refused(
            "night.many_missed",
            f"the night of {state.business_date} would catch up {len(state.missed)} nights missed since "
            f"{state.last_night}, more than {most_missed} (KEIZOKU_MOST_MISSED_NIGHTS)",
            "look at the clock; if they were missed, a person says so: keizoku night --catch-up",
        )


def rows_ahead(session: Session, most_ahead: timedelta, *, whole: bool) -> list[str]:
    """Rows of append-only tables recorded ahead of the database's clock, in words; empty where there are none."""
    limit = database_now(session) + most_ahead
    found = session.execute(sa.union_all(*_counts(limit, whole))).all()
    return [
        f"{row.name}: {row.number} rows were recorded ahead of the database's clock, up to {row.latest:%Y-%m-%d %H:%M} "
        "UTC: a clock was wrong"
        for row in found
        if row.number
    ]


def _counts(limit: datetime, whole: bool) -> Iterator[sa.Select[str, int, datetime]]:
    for name in APPEND_ONLY:
        table = metadata.tables[name]
        learned = next((table.c[each] for each in _LEARNED if each in table.c), None)
        if learned is None:
            continue
        numbered = "id" in table.c and isinstance(table.c.id.type, sa.BigInteger)
        if not (whole or numbered):
            continue
        count = sa.select(
            sa.literal(name).label("name"), sa.func.count().label("number"), sa.func.max(learned).label("latest")
        ).where(learned > limit)
        if not whole:
            newest = sa.select(sa.func.max(table.c.id)).scalar_subquery()
            count = count.where(table.c.id > newest - NEWEST)
        yield count


def _too_early(business_date: date, why: str) -> Refused:
    return Refused("night.too_early", f"there is no night of {business_date}: {why}", "name a later date by --on")
