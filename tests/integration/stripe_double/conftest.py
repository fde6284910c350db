"""One double for the files of this folder, empty for each test; what violates the types there is meant to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import stripe

from keizoku.billing.gateway.stripe_calls import API_VERSION
from tests.stripe_double.access import SECRET
from tests.stripe_double.running import Controls, running_double

Client = stripe.StripeClient
Clients = Callable[..., Client]
CARD = {"allowed_payment_method_types": ["card"]}


@pytest.fixture(scope="module")
def server() -> Iterator[Controls]:
    with running_double(watched=False) as double:
        yield double


@pytest.fixture
def double(server: Controls) -> Controls:
    """The controls; the clock stands at 2026-04-01 00:00:00 UTC."""
    server("reset")
    server("clock", now=1_775_001_600)
    return server


@pytest.fixture
def clients(double: Controls) -> Clients:
    """A client of any key."""

    def of(key: str = SECRET, version: str = API_VERSION) -> Client:
        return Client(key, base_addresses={"api": double.url}, max_network_retries=0, stripe_version=version)

    return of


@pytest.fixture
def client(clients: Clients) -> Client:
    return clients()


def saved(client: Client, card: str = "pm_card_visa") -> tuple[str, str]:
    """A customer with a card that they confirmed: both ids."""
    customer = client.v1.customers.create({"metadata": {"keizoku_account": "taro"}}).id
    setup: Any = {"customer": customer, "usage": "off_session", "payment_method": card, "confirm": True, **CARD}
    made = client.v1.setup_intents.create(setup)
    assert made.status == "succeeded", made.status
    return customer, str(made.payment_method)


def charge(client: Client, customer: str, method: str, /, key: str | None = None, **more: Any) -> stripe.PaymentIntent:
    """An off-session charge of 500 yen."""
    asked: Any = {"amount": 500, "currency": "jpy", "customer": customer, "payment_method": method,
                  "off_session": True, "confirm": True, **CARD, **more}  # fmt: skip
    return client.v1.payment_intents.create(asked, {"idempotency_key": key} if key else {})


def refused(act: Callable[[], object]) -> dict[str, Any]:
    """What a call is refused with: its status, type, code, parameter and sentence."""
    with pytest.raises(stripe.StripeError) as caught:
        act()
    error: Any = caught.value
    body = (error.json_body or {}).get("error", {})
    return {"error": type(error).__name__, "status": error.http_status,
            **{name: body.get(name) for name in ("type", "code", "param", "message")}}  # fmt: skip


def kinds(client: Client) -> list[str]:
    """The types of all events, oldest first."""
    return [str(each.type) for each in client.v1.events.list({"limit": 100}).data][::-1]
