"""A workbook's cells and formulas as a test reads them."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from xml.etree import ElementTree

MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
Cells = dict[tuple[str, int], object]


def sheets(path: Path) -> dict[str, ElementTree.Element]:
    with zipfile.ZipFile(path) as book:

        def part(name: str) -> ElementTree.Element:
            return ElementTree.fromstring(book.read(f"xl/{name}.xml"))  # noqa: S314

        names = [str(each.get("name")) for each in part("workbook").iter(f"{MAIN}sheet")]
        return {name: part(f"worksheets/sheet{at}") for at, name in enumerate(names, start=1)}


def cells_of(sheet: ElementTree.Element) -> tuple[Cells, dict[int, tuple[str, int]]]:
    """What stands in each cell; and the formulas of column B with the value that they carry, by row."""
    cells: Cells = {}
    formulas = {}
    for each in sheet.iter(f"{MAIN}c"):
        found = re.fullmatch(r"([A-Z]+)(\d+)", str(each.get("r")))
        assert found
        value, formula = each.find(f"{MAIN}v"), each.find(f"{MAIN}f")
        text = "".join(part.text or "" for part in each.iter(f"{MAIN}t"))
        if formula is not None and value is not None:
            formulas[int(found[2])] = (str(formula.text), int(str(value.text)))
        else:
            cells[found[1], int(found[2])] = text if value is None else float(str(value.text))
    return cells, formulas


def calculated(formula: str, book: dict[str, Cells]) -> int:
    """SUM, SUMIF, COUNTIF and COUNTA, as a spreadsheet works them out."""
    found = re.fullmatch(
        r"(SUM|SUMIF|COUNTIF|COUNTA)\('(\w+)'!\$(\w)\$2:\$\w\$(\d+)(?:,\"(.*?)\")?(?:,'\w+'!\$(\w)\$2:\$\w\$\d+)?\)",
        formula,
    )
    assert found, formula
    name, sheet, column, last, only, summed = found.groups()
    rows = range(2, int(last) + 1)
    cells = book[sheet]
    if name == "COUNTA":
        return sum((column, row) in cells for row in rows)
    chosen = [row for row in rows if only is None or cells.get((column, row)) == only]
    if name == "COUNTIF":
        return len(chosen)
    return int(sum(float(str(cells.get((summed or column, row), 0))) for row in chosen))
