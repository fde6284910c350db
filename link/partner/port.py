"""The port to the partner: the few words that we speak with it.

    authorization_url ─> (the customer at the partner) ─> exchange ─> refresh … ─> revoke
                                                               └─> fetch, send_order, list_orders

There is no call that changes or cancels an order: after it is accepted that is the partner's alone (api_link/6.5).
Numbers of the partner's answers arrive as whole numbers or as decimal text, never as floats.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from keizoku.link.rules.orders import Listed, OrderRequest
from keizoku.terms.refusal import Refused

__all__ = ["NotSentError", "OrderAnswer", "Partner", "PartnerError", "PartnerRefusesUsError", "TokenAnswer"]

Failure = Literal["refused", "unauthorized", "too_many", "unavailable", "no_answer"]


class PartnerError(Exception):
    """The partner did not do what was asked; its message holds no token.

    refused        a definite no: invalid_grant at a renewal, a 400 or 403 elsewhere
    unauthorized   this token is not, or no longer, taken (401)
    too_many       the pace is too fast (429); nothing was done
    unavailable    it answered that it cannot now (5xx)
    no_answer      no answer came: what was asked may have happened
    """

    def __init__(self, failure: Failure, code: str) -> None:
        super().__init__(f"{failure}: {code}")
        self.failure, self.code = failure, code


class PartnerRefusesUsError(Refused):
    """The partner refuses our own client (its id, its key, a scope); nothing can be asked until that is mended."""

    def __init__(self, code: str) -> None:
        super().__init__(
            "link.client_refused", f"the partner refuses our client: {code}", "mend its id, key, scopes or clock"
        )


class NotSentError(PartnerError):
    """The call never left: no connection was made."""

    def __init__(self, code: str) -> None:
        super().__init__("no_answer", code)


@dataclass(frozen=True, slots=True)
class TokenAnswer:
    """A token as the partner issued it. The texts are shown nowhere: not in a log, an error or a trace."""

    access: str = field(repr=False)
    refresh: str | None = field(repr=False)
    expires_in: int  # seconds from when it was asked for


@dataclass(frozen=True, slots=True)
class OrderAnswer:
    """What the partner answered to an order: accepted with its number (it has happened that none came), or refused."""

    accepted: bool
    partner_id: str | None = None
    code: str | None = None


class Partner(Protocol):
    """Whoever holds the customer's account."""

    name: str

    def authorization_url(self, scopes: Sequence[str], redirect_uri: str, state: str, verifier: str) -> str:
        """Where the customer authorises us (PKCE, S256)."""

    def exchange(self, code: str, verifier: str, redirect_uri: str) -> TokenAnswer:
        """The first token for a code. Raises PartnerError."""

    def refresh(self, refresh_token: str) -> TokenAnswer:
        """The next generation. Raises PartnerError."""

    def revoke(self, token: str) -> None:
        """The token is no longer to be taken. Raises PartnerError."""

    def fetch(self, kind: str, access: str) -> Any:
        """The customer's data of a kind, as JSON values without floats. Raises PartnerError."""

    def send_order(self, wanted: OrderRequest, reference: str, good_until: str | None, access: str) -> OrderAnswer:
        """Pass an order on, once. Raises PartnerError; NotSentError where it did not leave."""

    def list_orders(self, access: str) -> Sequence[Listed]:
        """The customer's orders as the partner has them now; they may lag. Raises PartnerError."""
