"""Stage 6, payments, after the charges: what a card paid beyond what was owed goes back to it, and is reported.

    charge of an invoice that was paid meanwhile ──> booked (1131 / 2140), task `charged_too_much`
        ──> refund row committed (own key) ──> gateway asked ──> made: booked (2140 / 1131), the task is closed
                                                     └─ refused: people (`keizoku deposit refund`)

Due: open tasks, less what people gave back themselves. A night that is killed anywhere goes on where it was.
"""

from collections.abc import Callable, Collection
from datetime import datetime
from functools import partial
from typing import Any, Final

import sqlalchemy as sa

from keizoku.billing.gateway import refunds, restored
from keizoku.billing.gateway.keys import key_prefix
from keizoku.billing.gateway.port import Answer, Gateway, GatewayRefusesUsError
from keizoku.billing.ledger.posting import Posting, post
from keizoku.billing.receivables.customer_deposits import (
    CARD,
    DepositUse,
    deposit_of,
    end_tasks_when_all_went_back,
    use_deposit,
)
from keizoku.billing.receivables.open_items import lock_accounts
from keizoku.db.fence import Fence, Subject, is_of_item
from keizoku.db.review_tasks import close_task
from keizoku.db.session import Session
from keizoku.db.tables.gateway import overpayment_refund
from keizoku.db.tables.money import payment_attempt, review_task, settlement
from keizoku.terms.calendar import jst_day
from keizoku.terms.rules import Rules

TASK: Final = "charged_too_much"
_OPEN = sa.and_(review_task.c.kind == TASK, review_task.c.closed_at.is_(None))
GROUND = "the card was charged for what was paid already"
NOTHING_HELD = "nothing that the card paid too much is held any more"


def anything_due() -> sa.ColumnElement[bool]:
    """Whether a card paid too much and `refund_overpayments` may have something to do."""
    return sa.exists(sa.select(review_task.c.id).where(_OPEN))


def refund_overpayments(
    session: Session,
    rules: Rules,
    gateway: Gateway,
    now: datetime,
    fence: Fence | None = None,
    without: Collection[str] = (),
) -> int:
    """Begin refunds that are due, ask about unanswered ones, post answered ones; commits; returns the rows written.

    With a fence, a refund that this fails for is set aside; without one, that is raised. Nothing goes back to the
    accounts `without`.
    """
    if restored.is_waiting(session):
        session.rollback()
        return 0
    changes = 0
    wanted = [row for row in _wanted(session) if row.account not in without]
    if wanted:
        gateway.check_account()  # before anything is written
    for row in wanted:
        changes += _behind(session, fence, "attempt", row.id, partial(_begin, session, row, now))
    for refund in refunds.open_refunds(session, "overcharge"):
        if refund.request.account not in without:
            changes += _behind(
                session,
                fence,
                "overcharge",
                refund.refund_id,
                partial(_ask, session, rules, gateway, refund, now),
            )
    return changes


def _behind(session: Session, fence: Fence | None, subject: Subject, key: int, do: Callable[[], int]) -> int:
    try:
        return do()
    except Exception as error:
        session.rollback()
        if fence is None or not is_of_item(error) or isinstance(error, GatewayRefusesUsError):
            raise
        fence.aside(subject, key, error)
        return 0


def _ask(session: Session, rules: Rules, gateway: Gateway, refund: refunds.OpenRefund, now: datetime) -> int:
    """Ask for one refund, and book a definite answer."""
    result, written = refunds.answer_of(session, rules, gateway, refund, now)
    if result is None:
        return written
    lock_accounts(session, [refund.request.account])
    if not refunds.save_answer(session, refund, result, now):
        session.rollback()
        return written
    if result.answer is Answer.SUCCEEDED:
        account, yen = refund.request.account, refund.request.yen
        use_deposit(session, DepositUse(account, "refunded", CARD, yen, "keizoku", GROUND, CARD), now)
        post(
            session,
            [Posting("overcharge_refunded", f"overcharge:{refund.refund_id}", jst_day(now), {"yen": yen}, account)],
            now,
        )
        attempt_id = session.execute(
            sa.select(overpayment_refund.c.attempt_id).where(overpayment_refund.c.id == refund.refund_id)
        ).scalar_one()
        close_task(session, TASK, f"attempt {attempt_id}", "keizoku", f"given back: {refund.request.key}", now)
        written += end_tasks_when_all_went_back(session, account, "keizoku", NOTHING_HELD, now)
    session.commit()
    return written + 1


def _wanted(session: Session) -> list[sa.Row[*tuple[Any, ...]]]:
    """Charges with an open task and no refund under way, made or refused."""
    settled = (
        sa.select(sa.func.coalesce(sa.func.sum(settlement.c.yen), 0))
        .where(settlement.c.kind == "card", settlement.c.source_id == payment_attempt.c.id)
        .where(settlement.c.invoice_id == payment_attempt.c.invoice_id)
        .scalar_subquery()
    )
    tried = sa.select(sa.func.count()).where(overpayment_refund.c.attempt_id == payment_attempt.c.id).scalar_subquery()
    asked = sa.exists().where(
        overpayment_refund.c.attempt_id == payment_attempt.c.id,
        overpayment_refund.c.outcome.is_distinct_from("abandoned"),
    )
    query = (
        sa.select(
            payment_attempt.c.id,
            payment_attempt.c.account,
            (payment_attempt.c.yen - settled).label("over_yen"),
            tried.label("tried"),
        )
        .join(review_task, review_task.c.subject == sa.func.concat("attempt ", payment_attempt.c.id))
        .where(_OPEN, payment_attempt.c.outcome == "succeeded", ~asked)
        .order_by(payment_attempt.c.id)
    )
    return list(session.execute(query))


def _begin(session: Session, row: sa.Row[*tuple[Any, ...]], now: datetime) -> int:
    """Commit the refund's row before anything is asked; what people gave back themselves is not given twice."""
    lock_accounts(session, [row.account])
    asked = sa.select(overpayment_refund.c.id).where(
        overpayment_refund.c.attempt_id == row.id, overpayment_refund.c.outcome.is_distinct_from("abandoned")
    )
    yen = min(row.over_yen, deposit_of(session, row.account).card_free_yen)
    if yen <= 0 or session.execute(asked).first() is not None:
        session.rollback()
        return 0
    session.execute(
        sa.insert(overpayment_refund).values(
            attempt_id=row.id,
            account=row.account,
            key=refunds.again(f"{key_prefix(session)}-overcharge-{row.id}", row.tried),
            yen=yen,
            requested_on=jst_day(now),
            requested_at=now,
        )
    )
    session.commit()
    return 1
