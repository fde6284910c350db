"""The life of a contract: which terms follow, when it ends, and why.

Decides premium/3.3 (forming, renewal by itself), premium/6.1 (no renewal on request), premium/6.2 and premium/13
(the day on which use ends). Facts in, terms and an end out. Days are JST dates, terms are [starts_on, ends_on).

      approval                      ends_on                        ends_on
         |------- term 0 --------------|------- term 1 --------------|----
         anchor_on                     boundary(anchor, 1)           boundary(anchor, 2)
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import NamedTuple

from keizoku.billing.rules.payment_method import APP_STORE, method_of_term
from keizoku.terms.calendar import Interval, TermRule, boundary, day_start_at
from keizoku.terms.decision import decides

END_OF_USE = "end_of_use"
STORE_STOP = "store_stop"
SUSPENSION = "suspension"
TERMINATION = "termination"
LEFT_SERVICE = "leave_service"
USER_DELETED = "delete_user"
PREPAID_USED_UP = "prepaid_used_up"
SALE_VOID = "sale_void"


@dataclass(frozen=True, slots=True)
class Wish:
    """What the user asked for at an instant: end_of_use, withdraw_end_of_use, change_method (then `method`).

    `store_stop`: what the user asked the app store for, as it is known here.
    """

    kind: str
    at: datetime
    method: str | None = None


class RunningContract(NamedTuple):
    """A contract with at least one term. `next_seq` is the number of the term that would follow."""

    contract_id: int
    account: str
    plan: str
    interval: Interval
    method: str
    anchor_on: date
    next_seq: int
    last_ends_on: date
    last_price_yen: int
    prepaid_terms: int
    prepaid_method: str | None
    fallback: str | None
    wishes: tuple[Wish, ...]


class NewTerm(NamedTuple):
    """A term that should exist: [starts_on, ends_on), used from `starts_at` on."""

    contract_id: int
    account: str
    seq: int
    starts_on: date
    ends_on: date
    follows_on: date | None
    starts_at: datetime
    method: str
    plan: str
    interval: Interval
    price_yen: int
    terms_version: str


@dataclass(frozen=True, slots=True)
class ContractEnd:
    """The first JST day without the contract, from which instant, why, and the clause."""

    contract_id: int
    account: str
    ended_on: date
    ended_at: datetime
    reason: str
    clause: str


class Renewal(NamedTuple):
    """What follows the last term as of a business date."""

    terms: tuple[NewTerm, ...]
    end: ContractEnd | None


@dataclass(frozen=True, slots=True)
class RenewalRules:
    """The choices that bind a renewal (settings and readings), and where price and terms version are looked up."""

    term_rule: TermRule
    end_of_use_days_before: int
    suspended_term_renews: bool
    price_yen: Callable[[str, str, date, bool], int]
    terms_version: Callable[[date], str]


@dataclass(frozen=True, slots=True)
class Approval:
    """An application that is approved at an instant, on its JST day `anchor_on`.

    `agreed_yen`: the price of the first term, as it was shown to the applicant or paid with a key; None: the one in
    force.
    """

    contract_id: int
    account: str
    plan: str
    interval: Interval
    method: str
    approved_at: datetime
    anchor_on: date
    agreed_yen: int | None = None


@decides("premium/13")
def first_term(approval: Approval, rules: RenewalRules) -> NewTerm:
    """The term that begins with the approval, on its JST day and to the instant (reading 14)."""
    plan, anchor_on, agreed_yen = approval.plan, approval.anchor_on, approval.agreed_yen
    return NewTerm(
        contract_id=approval.contract_id,
        account=approval.account,
        seq=0,
        starts_on=anchor_on,
        ends_on=boundary(anchor_on, approval.interval, 1, rules.term_rule),
        follows_on=None,
        starts_at=approval.approved_at,
        method=approval.method,
        plan=plan,
        interval=approval.interval,
        price_yen=rules.price_yen(plan, approval.account, anchor_on, False) if agreed_yen is None else agreed_yen,
        terms_version=rules.terms_version(anchor_on),
    )


@decides("premium/6.1")
def end_requested(wishes: Sequence[Wish], ends_on: date, days_before: int) -> bool:
    """Whether a request not to renew, made in time and not withdrawn before the term's end, stands.

    A request counts up to the last day of the term (less `days_before`); one received later counts for the term
    that has begun. It can be withdrawn until the term ends. A contract that is paid in an app store is stopped there:
    the store's own stop ends it, unless the user goes on with another method.
    """
    if not wishes:
        return False
    deadline_at = day_start_at(ends_on - timedelta(days=days_before))
    end_at = day_start_at(ends_on)
    standing = stopped = elsewhere = False
    for wish in sorted(wishes, key=lambda wish: wish.at):
        if wish.kind == END_OF_USE and wish.at < deadline_at:
            standing = True
        elif wish.at >= end_at:
            break
        elif wish.kind == STORE_STOP:
            stopped = True
        elif wish.kind == "withdraw_end_of_use":
            standing = stopped = False
        elif wish.method is not None:
            elsewhere = wish.method != APP_STORE
            stopped = stopped and elsewhere
    return standing or (stopped and not elsewhere)


def refuse_end_of_use(method: str, wishes: Sequence[Wish]) -> str | None:
    """Why a request to end use cannot be taken here, or None: what is paid in an app store is stopped there.

    Without the store's own stop it would go on charging. Who leaves the store for another method has stopped there.
    """
    if method != APP_STORE:
        return None
    asked = [wish.method for wish in sorted(wishes, key=lambda wish: wish.at) if wish.method is not None]
    if asked and asked[-1] != APP_STORE:
        return None
    return "it is paid in an app store, so its renewal is stopped there"


def use_ends_on(wishes: Sequence[Wish], ends: Iterable[date], days_before: int) -> date | None:
    """The first of the coming term ends at which a standing request ends the contract; None: none of them."""
    return next((ends_on for ends_on in ends if end_requested(wishes, ends_on, days_before)), None)


@decides("premium/3.3")
def decide_renewal(
    contract: RunningContract,
    through: date,
    suspended_on: Callable[[date], bool],
    rules: RenewalRules,
) -> Renewal:
    """Every term that should have begun by `through`, or the end of the contract.

    `suspended_on(day)` is the one derivation of suspension that the delinquency stage uses too: what is suspended
    on the day a term ends is not renewed (setting).
    """
    terms: list[NewTerm] = []
    ends_on, seq = contract.last_ends_on, contract.next_seq
    while ends_on <= through:
        if end_requested(contract.wishes, ends_on, rules.end_of_use_days_before):
            return Renewal(tuple(terms), _end(contract, ends_on, END_OF_USE, "premium/6.1"))
        if not rules.suspended_term_renews and suspended_on(ends_on):
            return Renewal(tuple(terms), _end(contract, ends_on, SUSPENSION, "premium/7.1"))
        method = method_of_term(
            seq=seq,
            current=terms[-1].method if terms else contract.method,
            prepaid_terms=contract.prepaid_terms,
            prepaid_method=contract.prepaid_method,
            fallback=contract.fallback,
            changes=[(wish.at, wish.method) for wish in contract.wishes if wish.method is not None]
            if contract.wishes
            else (),
            starts_at=day_start_at(ends_on),
        )
        if method is None:
            return Renewal(tuple(terms), _end(contract, ends_on, PREPAID_USED_UP, "premium/5.1.1.b"))
        next_ends_on = boundary(contract.anchor_on, contract.interval, seq + 1, rules.term_rule)
        terms.append(
            NewTerm(
                contract_id=contract.contract_id,
                account=contract.account,
                seq=seq,
                starts_on=ends_on,
                ends_on=next_ends_on,
                follows_on=ends_on,
                starts_at=day_start_at(ends_on),
                method=method,
                plan=contract.plan,
                interval=contract.interval,
                price_yen=contract.last_price_yen  # what was paid in advance keeps the price at which it was paid
                if seq < contract.prepaid_terms
                else rules.price_yen(contract.plan, contract.account, ends_on, True),
                terms_version=rules.terms_version(ends_on),
            )
        )
        ends_on, seq = next_ends_on, seq + 1
    return Renewal(tuple(terms), None)


@decides("premium/6.2", "premium/7.1")
def end_now(contract_id: int, account: str, at: datetime, on: date, reason: str) -> ContractEnd:
    """Leaving the service, a deleted user id, a termination: use ends at that instant, nothing is refunded."""
    clause = "premium/7.1" if reason == TERMINATION else "premium/6.2"
    return ContractEnd(contract_id, account, on, at, reason, clause)


def _end(contract: RunningContract, ends_on: date, reason: str, clause: str) -> ContractEnd:
    return ContractEnd(contract.contract_id, contract.account, ends_on, day_start_at(ends_on), reason, clause)
