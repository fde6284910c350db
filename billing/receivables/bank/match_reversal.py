"""A transfer was matched to the wrong payer: its receipt is taken back with a ground, by new rows that mirror it.

Nothing is rewritten: a receipt below zero points at the one that it takes back, its parts likewise; the fees stand open
again, and interest counts again as it did before the money was thought to be there. The money itself waits for its
payer (2145). Only the newest act on the account's debts can be taken back: later ones rest on it.
"""

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from keizoku.billing.ledger.bank_acts import newest_act, note_act
from keizoku.billing.ledger.posting import Posting, post
from keizoku.billing.receivables.customer_deposits import deposit_of
from keizoku.billing.receivables.interest_bookings import book_interest
from keizoku.billing.receivables.open_items import lock_accounts
from keizoku.billing.receivables.settlement import Settled, settle
from keizoku.db.keys import next_ids
from keizoku.db.session import Session, copy_rows
from keizoku.db.tables.bank import bank_act, bank_line
from keizoku.db.tables.money import allocation, interest_booking, interest_checkpoint, invoice, receipt, settlement
from keizoku.terms.calendar import jst_day
from keizoku.terms.refusal import Refused


def reopen(session: Session, line_id: int, by: str, ground: str, now: datetime) -> str:
    """What was said of a line is taken back: it waits again; whose, or what, it was thought to be. Commits."""
    act = newest_act(session, line_id)
    if act is None or act.kind not in ("payout", "store_payout", "refund", "transfer", "other"):
        return unmatch(session, line_id, by, ground, now)
    line = session.execute(sa.select(bank_line).where(bank_line.c.id == line_id).with_for_update()).one()
    if act.kind in ("transfer", "other"):
        note_act(session, line_id, "reopened", now, by, ground, change=0)
    else:
        sign = 1 if line.direction == "in" else -1
        act_id = note_act(session, line_id, "reopened", now, by, ground)
        posting = Posting(
            "booked_at_bank", f"bank:{line_id}:reopened:{act_id}", jst_day(now), {"yen": -sign * line.yen}
        )
        post(session, [posting], now)
    session.commit()
    return act.about or str(act.kind)


def unmatch(session: Session, line_id: int, by: str, ground: str, now: datetime) -> str:
    """Take a match back; commits; the account whose it was thought to be."""
    act = session.execute(
        sa.select(bank_act).where(bank_act.c.line_id == line_id).order_by(bank_act.c.id.desc()).limit(1)
    ).one_or_none()
    if act is None or act.kind != "matched":
        session.rollback()
        raise Refused(
            "transfer.not_matched", f"payment {line_id}: it is matched to nobody", "(see `keizoku bank list`)"
        )
    lock_accounts(session, [act.account])
    row = session.execute(sa.select(receipt).where(receipt.c.id == act.receipt_id)).one()
    _refuse_if_later(session, row, line_id)
    parts = session.execute(sa.select(allocation).where(allocation.c.receipt_id == row.id)).all()
    (mirror_id,) = next_ids(session, receipt, 1)
    values = dict(row._mapping) | {
        "id": mirror_id,
        "yen": -row.yen,
        "costs_yen": -row.costs_yen,
        "reverses": row.id,
        "recorded_at": now,
    }
    session.execute(sa.insert(receipt).values(values))
    copy_rows(
        session,
        allocation,
        ("receipt_id", "account", "kind", "invoice_id", "yen", "allocated_on"),
        [(mirror_id, p.account, p.kind, p.invoice_id, -p.yen, p.allocated_on) for p in parts],
    )
    _reopen(session, row, parts, mirror_id, now)
    amounts = {f"{kind}_yen": sum(p.yen for p in parts if p.kind == kind) for kind in _KINDS}
    amounts["undemanded_yen"] = _unbook(session, row, now)
    post(session, [Posting("receipt_unmatched", f"receipt:{mirror_id}", jst_day(now), amounts, row.account)], now)
    note_act(session, line_id, "unmatched", now, by, ground, row.account, row.id)
    session.commit()
    return str(row.account)


