"""What `keizoku bank import` and `keizoku store import` share: the layout of a file, and the summary at the end."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from keizoku.scheduler.cli.shared.language import both
from keizoku.scheduler.cli.shared.output import MISTAKEN, emit, refuse, report_findings
from keizoku.terms.calendar import iso_jst

if TYPE_CHECKING:
    from keizoku.billing.receivables.csv_layout import Layout
    from keizoku.billing.receivables.import_log import MoneyImport

LayoutFile = Annotated[
    Path | None,
    typer.Option(
        "--mapping",
        exists=True,
        dir_okay=False,
        help=both("TOML: how the file names its columns.", "ファイルの列名の読み替え(TOML)。"),
    ),
]


def layout_of(mapping: Path | None, columns: Sequence[str]) -> Layout:
    """The layout that is meant; ends the command for one that cannot be used."""
    from keizoku.billing.receivables.csv_layout import read_layout
    from keizoku.terms.refusal import Refused

    try:
        return read_layout(mapping, columns)
    except Refused as refused:
        refuse(refused, MISTAKEN)


def end_of_import(done: MoneyImport, as_json: bool) -> NoReturn:
    """Tell what became of the file; exit 1 if a row could not be used."""
    if as_json:
        emit({**dataclasses.asdict(done), "recorded_at": iso_jst(done.recorded_at)}, as_json=True)
        raise typer.Exit(1 if done.findings else 0)
    if done.again:
        emit(
            f"{done.source}: the same file was taken {iso_jst(done.recorded_at)} by {done.author}; nothing was changed"
        )
    else:
        known = f" as {done.preset}" if done.preset not in ("", "ours", "mapping") else ""
        emit(
            f"{done.source}: {done.rows_read:,} rows read{known}, {done.rows_new:,} new, {done.rows_known:,} known, "
            f"{done.rows_passed_over:,} passed over, {done.rows_refused:,} refused"
        )
    raise typer.Exit(report_findings(done.findings))
