"""Charges: what a bank took or refused, the fee that Stripe keeps of it, and what a test card brings afterwards."""

from __future__ import annotations

from tests.stripe_double.cards import Card, Decline
from tests.stripe_double.disputes import open_dispute
from tests.stripe_double.world import ADDRESS, Books, Thing


def _charge(books: Books, intent: Thing, card: Card) -> Thing:
    number = books.new_id("charge")
    captured = intent["amount"]
    return {
        "id": number,
        "object": "charge",
        "amount": intent["amount"],
        "amount_captured": captured,
        "amount_refunded": 0,
        "application": None,
        "application_fee": None,
        "application_fee_amount": None,
        "balance_transaction": None,
        "billing_details": {"address": dict(ADDRESS), "email": None, "name": None, "phone": None, "tax_id": None},
        "calculated_statement_descriptor": "KEIZOKU",
        "captured": True,
        "created": books.now(),
        "currency": intent["currency"],
        "customer": intent["customer"],
        "description": intent["description"],
        "disputed": False,
        "failure_balance_transaction": None,
        "failure_code": None,
        "failure_message": None,
        "fraud_details": {},
        "livemode": books.live,
        "metadata": dict(intent["metadata"]),
        "on_behalf_of": None,
        "outcome": _outcome(None),
        "paid": True,
        "payment_intent": intent["id"],
        "payment_method": intent["payment_method"],
        "payment_method_details": {"card": _details(card, intent["amount"]), "type": "card"},
        "receipt_email": intent["receipt_email"],
        "receipt_number": None,
        "receipt_url": f"https://pay.stripe.com/receipts/payment/{number}",
        "refunded": False,
        "review": None,
        "shipping": None,
        "source": None,
        "source_transfer": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "status": "succeeded",
        "transfer_data": None,
        "transfer_group": None,
    }


def _details(card: Card, amount: int) -> Thing:
    return {
        "amount_authorized": amount,
        "authorization_code": None,
        "brand": card.brand,
        "checks": {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": None},
        "country": card.country,
        "exp_month": 12,
        "exp_year": 2034,
        "extended_authorization": {"status": "disabled"},
        "fingerprint": f"fp{card.number[-8:]}",
        "funding": "credit",
        "incremental_authorization": {"status": "unavailable"},
        "installments": None,
        "last4": card.number[-4:],
        "mandate": None,
        "multicapture": {"status": "unavailable"},
        "network": card.brand,
        "network_token": {"used": False},
        "network_transaction_id": None,
        "overcapture": {"maximum_amount_capturable": amount, "status": "unavailable"},
        "regulated_status": "unregulated",
        "three_d_secure": None,
        "transaction_link_id": None,
        "wallet": None,
    }


def _outcome(decline: Decline | None) -> Thing:
    if decline is None:
        said, status, kind = "Payment complete.", "approved_by_network", "authorized"
    elif decline.blocked:
        said, status, kind = "Stripe blocked this payment as too risky.", "not_sent_to_network", "blocked"
    else:
        said, status, kind = "The bank did not return any further details.", "declined_by_network", "issuer_declined"
    reason = None if decline is None else "highest_risk_level" if decline.blocked else (
        decline.decline_code or decline.code
    )  # fmt: skip
    return {
        "advice_code": None if decline is None else decline.advice_code,
        "network_advice_code": None,
        "network_decline_code": None,
        "network_status": status,
        "reason": reason,
        "risk_level": "highest" if decline is not None and decline.blocked else "normal",
        "seller_message": said,
        "type": kind,
    }


def charge_for(books: Books, intent: Thing, card: Card, *, captured: bool) -> Thing:
    """A charge that the bank lets through; its money moves once it is captured."""
    made = books.add("charge", _charge(books, intent, card))
    if captured:
        return made
    made["captured"], made["amount_captured"] = False, 0
    books.tell("charge.succeeded", made)
    return made


def settle(books: Books, charge: Thing, card: Card) -> None:
    """The money of a captured charge, less the fee; then whatever the card is known for."""
    late = books.settings.balance_after_seconds
    if late:
        books.tell("charge.succeeded", charge)
        books.world.later(late, lambda: _balanced(books, charge, card, "charge.updated"))
    else:
        _balanced(books, charge, card, "charge.succeeded")
    if card.disputed is not None:
        open_dispute(books, charge, reason=card.disputed, inquiry=card.inquiry)


def _balanced(books: Books, charge: Thing, card: Card, tell: str) -> None:
    amount = charge["amount_captured"]
    fee = amount * books.settings.fee_per_mille // 1000
    moved = books.move("charge", amount, charge["id"], fee=fee, currency=charge["currency"], at_once=card.no_wait)
    charge["balance_transaction"] = moved["id"]
    books.tell(tell, charge)


def failed_charge(books: Books, intent: Thing, card: Card, decline: Decline) -> Thing:
    """A charge that the bank refused."""
    made = books.add("charge", _charge(books, intent, card))
    made |= {
        "amount_captured": 0,
        "captured": False,
        "failure_code": decline.code,
        "failure_message": decline.message,
        "outcome": _outcome(decline),
        "paid": False,
        "receipt_url": None,
        "status": "failed",
    }
    books.tell("charge.failed", made)
    return made


def retrieve_charge(books: Books, asked: Thing, charge: str) -> Thing:
    """GET /v1/charges/{charge}."""
    return books.get("charge", charge, "charge", in_path=True)
