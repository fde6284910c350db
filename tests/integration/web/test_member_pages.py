"""Members' pages: every page in both languages, the whole way of a claim and of the end of use, nobody else's data."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
import sqlalchemy as sa

from keizoku.db.tables.claims import claim as claim_table
from keizoku.db.tables.contracts import contract_fact
from keizoku.terms.calendar import parse_instant
from keizoku.web.pages.members.pages import SCREENS
from tests.integration.web.browsers import PAGE, MemberBrowser
from tests.integration.web.conftest import NOW, House

HIDDEN = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)"')
ENGLISH = re.compile(r">[^<]*[A-Za-z]{4,} [a-z]{2,}[^<]*<")
"""Words of a sentence that stand where Japanese should."""


@pytest.fixture(scope="module")
def pages(house: House) -> dict[str, MemberBrowser]:
    """Browsers of members by account."""
    return {account: MemberBrowser.of(house, account) for account in ("u01", "u02", "a0", "store1")}


def page(browser: MemberBrowser, path: str, lang: str = "ja", status: int = 200) -> str:
    """A page's text."""
    browser.house.now = NOW
    browser.client.cookies.set("kz_lang", lang)
    answer = browser.client.get(path)
    assert answer.status_code == status, answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    return answer.text


def send(browser: MemberBrowser, act: str, text: str, **fields: object) -> tuple[int, str]:
    """The form of a page, sent as a browser does; (status, page or where it leads)."""
    told: dict[str, object] = {**dict(HIDDEN.findall(text)), **fields}
    answer = browser.client.post(f"/member/acts/{act}", data=told, headers=PAGE, follow_redirects=False)
    return answer.status_code, answer.headers.get("location", answer.text)


def addresses(house: House, account: str) -> list[str]:
    """Every page of a member, with what is theirs in its path."""
    with house.engine.connect() as session:

        def first(text: str) -> str:
            return str(session.execute(sa.text(text), {"account": account}).scalar() or "")

        known = {
            "/payments/{number}": first("SELECT min(id) FROM invoice WHERE account = :account"),
            "/papers/{number}": first("SELECT min(id) FROM issued_document WHERE account = :account"),
            "/papers/letters/{letter}": first("SELECT 'N' || min(id) FROM user_notice WHERE account = :account"),
            "/claims/{claim}": first("SELECT min(id) FROM claim WHERE account = :account"),
            "/claims/new/{month}": "2026-04",
        }
    found = []
    for screen in SCREENS:
        path = screen.path.removeprefix("/member")
        if "{" not in path:
            found.append(screen.path)
        elif known[path]:
            found.append(re.sub(r"\{\w+\}", known[path], screen.path))
    return found


def test_every_page_is_whole_in_both_languages(house: House, pages: dict[str, MemberBrowser]) -> None:
    seen = set()
    for account, browser in pages.items():
        for address in addresses(house, account):
            seen.add(re.sub(r"[^/]+$", "", address))
            for lang in ("ja", "en"):
                text = page(browser, address, lang)
                assert f'<html lang="{lang}">' in text
                assert "<style" not in text
                assert " style=" not in text
                if lang == "ja" and not address.startswith("/member/papers/"):
                    body = text[text.index("<main") :]
                    assert not ENGLISH.findall(re.sub(r"<svg.*?</svg>", "", body, flags=re.DOTALL)), address
    assert {"/member/", "/member/claims/new/", "/member/payments/", "/member/papers/letters/"} <= seen


