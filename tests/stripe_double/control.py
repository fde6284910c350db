"""/_test/…: what a test asks of the double beside Stripe's own API. JSON in, JSON out; `?key=` says whose books."""

from __future__ import annotations

import inspect
import json
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import stripe
from aiohttp import web

from tests.stripe_double import disputes, intents, payouts, refunds, setups
from tests.stripe_double.access import SECRET, Key, KeyRing, Limits
from tests.stripe_double.cards import BY_NUMBER, Decline
from tests.stripe_double.methods import attach_to, create_customer, keep_method
from tests.stripe_double.refused import StripeRefusesError
from tests.stripe_double.server import NOW, Double, Fault
from tests.stripe_double.world import Books, Thing, newest_first

Act = Callable[[Double, Books, Thing], Any]


def _clock(double: Double, books: Books, asked: Thing) -> Any:
    """`now` sets it, `advance` moves it on by seconds; what is due by then happens."""
    if "now" in asked:
        double.world.clock.fixed = asked["now"]
    double.world.clock.advance(asked.get("advance", 0))
    double.world.catch_up()
    return {"now": double.world.clock.exact()}


def _forget(double: Double, books: Books, asked: Thing) -> Any:
    double.forget()
    return {}


def _reset(double: Double, books: Books, asked: Thing) -> Any:
    """`forget`, and whatever tests set, and the violations: a double as it begins."""
    double.forget()
    double.violations.clear()
    double.limits, double.ring, double.latency_ms = Limits(), KeyRing(), 0
    double.world.clock.fixed, double.world.clock.ahead = None, 0.0
    return {}


async def _release(double: Double, books: Books, asked: Thing) -> Any:
    return {"released": await double.release()}


def _all(double: Double, books: Books, asked: Thing) -> Any:
    """Every object of a `kind`, newest first, also events that are too old to be told."""
    return newest_first(books.all(asked["kind"]))


def _holder(double: Double, books: Books, asked: Thing) -> Any:
    """The holder answers their bank: `intent`, `succeeds`."""
    succeeds = asked.get("succeeds", True)
    if asked["intent"].startswith("seti_"):
        setups.authenticate_setup(books, books.get("setup_intent", asked["intent"]), succeeds)
        return books.get("setup_intent", asked["intent"])
    intents.authenticate_intent(books, books.get("payment_intent", asked["intent"]), succeeds)
    return books.get("payment_intent", asked["intent"])


def _next(double: Double, books: Books, asked: Thing) -> Any:
    """What becomes next `of` a payment method, a customer, "*", or "refund:…" of these: a list of `outcomes`."""
    books.next_outcomes.setdefault(asked["of"], deque()).extend(asked["outcomes"])
    return {}


def _processed(double: Double, books: Books, asked: Thing) -> Any:
    """An `intent` that is processing ends: paid, or refused with a `code`."""
    found = books.get("payment_intent", asked["intent"])
    named = [asked.get(name) for name in ("code", "decline_code", "advice_code")]
    decline = Decline(str(named[0]), named[1], named[2]) if named[0] else None
    intents.finish_processing(books, found, decline)
    return found


def _dispute(double: Double, books: Books, asked: Thing) -> Any:
    """A new one for an `intent`, or the next `status` of the one with this `id`."""
    if "id" in asked:
        return disputes.move_dispute(books, asked["id"], asked["status"], asked.get("moves"), asked.get("fee", 0))
    intent = books.get("payment_intent", asked["intent"])
    more = {name: asked[name] for name in ("amount", "fee", "reason", "inquiry") if name in asked}
    return disputes.open_dispute(books, books.get("charge", intent["latest_charge"]), **more)


def _refund(double: Double, books: Books, asked: Thing) -> Any:
    """The refund with this `id` fails (`reason`, `tell`), or what was pending succeeds."""
    if asked["status"] == "succeeded":
        return refunds.settle_refund(books, asked["id"])
    tell = asked.get("tell")
    reason = asked.get("reason", "expired_or_canceled_card")
    return refunds.fail_refund(books, asked["id"], reason, None if tell is None else tuple(tell))


def _payout(double: Double, books: Books, asked: Thing) -> Any:
    """A new automatic one, or the next `status` of the one with this `id`."""
    if "id" in asked:
        more = {name: asked[name] for name in ("code", "reconciled") if name in asked}
        return payouts.move_payout(books, asked["id"], asked.get("status"), **more)
    return payouts.pay_out(books, asked.get("status", "pending"), currency=asked.get("currency", "jpy"))


def _movement(double: Double, books: Books, asked: Thing) -> Any:
    """Any balance transaction."""
    known = ("fee", "fee_details", "currency", "category", "description")
    more = {name: asked[name] for name in known if name in asked}
    return books.move(asked["type"], asked["amount"], asked.get("source"), **more)


def _event(double: Double, books: Books, asked: Thing) -> Any:
    """An event more: `type` and `object`."""
    books.tell(asked["type"], asked["object"])
    return {}


