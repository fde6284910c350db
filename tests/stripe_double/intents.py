"""PaymentIntents through all their states, and the charges that come of them."""

from __future__ import annotations

from typing import Any

from tests.stripe_double.cards import Card, Decline
from tests.stripe_double.charges import charge_for, failed_charge, settle
from tests.stripe_double.methods import card_error, customer_of, metadata, method_of
from tests.stripe_double.refused import StripeRefusesError, invalid, wrong_state
from tests.stripe_double.setups import allowed_types, error_of, needs_return_url, next_action
from tests.stripe_double.world import Books, Thing

MINIMUM = {"jpy": 50, "usd": 50, "eur": 50}
LARGEST = 99_999_999
CANCELABLE = ("requires_payment_method", "requires_capture", "requires_confirmation",
              "requires_action", "processing")  # fmt: skip
CONFIRMABLE = ("requires_payment_method", "requires_confirmation", "requires_action")
NEEDS_HOLDER = Decline("authentication_required", "authentication_required", None)
NOT_AUTHENTICATED = Decline("payment_intent_authentication_failure", None, None)


def create_intent(books: Books, asked: Thing) -> Thing:
    """POST /v1/payment_intents."""
    _check_amount(asked)
    customer = customer_of(books, asked)
    method = _method(books, asked["payment_method"], customer) if "payment_method" in asked else None
    if asked.get("confirm"):
        needs_return_url(asked, "PaymentIntent")
    elif "off_session" in asked:
        raise invalid("The parameter `off_session` cannot be passed when creating a PaymentIntent unless `confirm` is "
                      "set to `true`.", param="off_session")  # fmt: skip
    number = books.new_id("payment_intent")
    made: Thing = {
        "id": number,
        "object": "payment_intent",
        "amount": asked["amount"],
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "application": None,
        "application_fee_amount": None,
        "automatic_payment_methods": _automatic(asked),
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": asked.get("capture_method", "automatic_async"),
        "client_secret": f"{number}_secret_{books.new_id('event')[4:]}",
        "confirmation_method": asked.get("confirmation_method", "automatic"),
        "created": books.now(),
        "currency": asked["currency"],
        "customer": customer,
        "customer_account": None,
        "description": asked.get("description"),
        "excluded_payment_method_types": asked.get("excluded_payment_method_types"),
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": books.live,
        "metadata": metadata(asked),
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None if method is None else method["id"],
        "payment_method_configuration_details": None,
        "payment_method_options": {"card": {"installments": None, "mandate_options": None, "network": None,
                                            "request_three_d_secure": "automatic"}},
        "payment_method_types": allowed_types(asked),
        "processing": None,
        "receipt_email": asked.get("receipt_email"),
        "review": None,
        "setup_future_usage": asked.get("setup_future_usage"),
        "shipping": None,
        "source": None,
        "statement_descriptor": asked.get("statement_descriptor"),
        "statement_descriptor_suffix": asked.get("statement_descriptor_suffix"),
        "status": "requires_payment_method" if method is None else "requires_confirmation",
        "transfer_data": None,
        "transfer_group": asked.get("transfer_group"),
    }  # fmt: skip
    if "allowed_payment_method_types" in asked:
        made["allowed_payment_method_types"] = asked["allowed_payment_method_types"]
    books.add("payment_intent", made)
    books.tell("payment_intent.created", made)
    if asked.get("confirm"):
        _confirm(books, made, asked)
    return made


def _automatic(asked: Thing) -> Thing | None:
    if "allowed_payment_method_types" in asked and "automatic_payment_methods" not in asked:
        return None
    given = asked.get("automatic_payment_methods") or {}
    return {"allow_redirects": given.get("allow_redirects", "always"), "enabled": given.get("enabled", True)}


def _check_amount(asked: Thing) -> None:
    amount, currency = asked["amount"], asked["currency"]
    if currency not in MINIMUM:
        raise invalid(f"Invalid currency: {currency}. Stripe currently supports these currencies: jpy, usd, eur, …",
                      param="currency")  # fmt: skip
    if amount < 1:
        raise invalid("This value must be greater than or equal to 1.", "parameter_invalid_integer", "amount")
    if amount < MINIMUM[currency]:
        raise invalid(
            "The amount must be greater than or equal to the minimum charge amount allowed for your account and the "
            "currency set. If you want to learn about minimum amounts per currency, please check "
            "https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts.", "amount_too_small", "amount",
        )  # fmt: skip
    if amount > LARGEST:
        raise invalid("Amount must be no more than ¥99,999,999", "amount_too_large", "amount")


