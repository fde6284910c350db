"""The console: every screen for every role; acts as the calls do them, shown before; files, lists, ways back."""

from __future__ import annotations

import csv
import html
import io
import re
import uuid
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from urllib.parse import unquote

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from keizoku.billing.rules.payment_reference import ACCOUNT, Reference
from keizoku.db.tables.contracts import account, contract_fact
from keizoku.db.tables.gateway import saved_card
from keizoku.db.tables.operations import backup_copy
from keizoku.db.tables.web import http_request
from keizoku.terms.calendar import JST
from keizoku.web.identity.principal import Role
from keizoku.web.pages.shared.addresses import back_to, of_segment, segment, to
from keizoku.web.pages.staff.console import SCREENS
from tests.integration.web.conftest import House
from tests.worlds.console_world import TOKEN, Sitting, addresses_of, fill, night_under_way, staff_of, tiles, walked
from tests.worlds.role_walk import leave_unanswered


@pytest.fixture(scope="module")
def full(house: House) -> House:
    """The house with hostile names in it."""

    with house.engine.connect() as session:
        leave_unanswered(session)
    fill(house)
    return house


HIDDEN = re.compile(r'name="(\w+)" value="([^"]*)"')


@contextmanager
def seated(house: House, role: Role | None = "worker", lang: str = "en", name: str = "") -> Iterator[TestClient]:
    """A browser at which somebody of this role sits."""
    house.door.signed_in = Sitting(staff_of(role, name) if role else None)
    house.client.cookies.set("kz_lang", lang)
    try:
        yield house.client
    finally:
        house.client.cookies.clear()


def send(
    client: TestClient, act: str, step: str, sent: tuple[str, bytes] | None = None, **fields: str
) -> tuple[int, str]:
    """A form as a browser sends it, with its file; (status, page or where it leads)."""
    told = {"form_token": TOKEN, "idempotency_key": uuid.uuid4().hex, "step": step, **fields}
    more = {} if sent is None else {"files": {"file": (*sent, "text/csv")}}
    answer = client.post(f"/console/acts/{act}", data=told, follow_redirects=False, **more)  # type: ignore[arg-type]
    return answer.status_code, answer.headers.get("location", answer.text)


@pytest.mark.parametrize(("role", "lang"), [("worker", "ja"), ("finance", "en"), ("support", "ja")])
def test_every_screen_is_shown_to_every_role(full: House, role: Role, lang: str) -> None:
    titles: set[str] = set()
    with seated(full, role, lang) as client:
        for address, screen in zip(addresses_of(SCREENS), walked(SCREENS), strict=True):
            page = client.get(address)
            if role not in screen.roles:
                assert page.status_code == 403, (address, role)
                continue
            assert page.status_code == 200, (address, page.text)
            assert f'<html lang="{lang}">' in page.text
            assert "default-src 'none'" in page.headers["content-security-policy"]
            assert "unsafe" not in page.headers["content-security-policy"]
            assert "<img" not in page.text
            assert page.text.count("<script") == 1, address
            assert [each for each in ("<style", " style=", " onclick") if each in page.text] == [], address
            assert f"/console/language/{'ja' if lang == 'en' else 'en'}" in page.text
            assert re.findall(r"<(?:th scope=.col.[^>]*|dt)>\s*(?:<a [^>]*>)?([a-z]+(?:_[a-z]+)+)", page.text) == [], (
                address
            )
            titles.add(re.search("<h1>(.*?)</h1>", page.text, re.DOTALL)[1])  # type: ignore[index]
    assert len(titles) > len(SCREENS) / 2


def test_whoever_is_not_signed_in_sees_nothing(house: House) -> None:
    with seated(house, None) as client:
        for address in addresses_of(SCREENS):
            assert client.get(address).status_code == 401
        assert client.get("/console/acts/accounts.suspend").status_code == 401
        assert send(client, "accounts.suspend", "do", account="a3", ground="x")[0] == 401


def test_acts_are_offered_to_the_role_that_may_do_them(house: House) -> None:
    with seated(house, "worker") as client:
        assert "/console/acts/accounts.suspend?" in client.get("/console/accounts/a0").text
    with seated(house, "support") as client:
        assert "/console/acts/accounts.suspend?" not in client.get("/console/accounts/a0").text
        assert client.get("/console/acts/accounts.suspend?account=a0").status_code == 403
        assert send(client, "accounts.suspend", "do", account="a5", ground="x")[0] == 403


