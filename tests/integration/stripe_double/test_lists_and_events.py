"""Lists page by page, filters, expanded ids; events that are lost, doubled, shuffled, thin, or too old."""

from __future__ import annotations

import json
from typing import Any

import stripe

from tests.integration.stripe_double.conftest import Client, charge, kinds, refused, saved
from tests.stripe_double.running import Controls

DAY = 86_400
NOW = 1_775_001_600


def test_pages_hold_everything_once_newest_first(client: Client, double: Controls) -> None:
    customer, method = saved(client)
    other, others = saved(client)
    made = []
    for number in range(7):
        double("clock", now=NOW + number // 3)  # several in one second
        made.append(charge(client, customer, method).id)
        charge(client, other, others)
    asked: Any = {"customer": customer, "limit": 3}
    page = client.v1.payment_intents.list(asked)
    assert (page.has_more, page.url) == (True, "/v1/payment_intents")
    assert [each.id for each in page.auto_paging_iter()] == made[::-1]
    middle = client.v1.payment_intents.list(asked | {"ending_before": made[0]})
    assert [each.id for each in middle.data] == made[3:0:-1]
    since = client.v1.payment_intents.list({"customer": customer, "created": {"gte": NOW + 1, "lt": NOW + 2}})
    assert [each.id for each in since.data] == made[5:2:-1]
    assert [each.id for each in client.v1.payment_intents.list({"created": NOW + 2, "customer": customer}).data] == [
        made[6]
    ]
    assert len(client.v1.payment_intents.list().data) == 10
    methods = client.v1.customers.payment_methods.list(customer)
    assert [each.id for each in methods.data] == [method]


def test_ids_are_expanded_where_the_types_say_so(client: Client) -> None:
    intent = charge(client, *saved(client), expand=["latest_charge.balance_transaction", "customer"])
    latest: Any = intent.latest_charge
    assert (latest.balance_transaction.net, latest.payment_intent) == (482, intent.id)
    client.v1.refunds.create({"payment_intent": intent.id, "metadata": {"keizoku_key": "k"}})
    moved = client.v1.balance_transactions.list({"expand": ["data.source"]}).data
    sources: Any = [each.source for each in moved]
    assert [each.object for each in sources] == ["refund", "charge"]
    assert sources[0].metadata.to_dict() == {"keizoku_key": "k"}
    for wrong in ("data.amount", "source", "data.fee_details.amount"):
        told = refused(lambda wrong=wrong: client.v1.balance_transactions.list({"expand": [wrong]}))  # type: ignore[misc]
        assert told["message"].startswith(f"This property cannot be expanded ({wrong}).")


def test_events_tell_what_happened_as_it_was_then(client: Client, double: Controls) -> None:
    customer, method = saved(client)
    charge(client, customer, method, "k1", metadata={"a": "b"})
    assert kinds(client) == [
        "customer.created", "setup_intent.created", "payment_method.attached", "setup_intent.succeeded",
        "payment_intent.created", "payment_intent.succeeded", "charge.succeeded",
    ]  # fmt: skip
    [first] = client.v1.events.list({"type": "payment_intent.created"}).data
    body = json.loads(str(first))
    assert (body["data"]["object"]["status"], body["request"]["idempotency_key"]) == ("requires_confirmation", "k1")
    assert [
        str(each.type) for each in client.v1.events.list({"types": ["charge.succeeded", "charge.failed"]}).data
    ] == ["charge.succeeded"]
    assert len(client.v1.events.list({"type": "payment_intent.*"}).data) == 2
    double("clock", advance=30 * DAY)
    assert len(client.v1.events.list().data) == 7
    double("clock", advance=1)
    assert client.v1.events.list().data == []
    assert refused(lambda: client.v1.events.retrieve(first.id))["code"] == "resource_missing"
    assert len(double("all", kind="event")) == 7


def test_events_are_lost_doubled_and_out_of_order_where_a_test_asks(client: Client, double: Controls) -> None:
    double("events", lose=["payment_intent.succeeded"])
    customer, method = saved(client)
    for _ in range(8):
        charge(client, customer, method)
    told = [each.id for each in client.v1.events.list({"limit": 100}).data]
    assert kinds(client).count("payment_intent.succeeded") == 7
    double("events", seed=3)
    strange = [each.id for each in client.v1.events.list({"limit": 100}).data]
    assert set(strange) == set(told)
    assert len(strange) > len(told)
    assert strange != sorted(strange, key=told.index)
    paged = [each.id for each in client.v1.events.list({"limit": 5}).auto_paging_iter()]
    assert set(paged) == set(told)


def test_an_endpoint_gets_a_signed_snapshot_or_a_thin_event(client: Client, double: Controls) -> None:
    intent = charge(client, *saved(client))
    [event] = client.v1.events.list({"type": "payment_intent.succeeded"}).data
    for thin in (False, True):
        sent = double("payload", event=event.id, secret="whsec_1", thin=thin)  # noqa: S106
        assert stripe.WebhookSignature.verify_header(sent["payload"], sent["signature"], "whsec_1", tolerance=10**9)
        body = json.loads(sent["payload"])
        if not thin:
            assert (body["object"], body["data"]["object"]["id"]) == ("event", intent.id)
            continue
        assert {name: body[name] for name in ("object", "type", "related_object")} == {
            "object": "v2.core.event",
            "type": "v1.payment_intent.succeeded",
            "related_object": {
                "id": intent.id, "type": "payment_intent", "url": f"/v1/payment_intents/{intent.id}",
            },
        }  # fmt: skip
        assert ("data" in body, body["created"]) == (False, "2026-04-01T00:00:00.000Z")
        notice: Any = client.parse_event_notification(sent["payload"], sent["signature"], "whsec_1", tolerance=10**9)
        assert type(notice).__name__ == "V1PaymentIntentSucceededEventNotification"
        assert notice.fetch_related_object().id == intent.id
