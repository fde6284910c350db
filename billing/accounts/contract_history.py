"""Loads the events of an account's contracts: applications, terms, wishes, measures, claims, prices. Read only."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import sqlalchemy as sa

from keizoku.billing.accounts.event_rows import Collect, collected, rows_of
from keizoku.billing.receivables.of_account import of_contracts
from keizoku.billing.rules.account_event import Event
from keizoku.db.session import Session
from keizoku.db.tables.claims import alternative_consent, claim, claim_decision, claim_ruling, claim_withdrawal
from keizoku.db.tables.codes import code, code_batch, code_redemption
from keizoku.db.tables.contracts import contract, contract_fact, price, suspension, term
from keizoku.db.tables.money import review_task
from keizoku.db.tables.people import account_hold, account_hold_end, consent, operator_act, screening
from keizoku.terms.calendar import day_start_at

_FACT_CLAUSES: Final = {
    "end_of_use": "premium/6.1",
    "withdraw_end_of_use": "premium/6.1",
    "store_stop": "premium/6.1",
    "leave_service": "premium/6.2",
    "delete_user": "premium/13",
    "change_method": "premium/5.1",
    "new_card": "premium/5.4",
    "suspend": "premium/7.1",
    "resume": "premium/7.1",
    "terminate": "premium/7.1",
}
_TOLD_WITH_MONEY: Final = ("write_off", "set_off", "sale_void")
_END_CLAUSES: Final = {
    "end_of_use": "premium/6.1",
    "suspension": "premium/7.1",
    "termination": "premium/7.1",
    "leave_service": "premium/6.2",
    "delete_user": "premium/13",
    "prepaid_used_up": "premium/5.1.1.b",
    "sale_void": "premium/5.2",
}


def contract_events(session: Session, account: str) -> Iterator[Event]:
    """Everything about the contracts of an account, in no order."""
    return collected(_COLLECT, session, account)


def _contracts(session: Session, account: str) -> Iterator[Event]:
    formed = sa.select(term.c.recorded_at).where(term.c.contract_id == contract.c.id, term.c.follows_on.is_(None))
    for row in session.execute(
        sa.select(contract, formed.scalar_subquery().label("formed_at")).where(contract.c.account == account)
    ):
        facts = {"contract": row.id, "plan": row.plan, "method": _applied_for(session, row), "months": row.paid_months}
        yield Event(row.applied_at, row.recorded_at, "applied", "premium/3.2", facts)
        if row.approved_at is not None:
            known_at = row.formed_at or row.approved_at
            yield Event(row.approved_at, known_at, "approved", "premium/3.3", {"contract": row.id})
        if row.rejected_at is not None:
            facts = {"contract": row.id, "ground": row.rejected_ground}
            yield Event(row.rejected_at, row.rejected_at, "rejected", "premium/3.5", facts)
        if row.ended_at is not None:
            clause = _END_CLAUSES.get(row.ended_reason or "", "")
            facts = {"contract": row.id, "reason": row.ended_reason, "ended_on": row.ended_on.isoformat()}
            yield Event(row.ended_at, row.end_recorded_at, "ended", clause, facts)


def _applied_for(session: Session, row: sa.Row[Any]) -> str:
    """The method of the application: the contract's own changes with its terms."""
    first = session.execute(
        sa.select(term.c.method).where(term.c.contract_id == row.id, term.c.follows_on.is_(None))
    ).scalar_one_or_none()
    return str(first or row.method)


def _terms(session: Session, account: str) -> Iterator[Event]:
    for row in rows_of(session, term, account):
        facts = {
            "term": row.id,
            "starts_on": row.starts_on.isoformat(),
            "ends_on": row.ends_on.isoformat(),
            "method": row.method,
            "price_yen": row.price_yen,
            "terms_version": row.terms_version,
        }
        first = row.follows_on is None
        clause = "premium/13" if first else "premium/3.3"
        yield Event(row.starts_at, row.recorded_at, "term_first" if first else "term_renewed", clause, facts)