_KINDS = ("costs", "interest", "principal", "deposit")


def _refuse_if_later(session: Session, row: sa.Row[Any], line_id: int) -> None:
    """What rests on the receipt stands in its way."""
    taken_back = sa.select(receipt.c.reverses).where(receipt.c.reverses.is_not(None))
    touched = sa.select(interest_checkpoint.c.invoice_id).where(
        interest_checkpoint.c.account == row.account, interest_checkpoint.c.occasion == f"receipt:{row.id}"
    )
    named = sa.select(allocation.c.invoice_id).where(allocation.c.receipt_id == row.id)
    ours = sa.or_(settlement.c.invoice_id.in_(touched), settlement.c.invoice_id.in_(named))
    later = {
        "a later payment": sa.select(receipt.c.id).where(
            receipt.c.account == row.account,
            receipt.c.id > row.id,
            receipt.c.reverses.is_(None),
            receipt.c.id.not_in(taken_back),
        ),
        "a later settlement of the same fee": sa.select(settlement.c.id).where(
            ours, settlement.c.recorded_at > row.recorded_at, settlement.c.kind != "receipt"
        ),
    }
    for what, query in later.items():
        if session.execute(query.limit(1)).first() is not None:
            session.rollback()
            raise Refused(
                "transfer.rests_on_it",
                f"payment {line_id}: {what} of account {row.account} rests on it",
                "take that back first",
            )
    kept_yen = session.execute(
        sa.select(sa.func.coalesce(sa.func.sum(allocation.c.yen), 0)).where(
            allocation.c.receipt_id == row.id, allocation.c.kind == "deposit"
        )
    ).scalar_one()
    if deposit_of(session, row.account).sent_yen < kept_yen:
        session.rollback()
        raise Refused(
            "transfer.deposit_used",
            f"payment {line_id}: account {row.account} has used or got back what was left of it",
        )


def _reopen(session: Session, row: sa.Row[Any], parts: list[sa.Row[Any]] | Any, mirror_id: int, now: datetime) -> None:
    """Fees stand open again, and interest counts as it did before."""
    principal = {p.invoice_id: p.yen for p in parts if p.kind == "principal"}
    settle(
        session,
        [Settled(i, row.account, "receipt", -yen, row.received_on, mirror_id) for i, yen in principal.items()],
        now,
    )
    marks = session.execute(
        sa.select(interest_checkpoint).where(
            interest_checkpoint.c.account == row.account, interest_checkpoint.c.occasion == f"receipt:{row.id}"
        )
    ).all()
    for mark in marks:
        before = session.execute(
            sa.select(interest_checkpoint.c.accrues_after, interest_checkpoint.c.accrued_unpaid_yen)
            .where(interest_checkpoint.c.invoice_id == mark.invoice_id, interest_checkpoint.c.id < mark.id)
            .order_by(interest_checkpoint.c.id.desc())
            .limit(1)
        ).one_or_none()
        due_on = session.execute(
            sa.select(sa.func.least(invoice.c.due_on, invoice.c.accelerated_on)).where(invoice.c.id == mark.invoice_id)
        ).scalar_one()
        session.execute(
            sa.insert(interest_checkpoint).values(
                invoice_id=mark.invoice_id,
                account=row.account,
                accrues_after=due_on if before is None else before.accrues_after,
                accrued_unpaid_yen=0 if before is None else before.accrued_unpaid_yen,
                checkpoint_on=row.received_on,
                occasion=f"receipt:{mirror_id}",
                recorded_at=now,
            )
        )


def _unbook(session: Session, row: sa.Row[Any], now: datetime) -> int:
    """Interest that went into the books because it was paid leaves them; whole yen."""
    yen = session.execute(
        sa.select(interest_booking.c.yen).where(
            interest_booking.c.account == row.account, interest_booking.c.occasion == f"receipt:{row.id}"
        )
    ).scalar_one_or_none()
    if not yen:
        return 0
    book_interest(session, row.account, "correction", -yen, f"receipt:{row.id}:unmatched", now)
    return int(yen)
