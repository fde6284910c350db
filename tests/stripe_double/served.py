"""Which calls of the SDK the double serves, and by what."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.stripe_double import charges, disputes, intents, methods, payouts, refunds, setups
from tests.stripe_double.lists import listed
from tests.stripe_double.sdk.routes import Route
from tests.stripe_double.world import Books, Thing

Handler = Callable[..., Thing]

HANDLERS: dict[tuple[str, str], Handler] = {
    ("account", "retrieve_current"): payouts.account,
    ("account", "retrieve"): payouts.account,
    ("balance", "retrieve"): payouts.balance,
    ("balance_transaction", "retrieve"): payouts.retrieve_transaction,
    ("charge", "retrieve"): charges.retrieve_charge,
    ("customer", "create"): methods.create_customer,
    ("customer", "retrieve"): methods.retrieve_customer,
    ("customer", "update"): methods.update_customer,
    ("customer", "delete"): methods.delete_customer,
    ("dispute", "retrieve"): disputes.retrieve_dispute,
    ("dispute", "update"): disputes.update_dispute,
    ("dispute", "close"): disputes.close_dispute,
    ("event", "retrieve"): payouts.retrieve_event,
    ("payment_intent", "create"): intents.create_intent,
    ("payment_intent", "retrieve"): intents.retrieve_intent,
    ("payment_intent", "update"): intents.update_intent,
    ("payment_intent", "confirm"): intents.confirm_intent,
    ("payment_intent", "capture"): intents.capture_intent,
    ("payment_intent", "cancel"): intents.cancel_intent,
    ("payment_method", "create"): methods.create_method,
    ("payment_method", "retrieve"): methods.retrieve_method,
    ("payment_method", "attach"): methods.attach,
    ("payment_method", "detach"): methods.detach,
    ("payout", "create"): payouts.create_payout,
    ("payout", "retrieve"): payouts.retrieve_payout,
    ("payout", "cancel"): payouts.cancel_payout,
    ("refund", "create"): refunds.create_refund,
    ("refund", "retrieve"): refunds.retrieve_refund,
    ("refund", "update"): refunds.update_refund,
    ("refund", "cancel"): refunds.cancel_refund,
    ("setup_intent", "create"): setups.create_setup,
    ("setup_intent", "retrieve"): setups.retrieve_setup,
    ("setup_intent", "update"): setups.update_setup,
    ("setup_intent", "confirm"): setups.confirm_setup,
    ("setup_intent", "cancel"): setups.cancel_setup,
}
LISTS = {
    "balance_transaction", "charge", "customer", "dispute", "event", "payment_intent", "payment_method", "payout",
    "refund", "setup_intent",
}  # fmt: skip


def handler_of(route: Route) -> Handler | None:
    """What serves a call; None where the double does not."""
    if (route.service, route.name) in HANDLERS:
        return HANDLERS[route.service, route.name]
    if route.name == "list" and route.service in LISTS:
        return lambda books, asked, *_: listed(books, route.service, asked, route.template)
    if (route.service, route.name) == ("customer_payment_method", "list"):
        return _methods_of
    return None


def _methods_of(books: Books, asked: Thing, customer: str) -> Thing:
    books.get("customer", customer, in_path=True)
    wanted: dict[str, Any] = {**asked, "customer": customer}
    return listed(books, "payment_method", wanted, f"/v1/customers/{customer}/payment_methods")
