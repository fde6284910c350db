"""Members' pages in Chromium, Japanese and a phone first: whole ways to their end, and every page whole.

Nothing is asked outside, nothing said on the console, no rule of CSP or of axe broken, nothing wider than its window,
in both languages and schemes, on a phone, on a desk and at 200 %; acts without script.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from keizoku.scheduler.night.nightly_run import run_night
from keizoku.scheduler.night.schedule import night_at
from keizoku.terms.calendar import parse_instant
from keizoku.web.identity.browser import Site
from tests.integration.web.conftest import NOW, House, lived_schema, open_house
from tests.integration.web.test_member_pages import addresses
from tests.stripe_double.running import running_double
from tests.worlds.listening import listening
from tests.worlds.looks import HEARD, axe
from tests.worlds.stripe_js import serve_stripe_js
from tests.worlds.stripe_proxy import KEY

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

pytest.importorskip("playwright.sync_api", reason="the extra `browser` is not installed")
pytest.importorskip("axe_playwright_python", reason="the extra `browser` is not installed")
pytestmark = pytest.mark.browser

__all__ = ["lived_schema"]  # a fixture of this file too
PHONE: Any = {"width": 390, "height": 844}
DESK: Any = {"width": 1280, "height": 900}
ZOOMED: Any = {"width": 640, "height": 450}
"""A desk at 200 % has half its width."""
WIDER = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@dataclass
class Doorstep:
    """A house that a browser reaches, and what was said and asked there."""

    house: House
    address: str

    def enter(self, context: BrowserContext, account: str) -> Page:
        """A page on which a member has come in by a new link."""
        made = self.house.act("/v1/member-sessions", {"account": account}, role="support")[1]
        page = context.new_page()
        page.goto(made["url"])
        page.locator("main button").click()
        page.wait_for_url(f"{self.address}/member")
        return page


@pytest.fixture(scope="module")
def step(lived_schema: tuple[sa.Engine, str]) -> Iterator[Doorstep]:
    """The small world, two months old, on a port of this machine."""
    with open_house(*lived_schema) as house, listening(house.client.app, lifespan="off") as port:
        address = f"http://127.0.0.1:{port}"
        house.door.site = Site(address, local=True)
        house.act("/v1/months/2026-04/issue-documents", {})
        changed = {"issuer_contact": "0120-000-000", "host_url": "https://app.example/account",
                   "link_partner": "simulated"}  # fmt: skip
        house.door.settings = house.door.settings.model_copy(update=changed)
        yield Doorstep(house, address)


@pytest.fixture
def phone(browser: Browser, step: Doorstep) -> Iterator[BrowserContext]:
    """A phone whose language is Japanese; what it says on its console and asks of others fails the test."""
    step.house.now = NOW
    context = browser.new_context(viewport=PHONE, extra_http_headers={"Accept-Language": "ja"})
    told = watched(context, step.address)
    yield context
    context.close()
    assert told == []


def watched(context: BrowserContext, address: str, *allowed: str) -> list[str]:
    """What a browser says on its console, breaks of the policy, and asks of others than ourselves."""
    told: list[str] = []
    context.add_init_script(HEARD)
    context.on("console", lambda message: told.append(f"console: {message.text}"))
    context.on("weberror", lambda error: told.append(f"error: {error.error}"))
    ours = (f"{address}/", *allowed)
    context.on("request", lambda asked: None if asked.url.startswith(ours) else told.append(f"asked: {asked.url}"))
    return told


def nights(house: House, last: date) -> None:
    """The nights up to one, each at its hour."""
    day = house.now.date()
    while day < last:
        day += timedelta(days=1)
        house.now = night_at(day)
        with house.door.services("worker", acts=True) as services:
            run_night(services, day, house.now)


def test_9__a_claim_of_may_comes_off_the_bill_of_june(phone: BrowserContext, step: Doorstep) -> None:
    page = step.enter(phone, "u04")
    page.get_by_role("link", name="減額の申請", exact=True).click()
    row = page.locator("#table-months tr", has_text="2026年4月")
    assert "2026年5月31日 24時(深夜0時)" in row.inner_text()
    row.get_by_role("link", name="内容を見て申請する").click()
    assert "200円" in page.locator(".keys").inner_text()
    assert page.get_by_label("2026年4月16日 12:00〜20:00").is_checked()
    page.get_by_role("button", name="申請に進む").click()
    assert "2026年4月16日 12:00〜20:00" in page.locator("form.act").inner_text()
    page.get_by_role("button", name="減額を申請する").click()
    receipt = page.get_by_role("status").inner_text()
    assert "2026年5月7日 09:00" in receipt
    number = receipt[receipt.index("u04-2026-04-") :].split()[0]
    nights(step.house, date(2026, 5, 8))
    page = step.enter(phone, "u04")
    page.goto(f"{step.address}/member/claims/{number}")
    decided = page.locator("main").inner_text()
    for part in ("200円", "40%", "8時間", "最も高い段階に達しています", "第9条第2項第2号"):
        assert part in decided, decided
    page.get_by_role("link", name="書類", exact=True).click()
    page.get_by_role("link", name="減額").last.click()
    letter = page.locator("main").inner_text()
    assert number in letter, letter
    nights(step.house, date(2026, 6, 30))
    page = step.enter(phone, "u04")
    page.get_by_role("link", name="お支払い", exact=True).first.click()
    bill = page.locator("#table-invoices tbody tr").first.inner_text().split()
    assert bill[1:5] == ["2026年6月30日〜2026年7月29日", "500円", "200円", "300円"], bill


@pytest.mark.parametrize("script", [True, False], ids=["with script", "without script"])
def test_6_1__the_end_of_use_in_the_last_minute_and_a_minute_later(
    browser: Browser, step: Doorstep, script: bool
) -> None:
    account, instant, last_day = ("a5", "2026-07-06 23:59:30", "2026年7月6日")
    if not script:
        account, instant, last_day = ("a6", "2026-07-07 00:00:30", "2026年8月6日")
    step.house.now = parse_instant(instant)
    context = browser.new_context(
        viewport=PHONE,
        java_script_enabled=script,
        extra_http_headers={"Accept-Language": "ja"},
    )
    page = step.enter(context, account)
    page.goto(f"{step.address}/member/acts/contracts.end_of_use")
    assert last_day in page.locator("section.effects").inner_text()
    page.get_by_role("button", name="利用終了を申し出る").click()
    receipt = page.get_by_role("status").inner_text()
    assert (last_day in receipt, "受付番号" in receipt, instant[11:16] in receipt) == (True, True, True), receipt
    page.goto(f"{step.address}/member")
    assert f"最終日は{last_day}です" in page.locator("main").inner_text()
    context.close()


def test_5_4__a_card_is_saved_in_stripes_own_form(
    browser: Browser, step: Doorstep, monkeypatch: pytest.MonkeyPatch
) -> None:
    step.house.now = NOW
    with running_double() as double:
        given = {"gateway": "stripe", "stripe_secret_key": KEY, "stripe_api_base": double.url,
                 "stripe_publishable_key": "pk_test_1"}  # fmt: skip
        settings = type(step.house.door.settings)(**{**step.house.door.settings.model_dump(), **given})
        monkeypatch.setattr(step.house.door, "settings", settings)
        context = browser.new_context(viewport=PHONE, extra_http_headers={"Accept-Language": "ja"})
        told = watched(
            context, step.address, "https://js.stripe.com/", "https://api.stripe.com/", "https://hooks.stripe.com/"
        )
        asked = serve_stripe_js(context, double, KEY)
        page = step.enter(context, "a1")

        def entered(number: str) -> None:
            page.goto(f"{step.address}/member/card")
            page.get_by_role("button", name="カードを入力する").click()
            page.get_by_label("card number").fill(number)
            assert page.evaluate("window.asked.locale + window.asked.key + window.asked.kind") == "japk_test_1payment"
            page.get_by_role("button", name="カードを登録する").click()

        entered("pm_card_visa_chargeDeclined")  # refused: said beside the form, which stays
        page.get_by_text("カードは登録されておらず、請求もしていません。").wait_for()
        assert page.get_by_role("button", name="カードを登録する").is_enabled()
        entered("pm_card_visa")
        page.get_by_text("カードを登録しました。").wait_for(timeout=10_000)
        assert "secret" not in page.url
        entered("pm_card_authenticationRequired")  # the bank asks the holder, and sends them back
        page.locator("#back").click()
        page.get_by_text("カードを登録しました。").wait_for(timeout=10_000)
        page.goto(f"{step.address}/member/card-back?setup_intent=seti_1&redirect_status=failed")
        assert "これまでのカードはそのままです。" in page.locator("main").inner_text()
        assert {url.split("/")[2] for url in asked} == {"js.stripe.com", "api.stripe.com", "hooks.stripe.com"}
        assert [each for each in told if "status of 40" not in each] == []  # the card that was refused
        plain = browser.new_context(java_script_enabled=False, extra_http_headers={"Accept-Language": "ja"})
        page = step.enter(plain, "a2")
        page.goto(f"{step.address}/member/card")
        page.get_by_role("button", name="カードを入力する").click()
        assert "このブラウザーでは無効になっています" in page.locator("main").inner_text()
        plain.close()
        context.close()
        with step.house.engine.connect() as session:
            kept = session.execute(sa.text("SELECT count(*) FROM saved_card WHERE account = 'a1'")).scalar_one()
        assert kept == 2


def test_who_signed_out_or_went_away_leaves_nothing_on_the_phone(browser: Browser, step: Doorstep) -> None:
    step.house.now = NOW
    context = browser.new_context(viewport=PHONE, extra_http_headers={"Accept-Language": "ja"})
    page = step.enter(context, "u02")
    page.clock.install()
    page.goto(f"{step.address}/member/data")
    near = page.locator(".session .near")
    assert near.is_hidden()
    page.clock.fast_forward("12:30")  # 14 minutes are sure, two of them are warned of
    assert near.is_visible()
    page.get_by_role("button", name="開いたままにする").click()
    near.wait_for(state="hidden")
    page.goto(f"{step.address}/member/payments")
    page.get_by_role("button", name="サインアウト").click()
    assert "この端末には内容を残していません" in page.locator("main").inner_text()
    page.go_back()
    assert "ご利用時間が終わりました" in page.locator("main").inner_text()
    assert "u02" not in page.content()
    context.close()


@pytest.mark.parametrize("lang", ["ja", "en"])
def test_every_page_of_a_member_is_whole(browser: Browser, step: Doorstep, lang: str) -> None:
    step.house.now = NOW
    source, wrong = axe(), []
    # a look of axe costs more than a page: each size, scheme and language has its turn, not each of them with each
    by_axe: tuple[Any, Any] = (PHONE, "light") if lang == "ja" else (DESK, "dark")
    context = browser.new_context(viewport=PHONE, extra_http_headers={"Accept-Language": lang})
    told = watched(context, step.address)
    for account in ("u02", "u01", "store1"):
        page = step.enter(context, account)
        own = addresses(step.house, account)
        acts = [f"/member/acts/{each}" for each in ("contracts.end_of_use", "contracts.change_method", "links.revoke")]
        more = [*acts, "/member/card-back?redirect_status=failed"]
        for path in own + more if account == "u02" else ["/member", "/member/payments", "/member/end-of-use"]:
            page.goto(step.address + path)
            wrong += [f"{path}: CSP {each}" for each in page.evaluate("window.broken")]
            page.evaluate(source)
            for size in (ZOOMED, DESK, PHONE) if lang == "ja" else (ZOOMED, PHONE, DESK):
                page.set_viewport_size(size)
                if page.evaluate(WIDER) > 0:
                    wrong.append(f"{path}: too wide at {size['width']}")
            assert size == by_axe[0]
            page.emulate_media(color_scheme=by_axe[1])
            wrong += [f"{path}: {each}" for each in broken_rules(page)]
    context.close()
    assert not wrong, "\n".join(wrong)
    assert told == []


def broken_rules(page: Page) -> list[str]:
    """What axe finds."""
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [f"{rule['id']}: {rule['nodes'][0]['html'][:160]}" for rule in found["violations"]]
