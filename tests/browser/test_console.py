"""The console in Chromium: nothing asked outside, nothing said on the console, no rule of CSP or of axe broken, nothing
hostile run, on a wide screen and on a phone; acts without script.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from keizoku.web.pages.staff.console import SCREENS
from tests.integration.web.conftest import lived_schema, open_house
from tests.worlds.console_world import Sitting, addresses_of, fill, staff_of
from tests.worlds.listening import listening
from tests.worlds.role_walk import leave_unanswered

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytest.importorskip("playwright.sync_api", reason="the extra `browser` is not installed")
pytest.importorskip("axe_playwright_python", reason="the extra `browser` is not installed")

pytestmark = pytest.mark.browser

__all__ = ["lived_schema"]  # a fixture of this file too
HEARD = """
window.broken = [];
document.addEventListener(
    "securitypolicyviolation", each => window.broken.push(each.violatedDirective + " " + each.blockedURI)
);
"""
MORE = ("/console/accounts/u01", "/console/accounts/u01/money", "/console/claims/c0", "/console/search?q=u0",
        "/console/acts/accounts.suspend?account=u01", "/console/acts/ledger.post",
        "/console/acts/evidence.add_incident", "/console/no-such-page")  # fmt: skip


def axe() -> str:
    """The source of axe-core, as its package brings it."""
    spec = find_spec("axe_playwright_python")
    assert spec is not None
    assert spec.origin is not None
    return (Path(spec.origin).parent / "axe.min.js").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def console(lived_schema: tuple[sa.Engine, str]) -> Iterator[str]:
    """The address of a console at which a worker sits, with hostile names on every screen."""
    with open_house(*lived_schema) as house:

        def upload(path: str, content: bytes) -> int:
            headers = {"Content-Type": "application/octet-stream", "Idempotency-Key": uuid.uuid4().hex}
            return house.ask("POST", path, content=content, headers=headers)[0]

        house.door.settings = house.door.settings.model_copy(update={"issuer_name": "Example KK"})
        with house.engine.connect() as session:
            leave_unanswered(session)
        fill(house.act, upload)
        house.door.signed_in = Sitting(staff_of("worker"))
        with listening(house.client.app, lifespan="off") as port:
            yield f"http://127.0.0.1:{port}"


def looked_at(page: Page, address: str, source: str) -> list[str]:
    """What is wrong with a page."""
    page.goto(address)
    wrong = [f"CSP {each}" for each in page.evaluate("window.broken")]
    page.evaluate(source)
    found: dict[str, Any] = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    for rule in found["violations"]:
        first = rule["nodes"][0]
        wrong.append(f"axe {rule['id']}: {first['html'][:160]} {json.dumps(first['any'][:1])[:300]}")
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    if wide > 0:
        wrong.append(f"{wide} pixels too wide")
    return [f"{address}: {each}" for each in wrong]


@pytest.mark.parametrize(
    ("lang", "scheme", "width"), [("ja", "light", 1280), ("en", "dark", 390)], ids=["wide", "phone"]
)
def test_every_screen_is_whole(browser: Browser, console: str, lang: str, scheme: Any, width: int) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, extra_http_headers={"Accept-Language": lang}
    )
    context.add_init_script(HEARD)
    page = context.new_page()
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(f"{page.url}: {message.text}"))
    page.on("dialog", lambda dialog: said.append(f"{page.url}: a dialog, {dialog.message}"))
    page.on("pageerror", lambda error: said.append(f"{page.url}: {error}"))
    source, wrong = axe(), []
    for path in (*addresses_of(SCREENS), *MORE):
        wrong += looked_at(page, console + path, source)
    context.close()
    assert wrong == []
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
