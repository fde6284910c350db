"""What a member does on their pages, to its end: in the last second, too late, after a failure; in both languages."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
import sqlalchemy as sa

from keizoku.db.tables.contracts import contract_fact
from keizoku.db.tables.link.grants import link_grant
from keizoku.db.tables.people import member_file
from keizoku.link.partner.simulated import code_of
from keizoku.terms.calendar import parse_instant
from keizoku.terms.refusal import codes
from keizoku.web.identity.browser import Site
from keizoku.web.pages.members.family import clause_words
from keizoku.web.pages.members.pages import SCREENS
from keizoku.web.pages.shared.told import told_to_member
from keizoku.web.pages.shared.words import every_word
from tests.integration.web.browsers import HOST, PAGE, MemberBrowser
from tests.integration.web.conftest import NOW, House
from tests.integration.web.test_member_pages import HIDDEN, addresses, page, send
from tests.worlds.link_world import NOW as LINKED
from tests.worlds.link_world import admit, confirmed_order, designate, grant, key_file_in, linked_house

JAPANESE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uff66-\uff9f]+")
LATIN = re.compile(r"[A-Za-z]{2,}")
NAMES = {"Keizoku", "English", "CSV", "XLSX", "ZIP", "iPhone", "iPad", "Android", "Google", "Play", "Stripe",
         "JavaScript", "Secure", "API", "monthly", "yearly"}  # fmt: skip
"""Names that a Japanese page says in Latin letters."""
PARTNER = "eスマート証券"


@pytest.fixture(autouse=True)
def as_found(house: House) -> Iterator[None]:
    """The clock and the settings are those of the house again."""
    settings = house.door.settings
    house.now = NOW
    yield
    house.now, house.door.settings = NOW, settings


def at(house: House, text: str, account: str) -> MemberBrowser:
    """A member's browser that was opened at an instant."""
    house.now = parse_instant(text)
    return MemberBrowser.of(house, account)


def text_of(html: str) -> str:
    """What is read on a page: its main part, and what its parts are called, without the picture."""
    body = html[html.index("<main") :]
    named = " ".join(re.findall(r'(?:aria-label|placeholder|alt|content)="([^"]*)"', body))
    plain = re.sub(r"<svg.*?</svg>|<code>.*?</code>|<script.*?</script>", " ", body, flags=re.DOTALL)
    return unescape(re.sub(r"<[^>]+>", " ", plain) + " " + named)


def shown(browser: MemberBrowser, path: str, lang: str = "ja", status: int = 200) -> str:
    """A page's text at the clock of the house."""
    browser.client.cookies.set("kz_lang", lang)
    answer = browser.client.get(path)
    assert answer.status_code == status, answer.text
    return answer.text


def facts_of(house: House, account: str) -> list[Any]:
    """What is recorded of a contract."""
    with house.engine.connect() as session:
        own = sa.select(contract_fact.c.kind, contract_fact.c.occurred_at).where(contract_fact.c.account == account)
        return [tuple(row) for row in session.execute(own.order_by(contract_fact.c.id))]


@pytest.mark.parametrize(
    ("account", "instant", "last_day"),
    [("a5", "2026-06-06 23:59:59", "2026年6月6日"), ("a6", "2026-06-07 00:00:00", "2026年7月6日")],
    ids=["in the last second", "one second later"],
)
def test_6_1__the_end_of_use_is_exact_to_the_second(house: House, account: str, instant: str, last_day: str) -> None:
    house.now = NOW
    offered = page(MemberBrowser.of(house, account), "/member/end-of-use")
    assert "2026年6月6日 23時59分59秒(日本時間)" in offered
    browser = at(house, instant, account)
    looked = shown(browser, "/member/acts/contracts.end_of_use")
    assert f"<dt>ご利用の最終日</dt><dd><strong>{last_day}</strong></dd>" in looked
    status, receipt = send(browser, "contracts.end_of_use", looked, step="do")
    assert status == 200, receipt
    said = text_of(receipt)
    assert (last_day in said, re.search(r"受付番号\s+\d+", said) is not None) == (True, True), said
    assert facts_of(house, account)[-1] == ("end_of_use", parse_instant(instant))
    again = text_of(shown(browser, "/member"))
    assert f"利用終了を受け付けています。最終日は{last_day}です。" in again
    form = shown(browser, "/member/acts/contracts.withdraw_end_of_use")
    assert send(browser, "contracts.withdraw_end_of_use", form, step="do")[0] == 200
    assert "/member/end-of-use" in shown(browser, "/member")


