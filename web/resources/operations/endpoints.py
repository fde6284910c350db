"""Endpoints: where a host wants events sent (Standard Webhooks), and what became of each."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import Field

from keizoku.web.calls.answers import listed
from keizoku.web.calls.call import Call, Listing, number_in, shown_rows
from keizoku.web.calls.operation import Resource
from keizoku.web.calls.values import Ground, Name, Number
from keizoku.web.event_feed import Cursor
from keizoku.web.webhooks import endpoints as records
from keizoku.web.webhooks.endpoints import Changes, DeliveryRow, EndpointRow
from keizoku.web.webhooks.job import rules_of
from keizoku.web.webhooks.signing import key_ring
from keizoku.web.webhooks.trying import send_test

__all__ = ["endpoints"]

endpoints = Resource("endpoints", "Where events are sent to, signed as Standard Webhooks says.")

Url = Annotated[str, Field(min_length=1, max_length=2_000, examples=["https://shop.example/hooks"])]
Types = Annotated[list[Annotated[str, Field(max_length=60)]], Field(max_length=100)]
Place = Annotated[str, Field(max_length=40, pattern="^[0-9]{1,18}-[0-9]{1,9}$", description="the id of an event")]
Hours = Annotated[int, Field(ge=0, le=168, description="so long the secret before signs too")]
Made = listed("EndpointSecret", endpoint=int, secret=str | None)


@endpoints.list("/endpoints", command="webhook list", row=EndpointRow)
def list_endpoints(call: Call) -> Listing:
    """Every endpoint: where, which types, on or off, up to which event it was served, what waits."""
    return shown_rows(records.endpoint_list(call.session))


@endpoints.question("/endpoints/{number}", command="webhook list", answer=EndpointRow)
def show(call: Call, number: Number) -> EndpointRow:
    """One endpoint."""
    return records.endpoint_of(call.session, number)


@endpoints.list("/endpoints/{number}/deliveries", command="webhook deliveries", row=DeliveryRow)
def deliveries(call: Call, number: Number, *, failed: bool = False) -> Listing:
    """Each attempt and how it was answered, the newest first; with `failed` those that were not taken."""

    def read(limit: int, after: str) -> list[dict[str, Any]]:
        found = records.deliveries(call.session, number, limit=limit, before=number_in(after), failed=failed)
        return [each.to_json() for each in found]

    return Listing(read)


@endpoints.act("/endpoints", command="webhook add", answer=Made)
def add(call: Call, *, name: Name, url: Url, types: Types = [], since: Place | None = None) -> Any:  # noqa: B006
    """Make an endpoint. Its secret is in this answer, and in no other. Without `since` it is sent what is to come."""
    number, secret = records.add_endpoint(
        call.session,
        key_ring(call.settings.webhook_key_file),
        name,
        url,
        types,
        since=None if since is None else Cursor.read(since),
        allowed=call.settings.webhook_allowed_hosts,
        by=call.author,
        now=call.now,
    )
    call.reveal["secret"] = secret
    return {"endpoint": number, "secret": None}


@endpoints.act("/endpoints/{number}/change", command="webhook change", answer=EndpointRow)
def change(call: Call, number: Number, *, ground: Ground, url: Url | None = None, types: Types | None = None) -> Any:
    """Another address, or other types of events (an empty list: all of them)."""
    return records.change_endpoint(
        call.session,
        number,
        Changes(url, types),
        allowed=call.settings.webhook_allowed_hosts,
        by=call.author,
        ground=ground,
        now=call.now,
    )


@endpoints.act("/endpoints/{number}/switch", command="webhook switch", answer=EndpointRow)
def switch(call: Call, number: Number, *, on: bool, ground: Ground) -> Any:
    """Off: nothing is sent, and the place is kept. On again: from there, in order."""
    return records.switch(call.session, number, on=on, by=call.author, ground=ground, now=call.now)


@endpoints.act("/endpoints/{number}/rotate", command="webhook rotate", answer=Made)
def rotate(call: Call, number: Number, *, both_hours: Hours = 24) -> Any:
    """A new secret, in this answer alone; for a while both sign, so a receiver changes without a gap."""
    ring = key_ring(call.settings.webhook_key_file)
    call.reveal["secret"] = records.rotate_secret(
        call.session, ring, number, by=call.author, now=call.now, both=timedelta(hours=both_hours)
    )
    return {"endpoint": number, "secret": None}


@endpoints.act("/endpoints/{number}/test", command="webhook test", answer=DeliveryRow, repeat="again")
def test(call: Call, number: Number) -> Any:
    """Send a test event now, and say how it was answered."""
    ring = key_ring(call.settings.webhook_key_file)
    return send_test(call.session, ring, number, rules_of(call.settings), datetime.now(UTC))


@endpoints.act("/endpoints/{number}/replay", command="webhook replay", answer=EndpointRow)
def replay(call: Call, number: Number, *, after: Place) -> Any:
    """Send again what comes behind an event, in order, under the same ids."""
    return records.replay(call.session, number, Cursor.read(after))
