"""`keizoku deposit`: what payers sent beyond what they owed."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from keizoku.scheduler.cli.shared.act_key import Key, key_of
from keizoku.scheduler.cli.shared.context import open_services, services_now
from keizoku.scheduler.cli.shared.inputs import Account, AsJson, Author, Ground
from keizoku.scheduler.cli.shared.language import both, japanese
from keizoku.scheduler.cli.shared.listing import SHOWN, After, All, Limit, Page, emit_rows
from keizoku.scheduler.cli.shared.output import emit

app = typer.Typer(
    help=both(
        "What payers sent beyond what they owed: list, refund, apply.", "支払人が払い過ぎた分: 一覧、返金、充当。"
    ),
    no_args_is_help=True,
)


class Through(StrEnum):
    """How money goes back."""

    CARD = "card"
    BANK = "bank"


@app.callback(
    help=both(
        "Deposits: what payers sent, or cards were charged, beyond what was owed.",
        "預り金: 支払人が払い過ぎた分、カードに請求し過ぎた分。",
    )
)
def _deposit() -> None:
    """Deposits: what payers sent, or cards were charged, beyond what was owed."""


@app.command("list", help=japanese("預り金のあるアカウントのすべてと、お金の出どころ。"))
def list_deposits(
    limit: Limit = SHOWN,
    everything: All = False,
    after: After = "",
    as_json: AsJson = False,
) -> None:
    """Every account for which we hold something, with where the money came from."""
    from keizoku.billing.receivables.customer_deposits import deposits

    with open_services() as services:
        rows = [each.listed() for each in deposits(services.session)]
    emit_rows(rows, Page.wanted(limit, after, everything), "no deposits", as_json, "account")


@app.command(
    help=japanese(
        "預り金を返したことを記録します: 振込の分は銀行で、カードの払い過ぎは `--through"
        "` で。\n\n"
        "振込の分から先に返します。どちらでいくら返したかを表示します。"
    )
)
def refund(
    account: Account,
    author: Author,
    ground: Ground,
    yen: Annotated[
        int | None, typer.Option(help=both("Only this much. Default: all of it.", "金額。省略すると全額。"))
    ] = None,
    through: Annotated[
        Through,
        typer.Option(
            help=both(
                "How money charged to a card too much went back: to the card, as the gateway shows it; or by bank.",
                "カードの払い過ぎをどう返したか: カードへ(決済代行の表示のとおり)、または銀行振込。",
            )
        ),
    ] = Through.CARD,
    key: Key = "",
    as_json: AsJson = False,
) -> None:
    """Record that people sent a deposit back: what the payer sent by bank, what a card paid too much `--through` it.

    What the payer sent goes back first. The answer tells what went which way.
    """
    used = key_of(key)
    with services_now() as (services, now):
        sent = services.billing.refund_deposit(
            account, yen, by=author, ground=ground, now=now, through=through.value, key=used
        )
    if as_json:
        parts = {"by_bank": sent.by_bank_yen, "to_card": sent.to_card_yen}
        emit({"account": account, "refunded": sent.yen, **parts}, as_json)
        return
    ways = ((sent.by_bank_yen, "by bank"), (sent.to_card_yen, "to the card"))
    emit(f"{account}: refunded " + ", ".join(f"{part:,} yen {way}" for part, way in ways if part), as_json)


@app.command(
    "from-credits",
    help=japanese("充てる請求も返せるカードもない減額を預り金にし、振込で返せるようにします(9.2)。"),
)
def from_credits(account: Account, author: Author, ground: Ground, as_json: AsJson = False) -> None:
    """Keep what no invoice or card takes of an account's credits as a deposit, to be sent by bank (9.2)."""
    with services_now() as (services, now):
        kept = services.billing.keep_credit(account, by=author, ground=ground, now=now)
    emit({"account": account, "kept": kept} if as_json else f"{account}: {kept:,} yen of credits kept", as_json)


@app.command(help=japanese("支払人の求めにより、期日の来た分を預り金から支払います。"))
def apply(account: Account, author: Author, ground: Ground, as_json: AsJson = False) -> None:
    """Pay what is due from the deposit now, because the payer asked for it."""
    with services_now() as (services, now):
        used = services.billing.apply_deposit(account, by=author, ground=ground, now=now)
    emit({"account": account, "applied": used} if as_json else f"{account}: {used:,} yen applied", as_json)
