"""The month's report in a browser: offline, nothing to complain about, tables sort and filter, figures lead to rows."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from keizoku.scheduler.app import Services
from keizoku.scheduler.reports.finance_page import finance_page
from tests.worlds.finance_world import report_of
from tests.worlds.looks import barred_nowhere, fits_a_phone, printed, tiles_line_up

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytest.importorskip("playwright.sync_api", reason="the extra `browser` is not installed")

pytestmark = pytest.mark.browser


def test_the_report_opens_offline_sorts_filters_drills_down_and_prints(
    browser: "Browser", spring: Services, tmp_path: Path
) -> None:
    file = tmp_path / "report.html"
    report = report_of(spring)
    file.write_text(finance_page(report, "ja"), encoding="utf-8")
    page = browser.new_page(viewport={"width": 1180, "height": 900})
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(file.as_uri())

    # a figure leads to the rows that it is the sum of
    page.click("#f-applied")
    shown = page.locator("#t-credits tbody tr:visible")
    kinds = shown.locator("td:first-child").all_inner_texts()
    yen = [int(text.replace(",", "")) for text in shown.locator("td:last-child").all_inner_texts()]
    assert set(kinds) == {"充当"}
    assert sum(yen) == report.figure("applied").value
    assert page.evaluate("location.hash") == "#t-credits"

    # sorting, both ways, by number; filtering by text
    ledger = page.locator("#t-ledger")
    debits = ledger.locator("th [role=button]").nth(6)
    debits.click()
    cells = ledger.locator("tbody tr td:nth-child(7)")
    ascending = [int(text.replace(",", "")) for text in cells.all_inner_texts()]
    assert ascending == sorted(ascending)
    debits.press("Enter")
    assert [int(text.replace(",", "")) for text in cells.all_inner_texts()] == ascending[::-1] != ascending
    ledger.locator("input").fill("CREDIT_GRANTED")
    rows = ledger.locator("tbody tr:visible")
    assert rows.count() == int(ledger.locator(".shown").inner_text()) > 0
    assert set(rows.locator("td:nth-child(3)").all_inner_texts()) == {"減額の決定"}

    assert page.evaluate("document.documentElement.scrollWidth") == 1180
    tiles_line_up(page)
    printed(page)
    assert page.locator("thead button").count() == 0  # Chromium would repeat no heading on the next sheet
    fits_a_phone(page)
    barred_nowhere(page)
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 703, "height": 1000})  # A4 less its margins
    assert page.evaluate("document.documentElement.scrollWidth") <= 703
    assert (asked, said) == ([file.as_uri()], [])
    page.close()
