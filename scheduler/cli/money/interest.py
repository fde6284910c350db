"""`keizoku interest`: late interest on any day, worked out debt by debt, without saving anything."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from keizoku.scheduler.cli.shared.context import open_services
from keizoku.scheduler.cli.shared.inputs import SPOKEN, Account, AsJson, Language, day
from keizoku.scheduler.cli.shared.language import both, japanese
from keizoku.scheduler.cli.shared.output import emit
from keizoku.terms.calendar import jst_day

app = typer.Typer(
    help=both("Late interest on any day, without saving anything.", "任意の日の遅延損害金。何も保存しません。"),
    no_args_is_help=True,
)


@app.callback(
    help=both(
        "Late interest (5.2) on any day, worked out debt by debt, without saving anything.",
        "任意の日の遅延損害金(5.2)を債務ごとに計算します。何も保存しません。",
    )
)
def _interest() -> None:
    """Late interest (5.2) on any day, worked out debt by debt, without saving anything."""


@app.command(
    help=japanese(
        "ある日に支払うときの遅延損害金: 元本、日数、年に対する割合、端数処理の前と後。\n\n"
        "過去の日は当時の債務、将来の日はこのまま支払いがない場合を示します。"
    )
)
def preview(
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
    lang: Annotated[Language, typer.Option(help=both("The language of the sentences.", "文の言語。"))] = SPOKEN,
    as_json: AsJson = False,
) -> None:
    """What the account owes in interest when it pays on a day: principal, days, shares of a year, exact and rounded.

    A past day shows the debts as they stood then; a day to come, as they stand if nothing more is paid.
    """
    from keizoku.billing.rules.documents.late_interest_statement import ceiling_sentences, interest_sentences

    asked = day(on) if on else jst_day(datetime.now(UTC))
    with open_services() as services:
        workings = services.billing.preview_interest(account, asked).to_json()

    def draw(console: Console) -> None:
        for line in [*interest_sentences(workings, lang.value), *ceiling_sentences(workings, lang.value)]:
            console.print(escape(line), soft_wrap=True)

    emit(workings, as_json, draw)
