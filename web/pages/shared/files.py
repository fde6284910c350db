"""A table as a file: CSV for spreadsheets (UTF-8 with its mark), or a workbook; no cell is taken for a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

from fastapi import Response

from keizoku.terms.cells import cell
from keizoku.web.calls.problems import ProblemError
from keizoku.web.pages.shared.blocks import Table

__all__ = ["as_file"]


def as_file(table: Table, title: str, form: str) -> Response:
    """The rows of a table as `csv` or `xlsx`. Raises ProblemError for another form."""
    if form not in ("csv", "xlsx"):
        raise ProblemError(422, "file.form", "There is no such form.", form[:20], "csv or xlsx")
    content = _csv(table) if form == "csv" else _workbook(table, title)
    kind = (
        "text/csv; charset=utf-8"
        if form == "csv"
        else "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    )
    told = f'attachment; filename="keizoku-{table.name}.{form}"'
    return Response(content, 200, {"Content-Disposition": told}, kind)


def _rows(table: Table) -> Iterator[list[Any]]:
    yield [column.label for column in table.columns]
    for row in table.rows:
        yield [each.value for each in row]


def _csv(table: Table) -> bytes:
    written = io.StringIO(newline="")
    csv.writer(written, lineterminator="\r\n").writerows(
        ["" if each is None else cell(each) for each in row] for row in _rows(table)
    )
    return ("\ufeff" + written.getvalue()).encode()


def _workbook(table: Table, title: str) -> bytes:
    from xlsxwriter import Workbook

    held = io.BytesIO()
    book = Workbook(held, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False})
    book.set_properties({"title": title})
    sheet = book.add_worksheet()
    bold = book.add_format({"bold": True})
    for place, row in enumerate(_rows(table)):
        for column, value in enumerate(row):
            if isinstance(value, int):
                sheet.write_number(place, column, value)
            elif value is not None:
                sheet.write_string(place, column, value, bold if place == 0 else None)
    sheet.freeze_panes(1, 0)
    sheet.autofit()
    book.close()
    return held.getvalue()
