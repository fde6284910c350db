"""`keizoku demand`: demands for late interest as documents, as they were sent."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from keizoku.scheduler.cli.shared.context import open_services
from keizoku.scheduler.cli.shared.inputs import AsJson, Language
from keizoku.scheduler.cli.shared.output import emit, fail, refuse
from keizoku.scheduler.files import write_whole

app = typer.Typer(help="Demands for late interest, as documents.", no_args_is_help=True)


@app.callback()
def _demand() -> None:
    """Demands for late interest (5.2): monthly on the first night, and at termination."""


@app.command("list")
def list_demands(
    account: Annotated[str | None, typer.Option(help="Only this account's.")] = None, as_json: AsJson = False
) -> None:
    """Demands in the order in which they were sent."""
    from keizoku.billing.documents.interest_demands import demands

    with open_services() as services:
        found = demands(services.session, account)
    emit(found if found or as_json else "no demands", as_json)


@app.command()
def show(
    demand_id: Annotated[int, typer.Argument(metavar="ID", help="As `keizoku demand list` shows it.")],
    lang: Annotated[Language, typer.Option(help="The language of the text.")] = Language.JA,
    html: Annotated[Path | None, typer.Option(help="Write the document, both languages, to this file.")] = None,
    as_json: AsJson = False,
) -> None:
    """One demand with the workings of every debt; `--html` writes the document for the user."""
    from keizoku.billing.documents.interest_demands import demand_html, demand_of
    from keizoku.terms.refusal import Refused

    with open_services() as services:
        try:
            found = demand_of(services.session, demand_id)
        except Refused as refused:
            refuse(refused)
    if html is not None:
        try:
            write_whole(html, demand_html(found))
        except OSError as error:
            fail(f"{html}: {error.strerror}")
    if as_json:
        emit(found, as_json=True)
    elif html is not None:
        emit(f"demand {demand_id} written to {html}")
    else:
        emit(str(found[f"body_{lang.value}"]).splitlines())
