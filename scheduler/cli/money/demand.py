"""`keizoku demand`: demands for late interest as documents, as they were sent."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from keizoku.scheduler.cli.shared.context import open_services
from keizoku.scheduler.cli.shared.ids import DemandId
from keizoku.scheduler.cli.shared.inputs import AsJson, Language, OnlyAccount
from keizoku.scheduler.cli.shared.language import both, japanese
from keizoku.scheduler.cli.shared.listing import SHOWN, After, All, Limit, Page, Pages, Row, emit_pages, number_after
from keizoku.scheduler.cli.shared.output import emit, fail
from keizoku.scheduler.files import write_whole

app = typer.Typer(help=both("Demands for late interest, as documents.", "遅延損害金の請求書。"), no_args_is_help=True)


@app.callback(
    help=both(
        "Demands for late interest (5.2): monthly on the first night, and at termination.",
        "遅延損害金の請求(5.2): 毎月最初の夜と、解除のとき。",
    )
)
def _demand() -> None:
    """Demands for late interest (5.2): monthly on the first night, and at termination."""


@app.command("list", help=japanese("遅延損害金の請求。送った順。"))
def list_demands(
    account: OnlyAccount = None,
    limit: Limit = SHOWN,
    everything: All = False,
    after: After = "",
    as_json: AsJson = False,
) -> None:
    """Demands in the order in which they were sent."""
    from keizoku.billing.documents.interest_demands import demand_count, demands

    with open_services() as services:

        def read(limit: int, after: str) -> Sequence[Row]:
            last = number_after(after, "demand", "D") or 0
            return demands(services.session, account, limit=limit, after=last)

        pages = Pages(read, lambda: demand_count(services.session, account))
        emit_pages(pages, Page.wanted(limit, after, everything), "no demands", as_json)


@app.command(help=japanese("一つの請求と、債務ごとの計算。`--html` で利用者向けの書類を書き出します。"))
def show(
    demand_id: DemandId,
    lang: Annotated[Language, typer.Option(help=both("The language of the text.", "文の言語。"))] = Language.JA,
    html: Annotated[
        Path | None,
        typer.Option(
            help=both("Write the document, both languages, to this file.", "書類を両言語でこのファイルに書き出します。")
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """One demand with the workings of every debt; `--html` writes the document for the user."""
    from keizoku.billing.documents.interest_demands import demand_html, demand_of
    from keizoku.db.account_reads import noted

    with open_services() as services:
        found = demand_of(services.session, demand_id)
        noted(found.account, "demand show")
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