def test_the_morning_says_whether_night_gateway_and_backup_are_well(house: House) -> None:
    with seated(house, "support") as client:
        said = tiles(client.get("/console").text)
        assert said["Backup"].startswith("none was made Name the places in KEIZOKU_BACKUP_STORES")
        assert "ok 2026-05-" in said["Last night"]
        assert set(said) >= {"Waits for people", "Proposals to approve", "Unusable this month", "Card gateway"}
    taken, read_back = house.now - timedelta(hours=5), house.now - timedelta(hours=1)
    row = {"bytes": 9, "sha256": "00", "why": None, "taken_at": taken, "recorded_at": taken}
    with house.engine.begin() as session:
        session.execute(
            backup_copy.insert(),
            [{**row, "backup": "k1", "store": place, "outcome": "stored"} for place in ("/a", "/b", "s3://c")],
        )
    with seated(house, "support") as client:
        assert tiles(client.get("/console").text)["Backup"] == (
            f"{taken.astimezone(JST):%Y-%m-%d %H:%M} never read back: `keizoku backup verify`"
        )
    with house.engine.begin() as session:
        found = [("/a", "verified", None), ("/b", "unsound", "the dump's bytes are not those that were written")]
        session.execute(
            backup_copy.insert(),
            [{**row, "backup": "k1", "store": place, "outcome": outcome, "why": why, "recorded_at": read_back}
             for place, outcome, why in found],
        )  # fmt: skip
    with seated(house, "support", "ja") as client:
        backup = tiles(client.get("/console").text)["バックアップ"]
        assert backup.endswith(f"{read_back.astimezone(JST):%Y-%m-%d %H:%M} に読み直し: 不完全な場所 /b")


def test_a_night_is_forecast_held_and_let_go(house: House) -> None:
    with seated(house, "worker") as client:
        page = client.get("/console/nights/forecast").text
        assert "What it would write" in page
        assert tiles(page)["Its charges and refunds"] == "go out"
        assert send(client, "nights.hold", "do", ground="a strange forecast")[0] in (200, 303)
        assert tiles(client.get("/console/nights").text)["Charges and refunds"] == "held a strange forecast"
        assert "charges and refunds are held: a strange forecast" in client.get("/console").text
        page = client.get("/console/nights/forecast").text
        assert tiles(page)["Its charges and refunds"] == "wait for a person a strange forecast"
        assert "/console/acts/nights.approve?" in page
        assert send(client, "nights.release", "do", ground="it was a test")[0] in (200, 303)
        assert tiles(client.get("/console/nights").text)["Charges and refunds"] == "go out"
    with seated(house, "support") as client:
        assert client.get("/console/nights/forecast").status_code == 403
        assert "/console/nights/forecast" not in client.get("/console/nights").text


def test_a_night_that_runs_shows_how_far_it_has_come(house: House) -> None:
    """The page is that of any moment: without script it is asked for anew by a link, with it every two seconds."""
    on = house.now.astimezone(JST).date()
    where = f"/console/nights/{on}"
    with seated(house, "worker", "ja") as client, night_under_way(house.door.jobs, on) as job:
        waits = client.get(where).text
        assert ("順番を待っています。" in waits, 'hx-trigger="every 2s"' in waits) == (True, True)
        job.nights = 2
        job.became("running")
        for stage, rows in (("evidence", 0), ("terms", 40), ("terms", 0), ("claims", 0)):
            job.told(on, stage, rows)
        running = client.get(where).text
        assert '<progress value="2" max="20"' in running
        assert f"{on} の「申請」を処理中です。これまでに 40 行" in running
        assert "残り約" in running
        job.became("failed", "another night is running")
        assert "中断しました: another night is running" in " ".join(client.get("/console/nights").text.split())
        job.became("done", "ok")
        done = client.get(where).text
        assert ('<progress value="20" max="20"' in done, "hx-trigger" in done) == (True, False)
    with seated(house, "worker", "ja") as client:
        answer = send(client, "nights.run", "do", on=on.isoformat())
        assert answer == (303, f"{where}?done=nights.run")


def test_a_hold_is_seen_where_its_account_is_behind(house: House) -> None:
    with seated(house, "worker") as client:
        until = (house.now + timedelta(days=9)).astimezone(JST).date().isoformat()
        assert send(client, "accounts.hold", "do", account="u01", until_on=until, ground="asked for time")[0] in (
            200,
            303,
        )
        page = client.get("/console/overdue").text
        held = page.split('id="table-held"')[1]
        assert [each in held for each in (until, "asked for time", "worker@example.jp", "accounts.release")] == [
            True
        ] * 4
        assert "/console/acts/accounts.release?" in client.get("/console/accounts/u01").text
        assert send(client, "accounts.release", "do", account="u01", ground="paid")[0] in (200, 303)
        assert "Nobody is held." in client.get("/console/overdue").text


