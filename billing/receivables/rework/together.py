"""Payments of one day by many accounts, applied by a few statements instead of some dozens for each account.

What is decided is what `receive_in_order` decides, by the same pure functions; only reading and writing are for all at
once. An account that has money, or a card's payment, of a later day is left to it: there the order has to be mended.

Most payments of a day are alike: so much for one fee of so much, due on the same day. One of them is decided, and what
it comes to holds for the others, with their own accounts and fees.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple

import sqlalchemy as sa

from keizoku.billing.ledger.posting import Posting, post
from keizoku.billing.receivables.cash_application import (
    Application,
    Owed,
    interest_left,
    marks_of,
    settled_by,
    write_marks,
)
from keizoku.billing.receivables.interest_bookings import interest_booked_by, write_bookings
from keizoku.billing.receivables.of_account import of_invoices
from keizoku.billing.receivables.open_items import OpenItem, by_account, costs_open_by, load_open_items, lock_accounts
from keizoku.billing.receivables.rework.received_money import ALLOCATION, RECEIPT, Payment, ReceivedMoney
from keizoku.billing.receivables.settlement import Settled, settle
from keizoku.billing.rules.payment_allocation import Fund
from keizoku.db.keys import next_ids
from keizoku.db.session import Session, copy_rows, texts
from keizoku.db.tables.money import allocation, deposit_use, receipt, settlement
from keizoku.terms.calendar import jst_day
from keizoku.terms.refusal import Refused
from keizoku.terms.rules import Rules

Row = tuple[object, ...]


class Received(NamedTuple):
    """A payment that was applied: whose, and its receipt."""

    account: str
    receipt_id: int


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What a payment comes to, as the rows of a receipt 0; of another one that is alike, with its own keys."""

    word: str  # what its keys begin with
    receipt: Row
    parts: Sequence[Row]
    bookings: Sequence[Row]
    settled: Sequence[Settled]
    marks: Sequence[Row]
    postings: Sequence[Posting]


class _Written(NamedTuple):
    """A payment with its outcome. `invoice_id`: its one fee; None: the outcome is of this payment alone."""

    account: str
    invoice_id: int | None
    outcome: _Outcome


def receive_together(
    session: Session, rules: Rules, payments: Sequence[Payment], on: date, now: datetime
) -> list[Received | None]:
    """Apply payments of different accounts on their day, today or earlier; None for an account that is left to others.

    A named debt that has no open fee is not refused: the money meets the oldest one. Locks; does not commit.
    """
    accounts = [each.account for each in payments]
    if len(set(accounts)) < len(accounts):
        raise ValueError("an account comes once in payments that are applied together")
    lock_accounts(session, accounts)
    later = _with_later(session, accounts, on)
    plain = [each for each in payments if each.account not in later]
    decided = _decided(session, rules, plain, on, now)
    ids = _write(session, decided, now)
    done = {each.account: Received(each.account, receipt_id) for each, receipt_id in zip(decided, ids, strict=True)}
    return [done.get(account) for account in accounts]


def _with_later(session: Session, accounts: Collection[str], on: date) -> frozenset[str]:
    """Accounts that have money, a card's payment, or a set-off, of a later day."""
    wanted = sa.any_(texts(accounts))
    found = sa.union(
        sa.select(receipt.c.account).where(receipt.c.account == wanted, receipt.c.received_on > on),
        sa.select(deposit_use.c.account).where(deposit_use.c.account == wanted, deposit_use.c.used_on > on),
        sa.select(settlement.c.account).where(
            of_invoices(settlement, wanted), _OF_OTHERS, settlement.c.settled_on > on
        ),
    )
    return frozenset(session.scalars(found))


_OF_OTHERS = sa.text("settlement.kind IN ('card', 'set_off')")  # as it stands: the index of the others is looked at


def _decided(session: Session, rules: Rules, payments: Sequence[Payment], on: date, now: datetime) -> list[_Written]:
    """What each payment comes to; those that are alike are decided once."""
    accounts = [each.account for each in payments]
    if not accounts:
        return []
    items = by_account(load_open_items(session, rules, on, accounts=accounts, with_accrued=True))
    costs = costs_open_by(session, accounts)
    booked = interest_booked_by(session, accounts)
    alike: dict[Row, _Outcome] = {}
    decided = []
    for payment in payments:
        account = payment.account
        owed_items: Sequence[OpenItem] = items.get(account, ())
        costs_yen, booked_yen = costs.get(account, 0), booked.get(account, 0)
        kind = None if costs_yen else _kind_of(payment, owed_items, booked_yen)
        outcome = None if kind is None else alike.get(kind)
        if outcome is None:
            owed = Owed(account, on, tuple(owed_items), costs_yen, (Fund(on, payment.yen),))
            outcome = _outcome(rules, payment, owed, booked_yen, now)
            if kind is not None:
                alike[kind] = outcome
        decided.append(_Written(account, None if kind is None else owed_items[0].invoice_id, outcome))
    return decided


