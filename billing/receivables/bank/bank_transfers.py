"""Incoming transfers (振込): imported from the bank's file, matched by our reference, else by people.

    line of a file ── our reference in it ──> a payment of its account, on the bank's day (1110 / 1140 …)
          └── none, mistyped, several ──> 2145, listed ── people match it ──> 2145 / 1140 …
                                                     └── nobody is found ──> sent back, 2145 / 1110

Always holds: the n-th equal line of a file is the n-th payment, whichever file shows it, so a line is never counted
twice and two equal payments are two. A match can be taken back with a ground, the newest of an account first; whose
fee it was stands open again as if it had not come.
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from keizoku.billing.ledger.bank_acts import note_act, open_line
from keizoku.billing.ledger.bank_joins import booked_elsewhere, join, one_free_line
from keizoku.billing.ledger.payer_rules import contradicted, keep_rule, rules_of
from keizoku.billing.ledger.posting import Posting, post
from keizoku.billing.receivables.bank.by_people import kept_on_the_way
from keizoku.billing.receivables.bank.csv_statement import COLUMNS
from keizoku.billing.receivables.bank.matching import MatchedLine
from keizoku.billing.receivables.bank.taking import BankImport, import_bank
from keizoku.billing.receivables.of_account import want_account
from keizoku.billing.receivables.read_models import PayerReference
from keizoku.billing.receivables.receipts import Payment, receive
from keizoku.billing.rules.bank.names import without_numbers
from keizoku.billing.rules.payment_reference import ACCOUNT, Reference
from keizoku.db.session import Session
from keizoku.db.tables.bank import bank_act, bank_line
from keizoku.db.tables.contracts import account as account_table
from keizoku.db.tables.contracts import term
from keizoku.db.tables.money import invoice
from keizoku.terms.calendar import jst_day
from keizoku.terms.refusal import Refused
from keizoku.terms.rules import Rules

__all__ = [
    "COLUMNS",
    "BankImport",
    "MatchedLine",
    "PayerFound",
    "import_bank",
    "is_payout",
    "match",
    "match_and_remember",
    "references_of",
    "send_back",
]


@dataclass(frozen=True, slots=True)
class PayerFound:
    """Whose an incoming payment is, who found it out and how; `costs_yen` and the term are as for any payment."""

    line_id: int
    account: str
    by: str
    ground: str
    costs_yen: int = 0
    for_term_on: date | None = None
    costs_proof: str | None = None


def match(session: Session, rules: Rules, found: PayerFound, now: datetime) -> MatchedLine:
    """People found whose a payment is: it is the account's, on the bank's day. Commits; what was written for it."""
    return match_and_remember(session, rules, found, False, now)[0]


def match_and_remember(
    session: Session, rules: Rules, found: PayerFound, remember: bool, now: datetime
) -> tuple[MatchedLine, int | None]:
    """The same; with `remember` people confirm that this payer's payments are the account's: the rule's id. Commits."""
    line_id, account = found.line_id, found.account
    line = _received(session, line_id, now)
    payment = Payment(
        account,
        line.yen,
        costs_yen=found.costs_yen,
        costs_proof=found.costs_proof,
        for_term_on=found.for_term_on,
        received_on=line.paid_on,
        was_unidentified=True,
    )
    rule = None
    try:
        want_account(session, account)
        applied = receive(session, rules, payment, now, commit=False)
        name = without_numbers(line.payer)
        before = rules_of(session, {name}).get(name)
        if before is not None and before.says == "member" and before.account != account:
            contradicted(session, before, account, now)
        act_id = note_act(session, line_id, "matched", now, found.by, found.ground, account, applied.source_id)
        if remember:
            _refuse_a_name_of_several(session, line.payer, account)
            rule = keep_rule(session, line.payer, "member", account, found.by, found.ground, now)
    except Refused:
        session.rollback()
        raise
    session.commit()
    return MatchedLine(line_id, act_id, applied), rule


