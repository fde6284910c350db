"""What is known of one customer's link, as values: facts, rulings, grants, tokens, stops.

Instants are aware; an end is the first instant at which a thing holds no more (periods are half-open).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Scope = Literal["data", "orders"]
"""What a customer asks for; a grant for orders is one for data, too."""


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that happened to the customer: partner_account_opened, rules_consented, base_account_closed, …"""

    kind: str
    occurred_at: datetime
    rules_version: str | None = None


@dataclass(frozen=True, slots=True)
class Ruling:
    """What people ruled on a clause whose text is not at hand, and from when on."""

    clause: str  # without the contract's name: 4.3
    met: bool
    occurred_at: datetime


@dataclass(frozen=True, slots=True)
class Grant:
    """The customer's permission to us, as the partner gave it."""

    id: int
    scopes: tuple[str, ...]
    granted_at: datetime
    consent_until: datetime | None = None  # the partner lets it lapse then
    ended_at: datetime | None = None
    ended_cause: str | None = None


@dataclass(frozen=True, slots=True)
class Token:
    """One generation of a grant's token. The token itself is not here."""

    generation: int
    asked_at: datetime
    expires_at: datetime
    renewable: bool
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Stop:
    """A stop or a change of the service: by whom, of what, from when to when, and when it was announced."""

    id: int
    kind: Literal["stop", "change"]
    whose: Literal["partner", "operator"]
    scope: Literal["all", "data", "orders"]
    account: str | None  # None: of every customer
    clause: str  # 5.7, 10.4 or 11.2
    what: str
    from_at: datetime
    ended_at: datetime | None = None
    announced_at: datetime | None = None  # the first announcement


@dataclass(frozen=True, slots=True)
class Customer:
    """All that is known of a customer, in the order of recording."""

    account: str
    facts: tuple[Fact, ...] = ()
    rulings: tuple[Ruling, ...] = ()
    grants: tuple[Grant, ...] = ()
    token: Token | None = None  # the living generation of the last grant
    stops: tuple[Stop, ...] = ()
    user_deleted_at: datetime | None = None  # as the premium service's records have it

    @property
    def grant(self) -> Grant | None:
        """The last grant, living or ended."""
        return self.grants[-1] if self.grants else None


def latest(facts: Sequence[Fact], kinds: tuple[str, ...], at: datetime) -> Fact | None:
    """The last of these kinds that had happened by `at`; of one instant, the one recorded last."""
    found: Fact | None = None
    for fact in facts:
        if fact.kind in kinds and fact.occurred_at <= at and (found is None or fact.occurred_at >= found.occurred_at):
            found = fact
    return found