def _kind_of(payment: Payment, items: Sequence[OpenItem], booked_yen: int) -> Row | None:
    """What payments that come to the same have in common: all but account and fee; None: it is decided by itself."""
    if len(items) != 1 or payment.costs_yen:
        return None
    (item,) = items
    return (
        payment.yen, payment.via, payment.for_term_on, payment.was_unidentified, item.term_starts_on, item.open_yen,
        item.accrues_after, item.accrued_unpaid_yen, item.excluded, item.yearly, booked_yen,
    )  # fmt: skip


def _outcome(rules: Rules, payment: Payment, owed: Owed, booked_yen: int, now: datetime) -> _Outcome:
    """Where the money goes, and what that writes. `booked_yen`: the account's interest in the books."""
    source = ReceivedMoney(payment)
    try:
        parts = source.divide(rules, owed)
    except Refused:
        source = ReceivedMoney(payment.unnamed)
        parts = source.divide(rules, owed)
    application = Application(owed, parts, now)
    account, on, today, occasion = owed.account, owed.on, jst_day(now), f"{source.word}:0"
    bookings: list[Row] = []
    undemanded_yen = max(0, parts.interest_yen - booked_yen)
    if undemanded_yen:
        bookings.append((account, "allocation", undemanded_yen, today, now, occasion))
    postings = [*source.postings(application, occasion, undemanded_yen)]
    if on < today:
        paid_yen = sum(share.interest_yen for share in parts.shares)
        in_books = booked_yen + undemanded_yen - paid_yen
        # else there is nothing to correct, whatever is owed
        corrected_yen = max(0, in_books - interest_left(rules, application, today)) if in_books > 0 else 0
        if corrected_yen:
            key = f"{occasion}:corrected"
            bookings.append((account, "correction", -corrected_yen, today, now, key))
            postings.append(Posting("interest_reduced", key, today, {"yen": corrected_yen}, account))
    return _Outcome(
        source.word, source.receipt_row(application, 0), source.part_rows(application, 0), bookings,
        settled_by(application, source.kind, 0), marks_of(application, occasion), postings,
    )  # fmt: skip


def _write(session: Session, decided: Sequence[_Written], now: datetime) -> Sequence[int]:
    """Write what each payment comes to, table by table; the receipts' ids."""
    if not decided:
        return ()
    ids = next_ids(session, receipt, len(decided))
    receipts: list[Row] = []
    parts: list[Row] = []
    bookings: list[Row] = []
    settled: list[Settled] = []
    marks: list[Row] = []
    postings: list[Posting] = []
    for receipt_id, (account, own, of) in zip(ids, decided, strict=True):
        occasion = f"{of.word}:{receipt_id}"
        cut = len(of.word) + 2  # of "receipt:0:deposit" what follows the receipt
        receipts.append((receipt_id, account, *of.receipt[2:]))
        for _, _, kind, invoice_id, yen, allocated_on in of.parts:
            fee = invoice_id if own is None or invoice_id is None else own
            parts.append((receipt_id, account, kind, fee, yen, allocated_on))
        for _, kind, yen, booked_on, at, key in of.bookings:
            bookings.append((account, kind, yen, booked_on, at, occasion + str(key)[cut:]))
        for each in of.settled:
            fee = each.invoice_id if own is None else own
            settled.append(Settled(fee, account, each.kind, each.yen, each.settled_on, receipt_id))
        for invoice_id, _, after, accrued_yen, made_on, _, at in of.marks:
            marks.append((invoice_id if own is None else own, account, after, accrued_yen, made_on, occasion, at))
        for event, key, posted_on, amounts, _ in of.postings:
            postings.append(Posting(event, occasion + key[cut:], posted_on, amounts, account))
    copy_rows(session, receipt, RECEIPT, receipts)
    write_bookings(session, bookings)
    copy_rows(session, allocation, ALLOCATION, parts)
    settle(session, settled, now)
    write_marks(session, marks)
    post(session, postings, now)
    return ids
