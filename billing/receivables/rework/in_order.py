"""Order of arrival changes nothing: money counts from its day, and what is recorded already of later days gives way.

    an older receipt ──> later receipts, uses of deposits and set-offs are taken back, the newest first
                     ──> the older one is applied on its day
                     ──> the later ones are applied again, each on its own day, the oldest first

Interest, what each paid and what is left over are as if all had been recorded in the order of their days. The journal
gets the differences: in the month itself while it is open, else on the first open day, naming the month. Fees that were
given up, reduced or voided since stand as people left them: nothing is taken back across them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa

from keizoku.billing.ledger.bank_acts import note_act
from keizoku.billing.receivables.cash_application import AppliedMoney, apply_money
from keizoku.billing.receivables.customer_deposits import SentDeposit
from keizoku.billing.receivables.of_account import of_invoices
from keizoku.billing.receivables.open_items import lock_accounts
from keizoku.billing.receivables.rework.received_money import Payment, ReceivedMoney
from keizoku.billing.receivables.rework.reversal import take_back_receipt, take_back_use
from keizoku.billing.receivables.rework.set_offs import set_off_again, set_offs_after, take_back_set_off
from keizoku.db.session import Session
from keizoku.db.tables.bank import bank_act
from keizoku.db.tables.money import deposit_use, receipt, settlement
from keizoku.terms.rules import Rules

_FINAL = ("write_off", "reduction", "dispute", "sale_void")
"""Kinds of settlements that people or the contract made: they stand."""


_KINDS = ("receipt", "use", "set_off")


@dataclass(frozen=True, slots=True)
class _Later:
    """Something recorded already that counts from a later day."""

    on: date
    kind: str  # receipt, use, set_off
    row: sa.Row[Any]

    @property
    def place(self) -> tuple[date, int, int]:
        """Where it stands in the order: by day, receipts before uses, these before set-offs, as recorded."""
        return self.on, _KINDS.index(self.kind), self.row.id


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
        _TAKE_BACK[each.kind](session, each.row, now)
    applied = apply_money(session, rules, payment.account, ReceivedMoney(payment), on=on, now=now)
    if applied is None:
        raise AssertionError("money that nothing is owed for is kept as a deposit")
    for each in later:
        _again(session, rules, each, now)
    return InOrder(applied, len(later))


def later_than(session: Session, account: str, on: date) -> Sequence[_Later]:
    """Receipts, uses of deposits and set-offs of later days that can be worked out again, oldest first."""
    fixed_on = session.execute(
        sa.select(sa.func.max(settlement.c.settled_on)).where(
            of_invoices(settlement, account), settlement.c.kind.in_(_FINAL)
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
    found = [_Later(row.received_on, "receipt", row) for row in receipts]
    found += [_Later(row.used_on, "use", row) for row in uses]
    found += [_Later(row.set_off_on, "set_off", row) for row in set_offs_after(session, account, on)]
    return sorted(found, key=lambda each: each.place)


_TAKE_BACK: Mapping[str, Callable[[Session, sa.Row[Any], datetime], object]] = MappingProxyType(
    {"receipt": take_back_receipt, "use": take_back_use, "set_off": take_back_set_off}
)


def _again(session: Session, rules: Rules, later: _Later, now: datetime) -> None:
    row = later.row
    if later.kind == "set_off":
        set_off_again(session, rules, row, now)
        return
    if later.kind == "use":
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
