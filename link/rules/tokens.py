"""What an access token is, and until when (api_link/1.1); one renewed without the customer is one, too.

    asked ─────────────────────────── due ──── expires      expires_in seconds from the instant at which we asked
      └ the partner's clock is never asked     └ from here on it is not used, whatever the partner would say

A grant has generations of tokens. Each renewal answers with the next one, and with it the one before is void.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, Literal

from keizoku.link.rules.ends import GrantEnd, LinkEnd, consent_lapsed, ended_by_itself
from keizoku.link.rules.facts import Customer, Grant, Scope, Token
from keizoku.link.rules.stops import stopped
from keizoku.terms.decision import decides

__all__ = ["GrantState", "grant_end", "grant_state", "is_usable", "lapses_at", "notices_due", "renewal_due_at"]

GrantState = Literal["none", "active", "renewing", "lapsed", "refused", "revoked", "ended", "stopped"]
_OF_CAUSE: Final[dict[str, GrantState]] = {
    "revoked": "revoked",
    "refused": "refused",
    "lapsed": "lapsed",
    "replaced": "ended",
    "base_account_closed": "ended",
    "user_deleted": "ended",
    "partner_ended": "ended",
}


@decides("api_link/1.1")
def is_usable(token: Token, grant: Grant, at: datetime) -> bool:
    """Whether the token may be used at `at`: its generation and its grant live, and it has not expired."""
    return (
        token.asked_at <= at < token.expires_at
        and (token.ended_at is None or at < token.ended_at)
        and (grant.ended_at is None or at < grant.ended_at)
        and consent_lapsed(grant, at) is None
    )


def renewal_due_at(token: Token, ahead_seconds: int) -> datetime | None:
    """From when on it is renewed: so long before its end, at most half of its life; None: it cannot be."""
    if not token.renewable:
        return None
    life = token.expires_at - token.asked_at
    return token.expires_at - min(timedelta(seconds=ahead_seconds), life / 2)


def grant_end(customer: Customer, grant: Grant, at: datetime) -> LinkEnd | None:
    """The first end of a grant that follows from what is recorded by `at`; None: it lives."""
    known = (ended_by_itself(customer, grant, at), consent_lapsed(grant, at), _unrenewed(customer, grant, at))
    return min((end for end in known if end is not None), key=lambda end: end.at, default=None)


def _unrenewed(customer: Customer, grant: Grant, at: datetime) -> LinkEnd | None:
    """A token that cannot be renewed has taken its grant with it."""
    token = customer.token
    if token is None or token.renewable or grant is not customer.grant or at < token.expires_at:
        return None
    return LinkEnd(token.expires_at, "lapsed", "api_link/4.2")


def grant_state(customer: Customer, at: datetime, *, renewing: bool = False) -> GrantState:
    """The state of the customer's last grant as people see it. `renewing`: a renewal of it is under way."""
    grant = customer.grant
    if grant is None or at < grant.granted_at:
        return "none"
    cause: GrantEnd | str | None = grant.ended_cause if grant.ended_at is not None and grant.ended_at <= at else None
    if cause is None:
        end = grant_end(customer, grant, at)
        cause = end.cause if end is not None else None
    if cause is not None:
        return _OF_CAUSE[cause]
    scopes: tuple[Scope, ...] = ("data", "orders") if "orders" in grant.scopes else ("data",)
    if all(stopped(customer, scope, at) is not None for scope in scopes):
        return "stopped"
    return "renewing" if renewing else "active"


def lapses_at(customer: Customer) -> datetime | None:
    """When the living grant lapses unless its customer acts: the end of the consent, or of a token without renewal."""
    grant, token = customer.grant, customer.token
    if grant is None or grant.ended_at is not None:
        return None
    ends = [grant.consent_until]
    if token is not None and not token.renewable:
        ends.append(token.expires_at)
    return min((end for end in ends if end is not None), default=None)


def notices_due(lapses: datetime, granted_at: datetime, days: tuple[int, ...], at: datetime) -> int | None:
    """The least number of days before the end whose notice is due at `at`; None: none is, or it is too late.

    A notice whose instant lies before the grant is none; several that were missed collapse into the nearest.
    """
    if at >= lapses:
        return None
    due = [each for each in days if granted_at < lapses - timedelta(days=each) <= at]
    return min(due, default=None)
