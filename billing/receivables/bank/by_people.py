"""What people say of a line that nobody knew: a fee, a transfer between our own accounts, or an account of the chart.

    fee       6111, 1180 / 2145         other CODE   2145 / CODE by an entry of theirs
    transfer  two lines of one amount, one out and one in, of two accounts of ours: their 2145 is nothing together

A line that a mapping left out, or of a list without balances, comes into the books by what is said of it.
"""

from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from keizoku.billing.ledger.bank_acts import newest_act, note_act, open_line
from keizoku.billing.ledger.manual_entries import post_by_hand
from keizoku.billing.ledger.posting import Posting, post
from keizoku.db.session import Session
from keizoku.db.tables.bank import bank_line
from keizoku.terms.money import tax_included_yen
from keizoku.terms.refusal import Refused
from keizoku.terms.rules import Rules


def into_the_books(session: Session, line_id: int, by: str, ground: str, now: datetime) -> sa.Row[Any]:
    """The line, locked, in 2145; what was in no books until now is posted on its day. Refused for what is no yen."""
    line = session.execute(sa.select(bank_line).where(bank_line.c.id == line_id).with_for_update()).one_or_none()
    if line is not None and (line.currency != "JPY" or line.state != "booked"):
        session.rollback()
        raise Refused(
            "transfer.not_received", f"payment {line_id}: it is no yen booked ({line.state}, {line.currency})"
        )
    if line is not None and not line.posts and newest_act(session, line_id) is None:
        note_act(session, line_id, "posted", now, by, ground)
        event = "unidentified_receipt" if line.direction == "in" else "unidentified_payment"
        post(session, [Posting(event, f"bank:{line_id}", line.paid_on, {"yen": line.yen})], now)
    return open_line(session, line_id)


def is_fee_line(session: Session, rules: Rules, line_id: int, by: str, ground: str, now: datetime) -> None:
    """What left the bank is its fee, with the tax in it. Commits."""
    line = into_the_books(session, line_id, by, ground, now)
    if line.direction != "out":
        session.rollback()
        raise Refused("transfer.not_paid", f"payment {line_id}: it came in, and no fee does")
    tax_yen = tax_included_yen(line.yen, rules.terms.at(line.paid_on).tax.rate)
    act_id = note_act(session, line_id, "fee", now, by, ground)
    amounts = {"yen": line.yen, "tax_yen": tax_yen}
    post(session, [Posting("bank_fee", f"bank:{line_id}:fee:{act_id}", line.paid_on, amounts)], now)
    session.commit()


def kept_on_the_way(rules: Rules, line: sa.Row[Any], kept_yen: int, act_id: int, on: date) -> Posting:
    """The bank's fee that it kept of a payout; below zero where the join is taken back."""
    sign = 1 if kept_yen > 0 else -1
    tax_yen = sign * tax_included_yen(abs(kept_yen), rules.terms.at(line.paid_on).tax.rate)
    return Posting("payout_fee", f"bank:{line.id}:kept:{act_id}", on, {"yen": kept_yen, "tax_yen": tax_yen})


def are_transfer(session: Session, line_id: int, other_id: int, by: str, ground: str, now: datetime) -> None:
    """Two lines are one transfer between two accounts of ours: nothing is owed to or by anybody. Commits."""
    one = into_the_books(session, line_id, by, ground, now)
    other = into_the_books(session, other_id, by, ground, now)
    if one.yen != other.yen or one.direction == other.direction or one.bank_account == other.bank_account:
        session.rollback()
        raise Refused(
            "transfer.no_pair",
            f"payments {line_id} and {other_id}: a transfer leaves one account of ours and comes into another",
            "name a line out and a line in, of the same amount, of two accounts",
        )
    note_act(session, line_id, "transfer", now, by, ground, about=f"line:{other_id}")
    note_act(session, other_id, "transfer", now, by, ground, about=f"line:{line_id}")
    session.commit()


def is_other(session: Session, line_id: int, code: str, by: str, ground: str, now: datetime) -> int:
    """The line belongs to an account of the chart; the entry that says so. Commits."""
    line = into_the_books(session, line_id, by, ground, now)
    sign = 1 if line.direction == "in" else -1
    act_id = note_act(session, line_id, "other", now, by, ground)
    try:
        entry_id = post_by_hand(
            session, {"2145": sign * line.yen, code: -sign * line.yen}, line.paid_on, by, ground, now,
            key=f"bank:{line_id}:other:{act_id}", commit=False,
        )  # fmt: skip
    except Refused:
        session.rollback()
        raise
    session.commit()
    return entry_id
