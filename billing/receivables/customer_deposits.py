"""Deposits (預り金): what payers sent beyond what they owed. Kept for them, applied, or sent back.

By the reading `deposit_use` a deposit is kept, refundable in full, until its payer asks for it: back, or applied to
what is due, on that day. By its alternative it pays a fee on the day on which that falls due, before a card is asked:
nobody owes late interest while we hold their money. What a card paid too much is kept apart: it goes back to the card,
or by bank where an operator decides so.

Always holds: a deposit is never used beyond what it holds (accounts are locked first). Amounts are whole yen.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import ClassVar

import sqlalchemy as sa

from keizoku.billing.gateway.refunds import SUBJECTS
from keizoku.billing.ledger.posting import Posting, post
from keizoku.billing.receivables.cash_application import (
    Application,
    AppliedMoney,
    Owed,
    amounts_of,
    apply_money,
    book_interest_paid,
)  # fmt: skip
from keizoku.billing.receivables.of_account import want_account
from keizoku.billing.receivables.open_items import OpenItem, invoice_due_on, lock_accounts
from keizoku.billing.rules.late_interest import InterestRate
from keizoku.billing.rules.payment_allocation import Allocation, Fund, allocate_back
from keizoku.db.probes import TODAY
from keizoku.db.review_tasks import close_tasks
from keizoku.db.session import Session, numbers
from keizoku.db.tables.bank import transfer_act, transfer_order
from keizoku.db.tables.gateway import overpayment_refund
from keizoku.db.tables.money import allocation, deposit_use, invoice, payment_attempt, review_task, settlement
from keizoku.terms.calendar import jst_day
from keizoku.terms.refusal import Refused
from keizoku.terms.rules import Rules

SENT, CARD = "sent", "card"  # where the money of a deposit came from
BANK = "bank"  # through what it goes back; or CARD


@dataclass(frozen=True, slots=True)
class Deposit:
    """What we hold for an account, in whole yen: sent by the payer, or charged to a card too much."""

    account: str
    sent_yen: int
    card_yen: int
    going_back_yen: int = 0  # of the card's part: a refund is under way

    @property
    def card_free_yen(self) -> int:
        """Of what was charged too much, what no refund is under way for."""
        return self.card_yen - self.going_back_yen

    @property
    def yen(self) -> int:
        """All of it."""
        return self.sent_yen + self.card_yen

    def listed(self) -> dict[str, object]:
        """As a row of the list of deposits."""
        return {"account": self.account, "yen": self.yen, "sent": self.sent_yen, "by_card": self.card_yen}


@dataclass(frozen=True, slots=True)
class SentBack:
    """How much of a deposit went back, in whole yen, by its channel."""

    by_bank_yen: int
    to_card_yen: int

    @property
    def yen(self) -> int:
        """All of it."""
        return self.by_bank_yen + self.to_card_yen


def deposit_of(session: Session, account: str) -> Deposit:
    """What we hold for one account."""
    sent = _sum(session, allocation.c.yen, allocation.c.account == account, allocation.c.kind == "deposit")
    charged = _sum(
        session, payment_attempt.c.yen, payment_attempt.c.account == account, payment_attempt.c.outcome == "succeeded"
    )
    settled = _sum(session, settlement.c.yen, *_card_settlements(account)) if charged else 0
    used = {
        row.origin: int(row.yen)
        for row in session.execute(
            sa.select(deposit_use.c.origin, sa.func.sum(deposit_use.c.yen).label("yen"))
            .where(deposit_use.c.account == account)
            .group_by(deposit_use.c.origin)
        )
    }
    back = overpayment_refund.c
    going = _sum(session, back.yen, back.account == account, back.outcome.is_(None)) if charged > settled else 0
    return Deposit(account, sent - used.get(SENT, 0), charged - settled - used.get(CARD, 0), going)


def deposits(session: Session) -> list[Deposit]:
    """Every account for which we hold something."""
    holders = sa.union(
        sa.select(allocation.c.account).where(allocation.c.kind == "deposit"),
        sa.select(payment_attempt.c.account)
        .outerjoin(settlement, sa.and_(settlement.c.kind == "card", settlement.c.source_id == payment_attempt.c.id))
        .where(payment_attempt.c.outcome == "succeeded", payment_attempt.c.yen > sa.func.coalesce(settlement.c.yen, 0)),
        sa.select(deposit_use.c.account).where(deposit_use.c.kind.in_(("dispute", "credit"))),
    ).subquery()
    found = [
        deposit_of(session, account) for account in session.scalars(sa.select(holders.c.account).order_by("account"))
    ]
    return [each for each in found if each.yen]


_DUE = sa.and_(invoice.c.state == "open", invoice_due_on <= TODAY)


def anything_due() -> sa.ColumnElement[bool]:
    """Whether there is a fee that `apply_due` would pay if its account had a deposit."""
    return sa.exists(sa.select(invoice.c.id).where(_DUE))


def apply_due(session: Session, rules: Rules, now: datetime, *, contract_ids: Collection[int] | None = None) -> int:
    """Pay what has fallen due from the deposits of its accounts, if the reading says so; commits; rows written."""
    today = jst_day(now)
    if not _by_itself(rules, today):
        return 0
    applied = [_apply(session, rules, account, now) for account in _waiting(session, today, contract_ids)]
    changes = sum(2 + len(each.application.parts.shares) for each in applied if each is not None)
    if changes:
        session.commit()
    return changes


def apply_by_people(session: Session, rules: Rules, account: str, by: str, ground: str, now: datetime) -> int:
    """Pay what is due from the account's deposit now; commits; the yen used."""
    before = deposit_of(session, account)
    applied = _apply(session, rules, account, now, by=by, ground=ground)
    if applied is None:
        session.rollback()
        if before.sent_yen:
            raise Refused("deposit.nothing_due", f"account {account}: nothing is due, so nothing can be applied")
        raise Refused("deposit.none", f"account {account}: no deposit is held, so nothing can be applied")
    session.commit()
    return applied.used_yen


