"""Calls over HTTP: what is answered, done once, refused; every refusal is a problem with its kind, rule and remedy."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as pg_insert

from keizoku.db.tables.contracts import contract_fact
from keizoku.db.tables.gateway import gateway_cursor
from keizoku.db.tables.web import http_request
from keizoku.web.application import operations
from keizoku.web.calls.lean import Lean
from keizoku.web.calls.paths import path_part
from keizoku.web.calls.problems import ProblemError
from keizoku.web.protocol import DoorProtocol
from tests.integration.web.conftest import House
from tests.worlds.listening import listening

ODD_IDS = (
    "team/u1", "x/access", "a%2Fb", "50%", "a?b#c", "a b", "..", ".", "~1", "a;b,c=d&e+f", "利用者/一", "é" * 200,
)  # fmt: skip


def test_a_question_is_answered_from_the_read_model(house: House) -> None:
    assert house.get("/v1/accounts/a0/access", "support") == {"account": "a0", "access": True, "state": "active"}
    assert house.get("/v1/accounts/nobody/access") == {"account": "nobody", "access": False, "state": None}
    assert house.ask("GET", "/v1/accounts/nobody/owed") == (
        404,
        {
            "type": "/v1/problems/account.unknown",
            "title": "There is no account with this id.",
            "status": 404,
            "detail": "account 'nobody' is not known",
            "clause": None,
            "remedy": "",
            "findings": [],
        },
    )


def test_when_the_gateway_last_told_of_something_is_shown_in_japans_time(house: House) -> None:
    with house.engine.connect() as session:
        session.execute(pg_insert(gateway_cursor).values(name="events", seen_to=house.now).on_conflict_do_nothing())
        session.commit()
    told = house.get("/v1/gateway-news")
    assert told["asked"]
    assert all(each["until"].endswith("+09:00") for each in told["asked"])


def test_a_list_goes_on_by_its_cursor_to_the_end(house: House) -> None:
    every, cursor, pages = [], "", 0
    while True:
        page = house.get("/v1/accounts", limit=7, cursor=cursor)
        every += [row["account"] for row in page["data"]]
        pages, cursor = pages + 1, page["next"]
        if cursor is None:
            break
    assert every == sorted(set(every)) == [row["account"] for row in house.get("/v1/accounts", limit=200)["data"]]
    assert pages == -(-len(every) // 7)


def test_an_act_is_done_once_for_its_key(house: House) -> None:
    before = house.count(contract_fact)
    first = house.act("/v1/contracts/a3/end-of-use", key="k1")
    assert first == (200, {"account": "a3", "ends_on": first[1]["ends_on"]})
    assert house.act("/v1/contracts/a3/end-of-use", key="k1") == first
    assert house.count(contract_fact) == before + 1
    status, other = house.act("/v1/contracts/a4/end-of-use", key="k1")
    assert (status, other["type"]) == (422, "/v1/problems/idempotency.other_content")
    status, again = house.act("/v1/contracts/a3/end-of-use", key="k2")
    assert (status, again["type"]) == (409, "/v1/problems/contract.end_requested")
    assert house.count(contract_fact) == before + 1


def test_an_act_without_a_key_is_not_done(house: House) -> None:
    status, told = house.ask("POST", "/v1/contracts/a5/end-of-use", json={})
    assert (status, told["type"]) == (400, "/v1/problems/idempotency.missing")


def test_who_may_not_is_refused_before_anything_is_read(house: House) -> None:
    assert house.act("/v1/contracts/a5/end-of-use", role="support")[0] == 403
    narrow = house.key("worker", "contracts:read")
    told = house.client.post(
        "/v1/contracts/a5/end-of-use", headers={"Authorization": f"Bearer {narrow}", "Idempotency-Key": "x"}
    )
    assert (told.status_code, told.json()["type"]) == (403, "/v1/problems/scope")
    for sent in ({}, {"Authorization": "Bearer kz_live_x"}, {"Authorization": "Basic eA=="}):
        told = house.client.get("/v1/accounts", headers=sent)
        assert (told.status_code, told.headers["www-authenticate"][:6]) == (401, "Bearer")


def test_a_body_of_another_form_gets_a_finding_for_each_field(house: House) -> None:
    status, told = house.act("/v1/accounts/a5/write-off", {"term": "tomorrow", "ground": " ", "more": 1})
    assert status == 422
    assert [(each["source"], each["rule"]) for each in told["findings"]] == [
        ("body.term", "a day is written 2026-04-30"),
        ("body.ground", "it is empty"),
        ("body.more", "Extra inputs are not permitted"),
    ]


def test_an_act_that_wants_two_is_done_by_the_second(house: House) -> None:
    house.keys["second"] = house.key("worker", name="second")
    unpaid = next(each for each in house.get("/v1/accounts/u01/invoices") if each["state"] == "open")
    body = {"term": unpaid["term"][0], "ground": "small"}
    status, made = house.act("/v1/accounts/u01/write-off", body)
    assert (status, made["state"]) == (202, "waiting")
    number = made["proposal"]
    status, own = house.act(f"/v1/proposals/{number}/approve", {"ground": "yes"})
    assert (status, own["type"]) == (409, "/v1/problems/proposal.same_person")
    owed = house.get("/v1/accounts/u01/owed")
    status, done = house.act(f"/v1/proposals/{number}/approve", {"ground": "yes"}, "second")
    found = house.get(f"/v1/proposals/{number}")
    assert status == 200, done
    assert (found["state"], found["decided_by"].rpartition(":")[0]) == ("approved", "key:second")
    assert house.get("/v1/accounts/u01/owed") != owed


def test_every_call_is_in_the_log_with_who_and_about_whom(house: House) -> None:
    house.door.log.flush()
    before = house.count(http_request)
    house.get("/v1/accounts/a0/access", "finance")
    house.act("/v1/accounts/a0/suspend", {"ground": "a test"})
    house.door.log.flush()
    with house.engine.connect() as session:
        rows = session.execute(
            sa.select(http_request.c.method, http_request.c.route, http_request.c.account, http_request.c.status,
                      http_request.c.act, http_request.c.role).order_by(http_request.c.id.desc()).limit(2)
        ).all()  # fmt: skip
    assert house.count(http_request) == before + 2
    assert sorted(map(tuple, rows)) == [
        ("GET", "/accounts/{account}/access", "a0", 200, False, "finance"),
        ("POST", "/accounts/{account}/suspend", "a0", 200, True, "worker"),
    ]


def test_a_letter_is_answered_before_and_after_it_goes_out_and_stays(house: House) -> None:
    letters = house.get("/v1/letters", limit=200)["data"]
    first = letters[0]
    assert {"subject_ja", "body_ja", "body_en", "kind", "account"} <= set(first)
    assert not {"content", "items", "written_ja"} & set(first)
    assert house.act(f"/v1/letters/{first['id']}/mark-sent", key="sent") == (
        200,
        {"id": first["id"], "recorded": True},
    )
    shown = house.get(f"/v1/letters/{first['id']}")
    assert (shown["body_ja"], shown["subject_en"]) == (first["body_ja"], first["subject_en"])
    (stored,) = [row for row in house.get("/v1/documents", limit=200)["data"] if row["kind"] == first["kind"]]
    told = house.get(f"/v1/documents/{stored['id']}", lang="en")
    assert (told["lang"], told["subject"], told["addressee"]) == ("en", first["subject_en"], first["account"])


def test_stripes_calls_are_refused_where_no_endpoint_is_set(house: House) -> None:
    told = house.client.post("/v1/webhooks/stripe", content=b"{}")
    assert (told.status_code, told.json()["type"]) == (404, "/v1/problems/webhook.unset")
    assert house.client.get("/healthz").json() == house.client.get("/readyz").json() == {"status": "ok"}
    assert house.client.get("/v1/problems/account.unknown").json()["ja"].startswith("この識別子")
    assert house.client.get("/v1/nowhere").headers["content-type"] == "application/problem+json"
    large = house.client.post("/v1/webhooks/stripe", content=b" " * 2_000_000)
    assert (large.status_code, large.json()["type"]) == (413, "/v1/problems/size")


def test_an_id_of_any_letters_stands_in_the_path_of_every_operation(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, dict[str, str]]] = []

    def admit(operation: Any, request: Any) -> None:
        seen.append((operation.name, dict(request.path_params)))
        raise ProblemError(403, "seen", "Seen.", "so far and no further")

    monkeypatch.setattr(house.door, "admit", admit)
    monkeypatch.setattr(Lean, "begin", lambda *_: None)
    for each in (each for each in operations() if each.in_path):
        for odd in ("".join(ODD_IDS[:-1]), "..", "x/access"):
            path = "/v1" + re.sub(r"\{\w+\}", path_part(odd).replace("\\", r"\\"), each.path)
            assert house.client.request(each.method, path).status_code == 403
            assert seen.pop() == (each.name, dict.fromkeys(each.in_path, odd))


def test_a_user_whose_id_has_letters_of_paths_is_served_as_any_other(house: House) -> None:
    place = house.get("/v1/events/newest")["next"]
    with listening(house.client.app, lifespan="off", http=DoorProtocol) as port:  # by the bytes that a client sends
        for odd in ODD_IDS:
            part = path_part(odd)
            assert house.act("/v1/applications", {"account": odd, "plan": "monthly", "method": "card"})[0] == 200
            answer = {"account": odd, "access": True, "state": "active"}
            for _ in range(2):  # by the long way, and by the short one
                asked = httpx.get(
                    f"http://127.0.0.1:{port}/v1/accounts/{part}/access",
                    headers={"Authorization": f"Bearer {house.keys['worker']}"},
                )
                assert (asked.status_code, asked.json()) == (200, answer)
            assert house.get(f"/v1/accounts/{part}")["account"] == odd
    events = [each for each in house.get("/v1/events", limit=200, after=place)["data"] if each["account"] in ODD_IDS]
    assert {each["account"] for each in events} == set(ODD_IDS)
    for each in events:
        assert house.ask("GET", each["link"])[0] == 200


@pytest.mark.parametrize("part", ["a%EE%80%80b", "a%FFb", "a%00b", "%20", "é" * 201, "a%2F%EE%80%80"])
def test_a_part_of_a_path_that_is_no_id_is_refused(house: House, part: str) -> None:
    status, told = house.ask("GET", f"/v1/accounts/{quote(part, safe='%')}/access")
    assert (status, told["type"]) == (422, "/v1/problems/form")
    assert json.dumps(told).isascii()
