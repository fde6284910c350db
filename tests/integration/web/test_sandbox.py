"""A sandbox: its clock moves by a call, with the nights in between; a live door has no such clock."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from keizoku.db.migrate import upgrade
from keizoku.db.roles import apply_roles
from keizoku.db.session import make_engine
from keizoku.scheduler.app import services_on
from keizoku.scheduler.cli.shared.output import UserError
from keizoku.scheduler.settings import Settings
from keizoku.terms.calendar import iso_jst
from keizoku.web.application import make_application
from keizoku.web.door import Door
from keizoku.web.identity.keys import new_key
from keizoku.web.sandbox import BEGINS, Sandbox, fresh_keys, is_sandbox, open_sandbox, sandbox_settings
from tests.integration.web.conftest import House, drop_roles

pytestmark = pytest.mark.database


@dataclass
class Box:
    engine: sa.Engine
    client: TestClient
    keys: dict[str, str]
    sandbox: Sandbox

    def post(self, path: str, body: dict[str, Any], role: str = "worker") -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {self.keys[role]}", "Idempotency-Key": uuid.uuid4().hex}
        answer = self.client.post(f"/v1/{path}", json=body, headers=headers)
        return answer.status_code, answer.json()

    def get(self, path: str) -> Any:
        return self.client.get(f"/v1/{path}", headers={"Authorization": f"Bearer {self.keys['worker']}"}).json()


@pytest.fixture(scope="module")
def box(database_url: sa.URL | str) -> Iterator[Box]:
    schema, prefix = f"t{uuid.uuid4().hex}", f"w{uuid.uuid4().hex[:10]}"
    with make_engine(database_url).begin() as connection:
        connection.execute(sa.schema.CreateSchema(schema))
    engine = make_engine(database_url, schema)
    settings = Settings(database_schema=schema)
    with engine.connect() as session:
        upgrade(session)
        apply_roles(session, (), prefix)
    with services_on(engine, settings, clock="given", reader=None) as services:
        sandbox = open_sandbox(services, "month")
    door = Door(settings, settings.rules(), engine.url, schema, sandbox, 4, prefix)
    with door.connect("worker") as session:
        keys = fresh_keys(session, door.clock())
    with TestClient(make_application(door), raise_server_exceptions=False) as client:
        yield Box(engine, client, keys, sandbox)
    door.close()
    drop_roles(engine, schema, prefix)
    with make_engine(database_url).begin() as connection:
        connection.execute(sa.schema.DropSchema(schema, cascade=True))


def test_the_seed_has_one_who_pays_one_who_does_not_and_a_credit(box: Box) -> None:
    state = {row["account"]: row["state"] for row in box.get("accounts")["data"]}
    assert state == {"aoi": "active", "mei": "active", "ren": "suspended", "sora": "active", "yui": "active"}
    assert box.get("accounts/aoi")["state"]["credit_yen"] == 200


def test_the_clock_moves_forward_and_each_night_runs_at_its_hour(box: Box) -> None:
    stood = box.sandbox.now
    assert box.get("test/clock") == {"now": iso_jst(stood)}
    status, moved = box.post("test/clock", {"days": 3})
    assert status == 200
    assert [each["certificate"] for each in moved["nights"]] == ["ok"] * 3
    assert box.get("last-night")["business_date"] == moved["nights"][-1]["business_date"]
    assert box.post("test/clock", {"to": moved["now"]}) == (200, {"now": moved["now"], "nights": []})
    status, told = box.post("test/clock", {"to": iso_jst(stood)})
    assert (status, told["type"]) == (409, "/v1/problems/clock.behind")
    for body in ({}, {"days": 1, "to": moved["now"]}, {"days": 0}, {"days": 10**9}, {"to": "2999-01-01T00:00:00Z"}):
        assert box.post("test/clock", body)[0] == 422, body
    assert box.post("test/clock", {"days": 1}, "finance")[0] == 403
    with services_on(box.engine, Settings(), clock="given", reader=None) as services:  # another process goes on from it
        assert iso_jst(open_sandbox(services, "month").now) == moved["now"]


def test_a_card_is_set_to_be_declined(box: Box) -> None:
    assert box.post("test/cards", {"account": "sora", "outcome": "lost_card"})[0] == 200
    assert box.post("test/cards", {"account": "sora", "outcome": "stolen"})[0] == 422
    box.post("test/clock", {"days": 31})
    state = box.get("accounts/sora")["state"]
    assert (state["unpaid_yen"], state["state"]) == (500, "suspended")


def test_a_live_door_has_no_such_clock_and_takes_no_such_key(house: House, box: Box) -> None:
    assert house.act("/v1/test/clock", {"days": 1})[0] == 404
    assert house.ask("GET", "/v1/test/clock")[0] == 404
    with house.engine.connect() as session:
        key = new_key(session, "t", "worker", ["*"], test=True, by="t", now=house.now).key
        assert not is_sandbox(session)
    told = house.client.get("/v1/accounts", headers={"Authorization": f"Bearer {key}"})
    assert (told.status_code, told.json()["type"]) == (401, "/v1/problems/key.not_taken")
    live = house.keys["worker"]
    assert box.client.get("/v1/accounts", headers={"Authorization": f"Bearer {live}"}).status_code == 401
    with (
        services_on(house.engine, house.door.settings, clock="given", reader=None) as services,
        pytest.raises(UserError),
    ):
        open_sandbox(services, "plans")


def test_a_sandbox_asks_nobody_outside_and_keeps_to_its_own_database(tmp_path: Path) -> None:
    made = sandbox_settings(Settings(gateway="stripe", mail_host="mail.example", data_dir=tmp_path))
    assert (made.gateway, made.mail_host, made.data_dir) == ("simulated", "", tmp_path / "sandbox")
    server = sandbox_settings(Settings(database_url="postgresql://a@h/d", database_schema="keizoku"))
    assert server.database_schema == "keizoku_sandbox"
    assert iso_jst(BEGINS) == "2026-04-01T09:00:00+09:00"
