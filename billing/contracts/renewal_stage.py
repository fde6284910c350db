"""Stage 2, terms of contracts: end those that were ended, renew the rest.

Due: running contracts whose last term ends by the business date. What is suspended or terminated as of that day is
derived as in the delinquency stage, so that a night does not renew what it suspends.
"""

from collections.abc import Collection, Sequence
from datetime import date, datetime
from functools import partial
from itertools import takewhile
from typing import Any, NamedTuple

import sqlalchemy as sa

from keizoku.billing.contracts import late_notices
from keizoku.billing.contracts.announced_terms import UnannouncedTermsError, unannounced_versions
from keizoku.billing.contracts.contract_facts import load_wishes
from keizoku.billing.contracts.late_notices import LateNotices
from keizoku.billing.contracts.price_lookup import load_prices, renewal_rules
from keizoku.billing.receivables import account_holds
from keizoku.billing.receivables.open_items import OpenItem, by_contract, load_open_items
from keizoku.billing.rules.contract_lifecycle import (
    ContractEnd,
    NewTerm,
    Renewal,
    RunningContract,
    decide_renewal,
)
from keizoku.billing.rules.delinquency import DefaultState, default_state
from keizoku.billing.rules.payment_method import prepaid_terms
from keizoku.billing.rules.price_catalog import NoPriceError
from keizoku.db.fence import Fence, is_of_item
from keizoku.db.probes import BUSINESS_DATE
from keizoku.db.review_tasks import open_task
from keizoku.db.session import Session, copy_rows, numbers, plain_array, text_array
from keizoku.db.tables.books import revenue_posting
from keizoku.db.tables.contracts import contract, plan, suspension, term
from keizoku.terms.calendar import day_start_at
from keizoku.terms.refusal import Refused
from keizoku.terms.rules import Rules

CHUNK = 10_000
_OVER = sa.and_(contract.c.ended_on.is_(None), contract.c.renews_on <= BUSINESS_DATE)


class DueContract(NamedTuple):
    """A contract whose last term is over by the business date, and what bears on its renewal."""

    contract: RunningContract
    unpaid: tuple[OpenItem, ...]
    suspensions: tuple[tuple[datetime, datetime | None], ...]
    terms_version: str  # of its last term: the terms that the user agreed to, or that were announced
    held: bool = False  # people hold back that it is suspended for unpaid fees


def anything_due() -> sa.ColumnElement[bool]:
    """Whether `due` would find a contract."""
    return sa.exists().where(_OVER)


def contracts_due() -> sa.Select[int]:
    """The contracts that `due` would find."""
    return sa.select(contract.c.id).where(_OVER)


def newest(session: Session) -> int:
    """The newest term's id; 0 without any."""
    return int(session.execute(sa.select(sa.func.coalesce(sa.func.max(term.c.id), 0))).scalar_one())


def due(
    session: Session,
    rules: Rules,
    business_date: date,
    *,
    contract_id: int | None = None,
    contract_ids: Collection[int] | None = None,
    within: tuple[int, int] | None = None,
    after: int = 0,
) -> list[DueContract]:
    """The next CHUNK contracts to renew or end with an id above `after`, in order; they are locked until saved.

    Of all contracts, of one or some, or of those with an id from the first to the last of `within`. A chunk that is
    not full is the last.
    """
    query = running().where(_OVER, contract.c.id > after).order_by(contract.c.id).limit(CHUNK)
    if contract_id is not None:
        query = query.where(contract.c.id == contract_id)
    if contract_ids is not None:
        query = query.where(contract.c.id == sa.any_(numbers(contract_ids)))
    if within is not None:
        query = query.where(contract.c.id.between(*within))
    # a service waits for a night that is renewing the same contract; the night skips a contract that a service holds
    query = query.with_for_update(of=contract, skip_locked=contract_id is None)
    rows = session.execute(query, {BUSINESS_DATE.key: business_date}).all()
    return load_facts(session, rules, rows, business_date) if rows else []


def due_ids(
    session: Session, business_date: date, *, within: tuple[int, int] | None = None, after: int = 0
) -> list[int]:
    """The contracts that `due` would look at, by id, without reading what bears on them."""
    query = contracts_due().where(contract.c.id > after).order_by(contract.c.id).limit(CHUNK)
    if within is not None:
        query = query.where(contract.c.id.between(*within))
    return list(session.scalars(query, {BUSINESS_DATE.key: business_date}))


