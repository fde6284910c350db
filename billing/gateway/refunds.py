"""Asking a gateway to give money back: once, whatever is lost on the way.

    row committed (own key) ──> looked up, if it was asked for before ──> found: its answer
                                     └─ nothing: asked under its key, while the gateway remembers keys (setting);
                                        later, or never a definite answer: people decide

Decides nothing about what is owed: credit_stage and overpayment_refund_stage say what goes back and why.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Annotated

import sqlalchemy as sa

from keizoku.billing.gateway import restored
from keizoku.billing.gateway.port import Answer, Gateway, RefundRequest, RefundResult
from keizoku.db.review_tasks import close_task, open_task
from keizoku.db.session import Session
from keizoku.db.tables.gateway import overpayment_refund
from keizoku.db.tables.money import credit_refund, payment_attempt, review_task
from keizoku.terms.calendar import jst_day
from keizoku.terms.read_model import IF_KNOWN, ReadModel
from keizoku.terms.refusal import Refused, want_signed
from keizoku.terms.rules import Rules

KINDS = {"credit": credit_refund, "overcharge": overpayment_refund}
"""What goes back, and the table of what was asked for."""
SUBJECTS = {"credit": "refund", "overcharge": "overcharge"}


@dataclass(frozen=True, slots=True)
class OpenRefund:
    """A refund without a definite answer."""

    kind: str
    refund_id: int
    requested_at: datetime
    request: RefundRequest

    @property
    def subject(self) -> str:
        """How tasks of people name it."""
        return subject_of(self.kind, self.refund_id)


def subject_of(kind: str, refund_id: int) -> str:
    """How tasks of people name a refund: "refund 7", "overcharge 2"."""
    return f"{SUBJECTS[kind]} {refund_id}"


def again(key: str, tried: int) -> str:
    """The key of the next try, after so many that people found to have never been made."""
    return f"{key}-{tried + 1}" if tried else key


def open_refunds(session: Session, kind: str, *where: sa.ColumnElement[bool]) -> list[OpenRefund]:
    """Refunds of a kind that were asked for, or are about to be, and have no answer; oldest first."""
    table = KINDS[kind]
    rows = session.execute(
        sa.select(table, payment_attempt.c.gateway_id.label("charge_gateway_id"))
        .join(payment_attempt, payment_attempt.c.id == table.c.attempt_id)
        .where(table.c.outcome.is_(None), *where)
        .order_by(table.c.id)
    )
    return [
        OpenRefund(kind, row.id, row.requested_at, RefundRequest(row.key, row.account, row.charge_gateway_id, row.yen))
        for row in rows
    ]


def answer_of(
    session: Session, rules: Rules, gateway: Gateway, refund: OpenRefund, now: datetime
) -> tuple[RefundResult | None, int]:
    """The definite answer, or None, and the rows written: a refund that stays unknown too long is left to people."""
    made_before = restored.refunds_made_of(session, refund.request.charge_gateway_id)
    lost = [made for made in made_before if refund.requested_at >= made.recorded_at]
    for made in made_before:
        # it was given back before a restore that lost the row: found, where it is the same; of equal sums only for
        # what is asked for anew, as what the restored rows had in flight is looked up under its own key
        if made.key == refund.request.key or (made in lost and made.yen == refund.request.yen):
            restored.explain(session, made, now, ground=refund.subject)
            return RefundResult(refund.request.key, Answer.SUCCEEDED, gateway_id=made.gateway_id), 0
    if lost:
        written = restored.leave_to_people(session, lost[0], now)
        session.commit()
        return None, written
    too_old = refund.requested_at <= now - timedelta(hours=rules.discretion.retry_resend_hours)
    result = gateway.find_refund(refund.request, now) if refund.requested_at < now else None
    if result is None and not too_old:
        result = gateway.refund(refund.request, now)
    if result is not None and result.answer is not Answer.UNKNOWN:
        return result, 0
    if not too_old:
        return None, 0
    detail = {
        "account": refund.request.account,
        "yen": refund.request.yen,
        "first_sent_at": refund.requested_at.isoformat(),
        "key": refund.request.key,
    }
    opened = open_task(session, "refund_unknown", refund.subject, detail, now)
    session.commit()
    return None, opened


def save_answer(session: Session, refund: OpenRefund, result: RefundResult, now: datetime) -> bool:
    """Write a definite answer, once; a refusal goes to people, a task on the refund ends. Does not commit.

    False: somebody else wrote one meanwhile.
    """
    succeeded = result.answer is Answer.SUCCEEDED
    saved = session.execute(
        sa.update(KINDS[refund.kind])
        .where(KINDS[refund.kind].c.id == refund.refund_id, KINDS[refund.kind].c.outcome.is_(None))
        .values(
            outcome="succeeded" if succeeded else "failed",
            code=result.code,
            gateway_id=result.gateway_id,
            settled_on=jst_day(now),
            settled_at=now,
            answer_recorded_at=now,
        )
    )
    if not saved.rowcount:
        return False
    close_task(session, "refund_unknown", refund.subject, "keizoku", "the gateway has answered", now)
    if not succeeded:
        detail = {"account": refund.request.account, "yen": refund.request.yen, "code": result.code}
        open_task(session, "refund_failed", refund.subject, detail, now)
    return True


@dataclass(frozen=True, slots=True, eq=False)
class UnknownRefund(ReadModel):
    """A refund without an answer: its key, what kind of refund it is (`of`), when it was asked for."""

    key: str
    of: str
    account: str
    yen: int
    sent_at: datetime


@dataclass(frozen=True, slots=True, eq=False)
class FailedRefund(ReadModel):
    """A refund that failed and waits for people; `failed_on` is there for one that failed after it had succeeded."""

    refund: str
    yen: int
    code: str | None
    account: str
    failed_on: Annotated[date | None, IF_KNOWN]
    listed_at: datetime


def unknown_refunds(session: Session) -> list[UnknownRefund]:
    """Refunds without an answer, for people: what goes back, to whom, asked for when."""
    return [
        UnknownRefund(
            key=each.request.key,
            of=each.kind,
            account=each.request.account,
            yen=each.request.yen,
            sent_at=each.requested_at,
        )
        for kind in KINDS
        for each in open_refunds(session, kind)
    ]


def failed_refunds(session: Session) -> list[FailedRefund]:
    """Refunds that failed and wait for people: what did not go back, to whom, why, since when; the oldest first."""
    rows = session.execute(
        sa.select(review_task)
        .where(review_task.c.kind == "refund_failed", review_task.c.closed_at.is_(None))
        .order_by(review_task.c.id)
    )
    return [
        FailedRefund(
            refund=row.subject,
            yen=row.detail["yen"],
            code=row.detail["code"],
            account=row.detail["account"],
            failed_on=date.fromisoformat(row.detail["failed_on"]) if "failed_on" in row.detail else None,
            listed_at=row.opened_at,
        )
        for row in rows
    ]


def dealt_with(session: Session, refund: str, by: str, ground: str, now: datetime) -> None:
    """People have dealt with a refund that failed (paid in another way, set off, …); commits.

    What it moved in the books is theirs to post. Raises Refused for a refund that is not on the list.
    """
    want_signed(by, ground)
    if not close_task(session, "refund_failed", refund, by, ground, now):
        session.rollback()
        raise Refused(
            "refund.unknown",
            f"{refund}: no failed refund of this name is listed",
            "(see `keizoku payments failed-refunds`)",
        )
    session.commit()


def nothing_refunded(session: Session, key: str, by: str, ground: str, now: datetime) -> None:
    """People have made sure that a refund was never made: it is over, and the next night asks anew; commits.

    Raises Refused for a key that no unanswered refund has.
    """
    want_signed(by, ground)
    for kind, table in KINDS.items():
        for each in open_refunds(session, kind, table.c.key == key):
            session.execute(
                sa.update(table)
                .where(table.c.id == each.refund_id, table.c.outcome.is_(None))
                .values(
                    outcome="abandoned",
                    code="by_people",
                    settled_on=jst_day(now),
                    settled_at=now,
                    answer_recorded_at=now,
                )
            )
            close_task(session, "refund_unknown", each.subject, by, ground, now)
            session.commit()
            return
    session.rollback()
    raise Refused(
        "refund.not_waiting", f"refund {key}: it is not waiting for an answer", "(see `keizoku payments refunds`)"
    )