def _refuse_a_name_of_several(session: Session, payer: str, account: str) -> None:
    """Refused where a payment under the name is another account's: no rule can know which of them paid."""
    later = bank_act.alias("later")
    changed = sa.exists().where(later.c.line_id == bank_act.c.line_id, later.c.id > bank_act.c.id)
    others = session.scalars(
        sa.select(bank_act.c.account)
        .join(bank_line, bank_line.c.id == bank_act.c.line_id)
        .where(bank_line.c.payer == payer, bank_act.c.kind == "matched", bank_act.c.account != account)
        .where(~changed)
        .order_by(bank_act.c.account)
        .distinct()
    ).all()
    if others:
        raise Refused(
            "transfer.name_of_several",
            f"payments of {payer} are {', '.join(str(each) for each in others[:3])}'s too: a rule cannot know which",
            "match it without a rule (leave out --remember), and ask both for their references",
        )


def _received(session: Session, line_id: int, now: datetime) -> sa.Row[Any]:
    """A line of yen received, locked, in 2145; one that its mapping had left out comes into the books now."""
    line = session.execute(sa.select(bank_line).where(bank_line.c.id == line_id).with_for_update()).one_or_none()
    if line is not None and (line.direction != "in" or line.currency != "JPY" or line.state != "booked"):
        session.rollback()
        what = f"{line.state}, {line.currency}, {line.direction}"
        raise Refused("transfer.not_received", f"payment {line_id}: it is no yen received ({what})")
    said = sa.select(sa.func.count()).select_from(bank_act).where(bank_act.c.line_id == line_id)
    if line is not None and not line.posts and not session.execute(said).scalar_one():
        note_act(session, line_id, "posted", now, "keizoku", "it is a member's after all")
        postings = [Posting("unidentified_receipt", f"bank:{line_id}", line.paid_on, {"yen": line.yen})]
        post(session, postings, now)
    return open_line(session, line_id)


def send_back(session: Session, line_id: int, by: str, ground: str, now: datetime) -> None:
    """Nobody can be found: the payment went back to where it came from. Commits."""
    line = _received(session, line_id, now)
    note_act(session, line_id, "returned", now, by, ground)
    post(session, [Posting("unidentified_returned", f"bank:{line_id}:returned", jst_day(now), {"yen": line.yen})], now)
    session.commit()


def is_payout(
    session: Session, rules: Rules, line_id: int, by: str, ground: str, now: datetime, kept_yen: int = 0
) -> str:
    """A line is a payout of the processor or a store, or money that we sent back, booked already from that side.

    2145 is cleared; commits; what it is. `kept_yen`: what the bank kept of a payout on its way, by which the line is
    less; its fee, with the tax in it.
    """
    line = open_line(session, line_id)
    booked = [
        each
        for each in booked_elsewhere(session)
        if each.direction == line.direction and each.yen == line.yen + kept_yen
        if each.kind in ("payout", "store_payout") or not kept_yen
    ]
    free = one_free_line(session, line_id)
    if not booked or free is None:
        session.rollback()
        raise Refused(
            "transfer.no_payout",
            f"payment {line_id}: no payout of the processor of {line.yen + kept_yen} yen is left that it could be",
        )
    found = min(booked, key=lambda each: (abs(each.on - line.paid_on), each.about))
    act_id = join(session, found, free, now, by, ground, kept_yen)
    if kept_yen:
        post(session, [kept_on_the_way(rules, line, kept_yen, act_id, max(line.paid_on, found.on))], now)
    session.commit()
    return found.kind


def references_of(session: Session, account: str) -> list[PayerReference]:
    """The references that a payer of this account can state: the account's own, and one of each open invoice."""
    number = session.execute(
        sa.select(account_table.c.number).where(account_table.c.id == account)
    ).scalar_one_or_none()
    if number is None:
        raise Refused("account.unknown", f"account {account!r} is not known")
    rows = session.execute(
        sa.select(invoice.c.id, invoice.c.open_yen, term.c.starts_on)
        .join(term, term.c.id == invoice.c.term_id)
        .where(invoice.c.account == account, invoice.c.state == "open")
        .order_by(invoice.c.due_on, invoice.c.id)
    )
    return [
        PayerReference(str(Reference(ACCOUNT, number)), "account", None, None),
        *(PayerReference(str(Reference("2", row.id)), "invoice", row.starts_on, row.open_yen) for row in rows),
    ]
