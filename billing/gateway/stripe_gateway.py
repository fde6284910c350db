"""Cards charged by Stripe: the port's words as PaymentIntents and Refunds of a saved card.

    our attempt ──key──> PaymentIntent (off-session, confirmed at once) ──> charge ──> balance transaction
                          metadata: keizoku_key, keizoku_attempt, keizoku_invoice, keizoku_account: our ids,
                          nothing personal

Always holds: a key answers once. The idempotency key is ours with the customer's id behind it, so that two
databases on one Stripe account never meet; a resend charges the card that was saved when the attempt was first
sent, so that its parameters are the same. An intent that waits for the user is cancelled: it can never succeed
beside a later attempt. What is our own fault (a key, a right, an object that Stripe does not know, a parameter)
is never a decline: the charge is due as it was, and where nothing gets through the stage ends in one line.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from datetime import datetime
from typing import Any

import sqlalchemy as sa
import stripe

from keizoku.billing.gateway.binding import hold
from keizoku.billing.gateway.books import NOWHERE, Dispute, KeyedAct, RefundState
from keizoku.billing.gateway.port import (
    BANK_NAMES,
    ChargeRequest,
    ChargeResult,
    GatewayRefusesUsError,
    RefundRequest,
    RefundResult,
    UnansweredError,
)
from keizoku.billing.gateway.stripe_answers import Batch, Card, all_ours
from keizoku.billing.gateway.stripe_books import StripeBooks
from keizoku.billing.gateway.stripe_calls import StripeCalls, is_nowhere
from keizoku.billing.gateway.stripe_charges import StripeCharges
from keizoku.db.session import texts
from keizoku.db.tables.gateway import card_end, gateway_customer, saved_card
from keizoku.pacing import awake_or_not

CONCURRENT = 16
"""Calls under way at once: at 80 a second enough for answers that take 200 ms."""
SENDING_SECONDS = 3_600
"""For so long a batch is sent. After a process stood still for longer, others have taken care of these attempts, and
Stripe may know their keys no more."""


class StripeGateway:
    """The port on a Stripe account; cards are looked up in `saved_card` on a connection of its own."""

    name = "stripe"
    bank_names: tuple[str, ...] = BANK_NAMES

    def __init__(
        self,
        engine: sa.Engine,
        calls: StripeCalls,
        *,
        concurrent: int = CONCURRENT,
        clock: Callable[[], float] = awake_or_not,
    ) -> None:
        self._clock = clock
        self._connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        self._calls = calls.behind(lambda found: hold(self._connection, found))
        self._charges = StripeCharges(self._calls, clock)
        self._pool = ThreadPoolExecutor(max_workers=concurrent, thread_name_prefix="stripe")

    @property
    def calls(self) -> StripeCalls:
        """The calls that it makes: what saving a card (`keizoku.billing.cards.saved_cards`) is given."""
        return self._calls

    @property
    def books(self) -> StripeBooks:
        """The books of the same account."""
        return StripeBooks(self._calls)

    def server_now(self) -> datetime | None:
        """Stripe's clock, asked by a call that changes nothing; None where it does not answer."""
        with suppress(UnansweredError, GatewayRefusesUsError, stripe.StripeError):
            self._calls.call(lambda client: client.v1.balance.retrieve())
        return self._calls.server_now()

    def close(self) -> None:
        """Let calls under way end, and give the connection back."""
        self._pool.shutdown(wait=True)
        self._connection.close()

    def check_account(self) -> None:
        """Raises GatewayRefusesUsError where the key is of another account or mode than this database's."""
        with suppress(UnansweredError):
            self._calls.check_account()

    def charge_many(self, requests: Sequence[ChargeRequest], at: datetime) -> Iterator[ChargeResult]:
        """Charge each request to its saved card, several at once.

        Raises GatewayRefusesUsError, after each request has its answer, where the fault is ours for all of them.
        """
        cards = self._cards(requests)
        until = self._clock() + SENDING_SECONDS
        batch = Batch()
        under_way = [
            self._pool.submit(batch.charge, self._charges.charge, each, cards.get(each.key), until) for each in requests
        ]
        try:
            for answered in as_completed(under_way):
                yield answered.result()
            if batch.refused is None and batch.ours == len(under_way) and batch.ours:
                batch.refused = all_ours(batch.code)
            if batch.refused is not None:
                raise batch.refused
        finally:
            for each in under_way:
                each.cancel()

    def find_charges(self, requests: Sequence[ChargeRequest], at: datetime) -> Mapping[str, ChargeResult]:
        """Look the intents up by our key in the customer's intents since the attempt was first sent."""
        cards = self._cards(requests)
        wanted = [each for each in requests if each.key in cards]
        found = self._pool.map(lambda each: self._charges.find(each, cards[each.key]), wanted)
        return {result.key: result for result in found if result is not None}

    def refund(self, request: RefundRequest, at: datetime) -> RefundResult:
        """Refund once per key, to the card that was charged."""
        return self._charges.refund(request)

    def find_refund(self, request: RefundRequest, at: datetime) -> RefundResult | None:
        """The refund of the charge that carries this key, whenever it was asked for."""
        return self._charges.find_refund(request)

    def disputes(self, ids: Sequence[str], at: datetime) -> Iterator[Dispute]:
        """Each dispute as it stands now; what does not answer is asked for again."""
        for each in ids:
            try:
                yield self.books.dispute(each)
            except UnansweredError:
                continue
            except stripe.InvalidRequestError as error:
                if is_nowhere(error):
                    yield Dispute(each, "", 0, NOWHERE, at)

    def refunds(self, ids: Sequence[str], at: datetime) -> Iterator[RefundState]:
        """Each refund as it stands now; what does not answer is asked for again."""
        for each in ids:
            try:
                yield self._charges.refund_state(each)
            except UnansweredError:
                continue
            except stripe.InvalidRequestError as error:
                if is_nowhere(error):
                    yield RefundState(each, NOWHERE)

    def acts_since(self, since: datetime) -> Iterator[KeyedAct]:
        """Intents and refunds with our key; raises UnansweredError also while one of them is under way."""
        yield from self.books.acts(since, self._accounts())

    def _accounts(self) -> dict[str, str]:
        """Our account of each customer."""
        rows = self._connection.execute(sa.select(gateway_customer.c.customer_id, gateway_customer.c.account))
        return {row.customer_id: row.account for row in rows}

    def _cards(self, requests: Sequence[ChargeRequest]) -> dict[str, Card]:
        """The card of each request: the last one saved, and not ended, when the request was first sent."""
        if not requests:
            return {}
        accounts = texts({each.account for each in requests})
        rows = self._connection.execute(
            sa.select(saved_card, card_end.c.ended_at)
            .outerjoin(card_end, card_end.c.card_id == saved_card.c.id)
            .where(saved_card.c.account == sa.any_(accounts))
            .order_by(saved_card.c.id)
        ).all()
        of_account: dict[str, list[Any]] = {}
        for row in rows:
            of_account.setdefault(row.account, []).append(row)
        cards: dict[str, Card] = {}
        for each in requests:
            for row in of_account.get(each.account, ()):
                sent_at = each.first_sent_at
                saved = sent_at is None or row.recorded_at <= sent_at
                ended = row.ended_at is not None and (sent_at is None or row.ended_at <= sent_at)
                if saved and not ended:
                    cards[each.key] = Card(row.customer_id, row.payment_method_id)
        return cards
