"""Tasks for people: each is opened once with its facts, and closed by somebody with a reason.

Billing and sla both write them, so the kinds and the rows (`review_task`) have their home here.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from keizoku.db.session import Session
from keizoku.db.tables.money import review_task

TaskKind = Literal[
    "addressee_unfit",
    "attempt_unknown",
    "award_above_finding",
    "balance_file_whose",
    "charged_too_much",
    "collect_silent",
    "credit_over_granted",
    "credit_without_charge",
    "directory_silent",
    "document_unissued",
    "dispute_beyond_fee",
    "dispute_of_unknown_payment",
    "dispute_won_late",
    "gateway_movement",
    "link_announcement",
    "link_load",
    "link_order_unknown",
    "link_outage",
    "link_revocation",
    "gateway_object_unknown",
    "mail_no_address",
    "mail_refused",
    "mail_unknown",
    "no_price",
    "refund_failed",
    "refund_unknown",
    "remedy_and_credit",
    "restored_act",
    "restored_database",
    "renewed_unnotified",
    "set_aside",
    "store_charged_after_end",
    "small_rest",
    "store_gross_differs",
    "store_stopped_before_term",
    "terms_unannounced",
    "webhook_given_up",
    "webhook_off",
]
"""What people can be asked to deal with; each has a name in both languages (terms/sentences/books.toml)."""


@dataclass(frozen=True, slots=True)
class NewTask:
    """A task to open: `subject` makes it one of its kind, `detail` are its facts as JSON."""

    subject: str
    detail: Mapping[str, object]


def open_task(session: Session, kind: TaskKind, subject: str, detail: Mapping[str, object], now: datetime) -> int:
    """Open a task unless the same one was opened before; returns the rows written (0 or 1). Does not commit.

    One of a kind that comes and goes (`db.tables.money.REOPENED_TASKS`) is opened again after it was closed.
    """
    return open_tasks(session, kind, [NewTask(subject, detail)], now)


def open_tasks(session: Session, kind: TaskKind, tasks: Iterable[NewTask], now: datetime) -> int:
    """Open those that were not opened before, in one statement; returns the rows written. Does not commit."""
    rows = [{"kind": kind, "subject": each.subject, "detail": dict(each.detail), "opened_at": now} for each in tasks]
    if not rows:
        return 0
    opened = session.scalars(insert(review_task).values(rows).on_conflict_do_nothing().returning(review_task.c.id))
    return len(opened.all())


def close_task(session: Session, kind: TaskKind, subject: str, by: str, ground: str, now: datetime) -> int:
    """Note that people have dealt with a task; returns the rows written (0 or 1). Does not commit."""
    one = review_task.c.kind == kind, review_task.c.subject == subject
    return close_tasks(session, by, ground, now, *one)


def close_tasks(session: Session, by: str, ground: str, now: datetime, *which: sa.ColumnElement[bool]) -> int:
    """The same for all open tasks of which this holds; returns the rows written. Does not commit."""
    return session.execute(
        sa.update(review_task)
        .where(review_task.c.closed_at.is_(None), *which)
        .values(closed_at=now, closed_by=by, closed_ground=ground)
    ).rowcount
