"""The test cards that Stripe documents (docs.stripe.com/testing): what each does when saved, charged, refunded."""

from __future__ import annotations

from dataclasses import dataclass

MESSAGES = {
    "authentication_required": "Your card was declined. This transaction requires authentication.",
    "card_declined": "Your card was declined.",
    "expired_card": "Your card has expired.",
    "incorrect_cvc": "Your card's security code is incorrect.",
    "incorrect_number": "Your card number is incorrect.",
    "insufficient_funds": "Your card has insufficient funds.",
    "processing_error": "An error occurred while processing your card. Try again in a little bit.",
    "setup_intent_authentication_failure": (
        "We are unable to authenticate your payment method. Please choose a different payment method and try again."
    ),
    "payment_intent_authentication_failure": (
        "We are unable to authenticate your payment method. Please choose a different payment method and try again."
    ),
}


@dataclass(frozen=True, slots=True)
class Decline:
    """Why a bank says no: Stripe's code, the bank's word, and the advice that comes with it."""

    code: str = "card_declined"
    decline_code: str | None = "generic_decline"
    advice_code: str | None = "try_again_later"
    blocked: bool = False  # by Stripe's own rules, not by the bank

    @property
    def message(self) -> str:
        """What a person reads."""
        return MESSAGES.get(self.decline_code or "", MESSAGES.get(self.code, MESSAGES["card_declined"]))


@dataclass(frozen=True, slots=True)
class Card:
    """A test card."""

    number: str
    alias: str = ""  # pm_card_…
    brand: str = "visa"
    country: str = "US"
    declines: Decline | None = None  # the charge
    refuses_saving: bool = False  # the decline comes already when it is saved
    asks: str = "never"  # for its holder: never, until_set_up, always, set_up_already
    refunds: str = "succeeded"  # or pending, failed (later)
    disputed: str | None = None  # the reason, right after the charge
    inquiry: bool = False
    no_wait: bool = False  # what it pays is available at once


def _refused(number: str, alias: str, code: str, decline_code: str | None, advice: str | None = None) -> Card:
    return Card(number, alias, declines=Decline(code, decline_code, advice), refuses_saving=True)


CARDS = (
    Card("4242424242424242", "pm_card_visa"),
    Card("4000003920000003", "pm_card_jp", country="JP"),
    Card("5555555555554444", "pm_card_mastercard", "mastercard"),
    Card("3566002020360505", "pm_card_jcb", "jcb", "JP"),
    Card("378282246310005", "pm_card_amex", "amex"),
    Card("4000000000000077", "pm_card_bypassPending", no_wait=True),
    # saved, and refused when charged
    Card("4000000000000341", "pm_card_chargeCustomerFail", declines=Decline()),
    # refused when saved, and when charged
    _refused("4000000000000002", "pm_card_visa_chargeDeclined", "card_declined", "generic_decline", "try_again_later"),
    _refused("4000000000009995", "pm_card_visa_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds",
             "try_again_later"),
    _refused("4000000000009987", "pm_card_visa_chargeDeclinedLostCard", "card_declined", "lost_card",
             "do_not_try_again"),
    _refused("4000000000009979", "pm_card_visa_chargeDeclinedStolenCard", "card_declined", "stolen_card",
             "do_not_try_again"),
    _refused("4000000000000069", "pm_card_chargeDeclinedExpiredCard", "expired_card", None, "confirm_card_data"),
    _refused("4000000000000127", "pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc", None, "confirm_card_data"),
    _refused("4000000000000119", "pm_card_chargeDeclinedProcessingError", "processing_error", None, "try_again_later"),
    _refused("4242424242424241", "", "incorrect_number", None, "confirm_card_data"),
    _refused("4000000000006975", "pm_card_visa_chargeDeclinedVelocityLimitExceeded", "card_declined",
             "card_velocity_exceeded", "try_again_later"),
    Card("4100000000000019", "pm_card_radarBlock",
         declines=Decline("card_declined", "fraudulent", "do_not_try_again", blocked=True)),
    # disputed
    Card("4000000000000259", "pm_card_createDispute", disputed="fraudulent"),
    Card("4000000000002685", "pm_card_createDisputeProductNotReceived", disputed="product_not_received"),
    Card("4000000000001976", "pm_card_createDisputeInquiry", disputed="fraudulent", inquiry=True),
    # refunds that take their time
    Card("4000000000007726", "pm_card_pendingRefund", refunds="pending"),
    Card("4000000000005126", "pm_card_refundFail", refunds="failed"),
    # 3-D Secure
    Card("4000002500003155", "pm_card_authenticationRequiredOnSetup", asks="until_set_up"),
    Card("4000002760003184", "pm_card_authenticationRequired", asks="always"),
    Card("4000003800000446", "pm_card_authenticationRequiredSetupForOffSession", asks="set_up_already"),
    Card("4000008260003178", "pm_card_authenticationRequiredChargeDeclinedInsufficientFunds", asks="until_set_up",
         declines=Decline("card_declined", "insufficient_funds", "try_again_later")),
    Card("4000000000003220", "pm_card_threeDSecure2Required", asks="until_set_up"),
)  # fmt: skip
BY_NUMBER = {each.number: each for each in CARDS}
BY_ALIAS = {each.alias: each for each in CARDS if each.alias}
