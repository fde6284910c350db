"""The short way of a question that is asked very often: the answers of the long way, and the long way for the rest."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from keizoku.billing.accounts.account_views import contract_view
from keizoku.db.tables.web import http_request
from keizoku.scheduler.settings import Settings
from keizoku.web.calls.lean import LeanCall
from keizoku.web.identity.keys import end_key, new_key
from tests.integration.web.conftest import House


def test_access_is_what_the_contract_says_for_every_account(house: House) -> None:
    house.act("/v1/contracts/a0/end-of-use")
    house.act("/v1/contracts/a1/end-of-use")
    house.act("/v1/contracts/a1/withdraw-end-of-use")
    house.act("/v1/contracts/a2/change-method", {"method": "other"})
    house.act("/v1/contracts/a2/void-fact", {"kind": "change_method", "ground": "a test"})
    house.act("/v1/accounts/a3/suspend", {"ground": "a test"})
    house.act("/v1/accounts/a4/terminate", {"ground": "a test"})
    house.act("/v1/applications/waits2/reject", {"ground": "a test"})
    accounts = [row["account"] for row in house.get("/v1/accounts", limit=200)["data"]]
    rules = Settings().rules()
    states = set()
    with house.engine.connect() as session:
        for account in (*accounts, "nobody"):
            wanted = contract_view(session, rules, account, house.now)
            found = house.get(f"/v1/accounts/{account}/access", "support")
            assert found == {"account": account, "access": wanted.access, "state": wanted.state}
            states.add(wanted.state)
    assert states == {"applied", "rejected", "active", "suspended", "ended", None}


def test_only_what_is_good_goes_the_short_way_and_all_of_it_is_logged(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    short: list[str] = []
    real = LeanCall.answer

    def counted(self: LeanCall, row: Any) -> bytes | None:
        short.append(self.account)
        return real(self, row)

    monkeypatch.setattr(LeanCall, "answer", counted)
    house.door.log.flush()
    before = house.count(http_request)
    for _ in range(2):
        assert house.get("/v1/accounts/a5/access", "finance")["account"] == "a5"
    assert short[-1:] == ["a5"]
    house.door.log.flush()
    assert house.count(http_request) == before + 2
    taken = len(short)
    bearer = {"Authorization": f"Bearer {house.keys['finance']}"}
    assert house.client.get("/v1/accounts/a5/access").status_code == 401
    assert house.client.get("/v1/accounts/a5/access", headers={"Authorization": "Bearer x"}).status_code == 401
    assert house.client.get("/v1/accounts/a5/access?x=1", headers=bearer).status_code == 200
    assert house.client.get("/v1/accounts/%00/access", headers=bearer).status_code == 422
    assert house.client.post("/v1/accounts/a5/access", headers=bearer).status_code == 405
    narrow = {"Authorization": f"Bearer {house.key('support', 'tasks:read')}"}
    assert [house.client.get("/v1/accounts/a5/access", headers=narrow).status_code for _ in range(2)] == [403, 403]
    assert len(short) == taken


def test_where_the_short_way_fails_the_long_way_says_why(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LeanCall, "answer", lambda *_: None)
    assert house.get("/v1/accounts/a5/access", "support")["account"] == "a5"


def test_an_ended_key_and_one_that_outlived_its_day_are_refused_at_once(house: House) -> None:
    with house.engine.connect() as session:
        ended = new_key(session, "ends", "support", ["*"], by="t", now=house.now)
        short = new_key(
            session, "short", "support", ["*"], expires_at=house.now + timedelta(hours=1), by="t", now=house.now
        )

    def asked(key: str) -> list[int]:
        headers = {"Authorization": f"Bearer {key}"}
        return [
            house.client.get(f"/v1/accounts/a5/{what}", headers=headers).status_code
            for what in ("access", "access", "owed")
        ]

    assert asked(ended.key) == asked(short.key) == [200, 200, 200]
    with house.engine.connect() as session:
        end_key(session, ended.id, by="t", ground="a test", now=house.now)
    assert asked(ended.key) == [401, 401, 401]
    was, house.now = house.now, house.now + timedelta(hours=1)
    try:
        assert asked(short.key) == [401, 401, 401]
    finally:
        house.now = was
