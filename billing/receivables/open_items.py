"""Loads what is unpaid: open invoices with their attempts, interest marks and new cards, as of a JST day.

The one place from which renewal, payment, delinquency, allocation and support read what is owed.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on

from keizoku.billing.rules.delinquency import UnpaidFee
from keizoku.billing.rules.late_interest import Debt, InterestRate, total_interest
from keizoku.billing.rules.payment_method import PastAttempt, days_not_accruing, next_attempt_wanted_on
from keizoku.db.session import Session, numbers, texts
from keizoku.db.tables.contracts import account as account_table
from keizoku.db.tables.contracts import contract_fact, term
from keizoku.db.tables.money import interest_checkpoint, invoice, payment_attempt, settlement
from keizoku.terms.calendar import jst_day
from keizoku.terms.rules import Rules


@dataclass(frozen=True, slots=True)
class OpenItem:
    """An invoice that has something to say about what is owed: an open fee, or interest left on a paid one."""

    invoice_id: int
    contract_id: int
    account: str
    method: str
    term_starts_on: date
    issued_on: date
    due_on: date
    total_yen: int
    open_yen: int
    attempts: tuple[PastAttempt, ...]
    wanted_on: date | None
    excluded: tuple[tuple[date, date], ...]
    accrues_after: date
    accrued_unpaid_yen: int

    @property
    def fee(self) -> UnpaidFee:
        """What the delinquency rules look at."""
        return UnpaidFee(self.invoice_id, self.due_on, self.open_yen, self.issued_on, self.excluded)

    @property
    def debt(self) -> Debt:
        """What interest and allocation look at."""
        return Debt(self.invoice_id, self.open_yen, self.accrues_after, self.accrued_unpaid_yen, self.excluded)


def load_open_items(
    session: Session,
    rules: Rules,
    today: date,
    *,
    contract_ids: Collection[int] | None = None,
    account: str | None = None,
    invoice_ids: Collection[int] | None = None,
    with_accrued: bool = False,
) -> list[OpenItem]:
    """Open invoices (of some contracts, of one account, or all), in the order in which they fall due.

    `with_accrued` adds paid invoices on which whole yen of interest are still owed.
    """
    bill = _bills(invoice_ids)
    latest = _latest_checkpoints(bill, account, contract_ids, of_each=not with_accrued)
    query = (
        sa.select(
            *(bill.c[name] for name in _TOLD),
            term.c.starts_on,
            latest.c.accrues_after,
            latest.c.accrued_unpaid_yen,
            _lost_last(bill, settlement.c.settled_on).label("lost_on"),
            _lost_last(bill, settlement.c.recorded_at).label("lost_at"),
        )
        .select_from(bill)
        .join(term, term.c.id == bill.c.term_id)
        .outerjoin(latest, latest.c.invoice_id == bill.c.id)
    )
    owing: sa.ColumnElement[bool] = bill.c.state == "open"
    if with_accrued:
        owing = sa.or_(owing, latest.c.accrued_unpaid_yen > 0)
    query = query.where(owing)
    if contract_ids is not None:
        query = query.where(bill.c.contract_id == sa.any_(numbers(contract_ids)))
    if account is not None:
        query = query.where(bill.c.account == account)
    rows = session.execute(query).all()
    if not rows:
        return []
    attempts = _attempts(session, [row.id for row in rows])
    new_cards = _new_cards(session, {row.account for row in rows})
    unpaid: list[OpenItem] = []
    for row in rows:
        due_on = fell_due_on(row.due_on, row.accelerated_on, row.lost_on)
        tried = tuple(attempts.get(row.id, ()))
        card_at = new_cards.get(row.account)
        if card_at is not None and row.lost_at is not None and card_at <= row.lost_at:
            card_at = None  # only a card that came after the loss is asked for what another one took back
        wanted_on = None
        if row.method == "card" and row.state == "open":
            wanted_on = next_attempt_wanted_on(
                row.due_on if row.lost_on is None else due_on,
                tried,
                rules.discretion.retry_after_days,
                card_at,
                jst_day(card_at) if card_at is not None else None,
            )
        made_on = jst_day(row.issued_at)
        late_until = due_on + (made_on - row.issued_on) if row.method != "card" and made_on > row.issued_on else None
        excluded = days_not_accruing(due_on, late_until, tried, wanted_on, today)
        unpaid.append(
            OpenItem(
                invoice_id=row.id,
                contract_id=row.contract_id,
                account=row.account,
                method=row.method,
                term_starts_on=row.starts_on,
                issued_on=row.issued_on,
                due_on=due_on,
                total_yen=row.total_yen,
                open_yen=row.open_yen,
                attempts=tried,
                wanted_on=wanted_on,
                excluded=excluded,
                accrues_after=row.accrues_after or due_on,
                accrued_unpaid_yen=row.accrued_unpaid_yen or 0,
            )
        )
    return sorted(unpaid, key=lambda each: (each.due_on, each.invoice_id))


class PlainFee(NamedTuple):
    """An open fee that nothing has happened to: its whole story is its open yen and the day on which it is due."""

    invoice_id: int
    account: str
    open_yen: int
    due_on: date


def plain_fees(session: Session, invoice_ids: Collection[int], *, untried: bool = False) -> dict[int, PlainFee]:
    """Of these invoices, the open ones that bear no interest up to their day, by id.

    Nothing was accelerated, taken back by a dispute, or marked by an earlier payment; and, if asked for, no attempt
    was made. All others are for `load_open_items`.
    """
    bill = _bills(invoice_ids)
    query = sa.select(bill.c.id, bill.c.account, bill.c.open_yen, bill.c.due_on).where(
        bill.c.state == "open",
        bill.c.accelerated_on.is_(None),
        ~sa.exists().where(interest_checkpoint.c.invoice_id == bill.c.id),
        ~sa.exists().where(settlement.c.invoice_id == bill.c.id, settlement.c.kind == "dispute"),
    )
    if untried:
        query = query.where(~sa.exists().where(payment_attempt.c.invoice_id == bill.c.id))
    return {row[0]: PlainFee._make(row) for row in session.execute(query)}


def fell_due_on(due_on: date, accelerated_on: date | None, lost_on: date | None) -> date:
    """When a fee fell due: on its day, earlier by acceleration, or again on the day of a lost dispute.

    While a card's payment stood, nothing was overdue; from the loss on the fee is treated as one that is due that day.
    """
    first = min(due_on, accelerated_on or due_on)
    return first if lost_on is None else max(first, lost_on)


def lock_accounts(session: Session, accounts: Collection[str]) -> None:
    """Keep others from settling debts of these accounts until the transaction ends.

    A statement of its own: what is read after it sees all that the others did before. In order, so that two who lock
    many do not wait for each other.
    """
    session.execute(
        sa.select(account_table.c.id)
        .where(account_table.c.id == sa.any_(texts(accounts)))
        .order_by(account_table.c.id)
        .with_for_update()
    )


def by_contract(unpaid: Iterable[OpenItem]) -> dict[int, list[OpenItem]]:
    """The same, grouped by contract."""
    grouped: dict[int, list[OpenItem]] = defaultdict(list)
    for each in unpaid:
        grouped[each.contract_id].append(each)
    return grouped


def by_account(unpaid: Iterable[OpenItem]) -> dict[str, list[OpenItem]]:
    """The same, grouped by account."""
    grouped: dict[str, list[OpenItem]] = defaultdict(list)
    for each in unpaid:
        grouped[each.account].append(each)
    return grouped


def interest_owed(unpaid: Sequence[OpenItem], rules: Rules, today: date) -> tuple[int, tuple[int, ...]]:
    """Whole yen of interest owed on `today`, rounded down once, and its share per invoice in order."""
    policy = rules.terms.at(today)
    owed = total_interest(
        [each.debt for each in unpaid],
        today,
        InterestRate.of(policy),
    )
    return owed.total_yen, owed.per_debt_yen


_TOLD = (
    *("id", "contract_id", "account", "method", "issued_on", "issued_at", "due_on", "accelerated_on"),
    *("state", "total_yen", "open_yen"),
)


def _bills(invoice_ids: Collection[int] | None) -> sa.FromClause:
    """The invoices to look at. Named ones are fetched first, by their ids.

    Left to itself the database may go through all open invoices to find them, once for every chunk of a night.
    """
    if invoice_ids is None:
        return invoice
    named = sa.select(invoice).where(invoice.c.id == sa.any_(numbers(invoice_ids)))
    return named.cte("bill").prefix_with("MATERIALIZED")


def _latest_checkpoints(
    bill: sa.FromClause, account: str | None, contract_ids: Collection[int] | None, *, of_each: bool
) -> sa.FromClause:
    """The newest interest mark by invoice: looked up for each bill, or read for all at once."""
    marks = sa.select(
        interest_checkpoint.c.invoice_id, interest_checkpoint.c.accrues_after, interest_checkpoint.c.accrued_unpaid_yen
    )
    if of_each:
        own = marks.where(interest_checkpoint.c.invoice_id == bill.c.id)
        return own.order_by(interest_checkpoint.c.id.desc()).limit(1).lateral("latest_mark")
    marks = marks.ext(distinct_on(interest_checkpoint.c.invoice_id)).order_by(
        interest_checkpoint.c.invoice_id, interest_checkpoint.c.id.desc()
    )
    if account is not None:
        marks = marks.where(interest_checkpoint.c.account == account)
    if contract_ids is not None:
        among = sa.select(invoice.c.id).where(invoice.c.contract_id == sa.any_(numbers(contract_ids)))
        marks = marks.where(interest_checkpoint.c.invoice_id.in_(among))
    return marks.subquery("latest_mark")


def _lost_last(bill: sa.FromClause, column: sa.Column[Any]) -> sa.ScalarSelect[Any]:
    """The last day, or instant, of a dispute that took an invoice's payment back."""
    return (
        sa.select(sa.func.max(column))
        .where(settlement.c.invoice_id == bill.c.id, settlement.c.kind == "dispute")
        .scalar_subquery()
    )


def _attempts(session: Session, invoice_ids: Sequence[int]) -> dict[int, list[PastAttempt]]:
    grouped: dict[int, list[PastAttempt]] = defaultdict(list)
    rows = session.execute(
        sa.select(
            payment_attempt.c.invoice_id,
            payment_attempt.c.wanted_on,
            payment_attempt.c.started_at,
            payment_attempt.c.started_on,
            payment_attempt.c.outcome,
            payment_attempt.c.settled_on,
        )
        .where(payment_attempt.c.invoice_id == sa.any_(numbers(invoice_ids)))
        .order_by(payment_attempt.c.id)
    )
    for row in rows:
        grouped[row.invoice_id].append(
            PastAttempt(row.wanted_on, row.started_at, row.started_on, row.outcome, row.settled_on)
        )
    return grouped


def _new_cards(session: Session, accounts: Collection[str]) -> dict[str, datetime]:
    rows = session.execute(
        sa.select(contract_fact.c.account, sa.func.max(contract_fact.c.occurred_at).label("at"))
        .where(
            contract_fact.c.account == sa.any_(texts(accounts)),
            contract_fact.c.kind == "new_card",
        )
        .group_by(contract_fact.c.account)
    )
    return {row.account: row.at for row in rows}
