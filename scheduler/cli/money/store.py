"""`keizoku store`: what app stores report about the terms that they collected for us."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer

from keizoku.scheduler.cli.shared.context import open_services, services_now
from keizoku.scheduler.cli.shared.inputs import (
    Account,
    AsJson,
    Author,
    File,
    Ground,
    OnlyAccount,
    Recorder,
    day,
    recorder,
)
from keizoku.scheduler.cli.shared.language import both, japanese
from keizoku.scheduler.cli.shared.listing import SHOWN, After, All, Limit, Page, Pages, Row, emit_pages, number_after
from keizoku.scheduler.cli.shared.money_files import LayoutFile, end_of_import, layout_of
from keizoku.scheduler.cli.shared.output import emit, fail, report_findings

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
        "ストアの報告を取り込みます: Google Play の収益レポート、App Store の財務レポートと売上レポート、"
        "または CSV(store, account, term, gross, fee, fee_tax, currency, paid_out_on, payout_id)。\n\n"
        "注文の番号は `keizoku store order` で登録したアカウントに結び付けます。負の行は返金です。"
        "既知の行は飛ばし、支払いだけを加えることがあります。使えない行があれば終了コード 1。"
    ),
)
def import_file(
    file: File,
    mapping: LayoutFile = None,
    preset: Annotated[
        str,
        typer.Option(
            help=both(
                "Read it as google_play, apple_financial or apple_sales, whatever its content says.",
                "内容の判別によらず、google_play、apple_financial、apple_sales として読みます。",
            )
        ),
    ] = "",
    paid_out_on: Annotated[
        str,
        typer.Option(help=both("The day on which the store paid the whole report out.", "報告の全額が支払われた日。")),
    ] = "",
    payout_id: Annotated[str, typer.Option(help=both("What that payout is called.", "その支払いの番号。"))] = "",
    author: Recorder = "",
    as_json: AsJson = False,
) -> None:
    """Take a store's report: Google Play's earnings, Apple's financial or sales report, or a CSV of our own columns.

    Those are store, account, term, gross, fee, fee_tax, currency, paid_out_on, payout_id; the last four may be empty
    or missing. An order is joined to the account that `keizoku store order` recorded; a row below zero is a refund. A
    row that is known is passed by, and may add its payout. Exit 1 if a row could not be used.
    """
    from keizoku.billing.contracts.store_files import Payout
    from keizoku.billing.receivables.store_reports import COLUMNS

    if bool(paid_out_on) != bool(payout_id):
        fail("--paid-out-on and --payout-id: a payout has its day and its id")
    payout = Payout(payout_id, day(paid_out_on)) if payout_id else None
    layout = layout_of(mapping, COLUMNS)
    with open_services() as services:
        done = services.billing.import_store_reports(
            file, layout=layout, author=recorder(author), now=datetime.now(UTC), preset=preset, payout=payout
        )
    end_of_import(done, as_json)


@app.command(
    help=japanese("ストアの注文がどのアカウントのものかを記録します。更新の番号(..1 など)は付けなくてかまいません。")
)
def order(
    account: Account,
    orders: Annotated[
        list[str], typer.Argument(metavar="ORDER...", help=both("The store's numbers.", "ストアの注文番号。"))
    ],
    author: Recorder = "",
    as_json: AsJson = False,
) -> None:
    """Record whose orders at a store these are, so that its reports find their account."""
    with services_now() as (services, now):
        fresh = services.billing.store_orders(dict.fromkeys(orders, account), by=recorder(author), now=now)
    emit({"account": account, "new": fresh} if as_json else f"{fresh} new orders of {account}", as_json)


@app.command(help=japanese("注文とアカウントの対応をまとめて記録します(CSV: order, account)。"))
def orders(file: File, author: Recorder = "", as_json: AsJson = False) -> None:
    """Record whose orders are, from a CSV with the columns order and account. Exit 1 if a row could not be used."""
    from keizoku.billing.receivables.csv_layout import Layout, read_money_file
    from keizoku.terms.decision import Finding
    from keizoku.terms.refusal import Refused

    read = read_money_file(file, ("order", "account"), ("order", "account"), Layout())
    findings = list(read.findings)
    fresh = 0
    with services_now() as (services, now):
        for line, row in read.rows:
            try:
                fresh += services.billing.store_orders({row["order"]: row["account"]}, by=recorder(author), now=now)
            except Refused as refused:
                remedy = "correct the row"
                findings.append(Finding(str(file), line, f"{row['order']} {row['account']}", str(refused), remedy))
    told = {"read": len(read.rows), "new": fresh, "refused": len(findings)}
    emit(told if as_json else f"{len(read.rows)} orders read, {fresh} new, {len(findings)} refused", as_json)
    raise typer.Exit(report_findings(findings))


@app.command(help=japanese("ストアが期間の料金を利用者に返したことを記録します(5.1(2))。"))
def refund(
    account: Account,
    term: Annotated[str, typer.Argument(metavar="TERM", help=both("The term's first day.", "期間の最初の日。"))],
    yen: Annotated[int, typer.Option(min=1, help=both("What went back, yen.", "返金額(円)。"))],
    author: Author,
    ground: Ground,
    fee: Annotated[
        int,
        typer.Option(min=0, help=both("What of its fee the store gave back to us, yen.", "返された手数料(円)。")),
    ] = 0,
    as_json: AsJson = False,
) -> None:
    """Record that a store gave its customer the fee of a term back: revenue and 1133 follow.

    A whole refund ends the contract today, unless KEIZOKU_STORE_REFUND is term_stays.
    """
    on = day(term)
    with services_now() as (services, now):
        services.billing.store_refund(account, on, yen=yen, fee=fee, by=author, ground=ground, now=now)
    emit(
        {"account": account, "term": on.isoformat(), "yen": yen} if as_json else f"{yen:,} yen of {on} went back",
        as_json,
    )


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
