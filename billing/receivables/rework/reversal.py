"""What money settled is taken back by rows that mirror it: a receipt, or the use of a deposit.

Nothing is rewritten: the mirror is below zero and points at what it takes back; fees stand open again, interest counts
as it did before, and what the money had brought into the books of late interest, or taken out of them, is undone. Only
the newest act on an account's debts can be taken back so: whoever calls takes them back in turn. Does not commit.
"""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from keizoku.billing.ledger.posting import Posting, post
from keizoku.billing.receivables.interest_bookings import book_interest
from keizoku.billing.receivables.of_account import of_invoices
from keizoku.billing.receivables.open_items import invoice_due_on
from keizoku.billing.receivables.settlement import Settled, settle
from keizoku.db.keys import next_ids
from keizoku.db.session import Session, copy_rows
from keizoku.db.tables.money import (
    allocation,
    deposit_use,
    interest_booking,
    interest_checkpoint,
    invoice,
    receipt,
    settlement,
)
from keizoku.terms.calendar import jst_day

_KINDS = ("costs", "interest", "principal", "deposit")


def take_back_receipt(session: Session, row: sa.Row[Any], now: datetime) -> int:
    """Mirror a receipt; its money stands in 2145, on its own day; the mirror's id."""
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
    principal = {p.invoice_id: p.yen for p in parts if p.kind == "principal"}
    mirrored = (row.account, row.received_on, f"receipt:{row.id}", f"receipt:{mirror_id}")
    reopen_fees(session, principal, "receipt", mirror_id, mirrored, now)
    amounts = {f"{kind}_yen": sum(p.yen for p in parts if p.kind == kind) for kind in _KINDS}
    amounts["undemanded_yen"] = unbook(session, row.account, f"receipt:{row.id}", "unmatched", now)
    key = f"receipt:{mirror_id}"
    post(session, [Posting("receipt_unmatched", key, row.received_on, amounts, row.account)], now)
    uncorrect(session, row.account, f"receipt:{row.id}", now)
    return mirror_id


def take_back_use(session: Session, row: sa.Row[Any], now: datetime) -> int:
    """Mirror the use of a deposit that paid fees; the mirror's id."""
    values = dict(row._mapping) | {"yen": -row.yen, "reverses": row.id, "recorded_at": now}
    del values["id"]
    mirror_id = int(session.execute(sa.insert(deposit_use).values(values).returning(deposit_use.c.id)).scalar_one())
    paid = session.execute(
        sa.select(settlement.c.invoice_id, settlement.c.yen).where(
            of_invoices(settlement, row.account), settlement.c.kind == "deposit", settlement.c.source_id == row.id
        )
    ).all()
    principal = {each.invoice_id: int(each.yen) for each in paid}
    mirrored = (row.account, row.used_on, f"deposit:{row.id}", f"deposit:{mirror_id}")
    reopen_fees(session, principal, "deposit", mirror_id, mirrored, now)
    undemanded_yen = unbook(session, row.account, f"deposit:{row.id}", "undone", now)
    interest_yen = unbook(session, row.account, f"deposit:{row.id}:paid", "undone", now)
    amounts = {
        "undemanded_yen": -undemanded_yen,
        "interest_yen": interest_yen,
        "principal_yen": -sum(principal.values()),
    }
    key = f"deposit:{mirror_id}:undone"
    post(session, [Posting("deposit_applied", key, row.used_on, amounts, row.account)], now)
    uncorrect(session, row.account, f"deposit:{row.id}", now)
    return mirror_id


def reopen_fees(
    session: Session,
    principal: Mapping[int, int],
    kind: str,
    mirror_id: int,
    mirrored: tuple[str, date, str, str],
    now: datetime,
) -> None:
    """Fees stand open again, and interest counts as it did before."""
    account, on, occasion, mirror = mirrored
    settle(session, [Settled(i, account, kind, -yen, on, mirror_id) for i, yen in principal.items() if yen], now)
    first = session.execute(
        sa.select(interest_checkpoint.c.invoice_id, sa.func.min(interest_checkpoint.c.id).label("id"))
        .where(interest_checkpoint.c.account == account, interest_checkpoint.c.occasion == occasion)
        .group_by(interest_checkpoint.c.invoice_id)
    ).all()
    for mark in first:
        for restored in _before(session, mark.invoice_id, mark.id, on):
            values = {"invoice_id": mark.invoice_id, "account": account, "occasion": mirror, "recorded_at": now}
            session.execute(sa.insert(interest_checkpoint).values(values | restored._asdict()))


class _Counting(NamedTuple):
    """How interest counts from a mark on, as columns of it."""

    accrues_after: date
    accrued_unpaid_yen: int
    checkpoint_on: date


def _before(session: Session, invoice_id: int, mark_id: int, on: date) -> list[_Counting]:
    """How interest counted before a mark: on the mark's day, and now, where a card paid the fee since."""
    of = interest_checkpoint.c
    made_on = sa.func.coalesce(of.checkpoint_on, of.accrues_after)
    query = (
        sa.select(of.accrues_after, of.accrued_unpaid_yen, made_on.label("made_on"))
        .where(of.invoice_id == invoice_id, of.id < mark_id)
        .order_by(of.id.desc())
        .limit(1)
    )
    then = session.execute(query.where(made_on <= on)).one_or_none()
    due_on = sa.select(invoice_due_on).where(invoice.c.id == invoice_id)
    restored = [
        _Counting(session.execute(due_on).scalar_one(), 0, on)
        if then is None
        else _Counting(then.accrues_after, then.accrued_unpaid_yen, on)
    ]
    last = session.execute(query).one_or_none()
    if last is not None and last.made_on > on:
        restored.append(_Counting(last.accrues_after, last.accrued_unpaid_yen, last.made_on))
    return restored


def unbook(session: Session, account: str, occasion: str, word: str, now: datetime) -> int:
    """Undo what an occasion booked of late interest, either way; the yen that it had booked."""
    yen = session.execute(
        sa.select(interest_booking.c.yen).where(
            interest_booking.c.account == account, interest_booking.c.occasion == occasion
        )
    ).scalar_one_or_none()
    if not yen:
        return 0
    book_interest(session, account, "correction", -yen, f"{occasion}:{word}", now)
    return int(yen)


def uncorrect(session: Session, account: str, occasion: str, now: datetime) -> None:
    """What had left the books because of the money, demanded for days on which nothing was owed, is back in them."""
    yen = unbook(session, account, f"{occasion}:corrected", "undone", now)
    if yen:
        posting = Posting("interest_reduced", f"{occasion}:corrected:undone", jst_day(now), {"yen": yen}, account)
        post(session, [posting], now)