def test_an_outage_says_what_the_month_would_become_before_it_is_saved(house: House) -> None:
    outage = {"incident": "i9", "from_at": "2026-05-03T10:00", "to_at": "2026-05-03T14:00", "affected": "900000",
              "ground": "the log"}  # fmt: skip
    with seated(house, "worker", "ja") as client:
        status, page = send(client, "evidence.add_incident", "look", None, **outage)
        told = " ".join(re.sub("<[^>]*>", " ", page).split())
        assert status == 200
        assert "使用不能時間 (2026年5月) 0秒 4時間" in told
        assert "達した段階(月額に対する割合) (2026年5月) — 20%" in told
        assert "2026-05-03 10:00" in told
        assert "障害" in told
        assert "i9" not in client.get("/console/outages?month=2026-05").text


def test_another_reading_says_what_it_would_change_and_saves_nothing(house: House) -> None:
    with seated(house, "support") as client:
        page = client.get("/console/sla/2026-04/replay").text
        assert "What another reading would change" in page
        first = re.search(r'href="(/console/sla/2026-04/replay\?readings=[^"]+)"', page)
        assert first is not None
        found = client.get(html.unescape(first[1]))
        assert (found.status_code, "Nothing is saved" in found.text) == (200, True)
        assert set(tiles(found.text)) >= {"Unusable", "Granted", "Claims that would come out otherwise"}
        each = client.get("/console/sla/2026-04/replay?each=yes").text
        assert each.split('id="table-readings"')[1].count('class="n"') > page.count('class="n"')
        assert client.get("/console/terms/readings/premium/no_such").status_code == 404


def test_a_payment_reference_is_found_and_a_mistyped_one_told(house: House) -> None:
    with house.engine.connect() as session:
        number = session.execute(sa.select(account.c.number).where(account.c.id == "u01")).scalar_one()
    reference = str(Reference(ACCOUNT, number))
    with seated(house, "support") as client:
        assert "/console/accounts/u01" in client.get(f"/console/search?q={reference}").text
        wrong = reference[:-1] + str((int(reference[-1]) + 1) % 10)
        assert "a digit was mistyped" in client.get(f"/console/search?q={wrong}").text


def test_the_card_that_is_charged_is_named_on_the_account(house: House) -> None:
    saved = datetime(2026, 5, 1, 9, tzinfo=JST)
    with house.engine.begin() as session:
        for number in ("1", "2"):
            session.execute(
                saved_card.insert().values(
                    account="a1", customer_id="cus_1", payment_method_id=f"pm_{number}", setup_id=f"seti_{number}",
                    recorded_at=saved,
                )
            )  # fmt: skip
    with seated(house, "support") as client:
        card = client.get("/console/accounts/a1").text.split("<dt>Card</dt>")[1].split("</div>")[0]
        assert "pm_2" in card
        assert "saved at 2026-05-01 09:00" in card
        assert "pm_1" not in card
        assert "none saved" in client.get("/console/accounts/a2").text


def test_an_act_is_shown_before_it_is_done_and_done_once(house: House) -> None:
    before = house.count(contract_fact)
    with seated(house, "worker") as client:
        status, page = send(client, "contracts.end_of_use", "look", account="a6", return_to="/console/accounts/a6")
        assert status == 200
        assert "What it would change" in page
        assert "premium/6.1" in page
        assert house.count(contract_fact) == before
        fields = dict(HIDDEN.findall(page))
        done = send(client, "contracts.end_of_use", "do", **{k: v for k, v in fields.items() if k != "step"})
        assert done[0] == 200, done[1]
        assert "2026-06-07" in done[1]
        again = send(client, "contracts.end_of_use", "do", **{k: v for k, v in fields.items() if k != "step"})
        assert again == done
        assert house.count(contract_fact) == before + 1
        back = "/console/accounts/a6"
        answer = send(client, "contracts.withdraw_end_of_use", "do", account="a6", return_to=back)
        assert answer == (303, f"{back}?done=contracts.withdraw_end_of_use")
        assert "Done: Withdraw the end of use" in client.get(answer[1]).text
    with house.engine.connect() as session:
        asked = sa.select(http_request.c.principal).where(http_request.c.route == "/contracts/{account}/end-of-use")
        rows = session.execute(asked.where(http_request.c.account == "a6", http_request.c.act)).scalars().all()
        assert rows == ["worker@example.jp"]


def test_a_refusal_says_the_rule_in_the_language_of_the_page(house: House) -> None:
    for lang, sentence in (("en", "no application"), ("ja", "申込み")):
        with seated(house, "worker", lang) as client:
            status, page = send(client, "contracts.approve", "do", account="a5")
            assert (status, "application.none_waiting" in page, "premium/3.3" in page) == (409, True, True)
            assert sentence in page


def test_a_field_of_another_form_is_told_beside_it(house: House) -> None:
    with seated(house, "worker", "ja") as client:
        status, page = send(client, "accounts.write_off", "look", account="a5", term="tomorrow", ground=" ")
        assert status == 422
        assert "日付は 2026-04-30 の形で書きます" in page
        assert 'id="ground-wrong"' in page


