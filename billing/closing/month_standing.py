"""How a month stands, as it was found at an instant: its sides, what differs, the checks of a close, its balances.

    check_month ──> one snapshot: reconciled, checks, notes, balances ──> kept ──> standing_of shows it at once

What is kept is what was found then; it is found anew by checking again. JST months, whole yen.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from keizoku.billing.closing.close_notes import close_notes
from keizoku.billing.closing.month_close import checks_of, standing
from keizoku.billing.closing.reconciliation_run import (
    KEPT,
    Progress,
    Reconciled,
    exception_row,
    fetch_news,
    keep_for_people,
    reconcile_known,
)
from keizoku.billing.gateway.port import Gateway
from keizoku.billing.ledger.queries import month_balances
from keizoku.db.session import Session, one_snapshot
from keizoku.db.tables.closing import reconciliation_result
from keizoku.terms.calendar import Month
from keizoku.terms.read_model import JapanInstant, ReadModel

__all__ = ["MonthStanding", "check_month", "is_closed", "standing_of"]


@dataclass(frozen=True, slots=True, eq=False)
class MonthStanding(ReadModel):
    """A month as it was found; `found` None: nobody has checked it yet."""

    month: str
    closed: bool
    checked_at: JapanInstant | None
    found: dict[str, Any] | None


def check_month(
    session: Session,
    gateway: Gateway,
    month: Month,
    now: datetime,
    progress: Progress | None = None,
    *,
    bank_accounts: Collection[str] = (),
) -> bool:
    """Reconcile a month, make the checks of its close, and keep what is found; whether a close would go through.

    Closes nothing. `bank_accounts`: ours, each of which needs statements.
    """
    fetch_news(session, gateway, now, progress)
    with one_snapshot(session):
        known = reconcile_known(session, gateway, month, now, progress)
        checks = checks_of(session, month, known, now, bank_accounts)
        found = {
            "checks": [asdict(each) for each in checks],
            "notes": list(close_notes(session, month)),
            "balances": {code: each.to_json() for code, each in month_balances(session, month).items()},
            "reconciled": _shown(known),
        }
    session.rollback()
    keep_for_people(session, known, now, found)
    return all(each.ok for each in checks)


def standing_of(session: Session, month: Month) -> MonthStanding:
    """What was found of a month last."""
    table = reconciliation_result.c
    row = session.execute(
        sa.select(table.standing, table.recorded_at)
        .where(table.month == str(month), table.standing.is_not(None))
        .order_by(table.id.desc())
        .limit(1)
    ).first()
    closed = is_closed(session, month)
    if row is None:
        return MonthStanding(str(month), closed, None, None)
    return MonthStanding(str(month), closed, row.recorded_at, row.standing)


def is_closed(session: Session, month: Month) -> bool:
    """Whether a month is closed now."""
    return str(month) in {each.month for each in standing(session)}


def _shown(known: Reconciled) -> dict[str, Any]:
    """As it is kept: the largest exceptions, all of them counted."""
    largest = sorted(known.outcome.exceptions, key=lambda each: (each.key in known.resolved, -abs(each.yen), each.key))
    whole = {key: value for key, value in known.shown().items() if key != "exceptions"}
    told = [
        {
            **exception_row(each).to_json(),
            "resolved_by": known.resolved[each.key].by if each.key in known.resolved else None,
            "ground": known.resolved[each.key].ground if each.key in known.resolved else None,
        }
        for each in largest[:KEPT]
    ]
    return {**whole, "unexplained": list(known.unexplained), "exceptions": told, "left_off": len(largest) - len(told)}
