"""SetupIntents: a card is saved for later use, where its bank asks for it with 3-D Secure."""

from __future__ import annotations

from typing import Any

from tests.stripe_double.cards import Card, Decline
from tests.stripe_double.methods import attach_to, card_error, customer_of, metadata, method_of
from tests.stripe_double.refused import StripeRefusesError, invalid, wrong_state
from tests.stripe_double.world import Books, Thing

OPEN = ("requires_payment_method", "requires_confirmation", "requires_action")
AUTHENTICATION_FAILED = Decline("setup_intent_authentication_failure", None, None)


def next_action(kind: str, intent: Thing, return_url: str | None) -> Thing:
    """What a page does with the holder."""
    if return_url is not None:
        url = f"https://hooks.stripe.com/3d_secure_2/hosted?merchant=acct&{kind}={intent['id']}"
        return {"redirect_to_url": {"return_url": return_url, "url": url}, "type": "redirect_to_url"}
    return {"type": "use_stripe_sdk", "use_stripe_sdk": {"type": "three_d_secure_redirect", "stripe_js": "https://hooks.stripe.com/3d_secure_2"}}  # fmt: skip  # noqa: E501


def allowed_types(asked: Thing) -> list[str]:
    """The kinds of payment methods of an intent: those that are allowed, else what the account has switched on."""
    return list(asked.get("allowed_payment_method_types") or ["card", "konbini", "link", "paypay"])


def needs_return_url(asked: Thing, name: str) -> None:
    """Refuse to confirm on a server what might lead the holder elsewhere, without saying where they come back to."""
    redirects = (asked.get("automatic_payment_methods") or {}).get("allow_redirects", "always")
    if allowed_types(asked) == ["card"] or redirects == "never" or asked.get("return_url"):
        return
    raise invalid(
        f"This {name} is configured to accept payment methods enabled in your Dashboard. Because some of these payment "
        "methods might redirect your customer off of your page, you must provide a `return_url`. If you don't want to "
        "accept redirect-based payment methods, set `automatic_payment_methods[enabled]` to `true` and "
        "`automatic_payment_methods[allow_redirects]` to `never` when creating Setup Intents and Payment Intents.",
        param="return_url",
    )


def create_setup(books: Books, asked: Thing) -> Thing:
    """POST /v1/setup_intents."""
    customer = customer_of(books, asked)
    method = method_of(books, asked["payment_method"])["id"] if "payment_method" in asked else None
    if asked.get("confirm"):
        needs_return_url(asked, "SetupIntent")
    number = books.new_id("setup_intent")
    made: Thing = {
        "id": number,
        "object": "setup_intent",
        "application": None,
        "automatic_payment_methods": _automatic(asked),
        "cancellation_reason": None,
        "client_secret": f"{number}_secret_{books.new_id('event')[4:]}",
        "created": books.now(),
        "customer": customer,
        "customer_account": None,
        "description": asked.get("description"),
        "excluded_payment_method_types": asked.get("excluded_payment_method_types"),
        "flow_directions": asked.get("flow_directions"),
        "last_setup_error": None,
        "latest_attempt": None,
        "livemode": books.live,
        "mandate": None,
        "metadata": metadata(asked),
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": method,
        "payment_method_configuration_details": None,
        "payment_method_options": {"card": {"mandate_options": None, "network": None,
                                            "request_three_d_secure": "automatic"}},
        "payment_method_types": allowed_types(asked),
        "single_use_mandate": None,
        "status": "requires_payment_method" if method is None else "requires_confirmation",
        "usage": asked.get("usage", "off_session"),
    }  # fmt: skip
    if "allowed_payment_method_types" in asked:
        made["allowed_payment_method_types"] = asked["allowed_payment_method_types"]
    books.add("setup_intent", made)
    books.tell("setup_intent.created", made)
    if asked.get("confirm"):
        _confirm(books, made, asked)
    return made


def _automatic(asked: Thing) -> Thing | None:
    if "automatic_payment_methods" in asked:
        given = asked["automatic_payment_methods"]
        return {"allow_redirects": given.get("allow_redirects", "always"), "enabled": given["enabled"]}
    if "allowed_payment_method_types" in asked:
        return None
    return {"allow_redirects": "always", "enabled": True}


