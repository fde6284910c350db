"""The double of Stripe as a benchmark's gateway: with members whose cards are saved, and a latency of its own.

Every answer takes about the latency (±20 %, drawn from the key, so that answers come in another order than they were
asked for). What it was asked is counted there: calls, charges, most calls in any second, most at once for one invoice.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from aiohttp import ClientSession, TCPConnector

from tests.stripe_double.access import SECRET
from tests.stripe_double.running import Controls, running_double
from tests.stripe_double.server import VERSION

PATH = "/v1/payment_intents"
KEY = SECRET


@contextmanager
def running_cards(latency_ms: int, members: int) -> Iterator[str]:
    """The double in a process of its own, with `cus_1`, `pm_1` and so on; its address."""
    with running_double(latency_ms=latency_ms) as double:
        double("members", count=members)
        yield double.url
        assert double("violations") == []


def seen(url: str) -> dict[str, Any]:
    """What it was asked about charges since this was last asked for; the charges are all that there are."""
    double = Controls(url)
    asked = [each for each in double("requests", forget=True) if each["path"] == PATH]
    charges = [each for each in double("all", kind="payment_intent") if each["status"] == "succeeded"]
    return {
        "calls": len(asked),
        "charges": len(charges),
        "yen": sum(each["amount"] for each in charges),
        "most_in_a_second": _most_in_a_second([each["began"] for each in asked]),
        "most_for_one_invoice": _most_for_one_invoice(asked),
        "seconds": asked[-1]["began"] - asked[0]["began"] if asked else 0.0,
    }


def _most_in_a_second(times: list[float]) -> int:
    window: deque[float] = deque()
    most = 0
    for at in times:
        window.append(at)
        while window[0] <= at - 1:
            window.popleft()
        most = max(most, len(window))
    return most


def _most_for_one_invoice(asked: list[dict[str, Any]]) -> int:
    moments = []
    for each in asked:
        invoice = dict(each["params"]).get("metadata[keizoku_invoice]")
        if each["method"] == "POST" and invoice is not None:
            moments += [(each["began"], 1, invoice), (each["ended"], -1, invoice)]
    under_way: Counter[str] = Counter()
    most = 0
    for _, step, invoice in sorted(moments):
        under_way[invoice] += step
        most = max(most, under_way[invoice])
    return most


def capacity(url: str, calls: int, at_once: int = 400) -> float:
    """Charges a second that it answers to a client that keeps so many under way, its latency included."""

    async def ask_all() -> float:
        waiting = iter(range(calls))
        async with ClientSession(connector=TCPConnector(limit=at_once)) as client:

            async def ask() -> None:
                for number in waiting:
                    headers = {
                        "Authorization": f"Bearer {KEY}",
                        "Stripe-Version": VERSION,
                        "Idempotency-Key": f"capacity-{number}",
                    }
                    body = {
                        "amount": "500",
                        "currency": "jpy",
                        "customer": "cus_1",
                        "payment_method": "pm_1",
                        "off_session": "true",
                        "confirm": "true",
                        "allowed_payment_method_types[0]": "card",
                    }
                    async with client.post(url + PATH, data=body, headers=headers) as answer:
                        assert answer.status == 200, await answer.text()

            begun = time.perf_counter()
            await asyncio.gather(*(ask() for _ in range(at_once)))
            return calls / (time.perf_counter() - begun)

    return asyncio.run(ask_all())
