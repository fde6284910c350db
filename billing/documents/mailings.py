"""What became of giving documents to a mail server: marked before the text goes out, so that nothing goes out twice.

    begin ──> the text goes out ──> taken: `outbox.hand_over`, for good
                │                └─ put off (tried again later) or refused (a task)
                └─ nobody knows: the connection broke, or this process ended; a task, and not tried again by itself

Nothing personal is kept: no address, and of an answer its codes alone.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

import sqlalchemy as sa

from keizoku.billing.documents.outbox import OutgoingDocument
from keizoku.db.review_tasks import NewTask, TaskKind, open_tasks
from keizoku.db.session import Session
from keizoku.db.tables.letters import mailing
from keizoku.db.tables.money import handover

__all__ = ["Mailing", "Outcome", "begin", "newest", "note", "tell", "unanswered"]

Outcome = Literal["deferred", "refused"]
WAIT: Final = timedelta(minutes=15)
LONGEST_WAIT: Final = timedelta(hours=4)
_SERIES: Final = sa.case(
    (mailing.c.notice_id.is_not(None), "N"), (mailing.c.demand_id.is_not(None), "D"), else_="L"
).concat(sa.cast(sa.func.coalesce(mailing.c.notice_id, mailing.c.demand_id, mailing.c.letter_id), sa.Text))
_COLUMN: Final = {"N": mailing.c.notice_id, "D": mailing.c.demand_id, "L": mailing.c.letter_id}


@dataclass(frozen=True, slots=True)
class Mailing:
    """The newest mark of a document."""

    attempt: int
    state: str
    recorded_at: datetime

    def may_be_tried(self, now: datetime) -> bool:
        """Whether it may go out without a person's word: it was put off, and has waited longer each time."""
        return self.state == "deferred" and now >= self.recorded_at + min(self.attempt * WAIT, LONGEST_WAIT)


def newest(session: Session, documents: Collection[str]) -> Mapping[str, Mailing]:
    """The newest mark of each of these documents (ids like L7); those never tried are left out."""
    found: dict[str, Mailing] = {}
    for series, column in _COLUMN.items():
        ids = [int(each[1:]) for each in documents if each.startswith(series)]
        if ids:
            rows = session.execute(
                sa.select(column, mailing.c.attempt, mailing.c.state, mailing.c.recorded_at)
                .where(column.in_(ids))
                .order_by(mailing.c.id)
            )
            found |= {f"{series}{number}": Mailing(attempt, state, at) for number, attempt, state, at in rows}
    return found


def begin(session: Session, document: str, attempt: int, now: datetime) -> None:
    """Mark that the text of a document goes out now. Commits. IntegrityError where that attempt was begun already."""
    _add(session, document, attempt, "begun", None, now)
    session.commit()


def note(session: Session, document: str, attempt: int, outcome: Outcome, reply: str, now: datetime) -> None:
    """Mark that the server put it off or refused it; `reply`: its codes. Does not commit."""
    _add(session, document, attempt, outcome, reply, now)


def unanswered(session: Session) -> dict[str, int]:
    """Documents whose text went out with no word of what became of it, and by which attempt.

    Only where nobody is sending: what is under way looks the same.
    """
    later = mailing.alias("later")
    same = [later.c[name].is_not_distinct_from(mailing.c[name]) for name in ("notice_id", "demand_id", "letter_id")]
    given = sa.or_(*(handover.c[column.name] == column for column in _COLUMN.values()))
    rows = session.execute(
        sa.select(_SERIES, mailing.c.attempt)
        .where(
            mailing.c.state == "begun",
            ~sa.exists().where(given),
            ~sa.exists().where(*same, later.c.id > mailing.c.id),
        )
        .order_by(mailing.c.id)
    )
    return dict(tuple(row) for row in rows)


def tell(session: Session, kind: TaskKind, document: OutgoingDocument, why: str, now: datetime) -> None:
    """Open the task for people about a document that could not be mailed. Does not commit."""
    open_tasks(session, kind, [NewTask(document.id, {"account": document.account, "why": why})], now)


def _add(session: Session, document: str, attempt: int, state: str, reply: str | None, now: datetime) -> None:
    column = _COLUMN[document[:1]].name
    values = {column: int(document[1:]), "attempt": attempt, "state": state, "reply": reply, "recorded_at": now}
    session.execute(sa.insert(mailing).values(values))
