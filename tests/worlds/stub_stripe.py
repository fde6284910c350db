"""A Stripe client that answers what a test tells it to: for states and errors that no server can be brought to give.

Objects are the library's own, made from the fields that a test names; an answer that is an exception is raised.
What it is asked has to be what the types of the pinned client allow, as with the double.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any, cast

import stripe

from keizoku.billing.gateway.stripe_calls import StripeCalls
from keizoku.pacing import Pace
from tests.stripe_double.sdk.called import check_call

Answer = Mapping[str, Any] | Exception
CREATED = 1_775_000_000
ACCOUNT = "acct_1Stub"


def intent(status: str, **fields: Any) -> dict[str, Any]:
    """A payment intent in this state."""
    return {"id": "pi_1", "object": "payment_intent", "status": status, "created": CREATED, "metadata": {}, **fields}


def card_error(code: str, **fields: Any) -> stripe.CardError:
    """What the confirm call raises where a card is refused."""
    body = {"error": {"type": "card_error", "code": "card_declined", "decline_code": code, **fields}}
    return stripe.CardError("refused", None, "card_declined", http_status=402, json_body=body)  # type: ignore[no-untyped-call]


def invalid(code: str | None, message: str = "no", status: int = 400) -> stripe.InvalidRequestError:
    """What an invalid request raises."""
    return stripe.InvalidRequestError(message, None, code, http_status=status)  # type: ignore[no-untyped-call]


def missing_right(right: str) -> stripe.PermissionError:
    """What a restricted key without a right is told."""
    return stripe.PermissionError(
        "The provided key 'rk_test_*' does not have the required permissions for this endpoint on account "
        f"'acct_1'. Having the '{right}' permission would allow this request to continue.",
        http_status=403,
    )


class Service:
    """One of the client's services: each method asks `answer` with its name and what it was given."""

    def __init__(self, name: str, answer: Callable[[str, tuple[Any, ...]], Answer], asked: list[str]) -> None:
        self._name, self._answer, self._asked = name, answer, asked

    def __getattr__(self, method: str) -> Callable[..., Any]:
        def ask(*given: Any) -> Any:
            self._asked.append(f"{self._name}.{method}")
            check_call(self._name, method, given)
            said = self._answer(f"{self._name}.{method}", given)
            if isinstance(said, Exception):
                raise said
            return stripe.convert_to_stripe_object(dict(said), api_mode="V1")

        return ask


def stub_calls(answer: Callable[[str, tuple[Any, ...]], Answer], *, services: tuple[str, ...] = ()) -> Any:
    """Calls to a stub that answers like this, and the names of what was asked: (calls, asked)."""
    names = services or ("payment_intents", "refunds", "disputes", "payouts", "balance_transactions", "events")
    asked: list[str] = []
    v1 = SimpleNamespace(**{name: Service(name, answer, asked) for name in names})
    v1.accounts = SimpleNamespace(retrieve_current=lambda: SimpleNamespace(id=ACCOUNT))
    client = cast("stripe.StripeClient", SimpleNamespace(v1=v1))
    return StripeCalls(client, Pace(1_000_000), sleep=lambda _: None, live=False), asked
