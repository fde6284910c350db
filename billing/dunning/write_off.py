"""Acts of people on what is owed: a fee written off, credits set off against debts, each with author and ground.

Decides nothing of the contract: the journal's rules and the order of allocation (Civil Code 488-490, 505, 512) say
what follows. Each act is one transaction; its record is a contract_fact.
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from keizoku.billing.contracts.contract_events import record_fact
from keizoku.billing.documents.notices import save_notice
from keizoku.billing.ledger.posting import Posting, post
from keizoku.billing.receivables.cash_application import apply_money
from keizoku.billing.receivables.interest_bookings import book_interest, interest_booked
from keizoku.billing.receivables.open_items import interest_owed, load_open_items, lock_accounts
from keizoku.billing.receivables.rework.set_offs import OpenCredits, first_contract
from keizoku.billing.receivables.settlement import Settled, settle
from keizoku.billing.rules.books.revenue_recognition import divide_claim, remaining
from keizoku.billing.rules.documents import notice_text
from keizoku.db.session import Session
from keizoku.db.tables.books import term_closure
from keizoku.db.tables.contracts import term
from keizoku.db.tables.money import interest_checkpoint, invoice
from keizoku.terms.calendar import jst_day
from keizoku.terms.money import tax_included_yen
from keizoku.terms.refusal import Refused, want_signed
from keizoku.terms.rules import Rules


@dataclass(frozen=True, slots=True)
class Act:
    """Who did it, on what ground."""

    by: str
    ground: str

    def __post_init__(self) -> None:
        want_signed(self.by, self.ground)


def write_off(session: Session, rules: Rules, account: str, term_on: date, act: Act, now: datetime) -> None:
    """Write off what is open of a past term's fee, and the interest on it; the user is notified; commits.

    Where the fee was paid late, what is given up is the interest that it left.
    """
    give_up(session, rules, account, term_on, act, now)
    session.commit()


def give_up(session: Session, rules: Rules, account: str, term_on: date, act: Act, now: datetime) -> None:
    """The same without the commit."""
    today = jst_day(now)
    lock_accounts(session, [account])
    row = session.execute(
        sa.select(
            term,
            invoice.c.id.label("invoice_id"),
            invoice.c.open_yen,
            invoice.c.state,
            term_closure.c.closed_on.label("earned_on"),
        )
        .join(invoice, invoice.c.term_id == term.c.id)
        .outerjoin(term_closure, term_closure.c.term_id == term.c.id)
        .where(term.c.account == account, term.c.starts_on == term_on)
        .order_by(term.c.id.desc())
    ).first()
    every = load_open_items(session, rules, today, account=account, with_accrued=True)
    given_up = [each for each in every if row is not None and each.invoice_id == row.invoice_id]
    interest_yen, _ = interest_owed(given_up, rules, today)
    if row is None or not (row.open_yen or interest_yen):
        raise Refused(
            "write_off.nothing_open",
            f"account {account}: the term of {term_on} has neither an open fee nor interest to write off",
        )
    if row.open_yen and row.closed_on is None and row.ends_on > today:
        raise Refused(
            "write_off.term_running",
            f"account {account}: the term of {term_on} runs until {row.ends_on}",
            "write its fee off when it is over, or end the contract first",
        )
    detail = {"invoice": row.invoice_id, "interest_yen": interest_yen}
    fact_id = record_act(session, row.contract_id, account, "write_off", act, now, detail)
    postings = [_give_up_fee(session, rules, row, fact_id, now)] if row.open_yen else []
    session.execute(
        sa.insert(interest_checkpoint).values(
            invoice_id=row.invoice_id,
            account=account,
            accrues_after=today,
            accrued_unpaid_yen=0,
            checkpoint_on=today,
            recorded_at=now,
        )
    )
    left_yen, _ = interest_owed([each for each in every if each not in given_up], rules, today)
    booked_yen = max(0, interest_booked(session, account) - left_yen)
    if booked_yen:
        book_interest(session, account, "write_off", -booked_yen, f"act:{fact_id}", now)
        postings.append(Posting("interest_written_off", f"act:{fact_id}:interest", today, {"yen": booked_yen}, account))
    post(session, postings, now)
    notice = notice_text.write_off(today, row.starts_on, row.open_yen, interest_yen)
    save_notice(session, account, row.contract_id, notice, f"act:{fact_id}", now)


def _give_up_fee(session: Session, rules: Rules, row: sa.Row[Any], fact_id: int, now: datetime) -> Posting:
    """Settle the open fee of a term: what was not earned is taken back, the rest is bad debt; its posting."""
    today = jst_day(now)
    tax_rate = rules.terms.at(row.starts_on).tax.rate
    unearned = remaining(row.price_yen, row.starts_on, row.ends_on, row.closed_on or row.ends_on, tax_rate)
    # once paid, a term that ended early is earned whole, and stays so when its payment turns out to be another's
    parts = divide_claim(row.open_yen, unearned.yen if row.earned_on is None else 0)
    settled = [
        Settled(row.invoice_id, row.account, kind, yen, today, fact_id)
        for kind, yen in (("reduction", parts.unrecognised_yen), ("write_off", parts.recognised_yen))
        if yen
    ]
    settle(session, settled, now)
    session.execute(sa.update(invoice).where(invoice.c.id == row.invoice_id).values(state="void", paid_on=None))
    amounts = {
        "unrecognised_yen": parts.unrecognised_yen,
        "recognised_yen": parts.recognised_yen,
        "tax_yen": tax_included_yen(parts.recognised_yen, tax_rate),
    }
    return Posting("write_off", f"act:{fact_id}", today, amounts, row.account)


def set_off(session: Session, rules: Rules, account: str, act: Act, now: datetime) -> None:
    """Set open credits off against interest, then fees, the debt due first; the user gets a notice; commits.

    By the reading `set_off_effect` it works back to the day on which both could first be set off (Civil Code 506 II).
    """
    today = jst_day(now)
    source = OpenCredits(
        lambda session, made: record_act(session, first_contract(made), made.account, "set_off", act, made.now)
    )
    applied = apply_money(session, rules, account, source, on=today, now=now)
    if applied is None:
        raise AssertionError("credits meet debts, or are refused")
    notice = notice_text.set_off(today, applied.used_yen)
    save_notice(session, account, first_contract(applied.application), notice, applied.occasion, now)
    session.commit()


def record_act(
    session: Session,
    contract_id: int,
    account: str,
    kind: str,
    act: Act,
    now: datetime,
    detail: dict[str, int] | None = None,
) -> int:
    """Record an act of people on a contract; its id. Does not commit."""
    return record_fact(session, contract_id, account, kind, now, author=act.by, ground=act.ground, detail=detail)