def test_3_3__the_last_second_is_earlier_where_the_operator_wants_it_earlier(house: House) -> None:
    rules, door = house.door.rules, house.door
    browser = at(house, "2026-05-07 09:00", "a5")
    try:
        door.rules = type(rules)(rules.terms, rules.discretion.model_copy(update={"end_of_use_days_before": 3}))
        assert "2026年6月3日 23時59分59秒(日本時間)" in shown(browser, "/member/end-of-use")
    finally:
        door.rules = rules


def test_9_5__the_deadline_is_said_to_the_hour_and_why_it_moved(house: House) -> None:
    said = text_of(shown(at(house, "2026-05-31 23:59:59", "u00"), "/member/claims/new/2026-04"))
    assert "申請期限は2026年5月31日 24時(深夜0時)です。" in said
    late = text_of(shown(at(house, "2026-06-01 00:00:00", "u00"), "/member/claims/new/2026-04"))
    assert "この月の申請期限(2026年5月31日 24時(深夜0時))を過ぎました。期限後の申請は認められません" in late
    assert "申請に進む" not in late
    # the form's own record: down for an hour on the last evening
    house.now = parse_instant("2026-05-31 23:30:00")
    with house.door.services("worker", acts=False) as services:
        services.sla.claim_form_down(
            parse_instant("2026-05-31 22:00:00"), parse_instant("2026-05-31 23:00:00"), now=house.now,
            by="keizoku serve", ground="the claim form did not answer its own check",
        )  # fmt: skip
    moved = text_of(shown(at(house, "2026-06-01 00:59:59", "u00"), "/member/claims/new/2026-04"))
    assert "申請期限は2026年6月1日 01:00です。" in moved
    assert "申請期限(2026年5月31日 24時(深夜0時))の直前に、この申請画面を利用できない時間がありました" in moved
    assert "2026年5月31日 22:00〜23:00" in moved
    over = text_of(shown(at(house, "2026-06-01 01:00:00", "u00"), "/member/claims/new/2026-04"))
    assert "この月の申請期限(2026年6月1日 01:00)を過ぎました。" in over


def test_9_2__a_time_of_ones_own_is_added_without_script(house: House) -> None:
    browser = at(house, "2026-05-07 09:00", "u03")
    query = "own_from=2026-04-20T09:00&own_to=2026-04-20T14:30"
    looked = shown(browser, f"/member/claims/new/2026-04?{query}")
    window = "2026-04-20T09:00:00+09:00/2026-04-20T14:30:00+09:00"
    assert re.search(rf'value="{re.escape(window)}" checked> 2026年4月20日 09:00〜14:30', looked), looked
    status, act = send(browser, "claims.submit", looked, own_from="2026-04-21T10:00", own_to="2026-04-21T11:00")
    assert (status, "2026年4月21日 10:00〜11:00" in act) == (200, True), act
    backwards = shown(browser, "/member/claims/new/2026-04?own_from=2026-04-20T14:00&own_to=2026-04-20T09:00")
    assert "追加した時間を読み取れません" in backwards


def test_a_link_is_begun_finished_renewed_and_ended_by_the_member_alone(house: House, tmp_path: Path) -> None:
    changed = {"link_partner": "simulated", "link_key_file": key_file_in(tmp_path), "link_consent_days": 90}
    house.door.settings = house.door.settings.model_copy(update=changed)
    with linked_house(house.engine) as (link, _):
        admit(link, "u05")
        designate(link)
    browser, other = MemberBrowser.of(house, "u05"), MemberBrowser.of(house, "u06")
    first = shown(browser, "/member/link")
    assert ("連携していません" in first, PARTNER in first) == (True, True)

    def begin(text: str) -> str:
        """The state with which the member comes back."""
        told = dict(HIDDEN.findall(text[text.index('action="/member/link/begin"') :]))
        answer = browser.client.post("/member/link/begin", data=told, headers=PAGE)
        assert answer.status_code == 200, answer.text
        return str(re.search(r"state=([\w-]{43})", unescape(answer.text))[1])  # type: ignore[index]

    state = begin(first)
    back = f"/member/link-back?state={state}&code={code_of('u05')}"
    for stranger, status in ((other, 409), (browser, 200)):
        answer, told = send(stranger, "links.finish", shown(stranger, back), step="do")
        assert answer == status, told
    assert "この連携の手続きは、お客さまがここで始めたものではありません" in send(
        other, "links.finish", shown(other, back), step="do")[1]  # fmt: skip
    linked = shown(browser, "/member/link")
    assert ("連携中" in linked, "2026年8月5日" in linked, "連携を更新する" in linked) == (True, True, True)
    assert "までに更新してください" not in linked
    assert "同意されなかったため" in shown(browser, "/member/link-back?error=access_denied")
    soon = at(house, "2026-07-20 09:00", "u05")
    assert "それまでに更新してください" in shown(soon, "/member/link")
    house.now = NOW
    revoke = shown(browser, "/member/acts/links.revoke")
    status, told = send(browser, "links.revoke", revoke, step="do")
    assert (status, "連携を解除しました" in told) == (200, True), told
    with house.engine.connect() as session:
        ends = session.execute(sa.select(link_grant.c.ended_cause).where(link_grant.c.account == "u05")).scalars().all()
    assert ends == ["revoked"]
    assert "解除済み" in shown(browser, "/member/link")


