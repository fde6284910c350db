"""`keizoku explain`: why something was decided as it was, to the second and the yen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from scheduler.cli import explain_money
from scheduler.cli.context import ALL_THAT_IS_KNOWN, open_house
from scheduler.cli.inputs import Language as Language
from scheduler.cli.output import emit, fail, table
from sla.told import story_json, told
from sla.views import UnknownClaim, claim_story
from terms.calendar import Month
from terms.decision import Decision
from terms.rendering import sentence
from terms.words import duration

app = typer.Typer(help="Why something was decided as it was.", no_args_is_help=True)
explain_money.add_to(app)


@app.callback()
def explain() -> None:
    """Why something was decided as it was, to the second and the yen."""


@app.command()
def claim(
    claim_id: Annotated[str, typer.Argument(metavar="ID")],
    lang: Annotated[Language, typer.Option(help="The language of the sentences.")] = Language.JA,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """A claim: the deadline, every second of the stops and its clause, the rate, the yen."""
    with open_house() as house:
        try:
            story = claim_story(house.session, house.rules, claim_id, ALL_THAT_IS_KNOWN)
        except UnknownClaim as unknown:
            fail(str(unknown))
    if as_json:
        emit(story_json(story, lang.value), as_json=True)
    else:
        emit(None, human=lambda console: _print(console, story, lang))


def _print(console: Console, story: Mapping[str, Any], lang: Language) -> None:
    asked, state = story["claim"], story["state"]
    title = f"{asked['id']}  {asked['account']}  {Month.parse(asked['month'])}  {state['outcome']}"
    console.print(f"[bold]{escape(title)}[/bold]")
    for clause, words in told(story, lang.value):
        console.print(f"{escape(words)} [dim]{escape(clause)}[/dim]", soft_wrap=True)
    if state["waterfall"] is None:
        return
    ja = lang is Language.JA
    rows: list[tuple[str, int, str]] = [
        (sentence(f"claim.bucket.{bucket}", lang.value, {}), seconds, duration(seconds, ja))
        for bucket, seconds in state["waterfall"].items()
    ]
    total = sum(state["waterfall"].values())
    rows.append((sentence("claim.bucket.total", lang.value, {}), total, duration(total, ja)))
    console.print()
    console.print(table(("", "s", ""), rows, header=False))
    decision: Decision = story["decisions"][-1][2]
    readings = ", ".join(f"{name}={choice}" for name, choice in decision.readings.items())
    console.print(f"[dim]terms {escape(decision.terms)}; readings: {escape(readings)}[/dim]", soft_wrap=True)
