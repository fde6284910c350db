"""What the double refuses of a request: everything that the types of the pinned SDK do not have."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.stripe_double.conftest import Client, Clients, charge, refused, saved
from tests.stripe_double.running import Controls
from tests.stripe_double.sdk.called import check_call
from tests.stripe_double.sdk.parameters import Refusal, nested, refusals, typed
from tests.stripe_double.sdk.routes import find, routes
from tests.stripe_double.served import HANDLERS

INTENTS = find("POST", "/v1/payment_intents")
assert INTENTS is not None
FORM = INTENTS[0].schema()


def _said(given: dict[str, str]) -> list[tuple[str, str | None]]:
    return [(each.param, each.code) for each in refusals(FORM, nested(list(given.items())))]


@pytest.mark.parametrize(
    ("more", "found"),
    [
        ({"payment_method_types[0]": "card"}, [("payment_method_types", "parameter_unknown")]),
        ({"amount": "five"}, [("amount", "parameter_invalid_integer")]),
        ({"confirm": "yes"}, [("confirm", None)]),
        ({"capture_method": "later"}, [("capture_method", None)]),
        ({"allowed_payment_method_types[0]": "cart"}, [("allowed_payment_method_types[0]", None)]),
        ({"allowed_payment_method_types": "card"}, [("allowed_payment_method_types", None)]),
        ({"customer": ""}, [("customer", "parameter_invalid_empty")]),
        ({"metadata": "text"}, [("metadata", None)]),
        ({"metadata[a][b]": "text"}, [("metadata[a]", None)]),
        ({"shipping[name]": "Taro"}, [("shipping[address]", "parameter_missing")]),
        ({"transfer_data[amount]": "5", "transfer_data[to]": "x"},
         [("transfer_data[to]", "parameter_unknown"), ("transfer_data[destination]", "parameter_missing")]),
        ({"idempotency_key": "x"}, [("idempotency_key", "parameter_unknown")]),
        ({"off_session": "sometimes"}, [("off_session", None)]),
    ],
)  # fmt: skip
def test_what_the_types_do_not_have_is_refused(more: dict[str, str], found: list[tuple[str, str | None]]) -> None:
    assert _said({"amount": "500", "currency": "jpy", **more}) == found


def test_what_the_types_have_passes_with_its_types() -> None:
    given = {"amount": "500", "currency": "jpy", "confirm": "true", "off_session": "recurring", "metadata[a]": "",
             "allowed_payment_method_types[0]": "card", "expand[0]": "latest_charge"}  # fmt: skip
    assert _said(given) == []
    assert typed(FORM, nested(list(given.items()))) == {
        "amount": 500, "currency": "jpy", "confirm": True, "off_session": "recurring", "metadata": {"a": ""},
        "allowed_payment_method_types": ["card"], "expand": ["latest_charge"],
    }  # fmt: skip
    assert list(refusals(FORM, {})) == [
        Refusal(name, "parameter_missing", f"Missing required param: {name}.") for name in ("amount", "currency")
    ]


def test_every_call_of_the_client_has_a_schema() -> None:
    found = [route for same in routes().values() for _, route in same]
    assert len(found) > 500
    assert {route.schema().kind for route in found} == {"object"}
    served = [(service, name) for service, name in HANDLERS if (service, name) not in {
        (route.service, route.name) for route in found
    }]  # fmt: skip
    assert served == []


def test_a_call_is_checked_without_a_server_too() -> None:
    asked = {"amount": 500, "currency": "jpy", "confirm": True, "metadata": {"a": "b"}}
    check_call("payment_intents", "create", (asked, {"idempotency_key": "k"}))
    check_call("payment_intents", "retrieve", ("pi_1",))
    for method, given, said in (
        ("create", ({**asked, "amount": "x"},), "Invalid integer: x"),
        ("retrieve", ("pi_1", {"expend": ["x"]}), "Received unknown parameter: expend"),
        ("charge", (asked,), "the client has no payment_intents.charge"),
    ):
        with pytest.raises(AssertionError, match=said):
            check_call("payment_intents", method, given)


def test_over_http_a_refusal_is_stripes_and_is_recorded(client: Client, double: Controls) -> None:
    asked: Any = {"usage": "off_session", "payment_method_types": ["card"]}
    assert refused(lambda: client.v1.setup_intents.create(asked)) == {
        "error": "InvalidRequestError", "status": 400, "type": "invalid_request_error", "code": "parameter_unknown",
        "param": "payment_method_types", "message": "Received unknown parameter: payment_method_types",
    }  # fmt: skip
    [found] = double("violations")
    assert found == {"call": "POST /v1/setup_intents", "why": "Received unknown parameter: payment_method_types"}
    [recorded] = double("requests")
    assert {name: recorded[name] for name in ("method", "path", "params", "status")} == {
        "method": "POST", "path": "/v1/setup_intents", "status": 400,
        "params": [["usage", "off_session"], ["payment_method_types[0]", "card"]],
    }  # fmt: skip


def test_another_version_another_address_and_what_is_not_served_are_refused(
    client: Client, clients: Clients, double: Controls
) -> None:
    old = clients(version="2026-09-30.endive")
    assert refused(lambda: old.v1.balance.retrieve())["message"] == "Invalid Stripe API version: 2026-09-30.endive"
    assert refused(lambda: client.raw_request("get", "/v1/payment_intentions"))["status"] == 404
    assert refused(lambda: client.v1.coupons.list())["status"] == 501
    assert [each["why"].split(":")[0] for each in double("violations")] == [
        "version 2026-09-30.endive, not 2026-10-28.endive",
        "no such address",
        "the double does not serve coupon.list",
    ]


def test_what_the_types_cannot_say_is_refused_as_well(client: Client) -> None:
    customer, method = saved(client)
    found = {
        name: refused(lambda more=more: charge(client, customer, method, **more))  # type: ignore[misc]
        for name, more in {
            "small": {"amount": 49},
            "large": {"amount": 100_000_000},
            "currency": {"currency": "yen"},
            "customer": {"customer": "cus_none"},
            "card": {"payment_method": "pm_none"},
            "redirects": {"allowed_payment_method_types": ["card", "paypay"]},
            "long name": {"metadata": {"n" * 41: "x"}},
            "long value": {"metadata": {"n": "x" * 501}},
            "many": {"metadata": {f"n{number}": "x" for number in range(51)}},
        }.items()
    }
    assert {name: (each["status"], each["code"], each["param"]) for name, each in found.items()} == {
        "small": (400, "amount_too_small", "amount"),
        "large": (400, "amount_too_large", "amount"),
        "currency": (400, None, "currency"),
        "customer": (400, "resource_missing", "customer"),
        "card": (400, "resource_missing", "payment_method"),
        "redirects": (400, None, "return_url"),
        "long name": (400, "parameter_invalid_string", "metadata"),
        "long value": (400, "parameter_invalid_string", "metadata[n]"),
        "many": (400, "parameter_invalid_string", "metadata"),
    }
    assert refused(lambda: client.v1.payment_intents.list({"limit": 101}))["param"] == "limit"
    assert refused(lambda: client.v1.payment_intents.list({"starting_after": "pi_none"}))["code"] == "resource_missing"
    assert refused(lambda: client.v1.payment_intents.list({"expand": ["data.amount"]}))["param"] == "expand"
