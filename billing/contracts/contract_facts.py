"""Loads the facts of contracts, at the present or as of any instant and as known at any instant; decides nothing.

    the present      `known_at` is None: all that is recorded, and `at` says which day it is
    as known then    what had happened by `at`, itself included, of what was recorded by `known_at`

`contract_state` (keizoku.billing.rules) says what a contract is by them: the views of one account, lists and history
all ask here.
"""

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from keizoku.billing.rules.contract_lifecycle import Wish
from keizoku.billing.rules.contract_state import (
    ContractFacts,
    ContractState,
    LastTerm,
    OpenSuspension,
    RecordedEnd,
    contract_state,
)
from keizoku.db.session import Session, numbers
from keizoku.db.tables.contracts import contract, contract_fact, plan, suspension, term
from keizoku.terms.calendar import jst_day
from keizoku.terms.refusal import Refused
from keizoku.terms.rules import Rules

WISHES: Final = ("end_of_use", "withdraw_end_of_use", "store_stop", "change_method")
"""Kinds of facts that bear on the next renewal alone; people can take a mistaken one back."""


def latest_state(
    session: Session, rules: Rules, account: str, at: datetime, *, known_at: datetime | None = None
) -> ContractState | None:
    """What the account's latest contract is or was; None: it had not applied for any."""
    happened_by = at if known_at is not None else None
    latest = (
        sa.select(contract.c.id)
        .where(
            contract.c.account == account,
            by(contract.c.applied_at, happened_by),
            by(contract.c.recorded_at, known_at),
        )
        .order_by(contract.c.id.desc())
        .limit(1)
    )
    contract_id = session.execute(latest).scalar_one_or_none()
    if contract_id is None:
        return None
    return states_of(session, rules, [contract_id], at, known_at=known_at)[contract_id]


def states_of(
    session: Session, rules: Rules, contract_ids: Collection[int], at: datetime, *, known_at: datetime | None = None
) -> dict[int, ContractState]:
    """contract id -> what it is or was."""
    settings = rules.discretion
    happened_by = at if known_at is not None else None
    return {
        facts.contract_id: contract_state(
            facts,
            jst_day(at),
            end_of_use_days_before=settings.end_of_use_days_before,
            suspended_term_renews=settings.suspended_term_renews,
        )
        for facts in load_contract_facts(session, contract_ids, happened_by, known_at)
    }


def load_contract_facts(
    session: Session, contract_ids: Collection[int], happened_by: datetime | None, known_at: datetime | None
) -> Iterator[ContractFacts]:
    """The facts of these contracts, in no order; None is no bound."""
    wishes = load_wishes(session, contract_ids, happened_by, known_at)
    suspensions = _open_suspensions(session, contract_ids, happened_by, known_at)
    for row in session.execute(_contracts(contract_ids, happened_by, known_at)):
        rejected = _was_so(row.rejected_at, row.rejected_at, happened_by, known_at)
        ended = _was_so(row.ended_at, row.end_recorded_at, happened_by, known_at)
        yield ContractFacts(
            contract_id=row.id,
            account=row.account,
            plan=row.plan,
            interval=row.interval,
            method=row.first_method or row.method,
            rejected=(row.rejected_ground or "") if rejected else None,
            term=LastTerm(row.seq, row.starts_on, row.ends_on, row.term_method, row.price_yen)
            if row.seq is not None
            else None,
            end=RecordedEnd(row.ended_on, row.ended_reason) if ended else None,
            paid_months=row.paid_months,
            prepaid_method=row.prepaid_method,
            fallback=row.fallback,
            wishes=tuple(wishes.get(row.id, ())),
            suspensions=tuple(suspensions.get(row.id, ())),
        )


