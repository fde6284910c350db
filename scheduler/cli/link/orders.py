"""`keizoku link order`: orders that are passed on to the partner; no change and no cancellation after that (6.5)."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated

import typer

from keizoku.scheduler.cli.link.options import Order
from keizoku.scheduler.cli.shared.context import open_services, services_now
from keizoku.scheduler.cli.shared.inputs import SPOKEN, Account, AsJson, Author, Ground, Language, OnlyAccount, day
from keizoku.scheduler.cli.shared.language import both, japanese
from keizoku.scheduler.cli.shared.listing import SHOWN, After, All, Limit, Page, Pages, Row, emit_pages, number_after
from keizoku.scheduler.cli.shared.output import emit

app = typer.Typer(
    help=both(
        "Orders for the partner: draft, show, confirm, send, look up.",
        "提携先へ伝える注文: 下書き、表示、確認、送信、照会。",
    ),
    no_args_is_help=True,
)


class Side(StrEnum):
    """Which way."""

    BUY = "buy"
    SELL = "sell"


@app.command(help=japanese("注文を書き取ります(6.3)。確認の前に `show` の文面を表示します。"))
def draft(
    account: Account,
    product: Annotated[str, typer.Argument(metavar="PRODUCT", help=both("Its code.", "商品のコード。"))],
    side: Annotated[Side, typer.Argument(metavar="buy|sell", help=both("Which way.", "買付けか売付けか。"))],
    quantity: Annotated[int, typer.Argument(metavar="QUANTITY", help=both("How many.", "数量。"))],
    price: Annotated[
        str, typer.Option("--price", help=both("A limit. Default: at the market.", "指値。省略すると成行。"))
    ] = "",
    until: Annotated[str, typer.Option("--until", help=both("Good until this day.", "この日まで有効。"))] = "",
    as_json: AsJson = False,
) -> None:
    """Take down an order (6.3); the text of `show` is shown before it is confirmed."""
    with services_now() as (services, now):
        number = services.link.draft_order(
            account,
            product,
            side.value,
            quantity,
            limit_price=price or None,
            good_until=day(until) if until else None,
            now=now,
        )
    emit({"order": number} if as_json else f"order {number} is drafted", as_json)


@app.command(help=japanese("注文の状態と、確認の前に表示する文面(6.4)とその要約値。"))
def show(
    order: Order,
    lang: Annotated[Language, typer.Option(help=both("ja or en.", "ja か en。"))] = SPOKEN,
    as_json: AsJson = False,
) -> None:
    """An order, and the text that is shown before it is confirmed (6.4), with its digest."""
    from keizoku.link.services.views import order_view

    with services_now() as (services, now):
        found = services.link.order(order)
        text = services.link.order_texts(order, now=now)[lang.value]
        services.session.rollback()
    view = {**order_view(found), "text": text.content, "digest": text.digest}
    emit(view, as_json)


@app.command(help=japanese("お客さまが文面を見て確認したことを、その要約値で記録します。"))
def confirm(
    order: Order,
    digest: Annotated[str, typer.Option("--digest", help=both("Of the text shown.", "表示した文面の要約値。"))],
) -> None:
    """The customer has seen the text of this digest and confirms the order."""
    with services_now() as (services, now):
        services.link.confirm_order(order, digest, now=now)
    emit(f"order {order} is confirmed")


@app.command(help=japanese("まだ送っていない注文を取り下げます。送った後は提携先で手続きします(6.5)。"))
def withdraw(order: Order) -> None:
    """Give up an order that was not sent; after that turn to the partner (6.5)."""
    with services_now() as (services, now):
        services.link.withdraw_order(order, now=now)
    emit(f"order {order} is withdrawn")


@app.command(help=japanese("確認済みの注文を提携先へ一度だけ送ります。"))
def send(order: Order, as_json: AsJson = False) -> None:
    """Pass a confirmed order on to the partner, once."""
    with services_now() as (services, now):
        found = services.link.send_order(order, now=now)
        services.session.rollback()
    _emit(order, found.state, found.partner_id, found.code, as_json)


@app.command(help=japanese("結果の分からない注文を提携先に照会します。送り直しはしません。"))
def settle(order: Order, as_json: AsJson = False) -> None:
    """Look up an order at the partner; it is never sent again."""
    with services_now() as (services, now):
        found = services.link.settle_order(order, now=now)
        services.session.rollback()
    _emit(order, found.state, found.partner_id, found.code, as_json)


@app.command("never-arrived", help=japanese("結果の分からない注文が提携先に届いていないと判断します。"))
def never_arrived(order: Order, author: Author, ground: Ground) -> None:
    """People say that an order without an answer never reached the partner."""
    with services_now() as (services, now):
        services.link.order_never_arrived(order, by=author, ground=ground, now=now)
    emit(f"order {order} never arrived")


@app.command("list", help=japanese("注文の一覧と、その状態。"))
def list_orders(
    account: OnlyAccount = None,
    limit: Limit = SHOWN,
    everything: All = False,
    after: After = "",
    as_json: AsJson = False,
) -> None:
    """Every order, and its state."""
    from keizoku.link.services.views import count_orders, order_list

    with open_services() as services:

        def read(limit: int, after: str) -> Sequence[Row]:
            return order_list(services.session, account, number_after(after, "order") or 0, limit)

        pages = Pages(read, lambda: count_orders(services.session, account))
        emit_pages(pages, Page.wanted(limit, after, everything), "no orders", as_json)


def _emit(order: int, state: str, partner_id: str | None, code: str | None, as_json: bool) -> None:
    shown = {"order": order, "state": state, "partner_id": partner_id, "code": code}
    number = f" as {partner_id}" if partner_id else ""
    emit(shown if as_json else f"order {order} is {state}{number}{f' ({code})' if code else ''}", as_json)
    raise typer.Exit(0 if state in ("accepted", "finished", "lapsed") else 1)
