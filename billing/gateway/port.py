"""The port to a card gateway: the few words that billing speaks with whoever moves the money.

Made so that Stripe fits it: a charge carries a key of its own (an idempotency key), an answer may be missing
("unknown"), a charge can be looked up by that key or by our attempt id, and a refund names the charge.
Amounts are whole yen. Only our own ids cross the port, nothing personal.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from keizoku.billing.gateway.books import Dispute, GatewayBooks, KeyedAct, RefundState

BANK_NAMES = ("ストライプ", "STRIPE")
"""What a bank's line of the processor's payout has in its payer's name; an operator may set others."""


class GatewayRefusesUsError(Exception):
    """The gateway refuses our key or our account; nothing can be charged until that is mended."""


class MissingRightError(GatewayRefusesUsError):
    """The key lacks one right: what needs it cannot be done, all else can.

    `right` is the gateway's word for it, `account` whose key it is, where the gateway says so.
    """

    def __init__(self, sentence: str, right: str, account: str | None = None) -> None:
        super().__init__(sentence)
        self.right, self.account = right, account


class UnansweredError(Exception):
    """No definite answer came: what was asked may have happened. Look it up before anything else."""


class ReplayedError(UnansweredError):
    """The gateway repeats a failure that it keeps under our key: asking again under it is of no use, looking up is."""


class Answer(StrEnum):
    """What a gateway said of a charge or a refund."""

    SUCCEEDED = "succeeded"  # the money moved
    DECLINED = "declined"  # a definite no; the code says why
    NEEDS_USER = "needs_user"  # the card holder has to take part (3-D Secure): do not retry alone
    UNKNOWN = "unknown"  # no answer came: the money may have moved
    OURS = "ours"  # our own fault, and nothing moved: no decline; the charge is due as it was


REPLAYED = "replayed"
"""The code of an unknown charge whose key the gateway answers with a failure it has kept: never sent again."""
NOT_SENT = "not_sent"
"""The code of a charge of ours that was not sent this time: an earlier try of the same key may yet have been made."""


@dataclass(frozen=True, slots=True)
class ChargeRequest:
    """One attempt to charge `yen` (whole yen, at least the gateway's minimum) to the account's saved card."""

    key: str
    account: str
    attempt_id: int
    invoice_id: int
    yen: int
    first_sent_at: datetime | None = None  # when the attempt's row was committed


@dataclass(frozen=True, slots=True)
class ChargeResult:
    """The answer to the charge with this key; `code` is the gateway's word for a refusal, `advice` what it advises."""

    key: str
    answer: Answer
    code: str | None = None
    gateway_id: str | None = None
    happened_at: datetime | None = None
    advice: str | None = None


@dataclass(frozen=True, slots=True)
class RefundRequest:
    """Give back `yen` of an earlier charge, to the card it came from."""

    key: str
    account: str
    charge_gateway_id: str
    yen: int


@dataclass(frozen=True, slots=True)
class RefundResult:
    """The answer to the refund with this key."""

    key: str
    answer: Answer
    code: str | None = None
    gateway_id: str | None = None


class Gateway(Protocol):
    """What every gateway can do. `at` is the caller's clock; a gateway with a clock of its own ignores it."""

    name: str
    bank_names: tuple[str, ...]  # the payer of its payouts, as the bank's lines have it

    @property
    def books(self) -> GatewayBooks | None:
        """The gateway's own books, where it has any to read."""
        ...

    def check_account(self) -> None:
        """Raises GatewayRefusesUsError where our key is not that of the account and mode that the rows are bound to.

        Asked before anything is written that is to be sent; an answer that does not come holds nothing up.
        """
        ...

    def charge_many(self, requests: Sequence[ChargeRequest], at: datetime) -> Iterator[ChargeResult]:
        """Charge each request once per key; answers come in any order, one for each request.

        Raises GatewayRefusesUsError only after every request has its answer (`OURS`: nothing was charged).
        """
        ...

    def find_charges(self, requests: Sequence[ChargeRequest], at: datetime) -> Mapping[str, ChargeResult]:
        """Look the requests' charges up; a key that nothing is found for is left out."""
        ...

    def disputes(self, ids: Sequence[str], at: datetime) -> Iterator[Dispute]:
        """The disputes with these ids as they stand now, NOWHERE where there is none; without an answer: left out."""
        ...

    def refunds(self, ids: Sequence[str], at: datetime) -> Iterator[RefundState]:
        """The refunds with these ids as they stand now, NOWHERE where there is none; without an answer: left out."""
        ...

    def refund(self, request: RefundRequest, at: datetime) -> RefundResult:
        """Refund once per key."""
        ...

    def find_refund(self, request: RefundRequest, at: datetime) -> RefundResult | None:
        """Look the request's refund up; None where nothing is found for its key."""
        ...

    def acts_since(self, since: datetime) -> Iterator[KeyedAct]:
        """Every charge and refund that was made under a key of ours from an instant on, in any order.

        Raises UnansweredError where it cannot all be read, or something is still under way.
        """
        ...