def refund(
    session: Session, account: str, yen: int | None, by: str, ground: str, now: datetime, through: str = CARD
) -> SentBack:
    """Note that people sent a deposit back (all of it, or `yen`), what the payer sent first; commits; what went how.

    What the payer sent goes back by bank (1110). What a card paid too much goes back `through` that card (1131), as the
    gateway shows, or the bank. When nothing of that is left, the tasks about it end.
    """
    if through not in (CARD, BANK):
        raise Refused("deposit.channel", f"a deposit goes back through card or bank, not {through!r}")
    want_account(session, account)
    lock_accounts(session, [account])
    held = deposit_of(session, account)
    kept = kept_back(session, account)
    free_yen = held.sent_yen - kept[SENT] + held.card_free_yen - kept[CARD]
    wanted = free_yen if yen is None else yen
    if not 0 < wanted <= free_yen:
        session.rollback()
        under_way = f", {held.going_back_yen} of it on its way back to the card" if held.going_back_yen else ""
        under_way += f", {kept_yen} of it in transfers under way" if (kept_yen := sum(kept.values())) else ""
        raise Refused(
            "deposit.amount",
            f"account {account}: we hold {held.yen} yen{under_way}; between 1 and {free_yen} can go back, not {wanted}",
        )
    today = jst_day(now)
    sent_yen = min(wanted, held.sent_yen - kept[SENT])
    card_yen = wanted - sent_yen
    for origin, way, part in ((SENT, BANK, sent_yen), (CARD, through, card_yen)):
        if part:
            use_id = use_deposit(session, DepositUse(account, "refunded", origin, part, by, ground, way), now)
            event = "overcharge_refunded" if way == CARD else "deposit_refunded"
            post(session, [Posting(event, f"deposit:{use_id}", today, {"yen": part}, account)], now)
    if card_yen:
        end_tasks_when_all_went_back(session, account, by, ground, now)
    session.commit()
    return SentBack(wanted, 0) if through == BANK else SentBack(sent_yen, card_yen)


def kept_back(session: Session, account: str) -> dict[str, int]:
    """What transfers that are proposed or approved wait to take of a deposit, by where the money came from."""
    over = sa.select(transfer_act.c.order_id).where(transfer_act.c.kind != "approved")
    waiting = sa.select(transfer_order.c.origin, sa.func.sum(transfer_order.c.yen).label("yen")).where(
        transfer_order.c.account == account, transfer_order.c.id.not_in(over)
    )
    found = {row.origin: int(row.yen) for row in session.execute(waiting.group_by(transfer_order.c.origin))}
    return {SENT: 0, CARD: 0} | found


