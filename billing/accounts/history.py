"""The state of an account at the end of any day, and its history until then: as known now, or as it was known then.

    until      what had happened before this instant: the end of a day, or a time
    known_at   what was recorded by then; a late answer or a missed night of that day is not in it

Every value is derived from rows that are only added, or that are set once with the instant at which they were
recorded: the state of a past day never changes, only what we know of it does. Read only; decides nothing.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from keizoku.billing.accounts.contract_history import contract_events
from keizoku.billing.accounts.money_history import money_events
from keizoku.billing.accounts.read_models import AccountState, UnpaidInvoice
from keizoku.billing.contracts.contract_facts import latest_state
from keizoku.billing.receivables.account_holds import held_until
from keizoku.billing.receivables.known_accounts import want_account
from keizoku.billing.receivables.of_account import of_credits
from keizoku.billing.receivables.open_items import interest_owed, open_items_on
from keizoku.billing.rules.account_event import Event, event_sentence, known, to_json
from keizoku.billing.rules.delinquency import default_state, outlook, prospect
from keizoku.db.account_reads import noted
from keizoku.db.session import Session
from keizoku.db.tables.money import allocation, credit, credit_application, credit_refund, deposit_use, receipt
from keizoku.terms.calendar import iso_jst, jst_day
from keizoku.terms.policy import UncoveredDateError
from keizoku.terms.refusal import Refused
from keizoku.terms.rendering import Lang
from keizoku.terms.rules import Rules

_MOMENT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class AccountHistory:
    """The state at a moment, and every event that led to it, in order."""

    account: str
    until: datetime
    known_at: datetime
    state: AccountState
    events: tuple[Event, ...]

    def to_json(self, lang: Lang) -> dict[str, Any]:
        """JSON values for --json."""
        return {
            "account": self.account,
            "until": iso_jst(self.until),
            "known_at": iso_jst(self.known_at),
            "state": self.state,
            "events": [to_json(event, lang) for event in self.events],
        }

    def sentences(self, lang: Lang) -> list[tuple[str, str, str]]:
        """(when, what happened, clause) in order."""
        return [(_clock(event.at), event_sentence(event, lang), event.clause) for event in self.events]


def account_history(
    session: Session, rules: Rules, account: str, *, until: datetime, known_at: datetime
) -> AccountHistory:
    """The account as it stood just before `until`, by what was known at `known_at`.

    Raises Refused for an account that is not known, or a day that no terms cover.
    """
    noted(account, "account_history")
    want_account(session, account)
    events = [*contract_events(session, account), *money_events(session, account)]
    try:
        state = state_at(session, rules, account, until=until, known_at=known_at)
    except UncoveredDateError as error:
        raise Refused("terms.not_in_force", str(error)) from None
    return AccountHistory(account, until, known_at, state, tuple(known(events, until, known_at)))


def state_at(session: Session, rules: Rules, account: str, *, until: datetime, known_at: datetime) -> AccountState:
    """The account just before `until`, as known at `known_at`."""
    at = until - _MOMENT
    on = jst_day(at)
    found = latest_state(session, rules, account, at, known_at=known_at)
    term = found.term if found is not None else None
    debts = open_items_on(session, rules, account, on, known_at=known_at)
    interest_yen, _ = interest_owed(debts, rules, on) if debts else (0, ())
    settings = rules.discretion
    fees = [each.fee for each in debts if each.open_yen]
    _, days = default_state(fees, on, settings.suspend_after_days, settings.terminate_after_days)
    runs = found is not None and found.state in ("active", "suspended")
    ahead = outlook(fees, settings.suspend_after_days, settings.terminate_after_days) if runs else None
    comes = (
        prospect(
            ahead,
            term.ends_on if term is not None else None,
            renews=found.ends_on is None,
            suspended_term_renews=settings.suspended_term_renews,
        )
        if ahead is not None and found is not None
        else None
    )
    return AccountState(
        state=found.state if found is not None else None,
        access=found is not None and found.access,
        plan=found.plan if found is not None else None,
        method=term.method if term is not None else None,
        price_yen=term.price_yen if term is not None else None,
        term=(term.starts_on, term.ends_on) if term is not None else None,
        ended_on=found.ended_on if found is not None else None,
        reason=(found.reason or found.suspended_for) if found is not None else None,
        unpaid_yen=sum(fee.open_yen for fee in fees),
        interest_yen=interest_yen,
        days_overdue=days,
        unpaid=tuple(
            UnpaidInvoice(each.invoice_id, each.term_starts_on, each.due_on, each.open_yen)
            for each in debts
            if each.open_yen
        ),
        suspends_on=comes.suspends_on if comes is not None else None,
        terminates_on=comes.terminates_on if comes is not None else None,
        credit_yen=_credit_at(session, account, on, known_at),
        deposit_yen=_deposit_at(session, account, on, known_at),
        held_until=held_until(session, account, on, known_at),
    )


def _credit_at(session: Session, account: str, on: date, known_at: datetime) -> int:
    granted = sa.select(sa.func.coalesce(sa.func.sum(credit.c.granted_yen), 0)).where(
        credit.c.account == account, credit.c.granted_on <= on, credit.c.recorded_at <= known_at
    )
    applied = (
        sa.select(sa.func.coalesce(sa.func.sum(credit_application.c.yen), 0))
        .join(credit, credit.c.id == credit_application.c.credit_id)
        .where(
            credit.c.account == account,
            credit_application.c.applied_on <= on,
            credit_application.c.recorded_at <= known_at,
        )
    )
    came_back = sa.and_(credit_refund.c.failed_on <= on, credit_refund.c.failure_recorded_at <= known_at)
    refunded = sa.select(sa.func.coalesce(sa.func.sum(credit_refund.c.yen), 0)).where(
        of_credits(credit_refund, account),
        credit_refund.c.outcome == "succeeded",
        credit_refund.c.settled_on <= on,
        credit_refund.c.answer_recorded_at <= known_at,
        came_back.is_not(True),
    )
    kept = sa.select(sa.func.coalesce(-sa.func.sum(deposit_use.c.yen), 0)).where(
        deposit_use.c.account == account,
        deposit_use.c.kind == "credit",
        deposit_use.c.used_on <= on,
        deposit_use.c.recorded_at <= known_at,
    )
    gone = applied.scalar_subquery() + refunded.scalar_subquery() + kept.scalar_subquery()
    return int(session.execute(sa.select(granted.scalar_subquery() - gone)).scalar_one())


def _deposit_at(session: Session, account: str, on: date, known_at: datetime) -> int:
    """What the payer sent beyond what was owed, less what was used or sent back."""
    sent = (
        sa.select(sa.func.coalesce(sa.func.sum(allocation.c.yen), 0))
        .join(receipt, receipt.c.id == allocation.c.receipt_id)
        .where(
            allocation.c.account == account,
            allocation.c.kind == "deposit",
            allocation.c.allocated_on <= on,
            receipt.c.recorded_at <= known_at,
        )
    )
    used = sa.select(sa.func.coalesce(sa.func.sum(deposit_use.c.yen), 0)).where(
        deposit_use.c.account == account,
        deposit_use.c.origin == "sent",
        deposit_use.c.used_on <= on,
        deposit_use.c.recorded_at <= known_at,
    )
    return int(session.execute(sa.select(sent.scalar_subquery() - used.scalar_subquery())).scalar_one())


def _clock(at: datetime) -> str:
    return iso_jst(at)[:16].replace("T", " ")
