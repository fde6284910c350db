"""A store gave its customer the fee of a term back (premium/5.1.2): revenue, 1133 and the use of the term follow.

    whole, by the setting term_ends     the contract ends today; what was earned, and what never is, are taken back
    whole, term_stays; or a part        the use stays; the fee, or the part, is taken back from revenue

2120 + 4110, 2170 / 1133 for what went back, 1133 / 6111, 1180 for what the store gave back of its fee. A refund that a
payout was reduced by says so: 1133 / 1110. Each term has one refund; it is recorded where the store reported the term.
"""

from dataclasses import dataclass
from datetime import date, datetime
from fractions import Fraction
from typing import Any, cast

import sqlalchemy as sa

from keizoku.billing.contracts.renewal_stage import save_end
from keizoku.billing.ledger.posting import Posting, post
from keizoku.billing.receivables.store_reports import charge_after_end
from keizoku.billing.rules.books.revenue_recognition import recognised_between
from keizoku.billing.rules.contract_lifecycle import SALE_VOID, ContractEnd
from keizoku.db.review_tasks import close_task
from keizoku.db.roles import want_to_add
from keizoku.db.session import Session
from keizoku.db.tables.bank import store_refund
from keizoku.db.tables.books import term_closure
from keizoku.db.tables.contracts import term
from keizoku.db.tables.money import store_report
from keizoku.terms.calendar import jst_day
from keizoku.terms.money import floor_yen, tax_included_yen
from keizoku.terms.refusal import Refused
from keizoku.terms.rules import Rules

__all__ = ["StoreRefund", "refund_term"]

ENDED, KEPT = "ended", "kept"


@dataclass(frozen=True, slots=True)
class StoreRefund:
    """What a store gave back of a term, and of its fee to us; whole yen above zero."""

    account: str
    term_on: date
    yen: int
    fee_yen: int
    refunded_on: date
    fee_tax_yen: int | None = None
    payout_id: str | None = None
    paid_out_on: date | None = None


def refund_term(
    session: Session, rules: Rules, refund: StoreRefund, by: str, ground: str, now: datetime, *, again: bool = False
) -> int:
    """Record and book a store's refund; commits; rows written, 0 where it is known (with `again`). Raises Refused."""
    want_to_add(session, store_refund)
    try:
        changes = _refund(session, rules, refund, by, ground, now, again)
    except Refused:
        session.rollback()
        raise
    session.commit()
    return changes


def _refund(
    session: Session, rules: Rules, refund: StoreRefund, by: str, ground: str, now: datetime, again: bool
) -> int:
    who = f"account {refund.account}"
    row = session.execute(
        sa.select(term, store_report.c.gross_yen, store_report.c.fee_yen, store_report.c.fee_tax_yen)
        .join(store_report, store_report.c.term_id == term.c.id)
        .where(term.c.account == refund.account, term.c.starts_on == refund.term_on, term.c.method == "app_store")
        .with_for_update(of=term)
    ).first()
    if row is None and (task := charge_after_end(session, refund.account, refund.term_on)) is not None:
        return _of_ended(session, refund, task, by, ground, now)
    if row is None:
        raise Refused("store.not_reported", f"{who}: the store has reported no term of {refund.term_on}")
    before = session.execute(sa.select(store_refund).where(store_refund.c.term_id == row.id)).one_or_none()
    if before is not None:
        if again and (before.yen, before.fee_yen) == (refund.yen, refund.fee_yen):
            return _pay_out(session, refund, row.id, before, now)
        raise Refused(
            "store.refunded_already",
            f"{who}: the store has given {before.yen} yen of the term of {refund.term_on} back already",
        )
    if not (0 < refund.yen <= row.gross_yen and 0 <= refund.fee_yen <= min(row.fee_yen, refund.yen)):
        raise Refused(
            "store.refund_amount",
            f"{who}: of {row.gross_yen} yen and a fee of {row.fee_yen} a store cannot give back {refund.yen} and "
            f"{refund.fee_yen}",
        )
    whole = refund.yen == row.gross_yen
    ends = whole and rules.discretion.store_refund == "term_ends"
    today = jst_day(now)
    yen = row.price_yen if whole else min(refund.yen, row.price_yen)
    rate = rules.terms.at(row.starts_on).tax.rate
    recognised_yen, tax_yen = yen, tax_included_yen(yen, rate)
    if ends and (row.closed_on or row.ends_on) > today and row.starts_on <= today:
        recognised_yen, tax_yen = _end(session, row, rate, now)
    fee_tax_yen = refund.fee_tax_yen
    if fee_tax_yen is None:
        fee_tax_yen = floor_yen(Fraction(row.fee_tax_yen * refund.fee_yen, row.fee_yen)) if row.fee_yen else 0
    session.execute(
        sa.insert(store_refund).values(
            term_id=row.id,
            yen=yen,
            fee_yen=refund.fee_yen,
            fee_tax_yen=fee_tax_yen,
            refunded_on=refund.refunded_on,
            access=ENDED if ends else KEPT,
            payout_id=refund.payout_id,
            paid_out_on=refund.paid_out_on,
            author=by,
            ground=ground,
            recorded_at=now,
        )
    )
    key = f"term:{row.id}:refund"
    amounts = {"unrecognised_yen": yen - recognised_yen, "recognised_yen": recognised_yen, "tax_yen": tax_yen}
    postings = [Posting("store_refunded", key, today, amounts, refund.account)]
    if refund.fee_yen:
        fee = {"yen": refund.fee_yen, "tax_yen": fee_tax_yen}
        postings.append(Posting("store_fee_returned", f"{key}:fee", today, fee, refund.account))
    post(session, [*postings, *_paid_out(refund, row.id, yen)], now)
    return len(postings)


