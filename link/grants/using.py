"""Uses a customer's token for one call: only while the service is open to the customer, and each use is logged.

    open? (api_link/2, 4, 10.4, 12.2) ──> renewed where due ──> usable? ──> logged, committed ──> the call ──> answer

A token that the partner no longer takes (its daily logout, another token issued meanwhile) is renewed and, for what
only reads, used once more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

import sqlalchemy as sa

from keizoku.db.tables.link.grants import link_token
from keizoku.link.grants.context import Link
from keizoku.link.grants.renewing import renew
from keizoku.link.partner.port import PartnerError, PartnerRefusesUsError
from keizoku.link.records import secrets, uses
from keizoku.link.records.customers import load_customer
from keizoku.link.rules.eligibility import OPEN, use_of_service
from keizoku.link.rules.facts import Customer, Scope
from keizoku.link.rules.tokens import is_usable, renewal_due_at
from keizoku.terms.decision import Decision
from keizoku.terms.refusal import Refused

__all__ = ["Used", "may_use", "token_for", "use_for_reading", "want_open"]

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Used(Generic[Found]):
    """What a call brought, and the row of its use."""

    found: Found
    use_id: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Access:
    """A token that may be used at this instant."""

    grant_id: int
    token_id: int
    text: str


def may_use(link: Link, account: str, scope: Scope, at: datetime) -> Decision:
    """Whether the service is open to the customer, with every condition as a step."""
    customer = load_customer(link.session, account)
    return _decision(link, customer, scope, at)


def want_open(link: Link, account: str, scope: Scope, at: datetime) -> Customer:
    """The customer, to whom the service is open. Raises Refused with every condition that is not met."""
    customer = load_customer(link.session, account)
    decision = _decision(link, customer, scope, at)
    if decision.outcome != OPEN:
        link.session.rollback()
        why = " ".join(decision.render("en")[1:])
        raise Refused("link.closed", f"account {account}: {why}", "record what is missing: `keizoku link`")
    return customer


def token_for(link: Link, account: str, scope: Scope, clock: uses.Elapsing) -> Access:
    """A token that may be used now, renewed first where that is due. Raises Refused."""
    customer = want_open(link, account, scope, clock.at())
    link.session.rollback()
    due_at = renewal_due_at(customer.token, link.rules.discretion.link_renew_ahead_seconds) if customer.token else None
    if due_at is not None and due_at <= clock.at():
        renew(link, account, clock.at())
        customer = want_open(link, account, scope, clock.at())
    grant, token = customer.grant, customer.token
    if grant is None or token is None or not is_usable(token, grant, clock.at()):
        link.session.rollback()
        raise Refused("link.no_token", f"account {account}: its token has ended and was not renewed", "try again later")
    token_id: int = link.session.execute(
        sa.select(link_token.c.id).where(link_token.c.grant_id == grant.id, link_token.c.generation == token.generation)
    ).scalar_one()
    text = secrets.open_secret(link.session, link.ring, token_id, "access")
    if text is None:
        link.session.rollback()
        raise Refused("link.no_token", f"account {account}: its token was destroyed", "the customer links anew")
    return Access(grant.id, token_id, text)


def use_for_reading(
    link: Link,
    account: str,
    scope: Scope,
    purpose: str,
    call: Callable[[str], Found],
    clock: uses.Elapsing,
    *,
    kinds: str | None = None,
) -> Used[Found]:
    """Call with a token; commits the use before and leaves its answer, which is not committed. Raises Refused."""
    try:
        return _use(link, account, scope, purpose, call, clock, kinds)
    except PartnerError as error:
        if error.failure != "unauthorized":
            raise _refused(account, error) from None
    renewal = renew(link, account, clock.at(), only_if_due=False)
    if renewal.outcome != "renewed":
        raise Refused(
            "link.no_token", f"account {account}: the partner no longer takes its token", "the customer links anew"
        )
    try:
        return _use(link, account, scope, purpose, call, clock, kinds)
    except PartnerError as error:
        raise _refused(account, error) from None


def _use(
    link: Link,
    account: str,
    scope: Scope,
    purpose: str,
    call: Callable[[str], Found],
    clock: uses.Elapsing,
    kinds: str | None,
) -> Used[Found]:
    access = token_for(link, account, scope, clock)
    use = uses.Use(access.grant_id, access.token_id, account, purpose, link.author, kinds)
    [use_id] = uses.begin(link.session, [use], clock.at())
    link.session.commit()
    try:
        found = call(access.text)
    except PartnerError as error:
        uses.answer_error(link.session, use_id, error, clock.at())
        link.session.commit()
        raise
    except PartnerRefusesUsError:
        uses.answer(link.session, use_id, clock.at(), "unavailable", "client_refused")
        link.session.commit()
        raise
    return Used(found, use_id, clock.at())


def _decision(link: Link, customer: Customer, scope: Scope, at: datetime) -> Decision:
    return use_of_service(customer, scope, link.rules.discretion.link_needs_rulings, link.policy(at), at)


def _refused(account: str, error: PartnerError) -> Refused:
    return Refused(
        "link.partner_failed",
        f"account {account}: the partner did not answer ({error.failure}: {error.code})",
        "try again later",
    )
