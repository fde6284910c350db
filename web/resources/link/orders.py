"""Orders that are passed on to the partner: drafted, shown, confirmed, sent once, looked up (api_link/6.3 to 6.6)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, cast

from pydantic import Field

from keizoku.link.services import views
from keizoku.link.services.views import OrderView
from keizoku.web.calls.answers import listed
from keizoku.web.calls.call import Call, Listing, number_in
from keizoku.web.calls.operation import Resource
from keizoku.web.calls.values import Day, Ground, Id, Number

if TYPE_CHECKING:
    from typing import Literal

    from keizoku.link.orders.book import Order

__all__ = ["link_orders"]

link_orders = Resource(
    "link-orders",
    "Orders of linked customers. No call changes or cancels one: that is done at the partner (6.5).",
)

Side = Annotated[str, Field(pattern="^(buy|sell)$")]
Price = Annotated[str, Field(pattern=r"^[0-9]{1,9}(\.[0-9]{1,4})?$", examples=["2840.5"])]
Quantity = Annotated[int, Field(strict=True, ge=1, le=1_000_000_000)]
Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
OrderText: Any = listed("LinkOrderText", content=str, digest=str)
Shown = listed("LinkOrderShown", order=dict[str, Any], texts=dict[str, OrderText])
Drafted = listed("LinkOrderDrafted", order=int, texts=dict[str, OrderText])
State = listed("LinkOrderState", order=int, state=str, partner_id=str | None, code=str | None)


@link_orders.list("/link-orders", command="link order list", row=OrderView, member=True)
def list_orders(call: Call, *, account: Id | None = None) -> Listing:
    """Every order, and its state."""
    return Listing(lambda limit, after: views.order_list(call.session, account, number_in(after) or 0, limit))


@link_orders.question("/link-orders/{order}", command="link order show", answer=Shown)
def show(call: Call, order: Number) -> Any:
    """An order, and the text that is shown before it is confirmed (6.4), with its digest, in both languages."""
    found = call.services.link.order(order)
    return {"order": views.order_view(found), "texts": _texts(call, order)}


@link_orders.act("/links/{account}/orders", command="link order draft", answer=Drafted)
def draft(
    call: Call,
    account: Id,
    *,
    product: Id,
    side: Side,
    quantity: Quantity,
    limit_price: Price | None = None,
    good_until: Day | None = None,
) -> Any:
    """Take down an order (6.3); show one of these texts, and confirm by its digest."""
    number = call.services.link.draft_order(
        account, product, cast("Literal['buy', 'sell']", side), quantity, limit_price=limit_price,
        good_until=good_until, by=call.author, now=call.now,
    )  # fmt: skip
    return {"order": number, "texts": _texts(call, number)}


@link_orders.act("/link-orders/{order}/confirm", command="link order confirm", answer=State)
def confirm(call: Call, order: Number, *, account: Id, digest: Digest) -> Any:
    """This customer has seen the text of this digest and confirms the order."""
    call.services.link.confirm_order(order, digest, account=account, now=call.now)
    return _state(call.services.link.order(order))


@link_orders.act("/link-orders/{order}/withdraw", command="link order withdraw", answer=State)
def withdraw(call: Call, order: Number, *, account: Id) -> Any:
    """Give up an order of this customer that was not sent; after that they turn to the partner (6.5)."""
    call.services.link.withdraw_order(order, account=account, now=call.now)
    return _state(call.services.link.order(order))


@link_orders.act("/link-orders/{order}/send", command="link order send", answer=State, repeat="again")
def send(call: Call, order: Number, *, account: Id) -> Any:
    """Pass a confirmed order of this customer on, once. One that was sent before is shown as it is, not sent again."""
    found = call.services.link.order(order)
    if found.account == account and "sent" in found.events:
        return _state(found)
    return _state(call.services.link.send_order(order, account=account, by=call.author, now=call.now))


@link_orders.act("/link-orders/{order}/settle", command="link order settle", answer=State, repeat="again")
def settle(call: Call, order: Number) -> Any:
    """Look an order up at the partner; it is never sent again."""
    return _state(call.services.link.settle_order(order, by=call.author, now=call.now))


@link_orders.act("/link-orders/{order}/never-arrived", command="link order never-arrived", answer=State)
def never_arrived(call: Call, order: Number, *, ground: Ground) -> Any:
    """People say that an order without an answer never reached the partner."""
    call.services.link.order_never_arrived(order, by=call.author, ground=ground, now=call.now)
    return _state(call.services.link.order(order))


def _texts(call: Call, order: int) -> dict[str, dict[str, str]]:
    found = call.services.link.order_texts(order, now=call.now)
    return {lang: {"content": text.content, "digest": text.digest} for lang, text in found.items()}


def _state(order: Order) -> dict[str, Any]:
    return {"order": order.id, "state": order.state, "partner_id": order.partner_id, "code": order.code}