def end_tasks_when_all_went_back(session: Session, account: str, by: str, ground: str, now: datetime) -> int:
    """Once nothing is held of what a card paid too much, the tasks about it end; rows written. Does not commit.

    They are on charges that were too much, on refunds of these that failed, and on disputes that were won late.
    """
    if deposit_of(session, account).card_yen:
        return 0
    task = review_task.c
    failed = sa.and_(task.kind == "refund_failed", task.subject.startswith(f"{SUBJECTS['overcharge']} "))
    about_it = sa.or_(task.kind.in_(("charged_too_much", "dispute_won_late")), failed)
    return close_tasks(session, by, ground, now, task.detail["account"].astext == account, about_it)


def _waiting(session: Session, today: date, contract_ids: Collection[int] | None) -> list[str]:
    """Accounts with a deposit and a fee that is due."""
    came = sa.union_all(
        sa.select(allocation.c.account, allocation.c.yen).where(allocation.c.kind == "deposit"),
        sa.select(deposit_use.c.account, -deposit_use.c.yen).where(deposit_use.c.kind == "credit"),
    ).subquery()
    held = sa.select(came.c.account, sa.func.sum(came.c.yen).label("yen")).group_by(came.c.account).subquery()
    used = (
        sa.select(sa.func.coalesce(sa.func.sum(deposit_use.c.yen), 0))
        .where(deposit_use.c.account == held.c.account, deposit_use.c.origin == SENT, deposit_use.c.kind != "credit")
        .scalar_subquery()
    )
    due = sa.exists().where(invoice.c.account == held.c.account, _DUE)
    if contract_ids is not None:
        due = due.where(invoice.c.contract_id == sa.any_(numbers(contract_ids)))
    query = sa.select(held.c.account).where(due, held.c.yen > used).order_by(held.c.account)
    return list(session.scalars(query, {TODAY.key: today}))


def _apply(
    session: Session, rules: Rules, account: str, now: datetime, *, by: str | None = None, ground: str | None = None
) -> AppliedMoney | None:
    """Lock, look again, and pay; None: nothing was to be paid. Does not commit."""
    return apply_money(session, rules, account, SentDeposit(by, ground), on=jst_day(now), now=now)


@dataclass(frozen=True, slots=True)
class SentDeposit:
    """What a payer sent and we hold, as a source of money for what is due. Who asked for it, on what ground; or None.

    It goes as far as it reaches, but never so that a card could not be asked for the rest.
    """

    by: str | None
    ground: str | None
    kind: ClassVar[str] = "deposit"
    word: ClassVar[str] = "deposit"
    works_back: ClassVar[bool] = True

    def funds(self, session: Session, account: str, on: date) -> Sequence[Fund]:
        """What is left of it, by the day on which we had it."""
        return _funds(session, account)

    def divide(self, rules: Rules, owed: Owed) -> Allocation | None:
        """Over what is due and not being charged; nothing, if it is too small for any."""
        payable = [
            each
            for each in owed.items
            if each.due_on <= owed.on and not any(tried.outcome is None for tried in each.attempts)
        ]
        funds = owed.funds
        if not _by_itself(rules, owed.on):  # it was the payer's until today
            funds = tuple(Fund(owed.on, fund.yen) for fund in funds)
        parts = _divide(rules, funds, payable, owed.on)
        return parts if parts.interest_yen or parts.principal_yen else None

    def record(self, session: Session, application: Application) -> int:
        """The use of the deposit."""
        yen, now, on = application.used_yen, application.now, application.on
        return use_deposit(
            session, DepositUse(application.account, "applied", SENT, yen, self.by, self.ground), now, used_on=on
        )

    def write_parts(self, session: Session, application: Application, source_id: int) -> None:
        """The interest that it paid; its fees are settlements."""
        book_interest_paid(session, application, self.kind, f"{self.word}:{source_id}")

    def postings(self, application: Application, occasion: str, undemanded_yen: int) -> Sequence[Posting]:
        """2140 becomes what it paid."""
        amounts = amounts_of(application, undemanded_yen)
        return [Posting("deposit_applied", occasion, application.on, amounts, application.account)]


def _by_itself(rules: Rules, today: date) -> bool:
    """Whether a deposit pays what falls due without being asked to."""
    return rules.terms.at(today).readings["deposit_use"] == "when_due"


