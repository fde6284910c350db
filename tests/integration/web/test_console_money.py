"""The money half of the console: files by a form, shown before they are taken; one click, undo; each yen's page."""

from __future__ import annotations

import re
import tempfile
import time
from pathlib import Path

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from keizoku.db.tables.bank import bank_line, money_import
from keizoku.db.tables.money import credit, demand, receipt
from keizoku.web.kept_files import KEPT_S, MOST_KEPT, KeptFiles
from tests.integration.web.conftest import House
from tests.integration.web.test_console import HIDDEN, seated, send
from tests.worlds.role_walk import leave_unanswered

BANK = b"date,amount,payer,reference\n2026-05-02,500,YAMADA TARO,\n2026-05-03,77,NOBODY,\n2026-13-01,5,X,\n"


@pytest.fixture(scope="module")
def money(house: House) -> House:
    """The house, with charges that have no answer."""
    with house.engine.connect() as session:
        leave_unanswered(session)
    return house


def test_a_bank_file_is_shown_before_it_is_taken_and_can_be_taken_back(money: House) -> None:
    before = money.count(bank_line)
    with seated(money) as client:
        form = client.get("/console/acts/bank.import_file").text
        assert 'enctype="multipart/form-data"' in form
        assert '<option value="zengin">' in form
        status, page = send(client, "bank.import_file", "look", ("C:\\fakepath\\may.csv", BANK))
        assert status == 200
        for told in ("date, amount, payer, reference", "YAMADA TARO", "2026-13-01", "may.csv", "booked once"):
            assert told in page, told
        assert money.count(bank_line) == before
        fields = dict(HIDDEN.findall(page))
        assert fields["file"] == "may.csv"
        fields["step"] = "do"
        status, where = send(client, "bank.import_file", **fields)
        assert (status, money.count(bank_line)) == (303, before + 2)
        taken = client.get(where).text
        assert "Done: Take a bank file" in taken
        assert "2026-13-01" in taken
        number = re.search(r"/console/bank/files/(\d+)", where)[1]  # type: ignore[index]
        again = send(client, "bank.import_file", **fields)
        assert again == (303, where)
        assert money.count(money_import) == 1
        status, back = send(client, "bank.take_back", "do", number=number, ground="wrong account")
        assert status == 200 or "done=bank.take_back" in back
        assert "was taken back" in client.get(f"/console/bank/files/{number}").text


def test_a_file_waits_for_whoever_sent_it_alone(money: House) -> None:
    with seated(money, name="hanako") as client:
        fields = dict(HIDDEN.findall(send(client, "bank.import_file", "look", ("a.csv", BANK))[1]))
    fields["step"] = "do"
    before = money.count(bank_line)
    with seated(money, name="taro") as client:
        status, page = send(client, "bank.import_file", **fields)
        assert (status, "choose the file" in page) == (422, True)
    with seated(money, "support") as client:
        assert send(client, "bank.import_file", "look", ("a.csv", BANK))[0] == 403
    with seated(money, lang="ja") as client:
        status, page = send(client, "bank.import_file", "look")
        assert (status, "ファイルを選んでください" in page) == (422, True)
    assert money.count(bank_line) == before


def test_other_files_are_shown_and_taken_too(money: House) -> None:
    balance = b"id,Type,Source,Amount,Fee,Net,Currency,Created (UTC),Available On (UTC)\n"
    store = b"store,account,term,gross,fee,fee_tax,currency,paid_out_on,payout_id\nx,nobody,2026-04-01,500,75,7,JPY,,\n"
    with seated(money) as client:
        status, page = send(client, "payments.import_balance", "look", ("balance.csv", balance))
        assert (status, "Rows written" in page) == (200, True)
        status, page = send(client, "stores.import_file", "look", ("store.csv", store))
        assert (status, "nobody" in page, "What cannot be used" in page) == (200, True, True)