def running() -> sa.Select[*tuple[Any, ...]]:
    """Running contracts, each with its last term: the rows that `load_facts` takes."""
    return (
        sa.select(
            contract.c.id,
            contract.c.account,
            contract.c.plan,
            plan.c.interval,
            contract.c.method,
            contract.c.anchor_on,
            contract.c.renews_on,
            contract.c.paid_months,
            contract.c.prepaid_method,
            contract.c.fallback,
            term.c.seq,
            term.c.price_yen,
            term.c.terms_version,
        )
        .join(plan, plan.c.code == contract.c.plan)
        .join(term, sa.and_(term.c.contract_id == contract.c.id, term.c.ends_on == contract.c.renews_on))
        .where(contract.c.ended_on.is_(None))
    )


def load_facts(session: Session, rules: Rules, rows: Sequence[Sequence[Any]], on: date) -> list[DueContract]:
    """What bears on the renewal of these running contracts, unpaid fees as of a day."""
    ids = [row[0] for row in rows]
    wishes = load_wishes(session, ids)
    suspensions = _suspensions(session, ids)
    held = account_holds.in_force(session, on)
    unpaid = by_contract(load_open_items(session, rules, on, contract_ids=ids))
    return [
        DueContract(
            RunningContract(
                contract_id=contract_id,
                account=account,
                plan=plan_code,
                interval=interval,
                method=method,
                anchor_on=anchor_on,
                next_seq=seq + 1,
                last_ends_on=renews_on,
                last_price_yen=price_yen,
                prepaid_terms=prepaid_terms(paid_months, interval),
                prepaid_method=prepaid_method,
                fallback=fallback,
                wishes=tuple(wishes.get(contract_id, ())),
            ),
            tuple(unpaid.get(contract_id, ())),
            tuple(suspensions.get(contract_id, ())),
            terms_version,
            account in held,
        )
        for (
            contract_id,
            account,
            plan_code,
            interval,
            method,
            anchor_on,
            renews_on,
            paid_months,
            prepaid_method,
            fallback,
            seq,
            price_yen,
            terms_version,
        ) in rows
    ]


def decide(
    session: Session,
    rules: Rules,
    facts: Sequence[DueContract],
    business_date: date,
    now: datetime,
    fence: Fence | None = None,
) -> list[Renewal]:
    """What follows each contract's last term. One whose plan has no price for renewals is left to people.

    So is a renewal under terms that were not announced as the law asks, of a contract that was made under others. With
    a fence, so is one whose facts cannot be decided on; without one, that is raised.
    """
    held = unannounced_versions(session, rules.terms)
    choices = renewal_rules(rules, load_prices(session), business_date)
    renewals = []
    for each in facts:
        try:
            suspended_on = partial(suspended_at, each, rules)
            renewal = decide_renewal(each.contract, business_date, suspended_on, choices)
            if held and (version := _first_held(each, renewal, held)) is not None:
                _hold(session, version, held[version], now, fence)
                renewal = Renewal(tuple(takewhile(lambda new: new.terms_version != version, renewal.terms)), None)
            renewals.append(renewal)
        except NoPriceError as error:
            if fence is not None:
                fence.aside("contract", each.contract.contract_id, error, "no_price")
                continue
            detail = {"account": each.contract.account, "plan": each.contract.plan, "why": str(error)}
            open_task(session, "no_price", f"contract {each.contract.contract_id}", detail, now)
        except Exception as error:
            if fence is None or not is_of_item(error):
                raise
            fence.aside("contract", each.contract.contract_id, error)
    return renewals


def _first_held(facts: DueContract, renewal: Renewal, held: Collection[str]) -> str | None:
    """The version that keeps these terms from being made, or that of a term that is; None: nothing does."""
    versions = (new.terms_version for new in renewal.terms)
    return next((each for each in versions if each in held and each != facts.terms_version), None)


def _hold(session: Session, version: str, why: str, now: datetime, fence: Fence | None) -> None:
    """One task for all that wait for the announcement of a version."""
    told = f"terms {version}: {why}, so they do not bind those who agreed to others (Civil Code 548-4)"
    if fence is not None:
        fence.aside("version", version, UnannouncedTermsError(told), "terms_unannounced")
    else:
        detail = {"version": version, "step": "terms", "why": told, "clause": "premium/2.3"}
        open_task(session, "terms_unannounced", f"version {version}", detail, now)


def late_notices_of(
    session: Session, rules: Rules, facts: Sequence[DueContract], renewals: Sequence[Renewal], today: date
) -> LateNotices:
    """What users were owed before these renewals and were not told."""
    return late_notices.decide(session, rules, [each.contract for each in facts], renewals, today)


