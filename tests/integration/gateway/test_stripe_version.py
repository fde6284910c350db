"""The version of Stripe's API is ours: what has to be looked at before it is raised, and what says so."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Literal, get_args, get_origin

import stripe
from stripe._api_version import _ApiVersion

from keizoku.billing.gateway.stripe_calls import API_VERSION, StripeCalls
from tests.stripe_double.sdk.parameters import hints
from tests.stripe_double.sdk.routes import find
from tests.stripe_double.sdk.shapes import class_of

ROOT = Path(__file__).parents[3]

LOOK_AT = {
    "payment_intent.status": "billing/gateway/stripe_gateway.py: which states are an answer",
    "setup_intent.status": "billing/cards/saved_cards.py: when a card is saved",
    "dispute.status": "billing/gateway/stripe_books.py: inquiries, open, closed, appeals",
    "balance_transaction.type": "billing/gateway/events.py: what is booked by whom",
    "payout.reconciliation_status": "billing/gateway/stripe_books.py: when members can be listed",
    "charge.status": "billing/gateway/stripe_books.py: what a charge came to",
}
"""What a newer version may add words to, and who has to know them."""

WORDS = {
    "payment_intent.status": {
        "canceled", "processing", "requires_action", "requires_capture", "requires_confirmation",
        "requires_payment_method", "succeeded",
    },
    "setup_intent.status": {
        "canceled", "processing", "requires_action", "requires_confirmation", "requires_payment_method", "succeeded",
    },
    "dispute.status": {
        "needs_response", "under_review", "won", "lost", "prevented", "warning_needs_response", "warning_under_review",
        "warning_closed", "appeal_needs_response", "appeal_under_review",
    },
    "payout.reconciliation_status": {"completed", "in_progress", "not_applicable"},
    "charge.status": {"failed", "pending", "succeeded"},
}  # fmt: skip
KINDS_OF_MOVEMENTS = 52
ASKED = {
    "POST /v1/customers": {"metadata"},
    "POST /v1/setup_intents": {"allowed_payment_method_types", "customer", "metadata", "usage"},
    "GET /v1/setup_intents/seti_1": set(),
    "POST /v1/payment_methods/pm_1/detach": set(),
    "POST /v1/payment_intents": {
        "allowed_payment_method_types", "amount", "confirm", "currency", "customer", "metadata", "off_session",
        "payment_method",
    },
    "GET /v1/payment_intents": {"created", "customer", "limit", "starting_after"},
    "POST /v1/payment_intents/pi_1/cancel": set(),
    "POST /v1/refunds": {"amount", "metadata", "payment_intent"},
    "GET /v1/refunds": {"created", "limit", "payment_intent", "starting_after"},
    "GET /v1/refunds/re_1": set(),
    "GET /v1/disputes/dp_1": set(),
    "GET /v1/events": {"created", "limit", "starting_after"},
    "GET /v1/balance_transactions": {"created", "expand", "limit", "payout", "starting_after"},
    "GET /v1/payouts": {"created", "limit", "starting_after"},
    "GET /v1/balance": set(),
}  # fmt: skip
"""Every call that we make, with its parameters: what the pinned types no longer have is to be asked otherwise."""


def _words(field: str) -> set[str]:
    kind, name = field.split(".")
    hint = hints(class_of(kind))[name]
    return {word for each in (hint, *get_args(hint)) if get_origin(each) is Literal for word in get_args(each)}


def test_every_call_names_our_version_and_it_is_the_one_that_the_pinned_client_has() -> None:
    assert StripeCalls.to("sk_test_none").client._requestor._options.stripe_version == API_VERSION
    assert API_VERSION == _ApiVersion.CURRENT, (
        f"the installed client ({stripe.VERSION}) was made for {_ApiVersion.CURRENT}, and we ask for {API_VERSION}: "
        f"read Stripe's changelog between them, then {', '.join(sorted(LOOK_AT.values()))}, the double "
        "(tests/stripe_double) and CHANGELOG.md"
    )


def test_the_range_of_the_client_is_closed_and_one_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["optional-dependencies"]["stripe"] == ["stripe>=16.1,<17"]
    assert f"stripe=={stripe.VERSION}" in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()


def test_words_that_stripe_may_say_are_those_that_were_looked_at() -> None:
    moved = {field: sorted(_words(field) ^ words) for field, words in WORDS.items() if _words(field) != words}
    assert moved == {}, {field: LOOK_AT[field] for field in moved}
    assert len(_words("balance_transaction.type")) == KINDS_OF_MOVEMENTS, LOOK_AT["balance_transaction.type"]


def test_the_calls_that_we_make_are_calls_of_the_pinned_version() -> None:
    gone = []
    for call, names in ASKED.items():
        method, path = call.split()
        found = find(method, path)
        gone += [call] if found is None else [f"{call}: {name}" for name in names - set(found[0].schema().fields)]
    assert gone == []