def _facts(session: Session, account: str) -> Iterator[Event]:
    query = sa.select(contract_fact).where(
        of_contracts(contract_fact, account), contract_fact.c.kind.not_in(_TOLD_WITH_MONEY)
    )
    for row in session.execute(query):
        kind = row.kind if row.kind in _FACT_CLAUSES else "fact"
        facts = {
            "contract": row.contract_id,
            "what": row.kind,
            "author": row.author,
            "ground": row.ground,
            **(row.detail or {}),
        }
        yield Event(row.occurred_at, row.recorded_at, kind, _FACT_CLAUSES.get(row.kind, ""), facts)


def _suspensions(session: Session, account: str) -> Iterator[Event]:
    """Those that unpaid fees brought; what people did is a fact of its own, what the end of a contract did is not."""
    for row in rows_of(session, suspension, account):
        facts = {"contract": row.contract_id}
        if row.set_by == "delinquency":
            yield Event(row.from_at, row.recorded_at, "suspended", "premium/7.1.2", facts)
        if row.lifted_by == "delinquency":
            yield Event(row.lifted_at, row.lift_recorded_at, "lifted", "premium/7.1", facts)


def _holds(session: Session, account: str) -> Iterator[Event]:
    """What people held back of what we would have done, and when they let it go."""
    for row in rows_of(session, account_hold, account):
        facts = {"until_on": row.until_on.isoformat(), "author": row.author, "ground": row.ground}
        yield Event(row.recorded_at, row.recorded_at, "held", "", facts)
    for row in rows_of(session, account_hold_end, account):
        yield Event(row.recorded_at, row.recorded_at, "released", "", {"author": row.author, "ground": row.ground})


def _screenings(session: Session, account: str) -> Iterator[Event]:
    """What the applicant agreed to, and what a rule left to people; approval and rejection are the contract's own."""
    for row in rows_of(session, consent, account, of_contracts(consent, account)):
        facts = {"contract": row.contract_id, "terms": row.terms, "version": row.version}
        kind = "consented" if row.stated else "consented_by_registering"
        yield Event(row.consented_at, row.recorded_at, kind, "premium/3.2", facts)
    for row in rows_of(session, screening, account, of_contracts(screening, account)):
        facts = {"contract": row.contract_id, "author": row.author, "ground": row.ground}
        yield Event(row.decided_at, row.recorded_at, f"screened_{row.outcome}", "premium/3.3", facts)


def _codes(session: Session, account: str) -> Iterator[Event]:
    rows = session.execute(
        sa.select(code_redemption, code_batch.c.name, code_batch.c.months)
        .join(code, code.c.id == code_redemption.c.code_id)
        .join(code_batch, code_batch.c.id == code.c.batch_id)
        .where(code_redemption.c.account == account)
    )
    for row in rows:
        facts = {"batch": row.name, "months": row.months}
        yield Event(row.redeemed_at, row.redeemed_at, "code_redeemed", "premium/5.1.1.b", facts)
        if row.released_at is not None:
            yield Event(row.released_at, row.released_at, "code_released", "premium/5.1.1.b", facts)


def _disclosures(session: Session, account: str) -> Iterator[Event]:
    for row in rows_of(session, operator_act, account):
        facts = {"what": row.what, "recipient": row.recipient, "author": row.author, "ground": row.ground}
        yield Event(row.occurred_at, row.recorded_at, "disclosed", "premium/8.1", facts)


def _service_changes(session: Session, account: str) -> Iterator[Event]:
    """Changes of the service's contents while a contract of the account ran."""
    ran = sa.exists().where(
        contract.c.account == account,
        contract.c.approved_at <= operator_act.c.occurred_at,
        sa.or_(contract.c.ended_at.is_(None), contract.c.ended_at > operator_act.c.occurred_at),
    )
    for row in session.execute(sa.select(operator_act).where(operator_act.c.kind == "service_change", ran)):
        facts = {"what": row.what, "author": row.author, "ground": row.ground}
        yield Event(row.occurred_at, row.recorded_at, "service_changed", "premium/11.1", facts)


