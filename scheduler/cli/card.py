"""`keizoku card`: a card that a user registered anew (5.4)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from scheduler.cli.context import open_house
from scheduler.cli.inputs import AsJson
from scheduler.cli.output import emit, fail

app = typer.Typer(help="A card that a user registered anew.", no_args_is_help=True)


@app.callback()
def _card() -> None:
    """Cards (5.4). Card numbers never reach us: the gateway keeps them."""


@app.command()
def new(account: Annotated[str, typer.Argument(metavar="ACCOUNT")], as_json: AsJson = False) -> None:
    """Record that a new card is registered at the gateway; what is open is charged to it at once."""
    from billing.refusal import Refused
    from billing.views import attempts_view, owed_view

    now = datetime.now(UTC)
    with open_house() as house:
        try:
            before = len(attempts_view(house.session, account))
            house.billing.new_card(account, now=now)
        except Refused as refused:
            fail(str(refused), 1)
        tried = attempts_view(house.session, account)[before:]
        owed = owed_view(house.session, house.rules, account, now)
    result = {"account": account, "charges": tried, "still_owed": owed["total"]}
    told = [f"{each['yen']:,} yen: {each['outcome']}" for each in tried] or ["nothing was open"]
    emit(result if as_json else [*told, f"still owed: {owed['total']:,} yen"], as_json)
