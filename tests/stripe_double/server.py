"""A request from the wire to its answer: who asks, what, how often, under which key; and what goes wrong on the way."""

from __future__ import annotations

import asyncio
import json
import os
import re
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web
from stripe._api_version import _ApiVersion

from tests.stripe_double import refused
from tests.stripe_double.access import Key, KeyRing, Limits
from tests.stripe_double.keys import Answered, Keys, is_kept
from tests.stripe_double.lists import expanded
from tests.stripe_double.refused import StripeRefusesError, invalid
from tests.stripe_double.sdk.parameters import nested, refusals, typed
from tests.stripe_double.sdk.routes import Route, find
from tests.stripe_double.sdk.shapes import differences, of_error
from tests.stripe_double.served import handler_of
from tests.stripe_double.world import Books, World

VERSION = _ApiVersion.CURRENT
VIOLATIONS = "KEIZOKU_TEST_STRIPE_VIOLATIONS"
"""The file that a run of tests looks into at its end: one line for each request that Stripe's types do not allow."""
FAULT, NOW = "Keizoku-Test-Fault", "Keizoku-Test-Now"
FAULTS = ("lost", "reset", "error_500", "busy", "stall", "late", "kept_500", "kept_500_done", "lock_timeout")


@dataclass
class Call:
    """A request as it came."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    fault: str | None = None
    stall_seconds: float = 5.0

    @property
    def idempotency_key(self) -> str | None:
        """The key of a POST: Stripe takes no notice of one elsewhere."""
        return self.headers.get("Idempotency-Key") if self.method == "POST" else None

    @property
    def asked(self) -> str:
        """What a repeated key is held against."""
        return f"{self.path}?{self.body.decode()}"

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """What was asked for, as it stands in the query or in the form."""
        given = self.query if self.method != "POST" else self.body.decode()
        return parse_qsl(given, keep_blank_values=True)


@dataclass
class Fault:
    """What is to go wrong: how, where, and how often."""

    kind: str
    method: str = "POST"
    path: str = ".*"
    times: int = 1

    def fits(self, call: Call) -> bool:
        """Whether this is such a call."""
        return self.times > 0 and call.method == self.method and bool(re.fullmatch(self.path, call.path))


@dataclass
class Double:
    """The server: what it remembers, and what it was asked."""

    world: World = field(default_factory=lambda: World(VERSION))
    ring: KeyRing = field(default_factory=KeyRing)
    keys: dict[tuple[str, bool], Keys] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    faults: list[Fault] = field(default_factory=list)
    locked: set[str] = field(default_factory=set)  # ids of objects that another call is at work on
    waiting: list[tuple[Call, Key]] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
    violations: list[dict[str, str]] = field(default_factory=list)
    latency_ms: int = 0
    stall_seconds: float = 5.0
    numbered: int = 0

    def books_of(self, key: Key) -> Books:
        """What a key can see."""
        return self.world.of(key.account, key.live)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer a request of /v1, or cut it off where a fault says so."""
        call = Call(request.method, request.path, request.query_string, request.headers, await request.read())
        if NOW in call.headers:
            self.world.clock.fixed = float(call.headers[NOW])
        self._choose_fault(call)
        if call.fault == "reset":
            return _cut(request)
        if call.fault == "stall":
            await asyncio.sleep(call.stall_seconds)
            return _cut(request)
        self.limits.under_way += 1
        try:
            answer = await self._answered(call)
        finally:
            self.limits.under_way -= 1
        if answer is None or call.fault in ("lost", "late"):
            if call.fault == "late":
                await asyncio.sleep(call.stall_seconds)
            return _cut(request)
        return web.Response(
            status=answer.status,
            text=answer.text,
            content_type="application/json",
            headers={"Date": formatdate(self.world.clock.exact(), usegmt=True), "Stripe-Version": VERSION,
                     **answer.headers},
        )  # fmt: skip

    def _choose_fault(self, call: Call) -> None:
        told, _, seconds = call.headers.get(FAULT, "").partition(";")
        call.stall_seconds = float(seconds) if seconds else self.stall_seconds
        call.fault = told or None
        if call.fault is None:
            for each in self.faults:
                if each.fits(call):
                    each.times -= 1
                    call.fault = each.kind
                    break

    async def _answered(self, call: Call) -> Answered | None:
        self.numbered += 1
        number = f"req_{self.numbered:014d}"
        entry: dict[str, Any] = {"method": call.method, "path": call.path, "params": call.pairs,
                                 "key": call.idempotency_key, "fault": call.fault, "began": time.monotonic(),
                                 "ended": None, "status": None}  # fmt: skip
        self.requests.append(entry)
        try:
            answer = await self._let_in(call, number)
        except StripeRefusesError as error:
            self._hold(call, error)
            answer = self._refusal(error, number)
        entry["ended"] = time.monotonic()
        if answer is not None:
            answer.headers.setdefault("Request-Id", number)
            entry["status"] = answer.status
        return answer

    def _refusal(self, error: StripeRefusesError, number: str) -> Answered:
        body = {**error.body, "request_log_url": f"https://dashboard.stripe.com/logs/{number}"}
        return Answered(error.status, json.dumps({"error": body}), dict(error.headers))

    async def _let_in(self, call: Call, number: str) -> Answered | None:
        """Everything that stands before the endpoint begins: nothing of it is kept under the key."""
        if call.fault == "error_500":
            raise refused.no_answer()
        if call.fault == "busy":
            raise StripeRefusesError(429, "invalid_request_error", "Request rate limit exceeded.", code="rate_limit",
                                     headers={"Retry-After": "0", "Stripe-Rate-Limited-Reason": "global-rate"})  # fmt: skip  # noqa: E501
        if call.fault == "lock_timeout":
            raise refused.locked()
        key = self.ring.of(call.headers)
        found = find(call.method, call.path)
        self.limits.pass_one(found[0].endpoint if found else call.path)
        if found is None:
            self._violated(call, f"no such address: {call.method} {call.path}")
            raise refused.no_such_address(call.method, call.path)
        route, ids = found
        if call.method == "POST":
            self.limits.pass_object(ids)
        version = call.headers.get("Stripe-Version")
        if version != VERSION:
            self._violated(call, f"version {version}, not {VERSION}")
            raise invalid(f"Invalid Stripe API version: {version}")
        key.check(route.resource, call.method)
        asked = self._checked(call, route)
        return await self._kept(call, key, route, ids, asked, number)

    def _checked(self, call: Call, route: Route) -> dict[str, Any]:
        """The parameters, with their types; refuses the first that the SDK's types do not allow."""
        schema = route.schema()
        given = nested(call.pairs)
        found = list(refusals(schema, given))
        for each in found:
            self._violated(call, each.message)
        if found:
            raise invalid(found[0].message, found[0].code, found[0].param)
        if call.idempotency_key is not None and len(call.idempotency_key) > 255:
            self._violated(call, f"an idempotency key of {len(call.idempotency_key)} characters")
        asked: dict[str, Any] = typed(schema, given)
        return asked

    async def _kept(
        self, call: Call, key: Key, route: Route, ids: tuple[str, ...], asked: dict[str, Any], number: str
    ) -> Answered | None:
        """The answer of the endpoint, or the first one again where the key was used before."""
        keys = self.keys.setdefault((key.account, key.live), Keys())
        name, now = call.idempotency_key, self.world.clock()
        if name is not None:
            known = keys.known(name, call.asked, now)
            if known is not None:
                return known
        if self.locked & {*ids, *(each for each in asked.values() if isinstance(each, str))}:
            raise refused.locked()
        if call.fault == "late":
            if name is not None:
                keys.begin(name, call.asked, now)
            self.waiting.append((call, key))
            return None
        if name is not None:
            keys.begin(name, call.asked, now)
        answer = None
        try:
            await self._take_time(call)
            answer = self._done(call, key, route, ids, asked, number)
        finally:
            if name is not None:
                keys.end(name, answer)
        return answer

    async def _take_time(self, call: Call) -> None:
        """The latency, ±20 %, drawn from the key: answers come in another order than they were asked for."""
        if self.latency_ms:
            spread = zlib.crc32((call.idempotency_key or call.path).encode()) % 1000
            await asyncio.sleep(self.latency_ms / 1000 * (0.8 + spread / 2500))

    def _done(
        self, call: Call, key: Key, route: Route, ids: tuple[str, ...], asked: dict[str, Any], number: str
    ) -> Answered:
        if call.fault == "kept_500":
            return self._refusal(refused.no_answer(), number)
        try:
            answer = Answered(200, json.dumps(self._executed(call, key, route, ids, asked, number)))
        except StripeRefusesError as error:
            if not is_kept(error):
                raise
            self._hold(call, error)
            answer = self._refusal(error, number)
        return self._refusal(refused.no_answer(), number) if call.fault == "kept_500_done" else answer

    def _executed(
        self, call: Call, key: Key, route: Route, ids: tuple[str, ...], asked: dict[str, Any], number: str
    ) -> dict[str, Any]:
        serve = handler_of(route)
        if serve is None:
            self._violated(call, f"the double does not serve {route.service}.{route.name}")
            raise invalid(f"The double does not serve {route.service}.{route.name}.", status=501)
        self.world.request_id, self.world.request_key = number, call.idempotency_key
        self.world.catch_up()
        books = self.books_of(key)
        try:
            answer = serve(books, asked, *ids)
            answer = expanded(books, answer, list(asked.get("expand") or ()), route.service)
        finally:
            self.world.request_id = self.world.request_key = None
        for line in differences(answer):
            self._violated(call, f"the double's own answer: {line}")
        return answer

    async def release(self) -> int:
        """Let what was held back go through now; how many."""
        held, self.waiting = self.waiting, []
        for call, key in held:
            found = find(call.method, call.path)
            assert found is not None
            call.fault = None
            if call.idempotency_key is not None:
                self.keys[key.account, key.live].end(call.idempotency_key, None)
            self.numbered += 1
            asked = typed(found[0].schema(), nested(call.pairs))
            await self._kept(call, key, *found, asked, f"req_{self.numbered:014d}")
        return len(held)

    def forget(self) -> None:
        """Nothing has happened yet; what violated the types stays known."""
        self.world.forget()
        self.keys.clear()
        self.faults.clear()
        self.locked.clear()
        self.waiting.clear()
        self.requests.clear()

    def _hold(self, call: Call, error: StripeRefusesError) -> None:
        """An error is an answer too."""
        for line in of_error(error.body):
            self._violated(call, f"the double's own error: {line}")

    def _violated(self, call: Call, why: str) -> None:
        found = {"call": f"{call.method} {call.path}", "why": why}
        self.violations.append(found)
        told = os.environ.get(VIOLATIONS)
        if told:
            with Path(told).open("a", encoding="utf-8") as file:
                file.write(f"{found['call']}: {why}\n")


def _cut(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
