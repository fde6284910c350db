"""Loads the facts of contracts, at the present or as of any instant and as known at any instant; decides nothing.

    the present      `known_at` is None: all that is recorded, and `at` says which day it is
    as known then    what had happened by `at`, itself included, of what was recorded by `known_at`

`contract_state` (keizoku.billing.rules) says what a contract is by them: the views of one account, lists and history
all ask here.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from types import SimpleNamespace
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
from keizoku.db.session import PreparedQuery, Session, numbers
from keizoku.db.tables.contracts import contract, contract_fact, plan, suspension, term
from keizoku.terms.calendar import jst_day, parse_instant
from keizoku.terms.refusal import Refused
from keizoku.terms.rules import Rules

WISHES: Final = ("end_of_use", "withdraw_end_of_use", "store_stop", "change_method")
"""Kinds of facts that bear on the next renewal alone; people can take a mistaken one back."""


def present_query(account: str) -> str:
    """The newest contract of an account, an SQL expression, with all that `contract_state` asks of it, at the present.

    No row where the account has not applied for any.
    """
    return f"""
    SELECT c.id, c.account, c.plan, c.method, c.rejected_at, c.rejected_ground, c.ended_at, c.end_recorded_at,
           c.ended_on, c.ended_reason, c.paid_months, c.prepaid_method, c.fallback, p.interval,
           t.seq, t.starts_on, t.ends_on, t.method AS term_method, t.price_yen,
           (SELECT method FROM term WHERE contract_id = c.id AND follows_on IS NULL) AS first_method,
           (SELECT json_agg(json_build_array(id, kind, occurred_at, detail) ORDER BY id) FROM contract_fact
            WHERE contract_id = c.id AND kind IN {(*WISHES, "void_fact")}) AS facts,
           (SELECT json_agg(json_build_array(set_by, ground) ORDER BY id) FROM suspension
            WHERE contract_id = c.id AND lifted_at IS NULL) AS suspensions
    FROM contract c JOIN plan p ON p.code = c.plan
    LEFT JOIN LATERAL (SELECT seq, starts_on, ends_on, method, price_yen FROM term
                       WHERE contract_id = c.id ORDER BY seq DESC LIMIT 1) t ON true
    WHERE c.account = {account} ORDER BY c.id DESC LIMIT 1
    """  # noqa: S608 - our own names


PRESENT: Final = PreparedQuery(sa.text(present_query(":account")))
"""The same for one account, prepared."""


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


def present_row(session: Session, account: str) -> Any:
    """The row of `present_query` for one account, in one way to the server and back; None: there is none.

    A transaction that is open stays so; where none is, none is left.
    """
    run = PRESENT.rows if session.in_transaction() else PRESENT.rows_and_commit
    rows = run(session, {"account": account})
    return SimpleNamespace(**rows[0]) if rows else None


def state_of_row(row: Any, rules: Rules, at: datetime) -> ContractState:
    """What the contract is of which this is the row of `present_query`, at the present."""
    wishes: Iterable[Wish] = ()
    if row.facts:
        asked = [
            SimpleNamespace(id=found, contract_id=row.id, kind=kind, occurred_at=parse_instant(when), detail=detail)
            for found, kind, when, detail in row.facts
        ]
        wishes = _wishes_of(asked).get(row.id, ())
    suspensions = [OpenSuspension(set_by, ground) for set_by, ground in row.suspensions or ()]
    return _state(_facts_of(row, wishes, suspensions, None, None), rules, at)


def states_of(
    session: Session, rules: Rules, contract_ids: Collection[int], at: datetime, *, known_at: datetime | None = None
) -> dict[int, ContractState]:
    """contract id -> what it is or was."""
    happened_by = at if known_at is not None else None
    return {
        facts.contract_id: _state(facts, rules, at)
        for facts in load_contract_facts(session, contract_ids, happened_by, known_at)
    }


def _state(facts: ContractFacts, rules: Rules, at: datetime) -> ContractState:
    settings = rules.discretion
    return contract_state(
        facts,
        jst_day(at),
        end_of_use_days_before=settings.end_of_use_days_before,
        suspended_term_renews=settings.suspended_term_renews,
    )


def load_contract_facts(
    session: Session, contract_ids: Collection[int], happened_by: datetime | None, known_at: datetime | None
) -> Iterator[ContractFacts]:
    """The facts of these contracts, in no order; None is no bound."""
    wishes = load_wishes(session, contract_ids, happened_by, known_at)
    suspensions = _open_suspensions(session, contract_ids, happened_by, known_at)
    for row in session.execute(_contracts(contract_ids, happened_by, known_at)):
        yield _facts_of(row, wishes.get(row.id, ()), suspensions.get(row.id, ()), happened_by, known_at)


def _facts_of(
    row: Any,
    wishes: Iterable[Wish],
    suspensions: Iterable[OpenSuspension],
    happened_by: datetime | None,
    known_at: datetime | None,
) -> ContractFacts:
    rejected = _was_so(row.rejected_at, row.rejected_at, happened_by, known_at)
    ended = _was_so(row.ended_at, row.end_recorded_at, happened_by, known_at)
    return ContractFacts(
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
        wishes=tuple(wishes),
        suspensions=tuple(suspensions),
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
    return _wishes_of(rows)


def _wishes_of(rows: Sequence[Any]) -> dict[int, list[Wish]]:
    """contract id -> what its user asked for; without what people have taken back."""
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
