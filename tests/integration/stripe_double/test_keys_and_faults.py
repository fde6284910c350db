"""Idempotency keys, API keys and their rights, modes, limits, and everything that goes wrong between two machines."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import stripe

from tests.integration.stripe_double.conftest import Client, Clients, charge, refused, saved
from tests.stripe_double.access import ACCOUNT, LIVE, RIGHTS, SECRET
from tests.stripe_double.running import Controls

DAY = 86_400


def _charges(double: Controls, **how: Any) -> int:
    return sum(each["status"] == "succeeded" for each in double("all", kind="charge", **how))


def test_a_key_answers_the_first_answer_for_a_day_and_refuses_other_parameters(
    client: Client, double: Controls
) -> None:
    customer, method = saved(client)
    first = charge(client, customer, method, "k1")
    assert charge(client, customer, method, "k1").id == first.id
    other = refused(lambda: charge(client, customer, method, "k1", amount=600))
    assert (other["error"], other["status"], other["type"]) == ("IdempotencyError", 400, "idempotency_error")
    declined = refused(lambda: charge(client, customer, "pm_card_chargeCustomerFail", "k2"))
    assert declined == refused(lambda: charge(client, customer, "pm_card_chargeCustomerFail", "k2"))
    assert _charges(double) == 1
    double("clock", advance=DAY)
    assert charge(client, customer, method, "k1").id == first.id
    double("clock", advance=1)
    assert charge(client, customer, method, "k1").id != first.id
    assert refused(lambda: charge(client, customer, method, "k" * 256))["status"] == 400


def test_what_is_refused_before_it_begins_is_not_kept(client: Client, double: Controls) -> None:
    customer, method = saved(client)
    double("faults", faults=[{"kind": kind} for kind in ("busy", "lock_timeout", "error_500")])
    found = [refused(lambda: charge(client, customer, method, "k1")) for _ in range(3)]
    assert [(each["error"], each["status"], each["code"]) for each in found] == [
        ("RateLimitError", 429, "rate_limit"), ("RateLimitError", 429, "lock_timeout"), ("APIError", 500, None),
    ]  # fmt: skip
    assert refused(lambda: charge(client, customer, method, "k1", payment_method_types=["card"]))["status"] == 400
    assert charge(client, customer, method, "k1").status == "succeeded"


@pytest.mark.parametrize(("kind", "charged"), [("kept_500", 0), ("kept_500_done", 1)])
def test_a_500_is_kept_under_its_key_whether_it_happened_or_not(
    client: Client, double: Controls, kind: str, charged: int
) -> None:
    customer, method = saved(client)
    double("faults", faults=[{"kind": kind, "path": "/v1/payment_intents"}])
    for _ in range(3):
        assert refused(lambda: charge(client, customer, method, "k1"))["status"] == 500
    assert _charges(double) == charged
    assert charge(client, customer, method, "k2").status == "succeeded"


@pytest.mark.parametrize(("kind", "charged"), [("lost", 1), ("reset", 0), ("stall", 0)])
def test_an_answer_that_never_comes(client: Client, double: Controls, kind: str, charged: int) -> None:
    customer, method = saved(client)
    double("limits", stall_seconds=0.1)
    double("faults", faults=[{"kind": kind}])
    assert refused(lambda: charge(client, customer, method, "k1"))["error"] == "APIConnectionError"
    assert _charges(double) == charged
    assert charge(client, customer, method, "k1").status == "succeeded"
    assert _charges(double) == 1


def test_while_the_first_is_under_way_its_key_conflicts(client: Client, double: Controls) -> None:
    customer, method = saved(client)
    double("limits", stall_seconds=0.1)
    double("faults", faults=[{"kind": "late"}])
    assert refused(lambda: charge(client, customer, method, "k1"))["error"] == "APIConnectionError"
    conflict = refused(lambda: charge(client, customer, method, "k1"))
    assert (conflict["status"], conflict["code"]) == (409, "idempotency_key_in_use")
    assert _charges(double) == 0
    assert double("release") == {"released": 1}
    assert charge(client, customer, method, "k1").status == "succeeded"
    assert _charges(double) == 1


def test_two_at_once_with_one_key_charge_once(client: Client, double: Controls) -> None:
    customer, method = saved(client)
    double("limits", latency_ms=200)

    def ask(number: int) -> str:
        try:
            return str(charge(client, customer, method, "k1").status)
        except stripe.StripeError as error:
            body: Any = error.json_body
            return str(body["error"]["code"])

    with ThreadPoolExecutor(4) as pool:
        found = sorted(pool.map(ask, range(4)))
    assert found == [*["idempotency_key_in_use"] * 3, "succeeded"]
    assert _charges(double) == 1


def test_live_and_test_do_not_see_each_other_nor_do_accounts(
    client: Client, clients: Clients, double: Controls
) -> None:
    intent = charge(client, *saved(client))
    live = clients(LIVE)
    found = refused(lambda: live.v1.payment_intents.retrieve(intent.id))
    assert (found["status"], found["code"], found["message"]) == (
        404, "resource_missing", (f"No such payment_intent: '{intent.id}'; a similar object exists in test mode, but a "
                                  "live mode key was used to make this request."),
    )  # fmt: skip
    customer = live.v1.customers.create({}).id
    assert "a similar object exists in live mode, but a test mode key" in str(
        refused(lambda: charge(client, customer, "pm_card_visa"))["message"]
    )
    assert (intent.livemode, live.v1.balance.retrieve().livemode) == (False, True)
    double("key", name="sk_test_other", account="acct_other")
    other = clients("sk_test_other")
    message = refused(lambda: other.v1.payment_intents.retrieve(intent.id))["message"]
    assert message == f"No such payment_intent: '{intent.id}'"
    assert [each.v1.accounts.retrieve_current().id for each in (client, live, other)] == [
        ACCOUNT,
        ACCOUNT,
        "acct_other",
    ]
    assert refused(lambda: client.v1.accounts.retrieve("acct_other"))["code"] == "account_invalid"


def test_keys_that_are_none_or_have_no_right(client: Client, clients: Clients, double: Controls) -> None:
    intent = charge(client, *saved(client))
    for key, code in (("pk_test_1", "secret_key_required"), ("sk_test_nobody", None)):
        found = refused(lambda key=key: clients(key).v1.balance.retrieve())  # type: ignore[misc]
        assert (found["error"], found["status"], found["code"]) == ("AuthenticationError", 401, code)
    double("key", name="rk_test_12345678", rights=["payment_intent_write", "charge_read"])
    restricted = clients("rk_test_12345678")
    assert restricted.v1.payment_intents.retrieve(intent.id).id == intent.id
    assert restricted.v1.charges.list().data[0].payment_intent == intent.id
    found = refused(lambda: restricted.v1.refunds.create({"payment_intent": intent.id}))
    assert (found["error"], found["status"], found["type"], found["message"]) == (
        "PermissionError", 403, "invalid_request_error",
        (f"The provided key 'rk_test_****5678' does not have the required permissions for this endpoint on account "
         f"'{ACCOUNT}'. Having the 'rak_refund_write' permission would allow this request to continue."),
    )  # fmt: skip


def test_limits_name_their_reason_and_locks_their_object(client: Client, clients: Clients, double: Controls) -> None:
    customer, method = saved(client)
    double("limits", overall=100, endpoint=5)
    time.sleep(1)  # the window of what went before

    def ask(number: int) -> str | None:
        try:
            client.v1.customers.retrieve(customer)
        except stripe.RateLimitError as error:
            return str((error.headers or {}).get("Stripe-Rate-Limited-Reason"))
        return None

    with ThreadPoolExecutor(12) as pool:
        found = list(pool.map(ask, range(12)))
    assert (found.count(None), found.count("endpoint-rate")) == (5, 7)
    double("limits", overall=2, endpoint=None)
    time.sleep(1.05)
    assert [ask(number) for number in range(3)] == [None, None, "global-rate"]
    double("limits", overall=None, locked=[customer])
    locked = refused(lambda: charge(client, customer, method, "k1"))
    assert (locked["error"], locked["status"], locked["code"]) == ("RateLimitError", 429, "lock_timeout")
    assert charge(client, *saved(clients(SECRET)), "k2").status == "succeeded"
    double("limits", locked=[], resource=2)
    intent = charge(client, customer, method, "k1").id
    for _ in range(2):
        client.v1.payment_intents.update(intent, {"description": "of May"})
    with pytest.raises(stripe.RateLimitError) as caught:
        client.v1.payment_intents.update(intent, {"description": "of May"})
    assert dict(caught.value.headers or {})["Stripe-Rate-Limited-Reason"] == "resource-specific"


def test_calls_at_once_are_limited_too(client: Client, double: Controls) -> None:
    double("limits", at_once=1, latency_ms=200)
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda number: _reason(client), range(3)))
    assert (found.count(None), found.count("global-concurrency")) == (1, 2)


def _reason(client: Client) -> str | None:
    try:
        client.v1.balance.retrieve()
    except stripe.RateLimitError as error:
        return str((error.headers or {}).get("Stripe-Rate-Limited-Reason"))
    return None


def test_its_clock_is_the_date_of_its_answers(client: Client, double: Controls) -> None:
    double("clock", advance=90)
    response = client.v1.balance.retrieve().last_response
    assert response is not None
    assert response.headers["Date"] == "Wed, 01 Apr 2026 00:01:30 GMT"


@pytest.mark.parametrize("resource", sorted(RIGHTS))
def test_each_right_is_named_where_it_is_missing(clients: Clients, double: Controls, resource: str) -> None:
    double("key", name="rk_test_00000001", rights=["nothing_at_all"])
    address = f"/v1/{resource}" if resource != "accounts" else f"/v1/accounts/{ACCOUNT}"
    found = refused(lambda: clients("rk_test_00000001").raw_request("get", address))
    assert found["status"] == 403
    assert f"'rak_{RIGHTS[resource]}_read'" in found["message"]
    double("key", name="rk_test_00000001", rights=[f"{RIGHTS[resource]}_read"])
    asked = {"customer": clients().v1.customers.create({}).id} if resource == "payment_methods" else {}
    answer = clients("rk_test_00000001").raw_request("get", address, **asked)
    assert answer.code == 200
    assert double("violations") == []
