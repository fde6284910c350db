"""`keizoku card`: cards saved at the gateway (5.1.1.a), and new cards of users (5.4)."""

from __future__ import annotations

from typing import Annotated

import typer

from keizoku.scheduler.cli.shared.context import open_services, services_now
from keizoku.scheduler.cli.shared.inputs import Account, AsJson
from keizoku.scheduler.cli.shared.language import both, japanese
from keizoku.scheduler.cli.shared.listing import SHOWN, After, All, Limit, Page, emit_rows
from keizoku.scheduler.cli.shared.output import emit

app = typer.Typer(
    help=both(
        "Cards saved at Stripe; new cards of users.",
        "Stripeに保存したカードと、利用者が登録し直したカード。",
    ),
    no_args_is_help=True,
)


@app.callback(
    help=both(
        "Cards (5.4). Card numbers never reach us: the gateway keeps them.",
        "カード(5.4)。カード番号は当社に届かず、決済代行が保管します。",
    )
)
def _card() -> None:
    """Cards (5.4). Card numbers never reach us: the gateway keeps them."""


@app.command(help=japanese("新しいカードが決済代行に登録されたことを記録します。未払い分はただちに決済します。"))
def new(account: Account, as_json: AsJson = False) -> None:
    """Record that a new card is registered at the gateway; what is open is charged to it at once."""
    from keizoku.billing.accounts.account_views import attempts_view, owed_view

    with services_now() as (services, now):
        before = len(attempts_view(services.session, account))
        services.billing.new_card(account, now=now)
        tried = attempts_view(services.session, account)[before:]
        owed = owed_view(services.session, services.rules, account, now)
    result = {"account": account, "charges": tried, "still_owed": owed["total"]}
    lines = [f"{each['yen']:,} yen: {each['outcome']}" for each in tried] or ["nothing was open"]
    emit(result if as_json else [*lines, f"still owed: {owed['total']:,} yen"], as_json)


@app.command(
    help=japanese("カードの保存を始めます。利用者のページがStripeのフォームに渡す client secret を表示します。")
)
def begin(account: Account, as_json: AsJson = False) -> None:
    """Begin to save a card: prints the client secret for Stripe's form on the page of its holder."""
    with services_now() as (services, now):
        setup = services.billing.begin_card(account, now=now)
    result = {"account": account, "setup": setup.setup_id, "client_secret": setup.client_secret}
    emit(result if as_json else [f"{name}: {value}" for name, value in result.items()], as_json)


@app.command(help=japanese("利用者が確認したカードを保存し、未払い分を決済します(未確認なら終了コード 1)。"))
def finish(
    account: Account,
    setup: Annotated[
        str,
        typer.Argument(
            metavar="SETUP",
            help=both("What `keizoku card begin` printed: seti_…", "`keizoku card begin` が表示した番号: seti_…"),
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Save a card that its holder has confirmed; what is unpaid is charged to it (exit 1 if it is not confirmed)."""
    from keizoku.billing.accounts.account_views import attempts_view

    with services_now() as (services, now):
        before = len(attempts_view(services.session, account))
        kept = services.billing.finish_card(account, setup, now=now)
        tried = attempts_view(services.session, account)[before:]
    lines = ["the card is kept" if kept else "the card was kept before"]
    lines += [f"{each['yen']:,} yen: {each['outcome']}" for each in tried]
    emit({"account": account, "kept": kept, "charges": tried} if as_json else lines, as_json)


@app.command("list", help=japanese("アカウントに保存したカードのすべて。新しい順。決済に使うものも示します。"))
def list_cards(
    account: Account,
    limit: Limit = SHOWN,
    everything: All = False,
    after: After = "",
    as_json: AsJson = False,
) -> None:
    """Every card that was saved for an account, the newest first, and which one is charged."""
    from dataclasses import asdict

    with open_services() as services:
        rows = [asdict(each) for each in services.billing.cards(account)]
    emit_rows(rows, Page.wanted(limit, after, everything), f"no card is saved for {account}", as_json, "card")


@app.command(
    help=japanese(
        "カードを当社でもStripeでも使わなくします。カードのないまま期日が来た料金は、新しいカードを待ちます。"
    )
)
def detach(
    account: Account,
    card: Annotated[
        str,
        typer.Argument(
            metavar="CARD", help=both("As `keizoku card list` has it: pm_…", "`keizoku card list` にある番号: pm_…")
        ),
    ],
) -> None:
    """Charge a card no longer, here and at Stripe; a fee that falls due without one waits for a new card."""
    with services_now() as (services, now):
        ended = services.billing.detach_card(account, card, now=now)
    emit(f"{card} is no longer charged" if ended else f"{card} had been removed before")