def retrieve_setup(books: Books, asked: Thing, intent: str) -> Thing:
    """GET /v1/setup_intents/{intent}."""
    return books.get("setup_intent", intent, "intent", in_path=True)


def update_setup(books: Books, asked: Thing, intent: str) -> Thing:
    """POST /v1/setup_intents/{intent}."""
    found = books.get("setup_intent", intent, "intent", in_path=True)
    found["metadata"] = metadata(asked, found["metadata"])
    for name in ("description", "customer", "payment_method"):
        if name in asked:
            found[name] = asked[name] or None
    return found


def confirm_setup(books: Books, asked: Thing, intent: str) -> Thing:
    """POST /v1/setup_intents/{intent}/confirm: what the holder's page does with what they typed."""
    found = books.get("setup_intent", intent, "intent", in_path=True)
    if found["status"] not in OPEN:
        raise wrong_state("setup_intent", found["status"], "confirm", ", ".join(OPEN), setup_intent=found)
    if found["payment_method_types"] != ["card"]:
        needs_return_url({**asked, "automatic_payment_methods": found["automatic_payment_methods"]}, "SetupIntent")
    _confirm(books, found, asked)
    return found


def _confirm(books: Books, intent: Thing, asked: Thing) -> None:
    if "payment_method" in asked:
        intent["payment_method"] = method_of(books, asked["payment_method"])["id"]
    if intent["payment_method"] is None:
        raise invalid(
            "You cannot confirm this SetupIntent because it's missing a payment method. Update the SetupIntent with a "
            "payment method and then confirm it again.", "setup_intent_unexpected_state",
        )  # fmt: skip
    card: Card = books.cards[intent["payment_method"]]
    if card.refuses_saving and card.declines is not None:
        raise _failed(books, intent, card.declines)
    if card.asks in ("until_set_up", "always", "set_up_already"):
        intent["status"] = "requires_action"
        intent["next_action"] = next_action("setup_intent", intent, asked.get("return_url"))
        books.tell("setup_intent.requires_action", intent)
        return
    _succeed(books, intent)


def authenticate_setup(books: Books, intent: Thing, succeeds: bool) -> None:
    """The holder answers their bank, or fails to."""
    assert intent["status"] == "requires_action", intent["status"]
    intent["next_action"] = None
    if succeeds:
        _succeed(books, intent)
    else:
        _failed(books, intent, AUTHENTICATION_FAILED)


def _succeed(books: Books, intent: Thing) -> None:
    method = books.get("payment_method", intent["payment_method"])
    if intent["customer"] is not None:
        attach_to(books, method, intent["customer"])
    books.set_up.add(method["id"])
    intent["status"], intent["last_setup_error"], intent["next_action"] = "succeeded", None, None
    books.tell("setup_intent.succeeded", intent)


def _failed(books: Books, intent: Thing, decline: Decline) -> StripeRefusesError:
    method = books.get("payment_method", intent["payment_method"])
    intent["status"], intent["payment_method"], intent["next_action"] = "requires_payment_method", None, None
    intent["last_setup_error"] = error_of(decline, method)
    books.tell("setup_intent.setup_failed", intent)
    return card_error(decline, setup_intent=dict(intent), payment_method=dict(method))


def error_of(decline: Decline, method: Thing) -> Thing:
    """The last error as it stands in an intent."""
    said: dict[str, Any] = {
        "advice_code": decline.advice_code,
        "code": decline.code,
        "decline_code": decline.decline_code,
        "doc_url": f"https://stripe.com/docs/error-codes/{decline.code.replace('_', '-')}",
        "message": decline.message,
        "payment_method": dict(method),
        "type": "card_error",
    }
    return {name: value for name, value in said.items() if value is not None}


def cancel_setup(books: Books, asked: Thing, intent: str) -> Thing:
    """POST /v1/setup_intents/{intent}/cancel."""
    found = books.get("setup_intent", intent, "intent", in_path=True)
    if found["status"] not in OPEN:
        raise wrong_state("setup_intent", found["status"], "cancel", ", ".join(OPEN), setup_intent=found)
    found["status"], found["next_action"] = "canceled", None
    found["cancellation_reason"] = asked.get("cancellation_reason")
    books.tell("setup_intent.canceled", found)
    return found
