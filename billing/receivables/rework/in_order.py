"""Order of arrival changes nothing: money counts from its day, and what is recorded already of later days gives way.

    an older receipt ──> later receipts and uses of deposits are taken back, the newest first
                     ──> the older one is applied on its day
                     ──> the later ones are applied again, each on its own day, the oldest first

Interest, what each paid and what is left over are as if all had been recorded in the order of their days. The journal
gets the differences: in the month itself while it is open, else on the first open day, naming the month. Fees that were
given up, set off, reduced or voided since stand as people left them: nothing is taken back across them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from keizoku.billing.ledger.bank_acts import note_act
from keizoku.billing.receivables.cash_application import AppliedMoney, apply_money
from keizoku.billing.receivables.customer_deposits import SentDeposit
from keizoku.billing.receivables.open_items import lock_accounts
from keizoku.billing.receivables.rework.received_money import Payment, ReceivedMoney
from keizoku.billing.receivables.rework.reversal import take_back_receipt, take_back_use
from keizoku.db.session import Session
from keizoku.db.tables.bank import bank_act
from keizoku.db.tables.money import deposit_use, receipt, settlement
from keizoku.terms.rules import Rules

_FINAL = ("set_off", "write_off", "reduction", "dispute", "sale_void")
"""Kinds of settlements that people or the contract made: they stand."""


@dataclass(frozen=True, slots=True)
class _Later:
    """Something recorded already that counts from a later day."""

    on: date
    is_use: bool
    row: sa.Row[Any]

    @property
    def place(self) -> tuple[date, bool, int]:
        """Where it stands in the order: by day, receipts before uses, as recorded."""
        return self.on, self.is_use, self.row.id


@dataclass(frozen=True, slots=True)
class InOrder:
    """A receipt applied in its place, and how many later ones were worked out again."""

    applied: AppliedMoney
    reworked: int


def receive_in_order(session: Session, rules: Rules, payment: Payment, on: date, now: datetime) -> InOrder:
    """Apply a payment on its day, today or earlier, and everything later anew. Does not commit."""
    lock_accounts(session, [payment.account])
    later = later_than(session, payment.account, on)
    for each in reversed(later):
        if each.is_use:
            take_back_use(session, each.row, now)
        else:
            take_back_receipt(session, each.row, now)
    applied = apply_money(session, rules, payment.account, ReceivedMoney(payment), on=on, now=now)
    if applied is None:
        raise AssertionError("money that nothing is owed for is kept as a deposit")
    for each in later:
        _again(session, rules, each, now)
    return InOrder(applied, len(later))


def later_than(session: Session, account: str, on: date) -> Sequence[_Later]:
    """Receipts and uses of deposits of later days that can be worked out again, oldest first."""
    fixed_on = session.execute(
        sa.select(sa.func.max(settlement.c.settled_on)).where(
            settlement.c.account == account, settlement.c.kind.in_(_FINAL)
        )
    ).scalar_one()
    if fixed_on is not None and fixed_on > on:
        return ()
    back = sa.select(receipt.c.reverses).where(receipt.c.reverses.is_not(None))
    receipts = session.execute(
        sa.select(receipt).where(
            receipt.c.account == account,
            receipt.c.received_on > on,
            receipt.c.reverses.is_(None),
            receipt.c.id.not_in(back),
        )
    )
    undone = sa.select(deposit_use.c.reverses).where(deposit_use.c.reverses.is_not(None))
    uses = session.execute(
        sa.select(deposit_use).where(
            deposit_use.c.account == account,
            deposit_use.c.kind == "applied",
            deposit_use.c.used_on > on,
            deposit_use.c.reverses.is_(None),
            deposit_use.c.id.not_in(undone),
        )
    )
    found = [_Later(row.received_on, False, row) for row in receipts]
    found += [_Later(row.used_on, True, row) for row in uses]
    return sorted(found, key=lambda each: each.place)


def _again(session: Session, rules: Rules, later: _Later, now: datetime) -> None:
    row = later.row
    if later.is_use:
        apply_money(session, rules, row.account, SentDeposit(row.author, row.ground), on=later.on, now=now)
        return
    payment = Payment(
        row.account,
        row.yen,
        via=row.via,
        costs_yen=row.costs_yen,
        costs_proof=row.costs_proof,
        for_term_on=row.for_term_on,
        received_on=row.received_on,
        was_unidentified=True,
    )
    source = ReceivedMoney(payment, name_may_lack=True)
    applied = apply_money(session, rules, row.account, source, on=row.received_on, now=now)
    if applied is None:
        raise AssertionError("money that nothing is owed for is kept as a deposit")
    act = session.execute(
        sa.select(bank_act)
        .where(bank_act.c.receipt_id == row.id, bank_act.c.kind == "matched")
        .order_by(bank_act.c.id.desc())
        .limit(1)
    ).one_or_none()
    if act is not None:
        ground = "worked out again: an earlier payment came to be known"
        note_act(session, act.line_id, "unmatched", now, act.author, ground, row.account, row.id)
        note_act(session, act.line_id, "matched", now, act.author, act.ground, row.account, applied.source_id)
