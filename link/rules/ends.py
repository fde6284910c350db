"""When a link ends by itself (api_link/12.2): the bank account is closed, or the partner ends its service.

    granted ──────────── base account closed ──>          ended at that instant, whenever it is recorded
                             └─ the premium contract ends at the same instant, by its own clause (premium/6.2)

The deletion of a user id is recorded with the bank account's closing, so it counts as (1).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from keizoku.link.rules.facts import Customer, Grant, latest
from keizoku.terms.decision import decides

__all__ = ["GrantEnd", "LinkEnd", "consent_lapsed", "ended_by_itself", "is_closed"]

GrantEnd = Literal["base_account_closed", "user_deleted", "partner_ended", "revoked", "refused", "lapsed", "replaced"]
CLAUSES: Final = {
    "base_account_closed": "api_link/12.2.1",
    "user_deleted": "api_link/12.2.1",
    "partner_ended": "api_link/12.2.2",
    "revoked": "api_link/4.2",
    "refused": "api_link/4.2",
    "lapsed": "api_link/4.2",
    "replaced": "api_link/4.2",
}
"""The clause by which a grant ends, by its cause."""
_BY_FACT: Final[tuple[GrantEnd, ...]] = ("base_account_closed", "partner_ended")


@dataclass(frozen=True, slots=True)
class LinkEnd:
    """That a link ended: at which instant, why, by which clause."""

    at: datetime
    cause: GrantEnd
    clause: str


@decides("api_link/12.2", "api_link/12.2.1", "api_link/12.2.2")
def ended_by_itself(customer: Customer, grant: Grant, at: datetime) -> LinkEnd | None:
    """The first event by `at` that ended the link by itself; None: none did.

    What had closed it before the grant, and was learned after, ends it at the instant of the grant.
    """
    before = is_closed(customer, grant.granted_at)
    if before is not None and grant.granted_at <= at:
        return LinkEnd(grant.granted_at, before.cause, before.clause)
    found = [
        LinkEnd(fact.occurred_at, cause, CLAUSES[cause])
        for fact in customer.facts
        for cause in _BY_FACT
        if fact.kind == cause and grant.granted_at <= fact.occurred_at <= at
    ]
    deleted = customer.user_deleted_at
    if deleted is not None and grant.granted_at <= deleted <= at:
        found.append(LinkEnd(deleted, "user_deleted", CLAUSES["user_deleted"]))
    return min(found, key=lambda end: end.at, default=None)


def is_closed(customer: Customer, at: datetime) -> LinkEnd | None:
    """Whether the service is closed to this customer at `at`, whatever grants there are: none is begun then."""
    base = latest(customer.facts, ("base_account_closed", "base_account_opened"), at)
    if base is not None and base.kind == "base_account_closed":
        return LinkEnd(base.occurred_at, "base_account_closed", CLAUSES["base_account_closed"])
    deleted = customer.user_deleted_at
    if deleted is not None and deleted <= at and (base is None or base.occurred_at <= deleted):
        return LinkEnd(deleted, "user_deleted", CLAUSES["user_deleted"])
    partner = latest(customer.facts, ("partner_ended", "partner_resumed"), at)
    if partner is not None and partner.kind == "partner_ended":
        return LinkEnd(partner.occurred_at, "partner_ended", CLAUSES["partner_ended"])
    return None


def consent_lapsed(grant: Grant, at: datetime) -> LinkEnd | None:
    """Whether the partner's consent has lapsed by `at`."""
    if grant.consent_until is not None and grant.consent_until <= at:
        return LinkEnd(grant.consent_until, "lapsed", CLAUSES["lapsed"])
    return None
