"""Customers and payment methods: made, attached, let go of."""

from __future__ import annotations

from typing import Any

from tests.stripe_double.cards import BY_ALIAS, BY_NUMBER, Card, Decline
from tests.stripe_double.refused import StripeRefusesError, invalid
from tests.stripe_double.world import ADDRESS, Books, Thing

METADATA_PAIRS, METADATA_NAME, METADATA_VALUE = 50, 40, 500


def metadata(asked: Thing, before: Thing | None = None) -> Thing:
    """The metadata after a call: pairs are added, an empty value takes one away."""
    given = asked.get("metadata")
    kept = dict(before or {})
    if given == "":
        return {}
    for name, value in (given or {}).items():
        if len(name) > METADATA_NAME:
            raise invalid(
                f"Metadata keys can have up to {METADATA_NAME} characters, but you passed in {name!r}, which is "
                f"{len(name)} characters long.", "parameter_invalid_string", "metadata",
            )  # fmt: skip
        if len(value) > METADATA_VALUE:
            raise invalid(
                f"Metadata values can have up to {METADATA_VALUE} characters, but you passed in a value that is "
                f"{len(value)} characters. Invalid value: {value}", "parameter_invalid_string", f"metadata[{name}]",
            )  # fmt: skip
        if value == "":
            kept.pop(name, None)
        else:
            kept[name] = value
    if len(kept) > METADATA_PAIRS:
        raise invalid(f"Metadata can have up to {METADATA_PAIRS} keys.", "parameter_invalid_string", "metadata")
    return kept


def create_customer(books: Books, asked: Thing) -> Thing:
    """POST /v1/customers."""
    made: Thing = {
        "id": asked.get("id") or books.new_id("customer"),
        "object": "customer",
        "address": asked.get("address"),
        "balance": asked.get("balance", 0),
        "created": books.now(),
        "currency": None,
        "default_source": None,
        "delinquent": False,
        "description": asked.get("description"),
        "discount": None,
        "email": asked.get("email"),
        "invoice_prefix": "".join(books.world.dice.choice("0123456789ABCDEF") for _ in range(8)),
        "invoice_settings": {
            "custom_fields": None, "default_payment_method": None, "footer": None, "rendering_options": None,
        },
        "livemode": books.live,
        "metadata": metadata(asked),
        "name": asked.get("name"),
        "next_invoice_sequence": 1,
        "phone": asked.get("phone"),
        "preferred_locales": asked.get("preferred_locales", []),
        "shipping": asked.get("shipping"),
        "tax_exempt": asked.get("tax_exempt", "none"),
        "test_clock": None,
    }  # fmt: skip
    books.add("customer", made)
    books.tell("customer.created", made)
    return made


def retrieve_customer(books: Books, asked: Thing, customer: str) -> Thing:
    """GET /v1/customers/{customer}: also one that was deleted, as such."""
    return books.get("customer", customer, in_path=True)


def update_customer(books: Books, asked: Thing, customer: str) -> Thing:
    """POST /v1/customers/{customer}."""
    found = _living(books, customer, in_path=True)
    before = {name: found.get(name) for name in asked if name in found}
    for name in ("description", "email", "name", "phone", "address", "shipping"):
        if name in asked:
            found[name] = asked[name] or None
    found["metadata"] = metadata(asked, found["metadata"])
    books.tell("customer.updated", found, before)
    return found


def delete_customer(books: Books, asked: Thing, customer: str) -> Thing:
    """DELETE /v1/customers/{customer}: their cards are let go of, and they can never be charged again."""
    found = _living(books, customer, in_path=True)
    for each in books.all("payment_method"):
        if each["customer"] == customer:
            each["customer"] = None
    books.tell("customer.deleted", found)
    gone = {"id": customer, "object": "customer", "deleted": True}
    books.objects["customer"][customer] = gone
    return gone


def _living(books: Books, customer: str, *, in_path: bool = False) -> Thing:
    found = books.get("customer", customer, "customer", in_path=in_path)
    if found.get("deleted"):
        raise invalid(f"No such customer: '{customer}'", "resource_missing", "customer", 404 if in_path else 400)
    return found


def customer_of(books: Books, asked: Thing) -> str | None:
    """The customer that a call names, who has to be there."""
    return None if asked.get("customer") is None else str(_living(books, asked["customer"])["id"])


# payment methods