def _paid_out(refund: StoreRefund, term_id: int, yen: int) -> list[Posting]:
    """By how much the refund lowered a payout, where it names one."""
    if refund.paid_out_on is None or yen == refund.fee_yen:
        return []
    less = {"yen": refund.fee_yen - yen}
    return [Posting("store_paid_out", f"term:{term_id}:refund:payout", refund.paid_out_on, less, refund.account)]


def _pay_out(session: Session, refund: StoreRefund, term_id: int, before: sa.Row[Any], now: datetime) -> int:
    """A refund that is known may name its payout later, once; the rows written."""
    if refund.payout_id is None or (before.payout_id, before.paid_out_on) == (refund.payout_id, refund.paid_out_on):
        return 0
    if before.payout_id is not None:
        raise Refused(
            "store.paid_out_already",
            f"account {refund.account}: the refund of the term of {refund.term_on} lowered the payout "
            f"{before.payout_id} of {before.paid_out_on} already",
        )
    session.execute(
        sa.update(store_refund)
        .where(store_refund.c.term_id == term_id)
        .values(payout_id=refund.payout_id, paid_out_on=refund.paid_out_on)
    )
    post(session, _paid_out(refund, term_id, before.yen), now)
    return 1


def _of_ended(
    session: Session, refund: StoreRefund, task: sa.Row[tuple[object, ...]], by: str, ground: str, now: datetime
) -> int:
    """The store gave back what it had charged after the contract's end: that task is done, and nothing was booked."""
    detail = cast("dict[str, int]", task.detail)
    if refund.yen != detail["yen"]:
        raise Refused(
            "store.refund_amount",
            f"account {refund.account}: of {detail['yen']} yen that the store charged for {refund.term_on}, after the "
            f"contract's end, it gave back {refund.yen}",
            "settle the difference with the store",
        )
    return close_task(session, "store_charged_after_end", str(task.subject), by, f"given back: {ground}", now)


def _end(session: Session, row: sa.Row[tuple[object, ...]], rate: Fraction, now: datetime) -> tuple[int, int]:
    """End the contract today; what of the fee was earned until then, and the tax in it. The rest is never earned."""
    today = jst_day(now)
    save_end(session, ContractEnd(row.contract_id, row.account, today, now, SALE_VOID, "premium/5.1.2"), now)
    before = recognised_between(row.price_yen, row.starts_on, row.ends_on, row.starts_on, today, rate)
    session.execute(
        sa.insert(term_closure).values(
            term_id=row.id,
            recognised_before_yen=before.yen,
            rest_yen=0,
            rest_tax_yen=0,
            closed_on=today,
            recorded_at=now,
        )
    )
    return before.yen, before.tax_yen
