"""Intents, refunds, disputes and payouts of the double through all their states, late ones too, and what they move."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.stripe_double.conftest import CARD, Client, charge, kinds, refused, saved
from tests.stripe_double.cards import CARDS, Card
from tests.stripe_double.running import Controls
from tests.stripe_double.sdk.shapes import UNHEARD

DAY = 86_400


@pytest.fixture(autouse=True)
def no_violations(double: Controls) -> Any:
    """Whatever happens, the answers are those of the pinned classes."""
    yield
    assert double("violations") == []


def _moved(client: Client) -> list[tuple[str, int, int]]:
    """Type, amount and fee of every balance transaction, oldest first."""
    found = client.v1.balance_transactions.list({"limit": 100}).data[::-1]
    return [(str(each.type), each.amount, each.fee) for each in found]


def _charge_with(client: Client, customer: str, card: Card) -> tuple[str | None, ...]:
    """Status of the intent, or the decline: code, decline code, advice."""
    try:
        return (charge(client, customer, card.alias).status,)
    except Exception as error:
        body: dict[str, Any] = getattr(error, "json_body", {})["error"]
        return body["code"], body.get("decline_code"), body.get("advice_code")


def test_every_documented_card_does_what_it_is_documented_to_do(client: Client) -> None:
    customer = client.v1.customers.create({}).id
    found = {card.alias: _charge_with(client, customer, card) for card in CARDS if card.alias}
    paid = {alias for alias, said in found.items() if said == ("succeeded",)}
    assert paid == {
        "pm_card_visa", "pm_card_jp", "pm_card_mastercard", "pm_card_jcb", "pm_card_amex", "pm_card_bypassPending",
        "pm_card_createDispute", "pm_card_createDisputeProductNotReceived", "pm_card_createDisputeInquiry",
        "pm_card_pendingRefund", "pm_card_refundFail", "pm_card_authenticationRequiredSetupForOffSession",
    }  # fmt: skip
    wants_holder = ("authentication_required", "authentication_required", None)
    assert {alias: said for alias, said in found.items() if alias not in paid} == {
        "pm_card_chargeCustomerFail": ("card_declined", "generic_decline", "try_again_later"),
        "pm_card_visa_chargeDeclined": ("card_declined", "generic_decline", "try_again_later"),
        "pm_card_visa_chargeDeclinedInsufficientFunds": ("card_declined", "insufficient_funds", "try_again_later"),
        "pm_card_visa_chargeDeclinedLostCard": ("card_declined", "lost_card", "do_not_try_again"),
        "pm_card_visa_chargeDeclinedStolenCard": ("card_declined", "stolen_card", "do_not_try_again"),
        "pm_card_chargeDeclinedExpiredCard": ("expired_card", None, "confirm_card_data"),
        "pm_card_chargeDeclinedIncorrectCvc": ("incorrect_cvc", None, "confirm_card_data"),
        "pm_card_chargeDeclinedProcessingError": ("processing_error", None, "try_again_later"),
        "pm_card_visa_chargeDeclinedVelocityLimitExceeded":
            ("card_declined", "card_velocity_exceeded", "try_again_later"),
        "pm_card_radarBlock": ("card_declined", "fraudulent", "do_not_try_again"),
        "pm_card_authenticationRequiredOnSetup": wants_holder,
        "pm_card_authenticationRequired": wants_holder,
        "pm_card_authenticationRequiredChargeDeclinedInsufficientFunds": wants_holder,
        "pm_card_threeDSecure2Required": wants_holder,
    }  # fmt: skip


def test_a_card_is_saved_with_its_holder_and_then_charged_without(client: Client, double: Controls) -> None:
    customer = client.v1.customers.create({}).id
    wanted: Any = {"customer": customer, "usage": "off_session", "confirm": True, **CARD,
                   "payment_method": "pm_card_authenticationRequiredOnSetup"}  # fmt: skip
    setup = client.v1.setup_intents.create(wanted | {"return_url": "https://shop.example/cards"})
    assert (setup.status, setup.next_action and setup.next_action.type) == ("requires_action", "redirect_to_url")
    double("holder", intent=setup.id, succeeds=False)
    failed = client.v1.setup_intents.retrieve(setup.id)
    assert failed.status == "requires_payment_method"
    assert failed.last_setup_error is not None
    assert failed.last_setup_error.code == "setup_intent_authentication_failure"
    setup = client.v1.setup_intents.create(wanted)
    assert setup.next_action is not None
    assert setup.next_action.type == "use_stripe_sdk"
    double("holder", intent=setup.id)
    done = client.v1.setup_intents.retrieve(setup.id, {"expand": ["payment_method"]})
    assert done.status == "succeeded"
    method: Any = done.payment_method
    assert (method.customer, method.card.last4) == (customer, "3155")
    assert charge(client, customer, method.id).status == "succeeded"
    bare: Any = {"customer": customer, **CARD}
    assert client.v1.setup_intents.create(bare).status == "requires_payment_method"
    gone = client.v1.payment_methods.detach(method.id)
    assert gone.customer is None
    assert "so detachment is impossible" in refused(lambda: client.v1.payment_methods.detach(method.id))["message"]
    assert refused(lambda: charge(client, customer, method.id))["code"] == "resource_missing"
    again = refused(lambda: client.v1.payment_methods.attach(method.id, {"customer": customer}))
    assert "may not be used again" in again["message"]


@pytest.mark.parametrize(
    "status", ["processing", "requires_action", "requires_capture", "requires_confirmation", "canceled",
               "requires_payment_method", f"{UNHEARD}_state"],
)  # fmt: skip
def test_an_intent_stands_in_any_state_that_a_test_asks_for(client: Client, double: Controls, status: str) -> None:
    customer, method = saved(client)
    double("next", of=customer, outcomes=[{"status": status}])
    intent = charge(client, customer, method)
    assert (intent.status, intent.last_payment_error, _moved(client)) == (status, None, [])
    assert charge(client, customer, method).status == "succeeded"


def test_what_was_processing_or_only_authorised_ends(client: Client, double: Controls) -> None:
    customer, method = saved(client)
    double("next", of=method, outcomes=[{"status": each} for each in ("processing", "processing", "requires_capture")])
    late, refused_late, held = (charge(client, customer, method).id for _ in range(3))
    double("processed", intent=late)
    double("processed", intent=refused_late, code="card_declined", decline_code="insufficient_funds")
    assert client.v1.payment_intents.capture(held).status == "succeeded"
    assert [client.v1.payment_intents.retrieve(each).status for each in (late, refused_late, held)] == [
        "succeeded", "requires_payment_method", "succeeded",
    ]  # fmt: skip
    assert _moved(client) == [("charge", 500, 18), ("charge", 500, 18)]
    assert refused(lambda: client.v1.payment_intents.cancel(held))["code"] == "payment_intent_unexpected_state"
    double("next", of="*", outcomes=[{"status": "requires_action"}])
    waiting = charge(client, customer, method).id
    double("holder", intent=waiting)
    assert client.v1.payment_intents.retrieve(waiting).status == "succeeded"
    double("next", of="*", outcomes=[{"status": "requires_action"}])
    waiting = charge(client, customer, method).id
    assert client.v1.payment_intents.cancel(waiting).status == "canceled"
    assert kinds(client)[-1] == "payment_intent.canceled"


def test_refunds_wait_fail_later_and_never_go_beyond_the_charge(client: Client, double: Controls) -> None:
    customer, method = saved(client)
    intent = charge(client, customer, method)
    first = client.v1.refunds.create({"payment_intent": intent.id, "amount": 300})
    over = refused(lambda: client.v1.refunds.create({"payment_intent": intent.id, "amount": 201}))
    assert (over["param"], over["message"]) == (
        "amount", "Refund amount (¥201) is greater than unrefunded amount on charge (¥200)",
    )  # fmt: skip
    double("next", of="refund:*", outcomes=[{"status": "requires_action"}])
    waits = client.v1.refunds.create({"payment_intent": intent.id})
    assert (waits.status, waits.balance_transaction) == ("requires_action", None)
    whole = refused(lambda: client.v1.refunds.create({"payment_intent": intent.id}))
    assert whole["code"] == "charge_already_refunded"
    assert client.v1.refunds.cancel(waits.id).status == "canceled"
    double("refund", id=first.id, status="failed", reason="lost_or_stolen_card")
    failed = client.v1.refunds.retrieve(first.id, {"expand": ["failure_balance_transaction"]})
    assert (failed.status, failed.failure_reason) == ("failed", "lost_or_stolen_card")
    assert _moved(client) == [("charge", 500, 18), ("refund", -300, 0), ("refund_failure", 300, 0)]

    cards = {alias: charge(client, customer, alias).id for alias in ("pm_card_pendingRefund", "pm_card_refundFail")}
    made = [client.v1.refunds.create({"payment_intent": each}) for each in cards.values()]
    assert [each.status for each in made] == ["pending", "succeeded"]
    double("clock", advance=DAY)
    assert [client.v1.refunds.retrieve(each.id).status for each in made] == ["succeeded", "failed"]


def _dispute(client: Client, double: Controls, **how: Any) -> str:
    intent = charge(client, *saved(client))
    return str(double("dispute", intent=intent.id, **how)["id"])


@pytest.mark.parametrize(
    ("states", "moved", "told"),
    [
        (["under_review", "won"], [-500, 500], ["funds_reinstated", "closed"]),
        (["under_review", "lost"], [-500], ["updated", "closed"]),
        (["lost", "appeal_needs_response", "appeal_under_review", "won"], [-500, 500], ["funds_reinstated", "closed"]),
        (["prevented"], [-500], ["funds_withdrawn", "closed"]),
    ],
)
def test_a_dispute_takes_the_money_and_gives_it_back_with_what_its_bank_decides(
    client: Client, double: Controls, states: list[str], moved: list[int], told: list[str]
) -> None:
    number = _dispute(client, double)
    for state in states:
        double("dispute", id=number, status=state)
    found = client.v1.disputes.retrieve(number)
    assert (found.status, [each.amount for each in found.balance_transactions]) == (states[-1], moved)
    assert [each.fee for each in found.balance_transactions] == [1_500, 0][: len(moved)]
    assert [each.removeprefix("charge.dispute.") for each in kinds(client)][-2:] == told
    assert client.v1.balance.retrieve().available[0].amount == 482 - 1_500 + sum(moved)


def test_an_inquiry_moves_no_money_until_it_becomes_a_dispute(client: Client, double: Controls) -> None:
    asked, became = (_dispute(client, double, inquiry=True) for _ in range(2))
    for state in ("warning_under_review", "warning_closed"):
        double("dispute", id=asked, status=state)
    found = client.v1.disputes.retrieve(asked)
    assert (found.status, found.balance_transactions, found.is_charge_refundable) == ("warning_closed", [], True)
    double("dispute", id=became, status="needs_response")
    found = client.v1.disputes.retrieve(became)
    assert [(each.amount, each.fee) for each in found.balance_transactions] == [(-500, 1_500)]
    assert (
        client.v1.disputes.update(became, {"evidence": {"uncategorized_text": "used daily"}}).status == "under_review"
    )
    double("dispute", id=became, status="won", moves=[{"amount": 500, "fee": -1_500}])  # the fee comes back as well
    assert client.v1.balance.retrieve().available[0].amount == 964
    charge_id = client.v1.disputes.retrieve(became).charge
    assert client.v1.refunds.create({"charge": str(charge_id)}).status == "succeeded"
    lost = _dispute(client, double)
    told = refused(lambda: client.v1.refunds.create({"charge": str(client.v1.disputes.retrieve(lost).charge)}))
    assert told["code"] == "charge_disputed"


def test_a_payout_fails_also_after_it_was_paid(client: Client, double: Controls) -> None:
    customer, method = saved(client)
    for _ in range(2):
        charge(client, customer, method)
    payout = double("payout")["id"]

    def members() -> list[str]:
        return [str(each.type) for each in client.v1.balance_transactions.list({"payout": payout}).data]

    found = client.v1.payouts.retrieve(payout)
    assert (found.status, found.amount, found.reconciliation_status, members()) == (
        "pending", 964, "in_progress", ["payout"],
    )  # fmt: skip
    assert double("payout", id=payout, status="in_transit")["reconciliation_status"] == "in_progress"
    double("payout", id=payout, status="paid")
    assert (client.v1.payouts.retrieve(payout).reconciliation_status, members()) == (
        "completed", ["payout", "charge", "charge"],
    )  # fmt: skip
    assert client.v1.balance.retrieve().available[0].amount == 0
    double("clock", advance=4 * DAY)
    double("payout", id=payout, status="failed", code="no_account")
    found = client.v1.payouts.retrieve(payout, {"expand": ["failure_balance_transaction"]})
    assert (found.status, found.failure_code) == ("failed", "no_account")
    back: Any = found.failure_balance_transaction
    assert (back.type, back.amount, back.created - found.created) == ("payout_failure", 964, 4 * DAY)
    assert kinds(client)[-4:] == ["payout.updated", "payout.reconciliation_completed", "payout.paid", "payout.failed"]
    by_hand = client.v1.payouts.create({"amount": 64, "currency": "jpy"})
    assert refused(lambda: client.v1.balance_transactions.list({"payout": by_hand.id}))["param"] == "payout"
    assert client.v1.payouts.cancel(by_hand.id).status == "canceled"
    assert (
        refused(lambda: client.v1.payouts.create({"amount": 965, "currency": "jpy"}))["code"] == "balance_insufficient"
    )
    assert [each.status for each in client.v1.payouts.list({"status": "canceled"}).data] == ["canceled"]


def test_movements_of_any_kind_in_any_currency_with_tax_in_their_fees(client: Client, double: Controls) -> None:
    double("settings", fee_tax_percent=10, available_after_seconds=4 * DAY)
    charge(client, *saved(client))
    double("movement", type="reserve_hold", amount=-1_000)
    double("movement", type="payout_minimum_balance_hold", amount=-200)
    double("movement", type="stripe_fee", amount=-55, description="Radar")
    double("movement", type="contribution", amount=-5, currency="usd")
    [first] = client.v1.balance_transactions.list({"type": "charge"}).data
    assert [(each.type, each.amount) for each in first.fee_details] == [("stripe_fee", 17), ("tax", 1)]
    assert (first.fee, first.net, first.status) == (18, 482, "pending")
    held = client.v1.balance.retrieve()
    assert {each.currency: each.amount for each in held.pending} == {"jpy": 482 - 1_255, "usd": -5}
    double("clock", advance=4 * DAY)
    assert client.v1.balance_transactions.retrieve(first.id).status == "available"
    assert {each.currency: each.amount for each in client.v1.balance.retrieve().available} == {"jpy": -773, "usd": -5}


def test_a_charge_stands_before_its_balance_transaction_does(client: Client, double: Controls) -> None:
    double("settings", balance_after_seconds=60)
    intent = charge(client, *saved(client), expand=["latest_charge"])
    latest: Any = intent.latest_charge
    assert (intent.status, latest.balance_transaction, _moved(client)) == ("succeeded", None, [])
    double("clock", advance=60)
    assert client.v1.charges.retrieve(latest.id).balance_transaction is not None
    assert (_moved(client), kinds(client)[-1]) == ([("charge", 500, 18)], "charge.updated")


def test_in_test_mode_evidence_decides_and_payouts_go_on_by_themselves(client: Client, double: Controls) -> None:
    double("settings", available_after_seconds=4 * DAY)
    customer = client.v1.customers.create({}).id
    for alias in ("pm_card_createDispute", "pm_card_createDispute", "pm_card_createDisputeInquiry"):
        charge(client, customer, alias)
    numbers = [each.id for each in client.v1.disputes.list().data][::-1]
    said = ("winning_evidence", "losing_evidence", "escalate_inquiry_evidence")
    for number, text in zip(numbers, said, strict=True):
        client.v1.disputes.update(number, {"evidence": {"uncategorized_text": text}, "submit": True})
    found = [client.v1.disputes.retrieve(each) for each in numbers]
    assert [each.status for each in found] == ["won", "lost", "needs_response"]
    assert [[one.amount for one in each.balance_transactions] for each in found] == [[-500, 500], [-500], [-500]]

    double("clock", advance=4 * DAY)
    charge(client, customer, "pm_card_bypassPending", amount=9_000)
    payout = client.v1.payouts.create({"amount": 1_000, "currency": "jpy"})
    states = [payout.status]
    for days in (1, 3):
        double("clock", advance=days * DAY)
        states.append(client.v1.payouts.retrieve(payout.id).status)
    assert states == ["pending", "in_transit", "paid"]
