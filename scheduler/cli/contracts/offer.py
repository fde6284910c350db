"""`keizoku offer PLAN`: what an applicant is shown before registering (3.2), and its digest."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from keizoku.scheduler.cli.shared.context import services_now
from keizoku.scheduler.cli.shared.inputs import SPOKEN, AsJson, Language
from keizoku.scheduler.cli.shared.language import both, japanese
from keizoku.scheduler.cli.shared.output import emit

app = typer.Typer()


@app.command(
    help=japanese(
        "申込みの前に表示する内容(3.2): 料金、税、支払方法、期間、更新、終わり方、規約の版。"
        "特定商取引法12条の6の六つの事項にまとめ、ダイジェストを付けます。何も保存しません。"
    )
)
def offer(
    plan: Annotated[
        str,
        typer.Argument(
            metavar="PLAN", help=both("A plan of `keizoku plan list`.", "`keizoku plan list` にあるプラン。")
        ),
    ],
    method: Annotated[
        str,
        typer.Option(
            help=both(
                "card, coupon, product_key, app_store, other.",
                "支払方法: card, coupon, product_key, app_store, other。",
            )
        ),
    ] = "card",
    months: Annotated[
        int | None,
        typer.Option(min=1, help=both("How long a coupon or key pays for.", "クーポンやキーで支払われる月数。")),
    ] = None,
    fallback: Annotated[
        str | None,
        typer.Option(
            help=both(
                "card: the method after a coupon or key is used up.", "card: クーポンやキーを使い切った後の支払方法。"
            )
        ),
    ] = None,
    account: Annotated[
        str,
        typer.Option(
            metavar="ACCOUNT",
            help=both("For this account, where a price is for some only.", "一部の人だけの料金があるときの対象者。"),
        ),
    ] = "",
    lang: Annotated[Language, typer.Option(help=both("The language.", "言語。"))] = SPOKEN,
    as_json: AsJson = False,
) -> None:
    """What an applicant is shown before registering (3.2): the six items of the law, and a digest. Saves nothing."""
    from keizoku.billing.rules.documents.offer import offer_text

    with services_now() as (services, now):
        found = services.billing.offer(plan, method, account=account, months=months, fallback=fallback, now=now)
    shown = offer_text(found, lang.value)
    facts: dict[str, Any] = {"digest": found.digest, "offer": found.content(), "text": dict(shown)}

    def human(console: Console) -> None:
        for heading, text in shown:
            console.print(f"[bold]{escape(heading)}[/bold]  {escape(text)}")
        console.print(f"sha256 {found.digest}")

    emit(facts, as_json, human)
