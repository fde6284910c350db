"""Loads what is unpaid: open invoices with their attempts, interest checkpoints and new cards, as of a JST day.

    load_open_items   as the rows stand: caches, many accounts at once    ──┐
    open_items_on     as they stood on a day, as known at an instant        ──┴─> _assemble ──> OpenItem

The one place from which renewal, payment, delinquency, allocation, previews, histories and support read what is owed.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on

from keizoku.billing.receivables.of_account import of_contracts
from keizoku.billing.rules.delinquency import UnpaidFee
from keizoku.billing.rules.late_interest import Debt, InterestRate, own_rate, total_interest
from keizoku.billing.rules.payment_method import PastAttempt, days_not_accruing, next_attempt_wanted_on
from keizoku.db.session import Session, numbers, texts
from keizoku.db.tables.contracts import account as account_table
from keizoku.db.tables.contracts import contract_fact, term
from keizoku.db.tables.money import allocation, interest_checkpoint, invoice, payment_attempt, receipt, settlement
from keizoku.terms.calendar import day_start_at, jst_day
from keizoku.terms.rules import Rules

invoice_due_on: Final = sa.func.least(invoice.c.due_on, invoice.c.accelerated_on)
"""When an invoice is due: on its day, or the earlier one on which it became due at once."""
_Days = tuple[date, date | None, tuple[tuple[date, date], ...], Fraction | None]


class OpenItem(NamedTuple):
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
    yearly: Fraction | None = None  # its own rate of late interest a year, where it is not the contract's
    waits: bool = False  # less is left than a card can be charged

    @property
    def fee(self) -> UnpaidFee:
        """What the delinquency rules look at."""
        return UnpaidFee(self.invoice_id, self.due_on, self.open_yen, self.issued_on, self.excluded, self.waits)

    @property
    def debt(self) -> Debt:
        """What interest and allocation look at."""
        return Debt(
            self.invoice_id, self.open_yen, self.accrues_after, self.accrued_unpaid_yen, self.excluded, self.yearly
        )


@dataclass(frozen=True, slots=True)
class AsOf:
    """A day, by what was recorded at an instant; None: by all that is known now."""

    on: date
    known_at: datetime | None = None

    def has(self, day: sa.ColumnElement[Any], recorded_at: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
        """Whether something had happened by the day and was known at the instant."""
        return sa.and_(day <= self.on, self.knows(recorded_at))

    def knows(self, recorded_at: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
        """Whether something was known at the instant, whenever it happened."""
        return sa.true() if self.known_at is None else recorded_at <= self.known_at


def load_open_items(
    session: Session,
    rules: Rules,
    today: date,
    *,
    contract_ids: Collection[int] | None = None,
    account: str | None = None,
    accounts: Collection[str] | None = None,
    invoice_ids: Collection[int] | None = None,
    with_accrued: bool = False,
) -> list[OpenItem]:
    """Open invoices (of some contracts, of one account or some, or all) as they stand, in the order of their due days.

    `with_accrued` adds paid invoices on which whole yen of interest are still owed.
    """
    bill = _bills(invoice_ids)
    accounts = accounts if account is None else [account]
    latest = _latest_checkpoints(bill, accounts, contract_ids, of_each=not with_accrued)
    owing: sa.ColumnElement[bool] = bill.c.state == "open"
    if with_accrued and accounts is not None:
        # each looked up by its own index: joined, a large table may be read whole for every chunk
        of = sa.select(sa.func.unnest(texts(accounts)).label("account")).distinct().subquery()
        one = sa.select(bill).where(bill.c.account == of.c.account, owing).offset(0).lateral("one")
        paid = sa.select(bill).where(bill.c.id == latest.c.invoice_id, ~owing).offset(0).lateral("paid")
        left = sa.select(paid).select_from(latest.join(paid, sa.true())).where(latest.c.accrued_unpaid_yen > 0)
        both = sa.select(one).select_from(of.join(one, sa.true())).union_all(left).cte("owing")
        bill, owing = both.prefix_with("MATERIALIZED"), sa.true()
    elif with_accrued:
        owing = sa.or_(owing, latest.c.accrued_unpaid_yen > 0)
    query = _query(bill, latest, None).where(owing)
    if contract_ids is not None:
        query = query.where(bill.c.contract_id == sa.any_(numbers(contract_ids)))
    if accounts is not None and not with_accrued:
        query = query.where(bill.c.account.in_(_each(accounts)))
    return _assemble(session, rules, session.execute(query).all(), today, None)


def open_items_on(
    session: Session, rules: Rules, account: str, on: date, *, known_at: datetime | None = None
) -> list[OpenItem]:
    """What an account owed on a day, past or to come: open fees, and paid ones on which interest was still owed.

    Worked out from settlements, not from the invoices' caches. `known_at`: by what was recorded at that instant; None:
    by all that is known. On a day to come: what will be owed if nothing more is paid.
    """
    as_of = AsOf(on, known_at)
    issued = as_of.has(invoice.c.issued_on, invoice.c.issued_at)
    query = _query(invoice, _checkpoint_of_each(invoice, as_of), as_of).where(of_contracts(invoice, account), issued)
    rows = [row for row in session.execute(query) if row.open_yen or row.accrued_unpaid_yen]
    return _assemble(session, rules, rows, on, as_of)


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
    owed = total_interest([each.debt for each in unpaid], today, InterestRate.of(rules.terms.at(today)))
    return owed.total_yen, owed.per_debt_yen


def costs_open(session: Session, account: str) -> int:
    """Whole yen of payment costs that the account owes and has not paid."""
    return costs_open_by(session, [account]).get(account, 0)


def costs_open_by(session: Session, accounts: Collection[str]) -> dict[str, int]:
    """The same for many accounts; those that owe none are left out."""
    wanted = sa.any_(texts(accounts))
    stated = sa.select(receipt.c.account, receipt.c.costs_yen.label("yen")).where(
        receipt.c.account == wanted, receipt.c.costs_yen != 0
    )
    paid = sa.select(allocation.c.account, -allocation.c.yen).where(
        allocation.c.account == wanted, allocation.c.kind == "costs"
    )
    both = stated.union_all(paid).subquery()
    rows = session.execute(sa.select(both.c.account, sa.func.sum(both.c.yen)).group_by(both.c.account))
    return {account: int(yen) for account, yen in rows if yen}


_TOLD = ("id", "contract_id", "account", "method", "issued_on", "issued_at", "due_on", "total_yen")


def _query(bill: sa.FromClause, latest: sa.FromClause, as_of: AsOf | None) -> sa.Select[Any]:
    """The facts of each bill from which `_assemble` makes an open item: as they stand, or as they stood."""
    begun = sa.select(term.c.starts_on).where(term.c.id == bill.c.term_id).offset(0).lateral("begun")  # by its id
    open_yen: sa.ColumnElement[Any] = bill.c.open_yen
    accelerated_on: sa.ColumnElement[Any] = bill.c.accelerated_on
    if as_of is not None:
        settled = sa.select(sa.func.coalesce(sa.func.sum(settlement.c.yen), 0)).where(
            settlement.c.invoice_id == bill.c.id, as_of.has(settlement.c.settled_on, settlement.c.recorded_at)
        )
        open_yen = sa.cast(bill.c.total_yen - settled.scalar_subquery(), sa.BigInteger)
        accelerated_on = sa.case((as_of.has(bill.c.accelerated_on, bill.c.accelerated_at), bill.c.accelerated_on))
    return (
        sa.select(
            *(bill.c[name] for name in _TOLD),
            open_yen.label("open_yen"),
            accelerated_on.label("accelerated_on"),
            begun.c.starts_on,
            latest.c.accrues_after,
            latest.c.accrued_unpaid_yen,
            _lost_last(bill, settlement.c.settled_on, as_of).label("lost_on"),
            _lost_last(bill, settlement.c.recorded_at, as_of).label("lost_at"),
        )
        .select_from(bill)
        .join(begun, sa.true())
        .outerjoin(latest, latest.c.invoice_id == bill.c.id)
    )


def _assemble(
    session: Session, rules: Rules, rows: Sequence[sa.Row[Any]], on: date, as_of: AsOf | None
) -> list[OpenItem]:
    """The bills with their attempts and new cards: when each fell due, bears no interest, and is tried next."""
    if not rows:
        return []
    attempts = _attempts(session, [row.id for row in rows], as_of)
    new_cards = _new_cards(session, {row.account for row in rows}, as_of)
    unpaid: list[OpenItem] = []
    scope = rules.terms.at(on).readings["late_interest_scope"]
    alike: dict[tuple[object, ...], _Days] = {}
    for row in rows:
        tried = tuple(attempts.get(row.id, ()))
        card_at = new_cards.get(row.account)
        if card_at is not None and row.lost_at is not None and card_at <= row.lost_at:
            card_at = None  # only a card that came after the loss is asked for what another one took back
        said = row.due_on, row.accelerated_on, row.lost_on, row.method, not row.open_yen, row.issued_on, row.issued_at
        days = None if tried or card_at is not None else alike.get(said)
        if days is None:
            days = _days_of(rules, row, tried, card_at, scope, on)
            if not tried and card_at is None:  # bills of a day that nothing has happened to
                alike[said] = days
        due_on, wanted_on, excluded, yearly = days
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
                yearly=yearly,
                waits=row.method == "card" and 0 < row.open_yen < rules.discretion.minimum_card_charge_yen,
            )
        )
    return sorted(unpaid, key=lambda each: (each.due_on, each.invoice_id))


def _days_of(
    rules: Rules, row: sa.Row[Any], tried: Sequence[PastAttempt], card_at: datetime | None, scope: str, on: date
) -> _Days:
    """When a bill fell due, is tried next, bears no interest, and at which rate of its own, if any."""
    due_on = fell_due_on(row.due_on, row.accelerated_on, row.lost_on)
    wanted_on = None
    if row.method == "card" and row.open_yen:
        first_on = row.due_on if row.lost_on is None else due_on
        card_on = jst_day(card_at) if card_at is not None else None
        wanted_on = next_attempt_wanted_on(first_on, tried, rules.discretion.retry_after_days, card_at, card_on)
    made_on = jst_day(row.issued_at)
    late_until = due_on + (made_on - row.issued_on) if row.method != "card" and made_on > row.issued_on else None
    excluded = days_not_accruing(due_on, late_until, tried, wanted_on, on)
    return due_on, wanted_on, excluded, own_rate(scope, row.method, due_on)


def _each(accounts: Collection[str]) -> sa.Select[Any]:
    """Accounts as rows: an array that is a parameter is searched from its beginning for each row that is looked at."""
    return sa.select(sa.func.unnest(texts(accounts)))


def _bills(invoice_ids: Collection[int] | None) -> sa.FromClause:
    """The invoices to look at. Named ones are fetched first, by their ids.

    Left to itself the database may go through all open invoices to find them, once for every chunk of a night.
    """
    if invoice_ids is None:
        return invoice
    named = sa.select(invoice).where(invoice.c.id == sa.any_(numbers(invoice_ids)))
    return named.cte("bill").prefix_with("MATERIALIZED")


def _latest_checkpoints(
    bill: sa.FromClause, accounts: Collection[str] | None, contract_ids: Collection[int] | None, *, of_each: bool
) -> sa.FromClause:
    """The newest interest checkpoint by invoice: looked up for each bill, or read for all at once."""
    if of_each:
        return _checkpoint_of_each(bill, None)
    marks = sa.select(*_CHECKPOINT).ext(distinct_on(interest_checkpoint.c.invoice_id))
    marks = marks.order_by(interest_checkpoint.c.invoice_id, interest_checkpoint.c.id.desc())
    if accounts is not None:
        marks = marks.where(interest_checkpoint.c.account.in_(_each(accounts)))
    if contract_ids is not None:
        among = sa.select(invoice.c.id).where(invoice.c.contract_id == sa.any_(numbers(contract_ids)))
        marks = marks.where(interest_checkpoint.c.invoice_id.in_(among))
    return marks.cte("latest_mark")


_CHECKPOINT = (
    interest_checkpoint.c.invoice_id, interest_checkpoint.c.accrues_after, interest_checkpoint.c.accrued_unpaid_yen,
)  # fmt: skip


def _checkpoint_of_each(bill: sa.FromClause, as_of: AsOf | None) -> sa.FromClause:
    own = sa.select(*_CHECKPOINT).where(interest_checkpoint.c.invoice_id == bill.c.id)
    if as_of is not None:
        made_on = sa.func.coalesce(interest_checkpoint.c.checkpoint_on, interest_checkpoint.c.accrues_after)
        own = own.where(made_on <= as_of.on, as_of.knows(interest_checkpoint.c.recorded_at))
    return own.order_by(interest_checkpoint.c.id.desc()).limit(1).lateral("latest_mark")


def _lost_last(bill: sa.FromClause, column: sa.Column[Any], as_of: AsOf | None) -> sa.ScalarSelect[Any]:
    """The last day, or instant, of a dispute that took an invoice's payment back."""
    of = settlement.c
    query = sa.select(sa.func.max(column)).where(of.invoice_id == bill.c.id, of.kind == "dispute", of.yen < 0)
    if as_of is not None:
        query = query.where(as_of.has(settlement.c.settled_on, settlement.c.recorded_at))
    return query.scalar_subquery()


