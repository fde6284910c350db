"""`keizoku report`: a month's report for finance."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from keizoku.scheduler.cli.shared.context import services_now
from keizoku.scheduler.cli.shared.inputs import AsJson, Language, month_of, row_bar
from keizoku.scheduler.cli.shared.language import both, japanese
from keizoku.scheduler.cli.shared.output import emit, fail

app = typer.Typer(pretty_exceptions_enable=False)


@app.command(
    help=japanese(
        "月次報告を書き出します: オフラインで開けるページ、ブック、表ごとのCSV、それらのSHA-"
        "256。\n\n"
        "売上、月次経常収益、会員の増減、契約負債、年齢別の債権、減額、申請、稼働、督促、照合の例外、担当者待ちのもの、仕訳。"
        "前月の数字が並びます。どの数字からも、その元になった表をたどれます。変更はしません。`keizoku reconci"
        "le` と同じく、決済代行の知らせだけを取り込みます。"
    )
)
def report(
    month: Annotated[str, typer.Argument(metavar="MONTH", help=both("2026-04.", "月。2026-04 など。"))],
    out: Annotated[
        Path,
        typer.Option(
            metavar="DIR",
            file_okay=False,
            help=both("The folder; it is created if need be.", "フォルダー。なければ作ります。"),
        ),
    ],
    lang: Annotated[
        Language, typer.Option(help=both("The language of page and workbook.", "ページとブックの言語。"))
    ] = Language.JA,
    as_json: AsJson = False,
) -> None:
    """Write a month's report: a page that opens offline, a workbook, a CSV per table, and their SHA-256.

    Revenue, recurring revenue, members who joined and left, contract liability, receivables by age, credits, claims,
    availability, dunning, the reconciliation's exceptions and what waits for people, the journal; beside each figure
    that of the month before. Every figure links to the table that it sums. Nothing is changed; only the gateway's news
    are fetched, as `keizoku reconcile` does.
    """
    from keizoku.billing.closing.reconciliation_run import reconcile_month
    from keizoku.db.session import one_snapshot
    from keizoku.scheduler.reports.finance import finance_report
    from keizoku.scheduler.reports.finance_files import write_finance
    from keizoku.terms.policy import UncoveredDateError

    about = month_of(month)
    with services_now() as (services, now):
        try:
            with row_bar(f"reconciling {about}") as step:
                reconciled = reconcile_month(
                    services.session, services.gateway, about, now, lambda _, done, whole: step(done, whole)
                )
            with row_bar(f"files of {about}") as step, one_snapshot(services.session):
                made = finance_report(services.session, services.rules, about, now, reconciled)
                written = write_finance(made, out, lang.value, lambda _, done, whole: step(done, whole))
        except UncoveredDateError as error:
            fail(str(error))
        except OSError as error:
            fail(f"{error.filename or out}: {error.strerror}")
    if as_json:
        figures = {each.key: each.value for each in made.all_figures}
        prior = {each.key: each.prior for each in made.all_figures}
        shown = {"month": str(about), "figures": figures, "prior": prior, "files": [str(path) for path in written]}
        emit(shown, as_json=True)
    else:
        emit([str(path) for path in written])