def _method(books: Books, name: str, customer: str | None) -> Thing:
    found = method_of(books, name)
    if found["customer"] != customer and (found["customer"] is not None or found["id"] in books.let_go):
        raise invalid(
            f"The customer does not have a payment method with the ID {name}. The payment method must be attached to "
            "the customer." if customer else
            "The provided PaymentMethod cannot be used without the Customer it is attached to.",
            "resource_missing" if customer else None, "payment_method",
        )  # fmt: skip
    return found


def retrieve_intent(books: Books, asked: Thing, intent: str) -> Thing:
    """GET /v1/payment_intents/{intent}."""
    return books.get("payment_intent", intent, in_path=True)


def update_intent(books: Books, asked: Thing, intent: str) -> Thing:
    """POST /v1/payment_intents/{intent}."""
    found = books.get("payment_intent", intent, in_path=True)
    if {"amount", "currency", "payment_method"} & set(asked) and found["status"] not in CONFIRMABLE:
        raise wrong_state("payment_intent", found["status"], "update", ", ".join(CONFIRMABLE), payment_intent=found)
    found["metadata"] = metadata(asked, found["metadata"])
    for name in ("description", "amount", "receipt_email"):
        if name in asked:
            found[name] = asked[name] or None
    if "payment_method" in asked:
        found["payment_method"] = _method(books, asked["payment_method"], found["customer"])["id"]
        found["status"] = "requires_confirmation"
    return found


def confirm_intent(books: Books, asked: Thing, intent: str) -> Thing:
    """POST /v1/payment_intents/{intent}/confirm."""
    found = books.get("payment_intent", intent, in_path=True)
    if found["status"] not in CONFIRMABLE:
        raise wrong_state("payment_intent", found["status"], "confirm", ", ".join(CONFIRMABLE), payment_intent=found)
    if found["payment_method_types"] != ["card"]:
        needs_return_url({**asked, "automatic_payment_methods": found["automatic_payment_methods"]}, "PaymentIntent")
    if "payment_method" in asked:
        found["payment_method"] = _method(books, asked["payment_method"], found["customer"])["id"]
    _confirm(books, found, asked)
    return found


def _confirm(books: Books, intent: Thing, asked: Thing) -> None:
    if intent["payment_method"] is None:
        raise invalid(
            "You cannot confirm this PaymentIntent because it's missing a payment method. You can either update the "
            "PaymentIntent with a payment method and then confirm it again, or confirm it again directly with a "
            "payment method or ConfirmationToken.", "payment_intent_unexpected_state",
        )  # fmt: skip
    card: Card = books.cards[intent["payment_method"]]
    outcome = _next_outcome(books, intent)
    if outcome is not None:
        _as_told(books, intent, card, outcome)
        return
    off_session = bool(asked.get("off_session"))
    ready = intent["payment_method"] in books.set_up
    asks = card.asks == "always" or (card.asks == "until_set_up" and not ready) or (
        card.asks == "set_up_already" and not off_session
    )  # fmt: skip
    if asks and off_session:
        raise _declined(books, intent, card, NEEDS_HOLDER)
    if asks:
        _wait_for_holder(books, intent, asked.get("return_url"))
        return
    pay(books, intent, card)


def _next_outcome(books: Books, intent: Thing) -> Thing | None:
    for name in (intent["payment_method"], intent["customer"], "*"):
        queue = books.next_outcomes.get(name or "")
        if queue:
            return queue.popleft()
    return None


def _as_told(books: Books, intent: Thing, card: Card, outcome: Thing) -> None:
    """What a test asked the card to do next: a state, or a code of its bank."""
    if outcome.get("code"):
        named = {name: outcome.get(name) for name in ("code", "decline_code", "advice_code")}
        raise _declined(books, intent, card, Decline(str(named["code"]), named["decline_code"], named["advice_code"]))
    status = outcome["status"]
    if status == "succeeded":
        pay(books, intent, card)
    elif status == "requires_action":
        _wait_for_holder(books, intent, None)
    elif status == "requires_capture":
        intent["capture_method"] = "manual"
        pay(books, intent, card)
    elif status == "processing":
        intent["status"] = "processing"
        intent["processing"] = {"card": {"customer_notification": None}, "type": "card"}
        books.tell("payment_intent.processing", intent)
    else:  # requires_payment_method without an error, requires_confirmation, canceled, or a word that nobody knows
        intent["status"] = status
        if status == "canceled":
            intent["canceled_at"], intent["cancellation_reason"] = books.now(), "automatic"


