"""Money meets debts: the one way in which a receipt, a match, a deposit or a set-off settles what an account owes.

    lock ─> what is owed ─> divide ─> record the source ─> book interest not yet demanded
         ─> write the parts ─> settle fees, count interest anew ─> post ─> correct interest booked too much

Decides nothing: a MoneySource says what money there is and how it is divided (billing.rules.payment_allocation does),
and which rows and postings are its own. Always holds: an account's debts are settled by one at a time. Amounts are
whole yen. Nothing here commits.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Protocol

import sqlalchemy as sa

from keizoku.billing.ledger.posting import Posting, post
from keizoku.billing.receivables.interest_bookings import book_interest, interest_booked
from keizoku.billing.receivables.of_account import of_invoices
from keizoku.billing.receivables.open_items import (
    OpenItem,
    costs_open,
    load_open_items,
    lock_accounts,
    open_items_on,
)
from keizoku.billing.receivables.settlement import Settled, settle
from keizoku.billing.rules.late_interest import Debt, InterestRate, total_interest
from keizoku.billing.rules.payment_allocation import Allocation, ChargedLater, Fund
from keizoku.db.session import Session, copy_rows
from keizoku.db.tables.money import allocation, interest_checkpoint, settlement
from keizoku.terms.calendar import jst_day
from keizoku.terms.rules import Rules


@dataclass(frozen=True, slots=True)
class Owed:
    """What an account owes on a day, in the order in which it fell due, and the money that meets it."""

    account: str
    on: date
    items: tuple[OpenItem, ...]
    costs_yen: int
    funds: tuple[Fund, ...]
    charged_later: Mapping[int, ChargedLater] = field(default_factory=dict)  # by invoice: a card paid it since


@dataclass(frozen=True, slots=True)
class Application:
    """How a source's money is divided, and from which day it counts."""

    owed: Owed
    parts: Allocation
    now: datetime

    @property
    def account(self) -> str:
        """Whose debts."""
        return self.owed.account

    @property
    def on(self) -> date:
        """The day on which the money counts: interest stops on it."""
        return self.owed.on

    @property
    def used_yen(self) -> int:
        """What interest and fees took of the money."""
        return self.parts.interest_yen + self.parts.principal_yen


class MoneySource(Protocol):
    """Where money comes from: a receipt, a deposit, credits. Its methods are called in this order, under the lock."""

    @property
    def kind(self) -> str:
        """The kind of its settlements."""
        ...

    @property
    def word(self) -> str:
        """What its keys begin with: the `receipt` of "receipt:7"."""
        ...

    @property
    def works_back(self) -> bool:
        """Whether it may stop interest on days before the one on which it counts."""
        ...

    def funds(self, session: Session, account: str, on: date) -> Sequence[Fund]:
        """The money that there is."""
        ...

    def divide(self, rules: Rules, owed: Owed) -> Allocation | None:
        """Where it goes; None: nowhere, and nothing is written. May refuse. Pure."""
        ...

    def record(self, session: Session, application: Application) -> int:
        """Write that the money came or was used; the id of the row."""
        ...

    def write_parts(self, session: Session, application: Application, source_id: int) -> None:
        """Write which debts took it, and that the interest in the books is paid by as much."""
        ...

    def postings(self, application: Application, occasion: str, undemanded_yen: int) -> Sequence[Posting]:
        """What it is in the journal."""
        ...


@dataclass(frozen=True, slots=True)
class AppliedMoney:
    """What a source's money did: what it settled, what was booked, what is left over."""

    source: MoneySource
    application: Application
    source_id: int
    occasion: str  # the source in keys of entries and interest bookings: "receipt:7"
    settled: tuple[Settled, ...]  # fees, whole or in part
    undemanded_yen: int  # interest that went into the books because it was paid before it was demanded
    corrected_yen: int  # interest that left the books: demanded for days on which, as it turns out, nothing was owed
    entry_ids: tuple[int, ...]

    @property
    def used_yen(self) -> int:
        """What interest and fees took of the money."""
        return self.application.used_yen

    @property
    def left_yen(self) -> int:
        """More than was owed."""
        return self.application.parts.deposit_yen


def apply_money(
    session: Session, rules: Rules, account: str, source: MoneySource, *, on: date, now: datetime
) -> AppliedMoney | None:
    """Let the money of a source meet an account's debts as of the day `on`, today or earlier; None: there was nothing.

    Locks the account until the transaction ends. What is refused (Refused) is so before anything is written.
    """
    lock_accounts(session, [account])
    items = tuple(load_open_items(session, rules, on, account=account, with_accrued=True))
    later = _charged_later(session, rules, account, on) if source.kind == "receipt" and on < jst_day(now) else {}
    owed = Owed(account, on, items, costs_open(session, account), tuple(source.funds(session, account, on)), later)
    parts = source.divide(rules, owed)
    if parts is None:
        return None
    application = Application(owed, parts, now)
    source_id = source.record(session, application)
    occasion = f"{source.word}:{source_id}"
    undemanded_yen = _book_undemanded(session, application, occasion)
    source.write_parts(session, application, source_id)
    settled = _settle(session, application, source.kind, source_id, occasion)
    entry_ids = post(session, source.postings(application, occasion, undemanded_yen), now)
    corrected_yen = 0
    if source.works_back or on < jst_day(now):
        corrected_yen = _correct_interest(session, rules, application, occasion)
    return AppliedMoney(
        source, application, source_id, occasion, settled, undemanded_yen, corrected_yen, tuple(entry_ids)
    )


