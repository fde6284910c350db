"""Acts that want a second person: by whom, once, in time; and what the database refuses by itself."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from typer.testing import CliRunner

from keizoku.db.tables.closing import manual_entry
from keizoku.db.tables.evidence import interruption
from keizoku.db.tables.web import proposal, proposal_decision
from keizoku.web.application import operations
from tests.integration.web.conftest import NOW, House

ENTRY = {"on": "2026-05-06", "lines": {"6110": 100, "1131": -100}, "ground": "a correction"}


@pytest.fixture(autouse=True)
def second(house: House) -> None:
    """Keys of three people: `worker`, `second`, and another key of the first."""
    house.now = NOW
    if "second" not in house.keys:
        house.keys |= {
            "second": house.key("worker", name="second"),
            "third": house.key("support", name="third"),
            "first": house.key("worker", name="first"),
        }
        house.keys["first again"] = house.key("worker", name="first")


def proposed(house: House, who: str = "first", body: Mapping[str, Any] = ENTRY) -> int:
    """The number of a new proposal."""
    status, told = house.act("/v1/ledger/entries", body, who)
    assert (status, sorted(told), told["state"]) == (202, ["expires_at", "proposal", "state"], "waiting"), told
    return int(told["proposal"])


def decide(house: House, number: int, how: str, who: str) -> tuple[int, Any]:
    """A decision as somebody; (status, the kind of the problem or the state)."""
    status, told = house.act(f"/v1/proposals/{number}/{how}", {"ground": "looked at it"}, who)
    return status, told.get("state") or told["type"].rpartition("/")[2]


def test_the_acts_that_want_a_second_person(house: House) -> None:
    assert sorted(each.name for each in operations() if each.four_eyes) == [
        "accounts.write_off", "claims.grant_late", "evidence.add_interruption", "ledger.post", "ledger.reverse",
        "months.reopen", "payments.refund_deposit", "terms.announce",
    ]  # fmt: skip
    assert not [each.name for each in operations() if each.four_eyes and (each.then or each.upload)]


def test_an_act_is_done_by_the_approval_of_another_with_the_proposer_as_its_author(house: House) -> None:
    before = house.count(manual_entry)
    number = proposed(house)
    assert house.count(manual_entry) == before
    shown = house.get(f"/v1/proposals/{number}")
    assert (shown["state"], shown["proposed_ground"], shown["account"]) == ("waiting", "a correction", None)
    assert shown["expires_at"] == "2026-05-21T09:00:00+09:00"
    assert decide(house, number, "approve", "first") == (409, "proposal.same_person")
    assert decide(house, number, "approve", "first again") == (409, "proposal.same_person")  # another key of one person
    assert decide(house, number, "withdraw", "second") == (409, "proposal.not_own")
    assert decide(house, number, "approve", "third") == (403, "scope")  # support posts no entries
    assert decide(house, number, "approve", "second") == (200, "approved")
    assert house.count(manual_entry) == before + 1
    shown = house.get(f"/v1/proposals/{number}")
    assert (shown["proposed_by"][:10], shown["decided_by"][:11]) == ("key:first:", "key:second:")
    assert (shown["ground"], shown["result"]) == ("looked at it", shown["result"])
    with house.engine.connect() as session:
        author = session.scalars(sa.select(manual_entry.c.author).order_by(manual_entry.c.entry_id.desc())).first()
    assert author == shown["proposed_by"]
    for how in ("approve", "turn-down", "withdraw"):
        assert decide(house, number, how, "second") == (409, "proposal.decided")
    assert house.count(manual_entry) == before + 1


def test_of_many_approvals_at_once_one_does_it(house: House) -> None:
    before, number = house.count(manual_entry), proposed(house)
    with ThreadPoolExecutor(4) as pool:
        told = list(pool.map(lambda _: decide(house, number, "approve", "second"), range(4)))
    assert sorted(told) == [(200, "approved"), *[(409, "proposal.decided")] * 3]
    assert house.count(manual_entry) == before + 1


def test_what_is_turned_down_withdrawn_or_too_old_is_not_done(house: House) -> None:
    before = house.count(manual_entry)
    down, back, old = (proposed(house) for _ in range(3))
    assert decide(house, down, "turn-down", "second") == (200, "turned_down")
    assert decide(house, back, "withdraw", "first again") == (200, "withdrawn")
    house.now = NOW + timedelta(days=14)
    assert decide(house, old, "approve", "second") == (409, "proposal.expired")
    waiting = house.get("/v1/proposals", state="waiting", limit=200)["data"]
    assert {down, back, old}.isdisjoint(row["id"] for row in waiting)
    assert old in [row["id"] for row in house.get("/v1/proposals", state="expired", limit=200)["data"]]
    assert house.count(manual_entry) == before


def test_what_the_rules_refuse_stays_waiting(house: House) -> None:
    number = proposed(house, body={**ENTRY, "lines": {"6110": 100, "1131": -99}})
    status, _ = decide(house, number, "approve", "second")
    assert status == 409
    assert house.get(f"/v1/proposals/{number}")["state"] == "waiting"


def test_a_refund_over_the_limit_wants_a_second_person_and_one_below_does_not(house: House) -> None:
    house.act("/v1/accounts/a6/payments", {"yen": 5_000, "via": "bank"})
    house.door.settings = house.door.settings.model_copy(update={"refund_limit_yen": 1_000})
    held = house.get("/v1/deposits")["data"]
    assert [row["sent"] for row in held if row["account"] == "a6"] == [5_000], held
    path = "/v1/accounts/a6/deposit/refund"
    assert house.act(path, {"yen": 1_000, "ground": "asked for"}, key="small")[0] == 200
    assert house.act(path, {"yen": 1_000, "ground": "asked for"}, key="small")[0] == 200
    for yen in ({"yen": 1_001}, {}):
        assert house.act(path, {**yen, "ground": "asked for"})[0] == 202


def test_many_small_refunds_of_one_person_or_for_one_account_want_a_second_person_too(house: House) -> None:
    more = {"refund_limit_yen": 1_000, "refund_day_limit_yen": 0}
    house.door.settings = house.door.settings.model_copy(update=more)
    for account in ("a7", "a8"):
        house.act("/v1/applications", {"account": account, "plan": "monthly", "method": "card"})
        house.act(f"/v1/accounts/{account}/payments", {"yen": 5_000, "via": "bank"})
    for name in ("one", "two", "three"):
        house.keys[name] = house.key("worker", name=name)
    house.keys["one again"] = house.key("worker", name="one")

    def refund(who: str, account: str, yen: int) -> int:
        return house.ask(
            "POST", f"/v1/accounts/{account}/deposit/refund", who, json={"yen": yen, "ground": "asked for"},
            headers={"Idempotency-Key": uuid.uuid4().hex},
        )[0]  # fmt: skip

    assert [refund("one", "a7", 600), refund("one", "a7", 400), refund("one", "a8", 1)] == [200, 200, 202]
    assert [refund("one again", "a8", 1), refund("two", "a7", 1), refund("two", "a8", 300)] == [202, 202, 200]
    house.door.settings = house.door.settings.model_copy(update={"refund_day_limit_yen": 1_500})
    assert [refund("two", "a7", 500), refund("two", "a8", 1_000), refund("three", "a7", 1)] == [200, 202, 202]
    house.now += timedelta(days=1)
    assert [refund("one", "a8", 1_000), refund("one again", "a8", 500), refund("one", "a8", 1)] == [200, 200, 202]
    with ThreadPoolExecutor(4) as at_once:
        done = list(at_once.map(lambda _: refund("three", "a7", 500), range(4)))
    assert sorted(done) == [200, 200, 200, 202]


def test_the_database_refuses_an_approval_by_its_author_and_any_change(house: House) -> None:
    number = proposed(house)
    values = {"proposal_id": number, "ground": "x", "decided_at": NOW, "decided_by": "key:first:1"}
    for more in (
        {"decision": "approved", "person": "key:first", "of_person": "key:first"},
        {"decision": "approved", "person": "key:first", "of_person": "key:second"},
        {"decision": "withdrawn", "person": "key:second", "of_person": "key:first"},
    ):
        with house.door.connect("worker") as session, pytest.raises(DBAPIError, match=r"four_eyes|of_person|author"):
            session.execute(sa.insert(proposal_decision).values(**values, **more))
    for statement in (sa.update(proposal).values(content={}), sa.delete(proposal), sa.delete(proposal_decision)):
        with house.door.connect("worker") as session, pytest.raises(DBAPIError):
            session.execute(statement)


def test_support_approves_what_is_supports(house: House) -> None:
    before = house.count(interruption)
    body = {"from_at": "2026-04-10T10:00:00+09:00", "to_at": "2026-04-10T11:00:00+09:00", "ground": "a warning"}
    status, made = house.act("/v1/interruptions", body, "support")
    assert status == 202, made
    assert decide(house, made["proposal"], "approve", "third") == (200, "approved")
    assert house.count(interruption) == before + 1
    with house.engine.connect() as session:
        row = session.execute(sa.select(interruption).order_by(interruption.c.id.desc()).limit(1)).one()
    assert row.approved_by.startswith("key:third:")


def test_the_command_line_decides_as_well(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    from keizoku.web.cli import app

    url = house.engine.url.render_as_string(hide_password=False)
    monkeypatch.setenv("KEIZOKU_DATABASE_URL", url)
    monkeypatch.setenv("KEIZOKU_DATABASE_SCHEMA", house.door.schema)
    house.door.settings = house.door.settings.model_copy(update={"proposal_days": 365})  # its clock is the wall's
    before, number, other = house.count(manual_entry), proposed(house), proposed(house)

    def run(*words: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, [*words, "--json"])
        return done.exit_code, done.stdout

    said = ("--author", "sato", "--ground", "looked")
    listed = json.loads(run("proposals", "--state", "waiting", "--all")[1])
    assert {number, other} <= {row["id"] for row in listed}
    page = json.loads(run("proposals", "--limit", "1", "--after", f"proposal {number}")[1])
    assert page == [row for row in listed if row["id"] == other]
    for command in ("proposals", "requests", "sessions"):
        assert run(command, "--limit", "1", "--after", "x")[0] == 2
        assert len(json.loads(run(command, "--limit", "1")[1])) <= 1
    assert json.loads(run("approve", str(number), *said)[1])["state"] == "approved"
    assert json.loads(run("turn-down", str(other), *said)[1]) == {"proposal": other, "state": "turned_down"}
    assert house.count(manual_entry) == before + 1
    assert house.get(f"/v1/proposals/{number}")["decided_by"] == "local:sato"
