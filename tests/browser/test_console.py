"""The console in Chromium: nothing asked outside, nothing said on the console, no rule of CSP or of axe broken, nothing
hostile run, on a wide screen and on a phone; acts without script.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest
import sqlalchemy as sa

from keizoku.web.jobs import Job
from keizoku.web.pages.staff.console import SCREENS
from tests.integration.web.conftest import House, lived_schema, open_house
from tests.worlds.console_world import Sitting, addresses_of, fill, night_under_way, staff_of
from tests.worlds.listening import listening
from tests.worlds.looks import HEARD, axe
from tests.worlds.role_walk import leave_unanswered

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytest.importorskip("playwright.sync_api", reason="the extra `browser` is not installed")
pytest.importorskip("axe_playwright_python", reason="the extra `browser` is not installed")

pytestmark = pytest.mark.browser

__all__ = ["lived_schema"]  # a fixture of this file too
MORE = ("/console/accounts/u01", "/console/accounts/u01/money", "/console/claims/c0", "/console/search?q=u0",
        "/console/acts/accounts.suspend?account=u01", "/console/acts/ledger.post",
        "/console/acts/evidence.add_incident", "/console/no-such-page")  # fmt: skip


Scheme = Literal["light", "dark"]
WIDTHS = (1280, 640, 390)
"""Of a desk, of the same at 200 %, of a phone; in pixels."""
A4 = 718
"""The width of what is printed on A4 with margins of a centimetre, in pixels."""
TOO_WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
PRINTED = """() => [...document.querySelectorAll("nav, form button, .skip")]
    .filter(each => each.getClientRects().length).map(each => each.outerHTML.slice(0, 120))"""
"""What nobody can follow or press on paper, and is printed all the same."""


@pytest.fixture(scope="module")
def house_of_console(lived_schema: tuple[sa.Engine, str]) -> Iterator[House]:
    """The door behind the console."""
    with open_house(*lived_schema) as house:
        yield house


@pytest.fixture(scope="module")
def console(house_of_console: House) -> Iterator[str]:
    """The address of a console at which a worker sits, with hostile names on every screen."""
    house = house_of_console

    with house.engine.connect() as session:
        leave_unanswered(session)
    fill(house)
    house.door.signed_in = Sitting(staff_of("worker"))
    with listening(house.client.app, lifespan="off") as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def watched(house_of_console: House) -> Iterator[Job]:
    """A night that the test moves on."""
    with night_under_way(house_of_console.door.jobs, date(2026, 5, 7)) as job:
        yield job


def looked_at(page: Page, address: str, source: str, schemes: Sequence[Scheme]) -> list[str]:
    """What is wrong with a page: light on a desk, dark on a phone; at twice the size of its letters, on paper."""
    page.emulate_media(media="screen", color_scheme="light")
    page.set_viewport_size({"width": WIDTHS[0], "height": 900})
    page.goto(address)
    wrong = [f"CSP {each}" for each in page.evaluate("window.broken")]
    page.evaluate(source)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        wrong += [f"{wide} pixels too wide at {width}" for wide in [page.evaluate(TOO_WIDE)] if wide > 0]
    for scheme in schemes:
        page.set_viewport_size({"width": WIDTHS[0] if scheme == "light" else WIDTHS[-1], "height": 900})
        page.emulate_media(color_scheme=scheme)
        wrong += [f"{scheme}: {each}" for each in broken_rules(page, "{resultTypes: ['violations']}")]
    page.emulate_media(media="print", color_scheme="light")
    page.set_viewport_size({"width": A4, "height": 900})
    wrong += [f"{wide} pixels too wide on paper" for wide in [page.evaluate(TOO_WIDE)] if wide > 0]
    wrong += [f"on paper: {each}" for each in page.evaluate(PRINTED)]
    return [f"{address}: {each}" for each in wrong]


def broken_rules(page: Page, options: str) -> list[str]:
    """Rules of axe that the page breaks as it is shown."""
    found: dict[str, Any] = page.evaluate(f"axe.run(document, {options})")
    return [
        f"axe {rule['id']}: {node['html'][:160]} {json.dumps(node['any'][:1])[:300]}"
        for rule in found["violations"]
        for node in rule["nodes"][:1]
    ]


@pytest.mark.parametrize(("lang", "scheme"), [("ja", "light"), ("en", "dark")], ids=["ja", "en"])
def test_every_screen_is_whole(browser: Browser, console: str, lang: str, scheme: Scheme) -> None:
    context = browser.new_context(extra_http_headers={"Accept-Language": lang})
    context.add_init_script(HEARD)
    schemes: Sequence[Scheme] = ("light", "dark") if os.environ.get("KEIZOKU_TEST_SOAK") else (scheme,)
    page = context.new_page()
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(f"{page.url}: {message.text}"))
    page.on("dialog", lambda dialog: said.append(f"{page.url}: a dialog, {dialog.message}"))
    page.on("pageerror", lambda error: said.append(f"{page.url}: {error}"))
    source, wrong = axe(), []
    for path in (*addresses_of(SCREENS), *MORE):
        wrong += looked_at(page, console + path, source, schemes)
    context.close()
    assert not wrong, "\n".join(wrong)
    assert [each for each in said if "404 (Not Found)" not in each] == []
    assert [each for each in asked if not each.startswith(f"{console}/")] == []


@pytest.mark.parametrize("script", [True, False], ids=["with script", "without script"])
def test_an_act_is_looked_at_and_done(browser: Browser, console: str, script: bool) -> None:
    account = "a0" if script else "a1"
    context = browser.new_context(java_script_enabled=script, extra_http_headers={"Accept-Language": "en"})
    page = context.new_page()
    page.goto(f"{console}/console/accounts/{account}")
    page.get_by_role("link", name="Suspend", exact=True).click()
    page.get_by_label("Ground").fill("asked by the police <b>")
    page.get_by_role("button", name="Show what it would change").click()
    effects = page.locator("section.effects").inner_text()
    assert "What it would change" in effects
    assert "suspended" in effects
    page.get_by_role("button", name="Suspend").click()
    assert page.get_by_role("status").inner_text() == "Done: Suspend"
    assert page.url.startswith(f"{console}/console/accounts/{account}")
    assert page.locator(".key").nth(1).inner_text().split("\n")[1] == "suspended"
    page.get_by_role("link", name="Lift the suspension").click()
    page.get_by_role("button", name="Show what it would change").click()
    context.close()


MUFG = (
    '"日付","摘要","摘要内容","支払い金額","預かり金額","差引残高","メモ","未資金化区分","入払区分"\n'
    '"2026/5/1","振込1","ヤマダ タロウ","","500","1,000,500","","","入金"\n'
    '"2026/5/2","手数料","フリコミテスウリヨウ","330","","1,000,170","","","出金"\n'
)


@pytest.mark.parametrize("script", [True, False], ids=["with script", "without script"])
def test_a_bank_file_is_sent_looked_at_and_taken(browser: Browser, console: str, tmp_path: Path, script: bool) -> None:
    file = tmp_path / ("mufg.csv" if script else "again.csv")
    file.write_text(MUFG, encoding="cp932")
    context = browser.new_context(java_script_enabled=script, extra_http_headers={"Accept-Language": "ja"})
    page = context.new_page()
    page.goto(f"{console}/console/bank")
    page.get_by_role("link", name="銀行のファイルを取り込む").click()
    page.get_by_label("ファイル", exact=True).set_input_files(file)
    page.get_by_role("button", name="変更内容を見る").click()
    shown = page.locator("main").inner_text()
    if script:
        assert "三菱UFJ銀行" in shown
        assert "ヤマダ タロウ" in shown
    else:
        assert "取込み済み" in shown
    page.get_by_role("button", name="銀行のファイルを取り込む").click()
    assert "実行しました" in page.get_by_role("status").inner_text()
    assert "/console/bank/files/" in page.url
    context.close()


@pytest.mark.parametrize("script", [True, False], ids=["with script", "without script"])
def test_a_month_is_checked_while_its_progress_is_shown(browser: Browser, console: str, script: bool) -> None:
    context = browser.new_context(java_script_enabled=script, extra_http_headers={"Accept-Language": "en"})
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.goto(f"{console}/console/close/2026-03")
    page.get_by_role("button", name="Check the month").click()
    assert "/console/jobs/check-2026-03" in page.url
    if script:  # the page asks for itself
        page.locator("section.running[hx-get]").wait_for(state="detached", timeout=30_000)
    while page.get_by_role("link", name="Look again").count():
        page.get_by_role("link", name="Look again").click()
    assert "done" in page.get_by_role("status").last.inner_text()
    page.get_by_role("link", name="Back to the month").click()
    assert "Checks that hold" in page.locator("main").inner_text()
    assert said == []
    context.close()


def test_a_night_that_runs_is_watched_to_its_end(browser: Browser, console: str, watched: Job) -> None:
    page = browser.new_page(extra_http_headers={"Accept-Language": "en"})
    page.goto(f"{console}/console/nights/{watched.name.removeprefix('night-')}")
    assert "waits for its turn" in page.locator("#running").inner_text()
    watched.became("running")
    watched.told(date(2026, 5, 7), "terms", 40)
    page.get_by_text("Stage terms of contracts of 2026-05-07: 40 rows so far").wait_for(timeout=5_000)
    watched.became("done", "ok")
    page.get_by_text("It is done").wait_for(timeout=5_000)
    assert page.locator("[hx-trigger]").count() == 0
    page.close()
