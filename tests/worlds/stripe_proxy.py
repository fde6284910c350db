"""What stands between the real Stripe client and the double of Stripe in the tests: the test's clock, and faults.

    StripeClient ──HTTP──> this proxy, in a thread of the test ──HTTP──> tests.stripe_double, a process of its own

The double refuses what Stripe would refuse and keeps keys, books and states (docs/explanation/stripe-double.md); the
proxy asks the test which fault a call is to have, and says to the double what time it is:

    lost           the request goes through, the answer is cut off
    reset          the connection is cut before anything happens
    error_500      an answer that says nothing; nothing happened, and the key is as good as new
    busy           429 with Retry-After: 0
    stall          nothing happens, and no answer comes until the client gives up
    late           the client gets no answer; the request goes through only when `release()` is called
    kept_500       nothing happened, and the key answers 500 for as long as it is kept
    kept_500_done  it happened, and the key answers 500 for as long as it is kept
    lock_timeout   429: another call is at work on the object
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from aiohttp import ClientError, ClientSession, web

from tests.stripe_double.access import SECRET
from tests.stripe_double.running import Controls
from tests.stripe_double.server import FAULT, NOW, VERSION

FAULTS = ("lost", "reset", "error_500", "busy", "stall", "late", "kept_500", "kept_500_done", "lock_timeout")
KEY = SECRET
_HOPS = {"host", "connection", "content-length", "content-encoding", "transfer-encoding", "date", "server",
         "accept-encoding"}  # fmt: skip

Fault = Callable[[str, str], str | None]
"""Told method and path, says which fault there is to be, or None."""


def no_fault(method: str, path: str) -> str | None:
    return None


def random_faults(seed: int, share: float, kinds: tuple[str, ...] = FAULTS) -> Fault:
    """Faults drawn for calls that move money."""
    dice = random.Random(seed)  # noqa: S311  a test's dice

    def draw(method: str, path: str) -> str | None:
        moves_money = method == "POST" and path in ("/v1/payment_intents", "/v1/refunds")
        return dice.choice(kinds) if moves_money and dice.random() < share else None

    return draw


@dataclass
class Proxy:
    """A running proxy; `url` is the base address for the client, `double` the controls of what is behind it."""

    double: Controls
    url: str = ""
    fault: Fault = no_fault
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    stall_seconds: float = 5.0
    calls: list[tuple[str, str]] = field(default_factory=list)
    loop: asyncio.AbstractEventLoop | None = None
    client: ClientSession | None = None
    _shuffle: random.Random | None = None

    # what tests ask

    def ask(self, method: str, path: str, data: dict[str, str] | None = None, key: str = KEY) -> Any:
        """Ask the double directly, past faults: as a page does, or somebody in the dashboard."""
        body = urlencode(data or {}).encode() if method == "POST" else None
        headers = {"Authorization": f"Bearer {key}", "Stripe-Version": VERSION, NOW: str(self._now())}
        request = Request(self.double.url + path, body, headers, method=method)  # noqa: S310  our own process
        try:
            with urlopen(request, timeout=600) as answer:  # noqa: S310
                return json.load(answer)
        except HTTPError as error:
            raise AssertionError((error.code, error.read().decode())) from error

    def act(self, name: str, /, **asked: Any) -> Any:
        """Ask the double's controls (`/_test/…`), at the test's own time."""
        return self.double(name, now=self._now(), **asked)

    def all_of(self, kind: str) -> list[dict[str, Any]]:
        """Every object of a kind (`charges`), newest first."""
        return list(self.act("all", kind=kind.removesuffix("s")))

    def forget(self) -> None:
        """A Stripe on which nothing has happened yet."""
        self.act("forget")
        self.calls.clear()
        self.fault = no_fault

    def release(self) -> int:
        """Let what was held back go through now."""
        return int(self.act("release")["released"])

    def dispute(self, intent_id: str, fee: int = 1_500, **more: Any) -> str:
        """A cardholder disputes a payment: the money and a fee leave the balance; or asks (`inquiry=True`)."""
        return str(self.act("dispute", intent=intent_id, fee=fee, **more)["id"])

    def close_dispute(self, number: str, won: bool) -> None:
        """The bank decided."""
        self.act("dispute", id=number, status="won" if won else "lost")

    def fail_refund(self, refund_id: str, tell: str = "refund.failed") -> None:
        """The card's bank sends a refund back."""
        self.act("refund", id=refund_id, status="failed", reason="lost_or_stolen_card", tell=[tell])

    def pay_out(self, status: str = "paid") -> str:
        """An automatic payout of all that no earlier one took."""
        return str(self.act("payout", status=status)["id"])

    @property
    def shuffle(self) -> random.Random | None:
        """With dice, events are told twice and out of order."""
        return self._shuffle

    @shuffle.setter
    def shuffle(self, dice: random.Random | None) -> None:
        self._shuffle = dice
        self.act("events", seed=None if dice is None else dice.randrange(2**31))

    def _tell(self, kind: str, about: dict[str, Any]) -> None:
        self.act("event", type=kind, object=about)

    def _now(self) -> float:
        return self.clock().timestamp()

    # what the client asks

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.calls.append((request.method, request.path))
        fault = self.fault(request.method, request.path)
        if fault == "reset":
            return _cut(request)
        if fault == "stall":
            await asyncio.sleep(self.stall_seconds)
            return _cut(request)
        headers = {name: each for name, each in request.headers.items() if name.lower() not in _HOPS}
        headers[NOW] = str(self._now())
        if fault is not None and fault != "lost":
            headers[FAULT] = f"{fault};{self.stall_seconds}"
        assert self.client is not None
        address = self.double.url + request.path_qs
        try:
            async with self.client.request(request.method, address, data=body or None, headers=headers) as answer:
                text = await answer.text()
        except ClientError:
            return _cut(request)
        if fault == "lost":
            return _cut(request)
        # the double's Date goes on: it is the test's own time
        said = {name: each for name, each in answer.headers.items() if name.lower() not in _HOPS - {"date"}}
        said.pop("Content-Type", None)
        return web.Response(status=answer.status, text=text, content_type="application/json", headers=said)


def _cut(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