def test_one_click_matches_and_the_page_offers_to_undo_it(money: House) -> None:
    with seated(money) as client:
        send_file(client, b"date,amount,payer,reference\n2026-05-04,500,SUZUKI,\n")
        with money.engine.connect() as session:
            line = session.execute(sa.select(sa.func.max(bank_line.c.id))).scalar_one()
        page = client.get("/console/bank").text
        form = re.search(rf'<form class="press"[^>]*>((?:(?!</form>).)*name="payment" value="{line}".*?)</form>', page)
        fields = dict(HIDDEN.findall(form[1])) if form else {"payment": str(line), "account": "a6", "ground": "owes it"}
        fields.setdefault("step", "do")
        fields["return_to"] = "/console/bank"
        status, where = send(client, "bank.match", **fields)
        assert status in (200, 303), where
        shown = client.get(f"/console/bank?done=bank.match&about={line}").text
        assert f"/console/acts/bank.unmatch?payment={line}" in shown
        story = client.get(f"/console/bank/{line}").text
        number = re.search(r"/console/receipts/(\d+)", story)[1]  # type: ignore[index]
        told = client.get(f"/console/receipts/{number}").text
        assert "Where each yen went" in told
        assert f"/console/bank/{line}" in told
        assert send(client, "bank.unmatch", "do", payment=str(line), ground="another's")[0] in (200, 303)
        assert "Taken back" in client.get(f"/console/receipts/{number}").text


def send_file(client: TestClient, content: bytes) -> str:
    """Take a bank's file by the form."""
    fields = dict(HIDDEN.findall(send(client, "bank.import_file", "look", ("more.csv", content))[1]))
    return send(client, "bank.import_file", **{**fields, "step": "do"})[1]


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_each_yen_has_a_page_that_leads_on(money: House, lang: str) -> None:
    with money.engine.connect() as session:
        numbers = {
            table.name: session.execute(sa.select(sa.func.min(table.c.id))).scalar_one()
            for table in (receipt, demand, credit)
        }
    with seated(money, "finance", lang) as client:
        paid = client.get(f"/console/receipts/{numbers['receipt']}").text
        assert "/console/ledger/entries/" in paid
        assert "/console/accounts/" in paid
        demanded = client.get(f"/console/demands/{numbers['demand']}").text
        assert "/console/terms/clauses/premium/5.2" in demanded
        assert "14.6" in demanded
        assert "/365" in demanded
        granted = client.get(f"/console/credits/{numbers['credit']}").text
        assert "/console/claims/" in granted
        assert "/console/sla/" in granted
        sent = client.get("/console/refunds/refund-1").text
        assert f"/console/credits/{numbers['credit']}" in sent
        assert client.get("/console/receipts/999999").status_code == 404


def test_kept_files_go_after_their_hour_and_the_oldest_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    at = [time.time()]
    kept, other = (KeptFiles("a database", lambda: at[0]) for _ in range(2))
    first = kept.keep("a", "f", b"1\n2")
    assert other.found("a", first) == ("f", b"1\n2")
    another = KeptFiles("another database")
    assert [kept.found("b", first), kept.found("a", "../x" * 8), another.found("a", first)] == [None, None, None]
    another.close()
    words = [kept.keep("a", "f", b"2") for _ in range(MOST_KEPT)]
    assert kept.found("a", first) is None
    assert kept.found("a", words[-1]) == ("f", b"2")
    (other.room("report-2026-04") / "x.zip").write_bytes(b"x")
    assert [each.name for each in kept.made("report-2026-04")] == ["x.zip"]
    at[0] += KEPT_S + 1
    assert kept.found("a", words[-1]) is None
    kept.close()
    assert [each.name for each in other.made("report-2026-04")] == ["x.zip"]
    other.close()
    assert list(tmp_path.iterdir()) == []
    (folder := kept._path()).mkdir(mode=0o755)
    with pytest.raises(PermissionError, match="not ours alone"):
        kept.keep("a", "f", b"3")
    assert list(folder.iterdir()) == []