def test_the_first_page_is_the_members_own(house: House, pages: dict[str, MemberBrowser]) -> None:
    answer = pages["u01"].client.get("/", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/member")
    assert pages["u01"].client.get("/console").status_code == 401


def test_9_2__a_claim_from_the_measured_windows_to_its_receipt(house: House, pages: dict[str, MemberBrowser]) -> None:
    browser = pages["u02"]
    text = page(browser, "/member/claims/new/2026-05", "en")
    house.now = NOW
    with house.engine.connect() as session:
        before = session.execute(sa.select(sa.func.count()).select_from(claim_table)).scalar_one()
    status, looked = send(browser, "claims.submit", text, windows="2026-05-02 09:00 / 2026-05-02 14:00", account="u01")
    assert status == 200, looked
    status, where = send(browser, "claims.submit", looked, step="do")
    assert status == 200, where
    with house.engine.connect() as session:
        rows = session.execute(sa.select(claim_table).order_by(claim_table.c.received_at)).all()
    assert len(rows) == before + 1
    (made,) = [row for row in rows if row.month == "2026-05"]
    assert (made.account, made.windows) == ("u02", [["2026-05-02T09:00:00+09:00", "2026-05-02T14:00:00+09:00"]])
    assert made.id in where
    assert made.id in page(browser, "/member/claims")
    assert "判定前" in page(browser, f"/member/claims/{made.id}")
    again = send(browser, "claims.submit", looked, step="do")  # sent twice, made once
    assert (again[0], made.id in again[1]) == (200, True)


def test_9_2__what_it_would_be_worth_is_worked_out_as_the_decision_will_be(
    house: House, pages: dict[str, MemberBrowser]
) -> None:
    whole = house.get("/v1/accounts/u02/claim-worth/2026-04", "support")
    assert (whole["in_time"], whole["rate"]) == (True, "0.4"), whole
    measured = house.get("/v1/sla-months/2026-04/measured", "support")
    assert sum(each["seconds"] for each in measured["windows"]) == measured["gross_seconds"]
    first = measured["outages"][0]
    part = house.get("/v1/accounts/u02/claim-worth/2026-04", "support", windows=f"{first['from']}/{first['to']}")
    assert part["recognised_seconds"] == first["unusable_seconds"] <= whole["recognised_seconds"]
    house.now = NOW
    status, made = house.act("/v1/claims", {"account": "u02", "month": "2026-04"}, role="support")
    assert status == 200, made
    late = parse_instant("2026-06-01 00:00")
    house.now = late
    assert house.get("/v1/accounts/u02/claim-worth/2026-04", "support")["reason"] == "deadline"
    house.now = NOW


def test_6_1__the_end_of_use_is_asked_for_and_taken_back(house: House, pages: dict[str, MemberBrowser]) -> None:
    browser = pages["a0"]
    assert "/member/end-of-use" in page(browser, "/member")
    offered = page(browser, "/member/end-of-use")
    assert "ありません。始まった契約期間の料金は全額のお支払いとなります" in offered
    form = page(browser, "/member/acts/contracts.end_of_use")
    assert 'name="account"' not in form
    status, looked = send(browser, "contracts.end_of_use", form, step="look")
    assert status == 200, looked
    assert "premium/6.1" in looked
    status, where = send(browser, "contracts.end_of_use", looked, step="do")
    assert status == 200, where
    assert "2026年5月7日 09:00" in where
    with house.engine.connect() as session:
        kinds = session.execute(sa.select(contract_fact.c.kind).where(contract_fact.c.account == "a0")).scalars().all()
    assert kinds.count("end_of_use") == 1
    assert "取りやめ" in page(browser, "/member")
    form = page(browser, "/member/acts/contracts.withdraw_end_of_use")
    assert send(browser, "contracts.withdraw_end_of_use", form, step="do")[0] == 200
    assert "/member/end-of-use" in page(browser, "/member")


def test_6_1__who_pays_in_a_store_is_sent_there(pages: dict[str, MemberBrowser]) -> None:
    text = page(pages["store1"], "/member/end-of-use")
    assert "アプリストア" in text
    assert "/member/acts/contracts.end_of_use" not in text


def test_nobody_sees_or_does_anything_of_another(house: House, pages: dict[str, MemberBrowser]) -> None:
    browser = pages["u02"]
    for address in addresses(house, "u01"):
        if "/claims/new/" not in address and address.count("/") > 2 and not address.endswith("end-of-use"):
            assert browser.client.get(address).status_code == 404, address
    for act in ("accounts.suspend", "claims.recognise", "payments.refund_credit"):
        assert browser.client.get(f"/member/acts/{act}").status_code in (403, 404)
    with house.engine.connect() as session:
        theirs = str(session.execute(sa.text("SELECT min(id) FROM claim WHERE account <> 'u02'")).scalar_one())
    form = page(browser, "/member/acts/claims.withdraw?claim=c0")
    for step in ("look", "do"):
        status, text = send(browser, "claims.withdraw", form, claim=theirs, ground="x", step=step)
        assert status in (403, 404, 409, 422), (status, text)


def test_without_a_session_there_is_nothing(house: House, pages: dict[str, MemberBrowser]) -> None:
    browser = MemberBrowser.of(house, "u01")
    browser.client.cookies.clear()
    assert browser.client.get("/member").status_code == 401
    house.now = NOW + timedelta(hours=12)
    other = pages["store1"].client
    assert other.get("/member/data").status_code == 401  # its session was idle for too long
    house.now = NOW
