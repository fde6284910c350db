"""Payments of one day by many accounts, applied by a few statements instead of some dozens for each account.

What is decided is what `receive_in_order` decides, by the same pure functions; only reading and writing are for all at
once. An account that has money, or a card's payment, of a later day is left to it: there the order has to be mended.
"""

from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import date, datetime
from itertools import islice

import sqlalchemy as sa

from keizoku.billing.ledger.posting import Posting, post
from keizoku.billing.receivables.cash_application import (
    Application,
    AppliedMoney,
    Owed,
    interest_left,
    marks_of,
    settled_by,
    write_marks,
)
from keizoku.billing.receivables.interest_bookings import interest_booked_by, write_bookings
from keizoku.billing.receivables.of_account import of_invoices
from keizoku.billing.receivables.open_items import by_account, costs_open_by, load_open_items, lock_accounts
from keizoku.billing.receivables.rework.received_money import ALLOCATION, RECEIPT, Payment, ReceivedMoney
from keizoku.billing.receivables.settlement import settle
from keizoku.billing.rules.payment_allocation import Fund
from keizoku.db.keys import next_ids
from keizoku.db.session import Session, copy_rows, texts
from keizoku.db.tables.money import allocation, deposit_use, receipt, settlement
from keizoku.terms.calendar import jst_day
from keizoku.terms.refusal import Refused
from keizoku.terms.rules import Rules


def receive_together(
    session: Session, rules: Rules, payments: Sequence[Payment], on: date, now: datetime
) -> list[AppliedMoney | None]:
    """Apply payments of different accounts on their day, today or earlier; None for an account that is left to others.

    A named debt that has no open fee is not refused: the money meets the oldest one. Locks; does not commit.
    """
    accounts = [each.account for each in payments]
    if len(set(accounts)) < len(accounts):
        raise ValueError("an account comes once in payments that are applied together")
    lock_accounts(session, accounts)
    later = _with_later(session, accounts, on)
    plain = [each for each in payments if each.account not in later]
    divided = _divided(session, rules, plain, on, now)
    done = {each.application.account: each for each in _written(session, rules, divided, on, now)}
    return [done.get(account) for account in accounts]


def _with_later(session: Session, accounts: Collection[str], on: date) -> frozenset[str]:
    """Accounts that have money, a card's payment, or a set-off, of a later day."""
    wanted = sa.any_(texts(accounts))
    found = sa.union(
        sa.select(receipt.c.account).where(receipt.c.account == wanted, receipt.c.received_on > on),
        sa.select(deposit_use.c.account).where(deposit_use.c.account == wanted, deposit_use.c.used_on > on),
        sa.select(settlement.c.account).where(
            of_invoices(settlement, wanted), settlement.c.kind.in_(("card", "set_off")), settlement.c.settled_on > on
        ),
    )
    return frozenset(session.scalars(found))


def _divided(
    session: Session, rules: Rules, payments: Sequence[Payment], on: date, now: datetime
) -> list[tuple[ReceivedMoney, Application]]:
    """Where the money of each goes."""
    accounts = [each.account for each in payments]
    if not accounts:
        return []
    items = by_account(load_open_items(session, rules, on, accounts=accounts, with_accrued=True))
    costs = costs_open_by(session, accounts)
    divided = []
    for payment in payments:
        account = payment.account
        owed = Owed(account, on, tuple(items.get(account, ())), costs.get(account, 0), (Fund(on, payment.yen),))
        source = ReceivedMoney(payment)
        try:
            parts = source.divide(rules, owed)
        except Refused:
            source = ReceivedMoney(payment.unnamed)
            parts = source.divide(rules, owed)
        divided.append((source, Application(owed, parts, now)))
    return divided


def _written(
    session: Session, rules: Rules, divided: Sequence[tuple[ReceivedMoney, Application]], on: date, now: datetime
) -> list[AppliedMoney]:
    """Write what became of each, table by table."""
    if not divided:
        return []
    today = jst_day(now)
    booked = interest_booked_by(session, [each.account for _, each in divided])
    made: list[tuple[ReceivedMoney, AppliedMoney]] = []
    bookings: list[tuple[object, ...]] = []
    postings: list[Posting] = []
    counts: list[tuple[int, int]] = []  # its postings, and the correction's
    for receipt_id, (source, application) in zip(next_ids(session, receipt, len(divided)), divided, strict=True):
        account, parts, occasion = application.account, application.parts, f"{source.word}:{receipt_id}"
        undemanded_yen = max(0, parts.interest_yen - booked.get(account, 0))
        if undemanded_yen:
            bookings.append((account, "allocation", undemanded_yen, today, now, occasion))
        own = source.postings(application, occasion, undemanded_yen)
        postings += own
        corrected_yen = 0
        if on < today:
            paid_yen = sum(share.interest_yen for share in parts.shares)
            in_books = booked.get(account, 0) + undemanded_yen - paid_yen
            if in_books > 0:  # else there is nothing to correct, whatever is owed
                corrected_yen = max(0, in_books - interest_left(rules, application, today))
        if corrected_yen:
            key = f"{occasion}:corrected"
            bookings.append((account, "correction", -corrected_yen, today, now, key))
            postings.append(Posting("interest_reduced", key, today, {"yen": corrected_yen}, account))
        counts.append((len(own), 1 if corrected_yen else 0))
        settled = settled_by(application, source.kind, receipt_id)
        applied = AppliedMoney(
            source, application, receipt_id, occasion, settled, undemanded_yen, corrected_yen, entry_ids=()
        )
        made.append((source, applied))
    copy_rows(session, receipt, RECEIPT, (source.receipt_row(of.application, of.source_id) for source, of in made))
    write_bookings(session, bookings)
    parts_of_all = (row for source, of in made for row in source.part_rows(of.application, of.source_id))
    copy_rows(session, allocation, ALLOCATION, parts_of_all)
    settle(session, [one for _, of in made for one in of.settled], now)
    write_marks(session, [mark for _, of in made for mark in marks_of(of.application, of.occasion)])
    entries = iter(post(session, postings, now))
    done = []
    for (_, of), (own_ones, corrections) in zip(made, counts, strict=True):
        done.append(replace(of, entry_ids=tuple(islice(entries, own_ones))))
        deque(islice(entries, corrections), maxlen=0)
    return done
