"""`keizoku export`: a month's journal as an accounting package imports it."""

from __future__ import annotations

from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from keizoku.scheduler.cli.shared.context import services_now
from keizoku.scheduler.cli.shared.inputs import AsJson, month_of, row_bar
from keizoku.scheduler.cli.shared.output import emit, fail

app = typer.Typer(pretty_exceptions_enable=False)


class Format(StrEnum):
    """What reads the file."""

    MONEYFORWARD = "moneyforward"
    FREEE = "freee"
    YAYOI = "yayoi"
    CSV = "csv"
    BEANCOUNT = "beancount"


@app.command()
def export(
    month: Annotated[str, typer.Argument(metavar="MONTH", help="The month of the entries: 2026-04.")],
    form: Annotated[Format, typer.Option("--format", help="The package that imports it.")],
    out: Annotated[Path, typer.Option(metavar="FILE", dir_okay=False, help="Where to write it.")],
    mapping: Annotated[
        Path | None,
        typer.Option(metavar="FILE.toml", help="What of accounts, tax classes and memos is called otherwise by you."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a month's journal for an accounting package; nothing is changed.

    Money Forward, freee and 弥生 take tax-inclusive amounts: the tax stands beside them, not in lines of its own.
    The file sums to the ledger, or it is not written.
    """
    from keizoku.billing.closing.export_files import export_month
    from keizoku.billing.closing.exports.mapping import MappingError, mapping_for

    about = month_of(month)
    try:
        mapped = mapping_for(form.value, mapping)
    except MappingError as error:
        fail(str(error))
    with services_now() as (services, _), row_bar(f"entries of {about}") as told:
        try:
            written = export_month(services.session, about, mapped, out, told)
        except OSError as error:
            fail(f"{out}: {error.strerror}")
    if as_json:
        emit(asdict(written), as_json=True)
    else:
        emit(
            f"{written.entries:,} entries of {about} written to {out}: "
            f"{written.debit_yen:,} yen debit and credit, SHA-256 {written.sha256[:16]}…"
        )
