"""Lists for operators: applications waiting, contracts by state, plans, prices. Read only."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from keizoku.billing.contracts.contract_facts import states_of, suspended
from keizoku.billing.contracts.price_lookup import load_prices
from keizoku.billing.contracts.screening_records import applicants
from keizoku.billing.rules.contract_state import ContractState, State
from keizoku.billing.rules.price_catalog import NoPriceError, Price, price_at
from keizoku.db.session import Session, numbers
from keizoku.db.tables.contracts import contract, plan, price, suspension
from keizoku.db.tables.people import screening
from keizoku.terms.calendar import Interval, jst_day
from keizoku.terms.read_model import JapanInstant, ReadModel
from keizoku.terms.rules import Rules


@dataclass(frozen=True, slots=True, eq=False)
class WaitingApplication(ReadModel):
    """An application that waits for people or a rule; `referred` says why a rule left it to people."""

    account: str
    plan: str
    method: str
    applied_at: JapanInstant
    waiting_days: int
    consents: tuple[str, ...]
    earlier_contracts: int
    rejections: int
    owed_yen: int
    referred: str | None


@dataclass(frozen=True, slots=True, eq=False)
class ContractRow(ReadModel):
    """A contract of a list."""

    id: int
    account: str
    plan: str
    method: str
    state: State
    applied_at: JapanInstant
    approved_at: JapanInstant | None
    renews_on: date | None
    ended_on: date | None
    reason: str | None


@dataclass(frozen=True, slots=True, eq=False)
class PlanRow(ReadModel):
    """A plan with its general prices on a day, in whole yen, and how many contracts of it run."""

    plan: str
    interval: Interval
    new_yen: int | None
    renewal_yen: int | None
    contracts: int


@dataclass(frozen=True, slots=True, eq=False)
class PriceRow(ReadModel):
    """A price as it was recorded; `cohort` is the number of accounts that it is for, None: it is for all."""

    id: int
    plan: str
    yen: int
    announced: date
    for_new_from: date
    for_renewals_from: date
    cohort: int | None
    author: str | None
    recorded_at: JapanInstant


def application_queue(session: Session, now: datetime) -> list[WaitingApplication]:
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
        WaitingApplication(
            account=each.account,
            plan=each.plan,
            method=each.method,
            applied_at=each.applied_at,
            waiting_days=(jst_day(now) - jst_day(each.applied_at)).days,
            consents=tuple(each.consents),
            earlier_contracts=len(each.earlier),
            rejections=each.rejections,
            owed_yen=each.owed_yen,
            referred=referred.get(contract_id),
        )
        for contract_id, each in waiting.items()
    ]


def may_be(state: State | None, at: datetime) -> sa.ColumnElement[bool]:
    """Which contracts to look at for those in a state at an instant: no less than they are, seldom more.

    Narrows what is loaded, and decides nothing: `contract_state` does.
    """
    approved = contract.c.approved_at.is_not(None)
    is_suspended = sa.exists().where(suspension.c.contract_id == contract.c.id, suspended())
    match state:
        case None:
            return sa.true()
        case "applied":
            return sa.and_(contract.c.approved_at.is_(None), contract.c.rejected_at.is_(None))
        case "rejected":
            return contract.c.rejected_at.is_not(None)
        case "active":
            return sa.and_(approved, contract.c.ended_on.is_(None), ~is_suspended)
        case "suspended":
            return sa.and_(approved, contract.c.ended_on.is_(None), is_suspended)
        case "ended":
            return sa.or_(contract.c.ended_on.is_not(None), contract.c.renews_on <= jst_day(at))


def count_in_state(
    session: Session, rules: Rules, among: sa.Select[*tuple[Any, ...]], state: State | None, at: datetime
) -> int:
    """How many of these contracts, which `may_be` in the state, are.

    In doubt are only those that run and whose last term is over: what they are is looked up.
    """
    in_doubt = sa.and_(contract.c.ended_on.is_(None), contract.c.renews_on <= jst_day(at))
    certain = among if state is None else among.where(in_doubt.is_not(True))
    count = session.scalar(sa.select(sa.func.count()).select_from(certain.subquery())) or 0
    if state is None:
        return count
    doubtful = [row.id for row in session.execute(among.where(in_doubt))]
    return count + sum(each.state == state for each in states_of(session, rules, doubtful, at).values())


def contract_count(
    session: Session,
    rules: Rules,
    at: datetime,
    *,
    state: State | None = None,
    plan_code: str | None = None,
    account: str | None = None,
) -> int:
    """How many contracts `contract_list` has in all."""
    return count_in_state(session, rules, _contracts(state, at, plan_code, account), state, at)


def _contracts(
    state: State | None, at: datetime, plan_code: str | None, account: str | None
) -> sa.Select[*tuple[Any, ...]]:
    query = sa.select(contract.c.id, contract.c.applied_at, contract.c.approved_at).where(may_be(state, at))
    if plan_code is not None:
        query = query.where(contract.c.plan == plan_code)
    if account is not None:
        query = query.where(contract.c.account == account)
    return query


def contract_list(
    session: Session,
    rules: Rules,
    at: datetime,
    *,
    state: State | None = None,
    plan_code: str | None = None,
    account: str | None = None,
    limit: int,
    after: int | None = None,
) -> list[ContractRow]:
    """Contracts as they are at the present `at`, newest first, at most `limit` of them.

    `after`: only those older than this one.
    """
    query = _contracts(state, at, plan_code, account).order_by(contract.c.id.desc()).limit(limit)
    found: list[ContractRow] = []
    rows = session.execute(query if after is None else query.where(contract.c.id < after)).all()
    while rows:
        states = states_of(session, rules, [row.id for row in rows], at)
        found += [_contract_row(row, states[row.id]) for row in rows if state in (None, states[row.id].state)]
        if len(rows) < limit or len(found) >= limit:
            break
        rows = session.execute(query.where(contract.c.id < rows[-1].id)).all()
    return found[:limit]


def _contract_row(row: Any, found: ContractState) -> ContractRow:
    return ContractRow(
        id=row.id,
        account=found.account,
        plan=found.plan,
        method=found.method,
        state=found.state,
        applied_at=row.applied_at,
        approved_at=row.approved_at,
        renews_on=found.term.ends_on if found.term is not None and found.state != "ended" else None,
        ended_on=found.ended_on,
        reason=found.reason,
    )


def plan_list(session: Session, on: date) -> list[PlanRow]:
    """Every plan, its general prices on a day, and how many contracts of it run."""
    prices = load_prices(session)
    running = {
        row.plan: row.contracts
        for row in session.execute(
            sa.select(contract.c.plan, sa.func.count().label("contracts"))
            .where(contract.c.approved_at.is_not(None), contract.c.ended_on.is_(None))
            .group_by(contract.c.plan)
        )
    }
    return [
        PlanRow(
            plan=row.code,
            interval=row.interval,
            new_yen=_yen(prices, row.code, on, renewal=False),
            renewal_yen=_yen(prices, row.code, on, renewal=True),
            contracts=running.get(row.code, 0),
        )
        for row in session.execute(sa.select(plan).order_by(plan.c.code))
    ]


def price_list(session: Session, plan_code: str | None = None) -> list[PriceRow]:
    """Every price ever recorded, by plan and first day for renewals."""
    query = sa.select(price).order_by(price.c.plan, price.c.for_renewals_from, price.c.announced_on, price.c.id)
    if plan_code is not None:
        query = query.where(price.c.plan == plan_code)
    return [
        PriceRow(
            id=row.id,
            plan=row.plan,
            yen=row.yen,
            announced=row.announced_on,
            for_new_from=row.for_new_from,
            for_renewals_from=row.for_renewals_from,
            cohort=len(row.cohort) if row.cohort is not None else None,
            author=row.author,
            recorded_at=row.recorded_at,
        )
        for row in session.execute(query)
    ]


def _yen(prices: Sequence[Price], code: str, on: date, *, renewal: bool) -> int | None:
    try:
        return price_at(prices, code, "", on, renewal).yen
    except NoPriceError:
        return None
