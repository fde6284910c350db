"""What stands between the real Stripe client and localstripe in the tests: keys, clocks, books and faults.

    StripeClient ──HTTP──> this proxy ──HTTP──> localstripe (a process of its own)

It adds what localstripe lacks (idempotency keys, lists filtered by customer and time, fees, disputes), dates
what is made by the test's own clock, and injects the faults that a test asks for:

    lost       the request goes through, the answer is cut off
    reset      the connection is cut before anything happens
    error_500  an answer that says nothing; nothing happened
    busy       429 with Retry-After: 0
    stall      nothing happens, and no answer comes until the client gives up
    late       the client gets no answer; the request goes through only when `release()` is called
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import ClientSession, web

FAULTS = ("lost", "reset", "error_500", "busy", "stall", "late")
STAMPED = ("charges", "payment_intents", "refunds", "balance_transactions", "events")
KEY = "sk_test_12345"

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
    """A running proxy; `url` is the base address for the client."""

    url: str = ""
    upstream: str = ""
    fault: Fault = no_fault
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    stall_seconds: float = 5.0
    fee_per_mille: int = 36
    shuffle: random.Random | None = None
    answers: dict[str, tuple[str, int, str] | None] = field(default_factory=dict)
    created: dict[str, int] = field(default_factory=dict)
    calls: list[tuple[str, str]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    waiting: list[tuple[str, str, bytes, dict[str, str], str | None]] = field(default_factory=list)
    disputes: dict[str, dict[str, Any]] = field(default_factory=dict)
    changed: dict[str, dict[str, Any]] = field(default_factory=dict)
    extra_transactions: list[dict[str, Any]] = field(default_factory=list)
    extra_events: list[dict[str, Any]] = field(default_factory=list)
    sources: dict[str, dict[str, Any]] = field(default_factory=dict)
    payouts: list[dict[str, Any]] = field(default_factory=list)
    paid_by: dict[str, str] = field(default_factory=dict)
    loop: asyncio.AbstractEventLoop | None = None
    client: ClientSession | None = None

    # what tests ask

    def ask(self, method: str, path: str, data: dict[str, str] | None = None) -> Any:
        """Ask localstripe directly, past keys and faults."""
        assert self.loop is not None
        body = "&".join(f"{name}={value}" for name, value in (data or {}).items()).encode()
        asked = asyncio.run_coroutine_threadsafe(self._forward(method, path, body), self.loop)
        status, text = asked.result(600)
        assert status < 300, (status, text)
        return json.loads(text)

    def all_of(self, kind: str) -> list[dict[str, Any]]:
        """Every object of a kind, newest first, with the test's own times."""
        assert self.loop is not None
        return asyncio.run_coroutine_threadsafe(self._list(kind), self.loop).result(600)

    def forget(self) -> None:
        """A Stripe on which nothing has happened yet."""
        assert self.loop is not None
        asyncio.run_coroutine_threadsafe(self._forward("DELETE", "/_config/data", b""), self.loop).result(600)
        fresh = Proxy(self.url, self.upstream)
        for name in ("answers", "created", "calls", "keys", "waiting", "disputes", "sources", "payouts", "paid_by"):
            setattr(self, name, getattr(fresh, name))
        self.extra_transactions, self.extra_events, self.fault = [], [], no_fault

    def release(self) -> int:
        """Let what was held back go through now."""
        assert self.loop is not None
        return asyncio.run_coroutine_threadsafe(self._release(), self.loop).result(600)

    def dispute(self, intent_id: str, fee: int = 1_500) -> str:
        """A cardholder disputes a payment: the money and a fee leave the balance."""
        intent = self.ask("GET", f"/v1/payment_intents/{intent_id}")
        number = f"dp_{len(self.disputes) + 1:04d}"
        self.disputes[number] = {
            "id": number,
            "object": "dispute",
            "amount": intent["amount"],
            "currency": "jpy",
            "charge": intent["latest_charge"]["id"],
            "payment_intent": intent_id,
            "status": "needs_response",
            "balance_transactions": [{"amount": -intent["amount"], "fee": fee, "net": -intent["amount"] - fee}],
            "created": self._now(),
            "metadata": {},
        }
        self._move(number, -intent["amount"], fee)
        self._tell("charge.dispute.created", self.disputes[number])
        return number

    def fail_refund(self, refund_id: str, tell: str = "refund.failed") -> None:
        """The card's bank sends a refund back, which localstripe never does."""
        refund = self.ask("GET", f"/v1/refunds/{refund_id}")
        self.changed[refund_id] = {"status": "failed", "failure_reason": "lost_or_stolen_card"}
        self._move(refund_id, refund["amount"], 0, kind="refund_failure")
        self._tell(tell, {**refund, **self.changed[refund_id]})

    def pay_out(self) -> str:
        """An automatic payout of all that no earlier one took: localstripe knows euros only."""
        number = f"po_{len(self.payouts) + 1:04d}"
        taken = [each for each in self.all_of("balance_transactions") if each["id"] not in self.paid_by]
        members = [each for each in taken if each["type"] != "payout"]
        self.paid_by |= {each["id"]: number for each in members}
        amount = sum(each["net"] for each in members)
        payout = {"id": number, "object": "payout", "amount": amount, "currency": "jpy", "status": "paid"}
        self.payouts.append({**payout, "automatic": True, "created": self._now(), "arrival_date": self._now()})
        self._move(number, -amount, 0, kind="payout")
        self._tell("payout.paid", payout)
        return number

    def close_dispute(self, number: str, won: bool) -> None:
        """The bank decided."""
        dispute = self.disputes[number]
        dispute["status"] = "won" if won else "lost"
        if won:
            self._move(number, dispute["amount"], 0)
        self._tell("charge.dispute.closed", dispute)

    # what the client asks

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        method, path = request.method, request.path
        self.calls.append((method, path))
        if not request.headers.get("Authorization", "").startswith("Bearer sk_"):
            return _error(401, "invalid_request_error", "no such key")
        key = request.headers.get("Idempotency-Key")
        fault = self.fault(method, path)
        if fault == "reset":
            return _cut(request)
        if fault == "error_500":
            return _error(500, "api_error", "no answer today", headers={"Stripe-Should-Retry": "false"})
        if fault == "busy":
            return _error(429, "rate_limit_error", "too many requests", headers={"Retry-After": "0"})
        if fault == "stall":
            await asyncio.sleep(self.stall_seconds)
            return _cut(request)
        if method == "GET":
            return await self._read(request)
        known = self._known(key, path, body)
        if known is not None:
            return known
        if fault == "late":
            self._begin(key)
            self.waiting.append((method, path, body, {}, key))
            await asyncio.sleep(self.stall_seconds)
            return _cut(request)
        status, text = await self._write(method, path, body, key)
        return _cut(request) if fault == "lost" else _answer(status, text)

    def _known(self, key: str | None, path: str, body: bytes) -> web.Response | None:
        """The first answer again; a refusal while that is under way or where the parameters differ."""
        if key is None or key not in self.answers:
            return None
        answer = self.answers[key]
        if answer is None:
            return _error(409, "idempotency_error", "a request with this key is under way")
        asked, status, text = answer
        if asked != f"{path}?{body.decode()}":
            return _error(400, "idempotency_error", "the key was used with other parameters")
        return _answer(status, text, headers={"Idempotent-Replayed": "true"})

    def _begin(self, key: str | None) -> None:
        if key is not None:
            self.keys.append(key)
            self.answers[key] = None

    async def _write(self, method: str, path: str, body: bytes, key: str | None) -> tuple[int, str]:
        self._begin(key)
        status, text = await self._forward(method, path, body)
        for kind in STAMPED:
            await self._list(kind, 200)  # what is new; all of them every time made long runs ever slower
        text = self._stamped(text)
        if key is not None:
            self.answers[key] = (f"{path}?{body.decode()}", status, text)
        return status, text

    async def _release(self) -> int:
        held, self.waiting = self.waiting, []
        for method, path, body, _, key in held:
            if key is not None:
                self.answers.pop(key, None)
            await self._write(method, path, body, key)
        return len(held)

    async def _read(self, request: web.Request) -> web.Response:
        parts = request.path.removeprefix("/v1/").split("/")
        if parts[0] == "disputes":
            if len(parts) == 2:
                found = self.disputes.get(parts[1])
                return _answer(200, json.dumps(found)) if found else _error(404, "invalid_request_error", "no dispute")
            return self._page(list(reversed(self.disputes.values())), request)
        if len(parts) > 1:
            status, text = await self._forward("GET", request.path_qs, b"")
            return _answer(status, self._stamped(text))
        if parts[0] == "payouts":
            return self._page(list(reversed(self.payouts)), request)
        found_all = await self._list(parts[0])
        if parts[0] == "events" and self.shuffle is not None:
            found_all = [each for each in found_all for _ in range(self.shuffle.choice((1, 1, 2)))]
        return self._page(found_all, request)

    def _page(self, found: list[dict[str, Any]], request: web.Request) -> web.Response:
        """Filter and cut a list as Stripe does: created, customer, limit, starting_after."""
        query = dict(parse_qsl(request.query_string))
        if "customer" in query:
            found = [each for each in found if each.get("customer") == query["customer"]]
        for sign, holds in (("gte", int.__ge__), ("gt", int.__gt__), ("lte", int.__le__), ("lt", int.__lt__)):
            bound = query.get(f"created[{sign}]")
            if bound is not None:
                found = [each for each in found if holds(each["created"], int(bound))]
        if "payout" in query:
            found = [each for each in found if self.paid_by.get(each["id"]) == query["payout"]]
        if query.get("expand[0]") == "data.source":
            found = [{**each, "source": self.sources.get(each["source"], each["source"])} for each in found]
        after = query.get("starting_after")
        if after is not None:
            place = max(number for number, each in enumerate(found) if each["id"] == after)
            found = found[place + 1 :]
        limit = int(query.get("limit", "10"))
        page = found[:limit]
        if self.shuffle is not None and request.path == "/v1/events" and len(found) <= limit:
            page = self.shuffle.sample(page, len(page))
        return _answer(200, json.dumps({"object": "list", "data": page, "has_more": len(found) > limit, "url": ""}))

    # localstripe, the clock, the books

    async def _forward(self, method: str, path: str, body: bytes) -> tuple[int, str]:
        assert self.client is not None
        headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/x-www-form-urlencoded"}
        async with self.client.request(method, self.upstream + path, data=body or None, headers=headers) as answer:
            return answer.status, await answer.text()

    async def _list(self, kind: str, newest: int = 1_000_000) -> list[dict[str, Any]]:
        status, text = await self._forward("GET", f"/v1/{kind}?limit={newest}", b"")
        assert status == 200, text
        found = [self._stamp(each) for each in json.loads(text)["data"]]
        if kind in ("charges", "refunds"):
            self.sources |= {each["id"]: each for each in found}
        if kind == "balance_transactions":
            found = [self._with_fee(each) for each in found] + self.extra_transactions
        if kind == "events":
            found += self.extra_events
        return sorted(found, key=lambda each: each["created"], reverse=True)

    def _with_fee(self, transaction: dict[str, Any]) -> dict[str, Any]:
        fee = transaction["amount"] * self.fee_per_mille // 1000 if transaction["type"] == "charge" else 0
        return {**transaction, "fee": fee, "net": transaction["amount"] - fee}

    def _stamp(self, value: dict[str, Any]) -> dict[str, Any]:
        """An object with the test's own time in it: that at which it was seen first."""
        value |= self.changed.get(value.get("id", ""), {})
        if "id" in value and "created" in value:
            value["created"] = self.created.setdefault(value["id"], self._now())
            if "available_on" in value:
                value["available_on"] = value["created"]
        for inner in value.values():
            if isinstance(inner, dict):
                self._stamp(inner)
        return value

    def _stamped(self, text: str) -> str:
        try:
            value = json.loads(text)
        except json.JSONDecodeError:
            return text
        return json.dumps(self._stamp(value)) if isinstance(value, dict) else text

    def _now(self) -> int:
        return int(self.clock().timestamp())

    def _move(self, source: str, amount: int, fee: int, kind: str = "adjustment") -> None:
        number = len(self.extra_transactions) + 1
        self.extra_transactions.append(
            {
                "id": f"txn_adjust{number:04d}",
                "object": "balance_transaction",
                "type": kind,
                "amount": amount,
                "fee": fee,
                "fee_details": [{"type": "stripe_fee", "amount": fee}] if fee else [],
                "net": amount - fee,
                "currency": "jpy",
                "source": source,
                "created": self._now(),
                "available_on": self._now(),
            }
        )

    def _tell(self, kind: str, about: dict[str, Any]) -> None:
        number = len(self.extra_events) + 1
        event = {"id": f"evt_extra{number:04d}", "object": "event", "type": kind, "created": self._now()}
        self.extra_events.append({**event, "data": {"object": dict(about)}})


def _cut(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def _answer(status: int, text: str, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(status=status, text=text, content_type="application/json", headers=headers)


def _error(status: int, kind: str, message: str, headers: dict[str, str] | None = None) -> web.Response:
    return _answer(status, json.dumps({"error": {"type": kind, "message": message}}), headers)
