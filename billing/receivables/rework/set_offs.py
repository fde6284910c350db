"""Open credits, set off by people, as a source of money; and a set-off that is taken back and declared anew.

A set-off is an act of people on its day; what it met follows from what was owed then. Where an older receipt shows that
something else was owed, its effect is taken back by rows that mirror it, and worked out again on its own day, under the
same act. Where nothing was due, the set-off had nothing to meet (Civil Code 505): the credits are open again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, ClassVar, Final

import sqlalchemy as sa

from keizoku.billing.ledger.posting import Posting, post
from keizoku.billing.receivables.cash_application import (
    Application,
    Owed,
    amounts_of,
    apply_money,
    book_interest_paid,
)
from keizoku.billing.receivables.of_account import of_contracts, of_invoices
from keizoku.billing.receivables.remedies import IS_FREE
from keizoku.billing.receivables.rework.reversal import reopen_fees, unbook, uncorrect
from keizoku.billing.rules.late_interest import InterestRate
from keizoku.billing.rules.payment_allocation import Allocation, Fund, allocate, allocate_back
from keizoku.db.session import Session, copy_rows
from keizoku.db.tables.books import entry
from keizoku.db.tables.contracts import contract_fact
from keizoku.db.tables.money import credit, credit_application, settlement
from keizoku.terms.refusal import Refused
from keizoku.terms.rules import Rules

__all__ = ["OpenCredits", "first_contract", "set_off_again", "set_offs_after", "take_back_set_off"]

_APPLICATION: Final = ("credit_id", "invoice_id", "yen", "applied_on", "recorded_at", "act_id")
_NOTHING: Final = ("set_off.nothing_due", "set_off.no_credit")


@dataclass(frozen=True, slots=True)
class OpenCredits:
    """An account's open credits, set off by people, as a source of money for what is due.

    `record_as` writes the act, or tells which one is worked out again; `word` begins the keys of this working-out.
    """

    record_as: Callable[[Session, Application], int]
    word: str = "act"
    kind: ClassVar[str] = "set_off"
    works_back: ClassVar[bool] = True

    def funds(self, session: Session, account: str, on: date) -> Sequence[Fund]:
        """Each with something left, by the day on which it was granted; locked."""
        query = sa.select(credit.c.id, credit.c.available_yen, credit.c.granted_on).where(
            credit.c.account == account, credit.c.available_yen > 0, credit.c.granted_on <= on, IS_FREE
        )
        rows = session.execute(query.order_by(credit.c.usable_from, credit.c.id).with_for_update())
        return [Fund(row.granted_on, row.available_yen, row.id) for row in rows]

    def divide(self, rules: Rules, owed: Owed) -> Allocation:
        """Over what is due: both debts have to be (Civil Code 505). Refuses where there is nothing on either side."""
        debts = [each.debt for each in owed.items if each.due_on <= owed.on]
        who = f"account {owed.account}"
        if not debts:
            raise Refused("set_off.nothing_due", f"{who}: nothing is due, so nothing can be set off")
        if not owed.funds:
            raise Refused("set_off.no_credit", f"{who}: there is no open credit, so nothing can be set off")
        policy = rules.terms.at(owed.on)
        rate = InterestRate.of(policy)
        if policy.readings["set_off_effect"] == "works_back":
            return allocate_back(owed.funds, debts, owed.on, rate)
        return allocate(sum(fund.yen for fund in owed.funds), 0, debts, owed.on, rate)

    def record(self, session: Session, application: Application) -> int:
        """The act of people."""
        return self.record_as(session, application)

    def write_parts(self, session: Session, application: Application, source_id: int) -> None:
        """The credits that were used, and the interest that they paid."""
        _use_credits(session, application, source_id)
        book_interest_paid(session, application, self.kind, f"{self.word}:{source_id}")

    def postings(self, application: Application, occasion: str, undemanded_yen: int) -> Sequence[Posting]:
        """2130 becomes what it paid."""
        amounts = amounts_of(application, undemanded_yen)
        return [Posting("set_off", occasion, application.on, amounts, application.account)]


def first_contract(application: Application) -> int:
    """The contract of the debt that fell due first."""
    return application.owed.items[0].contract_id


def _use_credits(session: Session, application: Application, act_id: int) -> None:
    """Draw the credits down in order, invoice by invoice."""
    wanted = [(share.invoice_id, share.interest_yen + share.principal_yen) for share in application.parts.shares]
    left = {fund.credit_id: fund.yen for fund in application.owed.funds if fund.credit_id is not None}
    rows = []
    for invoice_id, yen in wanted:
        for credit_id in left:
            part = min(yen, left[credit_id])
            if part:
                rows.append((credit_id, invoice_id, part, application.on, application.now, act_id))
                left[credit_id] -= part
                yen -= part
    copy_rows(session, credit_application, _APPLICATION, rows)
    for credit_id, available in left.items():
        session.execute(sa.update(credit).where(credit.c.id == credit_id).values(available_yen=available))


def set_offs_after(session: Session, account: str, on: date) -> Sequence[sa.Row[Any]]:
    """Acts of set-off of later days: their id, and the JST day `set_off_on`."""
    day = sa.cast(sa.func.timezone("Asia/Tokyo", contract_fact.c.occurred_at), sa.Date)
    query = sa.select(contract_fact.c.id, contract_fact.c.account, day.label("set_off_on")).where(
        of_contracts(contract_fact, account), contract_fact.c.kind == "set_off", day > on
    )
    return session.execute(query.order_by(contract_fact.c.id)).all()


def take_back_set_off(session: Session, row: sa.Row[Any], now: datetime) -> None:
    """Mirror what an act of set-off settled, where it still stands: its credits are open again. Does not commit."""
    occasion = f"{_word(_undone(session, row))}:{row.id}"
    settled = session.execute(
        sa.select(settlement.c.invoice_id, sa.func.sum(settlement.c.yen).label("yen"))
        .where(of_invoices(settlement, row.account), settlement.c.kind == "set_off", settlement.c.source_id == row.id)
        .group_by(settlement.c.invoice_id)
    ).all()
    posted = session.execute(sa.select(entry.c.id).where(entry.c.event_key == occasion)).first()
    if posted is None:
        return  # it had nothing to meet when it was last worked out
    principal = {each.invoice_id: int(each.yen) for each in settled}
    _release_credits(session, row, now)
    mirrored = (row.account, row.set_off_on, occasion, f"{occasion}:undone")
    reopen_fees(session, principal, "set_off", row.id, mirrored, now)
    undemanded_yen = unbook(session, row.account, occasion, "undone", now)
    interest_yen = unbook(session, row.account, f"{occasion}:paid", "undone", now)
    amounts = {
        "undemanded_yen": -undemanded_yen,
        "interest_yen": interest_yen,
        "principal_yen": -sum(principal.values()),
    }
    post(session, [Posting("set_off", f"{occasion}:undone", row.set_off_on, amounts, row.account)], now)
    uncorrect(session, row.account, occasion, now)


def set_off_again(session: Session, rules: Rules, row: sa.Row[Any], now: datetime) -> None:
    """Work an act of set-off out again on its own day. Does not commit."""
    number = _undone(session, row)
    source = OpenCredits(lambda *_: int(row.id), _word(number))
    try:
        apply_money(session, rules, row.account, source, on=row.set_off_on, now=now)
    except Refused as refused:
        if refused.code not in _NOTHING:
            raise


def _undone(session: Session, row: sa.Row[Any]) -> int:
    """How often the effect of an act was taken back."""
    undone = sa.select(sa.func.count()).where(
        entry.c.account == row.account, entry.c.event == "set_off", entry.c.event_key.like(f"act%:{row.id}:undone")
    )
    return int(session.execute(undone).scalar_one())


def _word(number: int) -> str:
    return f"act.{number}" if number else "act"


def _release_credits(session: Session, row: sa.Row[Any], now: datetime) -> None:
    """What the act took of credits is open again."""
    of = credit_application.c
    used = session.execute(
        sa.select(of.credit_id, of.invoice_id, sa.func.sum(of.yen).label("yen"), sa.func.min(of.applied_on).label("on"))
        .where(of.act_id == row.id)
        .group_by(of.credit_id, of.invoice_id)
        .having(sa.func.sum(of.yen) > 0)
    ).all()
    back = [(each.credit_id, each.invoice_id, -int(each.yen), each.on, now, row.id) for each in used]
    copy_rows(session, credit_application, _APPLICATION, back)
    for each in used:
        available = credit.c.available_yen + int(each.yen)
        session.execute(sa.update(credit).where(credit.c.id == each.credit_id).values(available_yen=available))