def _divide(rules: Rules, funds: Sequence[Fund], payable: Sequence[OpenItem], today: date) -> Allocation:
    """Where the deposit goes: as far as it reaches, but never so that a card could not be asked for the rest."""
    policy = rules.terms.at(today)
    least_yen = rules.discretion.minimum_card_charge_yen
    by_card = {each.invoice_id for each in payable if each.method == "card"}
    held_yen = sum(fund.yen for fund in funds)
    while True:
        parts = allocate_back(
            _first(funds, held_yen),
            [each.debt for each in payable],
            today,
            InterestRate.of(policy),
        )
        paid = {share.invoice_id for share in parts.shares if share.principal_yen}
        short = [
            least_yen - debt.principal_yen
            for debt in parts.debts
            if debt.invoice_id in by_card & paid and 0 < debt.principal_yen < least_yen
        ]
        if not short:
            return parts
        held_yen = max(0, parts.interest_yen + parts.principal_yen - max(short))


def _first(funds: Sequence[Fund], yen: int) -> list[Fund]:
    """The first `yen` of the funds, oldest first."""
    kept = []
    for fund in funds:
        part = min(fund.yen, yen)
        if part:
            kept.append(Fund(fund.since, part))
        yen -= part
    return kept


def _funds(session: Session, account: str) -> list[Fund]:
    """What is left of the money that the payer sent, by the day on which we had it; the oldest is used first."""
    own = deposit_use.c.account == account
    sent = sa.select(
        allocation.c.allocated_on.label("since"), allocation.c.yen.label("yen"), allocation.c.id.label("id")
    )
    sent = sent.where(allocation.c.account == account, allocation.c.kind == "deposit")
    credited = sa.select(deposit_use.c.used_on, -deposit_use.c.yen, deposit_use.c.id).where(
        own, deposit_use.c.kind == "credit"
    )
    rows = session.execute(sent.union_all(credited).order_by("since", "id")).all()
    gone_yen = _sum(session, deposit_use.c.yen, own, deposit_use.c.origin == SENT, deposit_use.c.kind != "credit")
    gone_yen -= sum(row.yen for row in rows if row.yen < 0)  # taken back with its receipt
    funds = []
    for row in rows:
        if row.yen > 0:
            part = min(row.yen, gone_yen)
            gone_yen -= part
            if row.yen > part:
                funds.append(Fund(row.since, row.yen - part))
    return funds


@dataclass(frozen=True, slots=True)
class DepositUse:
    """What becomes of a part of a deposit: applied or refunded, by whom, why; below zero, it came, or came back.

    `origin` is where the money came from, `through` how it went back, if it did: CARD or BANK.
    """

    account: str
    kind: str
    origin: str
    yen: int
    by: str | None
    ground: str | None
    through: str | None = None
    credit_id: int | None = None  # what a credit that no invoice or card takes was kept as


def use_deposit(session: Session, use: DepositUse, now: datetime, *, used_on: date | None = None) -> int:
    """Note a use of a deposit, on its day (default: today); its id. Does not commit."""
    added = sa.insert(deposit_use).values(
        account=use.account, kind=use.kind, origin=use.origin, through=use.through, yen=use.yen,
        used_on=used_on or jst_day(now), author=use.by, ground=use.ground, credit_id=use.credit_id, recorded_at=now,
    )  # fmt: skip
    return int(session.execute(added.returning(deposit_use.c.id)).scalar_one())


def _card_settlements(account: str) -> tuple[sa.ColumnElement[bool], ...]:
    charged = sa.select(payment_attempt.c.invoice_id).where(
        payment_attempt.c.account == account, payment_attempt.c.outcome == "succeeded"
    )
    return settlement.c.kind == "card", settlement.c.invoice_id.in_(charged)


def refunded_on(session: Session, on: date, *, account: str | None = None, person: str | None = None) -> int:
    """Yen of deposits that were sent back on a day of Japan: for an account, or by a person with all their keys."""
    use = deposit_use.c
    whose = [] if account is None else [use.account == account]
    if person is not None:
        whose.append(sa.or_(use.author == person, use.author.startswith(f"{person}:", autoescape=True)))
    return _sum(session, use.yen, use.kind == "refunded", use.used_on == on, *whose)


def _sum(session: Session, column: sa.ColumnElement[int], *where: sa.ColumnElement[bool]) -> int:
    return int(session.execute(sa.select(sa.func.coalesce(sa.func.sum(column), 0)).where(*where)).scalar_one())
