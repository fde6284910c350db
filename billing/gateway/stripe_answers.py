"""What Stripe's answers to charges and refunds mean: whose fault a no is, and when no more charges are sent.

card error ──> the payer's decline          invalid request, unknown object, missing right, wrong key ──> ours
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import stripe

from keizoku.billing.gateway.port import (
    NOT_SENT,
    Answer,
    ChargeRequest,
    ChargeResult,
    GatewayRefusesUsError,
    RefundResult,
)
from keizoku.billing.gateway.stripe_calls import plain

MOST_OURS = 20
"""After so many charges that failed by our own fault, and none that reached a card, no more are sent."""


_OF_THE_CARD = (Answer.SUCCEEDED, Answer.DECLINED, Answer.NEEDS_USER)


@dataclass(frozen=True, slots=True)
class Card:
    """A saved card: the customer and the payment method, by Stripe's ids."""

    customer_id: str
    payment_method_id: str


@dataclass(slots=True)
class Batch:
    """Charges that are sent together by several threads: once it is clear that we are refused, no more are sent."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    refused: GatewayRefusesUsError | None = None
    reached: bool = False
    ours: int = 0
    code: str | None = None

    def charge(
        self,
        ask: Callable[[ChargeRequest, Card | None, float], ChargeResult],
        request: ChargeRequest,
        card: Card | None,
        until: float,
    ) -> ChargeResult:
        """One charge, and what it says of the others; one that was refused to us, or not sent, was not made."""
        refused: GatewayRefusesUsError | None = None
        result = ChargeResult(request.key, Answer.OURS, code=NOT_SENT)
        if self.refused is None:
            try:
                result = ask(request, card, until)
            except GatewayRefusesUsError as error:
                refused = error
        with self.lock:
            self.reached = self.reached or result.answer in _OF_THE_CARD
            if result.answer is Answer.OURS:
                self.ours += 1
                self.code = self.code or result.code
                if self.ours == MOST_OURS and not self.reached:
                    refused = refused or all_ours(self.code)
            self.refused = self.refused or refused
        return result


def all_ours(code: str | None) -> GatewayRefusesUsError:
    """Nothing gets through: what to look at, in one line."""
    return GatewayRefusesUsError(
        f"Stripe takes none of our charges ({code}): nothing was charged and no card has refused; check that "
        "the customers and cards of this database are those of the key's account (keizoku gateway check)"
    )


def declined(key: str, error: stripe.CardError) -> ChargeResult:
    """A definite no of the card's bank, with its word for it."""
    body = plain(plain(error.json_body).get("error"))
    intent = plain(body.get("payment_intent"))
    told: dict[str, Any] = {"type": "card_error", "code": error.code, **body}
    return failed(key, told, intent.get("id"), None)


def failed(key: str, failure: dict[str, Any], intent_id: str | None, happened_at: datetime | None) -> ChargeResult:
    """Why a charge failed: a card error is the payer's; any other was made by us, or by Stripe, and is no decline."""
    code = _word(failure.get("decline_code") or failure.get("code"), "card_declined")
    if failure.get("type", "card_error") != "card_error":
        return ChargeResult(key, Answer.OURS, code, intent_id, happened_at)
    answer = Answer.NEEDS_USER if code == "authentication_required" else Answer.DECLINED
    advice = failure.get("advice_code")
    return ChargeResult(key, answer, code, intent_id, happened_at, advice if isinstance(advice, str) else None)


def _word(code: object, otherwise: str) -> str:
    return code if isinstance(code, str) and code else otherwise


def refunded(key: str, made: stripe.Refund) -> RefundResult:
    """What a refund's state means: what has left the balance was made, and may fail later (failed_refunds)."""
    said = plain(made)
    if made.status == "succeeded" or said.get("balance_transaction"):
        return RefundResult(key, Answer.SUCCEEDED, gateway_id=made.id)
    if made.status in ("failed", "canceled"):
        return RefundResult(key, Answer.DECLINED, said.get("failure_reason") or made.status, made.id)
    return RefundResult(key, Answer.UNKNOWN, made.status, made.id)
