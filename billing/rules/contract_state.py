"""What a contract is at an instant: its state, whether it gives access, whether and when it ends.

Facts in, one value out. Every view of an account, every list and every check of a scenario reads it here.

    applied ──> rejected
       └──────> active <──> suspended ──> ended     ended: recorded, or the last term is over and nothing renews it

Days are JST dates; the facts are those of one instant, as `keizoku.billing.contracts.contract_facts` loads them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal, get_args

from keizoku.billing.rules.contract_lifecycle import (
    END_OF_USE,
    PREPAID_USED_UP,
    SUSPENSION,
    Wish,
    end_requested,
)
from keizoku.billing.rules.payment_method import method_of_term, prepaid_terms
from keizoku.terms.calendar import Interval, day_start_at

State = Literal["applied", "rejected", "active", "suspended", "ended"]
#: What a contract can be, for those who ask for lists.
STATES: tuple[State, ...] = get_args(State)

OVERDUE = "overdue"
"""Why a contract is suspended where no person said so: fees that stay unpaid."""


@dataclass(frozen=True, slots=True)
class LastTerm:
    """The newest term that had begun: [starts_on, ends_on), number `seq` of its contract, counted from 0."""

    seq: int
    starts_on: date
    ends_on: date
    method: str
    price_yen: int


@dataclass(frozen=True, slots=True)
class OpenSuspension:
    """A suspension that holds: by people, for a ground, or by the delinquency stage."""

    set_by: str
    ground: str

    @property
    def reason(self) -> str:
        """The ground that people stated, or that fees are overdue."""
        return self.ground if self.set_by == "people" else OVERDUE


@dataclass(frozen=True, slots=True)
class RecordedEnd:
    """An end that is recorded: the first JST day without the contract, and why."""

    ended_on: date
    reason: str


@dataclass(frozen=True, slots=True)
class ContractFacts:
    """What had happened to a contract by an instant, as far as it was known.

    `rejected` is the ground of a rejection, `method` the one applied for, `term` the newest that had begun.
    """

    contract_id: int
    account: str
    plan: str
    interval: Interval
    method: str
    rejected: str | None
    term: LastTerm | None
    end: RecordedEnd | None
    paid_months: int | None
    prepaid_method: str | None
    fallback: str | None
    wishes: tuple[Wish, ...]
    suspensions: tuple[OpenSuspension, ...]


@dataclass(frozen=True, slots=True)
class ContractState:
    """A contract at an instant.

    `ends_on` is the first day without the contract as far as that is known: recorded, or the end of a term that
    nothing renews. `reason` says why it is rejected or over, `suspended_for` why access is off.
    """

    contract_id: int
    account: str
    plan: str
    state: State
    method: str
    term: LastTerm | None
    used_up: bool = False
    ends_on: date | None = None
    reason: str | None = None
    suspended_for: str | None = None

    @property
    def access(self) -> bool:
        """Whether its user may come in."""
        return self.state == "active"

    @property
    def suspended(self) -> bool:
        """Whether it runs without access."""
        return self.state == "suspended"

    @property
    def renews(self) -> bool:
        """Whether it runs, and another term follows the one that runs."""
        return self.state in ("active", "suspended") and self.ends_on is None

    @property
    def ended_on(self) -> date | None:
        """The first day without the contract, where it is over."""
        return self.ends_on if self.state == "ended" else None


def contract_state(
    facts: ContractFacts, today: date, *, end_of_use_days_before: int, suspended_term_renews: bool
) -> ContractState:
    """The contract by its facts, on the JST day of their instant; the settings are those that bind a renewal.

    A contract whose last term is over and which nothing renews has ended, also before the night that records it.
    """
    of = (facts.contract_id, facts.account, facts.plan)
    last = facts.term
    if facts.rejected is not None:
        return ContractState(*of, "rejected", facts.method, None, reason=facts.rejected)
    if last is None:
        return ContractState(*of, "applied", facts.method, None)
    if facts.end is not None:
        return ContractState(*of, "ended", last.method, last, ends_on=facts.end.ended_on, reason=facts.end.reason)
    used_up = _used_up(facts, last)
    why = {
        END_OF_USE: end_requested(facts.wishes, last.ends_on, end_of_use_days_before),
        SUSPENSION: bool(facts.suspensions) and not suspended_term_renews,
        PREPAID_USED_UP: used_up,
    }
    reason = next((name for name, holds in why.items() if holds), None)
    ends_on = last.ends_on if reason is not None else None
    if ends_on is not None and today >= ends_on:
        return ContractState(*of, "ended", last.method, last, used_up, ends_on, reason)
    suspended_for = _first(facts.suspensions)
    state: State = "active" if suspended_for is None else "suspended"
    return ContractState(*of, state, last.method, last, used_up, ends_on, suspended_for=suspended_for)


def _used_up(facts: ContractFacts, last: LastTerm) -> bool:
    """Whether a coupon or key pays for this term as the last, and nothing pays for the next."""
    following = method_of_term(
        seq=last.seq + 1,
        current=last.method,
        prepaid_terms=prepaid_terms(facts.paid_months, facts.interval),
        prepaid_method=facts.prepaid_method,
        fallback=facts.fallback,
        changes=[(wish.at, wish.method) for wish in facts.wishes if wish.method is not None],
        starts_at=day_start_at(last.ends_on),
    )
    return following is None


def _first(suspensions: Sequence[OpenSuspension]) -> str | None:
    return suspensions[0].reason if suspensions else None