def save(session: Session, renewals: Sequence[Renewal], now: datetime, late: LateNotices | None = None) -> int:
    """Write what is told late, then new terms and ends, and commit; returns the rows written."""
    told = late_notices.save(session, late, now) if late is not None else 0
    terms = [each for renewal in renewals for each in renewal.terms]
    ends = [renewal.end for renewal in renewals if renewal.end is not None]
    save_terms(session, terms, now)
    last = {each.contract_id: each for each in terms}
    session.execute(
        sa.text(
            "UPDATE contract SET renews_on = fresh.ends_on, method = fresh.method FROM "
            "unnest(CAST(:ids AS bigint[]), CAST(:ends AS date[]), CAST(:methods AS text[])) "
            "AS fresh (id, ends_on, method) WHERE contract.id = fresh.id"
        ),
        {
            "ids": plain_array(last),
            "ends": plain_array(each.ends_on for each in last.values()),
            "methods": text_array([each.method for each in last.values()]),
        },
    )
    for end in ends:
        save_end(session, end, now)
    session.commit()
    return told + len(terms) + len(ends)


def save_terms(session: Session, terms: Sequence[NewTerm], now: datetime) -> None:
    """Write terms in order, without committing."""
    copy_rows(
        session,
        term,
        (
            "contract_id",
            "account",
            "seq",
            "starts_on",
            "ends_on",
            "follows_on",
            "starts_at",
            "method",
            "plan",
            "interval",
            "price_yen",
            "terms_version",
            "recorded_at",
        ),
        (
            (
                t.contract_id,
                t.account,
                t.seq,
                t.starts_on,
                t.ends_on,
                t.follows_on,
                t.starts_at,
                t.method,
                t.plan,
                t.interval,
                t.price_yen,
                t.terms_version,
                now,
            )
            for t in terms
        ),
    )


def save_end(session: Session, end: ContractEnd, now: datetime) -> None:
    """Write the end of a contract, without committing: a term it cuts short is closed, suspensions end with it.

    Raises Refused for a day before that of what nights have done already: the clock that it was said by is behind.
    """
    session.execute(
        sa.update(contract)
        .where(contract.c.id == end.contract_id, contract.c.ended_on.is_(None))
        .values(ended_on=end.ended_on, ended_at=end.ended_at, ended_reason=end.reason, end_recorded_at=now)
    )
    cut = session.execute(
        sa.update(term)
        .where(
            term.c.contract_id == end.contract_id,
            term.c.starts_on <= end.ended_on,
            term.c.ends_on > end.ended_on,
            term.c.closed_on.is_(None),
        )
        .values(closed_on=end.ended_on, closed_at=end.ended_at)
    )
    _refuse_a_clock_behind(session, end, has_cut=bool(cut.rowcount))
    session.execute(
        sa.update(suspension)
        .where(suspension.c.contract_id == end.contract_id, suspension.c.lifted_at.is_(None))
        .values(
            lifted_at=sa.func.greatest(end.ended_at, suspension.c.from_at),
            lifted_by="end of contract",
            lift_recorded_at=now,
        )
    )


def _refuse_a_clock_behind(session: Session, end: ContractEnd, *, has_cut: bool) -> None:
    """Refuse an end before the last term began, or on a day whose revenue is recognised."""
    begun_on = session.execute(
        sa.select(sa.func.max(term.c.starts_on)).where(term.c.contract_id == end.contract_id)
    ).scalar_one()
    recognised_on = None
    if has_cut:
        recognised_on = session.execute(sa.select(sa.func.max(revenue_posting.c.day))).scalar_one()
    if begun_on is not None and end.ended_on < begun_on:
        why = f"its last term began on {begun_on}"
    elif recognised_on is not None and end.ended_on <= recognised_on:
        why = f"a night has recognised revenue up to {recognised_on}"
    else:
        return
    session.rollback()
    raise Refused(
        "clock.behind", f"account {end.account}: its contract cannot end on {end.ended_on}, as {why}", "set the clock"
    )


def suspended_at(facts: DueContract, rules: Rules, on: date) -> bool:
    """Whether use is suspended as a day begins: by people, or because a fee has been unpaid for too long by then."""
    if not facts.suspensions and not facts.unpaid:
        return False
    at = day_start_at(on)
    if any(start <= at and (end is None or end > at) for start, end in facts.suspensions):
        return True
    if facts.held:
        return False
    state, _ = default_state(
        [each.fee for each in facts.unpaid],
        on,
        rules.discretion.suspend_after_days,
        rules.discretion.terminate_after_days,
    )
    return state in (DefaultState.SUSPEND, DefaultState.TERMINATE)


def _suspensions(session: Session, ids: Sequence[int]) -> dict[int, list[tuple[datetime, datetime | None]]]:
    rows = session.execute(
        sa.select(suspension.c.contract_id, suspension.c.from_at, suspension.c.lifted_at).where(
            suspension.c.contract_id == sa.any_(numbers(ids))
        )
    )
    grouped: dict[int, list[tuple[datetime, datetime | None]]] = {}
    for row in rows:
        grouped.setdefault(row.contract_id, []).append((row.from_at, row.lifted_at))
    return grouped
