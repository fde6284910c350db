"""The books in a browser: a month is checked and closed by jobs that tell how far they are; ledger, gateway, prices."""

from __future__ import annotations

import io
import re
import zipfile
from datetime import timedelta
from time import sleep
from types import SimpleNamespace

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from keizoku.db.tables.books import entry
from keizoku.db.tables.closing import month_act, reconciliation_result
from keizoku.terms.calendar import parse_instant
from keizoku.web.jobs import come
from keizoku.web.pages.shared.words import told
from tests.integration.web.conftest import House
from tests.integration.web.test_console import HIDDEN, seated, send
from tests.worlds.console_world import TOKEN
from tests.worlds.role_walk import leave_unanswered

MONTH = "2026-03"


@pytest.fixture(scope="module")
def books(house: House) -> House:
    """The house, with charges that have no answer."""
    with house.engine.connect() as session:
        leave_unanswered(session)
    return house


def ended(client: TestClient, where: str) -> str:
    """The page of a job when it has ended; while it runs the page asks for itself anew."""
    for _ in range(300):
        page = client.get(where).text
        if "hx-get" not in page:
            return page
        assert "Look again" in page or "もう一度見る" in page
        sleep(0.1)
    raise AssertionError(page)


def test_a_month_is_checked_closed_and_opened_again(books: House) -> None:
    with seated(books, "worker", name="hanako") as client:
        before = client.get(f"/console/close/{MONTH}").text
        assert "Nobody has checked this month yet" in before
        assert send(client, "months.check", "do", month=MONTH)[1] == f"/console/jobs/check-{MONTH}?done=months.check"
        assert "Back to the month" in ended(client, f"/console/jobs/check-{MONTH}")
        assert books.count(reconciliation_result) == 1
        shown = client.get(f"/console/close/{MONTH}").text
        for part in ("Checks before the close", "The sides of the month", "Exceptions", "Controls", "Balances"):
            assert part in shown, part
        status, page = send(client, "months.begin_close", "look", month=MONTH)
        assert (status, "nothing is posted with a day of this month" in page) == (200, True)
        assert books.count(month_act) == 0
        status, where = send(client, "months.begin_close", "do", month=MONTH)
        page = ended(client, where)
        assert books.count(month_act) == 1, page
        assert "closed, " in page
        assert "Closed: nothing is posted in it any more" in client.get(f"/console/close/{MONTH}").text
        status, where = send(client, "months.reopen", "do", month=MONTH, ground="an invoice came late")
        number = re.search(r"/console/proposals/(\d+)", where)[1]  # type: ignore[index]
    with seated(books, "worker", name="taro") as client:
        assert send(client, "proposals.approve", "do", number=number, ground="fine")[0] in (200, 303)
    assert books.count(month_act) == 2


def test_a_month_whose_checks_do_not_hold_stays_open_and_says_which(books: House) -> None:
    acts, kept = books.count(month_act), books.door.settings
    books.door.settings = kept.model_copy(update={"bank_accounts": ("0001-1234567",)})
    with seated(books, "worker", "ja") as client:
        _, where = send(client, "months.begin_close", "do", month="2026-04")
        page = ended(client, where)
        assert "完了できませんでした" in page
        assert books.count(month_act) == acts
        shown = client.get("/console/close/2026-04").text
        assert "問題のある確認: 銀行残高。" in shown
        assert "口座0001-1234567: 明細がありません" in shown
        assert not re.search(r"<td[^>]*>[^<]*(?:last night|exceptions wait)", shown)
    with seated(books, "finance") as client:
        assert client.get("/console/acts/months.begin_close?month=2026-04").status_code == 403
        assert "months.check" not in client.get("/console/close/2026-04").text
    books.door.settings = kept


