"""The linked service over HTTP: a customer is linked, data are shown, an order goes out once, the link ends."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import sqlalchemy as sa

from keizoku.db.tables.link.grants import link_secret
from keizoku.link.partner.simulated import code_of
from tests.integration.web.conftest import House
from tests.worlds.link_world import everything_in, key_file_in

PROBLEM = "/v1/problems/"
GROUND = {"ground": "seen at the counter"}


@pytest.fixture
def house(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> House:
    """The door with a partner of ours and keys."""
    monkeypatch.setenv("KEIZOKU_LINK_PARTNER", "simulated")
    monkeypatch.setenv("KEIZOKU_LINK_KEY_FILE", os.fspath(key_file_in(tmp_path)))
    house: House = request.getfixturevalue("empty_house")  # it reads its settings as it opens
    return house


def done(house: House, path: str, **body: object) -> Any:
    status, told = house.act(f"/v1{path}", body)
    assert status == 200, told
    return told


def linked(house: House, account: str = "hanako", scope: str = "orders") -> str:
    """The customer is linked; the address to which they were sent."""
    done(house, f"/links/{account}/facts", fact="partner_account_opened")
    done(house, f"/links/{account}/facts", fact="rules_consented", rules="2026-01")
    for clause in ("4.3", "4.4", "4.5"):
        done(house, f"/links/{account}/rulings", clause=clause, met=True, **GROUND)
    begun = done(house, f"/links/{account}/begin", scope=scope, back="https://app.example/back")
    url: str = begun["url"]
    state = parse_qs(urlsplit(url).query)["state"][0]
    assert done(house, "/links/finish", state=state, code=code_of(account))["grant"] > 0
    house.now += timedelta(minutes=1)  # what was granted counts from the second in which the partner was asked
    assert (
        house.act("/v1/links/finish", {"state": state, "code": code_of(account)})[1]["type"]
        == PROBLEM + "link.state_used"
    )
    return url


def test_api_link_4__a_customer_is_linked_and_the_address_is_kept_nowhere(house: House) -> None:
    asked = house.get("/v1/links/hanako/eligibility", scope="orders")
    assert (asked["outcome"], asked["clauses"][:2]) == ("closed", ["api_link/1.3", "api_link/4.1"])
    refused = house.act("/v1/links/hanako/begin", {"scope": "data", "back": "https://app.example/"})[1]
    assert refused["type"] == PROBLEM + "link.closed"
    url = linked(house)
    assert house.get("/v1/links/hanako/eligibility", scope="orders")["outcome"] == "open"
    seen = house.get("/v1/links/hanako")
    assert (seen["state"], seen["scopes"], seen["generation"]) == ("active", ["data", "orders"], 1)
    assert house.get("/v1/links")["data"] == [seen]
    key = {"Idempotency-Key": "the same"}
    body = {"scope": "orders", "back": "https://app.example/back"}
    first, again = (house.ask("POST", "/v1/links/hanako/begin", json=body, headers=key)[1] for _ in range(2))
    assert (first["url"] is None, again) == (False, {**first, "url": None})
    with house.engine.connect() as session:
        kept = everything_in(session)
        assert session.scalar(sa.select(sa.func.count()).where(link_secret.c.sealed.is_not(None))) == 3
    assert url not in kept
    assert parse_qs(urlsplit(url).query)["state"][0] not in kept
    assert done(house, "/links/hanako/renew")["outcome"] == "renewed"


def test_api_link_6_2__data_are_shown_by_designated_fields_and_nothing_is_kept(house: House) -> None:
    linked(house, scope="data")
    status, told = house.ask("GET", "/v1/links/hanako/data", params={"kinds": "positions"})
    assert (status, told["type"]) == (409, PROBLEM + "link.nothing_designated")
    done(house, "/link-designations", kind="field", name="positions.Symbol", **GROUND)
    [found] = house.get("/v1/links/hanako/data", kinds="positions")
    assert (found["content"], found["dropped"]) == ([{"Symbol": "0000"}], 3)
    assert house.ask("GET", "/v1/links/hanako/data", "support", params={"kinds": "positions"})[0] == 403
    with house.engine.connect() as session:
        assert "見本" not in everything_in(session)
    assert [use["purpose"] for use in house.get("/v1/link-uses", account="hanako")["data"]] == ["fetch"]
    assert [row["name"] for row in house.get("/v1/link-designations")["data"]] == ["positions.Symbol"]


def test_api_link_6_5__an_order_goes_out_once_whatever_key_it_is_repeated_with(house: House) -> None:
    linked(house)
    done(house, "/link-designations", kind="product", name="1306", **GROUND)
    made = done(house, "/links/hanako/orders", product="1306", side="buy", quantity=10, limit_price="2840.5")
    order = f"/link-orders/{made['order']}"
    shown = house.get(f"/v1{order}")
    assert shown["texts"] == made["texts"]
    digest = made["texts"]["ja"]["digest"]
    status, told = house.act(f"/v1{order}/confirm", {"account": "taro", "digest": digest})
    assert (status, told["type"]) == (404, PROBLEM + "link.order_unknown")
    assert done(house, f"{order}/confirm", account="hanako", digest=digest)["state"] == "confirmed"
    sent = [done(house, f"{order}/send", account="hanako") for _ in range(3)]
    assert [each["state"] for each in sent] == ["accepted"] * 3
    assert len({each["partner_id"] for each in sent}) == 1
    with house.engine.connect() as session:
        assert session.execute(sa.text("SELECT count(*) FROM simulated_link_order")).scalar_one() == 1
    status, told = house.act(f"/v1{order}/withdraw", {"account": "hanako"})
    assert (status, told["type"]) == (409, PROBLEM + "link.order_final")
    assert done(house, f"{order}/settle")["state"] == "accepted"
    status, told = house.act(f"/v1{order}/never-arrived", GROUND)
    assert (status, told["type"]) == (409, PROBLEM + "link.order_state")
    assert [row["state"] for row in house.get("/v1/link-orders", account="hanako")["data"]] == ["accepted"]
    assert not [path for path in house.client.get("/v1/openapi.json").json()["paths"] if "cancel" in path]


def test_api_link_10_4__stops_events_and_load_are_recorded_by_people(house: House) -> None:
    linked(house)
    stop = done(house, "/link-stops", whose="partner", what="upkeep", **GROUND)["stop"]
    assert house.get("/v1/links/hanako")["state"] == "stopped"
    done(house, f"/link-stops/{stop}/lift")
    change = done(house, "/link-stops", whose="partner", what="new rules", clause="11.2", kind="change", **GROUND)[
        "stop"
    ]
    done(house, f"/link-stops/{change}/announce", place="the site", ground="told today")
    assert [row["announced_at"] is None for row in house.get("/v1/link-stops")["data"]] == [True, False]
    event = done(house, "/link-events", kind="feared_leak", what="a lost phone", account="hanako", **GROUND)["event"]
    told = {"account": "hanako", "what": "kind of device", "recipient": "the partner", **GROUND}
    assert done(house, f"/link-events/{event}/disclose", **told)["disclosure"] > 0
    assert house.get("/v1/link-events")["data"][0]["disclosed"] == ["hanako: kind of device to the partner"]
    span = {"from_at": "2026-05-07T00:00:00+09:00", "to_at": "2026-05-08T00:00:00+09:00"}
    assert house.get("/v1/link-load", **span) == []
    assert done(house, "/links/hanako/load-rulings", outcome="allowed", **span, **GROUND)["fetches"] == 0


def test_api_link_12_2__a_link_ends_with_the_bank_account_and_by_the_customer(house: House) -> None:
    for account in ("hanako", "taro"):
        linked(house, account)
    assert done(house, "/accounts/hanako/base-closed", **GROUND)["done"]
    assert done(house, "/links/taro/revoke", **GROUND) == {"account": "taro", "ended": True, "confirmed": False}
    assert [row["state"] for row in house.get("/v1/links")["data"]] == ["ended", "revoked"]
    status, told = house.act("/v1/links/taro/revoke", GROUND)
    assert (status, told["type"]) == (409, PROBLEM + "link.none")
    status, told = house.act("/v1/link-adoption", GROUND)
    assert (status, told["type"]) == (409, PROBLEM + "link.not_restored")
