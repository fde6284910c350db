"""What the command line could and the door could not: files of members, entries sought, versions, screening, an end."""

from __future__ import annotations

import json
from base64 import b64decode

from keizoku.db.tables.people import member_file
from tests.integration.web.conftest import House


def test_a_members_file_is_in_the_first_answer_alone_and_recorded(house: House) -> None:
    before = house.count(member_file)
    said = {"recipient": "本人", "ground": "they asked"}
    status, made = house.act("/v1/accounts/a0/file", said, key="file-1")
    assert (status, made["account"]) == (200, "a0")
    assert made["rows"]["invoice"] > 0
    assert {"member.json", "member.pdf"} <= set(made["files"])
    told = json.loads(b64decode(made["files"]["member.json"]))
    assert (told["account"], told["author"].partition(":")[0]) == ("a0", "key")
    status, again = house.act("/v1/accounts/a0/file", said, key="file-1")
    assert (status, again) == (200, {**made, "files": {}})
    assert house.count(member_file) == before + 1
    with house.engine.connect() as session:
        kept = session.exec_driver_sql("SELECT string_agg(result::text, '') FROM act_key").scalar_one()
    assert made["files"]["member.json"][:40] not in kept
    assert house.act("/v1/accounts/nobody/file", said)[0] == 404


def test_entries_are_found_by_day_sum_and_account(house: House) -> None:
    every = house.get("/v1/ledger/entries", account="a0", limit=200)["data"]
    assert every
    one = every[0]
    found = house.get(
        "/v1/ledger/entries", account="a0", from_on=one["posted_on"], to_on=one["posted_on"], from_yen=one["yen"],
        to_yen=one["yen"], limit=200,
    )["data"]  # fmt: skip
    assert one in found
    assert {each["yen"] for each in found} == {one["yen"]}
    page = house.get("/v1/ledger/entries", account="a0", limit=1)
    assert (page["data"], page["next"] is not None) == ([one], len(every) > 1)


def test_a_document_that_says_the_same_is_not_issued_anew(house: House) -> None:
    [first, *_] = house.get("/v1/accounts/a0/invoices")
    kept, about = house.door.settings, {"kind": "invoice", "number": first["id"]}
    house.door.settings = kept.model_copy(update={"issuer_name": "Keizoku"})
    try:
        assert house.act("/v1/documents/reissue", about) == (200, {**about, "issued": True})
        assert house.act("/v1/documents/reissue", about) == (200, {**about, "issued": False})
    finally:
        house.door.settings = kept
    assert house.act("/v1/documents/reissue", {"kind": "demand", "number": 1})[0] == 422


def test_applications_of_a_file_are_taken_and_screened_by_the_rule(house: House) -> None:
    rows = "account,plan,method\nfile1,monthly,card\nfile2,nonsense,card\n"
    headers = {"Idempotency-Key": "import-1", "Content-Type": "application/octet-stream"}
    status, done = house.ask(
        "POST", "/v1/application-imports", params={"name": "new.csv"}, content=rows.encode(), headers=headers
    )
    assert (status, done["taken"], done["findings_in_all"]) == (200, 1, 1)
    assert done["findings"][0]["source"] == "new.csv"
    status, screened = house.act("/v1/applications/screen")
    assert status == 200
    assert {"account": "file1", "outcome": "approved", "ground": None} in screened["screened"]
    assert house.get("/v1/accounts/file1/access")["access"]
    assert house.get("/v1/accounts/file1/invoices")[0]["state"] == "paid"


def test_a_closed_bank_account_ends_what_runs_once_for_its_key(house: House) -> None:
    assert house.get("/v1/accounts/file1/access")["access"]
    first = house.act("/v1/accounts/file1/base-closed", {"ground": "closed at the branch"}, key="closed-1")
    assert first == (200, {"account": "file1", "done": True})
    assert not house.get("/v1/accounts/file1/access")["access"]
    assert house.act("/v1/accounts/file1/base-closed", {"ground": "closed at the branch"}, key="closed-1") == first