def create_method(books: Books, asked: Thing) -> Thing:
    """POST /v1/payment_methods: what the browser does with the number that its holder typed."""
    if asked.get("type") != "card":
        raise invalid("Missing required param: type." if "type" not in asked else "Only cards are here.", param="type")
    given = asked.get("card") or {}
    number = str(given.get("number", ""))
    card = BY_NUMBER.get(number)
    if books.live and card is not None:
        raise StripeRefusesError(
            402, "card_error", "Your card was declined. Your request was in live mode, but used a known test card.",
            code="card_declined", decline_code="live_mode_test_card", param="",
        )  # fmt: skip
    if card is None:
        raise StripeRefusesError(402, "card_error", "Your card number is incorrect.", code="incorrect_number",
                                 param="number")  # fmt: skip
    return keep_method(books, card, int(given.get("exp_month", 12)), int(given.get("exp_year", 2034)), metadata(asked))


def keep_method(
    books: Books, card: Card, month: int = 12, year: int = 2034, said: Thing | None = None, named: str | None = None
) -> Thing:
    """A payment method of a test card, attached to nobody."""
    made: Thing = {
        "id": named or books.new_id("payment_method"),
        "object": "payment_method",
        "allow_redisplay": "unspecified",
        "billing_details": {"address": dict(ADDRESS), "email": None, "name": None, "phone": None, "tax_id": None},
        "card": {
            "brand": card.brand,
            "checks": {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": None},
            "country": card.country,
            "display_brand": card.brand,
            "exp_month": month,
            "exp_year": year,
            "fingerprint": f"fp{card.number[-8:]}",
            "funding": "credit",
            "generated_from": None,
            "last4": card.number[-4:],
            "networks": {"available": [card.brand], "preferred": None},
            "regulated_status": "unregulated",
            "three_d_secure_usage": {"supported": True},
            "wallet": None,
        },
        "created": books.now(),
        "customer": None,
        "customer_account": None,
        "livemode": books.live,
        "metadata": said or {},
        "type": "card",
    }
    books.cards[made["id"]] = card
    return books.add("payment_method", made)


def method_of(books: Books, name: str, param: str = "payment_method") -> Thing:
    """A payment method by its id, or a new one for one of Stripe's aliases (`pm_card_visa`), which test mode knows."""
    if name in BY_ALIAS and not books.live:
        return keep_method(books, BY_ALIAS[name])
    return books.get("payment_method", name, param)


def attach(books: Books, asked: Thing, payment_method: str) -> Thing:
    """POST /v1/payment_methods/{payment_method}/attach."""
    found = method_of(books, payment_method)
    attach_to(books, found, customer_of(books, asked))
    return found


def attach_to(books: Books, method: Thing, customer: str | None) -> None:
    """Let a customer have a payment method."""
    if method["customer"] == customer:
        return
    if method["customer"] is not None:
        raise invalid("The payment method you provided has already been attached to a customer.",
                      "payment_method_already_attached")  # fmt: skip
    if method["id"] in books.let_go:  # it was a customer's once
        raise invalid(
            "This PaymentMethod was previously used without being attached to a Customer or was detached from a "
            "Customer, and may not be used again."
        )
    card: Card = books.cards[method["id"]]
    if card.refuses_saving and card.declines is not None:
        raise card_error(card.declines)
    method["customer"] = customer
    books.tell("payment_method.attached", method)


def detach(books: Books, asked: Thing, payment_method: str) -> Thing:
    """POST /v1/payment_methods/{payment_method}/detach: refused where it is attached to nobody."""
    found = books.get("payment_method", payment_method, "payment_method", in_path=True)
    if found["customer"] is None:
        raise invalid(
            "The payment method you provided is not attached to a customer so detachment is impossible.",
            param="payment_method",
        )
    before = {"customer": found["customer"]}
    found["customer"] = None
    books.let_go.add(payment_method)
    books.tell("payment_method.detached", found, before)
    return found


def retrieve_method(books: Books, asked: Thing, payment_method: str) -> Thing:
    """GET /v1/payment_methods/{payment_method}."""
    return books.get("payment_method", payment_method, "payment_method", in_path=True)


def card_error(decline: Decline, **more: Any) -> StripeRefusesError:
    """402: the bank, or its holder, says no."""
    return StripeRefusesError(
        402,
        "card_error",
        decline.message,
        code=decline.code,
        decline_code=decline.decline_code,
        advice_code=decline.advice_code,
        **more,
    )
