"""The port to a gateway's own books: what it says happened, and how its balance moved.

Only ids, kinds, amounts in whole yen and instants cross it. What it says is kept as it was said; that an event
came is only a reason to fetch again what it speaks of.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class GatewayEvent:
    """Something happened to an object: `kind` in the gateway's words, `about` the object's id."""

    id: str
    kind: str
    about: str
    happened_at: datetime


@dataclass(frozen=True, slots=True)
class Movement:
    """One balance transaction: `amount` as it moved, `net` = amount - fee; `fee_tax` is the tax in the fee.

    `source` is the object that moved the balance, `payment` the payment behind it where there is one.
    """

    id: str
    kind: str
    amount: int
    fee: int
    fee_tax: int
    net: int
    currency: str
    source: str | None
    payment: str | None
    our_key: str | None
    happened_at: datetime
    available_at: datetime


@dataclass(frozen=True, slots=True)
class Payout:
    """Money on its way to the bank; `automatic` ones name the movements that they are made of.

    `state` is the gateway's word (pending, in_transit, paid, failed, canceled); `reconciled`: its movements can be
    listed.
    """

    id: str
    amount: int
    currency: str
    state: str
    automatic: bool
    happened_at: datetime
    arrives_at: datetime
    reconciled: bool = True


NO_MONEY = ("inquiry", "closed", "prevented")
"""States of a dispute in which no money has moved: asked about; over; over before it was one."""


NOWHERE = "nowhere"
"""The state of an object that the gateway does not know, or no more."""


@dataclass(frozen=True, slots=True)
class DisputeMove:
    """A balance transaction of a dispute: `amount` below zero left the balance, above it came back.

    `fee` is what the gateway took with it; below zero: gave back.
    """

    id: str
    amount: int
    fee: int
    happened_at: datetime


@dataclass(frozen=True, slots=True)
class Dispute:
    """A cardholder's dispute of a payment, with all that moved the balance for it.

    `state`: inquiry, closed, prevented (no money moved); open (it left), won (it is over and money came back), lost;
    nowhere (the gateway does not know it). `amount`: what left the balance, else what the cardholder asks about.
    `happened_at`: when the cardholder asked; `closed_at`: when it was decided, where the gateway says so.
    """

    id: str
    payment: str
    amount: int
    state: str
    happened_at: datetime
    moves: tuple[DisputeMove, ...] = ()
    closed_at: datetime | None = None
    currency: str = "jpy"

    @property
    def fee(self) -> int:
        """All fees so far, less what was given back."""
        return sum(each.fee for each in self.moves)


@dataclass(frozen=True, slots=True)
class RefundState:
    """A refund as it stands now, in the gateway's words, or NOWHERE; `failed_at` where the gateway says when."""

    id: str
    state: str
    code: str | None = None
    failed_at: datetime | None = None

    @property
    def failed(self) -> bool:
        """The money came back from the card, or never left: for good."""
        return self.state in ("failed", "canceled")


@dataclass(frozen=True, slots=True)
class KeyedAct:
    """A charge or a refund that was made under one of our keys, as the gateway has it.

    `account` is None for a customer whom neither our rows nor the charge names; `charge_gateway_id` is set for a
    refund.
    """

    gateway_id: str
    key: str
    account: str | None
    invoice_id: int | None
    charge_gateway_id: str | None
    yen: int
    happened_at: datetime


class GatewayBooks(Protocol):
    """What can be read from a gateway's account. All raise `UnansweredError`-like errors of their gateway."""

    def server_now(self) -> datetime | None:
        """The gateway's own clock by its last answer (its Date header), moved on since; None: it told none yet."""
        ...

    def events(self, since: datetime) -> Iterator[GatewayEvent]:
        """Events from an instant on, in any order."""
        ...

    def movements(self, since: datetime) -> Iterator[Movement]:
        """Balance transactions from an instant on, in any order."""
        ...

    def payouts(self, since: datetime) -> Iterator[Payout]:
        """Payouts from an instant on, in any order."""
        ...

    def payout(self, payout: str) -> Payout | None:
        """A payout as it stands now; None where the gateway knows none."""
        ...

    def disputes(self, since: datetime) -> Iterator[Dispute]:
        """Disputes and inquiries that began from an instant on, as they stand now, in any order."""
        ...

    def movements_of(self, payout: str) -> Sequence[str]:
        """The ids of the movements that an automatic payout is made of."""
        ...

    def dispute(self, dispute: str) -> Dispute:
        """A dispute as it stands now."""
        ...
