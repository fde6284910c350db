"""Accounts by state and arrears, for people at a desk. Read only; decides nothing.

The state is that of the account's newest contract; what is unpaid is the whole account's, of earlier contracts too.
"""

from collections import defaultdict
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on

from keizoku.billing.accounts.contract_lists import state_of_contract
from keizoku.billing.receivables.open_items import OpenItem, load_open_items
from keizoku.billing.rules.delinquency import default_state, outlook
from keizoku.db.session import Session, texts
from keizoku.db.tables.contracts import contract
from keizoku.db.tables.money import invoice
from keizoku.terms.calendar import jst_day
from keizoku.terms.rules import Rules

STATES = ("applied", "rejected", "active", "suspended", "ended")

Row = dict[str, object]


def account_list(
    session: Session,
    rules: Rules,
    at: datetime,
    *,
    state: str | None = None,
    overdue: bool = False,
    limit: int,
    after: str = "",
) -> list[Row]:
    """At most `limit` accounts in the order of their names: state, days overdue, unpaid fees, what comes next.

    `after`: only accounts whose names come after this one.
    """
    today = jst_day(at)
    query = _accounts(at, state, overdue=overdue)
    name = query.selected_columns.account
    rows = session.execute(query.where(name > after).order_by(name).limit(limit)).all()
    unpaid = _unpaid(session, rules, [row.account for row in rows], at)
    settings = rules.discretion
    found = []
    for row in rows:
        fees = [each.fee for each in unpaid[row.account]]
        _, days = default_state(fees, today, settings.suspend_after_days, settings.terminate_after_days)
        ahead = outlook(fees, settings.suspend_after_days, settings.terminate_after_days)
        runs = row.state in ("active", "suspended") and ahead is not None
        found.append(
            {
                "account": row.account,
                "state": row.state,
                "plan": row.plan,
                "method": row.method,
                "ended_on": row.ended_on,
                "unpaid_yen": sum(fee.open_yen for fee in fees),
                "days_overdue": days,
                "suspends_on": ahead.suspends_on if runs and ahead is not None else None,
                "terminates_on": ahead.terminates_on if runs and ahead is not None else None,
            }
        )
    return found


def account_count(session: Session, at: datetime, *, state: str | None = None, overdue: bool = False) -> int:
    """How many accounts `account_list` has in all."""
    query = _accounts(at, state, overdue=overdue)
    return session.scalar(sa.select(sa.func.count()).select_from(query.subquery())) or 0


def _accounts(at: datetime, state: str | None, *, overdue: bool) -> sa.Select[Any]:
    """Each account with its newest contract."""
    newest = (
        sa.select(contract.c.account, contract.c.plan, contract.c.method, contract.c.ended_on, state_of_contract())
        .ext(distinct_on(contract.c.account))
        .order_by(contract.c.account, contract.c.id.desc())
        .subquery("newest")
    )
    query = sa.select(newest)
    if state is not None:
        query = query.where(newest.c.state == state)
    if overdue:
        query = query.where(
            sa.select(invoice.c.id)
            .where(
                invoice.c.account == newest.c.account,
                invoice.c.state == "open",
                sa.func.least(invoice.c.due_on, invoice.c.accelerated_on) < jst_day(at),
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