def pay(books: Books, intent: Thing, card: Card) -> None:
    """The bank is asked now."""
    if card.declines is not None:
        raise _declined(books, intent, card, card.declines)
    captured = intent["capture_method"] != "manual"
    charge = charge_for(books, intent, card, captured=captured)
    intent["latest_charge"], intent["last_payment_error"] = charge["id"], None
    intent["next_action"], intent["processing"] = None, None
    if not captured:
        intent["status"], intent["amount_capturable"] = "requires_capture", intent["amount"]
        books.tell("payment_intent.amount_capturable_updated", intent)
        return
    _succeed(books, intent, charge, card)


def _succeed(books: Books, intent: Thing, charge: Thing, card: Card) -> None:
    intent["status"], intent["amount_received"], intent["amount_capturable"] = "succeeded", charge["amount_captured"], 0
    if intent["setup_future_usage"]:
        books.set_up.add(intent["payment_method"])
    books.tell("payment_intent.succeeded", intent)
    settle(books, charge, card)


def _wait_for_holder(books: Books, intent: Thing, return_url: str | None) -> None:
    intent["status"] = "requires_action"
    intent["next_action"] = next_action("payment_intent", intent, return_url)
    books.tell("payment_intent.requires_action", intent)


def authenticate_intent(books: Books, intent: Thing, succeeds: bool) -> None:
    """The holder answers their bank, or fails to."""
    assert intent["status"] == "requires_action", intent["status"]
    card: Card = books.cards[intent["payment_method"]]
    intent["next_action"] = None
    try:
        if not succeeds:
            raise _declined(books, intent, card, NOT_AUTHENTICATED)
        pay(books, intent, card)
    except StripeRefusesError:
        pass  # told to their page


def finish_processing(books: Books, intent: Thing, decline: Decline | None) -> None:
    """What was `processing` ends, one way or the other."""
    assert intent["status"] == "processing", intent["status"]
    card: Card = books.cards[intent["payment_method"]]
    intent["processing"] = None
    if decline is None:
        pay(books, intent, card)
    else:
        _declined(books, intent, card, decline)


def _declined(books: Books, intent: Thing, card: Card, decline: Decline) -> StripeRefusesError:
    method = books.get("payment_method", intent["payment_method"])
    if decline is not NOT_AUTHENTICATED:
        intent["latest_charge"] = failed_charge(books, intent, card, decline)["id"]
    intent["status"], intent["next_action"] = "requires_payment_method", None
    intent["last_payment_error"] = error_of(decline, method)
    if intent["latest_charge"] is not None:
        intent["last_payment_error"]["charge"] = intent["latest_charge"]
    intent["payment_method"] = None
    books.tell("payment_intent.payment_failed", intent)
    more: dict[str, Any] = {"payment_intent": dict(intent), "payment_method": dict(method)}
    return card_error(decline, charge=intent["latest_charge"], **more)


def cancel_intent(books: Books, asked: Thing, intent: str) -> Thing:
    """POST /v1/payment_intents/{intent}/cancel."""
    found = books.get("payment_intent", intent, in_path=True)
    if found["status"] not in CANCELABLE:
        raise wrong_state("payment_intent", found["status"], "cancel", ", ".join(CANCELABLE), payment_intent=found)
    found["status"], found["next_action"], found["amount_capturable"] = "canceled", None, 0
    found["canceled_at"], found["cancellation_reason"] = books.now(), asked.get("cancellation_reason")
    books.tell("payment_intent.canceled", found)
    return found


def capture_intent(books: Books, asked: Thing, intent: str) -> Thing:
    """POST /v1/payment_intents/{intent}/capture."""
    found = books.get("payment_intent", intent, in_path=True)
    if found["status"] != "requires_capture":
        raise wrong_state("payment_intent", found["status"], "captur", "requires_capture", payment_intent=found)
    charge = books.get("charge", found["latest_charge"])
    charge["captured"], charge["amount_captured"] = True, asked.get("amount_to_capture", charge["amount"])
    books.tell("charge.captured", charge)
    _succeed(books, found, charge, books.cards[found["payment_method"]])
    return found
