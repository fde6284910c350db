"""Members by link: they see what the staff see of their account, and nothing else, whatever the code above forgets."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from starlette.testclient import TestClient

from keizoku.billing.accounts.account_views import contract_view, invoices_view
from keizoku.db.members.views import MEMBER_SEES, SEEN_BY_ALL, show_rows_of
from keizoku.db.tables import metadata
from keizoku.db.tables.contracts import contract_fact
from keizoku.db.tables.web import http_request, web_session
from keizoku.web.application import operations
from keizoku.web.calls.operation import Operation
from keizoku.web.identity.browser import Site
from keizoku.web.identity.sessions import end_session
from tests.integration.web.browsers import HOST, PAGE, MemberBrowser
from tests.integration.web.conftest import NOW, House
from tests.worlds.link_world import admit, grant, linked_house

QUESTIONS = [each for each in operations() if each.member and each.kind != "act"]
ACTS = [each for each in operations() if each.member and each.kind == "act"]
SUBJECTS = {
    "claim": "SELECT account, id FROM claim ORDER BY id",
    "number": "",
    "payments.invoice": "SELECT account, id FROM invoice ORDER BY id",
    "payments.show_demand": "SELECT account, id FROM demand ORDER BY id",
    "documents.show": "SELECT account, id FROM issued_document ORDER BY id",
    "documents.letter": "SELECT account, 'N' || id FROM user_notice ORDER BY id",
}
"""(account, number) of the things that a path names by their number."""


def _things(house: House, operation: Operation) -> list[tuple[str, str]]:
    """Accounts, and what the path names of each."""
    of = operation.name if operation.name in SUBJECTS else "claim" if "claim" in operation.in_path else ""
    if not of:
        return [(account, "") for account in ("a0", "u01", "u05", "key", "coupon")]
    with house.engine.connect() as session:
        return [(row[0], str(row[1])) for row in session.exec_driver_sql(SUBJECTS[of])][:6]


def _path(operation: Operation, account: str, thing: str) -> tuple[str, dict[str, str]]:
    named = {"account": account, "plan": "monthly", "month": "2026-04"}
    path = "/v1" + operation.path
    for name in operation.in_path:
        path = path.replace("{" + name + "}", named.get(name, thing))
    own = operation.fields is not None and "account" in operation.fields.model_fields
    return path, {"account": account} if own else {}


@pytest.fixture(scope="module")
def browser(house: House) -> Callable[[str], MemberBrowser]:
    """The browser of a member, one for each."""
    known: dict[str, MemberBrowser] = {}

    def of(account: str) -> MemberBrowser:
        house.now = NOW
        if account not in known:
            known[account] = MemberBrowser.of(house, account)
        return known[account]

    house.door.settings = house.door.settings.model_copy(update={"issuer_name": "Keizoku"})
    assert house.act("/v1/months/2026-04/issue-documents")[0] == 200
    return of


def test_the_hosts_link_is_for_one_account_once_and_a_quarter_of_an_hour(house: House) -> None:
    house.now = NOW
    house.door.site = None
    assert house.act("/v1/member-sessions", {"account": "a0"})[1]["type"] == "/v1/problems/session.none_here"
    house.door.site = Site(f"https://{HOST}")
    assert house.act("/v1/member-sessions", {"account": "nobody"})[0] == 404
    assert house.act("/v1/member-sessions", {"account": "a0"}, role="finance")[0] == 403
    status, made = house.act("/v1/member-sessions", {"account": "a0"}, key="once")
    told = {"account": "a0", "expires_at": "2026-05-07T09:15:00+09:00"}
    assert (status, made) == (200, {**told, "url": made["url"]})
    assert house.act("/v1/member-sessions", {"account": "a0"}, key="once")[1] == told
    with TestClient(house.client.app, base_url=f"https://{HOST}") as client:
        assert client.get(made["url"]).status_code == 200
        assert client.post(made["url"], headers=PAGE, follow_redirects=False).status_code == 303
        assert client.post(made["url"], headers=PAGE, follow_redirects=False).status_code == 410
    narrow = house.key("support", "claims:write")
    headers = {"Authorization": f"Bearer {narrow}", "Idempotency-Key": "x"}
    assert house.client.post("/v1/member-sessions", json={"account": "a0"}, headers=headers).status_code == 403


@pytest.mark.parametrize("operation", QUESTIONS, ids=lambda each: each.name)
def test_a_member_is_answered_as_the_staff_of_their_account_alone(
    house: House, browser: Callable[[str], MemberBrowser], operation: Operation
) -> None:
    things = _things(house, operation)
    assert things
    for account, thing in things:
        path, query = _path(operation, account, thing)
        staff = house.ask("GET", path, "support", params=query)
        assert browser(account).get(path, **query) == staff, path
        if operation.kind == "list" and query:
            assert browser(account).get(path) == staff, path  # without a name it is theirs, too
        if operation.name != "contracts.offer":
            assert staff[0] == 200, staff
        other = browser("a1" if account != "a1" else "a0").get(path, **query)
        if operation.name == "claims.measured":  # of nobody
            assert other == staff, path
            continue
        named = "account" in operation.in_path or query
        assert (other[0], other[1].get("type")) == (
            (403, "/v1/problems/account.foreign") if named else (404, other[1]["type"])
        ), (path, other)


def test_what_is_for_the_staff_is_403_for_a_member(house: House, browser: Callable[[str], MemberBrowser]) -> None:
    member, known = browser("a0"), {"account": "a0", "month": "2026-04", "on": "2026-04-30"}
    for operation in operations():
        if operation.member or operation.streams:
            continue
        path = "/v1" + operation.path
        for name in operation.in_path:
            path = path.replace("{" + name + "}", known.get(name, "9"))
        status, told = member.get(path) if operation.kind != "act" else member.act(path)
        assert (status, told["type"]) == (403, "/v1/problems/role"), (operation.name, told)


def test_the_database_shows_no_row_of_another_nor_without_a_living_session(
    house: House, browser: Callable[[str], MemberBrowser]
) -> None:
    door, member = house.door, browser("u01").session()
    with door.services("member", acts=False, shows=member.principal.shows) as services:
        assert contract_view(services.session, services.rules, "u01", NOW).state == "ended"
        assert invoices_view(services.session, "u01")
        assert contract_view(services.session, services.rules, "a0", NOW).state is None
        assert invoices_view(services.session, "a0") == []
        for name in sorted(MEMBER_SEES):
            table = metadata.tables[name]
            if "account" in table.c:
                seen = set(services.session.scalars(sa.select(table.c["account"]).distinct()))
                assert seen <= {"u01"}, name
        accounts = services.session.scalars(sa.select(metadata.tables["account"].c.id)).all()
        assert accounts == ["u01"]
        schema = door.schema
        for statement in (
            f"SELECT * FROM {schema}.invoice",
            f"SELECT * FROM {schema}.web_session",
            "INSERT INTO account (id, created_at) VALUES ('x', now())",
            "UPDATE contract SET renews_on = NULL",
            "DELETE FROM invoice",
            "SET ROLE postgres",
        ):
            with pytest.raises(DBAPIError):
                services.session.execute(sa.text(statement))
            services.session.rollback()
        # a function that tells what it sees is not asked about rows of others: the views are barriers
        leak = "SELECT id FROM account WHERE CASE WHEN id <> 'u01' THEN 1 / (length(id) - length(id)) ELSE 1 END > 0"
        assert services.session.scalars(sa.text(leak)).all() == ["u01"]
        # of another session the hash is not known, and whoever says a made-up one sees nothing
        for digest in ("", "0" * 64, member.token):
            show_rows_of(services.session, digest)
            for name in sorted(MEMBER_SEES - {"environment_ruling"}):
                assert services.session.execute(sa.text(f"SELECT 1 FROM {name}")).first() is None, name
    with door.connect("member") as session:  # the next call that is given this connection
        assert session.scalar(sa.text("SELECT count(*) FROM account")) == 0
        assert session.scalar(sa.text("SELECT count(*) FROM plan")) == 2
    assert not MEMBER_SEES & SEEN_BY_ALL


def test_a_session_that_was_ended_shows_nothing_even_where_the_door_still_takes_it(house: House) -> None:
    house.now = NOW
    browser = MemberBrowser.of(house, "a2")
    found = browser.session()
    with house.engine.connect() as session:
        end_session(session, found.id, by="t", ground="lost", now=NOW)
    with house.door.services("member", acts=False, shows=found.principal.shows) as services:
        assert invoices_view(services.session, "a2") == []
    assert browser.get("/v1/accounts/a2/invoices")[0] == 401


def test_a_members_session_ends_after_a_quarter_of_an_hour_and_after_an_hour(house: House) -> None:
    house.now = NOW
    browser = MemberBrowser.of(house, "a2")
    for minutes in (14, 28, 42, 56):
        house.now = NOW + timedelta(minutes=minutes)
        assert browser.get("/v1/accounts/a2/access")[0] == 200
    house.now = NOW + timedelta(minutes=60)
    assert browser.get("/v1/accounts/a2/access")[0] == 401
    house.now = NOW


def _body(operation: Operation, account: str) -> dict[str, Any]:
    given = {
        "contracts.change_method": {"method": "other"}, "cards.finish": {"setup": "seti_1"},
        "claims.submit": {"account": account, "month": "2026-04"}, "claims.withdraw": {"ground": "x"},
        "claims.consent": {"what": "x", "ground": "x"}, "accounts.member_file": {"ground": "x"},
        "links.begin": {"scope": "data", "back": f"https://{HOST}/member/link-back"},
        "links.finish": {"state": "s" * 43, "code": "c"}, "links.revoke": {"ground": "x"},
    }  # fmt: skip
    return dict(given.get(operation.name, {}))


@pytest.mark.parametrize("operation", ACTS, ids=lambda each: each.name)
def test_a_members_act_is_on_their_account_alone_and_the_database_says_so_too(
    house: House,
    browser: Callable[[str], MemberBrowser],
    operation: Operation,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    thing = "open" if "claim" in operation.in_path else ""
    if thing:
        house.act("/v1/claims", {"account": "u00", "month": "2026-04", "claim": "open"}, key="open")
    if operation.name == "contracts.withdraw_end_of_use":
        house.act("/v1/contracts/u00/end-of-use")
    if operation.name == "links.revoke":
        with linked_house(house.engine) as (link, _):
            admit(link, "u00")
            grant(link, "u00")
    path, _ = _path(operation, "u00", thing)
    member = browser("a1")
    before = _rows(house)
    status, told = member.act(path, _body(operation, "u00"))
    wanted = (404, "/v1/problems/claim.unknown") if thing else (403, "/v1/problems/account.foreign")
    if operation.name == "links.finish":  # it names no account: whoever began the linking is asked
        wanted = (409, "/v1/problems/link.state_unknown")
    assert (status, told["type"]) == wanted, told
    # the same with the handler's check taken out: the account is not held against the session
    door = type(house.door)
    monkeypatch.setattr(door, "check_whose", lambda *_: None)
    monkeypatch.setattr(door, "account_for", lambda _s, _o, _r, given: given.get("account") or "u00")
    status, told = member.act(path, _body(operation, "u00"), key="k2")
    assert (status, told["type"], told["detail"][:12]) == (403, "/v1/problems/account.foreign", "the database"), told
    assert _rows(house) == before


def _rows(house: House) -> dict[str, int]:
    with house.engine.connect() as session:
        return {
            name: int(session.execute(sa.text(f"SELECT count(*) FROM {name}")).scalar_one())
            for name in metadata.tables
            if name not in ("http_request", "web_session", "sign_in_link", "act_key")
        }


def test_a_member_ends_their_use_and_claims_and_it_is_theirs_in_the_log(
    house: House, browser: Callable[[str], MemberBrowser]
) -> None:
    member = browser("a3")
    before = house.count(contract_fact)
    first = member.act("/v1/contracts/a3/end-of-use", key="mine")
    assert (first[0], first[1]["account"]) == (200, "a3")
    assert member.act("/v1/contracts/a3/end-of-use", key="mine") == first
    assert house.count(contract_fact) == before + 1
    status, told = member.act("/v1/claims", {"account": "a3", "month": "2026-04"}, key="claim")
    assert status == 200, told
    assert member.act("/v1/claims/" + told["claim"] + "/withdraw", {"ground": "mistake"}, key="back")[0] == 200
    for field, value in (("received_at", "2026-04-01T00:00:00+09:00"), ("ground", "x"), ("claim", "mine")):
        status, told = member.act("/v1/claims", {"account": "a3", "month": "2026-04", field: value}, key=field)
        assert (status, told["type"]) == (422, "/v1/problems/field.of_staff")
    house.door.log.flush()
    with house.engine.connect() as session:
        rows = session.execute(
            sa.select(http_request)
            .where(http_request.c.as_member.is_not(None), http_request.c.account == "a3")
            .order_by(http_request.c.id)
        ).all()
        own = session.execute(sa.select(web_session.c.id).where(web_session.c.account == "a3")).scalars().all()
    assert {row.principal for row in rows} == {"member"}
    assert {row.role for row in rows} <= {"worker", "support", "member"}
    assert {row.as_member for row in rows} <= set(own)
    assert [row.route for row in rows if row.act][:1] == ["/contracts/{account}/end-of-use"]


def test_two_members_may_say_the_same_key(house: House, browser: Callable[[str], MemberBrowser]) -> None:
    answers = [browser(name).act(f"/v1/contracts/{name}/end-of-use", key="the same")[1] for name in ("a4", "a5")]
    assert [each["account"] for each in answers] == ["a4", "a5"]


def test_of_two_who_open_a_link_at_once_one_comes_in(house: House) -> None:
    house.door.site = Site(f"https://{HOST}")
    url = house.act("/v1/member-sessions", {"account": "a0"})[1]["url"]
    with ThreadPoolExecutor(4) as pool, TestClient(house.client.app, base_url=f"https://{HOST}") as client:

        def enter(_: int) -> int:
            return client.post(url, headers={**PAGE, "Cookie": ""}, follow_redirects=False).status_code

        assert sorted(pool.map(enter, range(4))) == [303, 410, 410, 410]
