"""A server that speaks of Stripe what a night's charges need, slowly and at any rate: a process of its own.

    POST /v1/payment_intents     charges once per idempotency key, after about the latency (±20 %, drawn from the key,
                                 so that answers come in another order than they were asked for)
    GET  /v1/payment_intents     the customer's intents
    GET  /seen                   what was asked: calls, charges, most calls in any second, most at once for one invoice

Everything is in memory; nothing is refused. `python -m tests.benchmarks.card_server --latency-ms 50` prints its port.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import time
import zlib
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl
from urllib.request import urlopen

from aiohttp import ClientSession, TCPConnector, web

PATH = "/v1/payment_intents"


@dataclass
class Cards:
    """The charges made, and what the calls looked like from here."""

    latency_ms: int
    charges: dict[str, dict[str, Any]] = field(default_factory=dict)
    arrivals: deque[float] = field(default_factory=deque)
    under_way: Counter[str] = field(default_factory=Counter)
    calls: int = 0
    most_in_a_second: int = 0
    most_for_one_invoice: int = 0
    first_at: float = 0.0
    last_at: float = 0.0

    async def charge(self, request: web.Request) -> web.Response:
        """One charge per key; the same key is answered the same."""
        self._arrived(time.monotonic())
        asked = dict(parse_qsl(await request.text()))
        key, invoice = request.headers["Idempotency-Key"], asked.get("metadata[keizoku_invoice]", "")
        self.under_way[invoice] += 1
        self.most_for_one_invoice = max(self.most_for_one_invoice, self.under_way[invoice])
        await asyncio.sleep(self.latency_ms / 1000 * (0.8 + zlib.crc32(key.encode()) % 1000 / 2500))
        if key not in self.charges:
            self.charges[key] = {
                "id": f"pi_{len(self.charges) + 1:08d}",
                "object": "payment_intent",
                "amount": int(asked["amount"]),
                "currency": asked["currency"],
                "customer": asked["customer"],
                "status": "succeeded",
                "created": int(time.time()),
                "metadata": {name[9:-1]: value for name, value in asked.items() if name.startswith("metadata[")},
            }
        self.under_way[invoice] -= 1
        return web.json_response(self.charges[key])

    async def list(self, request: web.Request) -> web.Response:
        """Newest first, all on one page."""
        found = [each for each in self.charges.values() if each["customer"] == request.query.get("customer")]
        return web.json_response({"object": "list", "data": found[::-1], "has_more": False, "url": PATH})

    async def seen(self, request: web.Request) -> web.Response:
        """For whoever measures; forgets the calls, not the charges."""
        told = {
            "calls": self.calls,
            "charges": len(self.charges),
            "yen": sum(each["amount"] for each in self.charges.values()),
            "most_in_a_second": self.most_in_a_second,
            "most_for_one_invoice": self.most_for_one_invoice,
            "seconds": self.last_at - self.first_at,
        }
        self.calls = self.most_in_a_second = 0
        self.arrivals.clear()
        return web.json_response(told)

    def _arrived(self, at: float) -> None:
        if not self.calls:
            self.first_at = at
        self.calls += 1
        self.last_at = at
        self.arrivals.append(at)
        while self.arrivals[0] <= at - 1:
            self.arrivals.popleft()
        self.most_in_a_second = max(self.most_in_a_second, len(self.arrivals))


@contextmanager
def running_cards(latency_ms: int) -> Iterator[str]:
    """The server in a process of its own; its address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.card_server", "--latency-ms", str(latency_ms)],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def seen(url: str) -> dict[str, Any]:
    """What the server was asked so far."""
    with urlopen(f"{url}/seen") as answer:  # noqa: S310  the address of our own process
        return dict(json.load(answer))


def capacity(url: str, calls: int, at_once: int = 400) -> float:
    """Charges a second that it answers to a client that keeps so many under way, its latency included."""

    async def ask_all() -> float:
        waiting = iter(range(calls))
        async with ClientSession(connector=TCPConnector(limit=at_once)) as client:

            async def ask() -> None:
                for number in waiting:
                    headers = {"Idempotency-Key": f"capacity-{number}"}
                    body = {"amount": "500", "currency": "jpy", "customer": "cus_capacity"}
                    async with client.post(url + PATH, data=body, headers=headers) as answer:
                        await answer.read()

            begun = time.perf_counter()
            await asyncio.gather(*(ask() for _ in range(at_once)))
            return calls / (time.perf_counter() - begun)

    return asyncio.run(ask_all())


async def _serve(latency_ms: int) -> None:
    cards = Cards(latency_ms)
    application = web.Application()
    application.router.add_post(PATH, cards.charge)
    application.router.add_get(PATH, cards.list)
    application.router.add_get("/seen", cards.seen)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    sys.stdout.write(f"{runner.addresses[0][1]}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="card_server")
    parser.add_argument("--latency-ms", type=int, default=50)
    asyncio.run(_serve(parser.parse_args().latency_ms))
