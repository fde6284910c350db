"""The contract liability (2120) of a month: from its opening to its closing balance, event by event.

    opening 5,300 + invoiced 500 - recognised 450 - … = closing 5,350

Always holds: the closing balance is that of the account, counted apart from the movements; where they differ the table
is not shown (RuntimeError: an error of the program). Whole yen, what we owe in service above zero; the month is that of
the day on which an entry is posted.
"""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from billing.exports.writing import balances_before
from db.session import Session
from db.tables.books import entry, line
from terms.calendar import Month

ACCOUNT = "2120"


@dataclass(frozen=True, slots=True)
class RollForward:
    """What moved the account in a month; movements by event, in the order in which they first came."""

    month: Month
    opening_yen: int
    movements: tuple[tuple[str, int], ...]
    closing_yen: int

    def rows(self) -> list[tuple[str, int]]:
        """Opening and movements: they sum to the closing balance."""
        return [("opening", self.opening_yen), *self.movements]


def contract_liability(session: Session, month: Month) -> RollForward:
    """The month's deferred revenue."""
    movements = tuple(
        (str(event), int(yen))
        for event, yen in session.execute(
            sa.select(entry.c.event, -sa.func.sum(line.c.yen))
            .join(line, line.c.entry_id == entry.c.id)
            .where(line.c.code == ACCOUNT, entry.c.posted_on >= month.first_on, entry.c.posted_on < month.end_on)
            .group_by(entry.c.event)
            .order_by(sa.func.min(entry.c.id))
        )
    )
    opening_yen = -balances_before(session, month).get(ACCOUNT, 0)
    closing_yen = -balances_before(session, month.next()).get(ACCOUNT, 0)
    if opening_yen + sum(yen for _, yen in movements) != closing_yen:
        raise RuntimeError(f"2120 in {month}: {opening_yen} and {movements} do not come to {closing_yen}")
    return RollForward(month, opening_yen, movements, closing_yen)
