"""Calls to Stripe: how long one that is too many waits, which outcomes are definite and which are not."""

from collections.abc import Callable, Mapping

import pytest
import stripe

from keizoku.billing.gateway.port import GatewayRefusesUsError, UnansweredError
from keizoku.billing.gateway.stripe_calls import BUSY_RETRIES, StripeCalls
from keizoku.pacing import Pace


class Clock:
    """Time that passes only by waiting."""

    def __init__(self) -> None:
        self.now = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def paced(clock: Clock, per_second: float = 1_000_000) -> StripeCalls:
    return StripeCalls(
        stripe.StripeClient("sk_test_none"), Pace(per_second, clock=lambda: clock.now, sleep=clock.sleep), clock.sleep
    )


def busy(headers: Mapping[str, str]) -> stripe.RateLimitError:
    return stripe.RateLimitError("too many", headers=dict(headers))


def failing(*errors: Exception) -> Callable[[stripe.StripeClient], str]:
    left = list(errors)

    def ask(client: stripe.StripeClient) -> str:
        if left:
            raise left.pop(0)
        return "answered"

    return ask


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "86400"}, 60),  # a minute at most: the attempt is looked up later
        ({"Retry-After": "-3"}, 0),
        ({"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, 1),
        ({}, 1),
    ],
)
def test_too_many_requests_wait_as_long_as_asked(headers: Mapping[str, str], seconds: float) -> None:
    clock = Clock()
    assert paced(clock).call(failing(busy(headers))) == "answered"
    assert clock.now == pytest.approx(seconds, abs=0.001)


def test_without_a_word_the_waits_double_and_then_the_outcome_is_unknown() -> None:
    clock = Clock()
    with pytest.raises(UnansweredError, match="too many requests"):
        paced(clock).call(failing(*[busy({})] * (BUSY_RETRIES + 1)))
    assert clock.now == pytest.approx(1 + 2 + 4 + 8 + 16, abs=0.001)


def test_a_hundred_and_sixty_calls_take_two_seconds_at_eighty_a_second() -> None:
    clock = Clock()
    calls = paced(clock, 80)
    for _ in range(161):
        calls.call(failing())
    assert clock.now == pytest.approx(2)


@pytest.mark.parametrize(
    ("error", "becomes"),
    [
        (stripe.APIConnectionError("cut off"), UnansweredError),  # type: ignore[no-untyped-call]
        (stripe.APIError("500", http_status=500), UnansweredError),
        (stripe.IdempotencyError("other parameters"), UnansweredError),
        (stripe.InvalidRequestError("under way", None, http_status=409), UnansweredError),  # type: ignore[no-untyped-call]
        (stripe.InvalidRequestError("no such card", None, http_status=400), stripe.InvalidRequestError),  # type: ignore[no-untyped-call]
        (stripe.CardError("no", None, "card_declined"), stripe.CardError),  # type: ignore[no-untyped-call]
        (stripe.AuthenticationError("who?", http_status=401), GatewayRefusesUsError),
        (stripe.PermissionError("not you", http_status=403), GatewayRefusesUsError),
    ],
)
def test_what_is_definite_and_what_is_not(error: Exception, becomes: type[Exception]) -> None:
    with pytest.raises(becomes) as raised:
        paced(Clock()).call(failing(error))
    assert type(raised.value) is becomes
