"""Termination (premium/7.1, 7.2): the contract ends at once, what is unpaid stays owed, all interest is demanded.

By the reading `terminated_term_fee: to_termination_day` the unpaid fee of the running term shrinks to the days up to
the termination, while the interest that it bore until then stays; by the default the fee stays owed in full. What
was paid is not given back (premium/6.3).
"""

from collections.abc import Collection
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on

from keizoku.billing.contracts.renewal_stage import save_end
from keizoku.billing.documents.notices import save_notice, transfer_of
from keizoku.billing.dunning.interest_demand_stage import demand_interest
from keizoku.billing.ledger.posting import Posting, post
from keizoku.billing.receivables.open_items import interest_owed, invoice_due_on, load_open_items
from keizoku.billing.receivables.settlement import Settled, settle
from keizoku.billing.rules.books.revenue_recognition import remaining
from keizoku.billing.rules.contract_lifecycle import TERMINATION, end_now
from keizoku.billing.rules.documents.notice_text import Termination, acceleration, termination, with_transfer
from keizoku.db.session import Session
from keizoku.db.tables.contracts import term
from keizoku.db.tables.money import interest_checkpoint, invoice
from keizoku.terms.calendar import jst_day
from keizoku.terms.rules import Rules


def terminate(
    session: Session,
    rules: Rules,
    contract_id: int,
    account: str,
    why: Termination,
    now: datetime,
) -> int:
    """End the contract now, with its notice and the demand for interest; returns the rows written. Does not commit."""
    today = jst_day(now)
    save_end(session, end_now(contract_id, account, now, today, TERMINATION), now)
    changes = 1
    whole = rules.terms.at(today).readings["terminated_term_fee"] != "to_termination_day"
    if not whole:
        changes += _reduce_fee(session, rules, contract_id, now)
    owed = sa.select(sa.func.coalesce(sa.func.sum(invoice.c.open_yen), 0)).where(
        invoice.c.account == account, invoice.c.state == "open", invoice_due_on <= today
    )
    owed_yen = int(session.scalar(owed) or 0)
    notice = termination(today, why, owed_yen, whole=whole)
    if owed_yen:
        notice = with_transfer(notice, *transfer_of(session, rules, account))
    changes += save_notice(session, account, contract_id, notice, "termination", now)
    changes += accelerate(session, rules, account, contract_id, "termination", now, ground=why.ground)
    owing = {account: load_open_items(session, rules, today, account=account, with_accrued=True)}
    return changes + demand_interest(session, rules, owing, f"termination:{contract_id}", now)


def accelerate(
    session: Session,
    rules: Rules,
    account: str,
    contract_id: int,
    occasion: str,
    now: datetime,
    *,
    ground: str | None = None,
    invoice_ids: Collection[int] | None = None,
) -> int:
    """What is invoiced and not yet due becomes due today, with its notice (premium/7.2); returns the rows written.

    On termination and on a ground of people that is everything that the user owes, else `invoice_ids`. A part that was
    paid ahead set the count of interest to the old due date: it counts from today instead. Does not commit.
    """
    today = jst_day(now)
    query = sa.update(invoice).where(
        invoice.c.account == account,
        invoice.c.state == "open",
        invoice.c.due_on > today,
        invoice.c.accelerated_on.is_(None),
    )
    if invoice_ids is not None:
        query = query.where(invoice.c.id.in_(invoice_ids))
    rows = session.execute(
        query.values(accelerated_on=today, accelerated_at=now).returning(invoice.c.id, invoice.c.open_yen)
    ).all()
    if not rows:
        return 0
    newest = (
        sa.select(
            interest_checkpoint.c.invoice_id,
            interest_checkpoint.c.accrues_after,
            interest_checkpoint.c.accrued_unpaid_yen,
        )
        .ext(distinct_on(interest_checkpoint.c.invoice_id))
        .where(interest_checkpoint.c.invoice_id.in_([row.id for row in rows]))
        .order_by(interest_checkpoint.c.invoice_id, interest_checkpoint.c.id.desc())
    )
    marks = [
        {
            "invoice_id": row.invoice_id,
            "account": account,
            "accrues_after": today,
            "accrued_unpaid_yen": row.accrued_unpaid_yen,
            "checkpoint_on": today,
            "recorded_at": now,
        }
        for row in session.execute(newest)
        if row.accrues_after > today
    ]
    if marks:
        session.execute(sa.insert(interest_checkpoint), marks)
    notice = acceleration(today, sum(row.open_yen for row in rows), ground)
    notice = with_transfer(notice, *transfer_of(session, rules, account))
    return len(rows) + len(marks) + save_notice(session, account, contract_id, notice, occasion, now)


def _reduce_fee(session: Session, rules: Rules, contract_id: int, now: datetime) -> int:
    row = session.execute(
        sa.select(term, invoice.c.id.label("invoice_id"), invoice.c.open_yen)
        .join(invoice, invoice.c.term_id == term.c.id)
        .where(term.c.contract_id == contract_id, term.c.closed_on.is_not(None), invoice.c.state == "open")
    ).first()
    if row is None:
        return 0
    tax_rate = rules.terms.at(row.starts_on).tax.rate
    rest = remaining(row.price_yen, row.starts_on, row.ends_on, row.closed_on, tax_rate)
    yen = min(row.open_yen, rest.yen)
    if not yen:
        return 0
    today = jst_day(now)
    unpaid = load_open_items(session, rules, today, invoice_ids=[row.invoice_id])
    accrued_yen, _ = interest_owed(unpaid, rules, today)
    session.execute(
        sa.insert(interest_checkpoint).values(
            invoice_id=row.invoice_id,
            account=row.account,
            accrues_after=today,
            accrued_unpaid_yen=accrued_yen,
            recorded_at=now,
        )
    )
    settle(session, [Settled(row.invoice_id, row.account, "reduction", yen, today, row.id)], now)
    post(session, [Posting("fee_reduced", f"term:{row.id}:reduced", today, {"yen": yen}, row.account)], now)
    return 1
