"""`keizoku interest`: late interest on any day, worked out debt by debt, without saving anything."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from keizoku.scheduler.cli.shared.context import open_services
from keizoku.scheduler.cli.shared.inputs import AsJson, Language, day
from keizoku.scheduler.cli.shared.output import emit, refuse
from keizoku.terms.calendar import jst_day

app = typer.Typer(help="Late interest on any day, without saving anything.", no_args_is_help=True)


@app.callback()
def _interest() -> None:
    """Late interest (5.2) on any day, worked out debt by debt, without saving anything."""


@app.command()
def preview(
    account: Annotated[str, typer.Argument(metavar="ACCOUNT")],
    on: Annotated[str, typer.Option("--on", help="The day of payment, past or to come. Default: today.")] = "",
    lang: Annotated[Language, typer.Option(help="The language of the sentences.")] = Language.JA,
    as_json: AsJson = False,
) -> None:
    """What the account owes in interest when it pays on a day: principal, days, shares of a year, exact and rounded.

    A past day shows the debts as they stood then; a day to come, as they stand if nothing more is paid.
    """
    from keizoku.billing.rules.documents.late_interest_statement import interest_sentences
    from keizoku.terms.refusal import Refused

    asked = day(on) if on else jst_day(datetime.now(UTC))
    with open_services() as services:
        try:
            workings = services.billing.preview_interest(account, asked).to_json()
        except Refused as refused:
            refuse(refused)

    def draw(console: Console) -> None:
        for line in interest_sentences(workings, lang.value):
            console.print(escape(line), soft_wrap=True)

    emit(workings, as_json, draw)