def test_a_second_person_approves_what_wants_two(house: House) -> None:
    with house.engine.connect() as session:
        starts_on = str(session.execute(sa.text("SELECT min(starts_on) FROM term WHERE account = 'u01'")).scalar_one())
    with seated(house, "worker", name="hanako") as client:
        status, where = send(client, "accounts.write_off", "do", account="u01", term=starts_on, ground="gone")
        assert status == 303
        number = re.search(r"/console/proposals/(\d+)", where)[1]  # type: ignore[index]
        assert send(client, "proposals.approve", "do", number=number, ground="fine")[0] == 409
    with seated(house, "worker", name="taro") as client:
        assert client.get(f"/console/proposals/{number}").status_code == 200
        assert send(client, "proposals.turn_down", "do", number=number, ground="not yet")[0] in (200, 303)


def test_a_form_of_another_place_is_refused(house: House) -> None:
    before = house.count(contract_fact)
    with seated(house, "worker") as client:
        assert send(client, "contracts.end_of_use", "do", account="a8", form_token="x")[0] == 403  # noqa: S106
    assert house.count(contract_fact) == before


def test_a_table_is_a_file_that_no_spreadsheet_takes_for_a_formula(house: House) -> None:
    with seated(house, "finance") as client:
        answer = client.get("/console/accounts?file=csv&table=rows")
        assert answer.headers["content-disposition"] == 'attachment; filename="keizoku-rows.csv"'
        rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
        assert rows[0][0] == "Account"
        assert len(rows) == 1 + len(house.get("/v1/accounts", limit=200)["data"])
        book = client.get("/console/accounts?file=xlsx&table=rows").content
        assert "xl/worksheets/sheet1.xml" in zipfile.ZipFile(io.BytesIO(book)).namelist()
        assert client.get("/console/accounts?file=csv&table=other").status_code == 404


def test_a_list_is_sorted_and_paged_by_its_address(house: House) -> None:
    with seated(house, "finance") as client:

        def first(address: str) -> str:
            return re.search(r'<th scope="row"[^>]*>\s*<a [^>]*>([^<]+)</a>', client.get(address).text)[1]  # type: ignore[index]

        assert first("/console/accounts?rows.sort=-0") > first("/console/accounts?rows.sort=0")
        assert 'aria-sort="descending"' in client.get("/console/accounts?rows.sort=-0").text
        assert first("/console/accounts?rows.after=a5") > "a5"


def test_what_a_path_keeps_for_itself_is_carried_through_it(house: House) -> None:
    for value in ("a/b", "..", ".", "~1", "a~b", "a b?#%", "利用者/1"):
        assert of_segment(unquote(segment(value))) == value
        assert "/" not in segment(value)
        assert segment(value).strip(".")
    with seated(house, "finance") as client:
        page = client.get(to("accounts", "a/../b"))
        assert (page.status_code, "a/../b" in page.text) == (404, True)
        for odd in ("q?#%2F/x", "利用者/二"):
            house.act("/v1/applications", {"account": odd, "plan": "monthly", "method": "card"})
            page = client.get(to("accounts", odd))
            [back] = re.findall(r'href="(/console/language/[^"]+)"', page.text)  # leads back to this very page
            here = client.get(back, follow_redirects=False).headers["location"]
            assert (page.status_code, here) == (200, to("accounts", odd))


def test_the_way_back_leads_to_us_alone(house: House) -> None:
    for hostile in (
        "https://evil.example/",
        "//evil.example",
        "/console/../x\\",
        "javascript:alert(1)",
        "/consoles",
        "",
    ):
        assert back_to(hostile).startswith("/console")
        assert "evil" not in back_to(hostile)
    assert back_to("/console/accounts/a1?x=1") == "/console/accounts/a1?x=1"
    answer = house.client.get("/console/language/ja?back=https://evil.example", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/console")
    assert "kz_lang=ja" in answer.headers["set-cookie"]


def test_the_files_of_pages_are_kept_by_browsers_under_their_digest(house: House) -> None:
    with seated(house, "finance") as client:
        page = client.get("/console").text
        files = sorted(set(re.findall(r'"(/assets/[^"]+)"', page)))
        assert [re.sub("-[0-9a-f]{12}", "", each) for each in files] == [
            "/assets/console.css", "/assets/htmx.js", "/assets/mark.svg",
        ]  # fmt: skip
        for each in files:
            answer = client.get(each)
            assert (answer.status_code, "immutable" in answer.headers["cache-control"]) == (200, True)
        assert client.get("/assets/console-000000000000.css").status_code == 404
        assert client.get("/assets/..%2fviews.py").status_code == 404
