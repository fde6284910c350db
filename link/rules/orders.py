"""An order that is passed on: its text, its states, and what an answer means (api_link/6.4, 6.5, 6.6).

    drafted ─> confirmed ─> sent ─┬─> accepted ─┬─> lapsed
                                  ├─> refused   └─> finished
                                  └─> unknown ──> looked up, never sent again

The answer may be lost while the order stands; it may be accepted without a number, or accepted and void a moment later;
what the partner lists may lag. So nothing is concluded from an order that is not found: after a while people are asked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal, get_args

from keizoku.terms.api_link.link_policy import LinkPolicy
from keizoku.terms.decision import Step, decides
from keizoku.terms.rendering import Lang, sentence

__all__ = [
    "ANSWERS",
    "Listed",
    "OrderRequest",
    "OrderState",
    "OrderText",
    "afterwards",
    "listed_digest",
    "match_listed",
    "order_fee_yen",
    "order_text",
    "people_are_asked",
    "state_of",
]

OrderState = Literal[
    "drafted", "confirmed", "withdrawn", "sent", "unknown", "accepted", "refused", "never_arrived", "lapsed", "finished"
]
_RANK: Final = get_args(OrderState)
ANSWERS: Final = frozenset({"accepted", "refused", "never_arrived"})


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """What a customer wants to order. A price is decimal text; None: at the market."""

    product: str
    side: Literal["buy", "sell"]
    quantity: int
    limit_price: str | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """An order as the partner lists it; `reference` is ours, where the partner carries it."""

    partner_id: str
    wanted: OrderRequest
    state: Literal["working", "lapsed", "finished"]
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class OrderText:
    """What is shown with an order before it is confirmed, and the digest by which it is kept."""

    content: str
    digest: str


def state_of(kinds: Sequence[str]) -> OrderState:
    """The state of an order from the kinds of its events."""
    furthest: OrderState = max((_RANK.index(kind), kind) for kind in kinds)[1]  # type: ignore[assignment]
    return furthest


@decides("api_link/6.4")
def order_text(wanted: OrderRequest, policy: LinkPolicy, lang: Lang) -> OrderText:
    """Whose product it is, that we have no power to conclude for the partner, what it costs, and what is final."""
    facts = {
        "partner": policy.partner_name,
        "product": wanted.product,
        "quantity": wanted.quantity,
        "side": sentence(f"link.order.{wanted.side}", lang, {}),
        "price": wanted.limit_price or sentence("link.order.market", lang, {}),
        "fee_yen": order_fee_yen(policy),
    }
    keys = ("what", "whose", "no_agency", "fee", "final")
    content = "\n".join(sentence(f"link.order.{key}", lang, facts) for key in keys)
    return OrderText(content, hashlib.sha256(content.encode()).hexdigest())


@decides("api_link/6.6")
def order_fee_yen(policy: LinkPolicy) -> int:
    """What we take for a link and for an order: whole yen. What the partner takes is between it and the customer."""
    return policy.fee_yen


@decides("api_link/6.5")
def afterwards(state: OrderState, policy: LinkPolicy) -> Step:
    """What a customer can do about an order in this state; once it was sent, only at the partner."""
    key = "before" if state in ("drafted", "confirmed") else "over" if state in _OVER else "at_partner"
    return Step("api_link/6.5", f"link.order.{key}", {"partner": policy.partner_name})


_OVER: Final = ("withdrawn", "refused", "never_arrived", "lapsed", "finished")


def listed_digest(reference: str, partner_id: str) -> str:
    """What is kept of an order that the partner listed before ours went out: enough to know it again, and no more."""
    return hashlib.sha256(f"{reference}\n{partner_id}".encode()).hexdigest()


def match_listed(
    reference: str, wanted: OrderRequest, listed: Sequence[Listed], before: frozenset[str], taken: frozenset[str]
) -> Listed | Literal["not_found", "unclear"]:
    """Which of the partner's orders is ours.

    By our reference, where it carries it. Where it does not: an order of the same content that was not listed before
    ours went out (`before`: digests) and belongs to none of our others (`taken`). Two of them are unclear: people look.
    """
    by_reference = [each for each in listed if each.reference == reference]
    if by_reference:
        return by_reference[0]
    candidates = [
        each
        for each in listed
        if each.reference is None
        and same(each.wanted, wanted)
        and listed_digest(reference, each.partner_id) not in before
        and each.partner_id not in taken
    ]
    if not candidates:
        return "not_found"
    return candidates[0] if len(candidates) == 1 else "unclear"


def same(one: OrderRequest, other: OrderRequest) -> bool:
    """Whether two orders have the same content; 100 and 100.0 are one price."""
    return (one.product, one.side, one.quantity, _price(one)) == (
        other.product,
        other.side,
        other.quantity,
        _price(other),
    )


def _price(wanted: OrderRequest) -> str | None:
    price = wanted.limit_price
    if price is None:
        return None
    return price.rstrip("0").rstrip(".") if "." in price else price


def people_are_asked(sent_at: datetime, look_up_seconds: int, at: datetime) -> bool:
    """Whether an order without an answer has been looked up for long enough."""
    return at >= sent_at + timedelta(seconds=look_up_seconds)


def shown(wanted: OrderRequest) -> Mapping[str, Any]:
    """The content of an order as JSON values."""
    return {
        "product": wanted.product,
        "side": wanted.side,
        "quantity": wanted.quantity,
        "limit_price": wanted.limit_price,
    }
