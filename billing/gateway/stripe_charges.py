"""Charges and refunds at Stripe, without a database: what is sent, how it is found again, what its state means."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import stripe

from keizoku.billing.gateway.books import RefundState
from keizoku.billing.gateway.port import (
    REPLAYED,
    Answer,
    ChargeRequest,
    ChargeResult,
    RefundRequest,
    RefundResult,
    ReplayedError,
    UnansweredError,
)
from keizoku.billing.gateway.stripe_answers import Card, declined, failed, refunded
from keizoku.billing.gateway.stripe_calls import ACCOUNT, INVOICE, KEY, PAGE, StripeCalls, plain
from keizoku.pacing import awake_or_not

ATTEMPT = "keizoku_attempt"
LOOK_BACK = timedelta(hours=1)
"""Clocks differ: an intent is looked for from so much before its attempt."""

NO_CARD = "no_saved_card"
WAITED_FOR_HOLDER = "abandoned"
"""The reason with which an intent that waits for its card holder is cancelled by us."""


class StripeCharges:
    """Asks for charges and refunds of one account at Stripe, and reads what became of them."""

    def __init__(self, calls: StripeCalls, clock: Callable[[], float] = awake_or_not) -> None:
        self._calls, self._clock = calls, clock

    def charge(self, request: ChargeRequest, card: Card | None, until: float = float("inf")) -> ChargeResult:
        """Charge a card once per key; nothing is sent any more after `until`, by the steady clock."""
        if card is None:
            return ChargeResult(request.key, Answer.DECLINED, code=NO_CARD)
        params: Any = {
            "amount": request.yen,
            "currency": "jpy",
            "customer": card.customer_id,
            "payment_method": card.payment_method_id,
            "allowed_payment_method_types": ["card"],  # without it Stripe wants an address to send the holder back to
            "off_session": True,
            "confirm": True,
            "metadata": {
                KEY: request.key,
                ATTEMPT: str(request.attempt_id),
                INVOICE: str(request.invoice_id),
                ACCOUNT: request.account,
            },
        }
        key = f"{request.key}:{card.customer_id}"

        def send(client: stripe.StripeClient) -> stripe.PaymentIntent:
            if self._clock() > until:
                raise UnansweredError("not sent: the process stood still")
            return client.v1.payment_intents.create(params, {"idempotency_key": key})

        try:
            intent = self._calls.call(send)
        except ReplayedError:
            return ChargeResult(request.key, Answer.UNKNOWN, code=REPLAYED)
        except UnansweredError as error:
            return ChargeResult(request.key, Answer.UNKNOWN, code=str(error))
        except stripe.CardError as error:
            return declined(request.key, error)
        except stripe.InvalidRequestError as error:
            return ChargeResult(request.key, Answer.OURS, code=error.code or "invalid_request")
        return self._result(request.key, intent)

    def find(self, request: ChargeRequest, card: Card) -> ChargeResult | None:
        """The charge with this key among the customer's intents since it was first sent; None: nothing is found."""
        params: Any = {"customer": card.customer_id, "limit": PAGE}
        if request.first_sent_at is not None:
            params["created"] = {"gte": int((request.first_sent_at - LOOK_BACK).timestamp())}
        try:
            for intent in self._intents(params):
                if plain(intent.metadata).get(KEY) == request.key:
                    return self._result(request.key, intent)
        except (UnansweredError, stripe.InvalidRequestError) as error:
            return ChargeResult(request.key, Answer.UNKNOWN, code=str(error) or "not_found")
        return None

    def _intents(self, params: Any) -> Iterator[stripe.PaymentIntent]:
        """Every intent that fits, page by page."""

        def page_after(last_id: str | None) -> stripe.ListObject[stripe.PaymentIntent]:
            asked: Any = params if last_id is None else {**params, "starting_after": last_id}
            return self._calls.call(lambda client: client.v1.payment_intents.list(asked))

        page = page_after(None)
        yield from page.data
        while page.has_more:
            page = page_after(page.data[-1].id)
            yield from page.data

    def _result(self, key: str, intent: stripe.PaymentIntent) -> ChargeResult:
        """What an intent's state means; one that waits for the user is cancelled first.

        Definite are: succeeded, canceled, and requires_payment_method with its error. All else is unknown, also a
        state that nobody knows yet.
        """
        happened_at = datetime.fromtimestamp(intent.created, UTC)
        if intent.status == "succeeded":
            return ChargeResult(key, Answer.SUCCEEDED, gateway_id=intent.id, happened_at=happened_at)
        said = plain(intent)
        failure = plain(said.get("last_payment_error"))
        if intent.status == "requires_payment_method" and failure:
            return failed(key, failure, intent.id, happened_at)
        if intent.status == "canceled":
            if said.get("cancellation_reason") == WAITED_FOR_HOLDER:
                return ChargeResult(key, Answer.NEEDS_USER, "authentication_required", intent.id, happened_at)
            if failure:
                return failed(key, failure, intent.id, happened_at)
            return ChargeResult(key, Answer.OURS, intent.status, intent.id, happened_at)
        if intent.status == "requires_action":
            intent_id, why = intent.id, WAITED_FOR_HOLDER
            reason: Any = {"cancellation_reason": why}
            try:
                self._calls.call(lambda client: client.v1.payment_intents.cancel(intent_id, reason))
            except (UnansweredError, stripe.InvalidRequestError, stripe.CardError) as error:
                return ChargeResult(key, Answer.UNKNOWN, code=str(error), gateway_id=intent.id)
            return ChargeResult(key, Answer.NEEDS_USER, "authentication_required", intent.id, happened_at)
        return ChargeResult(key, Answer.UNKNOWN, code=intent.status, gateway_id=intent.id)

    def refund(self, request: RefundRequest) -> RefundResult:
        """Refund once per key, to the card that was charged."""
        params: Any = {
            "payment_intent": request.charge_gateway_id,
            "amount": request.yen,
            "metadata": {KEY: request.key},
        }
        key = f"{request.key}:{request.charge_gateway_id}"
        try:
            made = self._calls.call(lambda client: client.v1.refunds.create(params, {"idempotency_key": key}))
        except UnansweredError as error:
            return RefundResult(request.key, Answer.UNKNOWN, code=str(error))
        except (stripe.CardError, stripe.InvalidRequestError) as error:
            return RefundResult(request.key, Answer.DECLINED, code=error.code or "refused")
        return refunded(request.key, made)

    def find_refund(self, request: RefundRequest) -> RefundResult | None:
        """The refund of the charge that carries this key, whenever it was asked for."""
        params: Any = {"payment_intent": request.charge_gateway_id, "limit": PAGE}
        try:
            found = self._calls.call(lambda client: client.v1.refunds.list(params))
        except (UnansweredError, stripe.InvalidRequestError) as error:
            return RefundResult(request.key, Answer.UNKNOWN, code=str(error) or "not_found")
        for made in found.data:
            if plain(made.metadata).get(KEY) == request.key:
                return refunded(request.key, made)
        if found.has_more:  # more refunds of one charge than a page holds: nobody can say that it is not among them
            return RefundResult(request.key, Answer.UNKNOWN, code="too_many_refunds")
        return None

    def refund_state(self, refund_id: str) -> RefundState:
        """A refund as it stands now."""
        made = self._calls.call(lambda client: client.v1.refunds.retrieve(refund_id))
        return RefundState(made.id, str(made.status), plain(made).get("failure_reason"))
