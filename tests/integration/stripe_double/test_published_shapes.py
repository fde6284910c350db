"""The double's answers held against Stripe's published examples, where these are beside the checkout."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.integration.stripe_double.conftest import Client, charge, saved
from tests.stripe_double.running import Controls

PUBLISHED = Path(__file__).parents[4] / "shared" / "partner" / "stripe-fixtures3.json"

OURS_ONLY = {
    "payment_intent": {"allowed_payment_method_types"},
    "setup_intent": {"allowed_payment_method_types", "customer_account"},
}
"""Fields of the pinned classes that the examples are too old, or too short, to show."""
THEIRS_ONLY = {
    "charge": {"refunds"},  # listed only when it is asked for
    "payment_intent": {"managed_payments"},
    "customer": {"customer_account"},
    "setup_intent": {"managed_payments"},
    "balance": {"connect_reserved"},
}
"""Fields that the examples show of accounts that have more than cards."""


@pytest.mark.skipif(not PUBLISHED.exists(), reason="Stripe's published examples are not beside the checkout")
def test_fields_are_those_of_the_published_examples(client: Client, double: Controls) -> None:
    resources: dict[str, Any] = json.loads(PUBLISHED.read_text(encoding="utf-8"))["resources"]
    intent = charge(client, *saved(client))
    client.v1.refunds.create({"payment_intent": intent.id, "amount": 100})
    charge(client, *saved(client, "pm_card_createDispute"))
    double("payout")
    found = {}
    for kind in ("balance_transaction", "charge", "customer", "dispute", "event", "payment_intent", "payment_method",
                 "payout", "refund", "setup_intent"):  # fmt: skip
        found[kind] = double("all", kind=kind)[0]
    found["balance"] = json.loads(str(client.v1.balance.retrieve()))
    more = {kind: set(each) - set(resources[kind]) - OURS_ONLY.get(kind, set()) for kind, each in found.items()}
    less = {kind: set(resources[kind]) - set(each) - THEIRS_ONLY.get(kind, set()) for kind, each in found.items()}
    assert {kind: each for kind, each in more.items() if each} == {}
    assert {kind: each for kind, each in less.items() if each} == {}
    strange = []
    for kind, each in found.items():
        for name, value in each.items():
            example = resources[kind].get(name)
            # null where the example has something, and the other way round, says nothing; another kind of thing does
            if value is not None and example is not None and type(value) is not type(example):
                strange.append(f"{kind}.{name}: {type(value).__name__}, published as {type(example).__name__}")
    assert strange == []
    assert double("violations") == []