def load_wishes(
    session: Session,
    contract_ids: Collection[int],
    happened_by: datetime | None = None,
    known_at: datetime | None = None,
) -> dict[int, list[Wish]]:
    """contract id -> what its user asked for, in the order of recording; without what people have taken back."""
    asked = sa.and_(contract_fact.c.kind.in_(WISHES), by(contract_fact.c.occurred_at, happened_by))
    rows = session.execute(
        sa.select(
            contract_fact.c.id,
            contract_fact.c.contract_id,
            contract_fact.c.kind,
            contract_fact.c.occurred_at,
            contract_fact.c.detail,
        )
        .where(
            contract_fact.c.contract_id == sa.any_(numbers(contract_ids)),
            sa.or_(asked, contract_fact.c.kind == "void_fact"),
            by(contract_fact.c.recorded_at, known_at),
        )
        .order_by(contract_fact.c.id)
    ).all()
    void = {fact_taken_back(row.detail) for row in rows if row.kind == "void_fact"}
    grouped: dict[int, list[Wish]] = {}
    for row in rows:
        if row.kind == "void_fact" or row.id in void:
            continue
        method = _method_asked_for(row.contract_id, row.id, row.detail) if row.kind == "change_method" else None
        grouped.setdefault(row.contract_id, []).append(Wish(row.kind, row.occurred_at, method))
    return grouped


def fact_taken_back(detail: object) -> object:
    """The fact that a row takes back; None for one of before its constraint, which names none."""
    return detail.get("fact") if isinstance(detail, dict) else None


def _method_asked_for(contract_id: int, fact_id: int, detail: object) -> str:
    """Raises Refused for a fact of before its constraint that says none."""
    method = detail.get("method") if isinstance(detail, dict) else None
    if not isinstance(method, str):
        raise Refused(
            "fact.unreadable",
            f"contract {contract_id}: the change of method that it has on record (fact {fact_id}) names no method",
            "take it back: `keizoku contract void-fact ACCOUNT change_method`",
        )
    return method


def suspended(happened_by: datetime | None = None, known_at: datetime | None = None) -> sa.ColumnElement[bool]:
    """A row of `suspension` that holds, or held."""
    lifted = sa.and_(
        suspension.c.lifted_at.is_not(None),
        by(suspension.c.lifted_at, happened_by),
        by(suspension.c.lift_recorded_at, known_at),
    )
    return sa.and_(by(suspension.c.from_at, happened_by), by(suspension.c.recorded_at, known_at), lifted.is_not(True))


def by(column: sa.Column[Any], instant: datetime | None) -> sa.ColumnElement[bool]:
    """The column is not after an instant; None: whatever it is."""
    return sa.true() if instant is None else column <= instant


def _contracts(
    contract_ids: Collection[int], happened_by: datetime | None, known_at: datetime | None
) -> sa.Select[tuple[Any, ...]]:
    """These contracts, each with the newest of its terms that had begun."""
    last = (
        sa.select(term.c.seq, term.c.starts_on, term.c.ends_on, term.c.method.label("term_method"), term.c.price_yen)
        .where(term.c.contract_id == contract.c.id, by(term.c.starts_at, happened_by), by(term.c.recorded_at, known_at))
        .order_by(term.c.seq.desc())
        .limit(1)
        .lateral("last_term")
    )
    first_method = (
        sa.select(term.c.method)
        .where(term.c.contract_id == contract.c.id, term.c.follows_on.is_(None))
        .scalar_subquery()
        .label("first_method")
    )
    return (
        sa.select(contract, plan.c.interval, last, first_method)
        .join(plan, plan.c.code == contract.c.plan)
        .outerjoin(last, sa.true())
        .where(contract.c.id == sa.any_(numbers(contract_ids)))
    )


def _open_suspensions(
    session: Session, contract_ids: Collection[int], happened_by: datetime | None, known_at: datetime | None
) -> dict[int, list[OpenSuspension]]:
    rows = session.execute(
        sa.select(suspension.c.contract_id, suspension.c.set_by, suspension.c.ground)
        .where(suspension.c.contract_id == sa.any_(numbers(contract_ids)), suspended(happened_by, known_at))
        .order_by(suspension.c.id)
    )
    grouped: dict[int, list[OpenSuspension]] = {}
    for row in rows:
        grouped.setdefault(row.contract_id, []).append(OpenSuspension(row.set_by, row.ground))
    return grouped


def _was_so(
    happened_at: datetime | None, recorded_at: datetime | None, happened_by: datetime | None, known_at: datetime | None
) -> bool:
    """Whether what happened once had happened by an instant, and was recorded by another."""
    if happened_at is None or recorded_at is None:
        return False
    return (happened_by is None or happened_at <= happened_by) and (known_at is None or recorded_at <= known_at)
