"""Money that a payer sends: allocated to costs, interest and fees, booked, and the rest kept as a deposit.

Decides nothing itself: billing.rules.payment_allocation says where each yen goes (premium/5.2, Civil Code 488-490).
"""

from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa

from keizoku.billing.ledger.posting import Posting, next_ids, post
from keizoku.billing.receivables.open_items import load_open_items, lock_accounts
from keizoku.billing.receivables.settlement import book_undemanded, correct_interest, settle_parts
from keizoku.billing.rules.late_interest import InterestRate
from keizoku.billing.rules.payment_allocation import Allocation, allocate
from keizoku.db.session import Session, copy_rows
from keizoku.db.tables.money import allocation, receipt
from keizoku.terms.calendar import day_start_at, jst_day
from keizoku.terms.refusal import Refused
from keizoku.terms.rules import Rules


@dataclass(frozen=True, slots=True)
class Payment:
    """What a payer sent: `received_on` is the day of the money, on which interest stops; the day it is told if None."""

    account: str
    yen: int
    via: str = "bank"
    costs_yen: int = 0
    for_term_on: date | None = None  # the debt that the payer names
    received_on: date | None = None
    was_unidentified: bool = False  # the money stands in 2145 already


def receive(session: Session, rules: Rules, payment: Payment, now: datetime, *, commit: bool = True) -> int:
    """Record a receipt, allocate and book it in one transaction; returns the receipt's id."""
    account, yen, costs_yen = payment.account, payment.yen, payment.costs_yen
    if yen < 1 or costs_yen < 0:
        raise Refused(
            "payment.amount",
            f"account {account}: a payment is at least 1 yen and its costs at least 0, not {yen} and {costs_yen}",
        )
    today = jst_day(now)
    on = payment.received_on or today
    if on > today:
        raise Refused(
            "payment.ahead", f"account {account}: a payment of {on} lies ahead", "record it when it has arrived"
        )
    policy = rules.terms.at(on)
    lock_accounts(session, [account])
    unpaid = load_open_items(session, rules, on, account=account, with_accrued=True)
    named = next((each.invoice_id for each in unpaid if each.term_starts_on == payment.for_term_on), None)
    if payment.for_term_on is not None and named is None:
        raise Refused(
            "payment.no_unpaid_fee",
            f"account {account}: the term of {payment.for_term_on} has no unpaid fee",
            "leave the term out or name another",
        )
    parts = allocate(
        yen,
        costs_yen + costs_open(session, account),
        [each.debt for each in unpaid],
        on,
        InterestRate.of(policy),
        named,
    )
    (receipt_id,) = next_ids(session, receipt, 1)
    session.execute(
        sa.insert(receipt).values(
            id=receipt_id,
            account=account,
            yen=yen,
            via=payment.via,
            received_on=on,
            received_at=now if on == today else day_start_at(on),
            costs_yen=costs_yen,
            for_term_on=payment.for_term_on,
            recorded_at=now,
        )
    )
    rows: list[tuple[object, ...]] = [(receipt_id, account, "costs", None, parts.costs_yen, on)]
    rows += [(receipt_id, account, "interest", share.invoice_id, share.interest_yen, on) for share in parts.shares]
    rows += [(receipt_id, account, "principal", share.invoice_id, share.principal_yen, on) for share in parts.shares]
    rows += [(receipt_id, account, "deposit", None, parts.deposit_yen, on)]
    undemanded_yen = book_undemanded(session, account, parts, f"receipt:{receipt_id}", now)
    copy_rows(
        session,
        allocation,
        ("receipt_id", "account", "kind", "invoice_id", "yen", "allocated_on"),
        [row for row in rows if row[4]],
    )
    settle_parts(session, account, "receipt", parts, unpaid, receipt_id, now, settled_on=on)
    post(session, _postings(payment, parts, undemanded_yen, receipt_id, on, today), now)
    if on < today:
        correct_interest(session, rules, account, parts, f"receipt:{receipt_id}", now)
    if commit:
        session.commit()
    return int(receipt_id)


def _postings(
    payment: Payment, parts: Allocation, undemanded_yen: int, receipt_id: int, on: date, today: date
) -> list[Posting]:
    key, account = f"receipt:{receipt_id}", payment.account
    amounts = {
        "undemanded_yen": undemanded_yen,
        "interest_yen": parts.interest_yen,
        "principal_yen": parts.principal_yen,
    }
    if payment.was_unidentified:
        rest = {"costs_yen": parts.costs_yen, "deposit_yen": parts.deposit_yen}
        return [Posting("receipt_identified", key, today, amounts | rest, account)]
    postings = []
    if parts.costs_yen:
        postings.append(Posting("costs_paid", f"{key}:costs", on, {"yen": parts.costs_yen}, account))
    if parts.interest_yen or parts.principal_yen:
        postings.append(Posting("bank_receipt", key, on, amounts, account))
    if parts.deposit_yen:
        postings.append(Posting("overpaid", f"{key}:deposit", on, {"yen": parts.deposit_yen}, account))
    return postings


def costs_open(session: Session, account: str) -> int:
    """Whole yen of payment costs that the account owes and has not paid."""
    stated = (
        sa.select(sa.func.coalesce(sa.func.sum(receipt.c.costs_yen), 0))
        .where(receipt.c.account == account)
        .scalar_subquery()
    )
    paid = (
        sa.select(sa.func.coalesce(sa.func.sum(allocation.c.yen), 0))
        .where(allocation.c.account == account, allocation.c.kind == "costs")
        .scalar_subquery()
    )
    return int(session.execute(sa.select(stated - paid)).scalar_one())
