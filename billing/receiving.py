"""Money that a payer sends: allocated to costs, interest and fees, booked, and the rest kept as a deposit.

Decides nothing itself: billing.allocation says where each yen goes (premium/5.2, Civil Code 488-490).
"""

from collections.abc import Sequence
from datetime import date, datetime

import sqlalchemy as sa

from billing.allocation import Allocation, allocate
from billing.booking import Posting, next_ids, post
from billing.refusal import Refused
from billing.stages.demands import book_interest, interest_booked
from billing.stages.payments import settle_invoices
from billing.stages.unpaid import Unpaid, load_unpaid, lock_accounts
from db.session import Session, copy_rows
from db.tables.money import allocation, interest_mark, receipt, settlement
from terms.calendar import jst_day
from terms.rules import Rules


def receive(
    session: Session,
    rules: Rules,
    account: str,
    yen: int,
    *,
    via: str,
    costs_yen: int,
    for_term_on: date | None,
    now: datetime,
) -> int:
    """Record a receipt, allocate and book it in one transaction; returns the receipt's id."""
    if yen < 1 or costs_yen < 0:
        raise Refused(
            f"account {account}: a payment is at least 1 yen and its costs at least 0, not {yen} and {costs_yen}"
        )
    today = jst_day(now)
    policy = rules.terms.at(today)
    lock_accounts(session, [account])
    unpaid = load_unpaid(session, rules, today, account=account, with_carried=True)
    named = next((each.invoice_id for each in unpaid if each.term_starts_on == for_term_on), None)
    if for_term_on is not None and named is None:
        raise Refused(
            f"account {account}: the term of {for_term_on} has no unpaid fee; leave the term out or name another"
        )
    parts = allocate(
        yen,
        costs_yen + costs_open(session, account),
        [each.debt for each in unpaid],
        today,
        policy.late_interest.rate,
        policy.readings["late_interest_day_count"],
        named,
    )
    (receipt_id,) = next_ids(session, receipt, 1)
    session.execute(
        sa.insert(receipt).values(
            id=receipt_id,
            account=account,
            yen=yen,
            via=via,
            received_on=today,
            received_at=now,
            costs_yen=costs_yen,
            for_term_on=for_term_on,
            recorded_at=now,
        )
    )
    rows: list[tuple[object, ...]] = [(receipt_id, account, "costs", None, parts.costs_yen, today)]
    rows += [(receipt_id, account, "interest", share.invoice_id, share.interest_yen, today) for share in parts.shares]
    rows += [(receipt_id, account, "principal", share.invoice_id, share.principal_yen, today) for share in parts.shares]
    rows += [(receipt_id, account, "deposit", None, parts.deposit_yen, today)]
    undemanded_yen = max(0, parts.interest_yen - interest_booked(session, account))
    copy_rows(
        session,
        allocation,
        ("receipt_id", "account", "kind", "invoice_id", "yen", "allocated_on"),
        [row for row in rows if row[4]],
    )
    settle_parts(session, account, "receipt", parts, unpaid, receipt_id, now)
    if undemanded_yen:
        book_interest(session, account, "allocation", undemanded_yen, f"receipt:{receipt_id}", now)
    postings = []
    if parts.costs_yen:
        postings.append(Posting("costs_paid", f"receipt:{receipt_id}:costs", today, {"yen": parts.costs_yen}, account))
    if parts.interest_yen or parts.principal_yen:
        amounts = {
            "undemanded_yen": undemanded_yen,
            "interest_yen": parts.interest_yen,
            "principal_yen": parts.principal_yen,
        }
        postings.append(Posting("bank_receipt", f"receipt:{receipt_id}", today, amounts, account))
    if parts.deposit_yen:
        postings.append(
            Posting("overpaid", f"receipt:{receipt_id}:deposit", today, {"yen": parts.deposit_yen}, account)
        )
    post(session, postings, now)
    session.commit()
    return int(receipt_id)


def settle_parts(
    session: Session,
    account: str,
    kind: str,
    parts: Allocation,
    unpaid: Sequence[Unpaid],
    source_id: int,
    now: datetime,
) -> None:
    """Write what an allocation settles of the fees, and from when interest counts anew; does not commit."""
    today = jst_day(now)
    settled = [(share.invoice_id, share.principal_yen, today) for share in parts.shares if share.principal_yen]
    copy_rows(
        session,
        settlement,
        ("invoice_id", "account", "kind", "yen", "settled_on", "source_id", "recorded_at"),
        [(invoice_id, account, kind, yen, today, source_id, now) for invoice_id, yen, _ in settled],
    )
    settle_invoices(session, settled)
    before = {each.invoice_id: each.debt for each in unpaid}
    copy_rows(
        session,
        interest_mark,
        ("invoice_id", "account", "counts_after", "carried_yen", "recorded_at"),
        [
            (debt.invoice_id, account, debt.counts_after, debt.carried_yen, now)
            for debt in parts.debts
            if debt != before[debt.invoice_id]
        ],
    )


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
