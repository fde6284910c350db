"""What the double remembers: accounts in two modes, their objects, events and balance, and its own clock."""

from __future__ import annotations

import copy
import heapq
import random
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from tests.stripe_double.refused import missing

Thing = dict[str, Any]
ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
EVENTS_KEPT_SECONDS = 30 * 86_400
ADDRESS: Thing = dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state"))
PREFIXES = {
    "customer": "cus_",
    "payment_method": "pm_",
    "payment_intent": "pi_",
    "setup_intent": "seti_",
    "charge": "ch_",
    "refund": "re_",
    "dispute": "dp_",
    "payout": "po_",
    "balance_transaction": "txn_",
    "event": "evt_",
}


def newest_first(things: Iterable[Thing]) -> list[Thing]:
    """By time, and of the same second what was made later first."""
    found = list(things)
    found.reverse()
    found.sort(key=lambda each: int(each.get("created", 0)), reverse=True)
    return found


class Clock:
    """The double's own time: that of the machine, moved by a test, or the one that a test's request carries."""

    def __init__(self) -> None:
        self.fixed: float | None = None
        self.ahead = 0.0

    def __call__(self) -> int:
        return int(self.exact())

    def exact(self) -> float:
        """Seconds since 1970."""
        return self.fixed if self.fixed is not None else time.time() + self.ahead

    def advance(self, seconds: float) -> None:
        """Move it on."""
        if self.fixed is not None:
            self.fixed += seconds
        else:
            self.ahead += seconds


@dataclass
class Settings:
    """What a test may set for an account in one mode."""

    fee_per_mille: int = 36
    fee_tax_percent: int = 0  # of the fee, shown as tax in fee_details and contained in the fee
    dispute_fee: int = 1_500
    available_after_seconds: int = 0
    balance_after_seconds: int = 0  # a charge succeeds at once, its balance transaction is there so much later


@dataclass
class Books:
    """One account in one mode: what exists there."""

    world: World
    account: str
    live: bool
    objects: dict[str, dict[str, Thing]] = field(default_factory=dict)
    settings: Settings = field(default_factory=Settings)
    paid_by: dict[str, str] = field(default_factory=dict)  # balance transaction: the payout that it is part of
    next_outcomes: dict[str, deque[Thing]] = field(default_factory=dict)  # by payment method, customer or "*"
    cards: dict[str, Any] = field(default_factory=dict)  # payment method: its test card
    set_up: set[str] = field(default_factory=set)  # payment methods whose holder confirmed them for later use
    let_go: set[str] = field(default_factory=set)  # payment methods that were a customer's once
    lost_events: deque[str] = field(default_factory=deque)  # kinds of which the next one never shows
    shuffled: int | None = None  # a seed: lists of events come doubled and out of order
    counted: int = 0

    @property
    def mode(self) -> str:
        """live or test."""
        return "live" if self.live else "test"

    def now(self) -> int:
        """The double's time."""
        return self.world.clock()

    def all(self, kind: str) -> Iterable[Thing]:
        """Every object of a kind, oldest first."""
        return self.objects.get(kind, {}).values()

    def add(self, kind: str, thing: Thing) -> Thing:
        """Keep a new object."""
        self.counted += 1
        self.objects.setdefault(kind, {})[thing["id"]] = thing
        return thing

    def new_id(self, kind: str) -> str:
        """An id as Stripe makes them."""
        dice = self.world.dice
        return PREFIXES[kind] + "".join(dice.choice(ALPHABET) for _ in range(24))

    def get(self, kind: str, asked: str, param: str | None = None, *, in_path: bool = False) -> Thing:
        """An object by its id; what is not there is refused, with a word on where it is."""
        found = self.objects.get(kind, {}).get(asked)
        if found is not None:
            return found
        other = self.world.books.get((self.account, not self.live))
        there = other is not None and asked in other.objects.get(kind, {})
        elsewhere = ("test" if self.live else "live") if there else None
        raise missing(kind, asked, param or ("id" if kind != "payment_intent" else "intent"),
                      in_path=in_path, elsewhere=elsewhere)  # fmt: skip

    # what follows from what happens

    def tell(self, kind: str, about: Thing, previous: Thing | None = None) -> None:
        """An event with a snapshot of the object."""
        if self.lost_events and self.lost_events[0] in (kind, "*"):
            self.lost_events.popleft()
            return
        data: Thing = {"object": copy.deepcopy(about)}
        if previous is not None:
            data["previous_attributes"] = copy.deepcopy(previous)
        self.add(
            "event",
            {
                "id": self.new_id("event"),
                "object": "event",
                "api_version": self.world.version,
                "created": self.now(),
                "data": data,
                "livemode": self.live,
                "pending_webhooks": 0,
                "request": {"id": self.world.request_id, "idempotency_key": self.world.request_key},
                "type": kind,
            },
        )

    def move(
        self,
        kind: str,
        amount: int,
        source: str | None,
        *,
        fee: int = 0,
        fee_details: list[Thing] | None = None,
        currency: str = "jpy",
        category: str | None = None,
        description: str | None = None,
        at_once: bool = False,
    ) -> Thing:
        """A movement of the balance: amount and fee with their signs, net = amount - fee."""
        if fee_details is None:
            fee_details = self._fee_details(fee, currency)
        at = self.now()
        available = at if at_once else at + self.settings.available_after_seconds
        return self.add(
            "balance_transaction",
            {
                "id": self.new_id("balance_transaction"),
                "object": "balance_transaction",
                "amount": amount,
                "available_on": available,
                "balance_type": "payments",
                "created": at,
                "currency": currency,
                "description": description,
                "exchange_rate": None,
                "fee": fee,
                "fee_details": fee_details,
                "net": amount - fee,
                "reporting_category": category or kind,
                "source": source,
                "status": "available" if available <= at else "pending",
                "type": kind,
            },
        )

    def _fee_details(self, fee: int, currency: str) -> list[Thing]:
        if not fee:
            return []
        tax = fee * self.settings.fee_tax_percent // (100 + self.settings.fee_tax_percent)
        parts = [("stripe_fee", fee - tax, "Stripe processing fees"), ("tax", tax, "Consumption tax")]
        return [
            {"amount": amount, "application": None, "currency": currency, "description": said, "type": kind}
            for kind, amount, said in parts
            if amount
        ]


class World:
    """Every account, in both modes, and whatever is to happen by itself later."""

    def __init__(self, version: str, seed: int = 1) -> None:
        self.version = version
        self.clock = Clock()
        self.dice = random.Random(seed)  # noqa: S311  ids of a test
        self.books: dict[tuple[str, bool], Books] = {}
        self.request_id: str | None = None
        self.request_key: str | None = None
        self._later: list[tuple[int, int, Callable[[], object]]] = []
        self._counted = 0

    def of(self, account: str, live: bool) -> Books:
        """The books of an account in one mode, made when they are first asked for."""
        return self.books.setdefault((account, live), Books(self, account, live))

    def later(self, seconds: int, act: Callable[[], object]) -> None:
        """Something that happens so many seconds from now, by the double's clock."""
        self._counted += 1
        heapq.heappush(self._later, (self.clock() + seconds, self._counted, act))

    def catch_up(self) -> None:
        """Let happen what is due."""
        while self._later and self._later[0][0] <= self.clock():
            heapq.heappop(self._later)[2]()

    def forget(self) -> None:
        """Nothing has happened yet, in any account; settings of a test go as well."""
        self.books.clear()
        self._later.clear()