def test_api_link_6_5__an_order_without_an_answer_is_asked_of_the_partner(house: House, tmp_path: Path) -> None:
    changed = {"link_partner": "simulated", "link_key_file": key_file_in(tmp_path)}
    house.door.settings = house.door.settings.model_copy(update=changed)
    with linked_house(house.engine) as (link, partner):
        admit(link, "u06")
        designate(link)
        grant(link, "u06", "orders")
        number = confirmed_order(link, "u06")
        partner.mishaps["u06"].loses_answer = 1
        assert link.send_order(number, account="u06", now=LINKED).state == "unknown"
    said = text_of(shown(MemberBrowser.of(house, "u06"), "/member/link"))
    for part in (
        "注文の取次ぎ",
        "結果不明(提携先へお問い合わせください)",
        "もう一度注文せず",
        "変更や取消しはできません",
    ):
        assert part in said, said
    assert "結果不明" not in shown(MemberBrowser.of(house, "u02"), "/member/link")


def test_the_members_file_is_theirs_alone_and_recorded_as_a_disclosure(house: House) -> None:
    browser = MemberBrowser.of(house, "u02")
    text = shown(browser, "/member/data")
    told = dict(HIDDEN.findall(text[text.index('action="/member/data/file"') :]))
    answer = browser.client.post("/member/data/file", data=told, headers=PAGE)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/zip")
    assert answer.headers["content-disposition"] == 'attachment; filename="keizoku-2026-05-07.zip"'
    with ZipFile(io.BytesIO(answer.content)) as held:
        assert {"member.json", "member.pdf", "SHA256SUMS"} <= set(held.namelist())
        found = json.loads(held.read("member.json"))
    assert (found["account"], found["recipient"]) == ("u02", "本人")
    assert {row["account"] for row in found["tables"]["contract"]} == {"u02"}
    with house.engine.connect() as session:
        rows = session.execute(sa.select(member_file.c.account, member_file.c.recipient)).all()
    assert [tuple(row) for row in rows] == [("u02", "本人")]
    assert browser.client.post("/member/data/file", data={**told, "form_token": "x"}, headers=PAGE).status_code == 403
    status, refused = browser.act("/v1/accounts/u02/file", {"ground": "x", "recipient": "police"})
    assert (status, refused["type"]) == (422, "/v1/problems/field.of_staff")


def test_5_4__without_a_key_of_stripe_the_page_says_where_cards_are_saved(house: House) -> None:
    house.door.settings = house.door.settings.model_copy(
        update={"host_url": "https://app.example/account", "issuer_contact": "0120-000-000"}
    )
    said = shown(MemberBrowser.of(house, "u01"), "/member/card")
    assert "元のサイトのアカウント画面から" in said
    assert 'href="https://app.example/account"' in said
    assert "0120-000-000" in said
    assert "カードはストアで変更してください" in shown(MemberBrowser.of(house, "store1"), "/member/card")


def test_5_2__how_to_pay_names_account_sum_number_and_name(house: House) -> None:
    rules, door = house.door.rules, house.door
    try:
        named = rules.discretion.model_copy(update={"transfer_account": "継続銀行 本店 普通 1234567 カ)ケイゾク"})
        door.rules = type(rules)(rules.terms, named)
        said = text_of(shown(MemberBrowser.of(house, "u01"), "/member/payments"))
    finally:
        door.rules = rules
    number = house.get("/v1/accounts/u01/bank-references", "support")[0]["reference"]
    for part in ("継続銀行 本店 普通 1234567", f"{number} に続けてお名前(半角カナ)", f"例: {number} ﾔﾏﾀﾞ ﾊﾅｺ"):
        assert part in said, said


def test_every_refusal_is_told_in_whole_sentences_with_what_to_do() -> None:
    own = every_word()["member_refusal"]
    for kind in {*codes(), *own, "session.none", "http.404"}:
        problem = {"type": f"/v1/problems/{kind}", "findings": [], "detail": "account u01: x", "title": "t"}
        for lang in ("ja", "en"):
            told = told_to_member(problem, lang)
            said = f"{told['title']} {told['remedy']}"
            assert (told["title"] != "", told["remedy"] != "", "u01" in said) == (True, True, False), kind
            ending = "。" if lang == "ja" else "."
            assert told["title"].endswith(ending), (kind, told["title"])
            assert told["remedy"].endswith(ending), (kind, told["remedy"])
            if kind in own:
                assert not (JAPANESE if lang == "en" else LATIN).search(said), said


