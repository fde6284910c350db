"""Lists page by page, filtered as Stripe does, and ids that are expanded to their objects."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable
from typing import Any

from stripe._object_classes import OBJECT_CLASSES

from tests.stripe_double.payouts import ripen_all
from tests.stripe_double.refused import invalid
from tests.stripe_double.sdk.shapes import is_expandable
from tests.stripe_double.world import EVENTS_KEPT_SECONDS, Books, Thing, newest_first

DEFAULT, LARGEST = 10, 100
FILTERS = {
    "charge": ("customer", "payment_intent"),
    "dispute": ("charge", "payment_intent"),
    "payment_intent": ("customer",),
    "payout": ("status", "arrival_date", "destination"),
    "refund": ("charge", "payment_intent"),
    "setup_intent": ("customer", "payment_method"),
    "balance_transaction": ("source", "type", "currency"),
    "payment_method": ("customer", "type"),
    "customer": ("email",),
    "event": ("type",),
}
_SIGNS = {"gt": int.__gt__, "gte": int.__ge__, "lt": int.__lt__, "lte": int.__le__}
OBJECTS = {
    "charge": "charge", "customer": "customer", "payment_intent": "payment_intent", "payment_method": "payment_method",
    "latest_charge": "charge", "balance_transaction": "balance_transaction", "failure_balance_transaction":
    "balance_transaction",
}  # fmt: skip
BY_PREFIX = {
    "ch_": "charge", "re_": "refund", "dp_": "dispute", "po_": "payout", "txn_": "balance_transaction",
}  # fmt: skip


def listed(books: Books, kind: str, asked: Thing, url: str) -> Thing:
    """A page of what fits, newest first."""
    if kind == "balance_transaction":
        ripen_all(books)
    found = _filtered(books, kind, asked)
    ordered = newest_first(found)
    dice = random.Random(books.shuffled) if kind == "event" and books.shuffled is not None else None  # noqa: S311
    if dice is not None:
        ordered = [each for each in ordered for _ in range(dice.choice((1, 1, 2)))]
        books.shuffled = dice.randrange(2**31)
    limit = asked.get("limit", DEFAULT)
    if not 1 <= limit <= LARGEST:
        side = ("less", LARGEST) if limit > LARGEST else ("greater", 1)
        raise invalid(f"This value must be {side[0]} than or equal to {side[1]}.", "parameter_invalid_integer", "limit")
    place = {each["id"]: number for number, each in enumerate(ordered)}
    first, last = 0, len(ordered)
    for name in ("starting_after", "ending_before"):
        if name in asked:
            if asked[name] not in place:
                books.get(kind, asked[name], name)  # refused where there is none; else it is no part of this list
                place[asked[name]] = _place(books, kind, asked[name], ordered)
            if name == "starting_after":
                first = place[asked[name]] + 1
            else:
                last = place[asked[name]]
    window = ordered[first:last]
    backwards = "ending_before" in asked
    page = window[-limit:] if backwards else window[:limit]
    if dice is not None and len(window) <= limit:  # of several pages the last object says where the next one begins
        dice.shuffle(page)
    return {"object": "list", "data": page, "has_more": len(window) > limit, "url": url}


def _place(books: Books, kind: str, asked: str, ordered: list[Thing]) -> int:
    """Where an object would stand that the filter leaves out: before all that are not newer."""
    created = books.get(kind, asked)["created"]
    return next((number for number, each in enumerate(ordered) if each["created"] <= created), len(ordered)) - 1


def _filtered(books: Books, kind: str, asked: Thing) -> Iterable[Thing]:
    found: Iterable[Thing] = books.all(kind)
    if kind == "event":
        oldest = books.now() - EVENTS_KEPT_SECONDS
        found = [each for each in found if each["created"] >= oldest]
        wanted = asked.get("types")
        if wanted:
            found = [each for each in found if each["type"] in wanted]
    for name in ("created", "arrival_date", "available_on"):
        found = _in_time(found, name, asked.get(name))
    for name in FILTERS[kind]:
        if name == "arrival_date" or name not in asked:
            continue
        if name == "type" and kind == "event":
            pattern = re.compile(re.escape(asked[name]).replace(r"\*", ".*") + "$")
            found = [each for each in found if pattern.match(each["type"])]
        else:
            found = [each for each in found if each.get(name) == asked[name]]
    if kind == "customer":
        found = [each for each in found if not each.get("deleted")]
    if kind == "payment_method" and "customer" not in asked:
        raise invalid("Missing required param: customer.", "parameter_missing", "customer")
    if "payout" in asked:
        found = _of_payout(books, found, asked["payout"])
    return found


def _in_time(found: Iterable[Thing], name: str, bound: Any) -> Iterable[Thing]:
    if bound is None:
        return found
    if isinstance(bound, int):
        return [each for each in found if each[name] == bound]
    return [each for each in found if all(_SIGNS[sign](each[name], value) for sign, value in bound.items())]


def _of_payout(books: Books, found: Iterable[Thing], payout: str) -> Iterable[Thing]:
    asked = books.get("payout", payout, "payout")
    if not asked["automatic"]:
        raise invalid("Balance transaction history can only be filtered on automatic transfers, not manual.",
                      param="payout")  # fmt: skip
    members = [each for each in found if books.paid_by.get(each["id"]) == payout]
    if asked["reconciliation_status"] != "completed":  # not all are known yet: those of the payout's own come first
        return [each for each in members if each["type"] == "payout"]
    return members


# expand


def expanded(books: Books, answer: Thing, wanted: list[str], kind: str) -> Thing:
    """The answer, of this kind, with the ids at these places as objects; refuses what is no place for one."""
    for path in wanted:
        first, _, rest = path.partition(".")
        if answer["object"] == "list" and (first != "data" or not rest):
            raise _not_expandable(path)
        place = rest.partition(".")[0] if answer["object"] == "list" else first
        if kind in OBJECT_CLASSES and is_expandable(kind, place) is False:
            raise _not_expandable(path)
        if path.count(".") >= 4:
            raise invalid("You cannot expand more than 4 levels of a property.", param="expand")
        answer = _expand(books, answer, path.split("."), path)
    return answer


def _expand(books: Books, value: Any, steps: list[str], path: str) -> Any:
    if isinstance(value, list):
        return [_expand(books, each, steps, path) for each in value]
    if not steps or value is None:
        return value
    if not isinstance(value, dict):
        raise _not_expandable(path)
    step, *rest = steps
    if step not in value:
        if step in ("failure_balance_transaction",):
            return value
        raise _not_expandable(path)
    inner = value[step]
    if isinstance(inner, str):
        kind = OBJECTS.get(step) or (
            next((kind for prefix, kind in BY_PREFIX.items() if inner.startswith(prefix)), None)
            if step == "source" else None
        )  # fmt: skip
        if kind is None:
            raise _not_expandable(path)
        inner = books.objects.get(kind, {}).get(inner, inner)
        if isinstance(inner, str):
            return value  # it is nowhere: Stripe leaves the id
    elif not isinstance(inner, dict | list | None):
        raise _not_expandable(path)
    return {**value, step: _expand(books, inner, rest, path)}


def _not_expandable(path: str) -> Exception:
    return invalid(f"This property cannot be expanded ({path}). You may want to try expanding '{path.split('.')[0]}' "
                   "instead.", param="expand")  # fmt: skip
