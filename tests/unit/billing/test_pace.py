"""The pace against a limit like Stripe's, on a clock of its own: how much of what is allowed gets through."""

from __future__ import annotations

import heapq
import random
from collections import deque
from typing import Any

import pytest
import stripe

from keizoku.billing.gateway.stripe_calls import StripeCalls, endpoint_of
from keizoku.pacing import Pace, Paces

WORKERS = 16


def share_of(limit: int, told: float, seconds: float, seed: int = 1) -> tuple[float, int]:
    """The share of `limit` calls a second that gets through when we are told `told`, and how many were refused.

    The limit counts any second, as it slides; an answer takes 40 to 60 ms; a call that is refused waits for a new turn.
    """
    dice = random.Random(seed)  # noqa: S311
    now = [0.0]
    pace = Pace(told, clock=lambda: now[0], sleep=lambda _: None)
    let_through: deque[float] = deque()
    through = refused = number = 0
    happens: list[tuple[float, int, str]] = [(0.0, each, "asks") for each in range(WORKERS)]

    def then(after: float, what: str) -> None:
        nonlocal number
        number += 1
        heapq.heappush(happens, (now[0] + after, WORKERS + number, what))

    while True:
        now[0], _, what = heapq.heappop(happens)
        if now[0] > seconds:
            return through / seconds / limit, refused
        if what == "asks":
            then(max(0.0, pace.take() - now[0]) + dice.uniform(0.02, 0.03), "arrives")
        elif what == "arrives":
            while let_through and let_through[0] <= now[0] - 1:
                let_through.popleft()
            if len(let_through) < limit:
                let_through.append(now[0])
                through += 1
                then(dice.uniform(0.02, 0.03), "passed")
            else:
                refused += 1
                then(dice.uniform(0.02, 0.03), "refused")
        else:
            getattr(pace, what)()
            then(0.0, "asks")


@pytest.mark.parametrize("limit", [25, 80, 100])
def test_what_is_allowed_gets_through_where_it_is_set(limit: int) -> None:
    share, refused = share_of(limit, limit, 60)
    assert share >= 0.98
    assert refused <= 5


@pytest.mark.parametrize(("limit", "told"), [(25, 80), (25, 100), (80, 100), (40, 1_000)])
def test_what_is_allowed_is_learned_from_refusals(limit: int, told: float) -> None:
    share, refused = share_of(limit, told, 60)
    assert share >= 0.95
    assert refused <= 0.1 * limit * 60


def test_a_refusal_of_one_endpoint_slows_that_one_and_one_of_all_slows_all() -> None:
    now = [0.0]

    def paces() -> Paces:
        def new() -> Pace:
            return Pace(80, clock=lambda: now[0], sleep=lambda _: None)

        made = Paces(new(), new)
        for second in range(30):
            now[0] += 1 / 8
            made.passed("POST /v1/refunds" if second % 2 else "POST /v1/payment_intents")
        now[0] += 0.01
        return made

    ours = paces()
    ours.refused("POST /v1/payment_intents", "endpoint-rate")
    assert ours.of("POST /v1/payment_intents").per_second == 5  # four got through in a second; one more is tried
    assert (ours.of("POST /v1/refunds").per_second, ours.overall.per_second) == (80, 80)
    ours = paces()
    ours.refused("POST /v1/payment_intents", "global-rate")
    assert (ours.of("POST /v1/payment_intents").per_second, ours.overall.per_second) == (80, 9)
    ours = paces()
    ours.refused("POST /v1/payment_intents", "resource-specific")
    assert (ours.of("POST /v1/payment_intents").per_second, ours.overall.per_second) == (80, 80)


def test_a_customer_who_is_locked_waits_alone() -> None:
    waited: list[float] = []
    held: list[float] = []
    pace = Pace(1_000, sleep=held.append)
    calls = StripeCalls(stripe.StripeClient("sk_test_none"), pace, waited.append)
    locked = stripe.RateLimitError("locked", http_status=429, code="lock_timeout")
    left: list[Any] = [locked, locked]

    def ask(client: stripe.StripeClient) -> str:
        if left:
            raise left.pop()
        return "answered"

    assert calls.call(ask) == "answered"
    assert waited == [0.5, 1.0]
    assert calls.call(lambda _: "another") == "another"
    assert sum(held) < 0.1  # nobody else has waited for it


@pytest.mark.parametrize(
    ("method", "path", "endpoint"),
    [
        ("post", "/v1/payment_intents", "POST /v1/payment_intents"),
        ("get", "/v1/payment_intents?customer=cus_1&limit=100", "GET /v1/payment_intents"),
        ("get", "/v1/refunds/re_1", "GET /v1/refunds/{id}"),
        ("post", "/v1/payment_methods/pm_1/detach", "POST /v1/payment_methods/{id}/detach"),
    ],
)
def test_an_endpoint_is_an_operation_whatever_the_object(method: str, path: str, endpoint: str) -> None:
    assert endpoint_of(method, f"https://api.stripe.com{path}") == endpoint
