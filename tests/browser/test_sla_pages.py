"""A claim's page and a month's report in a browser: offline, no script, nothing to complain about, text as text."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from keizoku.scheduler.reports.claim_page import claim_page, explain_claim
from keizoku.scheduler.reports.replay import ALL_THAT_IS_KNOWN
from keizoku.scheduler.reports.sla_report import month_report, report_page
from tests.worlds.looks import barred_nowhere, fits_a_phone, printed, tiles_line_up
from tests.worlds.month_world import live
from tests.worlds.sla_world import APRIL, RULES, at

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytest.importorskip("playwright.sync_api", reason="the extra `browser` is not installed")

pytestmark = pytest.mark.browser


def heard(page: "Page") -> tuple[list[str], list[str]]:
    """What a page asks for and says, from now on."""
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    return asked, said


def test_claim_and_report_open_offline_and_fit(browser: "Browser", engine: sa.Engine, tmp_path: Path) -> None:
    with engine.connect() as session:
        lived = live(session)
        pages = {
            "claim": claim_page(explain_claim(lived, RULES, "c1", ALL_THAT_IS_KNOWN), ("ja", "en")),
            "report": report_page(month_report(lived, RULES, APRIL, ALL_THAT_IS_KNOWN, at("2026-08-03")), ("ja", "en")),
        }
    for name, html in pages.items():
        file = tmp_path / f"{name}.html"
        file.write_text(html, encoding="utf-8")
        page = browser.new_page(viewport={"width": 1180, "height": 900})
        asked, said = heard(page)
        page.goto(file.as_uri())
        assert (asked, said) == ([file.as_uri()], [])
        assert page.evaluate("document.documentElement.scrollWidth") == 1180
        assert page.locator("script").count() == 0
        for lang, words in (("en", "4 h 7 min"), ("ja", "4時間7分")):
            page.check(f"#in-{lang}")
            assert page.locator(f"svg.keizoku-month.desk:lang({lang}):visible").count() == 2
            assert page.locator("svg.keizoku-month:visible").count() == 2
            assert page.get_by_text(words).locator("visible=true").first.is_visible()
        tiles_line_up(page)
        ids = page.evaluate("[...document.querySelectorAll('[id]')].map(each => each.id)")
        assert len(ids) == len(set(ids))
        assert "=a false alarm" in page.inner_text("body") or name == "claim"
        printed(page)
        fits_a_phone(page)
        barred_nowhere(page)
        page.close()