@pytest.mark.parametrize("what", ["yayoi", "freee", "moneyforward", "csv", "beancount", "report"])
def test_the_report_and_each_export_are_made_by_a_job_and_fetched(books: House, what: str) -> None:
    with seated(books, "finance") as client:
        page = client.get("/console/close/2026-04").text
        assert f'action="/console/close/2026-04/make/{what}"' in page
        there = f"/console/close/2026-04/make/{what}"
        assert client.post(there, data={"form_token": "x"}, follow_redirects=False).status_code == 403
        answer = client.post(there, data={"form_token": TOKEN}, follow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (303, f"/console/jobs/{what}-2026-04")
        done = ended(client, answer.headers["location"])
        href = re.search(rf'href="(/console/jobs/{what}-2026-04/files/[^"]+)"', done)[1]  # type: ignore[index]
        file = client.get(href)
        assert file.status_code == 200
        assert "attachment" in file.headers["content-disposition"]
        if what == "report":
            names = zipfile.ZipFile(io.BytesIO(file.content)).namelist()
            assert {"keizoku-2026-04/report.html", "keizoku-2026-04/report.xlsx"} <= set(names)
        else:
            assert len(file.content) > 100
        answer = client.post("/console/close/verify", data={"form_token": TOKEN}, follow_redirects=False)
        assert "unchanged: " in ended(client, answer.headers["location"])
    assert client.post("/console/close/2026-04/make/other", data={"form_token": TOKEN}).status_code == 404


def test_how_long_a_job_takes_yet_is_told_by_what_it_has_counted() -> None:
    began = parse_instant("2026-05-07 09:00")

    def left(done: int, seconds: int, state: str = "running") -> int | None:
        row = SimpleNamespace(done=done, whole=100, counted_from=began)
        return come(row, state, began + timedelta(seconds=seconds))[2]

    assert (left(0, 5), left(25, 10), left(100, 40), left(25, 10, "failed")) == (None, 30, None, None)


def test_entries_are_found_by_number_reference_day_and_sum_and_lead_to_their_documents(books: House) -> None:
    with books.engine.connect() as session:
        row = session.execute(sa.select(entry).where(entry.c.event == "bank_receipt").order_by(entry.c.id)).first()
    assert row is not None
    with seated(books, "finance") as client:
        for query in (
            f"number={row.id}",
            f"reference={row.event_key}",
            f"account={row.account}&from_on={row.posted_on}",
        ):
            assert f"/console/ledger/entries/{row.id}" in client.get(f"/console/ledger/entries?{query}").text, query
        assert "No entry is like this" in client.get("/console/ledger/entries?number=99999999").text
        page = client.get(f"/console/ledger/entries/{row.id}").text
        assert f"/console/receipts/{row.event_key.split(':')[1]}" in page
        found = client.get("/console/ledger/entries?from_yen=1&to_yen=10").text
        assert 'value="1"' in found


def test_an_entry_by_hand_is_shown_with_its_lines_before_two_persons_post_it(books: House) -> None:
    before = books.count(entry)
    with seated(books, "worker") as client:
        status, page = send(client, "ledger.post", "look", lines="1110 500\n7110 -500", ground="found in the post")
        assert status == 200
        assert "another person approves it" in page
        assert "/console/ledger/accounts/7110" in page
        assert books.count(entry) == before
        with books.engine.connect() as session:
            number = session.execute(sa.select(sa.func.min(entry.c.id))).scalar_one()
        status, page = send(client, "ledger.reverse", "look", number=str(number), ground="twice")
        assert (status, "A document stands behind this entry" in page) == (200, True)
        fields = dict(HIDDEN.findall(page))
        assert fields["number"] == str(number)


def test_the_gateway_says_what_waits_since_when_and_what_ends_it(books: House) -> None:
    with seated(books, "worker") as client:
        page = client.get("/console/gateway").text
        for act in ("nothing_charged", "nothing_refunded", "refund_dealt_with", "dispute_lost"):
            assert f"/console/acts/payments.{act}?" in page, act
        assert "/console/refunds/refund-1" in page
        assert "the oldest for" in page
    with seated(books, "finance", "ja") as client:
        page = client.get("/console/gateway").text
        assert "/console/acts/payments." not in page
        assert "未決着の異議申立て" in page


def test_a_price_is_simulated_with_who_pays_it_and_when_they_are_told(books: House) -> None:
    asked = "plan=monthly&yen=600&announced=2026-05-08&for_new_from=2026-06-10&for_renewals_from=2026-07-10"
    with seated(books, "worker") as client:
        page = client.get(f"/console/prices?{asked}").text
        assert "Who is touched, and told when" in page
        assert re.search(r'<td[^>]*data-label="Told by letter from">2026-06-\d\d', page)
        assert "600 yen" in page
        file = client.get(f"/console/prices?{asked}&file=csv&table=touched")
        assert file.content.decode("utf-8-sig").startswith("First renewal at it,")


def test_what_the_engine_says_is_said_in_japanese_part_by_part() -> None:
    assert told("close_said", "last night 2026-05-06; 3 rows", "ja") == ("最後の夜間処理 2026-05-06、3行", True)
    assert told("close_said", "something new; 3 rows", "ja") == ("something new; 3行", False)
    assert told("close_said", "3 rows", "en") == ("3 rows", True)
