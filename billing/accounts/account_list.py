"""Accounts by state and arrears, for operators. Read only; decides nothing.

The state is that of the account's newest contract; what is unpaid is the whole account's, of earlier contracts too.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from keizoku.billing.accounts.contract_lists import count_in_state, may_be
from keizoku.billing.contracts.contract_facts import states_of
from keizoku.billing.receivables.open_items import OpenItem, invoice_due_on, load_open_items
from keizoku.billing.rules.contract_state import ContractState, State
from keizoku.billing.rules.delinquency import UnpaidFee, default_state, outlook, prospect
from keizoku.db.session import Session, texts
from keizoku.db.tables.contracts import contract
from keizoku.db.tables.money import invoice
from keizoku.terms.calendar import jst_day
from keizoku.terms.read_model import ReadModel
from keizoku.terms.rules import Rules


@dataclass(frozen=True, slots=True, eq=False)
class AccountRow(ReadModel):
    """An account of a list: its newest contract, what is unpaid, what comes if nothing more is paid."""

    account: str
    state: State
    plan: str
    method: str
    ended_on: date | None
    unpaid_yen: int
    days_overdue: int
    suspends_on: date | None
    terminates_on: date | None


def account_list(
    session: Session,
    rules: Rules,
    at: datetime,
    *,
    state: State | None = None,
    overdue: bool = False,
    limit: int,
    after: str = "",
) -> list[AccountRow]:
    """At most `limit` accounts in the order of their names: state, days overdue, unpaid fees, what comes next.

    `after`: only accounts whose names come after this one.
    """
    today = jst_day(at)
    query = _accounts(at, state, overdue=overdue).order_by(contract.c.account).limit(limit)
    found: list[AccountRow] = []
    rows = session.execute(query.where(contract.c.account > after)).all()
    while rows:
        states = states_of(session, rules, [row.id for row in rows], at)
        wanted = [states[row.id] for row in rows if state in (None, states[row.id].state)]
        unpaid = _unpaid(session, rules, [each.account for each in wanted], at)
        found += [_account_row(each, [item.fee for item in unpaid[each.account]], rules, today) for each in wanted]
        if len(rows) < limit or len(found) >= limit:
            break
        rows = session.execute(query.where(contract.c.account > rows[-1].account)).all()
    return found[:limit]


def _account_row(found: ContractState, fees: Sequence[UnpaidFee], rules: Rules, today: date) -> AccountRow:
    settings = rules.discretion
    _, days = default_state(fees, today, settings.suspend_after_days, settings.terminate_after_days)
    ahead = outlook(fees, settings.suspend_after_days, settings.terminate_after_days)
    comes = (
        prospect(
            ahead,
            found.term.ends_on if found.term is not None else None,
            renews=found.ends_on is None,
            suspended_term_renews=settings.suspended_term_renews,
        )
        if ahead is not None and found.state in ("active", "suspended")
        else None
    )
    return AccountRow(
        account=found.account,
        state=found.state,
        plan=found.plan,
        method=found.method,
        ended_on=found.ended_on,
        unpaid_yen=sum(fee.open_yen for fee in fees),
        days_overdue=days,
        suspends_on=comes.suspends_on if comes is not None else None,
        terminates_on=comes.terminates_on if comes is not None else None,
    )


def account_count(
    session: Session, rules: Rules, at: datetime, *, state: State | None = None, overdue: bool = False
) -> int:
    """How many accounts `account_list` has in all."""
    return count_in_state(session, rules, _accounts(at, state, overdue=overdue), state, at)


def _accounts(at: datetime, state: State | None, *, overdue: bool) -> sa.Select[*tuple[Any, ...]]:
    """Each account with its newest contract, of those that may be in the state."""
    later = contract.alias("later")
    query = sa.select(contract.c.id, contract.c.account).where(
        may_be(state, at), ~sa.exists().where(later.c.account == contract.c.account, later.c.id > contract.c.id)
    )
    if overdue:
        query = query.where(
            sa.select(invoice.c.id)
            .where(
                invoice.c.account == contract.c.account,
                invoice.c.state == "open",
                invoice_due_on < jst_day(at),
            )
            .exists()
        )
    return query


def _unpaid(session: Session, rules: Rules, accounts: list[str], at: datetime) -> dict[str, list[OpenItem]]:
    grouped: dict[str, list[OpenItem]] = defaultdict(list)
    owing = session.scalars(
        sa.select(invoice.c.contract_id)
        .where(invoice.c.state == "open", invoice.c.account == sa.any_(texts(accounts)))
        .distinct()
    ).all()
    if owing:
        for each in load_open_items(session, rules, jst_day(at), contract_ids=owing):
            grouped[each.account].append(each)
    return grouped