def _attempts(session: Session, invoice_ids: Sequence[int], as_of: AsOf | None) -> dict[int, list[PastAttempt]]:
    """Each invoice's attempts; as of a day, an answer that came or was recorded later is not known yet."""
    of = payment_attempt.c
    outcome: sa.ColumnElement[Any] = of.outcome
    settled_on: sa.ColumnElement[Any] = of.settled_on
    query = sa.select(of.invoice_id, of.wanted_on, of.started_at, of.started_on)
    query = query.where(of.invoice_id == sa.any_(numbers(invoice_ids))).order_by(of.id)
    if as_of is not None:
        query = query.where(as_of.has(of.started_on, of.started_at))
        answered = as_of.has(of.settled_on, of.answer_recorded_at)
        outcome, settled_on = sa.case((answered, of.outcome)), sa.case((answered, of.settled_on))
    grouped: dict[int, list[PastAttempt]] = defaultdict(list)
    for row in session.execute(query.add_columns(outcome.label("outcome"), settled_on.label("settled_on"))):
        grouped[row.invoice_id].append(
            PastAttempt(row.wanted_on, row.started_at, row.started_on, row.outcome, row.settled_on)
        )
    return grouped


def _new_cards(session: Session, accounts: Collection[str], as_of: AsOf | None) -> dict[str, datetime]:
    query = sa.select(contract_fact.c.account, sa.func.max(contract_fact.c.occurred_at).label("at")).where(
        contract_fact.c.account == sa.any_(texts(accounts)), contract_fact.c.kind == "new_card"
    )
    if as_of is not None:
        by_then = contract_fact.c.occurred_at < day_start_at(as_of.on + timedelta(days=1))
        query = query.where(by_then, as_of.knows(contract_fact.c.recorded_at))
    return {row.account: row.at for row in session.execute(query.group_by(contract_fact.c.account))}
