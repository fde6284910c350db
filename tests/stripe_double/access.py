"""Who may ask, and how often: API keys with their account, mode and rights, and Stripe's limits."""

from __future__ import annotations

import time
from base64 import b64decode
from collections import Counter, defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.stripe_double.refused import StripeRefusesError, no_key, no_right, too_many

ACCOUNT = "acct_1KeizokuOfADouble"
SECRET, LIVE = "sk_test_12345", "sk_live_12345"
RIGHTS = {
    "account": "accounts_kyc_basic",
    "accounts": "accounts_kyc_basic",
    "balance": "balance",
    "balance_transactions": "balance_transaction_source",
    "charges": "charge",
    "customers": "customer",
    "disputes": "dispute",
    "events": "event",
    "payment_intents": "payment_intent",
    "payment_methods": "payment_method",
    "payouts": "payout",
    "refunds": "refund",
    "setup_intents": "setup_intent",
}
"""The right that each first word of a path wants; `rak_…_read`, or `rak_…_write`, which contains it."""


@dataclass(frozen=True, slots=True)
class Key:
    """A secret key, or a restricted one with its rights (`payment_intent_write`, …)."""

    name: str
    account: str
    live: bool
    rights: frozenset[str] | None = None  # None: all

    def check(self, resource: str, method: str) -> None:
        """Raises a 403 where a right is missing."""
        if self.rights is None:
            return
        right = RIGHTS.get(resource, resource)
        wanted = f"{right}_{'read' if method == 'GET' else 'write'}"
        if wanted in self.rights or f"{right}_write" in self.rights:
            return
        raise no_right(self.name, self.account, f"rak_{wanted}")


class KeyRing:
    """Every key that somebody was given."""

    def __init__(self) -> None:
        self._keys = {each.name: each for each in (Key(SECRET, ACCOUNT, live=False), Key(LIVE, ACCOUNT, live=True))}

    def give(self, key: Key) -> None:
        """Another key, or another meaning for one."""
        self._keys[key.name] = key

    def named(self, name: str) -> Key:
        """A key that is known to be there."""
        return self._keys[name]

    def of(self, headers: Mapping[str, str]) -> Key:
        """The key of a request; raises a 401."""
        kind, _, given = headers.get("Authorization", "").partition(" ")
        if kind == "Basic":
            given = b64decode(given).decode().partition(":")[0]
        if given not in self._keys:
            raise no_key(given or None)
        found = self._keys[given]
        wanted = headers.get("Stripe-Account")
        if wanted is not None and wanted != found.account:
            raise StripeRefusesError(
                403, "invalid_request_error",
                f"The provided key does not have access to account '{wanted}' (or that account does not exist). "
                "Application access may have been revoked.", code="account_invalid",
            )  # fmt: skip
        return found


@dataclass
class Limits:
    """Calls a second, over all and on each endpoint, and calls at once; none unless a test sets them.

    Stripe's own are 100 a second (live) or 25 (sandbox) over all, and 25 on an endpoint.
    """

    overall: int | None = None
    endpoint: int | None = None
    at_once: int | None = None
    resource: int | None = None  # updates of one object in an hour; Stripe's own is 1,000 of a PaymentIntent
    endpoints: dict[str, int] = field(default_factory=dict)  # raised, or lowered, for one
    refused: Counter[str] = field(default_factory=Counter)
    _went: defaultdict[str, deque[float]] = field(default_factory=lambda: defaultdict(deque))
    under_way: int = 0

    def pass_one(self, endpoint: str) -> None:
        """Let a call through, or raise a 429 with the reason."""
        if self.at_once is not None and self.under_way > self.at_once:
            self._refuse("global-concurrency")
        now = time.monotonic()
        for name, most, reason in (
            ("", self.overall, "global-rate"),
            (endpoint, self.endpoints.get(endpoint, self.endpoint), "endpoint-rate"),
        ):
            if most is None:
                continue
            went = self._went[name]
            while went and went[0] <= now - 1:
                went.popleft()
            if len(went) >= most:
                self._refuse(reason)
        self._went[""].append(now)
        self._went[endpoint].append(now)
        if self.overall is None and self.endpoint is None and not self.endpoints and self.resource is None:
            self._went.clear()

    def pass_object(self, asked: tuple[str, ...]) -> None:
        """Let an update of an object through, or raise a 429 of its own."""
        now = time.monotonic()
        for name in asked if self.resource is not None else ():
            went = self._went[name]
            while went and went[0] <= now - 3_600:
                went.popleft()
            if len(went) >= (self.resource or 0):
                self._refuse("resource-specific")
            went.append(now)

    def _refuse(self, reason: str) -> None:
        self.refused[reason] += 1
        raise too_many(reason)
