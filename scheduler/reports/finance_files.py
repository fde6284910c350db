"""The month's report as files: a page, a workbook, a CSV per table, and the SHA-256 of each of them.

    write_finance(report, Path("2026-04"), "ja")     report.html  report.xlsx  invoices.csv …  SHA256SUMS

The workbook's summary recomputes every figure by a formula over the sheet behind it, and carries the value for readers
that do not calculate; beside it stand the month before, as a value, and the change. Text that begins like a formula is
neutralised in both. Streamed, row by row.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

from keizoku.billing.documents.atomic_files import SUMS, whole_folder
from keizoku.scheduler.reports.finance import Figure, FinanceReport, Table
from keizoku.scheduler.reports.finance_page import english_name, finance_page
from keizoku.terms import words
from keizoku.terms.cells import cell
from keizoku.terms.rendering import Lang

Progress = Callable[[str, int, int], None]
"""Called with the file that is written next, how many are done, of how many."""
MOST_ROWS = 1_048_575
"""Rows below the header that a sheet can hold."""
LIST_ROWS = 100_000
"""Rows of a sheet that no figure is the sum of, so that the workbook of a large month can still be opened.

What is more, of either kind, is in the CSV only, and the summary says so.
"""


def write_finance(
    report: FinanceReport, folder: Path, lang: Lang, progress: Progress = lambda name, done, whole: None
) -> list[Path]:
    """Write all files into a folder, which is made; their paths. `told` hears of each before it is written.

    The folder has its SHA256SUMS when all of it is there. OSError where it cannot be, Refused while another run writes.
    """
    names = [f"{table.key}.csv" for table in report.tables] + ["report.html", "report.xlsx"]
    with whole_folder(folder) as partial:
        for done, name in enumerate(names):
            progress(name, done, len(names))
            path = partial / name
            if name == "report.html":
                path.write_text(finance_page(report, lang), encoding="utf-8")
            elif name == "report.xlsx":
                write_workbook(report, path, lang)
            else:
                _write_csv(report.table(path.stem), path)
        progress(SUMS, len(names), len(names))
    return [folder / name for name in (*names, SUMS)]


def _write_csv(table: Table, path: Path) -> None:
    with path.open("w", encoding="utf-8-sig", newline="") as out:  # a spreadsheet needs the mark
        rows = csv.writer(out)
        rows.writerow([column.key for column in table.columns])
        rows.writerows([cell(value) if type(value) is str else value for value in row] for row in table.rows())


def write_workbook(report: FinanceReport, path: Path, lang: Lang) -> None:
    """The workbook: a summary, then a sheet per table."""
    import xlsxwriter

    ja = lang == "ja"
    book = xlsxwriter.Workbook(str(path), {"constant_memory": True, "strings_to_formulas": False,
                                           "strings_to_urls": False})  # fmt: skip
    book.set_properties({"title": f"Keizoku {report.month}", "created": report.made_at.replace(tzinfo=None)})
    formats = {
        "head": book.add_format({"bold": True, "bottom": 1}),
        "yen": book.add_format({"num_format": "#,##0"}),
        "number": book.add_format({"num_format": "#,##0"}),
        "count": book.add_format({"num_format": "0"}),
        "day": book.add_format({"num_format": "yyyy-mm-dd"}),
        "text": book.add_format(),
    }
    summary = book.add_worksheet("summary")
    figures = report.all_figures
    summed = {figure.table for figure in figures}
    ends: dict[str, int] = {}
    cut: dict[str, int] = {}
    for table in report.tables:
        most = MOST_ROWS if table.key in summed else LIST_ROWS
        ends[table.key], whole = _sheet(book, table, formats, ja, most)
        if not whole:
            cut[table.key] = most
    summary.freeze_panes(1, 0)
    summary.set_column(0, 0, 44)
    summary.set_column(1, 3, 18, formats["yen"])
    before = words.month(report.month.previous(), ja)
    heads = ["項目", "値", before, "増減"] if ja else ["figure", "value", before, "change"]
    summary.write_row(0, 0, heads, formats["head"])
    for at, figure in enumerate(figures, start=1):
        summary.write_string(at, 0, figure.ja if ja else figure.en)
        if figure.prior is not None and figure.change is not None:
            summary.write_number(at, 2, figure.prior, formats["yen"])
            summary.write_number(at, 3, figure.change, formats["yen"])
        if figure.table in cut:  # a formula over a part would come to something else
            summary.write_number(at, 1, figure.value, formats["yen"])
            continue
        summary.write_formula(at, 1, formula(figure, report.table(figure.table), ends[figure.table]), formats["yen"],
                              figure.value)  # fmt: skip
    for at, (key, most) in enumerate(cut.items(), start=len(figures) + 2):
        progress = (
            f"{key}: 先頭の{most:,}行(全行は{key}.csv)" if ja else f"{key}: the first {most:,} rows; all: {key}.csv"
        )
        summary.write_string(at, 0, progress)
    book.close()


def formula(figure: Figure, table: Table, last: int) -> str:
    """The formula of a figure over the sheet of its table, whose rows end in row `last` (from 1, under a header)."""
    first = f"'{table.key}'!$A$2:$A${last}"
    at = next((at for at, column in enumerate(table.columns) if column.key == figure.column), None)
    if at is None:
        return f'=COUNTIF({first},"{figure.only}")' if figure.only else f"=COUNTA({first})"
    over = f"'{table.key}'!${chr(65 + at)}$2:${chr(65 + at)}${last}"
    return f'=SUMIF({first},"{figure.only}",{over})' if figure.only else f"=SUM({over})"


def _sheet(book: Any, table: Table, formats: dict[str, Any], ja: bool, most: int) -> tuple[int, bool]:
    """Write a sheet of at most so many rows; the number of its last one, and whether it has all of them.

    The last is 2 at least, so that a formula has a range.
    """
    sheet = book.add_worksheet(table.key)
    sheet.freeze_panes(1, 0)
    for at, column in enumerate(table.columns):
        sheet.set_column(at, at, 14 if column.kind != "text" else 20)
        sheet.write_string(0, at, column.ja if ja else column.en, formats["head"])
    number, whole = 0, True
    with table.reading() as rows:
        for row in rows:
            if number == most:
                whole = False
                break
            number += 1
            for at, (value, column) in enumerate(zip(row, table.columns, strict=True)):
                shown = formats[column.kind]
                if value is None:
                    continue
                if isinstance(value, int):
                    sheet.write_number(number, at, value, shown)
                elif isinstance(value, date):
                    sheet.write_datetime(number, at, value, shown)
                else:
                    text = english_name(str(value)) if column.key == "name" and not ja else str(value)
                    sheet.write_string(number, at, str(cell(text)), shown)
    if number:
        sheet.autofilter(0, 0, number, len(table.columns) - 1)
    return max(number + 1, 2), whole
