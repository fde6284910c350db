"""Lists for people at a desk: applications waiting, contracts by state, plans, prices. Read only."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from keizoku.billing.contracts.price_lookup import load_prices
from keizoku.billing.contracts.screening_records import applicants
from keizoku.billing.rules.price_catalog import NoPriceError, Price, price_at
from keizoku.db.session import Session, numbers
from keizoku.db.tables.contracts import contract, plan, price, suspension
from keizoku.db.tables.people import screening
from keizoku.terms.calendar import iso_jst, jst_day

Row = dict[str, object]


def application_queue(session: Session, now: datetime) -> list[Row]:
    """Applications that wait for people or a rule, oldest first, and why a rule left one to people."""
    waiting = applicants(session)
    referred = {
        row.contract_id: row.ground
        for row in session.execute(
            sa.select(screening.c.contract_id, screening.c.ground)
            .where(
                screening.c.outcome == "referred",
                screening.c.contract_id == sa.any_(numbers(waiting)),
            )
            .order_by(screening.c.id)
        )
    }
    return [
        {
            "account": each.account,
            "plan": each.plan,
            "method": each.method,
            "applied_at": iso_jst(each.applied_at),
            "waiting_days": (jst_day(now) - jst_day(each.applied_at)).days,
            "consents": list(each.consents),
            "earlier_contracts": len(each.earlier),
            "rejections": each.rejections,
            "owed_yen": each.owed_yen,
            "referred": referred.get(contract_id),
        }
        for contract_id, each in waiting.items()
    ]


def state_of_contract() -> sa.Label[str]:
    """What a contract is now, in a word, as a column beside it."""
    open_suspension = (
        sa.select(suspension.c.id)
        .where(suspension.c.contract_id == contract.c.id, suspension.c.lifted_at.is_(None))
        .exists()
    )
    return sa.case(
        (contract.c.rejected_at.is_not(None), "rejected"),
        (contract.c.approved_at.is_(None), "applied"),
        (contract.c.ended_on.is_not(None), "ended"),
        (open_suspension, "suspended"),
        else_="active",
    ).label("state")


def contract_count(
    session: Session, *, state: str | None = None, plan_code: str | None = None, account: str | None = None
) -> int:
    """How many contracts `contract_list` has in all."""
    query = _contracts(state, plan_code, account)
    return session.scalar(sa.select(sa.func.count()).select_from(query.subquery())) or 0


def _contracts(state: str | None, plan_code: str | None, account: str | None) -> sa.Select[Any]:
    told = state_of_contract()
    query = sa.select(contract, told)
    if state is not None:
        query = query.where(told == state)
    if plan_code is not None:
        query = query.where(contract.c.plan == plan_code)
    if account is not None:
        query = query.where(contract.c.account == account)
    return query


def contract_list(
    session: Session,
    *,
    state: str | None = None,
    plan_code: str | None = None,
    account: str | None = None,
    limit: int,
    after: int | None = None,
) -> list[Row]:
    """Contracts as they are now, newest first, at most `limit` of them; `after`: only those older than this one."""
    query = _contracts(state, plan_code, account).order_by(contract.c.id.desc()).limit(limit)
    if after is not None:
        query = query.where(contract.c.id < after)
    return [
        {
            "id": row.id,
            "account": row.account,
            "plan": row.plan,
            "method": row.method,
            "state": row.state,
            "applied_at": iso_jst(row.applied_at),
            "approved_at": iso_jst(row.approved_at) if row.approved_at is not None else None,
            "renews_on": row.renews_on if row.ended_on is None else None,
            "ended_on": row.ended_on,
            "reason": row.rejected_ground if row.rejected_at is not None else row.ended_reason,
        }
        for row in session.execute(query)
    ]


def plan_list(session: Session, on: date) -> list[Row]:
    """Every plan, its general prices on a day, and how many contracts of it run."""
    prices = load_prices(session)
    running = {
        row.plan: row.count
        for row in session.execute(
            sa.select(contract.c.plan, sa.func.count().label("count"))
            .where(contract.c.approved_at.is_not(None), contract.c.ended_on.is_(None))
            .group_by(contract.c.plan)
        )
    }
    return [
        {
            "plan": row.code,
            "interval": row.interval,
            "new_yen": _yen(prices, row.code, on, renewal=False),
            "renewal_yen": _yen(prices, row.code, on, renewal=True),
            "contracts": running.get(row.code, 0),
        }
        for row in session.execute(sa.select(plan).order_by(plan.c.code))
    ]


def price_list(session: Session, plan_code: str | None = None) -> list[Row]:
    """Every price ever recorded, by plan and first day for renewals."""
    query = sa.select(price).order_by(price.c.plan, price.c.for_renewals_from, price.c.announced_on, price.c.id)
    if plan_code is not None:
        query = query.where(price.c.plan == plan_code)
    return [
        {
            "id": row.id,
            "plan": row.plan,
            "yen": row.yen,
            "announced": row.announced_on,
            "for_new_from": row.for_new_from,
            "for_renewals_from": row.for_renewals_from,
            "cohort": len(row.cohort) if row.cohort is not None else None,
            "author": row.author,
            "recorded_at": iso_jst(row.recorded_at),
        }
        for row in session.execute(query)
    ]


def _yen(prices: Sequence[Price], code: str, on: date, *, renewal: bool) -> int | None:
    try:
        return price_at(prices, code, "", on, renewal).yen
    except NoPriceError:
        return None