def _claims(session: Session, account: str) -> Iterator[Event]:
    for row in rows_of(session, claim, account):
        facts = {"claim": row.id, "outage_month": row.month}
        yield Event(row.received_at, row.recorded_at, "claim_received", "premium/9.2", facts)
    taken_back = sa.select(claim_withdrawal, claim.c.month).join(claim, claim.c.id == claim_withdrawal.c.claim_id)
    for row in session.execute(taken_back.where(claim.c.account == account)):
        facts = {"claim": row.claim_id, "outage_month": row.month, "author": row.author, "ground": row.ground}
        yield Event(row.recorded_at, row.recorded_at, "claim_withdrawn", "premium/9.2", facts)
    decisions = (
        sa.select(claim_decision, claim.c.month)
        .join(claim, claim.c.id == claim_decision.c.claim_id)
        .where(claim.c.account == account)
    )
    for row in session.execute(decisions):
        facts = {
            "claim": row.claim_id,
            "outage_month": row.month,
            "recognised_seconds": row.seconds,
            "rate": row.rate,
            "reason": row.reason,
        }
        clause = "premium/9.5" if row.reason == "deadline" else "premium/9.2"
        yield Event(row.decided_at, row.decided_at, f"claim_{row.outcome}", clause, facts)
    for table, kind in ((claim_ruling, "claim_ruled"), (alternative_consent, "claim_consented")):
        rows = session.execute(
            sa.select(table, claim.c.month)
            .join(claim, claim.c.id == table.c.claim_id)
            .where(claim.c.account == account)
        )
        for row in rows:
            facts = {
                "claim": row.claim_id,
                "outage_month": row.month,
                "author": row.author,
                "ground": row.ground,
                "what": getattr(row, "what", None),
            }
            yield Event(row.recorded_at, row.recorded_at, kind, "premium/9.2", facts)


def _prices(session: Session, account: str) -> Iterator[Event]:
    """Prices of the plans that the account had, announced while it had them, for it or for everybody."""
    had = (
        sa.select(contract.c.id)
        .where(
            contract.c.account == account,
            contract.c.plan == price.c.plan,
            contract.c.approved_at.is_not(None),
            sa.func.coalesce(contract.c.ended_at, sa.func.greatest(price.c.recorded_at, contract.c.approved_at))
            >= price.c.recorded_at,
            contract.c.approved_at <= price.c.recorded_at,
        )
        .exists()
    )
    query = sa.select(price).where(
        had, sa.or_(price.c.cohort.is_(None), sa.literal(account) == sa.any_(price.c.cohort))
    )
    for row in session.execute(query):
        facts = {
            "plan": row.plan,
            "yen": row.yen,
            "announced_on": row.announced_on.isoformat(),
            "for_renewals_from_on": row.for_renewals_from.isoformat(),
        }
        yield Event(day_start_at(row.announced_on), row.recorded_at, "price", "premium/4.3", facts)


def _tasks(session: Session, account: str) -> Iterator[Event]:
    """What the engine left to people about this account."""
    for row in session.execute(sa.select(review_task).where(review_task.c.detail["account"].astext == account)):
        facts: dict[str, Any] = {"task": row.kind, "subject": row.subject}
        yield Event(row.opened_at, row.opened_at, "task_opened", "", facts)
        if row.closed_at is not None:
            closed = {**facts, "author": row.closed_by, "ground": row.closed_ground}
            yield Event(row.closed_at, row.closed_at, "task_closed", "", closed)


_COLLECT: Final[Sequence[Collect]] = (
    _terms,
    _contracts,
    _facts,
    _suspensions,
    _holds,
    _screenings,
    _codes,
    _disclosures,
    _service_changes,
    _claims,
    _prices,
    _tasks,
)
