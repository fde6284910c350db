"""A transfer was matched to the wrong payer: its receipt is taken back with a ground, by new rows that mirror it.

The fees stand open again, and interest counts again as it did before the money was thought to be there. The money
itself waits for its payer (2145). Only the newest act on the account's debts can be taken back: later ones rest on it.
"""

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from keizoku.billing.ledger.bank_acts import newest_act, note_act
from keizoku.billing.ledger.posting import Posting, post
from keizoku.billing.receivables.bank.by_people import kept_on_the_way
from keizoku.billing.receivables.customer_deposits import deposit_of
from keizoku.billing.receivables.open_items import lock_accounts
from keizoku.billing.receivables.rework.reversal import take_back_receipt
from keizoku.db.session import Session
from keizoku.db.tables.bank import bank_act, bank_line
from keizoku.db.tables.books import entry
from keizoku.db.tables.closing import manual_entry
from keizoku.db.tables.money import allocation, interest_checkpoint, receipt, settlement
from keizoku.terms.calendar import jst_day
from keizoku.terms.refusal import Refused
from keizoku.terms.rules import Rules


def reopen(session: Session, rules: Rules, line_id: int, by: str, ground: str, now: datetime) -> str:
    """What was said of a line is taken back: it waits again; whose, or what, it was thought to be. Commits."""
    # locked before its newest act is read: of two people at once one finds it reopened
    line = session.execute(sa.select(bank_line).where(bank_line.c.id == line_id).with_for_update()).one_or_none()
    act = newest_act(session, line_id)
    if line is None or act is None or act.kind not in ("payout", "store_payout", "refund", "transfer", "other"):
        return unmatch(session, line_id, by, ground, now)
    if act.kind == "other":
        _refuse_if_entry_stands(session, line_id, act.id)
    if act.kind in ("transfer", "other"):
        note_act(session, line_id, "reopened", now, by, ground, change=0)
        reopen_other_half(session, act, by, ground, now)
    else:
        _take_apart(session, rules, line, act, by, ground, now)
    session.commit()
    return act.about or str(act.kind)


def _take_apart(
    session: Session, rules: Rules, line: sa.Row[Any], act: sa.Row[Any], by: str, ground: str, now: datetime
) -> None:
    """A line that was joined to what is booked elsewhere is in the books by itself again. Does not commit."""
    sign = 1 if line.direction == "in" else -1
    act_id = note_act(session, line.id, "reopened", now, by, ground, kept_yen=-act.kept_yen)
    today, key = jst_day(now), f"bank:{line.id}:reopened:{act_id}"
    postings = [Posting("booked_at_bank", key, today, {"yen": -sign * line.yen})]
    if act.kept_yen:
        postings.append(kept_on_the_way(rules, line, -act.kept_yen, act_id, today))
    post(session, postings, now)


def take_apart_what_left(
    session: Session, rules: Rules, line_id: int, without: str, by: str, ground: str, now: datetime
) -> None:
    """The bank's line by which a line was sent back stands for itself again, if another file than `without` shows it.

    Does not commit.
    """
    left = sa.select(bank_act.c.line_id).where(bank_act.c.about == f"returned:{line_id}").distinct()
    rows = session.execute(
        sa.select(bank_line).where(bank_line.c.id.in_(left), bank_line.c.file_digest != without).with_for_update()
    )
    for row in rows.all():
        act = newest_act(session, row.id)
        if act is not None and act.about == f"returned:{line_id}":
            _take_apart(session, rules, row, act, by, ground, now)


def reopen_other_half(session: Session, act: sa.Row[Any], by: str, ground: str, now: datetime) -> None:
    """The other line of a transfer waits again too: alone it is no transfer. Does not commit."""
    if act.kind != "transfer":
        return
    other_id = int(act.about.removeprefix("line:"))
    session.execute(sa.select(bank_line.c.id).where(bank_line.c.id == other_id).with_for_update())
    other = newest_act(session, other_id)
    if other is not None and other.kind == "transfer" and other.about == f"line:{act.line_id}":
        note_act(session, other_id, "reopened", now, by, ground, change=0)


def _refuse_if_entry_stands(session: Session, line_id: int, act_id: int) -> None:
    """Refuse while the entry by which people booked the line stands: said anew, its money would be booked twice."""
    booked = sa.select(entry.c.id).where(
        entry.c.event_key == f"bank:{line_id}:other:{act_id}",
        ~sa.exists().where(manual_entry.c.reverses == entry.c.id),
    )
    entry_id = session.execute(booked).scalar_one_or_none()
    if entry_id is not None:
        session.rollback()
        raise Refused(
            "transfer.rests_on_it",
            f"payment {line_id}: entry {entry_id} books it by hand",
            f"reverse that entry first (`keizoku ledger reverse {entry_id}`)",
        )


def unmatch(session: Session, line_id: int, by: str, ground: str, now: datetime) -> str:
    """Take a match back; commits; the account whose it was thought to be."""
    act = session.execute(
        sa.select(bank_act).where(bank_act.c.line_id == line_id).order_by(bank_act.c.id.desc()).limit(1)
    ).one_or_none()
    if act is None or act.kind != "matched":
        session.rollback()
        raise Refused(
            "transfer.not_matched", f"payment {line_id}: it is not matched to anybody", "(see `keizoku bank list`)"
        )
    lock_accounts(session, [act.account])
    row = session.execute(sa.select(receipt).where(receipt.c.id == act.receipt_id)).one()
    _refuse_if_later(session, row, line_id)
    take_back_receipt(session, row, now)
    note_act(session, line_id, "unmatched", now, by, ground, row.account, row.id)
    session.commit()
    return str(row.account)


def _refuse_if_later(session: Session, row: sa.Row[Any], line_id: int) -> None:
    """Refuse if later acts depend on the receipt."""
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
                f"payment {line_id}: {what} of account {row.account} depends on it",
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
            f"payment {line_id}: account {row.account} has used, or been refunded, what was left of it",
        )
