"""`keizoku export`: a month's journal as an accounting package imports it."""

from __future__ import annotations

from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from keizoku.scheduler.cli.shared.context import services_now, settings_of_this_process
from keizoku.scheduler.cli.shared.inputs import AsJson, month_of, row_bar
from keizoku.scheduler.cli.shared.language import both, japanese
from keizoku.scheduler.cli.shared.output import emit, fail

app = typer.Typer(pretty_exceptions_enable=False)


class Format(StrEnum):
    """What reads the file."""

    MONEYFORWARD = "moneyforward"
    FREEE = "freee"
    YAYOI = "yayoi"
    CSV = "csv"
    BEANCOUNT = "beancount"


class Summary(StrEnum):
    """What becomes one entry of the file."""

    ENTRY = "entry"
    DOCUMENT = "document"
    DAY = "day"
    MONTH = "month"


@app.command(
    help=japanese(
        "月の仕訳を会計ソフト向けに書き出します。何も変更しません。\n\n"
        "マネーフォワード、freee、弥生は税込みの金額を受け取るので、税は行を分けずに添えます。合"
        "計が帳簿と合わなければ書き出しません。"
    )
)
def export(
    month: Annotated[
        str, typer.Argument(metavar="MONTH", help=both("The month of the entries: 2026-04.", "仕訳の月: 2026-04。"))
    ],
    form: Annotated[
        Format, typer.Option("--format", help=both("The package that imports it.", "取り込む会計ソフト。"))
    ],
    out: Annotated[
        Path, typer.Option(metavar="FILE", dir_okay=False, help=both("Where to write it.", "書き出す場所。"))
    ],
    mapping: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.toml",
            help=both(
                "Your own names for accounts, tax classes and memos, where they differ.",
                "勘定、税区分、摘要の読み替え。",
            ),
        ),
    ] = None,
    summary: Annotated[
        Summary | None,
        typer.Option(
            help=both(
                "One entry for each of ours, each document, day or month (default: KEIZOKU_EXPORT_SUMMARY).",
                "仕訳ごと、書類ごと、日ごと、月ごとのどれで一つにまとめるか(既定: KEIZOKU_EXPORT_SUMMARY)。",
            )
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a month's journal for an accounting package; nothing is changed.

    Money Forward, freee and Yayoi take tax-inclusive amounts: the tax stands beside them, not in lines of its own.
    The file sums to the ledger, or it is not written.
    """
    from keizoku.billing.closing.export_files import export_month
    from keizoku.billing.closing.exports.mapping import MappingError, mapping_for

    about = month_of(month)
    try:
        mapped = mapping_for(form.value, mapping)
    except MappingError as error:
        fail(str(error))
    chosen = summary.value if summary else settings_of_this_process().export_summary
    with services_now() as (services, _), row_bar(f"entries of {about}") as progress:
        try:
            written = export_month(services.session, about, mapped, out, progress, summary=chosen)
        except OSError as error:
            fail(f"{out}: {error.strerror}")
    if as_json:
        emit(asdict(written), as_json=True)
    else:
        emit(
            f"{written.entries:,} entries of {about} written to {out}: "
            f"{written.debit_yen:,} yen debit and credit, SHA-256 {written.sha256[:16]}…"
        )
