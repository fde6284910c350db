"""`keizoku store`: what app stores report about the terms that they collected for us."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import typer

from keizoku.scheduler.cli.shared.context import open_services
from keizoku.scheduler.cli.shared.inputs import AsJson, File, OnlyAccount, Recorder, recorder
from keizoku.scheduler.cli.shared.language import both, japanese
from keizoku.scheduler.cli.shared.listing import SHOWN, After, All, Limit, Page, Pages, Row, emit_pages, number_after
from keizoku.scheduler.cli.shared.money_files import LayoutFile, end_of_import, layout_of

app = typer.Typer(
    help=both("Reports of app stores: import, list.", "アプリストアの報告: 取込み、一覧。"), no_args_is_help=True
)


@app.callback(
    help=both(
        "App stores (5.1(2)): they bill their customers, report their fee, and pay out.",
        "アプリストア(5.1(2)): 利用者に請求し、手数料を報告し、支払います。",
    )
)
def _store() -> None:
    """App stores (5.1(2)): they bill their customers, report their fee, and pay out."""


@app.command(
    "import",
    help=japanese(
        "ストアの報告を取り込みます(CSV: store, account, term, gross"
        ", fee, fee_tax, currency, paid_out_on, payout_"
        "id)。\n\n"
        "最後の四つは空でも、なくてもかまいません。既知の行は飛ばし、支払いだけを加えることがあります"
        "。使えない行があれば終了コード 1。"
    ),
)
def import_file(file: File, mapping: LayoutFile = None, author: Recorder = "", as_json: AsJson = False) -> None:
    """Take a store's report (CSV: store, account, term, gross, fee, fee_tax, currency, paid_out_on, payout_id).

    The last four may be empty or missing. A row that is known is passed by, and may add its payout. Exit 1 if a row
    could not be used.
    """
    from keizoku.billing.receivables.store_reports import COLUMNS

    layout = layout_of(mapping, COLUMNS)
    with open_services() as services:
        done = services.billing.import_store_reports(
            file, layout=layout, author=recorder(author), now=datetime.now(UTC)
        )
    end_of_import(done, as_json)


@app.command("list", help=japanese("ストア経由で始まったすべての期間: 報告と支払い、まだ足りないもの。"))
def list_reports(
    account: OnlyAccount = None,
    limit: Limit = SHOWN,
    everything: All = False,
    after: After = "",
    as_json: AsJson = False,
) -> None:
    """Every term begun through a store: what was reported and paid out, and what is still missing."""
    from keizoku.billing.receivables.store_reports import report_count, reports

    with open_services() as services:

        def read(limit: int, after: str) -> Sequence[Row]:
            return reports(services.session, account, limit=limit, after=number_after(after, "term"))

        pages = Pages(read, lambda: report_count(services.session, account))
        emit_pages(pages, Page.wanted(limit, after, everything), "no terms through a store", as_json)