def _events(double: Double, books: Books, asked: Thing) -> Any:
    """`lose` the next of these types; `doubled` and `shuffled` (a seed) lists."""
    books.lost_events.extend(asked.get("lose", ()))
    if "seed" in asked:
        books.shuffled = asked["seed"]
    return {}


def _payload(double: Double, books: Books, asked: Thing) -> Any:
    """The `event` (an id) as an endpoint gets it: a snapshot, or `thin`; signed with `secret`."""
    found = books.get("event", asked["event"])
    said = thin(found) if asked.get("thin") else found
    payload = json.dumps(said)
    header = stripe.WebhookSignature.generate_signature_header(payload, asked["secret"], books.now())
    return {"payload": payload, "signature": header}


def thin(event: Thing) -> Thing:
    """A v2 event notification: no object in it, only where it is."""
    about = event["data"]["object"]
    kind = about["object"]
    return {
        "id": event["id"],
        "object": "v2.core.event",
        "type": f"v1.{event['type']}",
        "created": datetime.fromtimestamp(event["created"], UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        "livemode": event["livemode"],
        "context": None,
        "reason": None,
        "related_object": {"id": about["id"], "type": kind, "url": f"/v1/{kind}s/{about['id']}"},
        "snapshot_event": event["id"],
    }


def _faults(double: Double, books: Books, asked: Thing) -> Any:
    """What goes wrong next: a list of kind, method, path (a pattern) and times."""
    double.faults.extend(Fault(**each) for each in asked["faults"])
    return {}


def _key(double: Double, books: Books, asked: Thing) -> Any:
    """Give a key: account, live, rights (null: all)."""
    rights = asked.get("rights")
    given = None if rights is None else frozenset(rights)
    double.ring.give(Key(asked["name"], asked.get("account", books.account), bool(asked.get("live")), given))
    return {}


def _limits(double: Double, books: Books, asked: Thing) -> Any:
    """Calls a second (`overall`, `endpoint`, `endpoints`), at once (`at_once`), updates of one object in an hour
    (`resource`); objects `locked`, `latency_ms`, `stall_seconds`."""
    for name in ("overall", "endpoint", "at_once", "endpoints", "resource"):
        if name in asked:
            setattr(double.limits, name, asked[name])
    if "locked" in asked:
        double.locked = set(asked["locked"])
    double.latency_ms = asked.get("latency_ms", double.latency_ms)
    double.stall_seconds = asked.get("stall_seconds", double.stall_seconds)
    return {"refused": dict(double.limits.refused)}


def _settings(double: Double, books: Books, asked: Thing) -> Any:
    """fee_per_mille, fee_tax_percent, dispute_fee, available_after_seconds, balance_after_seconds."""
    for name, value in asked.items():
        setattr(books.settings, name, value)
    return {}


def _members(double: Double, books: Books, asked: Thing) -> Any:
    """So many customers `cus_1` …, each with a card `pm_1` … of `number` that its holder confirmed."""
    card = BY_NUMBER[asked.get("number", "4242424242424242")]
    for number in range(1, asked["count"] + 1):
        customer = create_customer(books, {"id": f"cus_{number}"})
        method = keep_method(books, card, named=f"pm_{number}")
        attach_to(books, method, customer["id"])
        books.set_up.add(method["id"])
    return {}


def _requests(double: Double, books: Books, asked: Thing) -> Any:
    """Every request since the last `forget`."""
    found = list(double.requests)
    if asked.get("forget"):
        double.requests.clear()
    return found


def _violations(double: Double, books: Books, asked: Thing) -> Any:
    return double.violations


ACTS: dict[str, Act] = {
    "all": _all, "clock": _clock, "dispute": _dispute, "event": _event, "events": _events, "faults": _faults,
    "forget": _forget, "holder": _holder, "key": _key, "limits": _limits, "members": _members, "movement": _movement,
    "next": _next, "payload": _payload, "payout": _payout, "processed": _processed, "refund": _refund,
    "release": _release, "reset": _reset, "requests": _requests, "settings": _settings, "violations": _violations,
}  # fmt: skip


class Control:
    """Serves /_test/…"""

    def __init__(self, double: Double) -> None:
        self._double = double

    async def handle(self, request: web.Request) -> web.Response:
        """Do what is asked; what the double itself refuses comes back as Stripe's error."""
        act = ACTS.get(request.path.removeprefix("/_test/"))
        if act is None:
            return web.json_response({"error": f"no {request.path}; there are {', '.join(ACTS)}"}, status=404)
        if NOW in request.headers:
            self._double.world.clock.fixed = float(request.headers[NOW])
        books = self._double.books_of(self._double.ring.named(request.query.get("key", SECRET)))
        asked = await request.json() if request.can_read_body else {}
        try:
            done = act(self._double, books, asked)
            return web.json_response(await done if inspect.isawaitable(done) else done)
        except StripeRefusesError as error:
            return web.json_response({"error": error.body}, status=error.status)
