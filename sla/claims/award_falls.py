"""Awards that stay although less would be found now: one task for finance each (premium/9.2: never lowered).

The task is written when a night's decision comes to less than was awarded, and read by the reports.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Any, Final

import sqlalchemy as sa

from keizoku.db.review_tasks import NewTask, TaskKind, open_tasks
from keizoku.db.session import Session
from keizoku.db.tables.money import review_task
from keizoku.terms.calendar import Month

KIND: Final[TaskKind] = "award_above_finding"


@dataclass(frozen=True, slots=True)
class AwardFall:
    """What an account was awarded for a month, and what would be found now; exact yen."""

    account: str
    month: Month
    awarded: Fraction
    found: Fraction

    def task(self) -> NewTask:
        """As a task."""
        detail = {
            "account": self.account,
            "month": str(self.month),
            "awarded_yen_exact": str(self.awarded),
            "found_yen_exact": str(self.found),
        }
        return NewTask(f"{self.account} {self.month}: {self.awarded} -> {self.found}", detail)

    @classmethod
    def of_detail(cls, detail: Mapping[str, Any]) -> "AwardFall":
        """From the facts of its task."""
        awarded, found = (Fraction(detail[name]) for name in ("awarded_yen_exact", "found_yen_exact"))
        return cls(detail["account"], Month.parse(detail["month"]), awarded, found)


def note_falls(session: Session, falls: Iterable[AwardFall], now: datetime) -> int:
    """Open a task for each that has none yet; the rows written. Does not commit."""
    return open_tasks(session, KIND, (each.task() for each in falls), now)


def falls_of_month(session: Session, month: Month) -> list[tuple[datetime, AwardFall]]:
    """Every fall that was noted of a month, with when, oldest first."""
    query = sa.select(review_task.c.opened_at, review_task.c.detail).where(_of_month(month)).order_by(review_task.c.id)
    return [(row.opened_at, AwardFall.of_detail(row.detail)) for row in session.execute(query)]


def open_falls(session: Session, month: Month) -> int:
    """How many falls of a month finance has not dealt with."""
    query = sa.select(sa.func.count()).where(_of_month(month), review_task.c.closed_at.is_(None))
    return int(session.execute(query).scalar_one())


def settled_by(session: Session, account: str, month: Month, awarded: Fraction) -> str:
    """Who closed the last task about this award; "" while one is open, or where there is none."""
    detail = review_task.c.detail
    rows = session.execute(
        sa.select(review_task.c.closed_by)
        .where(
            _of_month(month),
            detail["account"].astext == account,
            detail["awarded_yen_exact"].astext == str(awarded),
        )
        .order_by(review_task.c.id.desc())
        .limit(1)
    ).scalars()
    return next(iter(rows), None) or ""


def _of_month(month: Month) -> sa.ColumnElement[bool]:
    return sa.and_(review_task.c.kind == KIND, review_task.c.detail["month"].astext == str(month))
