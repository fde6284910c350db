"""What a key may do at Stripe: each right of the documented restricted key tried and named, and whose key it is.

    read    a page of one object                   ──┐
    write   a change of an object that is nowhere  ──┴─> 403: missing │ an answer, or "no such object": have it

Nothing is made or changed: a right is looked at before an object is. What needs a missing right is named beside it, so
that people see what goes on without it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import stripe

from keizoku.billing.gateway.binding import Identity
from keizoku.billing.gateway.port import GatewayRefusesUsError, MissingRightError, UnansweredError
from keizoku.billing.gateway.stripe_calls import StripeCalls

HAVE, MISSING, NO_ANSWER = "have", "missing", "no answer"
NOWHERE: Final = "keizoku_rights_check"
"""The end of ids that no object has."""
_ONE: Final[Any] = {"limit": 1}


@dataclass(frozen=True, slots=True)
class Right:
    """A right as Stripe's page of restricted keys names it, and what Keizoku does with it (en, ja)."""

    name: str
    kind: str  # read, write
    needed_for: tuple[str, str]
    ask: Callable[[stripe.StripeClient], object]


RIGHTS: Final = (
    Right("Customers", "write", ("saving a card", "カードの登録"),
          lambda client: client.v1.customers.update(f"cus_{NOWHERE}", {"metadata": {}})),
    Right("SetupIntents", "write", ("saving a card", "カードの登録"),
          lambda client: client.v1.setup_intents.cancel(f"seti_{NOWHERE}")),
    Right("PaymentMethods", "write", ("giving up a card", "カードの登録解除"),
          lambda client: client.v1.payment_methods.detach(f"pm_{NOWHERE}")),
    Right("PaymentIntents", "write", ("charges", "決済"),
          lambda client: client.v1.payment_intents.cancel(f"pi_{NOWHERE}")),
    Right("Refunds", "write", ("refunds", "返金"),
          lambda client: client.v1.refunds.update(f"re_{NOWHERE}", {"metadata": {}})),
    Right("Charges", "read", ("the books: what moved the balance", "帳簿: 残高の動きの元"),
          lambda client: client.v1.charges.list(_ONE)),
    Right("Disputes", "read", ("disputes; without it nothing is refunded", "異議申立て。ない間は返金しない"),
          lambda client: client.v1.disputes.list(_ONE)),
    Right("Events", "read", ("news between two nights", "夜間処理の間の知らせ"),
          lambda client: client.v1.events.list(_ONE)),
    Right("Balance", "read", ("the clock, the mode", "時計とモードの確認"),
          lambda client: client.v1.balance.retrieve()),
    Right("Balance Transaction Sources", "read", ("the books: fees and payouts", "帳簿: 手数料と入金"),
          lambda client: client.v1.balance_transactions.list(_ONE)),
    Right("Payouts", "read", ("the books: payouts", "帳簿: 入金"),
          lambda client: client.v1.payouts.list(_ONE)),
)  # fmt: skip
"""The documented restricted key (docs/how-to/stripe.md): these rights, no more."""


@dataclass(frozen=True, slots=True)
class RightFound:
    """A right that was tried: have, missing, no answer; `named` is Stripe's own word where it is missing."""

    right: Right
    state: str
    named: str | None = None


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found out about a key: `identity` None where Stripe gave no answer, seconds that our clock is ahead."""

    identity: Identity | None
    version: str | None
    clock_ahead_seconds: int | None
    rights: tuple[RightFound, ...]

    @property
    def missing(self) -> list[RightFound]:
        """The rights that are not there."""
        return [each for each in self.rights if each.state == MISSING]

    @property
    def ok(self) -> bool:
        """Whether every right is there."""
        return all(each.state == HAVE for each in self.rights)

    def to_json(self, lang: str = "en") -> Mapping[str, object]:
        """For programs."""
        return {
            "account": None if self.identity is None else self.identity.account,
            "mode": None if self.identity is None else ("live" if self.identity.livemode else "test"),
            "version": self.version,
            "clock_ahead_seconds": self.clock_ahead_seconds,
            "ok": self.ok,
            "rights": [
                {
                    "right": each.right.name,
                    "kind": each.right.kind,
                    "state": each.state,
                    "needed_for": each.right.needed_for[lang == "ja"],
                    "named": each.named,
                }
                for each in self.rights
            ],
        }


def check(calls: StripeCalls, now: datetime) -> Checked:
    """Try every right, one call each, on calls that are not held to a database's account.

    Raises GatewayRefusesUsError for a key that Stripe does not know at all.
    """
    try:
        identity: Identity | None = calls.whose()
    except UnansweredError:
        identity = None
    rights = tuple(_tried(calls, each) for each in RIGHTS)
    theirs = calls.server_now()
    return Checked(identity, calls.version, None if theirs is None else round((now - theirs).total_seconds()), rights)


def _tried(calls: StripeCalls, right: Right) -> RightFound:
    try:
        calls.ask_freely(right.ask)
    except MissingRightError as error:
        return RightFound(right, MISSING, error.right)
    except UnansweredError:
        return RightFound(right, NO_ANSWER)
    except (stripe.InvalidRequestError, stripe.CardError):  # no such object: but we may
        return RightFound(right, HAVE)
    except GatewayRefusesUsError as error:
        if isinstance(error.__cause__, stripe.PermissionError):  # a refusal that names no right
            return RightFound(right, MISSING)
        raise
    return RightFound(right, HAVE)
