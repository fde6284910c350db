"""`keizoku explain cap | invoice | interest`: where an amount comes from, to the yen."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from keizoku.scheduler.cli.shared.context import open_services
from keizoku.scheduler.cli.shared.ids import InvoiceId
from keizoku.scheduler.cli.shared.inputs import SPOKEN, Account, AsJson, Language, instant
from keizoku.scheduler.cli.shared.language import both, japanese
from keizoku.scheduler.cli.shared.output import emit, fail

Lang = Annotated[Language, typer.Option(help=both("The language of the sentences.", "文の言語。"))]


def cap(
    account: Account,
    on: Annotated[
        str,
        typer.Option(
            "--on",
            help=both(
                "The day of the event, or its time: '2026-04-10' is the day's beginning.",
                "出来事の日または時刻。'2026-04-10' はその日の始まり。",
            ),
        ),
    ],
    damage: Annotated[
        int | None,
        typer.Option(
            min=0,
            help=both(
                "An amount of damage in yen: how much of it is to be paid.",
                "損害額(円)。そのうち賠償する額を示します。",
            ),
        ),
    ] = None,
    lang: Lang = SPOKEN,
    as_json: AsJson = False,
) -> None:
    """The limit of damages (12.2): fees actually received in the year before the event, receipt by receipt."""
    from keizoku.billing.accounts.liability_explanation import explain_liability

    event_at = instant(on)
    if event_at > datetime.now(UTC):
        fail(f"{on} is still to come: the limit counts what was received before the event")
    with open_services() as services:
        story = explain_liability(services.session, services.rules, account, event_at, damage_yen=damage)
    if as_json:
        emit(story.to_json(lang.value), as_json=True)
    else:
        emit(
            None,
            human=lambda console: _print(console, account, (("premium/12.2", t) for t in story.sentences(lang.value))),
        )


def invoice(
    number: InvoiceId,
    lang: Lang = SPOKEN,
    as_json: AsJson = False,
) -> None:
    """An invoice: the term, its price and why that one, credits, tax, attempts, what settled it, what is open."""
    from keizoku.billing.accounts.invoice_explanation import explain_invoice

    with open_services() as services:
        story = explain_invoice(services.session, services.rules, number)
    if as_json:
        emit(story.to_json(lang.value), as_json=True)
    else:
        title = f"{number}  {story.invoice['account']}  {story.invoice['state']}"
        emit(None, human=lambda console: _print(console, title, story.sentences(lang.value)))


def interest(
    account: Account,
    on: Annotated[
        str,
        typer.Option(
            "--on",
            help=both(
                "The day of payment, past or to come. Default: today.", "支払う日。過去でも将来でも可。省略すると今日。"
            ),
        ),
    ] = "",
    lang: Lang = SPOKEN,
    as_json: AsJson = False,
) -> None:
    """Late interest (5.2) step by step, as `keizoku interest preview` works it out."""
    from keizoku.scheduler.cli.money.interest import preview

    preview(account, on, lang, as_json)


def add_to(app: typer.Typer) -> None:
    """Make these commands of the group `explain`."""
    app.command(help=japanese("賠償の上限(12.2): 出来事の前1年に実際に受け取った料金を、受領ごとに。"))(cap)
    app.command(help=japanese("一つの請求: 期間、料金とその理由、減額、税、決済、消し込み、残り。"))(invoice)
    app.command(help=japanese("遅延損害金(5.2)を `keizoku interest preview` と同じく一歩ずつ示します。"))(interest)


def _print(console: Console, title: str, sentences: Iterable[tuple[str, str]]) -> None:
    """A title, then each sentence with its clause."""
    console.print(f"[bold]{escape(title)}[/bold]")
    for clause, words in sentences:
        console.print(f"{escape(words)} [dim]{escape(clause)}[/dim]", soft_wrap=True)