def test_no_page_of_a_member_mixes_languages(house: House) -> None:
    changed = {"link_partner": "simulated", "issuer_contact": "0120-000-000"}
    house.door.settings = house.door.settings.model_copy(update=changed)
    acts = ("contracts.end_of_use", "contracts.change_method", "contracts.withdraw_end_of_use", "claims.submit",
            "claims.withdraw?claim=c0", "links.revoke", "cards.finish")  # fmt: skip
    mixed: dict[str, list[str]] = {}
    for account in ("u01", "u02", "store1"):
        browser = MemberBrowser.of(house, account)
        own = [*addresses(house, account), "/member/card-back?redirect_status=failed", "/member/no-such-page"]
        for address in (*own, *(f"/member/acts/{name}" for name in acts)):
            for lang, wrong in (("ja", LATIN), ("en", JAPANESE)):
                browser.client.cookies.set("kz_lang", lang)
                said = text_of(browser.client.get(address).text)
                said = said.replace("三菱UFJ eスマート証券", "").replace("本人の申出", "")
                found = [each for each in wrong.findall(said) if each not in NAMES and each not in (account, "store")]
                if found:
                    mixed[f"{lang} {address}"] = found[:6]
    assert not mixed, json.dumps(mixed, ensure_ascii=False, indent=1)


def test_the_ways_in_and_out_speak_both_languages_and_say_what_to_do(house: House) -> None:
    house.door.settings = house.door.settings.model_copy(update={"host_url": "https://app.example/account"})
    house.door.site = Site(f"https://{HOST}")
    made = house.act("/v1/member-sessions", {"account": "u04"}, role="support")[1]
    path = made["url"].removeprefix(f"https://{HOST}")
    browser = MemberBrowser.of(house, "u04")
    browser.client.cookies.clear()
    client = browser.client
    first = client.get(path)
    assert ('<html lang="ja">' in first.text, "15分間操作がないと" in first.text) == (True, True)
    assert first.headers["cache-control"] == "no-store"
    english = client.get(f"{path}?lang=en")
    assert ('<html lang="en">' in english.text, "kz_lang=en" in english.headers["set-cookie"]) == (True, True)
    assert JAPANESE.findall(text_of(english.text)) == []
    assert client.post(path, headers=PAGE, follow_redirects=False).status_code == 303
    for used in (client.get(path), client.post(path, headers=PAGE)):  # once
        assert (used.status_code, "This link was used, or is too old" in used.text) == (410, True)
        assert 'href="https://app.example/account"' in used.text
    late = house.act("/v1/member-sessions", {"account": "u04"}, role="support")[1]["url"].removeprefix(
        f"https://{HOST}"
    )
    house.now = NOW + timedelta(minutes=15)
    assert client.get(late).status_code == 410  # a quarter of an hour
    house.now = NOW
    home = client.get("/member")
    assert "These pages stay open until 10:00." in home.text
    assert (client.get("/member/stay").status_code, home.headers["cache-control"]) == (204, "no-store")
    token = re.search(r'name="form_token" value="(\w+)"', home.text)
    assert token is not None
    out = client.post("/sign-out", data={"form_token": token[1]}, headers=PAGE)
    assert (out.status_code, out.headers["clear-site-data"]) == (200, '"cache"')
    assert "Nothing of your pages is kept in this browser" in out.text
    assert 'href="/signed-out/member?lang=ja"' in out.text
    assert "サインアウトしました" in client.get("/signed-out/member?lang=ja").text
    closed = client.get("/member")
    assert (closed.status_code, "ご利用時間が終わりました。" in closed.text) == (401, True)
    assert client.get("/member/stay").status_code == 401


def test_a_clause_is_said_as_terms_say_it() -> None:
    said = {clause: (clause_words("ja", clause), clause_words("en", clause)) for clause in
            ("premium/9.4.2", "premium/5.1.1.a", "api_link/12.2", "premium/tax", "")}  # fmt: skip
    assert said == {
        "premium/9.4.2": ("第9条第4項第2号", "Article 9.4.2"),
        "premium/5.1.1.a": ("第5条第1項第1号ア", "Article 5.1.1.a"),
        "api_link/12.2": ("連携規約第12条第2項", "linked service: Article 12.2"),
        "premium/tax": ("", ""),
        "": ("", ""),
    }


def test_every_screen_is_reached_from_the_places_above() -> None:
    assert {each.path for each in SCREENS} >= {
        "/member", "/member/payments", "/member/card", "/member/claims", "/member/papers", "/member/link",
        "/member/notices", "/member/data", "/member/end-of-use",
    }  # fmt: skip
