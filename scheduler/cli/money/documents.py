"""`keizoku documents`: invoices and credit notes as they were issued: stored, found, shown, handed over."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from keizoku.scheduler.cli.shared.context import open_services, settings_of_this_process
from keizoku.scheduler.cli.shared.headings import headed, heading
from keizoku.scheduler.cli.shared.inputs import SPOKEN, AsJson, Language, Recorder, day, month_of, recorder
from keizoku.scheduler.cli.shared.language import both, japanese
from keizoku.scheduler.cli.shared.listing import SHOWN, After, All, Limit, Page, Pages, emit_pages
from keizoku.scheduler.cli.shared.output import emit, fail
from keizoku.scheduler.files import write_whole

if TYPE_CHECKING:
    from keizoku.billing.documents.issued_documents import Wanted

app = typer.Typer(
    help=both("Documents as they were issued: issue, list, show, export.", "発行した書類: 発行、検索、表示、引渡し。"),
    no_args_is_help=True,
)

From = Annotated[
    str | None, typer.Option("--from", metavar="DATE", help=both("Issued on or after this day.", "この日以後の発行。"))
]
To = Annotated[
    str | None, typer.Option("--to", metavar="DATE", help=both("Issued on or before this day.", "この日以前の発行。"))
]
FromYen = Annotated[int | None, typer.Option(help=both("Of this sum or more.", "この金額以上。"))]
ToYen = Annotated[int | None, typer.Option(help=both("Of this sum or less.", "この金額以下。"))]
OfAccount = Annotated[str | None, typer.Option("--account", help=both("Of this account.", "このアカウントのもの。"))]


@app.command(
    "issue",
    help=japanese("月の請求書と返還請求書を、発行したままの内容で一度だけ保存します。保存済みのものは変わりません。"),
)
def issue_documents(
    month: Annotated[str, typer.Argument(metavar="MONTH", help=both("2026-04.", "月。2026-04 など。"))],
    author: Recorder = "",
    as_json: AsJson = False,
) -> None:
    """Store every invoice and due credit note of a month as issued, once; what is stored stays as it is."""
    from keizoku.billing.documents.issued_documents import Issuing, issue_month

    about = month_of(month)
    issuing = Issuing(settings_of_this_process().issuer(), recorder(author), datetime.now(UTC))
    with open_services() as services:
        added = issue_month(services.session, services.rules, about, issuing)
    emit({"month": str(about), "issued": added} if as_json else f"{about}: {added:,} documents issued", as_json)


@app.command("list", help=japanese("発行した書類を、日付、金額、取引先の範囲で探します。条件は組み合わせられます。"))
def list_issued(
    from_on: From = None,
    to_on: To = None,
    from_yen: FromYen = None,
    to_yen: ToYen = None,
    account: OfAccount = None,
    limit: Limit = SHOWN,
    everything: All = False,
    after: After = "",
    lang: Annotated[Language, typer.Option(help=both("The language of the headings.", "見出しの言語。"))] = SPOKEN,
    as_json: AsJson = False,
) -> None:
    """Find issued documents by day, sum and account; conditions hold together."""
    from keizoku.billing.documents.issued_documents import found, found_count

    wanted = _wanted(from_on, to_on, from_yen, to_yen, account)
    if after and not after.isdecimal():
        fail(f"--after {after}: a number is needed, as the list shows it")
    page = Page.wanted(limit, after, everything)
    with open_services() as services:

        def read(limit: int, after: str) -> list[dict[str, object]]:
            rows = [each.to_json() for each in found(services.session, wanted, limit=limit, after=int(after or 0))]
            return rows if as_json else [dict(headed(row, lang.value)) for row in rows]

        pages = Pages(
            read,
            lambda: found_count(services.session, wanted),
            lambda row: str(row["id" if as_json else heading("id", lang.value)]),
        )
        emit_pages(
            pages, page, "該当する書類はありません" if lang is Language.JA else "no document was issued", as_json
        )


@app.command(help=japanese("発行した一つの書類を、発行したままの内容で表示します。"))
def show(
    number: Annotated[int, typer.Argument(metavar="ID", help=both("As the list shows it.", "一覧の番号。"))],
    lang: Annotated[Language, typer.Option(help=both("The language of the document.", "書類の言語。"))] = Language.JA,
    html: Annotated[
        Path | None,
        typer.Option(metavar="FILE", dir_okay=False, help=both("Write it as a page.", "ページに書き出します。")),
    ] = None,
    pdf: Annotated[
        Path | None,
        typer.Option(metavar="FILE", dir_okay=False, help=both("Write it as a PDF, A4.", "PDF(A4)に書き出します。")),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """One document as it was issued."""
    from keizoku.billing.documents.issued_documents import stored
    from keizoku.scheduler.cli.money.invoice import give

    with open_services() as services:
        document = stored(services.session, number, lang.value)
    give(document, html, pdf, as_json)


@app.command(help=japanese("探した書類をZIPで引き渡します: 一覧(index.csv)と各書類のページ。"))
def export(
    out: Annotated[
        Path, typer.Option(metavar="FILE", dir_okay=False, help=both("The ZIP to write.", "書き出すZIPファイル。"))
    ],
    from_on: From = None,
    to_on: To = None,
    from_yen: FromYen = None,
    to_yen: ToYen = None,
    account: OfAccount = None,
    as_json: AsJson = False,
) -> None:
    """Hand the documents over that are found: a ZIP of index.csv and a page of each."""
    from keizoku.billing.documents.issued_documents import archive, found_count

    wanted = _wanted(from_on, to_on, from_yen, to_yen, account)
    with open_services() as services:
        count = found_count(services.session, wanted)
        packed = archive(services.session, wanted)
    try:
        write_whole(out, packed)
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}")
    emit({"file": str(out), "documents": count} if as_json else f"{count:,} documents in {out}", as_json)


def _wanted(
    from_on: str | None, to_on: str | None, from_yen: int | None, to_yen: int | None, account: str | None
) -> Wanted:
    from keizoku.billing.documents.issued_documents import Wanted

    first, last = (day(written) if written else None for written in (from_on, to_on))
    return Wanted(first, last, from_yen, to_yen, account)
