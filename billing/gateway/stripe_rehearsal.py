"""A walk through a test-mode account at Stripe: save, charge, decline, 3-D Secure, refund, dispute, payout.

Each step uses a payment method that Stripe documents for tests (docs.stripe.com/testing) and what the nights use to ask
and to read the answer; what was expected stands beside what came. A live key is refused before anything is asked. It
needs no database, and leaves a customer and its payments in the test account.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import stripe

from keizoku.billing.gateway.port import (
    Answer,
    ChargeRequest,
    ChargeResult,
    MissingRightError,
    RefundRequest,
    UnansweredError,
)
from keizoku.billing.gateway.refusal_words import refusal_words
from keizoku.billing.gateway.stripe_answers import Card
from keizoku.billing.gateway.stripe_books import StripeBooks
from keizoku.billing.gateway.stripe_calls import StripeCalls, plain
from keizoku.billing.gateway.stripe_charges import StripeCharges
from keizoku.terms.calendar import jst_day
from keizoku.terms.refusal import Refused

YEN: Final = 500
ENOUGH_YEN: Final = 20_000
"""What a payout needs on the balance, after the refunds and disputes of the walk."""
ACCOUNT: Final = "keizoku-rehearsal"
PATIENCE_SECONDS: Final = 30.0
"""So long a step waits for what Stripe does a moment later: disputes, refunds that fail."""
BEFORE: Final = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Step:
    """What a step was to bring and what it brought; `ok` is None where the key does not allow it, and need not."""

    name: str
    expected: str
    found: str
    ok: bool | None


def rehearse(
    calls: StripeCalls,
    now: datetime,
    *,
    patience: float = PATIENCE_SECONDS,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Step]:
    """Walk through the account of a test key, step by step. Raises Refused for a live key."""
    if calls.live is True or calls.whose().livemode:
        raise Refused("gateway.live_key", "the key is a live one: it moves real money", "use a test key (sk_test_…)")
    yield from _Walk(calls, now, patience, sleep).steps()


class _Walk:
    def __init__(self, calls: StripeCalls, now: datetime, patience: float, sleep: Callable[[float], None]) -> None:
        self._calls, self._charges, self._books = calls, StripeCharges(calls), StripeBooks(calls)
        self._now, self._run, self._sleep = now, f"{now:%Y%m%d%H%M%S%f}", sleep
        self._tries = max(1, int(patience))
        self._customer = ""
        self._made = 0

    def steps(self) -> Iterator[Step]:
        """Every step, whatever the others brought."""
        for name, expected, step in (
            ("save a card", "succeeded", self._save),
            ("save a card: 3-D Secure", "requires_action", self._save_with_holder),
            ("save a card: refused", "insufficient_funds", self._save_refused),
            ("charge", "succeeded", self._charge),
            ("charge once more under the same key", "the same charge", self._charge_again),
            ("charge: declined", "declined_soft generic_decline", lambda: self._declined("pm_card_chargeCustomerFail")),
            ("charge: the bank wants its holder", "needs_user authentication_required", self._wants_holder),
            ("charge: a customer that is not there", "ours resource_missing", self._nobody),
            ("refund", "succeeded", self._refund),
            ("refund that fails later", "failed", self._refund_fails),
            ("dispute", "open", lambda: self._dispute("pm_card_createDispute")),
            ("inquiry", "inquiry", lambda: self._dispute("pm_card_createDisputeInquiry")),
            ("books: charges with our keys and their fees", "all", self._movements),
            ("payout", "listed", self._payout),
        ):
            try:
                found = step()
                yield Step(name, expected, found, found == expected)
            except MissingRightError as error:
                needed = name != "payout"  # the documented key only reads payouts
                yield Step(name, expected, f"no right {error.right}", False if needed else None)
            except (stripe.StripeError, UnansweredError, LookupError) as error:
                yield Step(name, expected, f"{type(error).__name__}: {error}"[:200], False)

    def _saved(self, alias: str) -> Any:
        if not self._customer:
            params: Any = {"metadata": {"keizoku_account": ACCOUNT}}
            self._customer = self._calls.ask_freely(lambda client: client.v1.customers.create(params)).id
        asked: Any = {
            "customer": self._customer,
            "usage": "off_session",
            "allowed_payment_method_types": ["card"],
            "payment_method": alias,
            "confirm": True,
        }
        return self._calls.ask_freely(lambda client: client.v1.setup_intents.create(asked))

    def _save(self) -> str:
        return str(self._saved("pm_card_visa").status)

    def _save_with_holder(self) -> str:
        return str(self._saved("pm_card_authenticationRequired").status)

    def _save_refused(self) -> str:
        try:
            return str(self._saved("pm_card_visa_chargeDeclinedInsufficientFunds").status)
        except stripe.CardError as error:
            said = plain(plain(error.json_body).get("error"))
            return str(said.get("decline_code") or error.code)

    def _pay(self, alias: str, yen: int = YEN) -> ChargeResult:
        """Charge a card of our customer, off-session, as a night does."""
        if not self._customer:
            raise LookupError("no customer was made")
        attached: Any = {"customer": self._customer}
        card = self._calls.ask_freely(lambda client: client.v1.payment_methods.attach(alias, attached))
        return self._charges.charge(self._request(yen=yen), Card(self._customer, card.id))

    def _request(self, key: str | None = None, yen: int = YEN) -> ChargeRequest:
        self._made += 1
        named = key or f"keizoku-rehearsal-{self._run}-{self._made}"
        return ChargeRequest(named, ACCOUNT, 0, 0, yen, self._now - BEFORE)

    def _charge(self) -> str:
        self._first = self._pay("pm_card_visa")
        return self._first.answer.value

    def _charge_again(self) -> str:
        found = self._charges.find(self._request(self._first.key), Card(self._customer, ""))
        return "the same charge" if found == self._first else f"{found}"

    def _declined(self, alias: str) -> str:
        return _in_words(self._pay(alias), jst_day(self._now))

    def _wants_holder(self) -> str:
        return self._declined("pm_card_authenticationRequired")

    def _nobody(self) -> str:
        nobody = Card("cus_keizoku_rehearsal", "pm_keizoku_rehearsal")
        result = self._charges.charge(self._request(), nobody)
        return f"{result.answer.value} {result.code}"

    def _refund(self) -> str:
        wanted = RefundRequest(f"{self._first.key}-refund", ACCOUNT, str(self._first.gateway_id), YEN)
        made = self._charges.refund(wanted)
        return made.answer.value if self._charges.find_refund(wanted) == made else "it is not found again"

    def _refund_fails(self) -> str:
        charged = self._pay("pm_card_refundFail")
        made = self._charges.refund(RefundRequest(f"{charged.key}-refund", ACCOUNT, str(charged.gateway_id), YEN))
        if made.gateway_id is None:
            return f"{made.answer.value} {made.code}"
        refund = made.gateway_id
        return self._until("failed", lambda: self._charges.refund_state(refund).state)

    def _dispute(self, alias: str) -> str:
        charged = self._pay(alias)

        def state() -> str:
            found = [each for each in self._books.disputes(self._now - BEFORE) if each.payment == charged.gateway_id]
            return found[0].state if found else "none yet"

        return self._until("inquiry" if "Inquiry" in alias else "open", state)

    def _until(self, wanted: str, ask: Callable[[], str]) -> str:
        """Ask until it is so, or patience ends; what came last."""
        found = ask()
        for _ in range(self._tries - 1):
            if found == wanted:
                break
            self._sleep(1)
            found = ask()
        return found

    def _movements(self) -> str:
        ours = [
            each
            for each in self._books.movements(self._now - BEFORE)
            if each.kind in ("charge", "payment") and (each.our_key or "").startswith(f"keizoku-rehearsal-{self._run}-")
        ]
        good = all(each.amount == YEN and each.currency == "jpy" and each.net == YEN - each.fee for each in ours)
        return "all" if good and len(ours) >= 4 else f"{len(ours)} of at least 4"

    def _payout(self) -> str:
        self._pay("pm_card_bypassPending", ENOUGH_YEN)
        params: Any = {"amount": YEN, "currency": "jpy"}
        made = self._calls.ask_freely(lambda client: client.v1.payouts.create(params))
        known = {each.id: each for each in self._books.payouts(self._now - BEFORE)}
        return "listed" if made.id in known and not known[made.id].automatic else "not listed"


def _in_words(result: ChargeResult, on: Any) -> str:
    words = refusal_words(on)
    if result.answer is Answer.DECLINED:
        hard = result.code in words.new_card or result.advice in words.advice_new_card
        return f"{'declined_hard' if hard else 'declined_soft'} {result.code}"
    return f"{result.answer.value} {result.code}"
