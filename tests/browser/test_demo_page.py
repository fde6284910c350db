"""The demo's page in a browser: it opens without a network, runs no script, fits its window, and prints."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from keizoku.db.embedded import EmbeddedServer
from keizoku.scheduler.demo.files import read_acts
from keizoku.scheduler.demo.page import demo_page
from keizoku.scheduler.demo.place import clear, examples_dir, fresh_services
from keizoku.scheduler.demo.play import play, played_until
from keizoku.scheduler.demo.summary import summarise
from keizoku.terms.discretion import Discretion
from keizoku.terms.policy import Terms
from keizoku.terms.rules import Rules
from tests.worlds.looks import fits_a_phone, printed, tiles_line_up

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytest.importorskip("playwright.sync_api", reason="the extra `browser` is not installed")

pytestmark = pytest.mark.browser

RULES = Rules(Terms.load(), Discretion())


@pytest.fixture(scope="module")
def page_file() -> Iterator[Path]:
    """The page of a fortieth of the demo's contracts."""
    folder = Path(tempfile.mkdtemp(prefix="keizoku-page-"))
    folder.chmod(0o755)
    example = examples_dir()
    assert example is not None
    clear(folder / "demo")
    with fresh_services(folder / "demo", RULES) as services:
        played = play(services, read_acts(example, RULES, 40))
        summary = summarise(services, played, played_until())
        html = demo_page(services, summary, played_until(), "keizoku explain claim ID")
    file = folder / "demo.html"
    file.write_text(html, encoding="utf-8")
    yield file
    EmbeddedServer(folder / "demo").stop(force=True)
    shutil.rmtree(folder, ignore_errors=True)


def test_the_page_asks_for_nothing_else_and_has_nothing_to_complain(browser: "Browser", page_file: Path) -> None:
    page = browser.new_page(java_script_enabled=False)
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.goto(page_file.as_uri())
    assert asked == [page_file.as_uri()]
    assert said == []


@pytest.mark.parametrize("width", [390, 1180])
def test_the_page_fits_its_window(browser: "Browser", page_file: Path, width: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.goto(page_file.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_the_page_shows_the_month_the_claims_and_the_books(browser: "Browser", page_file: Path) -> None:
    page = browser.new_page()
    page.goto(page_file.as_uri())
    assert page.get_by_text("4時間28分").first.is_visible()
    pictures = page.locator("svg.keizoku-month:visible")
    assert pictures.count() == 2
    for number in range(2):
        box = pictures.nth(number).bounding_box()
        assert box is not None
        assert box["width"] > 500
        assert box["height"] > 100
    tiles_line_up(page)
    assert page.locator("h2:visible").all_inner_texts() == [
        "月のサービス停止状態",
        "申請と減額",
        "一つの申請を秒まで",
        "契約と入金",
        "連携サービス",
        "月ごとの売上",
        "試算表",
        "人が決めること",
    ]
    page.check("#in-en")
    assert page.get_by_text("4 h 28 min").locator("visible=true").first.is_visible()
    assert page.locator("h2:visible").all_inner_texts() == [
        "The month's outages",
        "Claims and credits",
        "One claim, to the second",
        "Contracts and money",
        "The linked service",
        "Revenue by month",
        "Trial balance",
        "Left to people",
    ]
    colours = (
        page.locator(".keizoku-month")
        .first.locator("pattern rect")
        .evaluate_all("rects => rects.map(rect => rect.getAttribute('fill'))")
    )
    assert len(set(colours)) == 6
    assert page.evaluate("[...document.querySelectorAll('[id]')].length") == (
        page.evaluate("new Set([...document.querySelectorAll('[id]')].map(each => each.id)).size")
    )


def test_the_page_prints_on_a_few_sheets(browser: "Browser", page_file: Path) -> None:
    page = browser.new_page()
    page.goto(page_file.as_uri())
    assert 2 <= len(printed(page)) <= 6
    fits_a_phone(page)
