"""The month's workbook in LibreOffice: it works every formula out again and comes to our figures and to the ledger."""

import re
import subprocess
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from shutil import which
from xml.etree import ElementTree

import pytest

from keizoku.billing.closing.export_files import balances_before, month_sums
from keizoku.scheduler.app import Services
from keizoku.scheduler.reports.finance_files import write_workbook
from tests.worlds.finance_world import MAY, report_of

pytestmark = pytest.mark.browser

MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
ALWAYS = """<?xml version="1.0" encoding="UTF-8"?>
<oor:items xmlns:oor="http://openoffice.org/2001/registry">
<item oor:path="/org.openoffice.Office.Calc/Formula/Load">
<prop oor:name="OOXMLRecalcMode" oor:op="fuse"><value>0</value></prop></item>
</oor:items>
"""
"""LibreOffice's setting: a workbook's formulas are worked out again whenever it is loaded."""
A_LIE = 987_654_321


def recalculated(folder: Path, *books: Path) -> list[Path]:
    """The workbooks as LibreOffice saves them after it has loaded them."""
    soffice = which("soffice") or which("libreoffice")
    assert soffice, "wants LibreOffice: apt-get install libreoffice-calc"
    profile, out = folder / "profile", folder / "out"
    (profile / "user").mkdir(parents=True)
    (profile / "user" / "registrymodifications.xcu").write_text(ALWAYS, encoding="utf-8")
    subprocess.run(
        [soffice, f"-env:UserInstallation={profile.as_uri()}", "--headless", "--norestore", "--convert-to", "xlsx",
         "--outdir", str(out), *map(str, books)],
        check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    return [out / each.name for each in books]


def retold(book: Path, to: Path, formula: Callable[[str], str]) -> Path:
    """A copy of a workbook whose formulas carry a value that no figure has; `formula` may change them as well."""

    def cell(found: re.Match[str]) -> str:
        return f"<f>{formula(found[1])}</f><v>{A_LIE}</v>"

    with zipfile.ZipFile(book) as old, zipfile.ZipFile(to, "w") as new:
        for name in old.namelist():
            part = old.read(name)
            if name == "xl/worksheets/sheet1.xml":
                part = re.sub(r"<f>(.*?)</f><v>.*?</v>", cell, part.decode()).encode()
            new.writestr(name, part)
    return to


def summary(book: Path) -> dict[str, int]:
    """Name and value of every row of the first sheet that has a formula."""
    with zipfile.ZipFile(book) as parts:
        strings = [
            "".join(text.text or "" for text in each.iter(f"{MAIN}t"))
            for each in ElementTree.fromstring(parts.read("xl/sharedStrings.xml")).iter(f"{MAIN}si")  # noqa: S314
        ]
        sheet = ElementTree.fromstring(parts.read("xl/worksheets/sheet1.xml"))  # noqa: S314
    told = {}
    for row in sheet.iter(f"{MAIN}row"):
        cells = {re.sub(r"\d", "", str(each.get("r"))): each for each in row}
        if "B" in cells and cells["B"].find(f"{MAIN}f") is not None:
            name, value = cells["A"].findtext(f"{MAIN}v"), cells["B"].findtext(f"{MAIN}v")
            told[strings[int(str(name))]] = int(float(str(value)))
    return told


def test_libreoffice_comes_to_our_figures_and_to_the_ledger(spring: Services, tmp_path: Path) -> None:
    report = report_of(spring)
    written = tmp_path / "written.xlsx"
    write_workbook(report, written, "en")
    right = retold(written, tmp_path / "right.xlsx", lambda formula: formula)
    wrong = retold(written, tmp_path / "wrong.xlsx", lambda formula: f"{formula}+1")
    ours = {each.en: each.value for each in report.all_figures}
    worked_out, off_by_one = (summary(each) for each in recalculated(tmp_path, right, wrong))
    assert worked_out == ours
    assert off_by_one == {name: value + 1 for name, value in ours.items()}  # what is wrong is found, in every cell
    moved, closing = month_sums(spring.session, MAY), balances_before(spring.session, MAY.next())
    assert ledger_of(moved, closing).items() <= worked_out.items()


def ledger_of(moved: Mapping[str, int], closing: Mapping[str, int]) -> dict[str, int]:
    """What the ledger says for figures of the month, by their names."""
    return {
        "revenue, net of reductions, without tax": -(moved["4110"] + moved["4190"]),
        "receivable at the month's end": closing["1140"],
        "contract liability at the month's end": -closing["2120"],
    }