def _charged_later(session: Session, rules: Rules, account: str, on: date) -> dict[int, ChargedLater]:
    """Fees that were open on the day and that a card has paid since, as they stood; a charge that was disputed not."""
    disputed = sa.select(settlement.c.invoice_id).where(
        of_invoices(settlement, account), settlement.c.kind == "dispute"
    )
    rows = session.execute(
        sa.select(settlement.c.invoice_id, settlement.c.settled_on, settlement.c.yen).where(
            of_invoices(settlement, account),
            settlement.c.kind == "card",
            settlement.c.settled_on > on,
            settlement.c.invoice_id.not_in(disputed),
        )
    ).all()
    if not rows:
        return {}
    then = {each.invoice_id: each.debt for each in open_items_on(session, rules, account, on)}
    freed_query = (
        sa.select(allocation.c.invoice_id, sa.func.sum(allocation.c.yen).label("yen"))
        .where(allocation.c.account == account, allocation.c.kind == "deposit", allocation.c.invoice_id.is_not(None))
        .where(allocation.c.allocated_on <= on)
        .group_by(allocation.c.invoice_id)
    )
    freed = {row.invoice_id: int(row.yen) for row in session.execute(freed_query)}
    found = {}
    for row in rows:
        debt = then.get(row.invoice_id)
        if debt is not None and debt.principal_yen >= row.yen:
            met = freed.get(row.invoice_id, 0)  # what was there before it had paid of the fee
            left = replace(debt, principal_yen=debt.principal_yen - met)
            found[row.invoice_id] = ChargedLater(left, row.settled_on, int(row.yen) - met)
    return found


def amounts_of(application: Application, undemanded_yen: int) -> dict[str, int]:
    """The amounts that every posting of applied money names."""
    return {
        "undemanded_yen": undemanded_yen,
        "interest_yen": application.parts.interest_yen,
        "principal_yen": application.parts.principal_yen,
    }


def book_interest_paid(session: Session, application: Application, kind: str, occasion: str) -> None:
    """The interest in the books is paid by as much as the application says, where no allocation says so."""
    if application.parts.interest_yen:
        book_interest(
            session, application.account, kind, -application.parts.interest_yen, f"{occasion}:paid", application.now
        )


def _book_undemanded(session: Session, application: Application, occasion: str) -> int:
    """Interest that is paid before it was demanded goes into the books first; its whole yen."""
    yen = max(0, application.parts.interest_yen - interest_booked(session, application.account))
    if yen:
        book_interest(session, application.account, "allocation", yen, occasion, application.now)
    return yen


def _settle(
    session: Session, application: Application, kind: str, source_id: int, occasion: str
) -> tuple[Settled, ...]:
    """Settle the fees on the day on which the money counts, and keep from when interest counts anew."""
    settled = settled_by(application, kind, source_id)
    settle(session, settled, application.now)
    write_marks(session, marks_of(application, occasion))
    return settled


def settled_by(application: Application, kind: str, source_id: int) -> tuple[Settled, ...]:
    """The fees that the money settles on its day, whole or in part. Pure."""
    return tuple(
        Settled(share.invoice_id, application.account, kind, share.principal_yen, application.on, source_id)
        for share in application.parts.shares
        if share.principal_yen
    )


def marks_of(application: Application, occasion: str) -> list[tuple[object, ...]]:
    """From when interest counts anew, for `write_marks`. Pure."""
    account, on = application.account, application.on
    before = {each.invoice_id: each.debt for each in application.owed.items}
    charged_on = {i: later.charged_on for i, later in application.owed.charged_later.items()}
    marks = [(debt, on) for debt in application.parts.on_the_day]
    marks += [
        (debt, charged_on.get(debt.invoice_id, on))
        for debt in application.parts.debts
        if debt != before[debt.invoice_id] or debt.invoice_id in charged_on
    ]
    return [
        (debt.invoice_id, account, debt.accrues_after, debt.accrued_unpaid_yen, made_on, occasion, application.now)
        for debt, made_on in marks
    ]


def write_marks(session: Session, rows: Sequence[tuple[object, ...]]) -> None:
    """Write what `marks_of` says, of one source of money or of many; does not commit."""
    copy_rows(
        session,
        interest_checkpoint,
        ("invoice_id", "account", "accrues_after", "accrued_unpaid_yen", "checkpoint_on", "occasion", "recorded_at"),
        rows,
    )


def _correct_interest(session: Session, rules: Rules, application: Application, occasion: str) -> int:
    """What was demanded for days on which, as it turns out, nothing was owed leaves the books; its whole yen."""
    account, now = application.account, application.now
    today = jst_day(now)
    yen = interest_booked(session, account) - interest_left(rules, application, today)
    if yen <= 0:
        return 0
    book_interest(session, account, "correction", -yen, f"{occasion}:corrected", now)
    post(session, [Posting("interest_reduced", f"{occasion}:corrected", today, {"yen": yen}, account)], now)
    return yen


def interest_left(rules: Rules, application: Application, today: date) -> int:
    """Whole yen of interest that the account owes on `today` after the money. Pure."""
    return total_interest(_left(application), today, InterestRate.of(rules.terms.at(today))).total_yen


def _left(application: Application) -> list[Debt]:
    """All debts of the account after the money: those that it could meet, then the others as they were."""
    met = {debt.invoice_id for debt in application.parts.debts}
    others = [each.debt for each in application.owed.items if each.invoice_id not in met]
    return [*application.parts.debts, *others]
