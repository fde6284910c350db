"""What the house leaves to people: a list of tasks, each opened once with its facts."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy.dialects.postgresql import insert

from db.session import Session
from db.tables.money import people_task


def open_task(session: Session, kind: str, subject: str, detail: Mapping[str, object], now: datetime) -> int:
    """Open a task unless the same one was opened before; returns the rows written (0 or 1). Does not commit."""
    result = session.execute(
        insert(people_task)
        .values(kind=kind, subject=subject, detail=dict(detail), opened_at=now)
        .on_conflict_do_nothing(index_elements=["kind", "subject"])
    )
    return result.rowcount
