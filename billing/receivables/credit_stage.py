"""Stage 4, credits: awards become yen; what no invoice will take is refunded to the card.

Due: awards without a credit; credits with something left whose account has no running contract paid by card.
A refund's row is committed before the gateway is asked, with a key of its own.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from fractions import Fraction

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on

from keizoku.billing.gateway import restored
from keizoku.billing.gateway.books import NO_MONEY
from keizoku.billing.gateway.keys import key_prefix
from keizoku.billing.gateway.port import Answer, Gateway, GatewayRefusesUsError
from keizoku.billing.gateway.refunds import OpenRefund, answer_of, open_refunds, save_answer
from keizoku.billing.ledger.posting import Posting, post
from keizoku.billing.receivables import remedies
from keizoku.billing.rules.sla_credit import award_yen, delta, plan_refunds
from keizoku.db.fence import Fence, is_of_item
from keizoku.db.review_tasks import open_task
from keizoku.db.session import Session, numbers
from keizoku.db.tables.claims import award
from keizoku.db.tables.contracts import contract
from keizoku.db.tables.gateway import gateway_dispute, overpayment_refund
from keizoku.db.tables.money import credit, credit_refund, payment_attempt
from keizoku.terms.calendar import Month, jst_day
from keizoku.terms.money import tax_included_yen
from keizoku.terms.rules import Rules

CHUNK = 5_000
_NO_CREDIT = ~sa.exists().where(credit.c.award_id == award.c.id)
_UNANSWERED = credit_refund.c.outcome.is_(None)
_FAILED = sa.or_(credit_refund.c.outcome == "failed", credit_refund.c.failure_recorded_at.is_not(None))
_NOT_MADE = sa.or_(credit_refund.c.outcome == "abandoned", _FAILED)
_later = gateway_dispute.alias("later_state")
_superseded = sa.exists().where(
    _later.c.dispute == gateway_dispute.c.dispute, _later.c.number > gateway_dispute.c.number
)
NO_INVOICE_WILL_COME = sa.and_(
    credit.c.available_yen > 0,
    remedies.IS_FREE,
    # no running contract paid by card will take it
    ~sa.exists().where(
        contract.c.account == credit.c.account,
        contract.c.ended_on.is_(None),
        contract.c.approved_at.is_not(None),
        contract.c.method == "card",
    ),
    ~sa.exists().where(credit_refund.c.credit_id == credit.c.id, _UNANSWERED),
)
"""Credits that are left over, and that no card is being asked to take."""
AND_FAILED = sa.exists().where(credit_refund.c.credit_id == credit.c.id, _FAILED)
_LEFT_OVER = sa.and_(NO_INVOICE_WILL_COME, ~AND_FAILED)


@dataclass(frozen=True, slots=True)
class NewCredit:
    """What an award adds in yen: the rounded total less what earlier revisions granted; never below zero."""

    award_id: int
    account: str
    month: str
    total_yen: int
    granted_yen: int
    over_granted_yen: int
    usable_from: date
    tax_rate: Fraction


def anything_due() -> sa.ColumnElement[bool]:
    """Whether `due` would find an award, or `refund_leftovers` a refund to ask for or a credit to refund."""
    return sa.or_(
        sa.exists(sa.select(award.c.id).where(_NO_CREDIT)),
        sa.exists().where(_UNANSWERED),
        sa.exists(sa.select(credit.c.id).where(_LEFT_OVER)),
    )


def due(session: Session, *, award_ids: Collection[int] | None = None) -> list[sa.Row[tuple[object, ...]]]:
    """Awards (some, or all) that have no credit yet, in the order of their revisions, with what was granted before."""
    before = (
        sa.select(sa.func.coalesce(sa.func.sum(credit.c.granted_yen), 0))
        .where(credit.c.account == award.c.account, credit.c.month == award.c.month)
        .scalar_subquery()
    )
    query = (
        sa.select(award, before.label("granted_before"))
        .where(_NO_CREDIT)
        .ext(distinct_on(award.c.account, award.c.month))
        .order_by(award.c.account, award.c.month, award.c.revision)
        .limit(CHUNK)
    )
    if award_ids is not None:
        query = query.where(award.c.id == sa.any_(numbers(award_ids)))
    return list(session.execute(query))


def due_ids(session: Session) -> list[int]:
    """Every award that has no credit yet, in the order of their revisions."""
    query = sa.select(award.c.id).where(_NO_CREDIT).order_by(award.c.account, award.c.month, award.c.revision)
    return list(session.scalars(query))


def waits_for(session: Session, award_id: int, held: Collection[str]) -> bool:
    """Whether an award adds to one of these, which have no credit yet: one of its account and month."""
    before = award.alias("before")
    query = sa.select(before.c.id).join(
        award, sa.and_(award.c.account == before.c.account, award.c.month == before.c.month)
    )
    query = query.where(award.c.id == award_id, before.c.id == sa.any_(numbers(map(int, held))))
    return bool(held) and session.execute(query).first() is not None


def decide(rules: Rules, awards: Sequence[sa.Row[tuple[object, ...]]]) -> list[NewCredit]:
    """The yen of each award: the rate of the monthly fee, rounded up; the difference from what was granted before."""
    credits: list[NewCredit] = []
    for row in awards:
        total_yen = award_yen(
            Fraction(row.rate),
            [(price["price_yen"], price["interval"]) for price in row.term_prices],
            rules.terms.of_month(Month.parse(row.month)).readings["credit_rounding"],
        )
        added = delta(total_yen, int(row.granted_before))
        credits.append(
            NewCredit(
                award_id=row.id,
                account=row.account,
                month=row.month,
                total_yen=total_yen,
                granted_yen=added.credit_yen,
                over_granted_yen=added.over_granted_yen,
                usable_from=row.usable_from,
                tax_rate=rules.terms.at(row.decided_on).tax.rate,
            )
        )
    return credits


def save(session: Session, credits: Sequence[NewCredit], now: datetime) -> int:
    """Write the credits and their entries, and commit; returns the rows written."""
    today = jst_day(now)
    for each in credits:
        session.execute(
            sa.insert(credit).values(
                award_id=each.award_id,
                account=each.account,
                month=each.month,
                total_yen=each.total_yen,
                granted_yen=each.granted_yen,
                granted_on=today,
                usable_from=each.usable_from,
                available_yen=each.granted_yen,
                recorded_at=now,
            )
        )
        if each.over_granted_yen:
            open_task(
                session,
                "credit_over_granted",
                f"award {each.award_id}",
                {"account": each.account, "month": each.month, "yen": each.over_granted_yen},
                now,
            )
    post(
        session,
        [
            Posting(
                "credit_granted",
                f"award:{each.award_id}",
                today,
                {"yen": each.granted_yen, "tax_yen": tax_included_yen(each.granted_yen, each.tax_rate)},
                each.account,
            )
            for each in credits
            if each.granted_yen
        ],
        now,
    )
    session.commit()
    return len(credits)


def refund_leftovers(
    session: Session,
    rules: Rules,
    gateway: Gateway,
    now: datetime,
    fence: Fence | None = None,
    without: Collection[str] = (),
) -> int:
    """Refund credits that no invoice will take (reading 24): latest charge with room first, then earlier ones.

    With a fence, a credit or a refund that this fails for is set aside; without one, that is raised. Nothing goes back
    to the accounts `without`.
    """
    if restored.is_waiting(session):
        session.rollback()
        return 0
    changes = _resend(session, rules, gateway, now, fence=fence, without=without)
    left = sa.select(credit).where(_LEFT_OVER).order_by(credit.c.usable_from, credit.c.id)
    if without:
        left = left.where(credit.c.account.not_in(sorted(without)))
    rows = session.execute(left).all()
    if rows:
        gateway.check_account()  # before anything is written
    for row in rows:
        try:
            changes += _refund(session, rules, gateway, row, now)
        except Exception as error:
            session.rollback()
            if fence is None or not is_of_item(error) or isinstance(error, GatewayRefusesUsError):
                raise
            fence.aside("credit", row.id, error)
    return changes


def _refund(session: Session, rules: Rules, gateway: Gateway, row: sa.Row[tuple[object, ...]], now: datetime) -> int:
    refunded = (
        sa.select(sa.func.coalesce(sa.func.sum(credit_refund.c.yen), 0))
        .where(credit_refund.c.attempt_id == payment_attempt.c.id, _NOT_MADE.is_not(True))
        .scalar_subquery()
    )
    tried = (
        sa.select(sa.func.count())
        .where(credit_refund.c.attempt_id == payment_attempt.c.id, credit_refund.c.credit_id == row.id)
        .scalar_subquery()
    )
    # what the cardholder disputes or disputed with success, and what goes back as charged too much, is no longer there
    disputed = (
        sa.select(sa.func.coalesce(sa.func.sum(gateway_dispute.c.amount - gateway_dispute.c.returned), 0))
        .where(
            gateway_dispute.c.attempt_id == payment_attempt.c.id,
            gateway_dispute.c.state.not_in(NO_MONEY),
            ~_superseded,
        )
        .scalar_subquery()
    )
    over = (
        sa.select(sa.func.coalesce(sa.func.sum(overpayment_refund.c.yen), 0))
        .where(overpayment_refund.c.attempt_id == payment_attempt.c.id)
        .where(sa.or_(overpayment_refund.c.outcome.is_(None), overpayment_refund.c.outcome == "succeeded"))
        .where(overpayment_refund.c.failure_recorded_at.is_(None))
        .scalar_subquery()
    )
    charges = session.execute(
        sa.select(
            payment_attempt.c.id,
            payment_attempt.c.settled_on,
            (payment_attempt.c.yen - refunded - disputed - over).label("room"),
            tried.label("tried"),
        ).where(payment_attempt.c.account == row.account, payment_attempt.c.outcome == "succeeded")
    ).all()
    before = {each.id: each.tried for each in charges}
    plan = plan_refunds(row.available_yen, [(each.id, each.settled_on, each.room) for each in charges])
    changes = 0
    if plan.rest_yen:
        changes += open_task(
            session,
            "credit_without_charge",
            f"credit {row.id}",
            {"account": row.account, "month": row.month, "yen": plan.rest_yen},
            now,
        )
    for attempt_id, yen in plan.parts:
        session.execute(
            sa.insert(credit_refund).values(
                credit_id=row.id,
                attempt_id=attempt_id,
                account=row.account,
                key=f"{key_prefix(session)}-refund-{row.id}-{attempt_id}"
                + (f"-{before[attempt_id] + 1}" if before[attempt_id] else ""),
                yen=yen,
                requested_on=jst_day(now),
                requested_at=now,
            )
        )
        changes += 1
    session.commit()
    return changes + _resend(session, rules, gateway, now, credit_id=row.id)


def _resend(
    session: Session,
    rules: Rules,
    gateway: Gateway,
    now: datetime,
    *,
    credit_id: int | None = None,
    fence: Fence | None = None,
    without: Collection[str] = (),
) -> int:
    """Ask the gateway for every refund without a definite answer, and book what is answered (refunds)."""
    where = () if credit_id is None else (credit_refund.c.credit_id == credit_id,)
    changes = 0
    for refund in open_refunds(session, "credit", *where):
        if refund.request.account in without:
            continue
        try:
            changes += _resend_one(session, rules, gateway, refund, now)
        except Exception as error:
            session.rollback()
            if fence is None or not is_of_item(error) or isinstance(error, GatewayRefusesUsError):
                raise
            fence.aside("refund", refund.refund_id, error)
    return changes


def _resend_one(session: Session, rules: Rules, gateway: Gateway, refund: OpenRefund, now: datetime) -> int:
    result, changes = answer_of(session, rules, gateway, refund, now)
    if result is None:
        return changes
    if not save_answer(session, refund, result, now):
        session.rollback()
        return changes
    if result.answer is Answer.SUCCEEDED:
        taken = sa.select(credit_refund.c.credit_id).where(credit_refund.c.id == refund.refund_id)
        session.execute(
            sa.update(credit)
            .where(credit.c.id == taken.scalar_subquery())
            .values(available_yen=credit.c.available_yen - refund.request.yen)
        )
        amounts = {"yen": refund.request.yen}
        key = f"refund:{refund.refund_id}"
        post(session, [Posting("credit_refunded", key, jst_day(now), amounts, refund.request.account)], now)
    session.commit()
    return changes + 1
