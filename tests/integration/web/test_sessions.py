"""Sessions in a browser: how one begins, what it is taken for, how it ends; and what somebody else makes of it."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi import Request
from fastapi.responses import PlainTextResponse
from sqlalchemy.exc import DBAPIError
from starlette.testclient import TestClient

from keizoku.db.tables.web import http_request, sign_in_link, web_session
from keizoku.scheduler.cli.shared.output import UserError
from keizoku.terms.refusal import Refused
from keizoku.web.identity.browser import Site, session_of, sign_in
from keizoku.web.identity.links import new_link
from keizoku.web.identity.principal import ROLES, Principal
from keizoku.web.identity.sessions import end_session, session_list
from keizoku.web.serve import Place, local_link, site_at
from tests.integration.web.browsers import HOST, PAGE
from tests.integration.web.conftest import NOW, House

STAFF = Principal("staff", "staff:suzuki", ("support", "finance"))
MEMBER = Principal("member", "member:a0", ("member",), account="a0")
LOCAL = Principal("local", "local:me", ("worker",))


@dataclass
class Browser:
    """A browser at the house: it keeps cookies."""

    house: House
    client: TestClient

    def link(self, principal: Principal = MEMBER) -> str:
        """The path of a new link."""
        with self.house.engine.connect() as session:
            token = new_link(session, principal, by="t", now=self.house.now)
            session.commit()
        return f"/enter/{token}"

    def enter(self) -> str:
        """Sign in as one of the staff; the cookie's value."""
        assert self.client.post("/t/sign-in").status_code == 200
        return str(self.client.cookies["__Host-keizoku"])

    def form_token(self) -> str:
        """What the forms of the session carry, as a page would have it."""
        return str(self.client.get("/t/form-token").text)

    def status(self, **headers: str) -> int:
        """Of a question with these headers."""
        return int(self.client.get("/v1/accounts/a0/access", headers=headers).status_code)


@pytest.fixture
def browser(house: House) -> Iterator[Browser]:
    """A browser, and pages of the tests' own."""
    house.door.site = Site(f"https://{HOST}")
    house.now = NOW
    app: Any = house.client.app
    if not any(getattr(route, "path", "") == "/t/form-token" for route in app.routes):

        def form_token(request: Request) -> PlainTextResponse:
            found = session_of(request)
            return PlainTextResponse(found.form_token if found else "")

        def come(request: Request) -> PlainTextResponse:
            answer = PlainTextResponse("")
            with house.door.connect("worker") as session:
                sign_in(request, answer, session, STAFF, uuid.uuid4().hex)
                session.commit()
            return answer

        app.get("/t/form-token")(form_token)
        app.post("/t/sign-in")(come)
    with TestClient(app, base_url=f"https://{HOST}", raise_server_exceptions=False) as client:
        yield Browser(house, client)


def test_a_link_begins_one_session_and_looking_at_it_does_not_use_it_up(browser: Browser) -> None:
    link = browser.link()
    for _ in range(2):
        page = browser.client.get(link)
        assert (page.status_code, f'action="{link}"' in page.text) == (200, True)
        assert "form-action 'self'" in page.headers["content-security-policy"]
    answer = browser.client.post(link, headers=PAGE, follow_redirects=False)
    assert answer.status_code == 303
    cookie = answer.headers["set-cookie"]
    assert re.fullmatch(r"__Host-keizoku=[\w-]{43}; HttpOnly; Path=/; SameSite=lax; Secure", cookie), cookie
    assert browser.client.get(link).status_code == 410
    assert browser.client.post(link, headers=PAGE).status_code == 410
    assert browser.client.get("/t/form-token").text != ""
    with browser.house.engine.connect() as session:
        rows = session.execute(sa.select(web_session.c.digest).union(sa.select(sign_in_link.c.digest))).scalars().all()
    assert not [row for row in rows if row in cookie + link]


def test_a_link_is_too_old_after_a_quarter_of_an_hour(browser: Browser) -> None:
    link = browser.link()
    browser.house.now = NOW + timedelta(minutes=15)
    assert browser.client.post(link, headers=PAGE).status_code == 410


def test_a_session_is_as_its_roles_and_its_calls_are_logged(browser: Browser) -> None:
    browser.enter()
    answer = browser.client.get("/v1/accounts/a0/access")
    assert answer.json() == {"account": "a0", "access": True, "state": "active"}
    browser.house.door.log.flush()
    with browser.house.engine.connect() as session:
        newest = session.execute(sa.select(http_request).order_by(http_request.c.id.desc()).limit(1)).one()
    assert (newest.principal, newest.role, newest.account) == ("staff:suzuki", "support", "a0")


def test_a_session_ends_unused_and_in_any_case(browser: Browser) -> None:
    browser.enter()
    for minutes in (29, 58):
        browser.house.now = NOW + timedelta(minutes=minutes)
        assert browser.status() == 200
    browser.house.now = NOW + timedelta(minutes=58 + 30)
    assert browser.status() == 401
    browser.house.now = NOW + timedelta(minutes=59)  # what has ended does not come back with the clock
    assert browser.status() == 401
    browser.house.now = NOW
    browser.enter()
    for half_hours in range(1, 21):
        browser.house.now = NOW + timedelta(minutes=29 * half_hours)
        assert browser.status() == 200
    browser.house.now = NOW + timedelta(hours=10)
    assert browser.status() == 401
    with browser.house.engine.connect() as session:
        ended = [row.ended_why for row in session_list(session)]
    assert ended[-2:] == ["idle", "over"]


def test_signing_in_anew_ends_the_session_before_and_a_planted_cookie_is_never_taken_over(browser: Browser) -> None:
    planted = "A" * 43
    browser.client.cookies.set("__Host-keizoku", planted, domain=HOST)
    first = browser.enter()
    second = browser.enter()
    assert len({planted, first, second}) == 3
    for token, status in ((planted, 401), (first, 401), (second, 200)):
        browser.client.cookies.clear()
        assert browser.status(Cookie=f"__Host-keizoku={token}") == status
    assert browser.status(Cookie=f"__Host-keizoku={planted}; __Host-keizoku={second}") == 401  # one of two is planted


def test_a_session_that_was_ended_or_signed_out_of_is_not_taken_again(browser: Browser) -> None:
    token = browser.enter()
    with browser.house.engine.connect() as session:
        [row] = [each for each in session_list(session, living_at=NOW) if each.principal == "staff:suzuki"][-1:]
        assert end_session(session, row.id, by="t", ground="lost telephone", now=NOW) is True
        assert end_session(session, row.id, by="t", ground="again", now=NOW) is False
        with pytest.raises(Refused, match="no session 999999"):
            end_session(session, 999_999, by="t", ground="x", now=NOW)
    assert browser.status() == 401
    token = browser.enter()
    assert browser.client.post("/sign-out", headers=PAGE).status_code == 403  # without the form's token
    answer = browser.client.post("/sign-out", headers=PAGE, data={"form_token": browser.form_token()})
    assert (answer.status_code, "Max-Age=0" in answer.headers["set-cookie"]) == (200, True)
    assert browser.status(Cookie=f"__Host-keizoku={token}") == 401


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 403),
        ({"Origin": f"https://{HOST}"}, 409),
        ({"Sec-Fetch-Site": "same-origin"}, 409),
        ({"Sec-Fetch-Site": "same-site", "Origin": f"https://{HOST}"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "none"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": f"http://{HOST}"}, 403),
        ({"Origin": f"https://{HOST}.evil.example"}, 403),
    ],
)
def test_an_act_has_to_come_from_our_own_page(browser: Browser, headers: dict[str, str], status: int) -> None:
    browser.enter()
    form, key = browser.form_token(), uuid.uuid4().hex
    more = {"X-Form-Token": form, "Idempotency-Key": key, **headers}
    asked_for = browser.client.post("/v1/claims/nothing/withdraw", headers=more, json={"ground": "x"})
    assert asked_for.status_code == {409: 404}.get(status, status), asked_for.text


def test_an_act_needs_the_form_of_its_own_session(browser: Browser) -> None:
    browser.enter()
    mine = browser.form_token()
    browser.enter()
    other = browser.form_token()
    assert mine != other
    for form in ("", mine, other[:-1]):
        more = {"X-Form-Token": form, "Idempotency-Key": "x", **PAGE}
        told = browser.client.post("/v1/claims/nothing/withdraw", headers=more, json={"ground": "x"})
        assert (told.status_code, told.json()["type"]) == (403, "/v1/problems/form.foreign")
    assert (
        browser.client.post("/console/acts/claims.withdraw", headers=PAGE, data={"form_token": "x"}).status_code == 403
    )


def test_another_host_and_another_sites_page_have_no_session(browser: Browser) -> None:
    token = browser.enter()
    cookie = {"Cookie": f"__Host-keizoku={token}"}
    for host in ("evil.example", f"{HOST}:8443", f"{HOST}.evil.example", f"{HOST}\tevil", ""):
        assert browser.status(Host=host, **cookie) == 421, host
    assert browser.client.get(browser.link(), headers={"Host": "evil.example"}).status_code == 421
    assert browser.status(**{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}) == 401
    assert browser.status(**{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}) == 200  # a link


def test_a_session_of_this_machine_is_none_at_a_public_door_and_the_other_way_round(browser: Browser) -> None:
    link = browser.link(LOCAL)
    assert browser.client.get(link).status_code == browser.client.post(link, headers=PAGE).status_code == 410
    token = browser.enter()
    browser.house.door.site = Site("http://127.0.0.1:8420", local=True)
    cookie = {"Cookie": f"keizoku_local={token}"}
    assert browser.status(Host="127.0.0.1:8420", **cookie) == 401
    assert browser.status(Host="rebound.example:8420", **cookie) == 421
    answer = browser.client.post(
        link,
        headers={"Host": "localhost:8420", "Origin": "http://localhost:8420"},
        follow_redirects=False,
    )
    [name, *rest] = answer.headers["set-cookie"].split("; ")
    assert (name[:14], rest) == ("keizoku_local=", ["HttpOnly", "Path=/", "SameSite=lax"])
    assert browser.status(Host="localhost:8420", Cookie=name) == 200
    browser.house.door.site = None
    assert browser.status(Cookie=name) == 401
    assert browser.client.get(browser.link()).status_code == 404


def test_nothing_of_a_session_is_rewritten(browser: Browser) -> None:
    browser.enter()
    for statement in (
        "UPDATE web_session SET ended_why = 'other' WHERE ended_why = 'over'",
        "UPDATE web_session SET roles = '[\"worker\"]'",
        "UPDATE web_session SET ended_at = NULL, ended_why = NULL",
        "UPDATE sign_in_link SET expires_at = now()",
        "DELETE FROM web_session",
    ):
        with browser.house.door.connect("worker") as session, pytest.raises(DBAPIError):
            session.execute(sa.text(statement))
    for role in ("finance", "support"):
        with browser.house.door.connect(role) as session, pytest.raises(DBAPIError, match="permission denied"):
            session.execute(sa.select(web_session.c.digest))


def test_a_header_cannot_be_injected_by_a_link_or_a_form(browser: Browser) -> None:
    for path in ("/enter/a%0d%0aSet-Cookie:%20x=1", "/enter/" + "A" * 44, "/enter/../v1/accounts"):
        answer = browser.client.post(path, headers=PAGE)
        assert answer.status_code in (404, 405, 422)
        assert "set-cookie" not in answer.headers


def test_local_is_for_this_machine_alone_and_its_link_opens_it(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    for host in ("0.0.0.0", "192.0.2.1", "billing.example"):  # noqa: S104 - it is refused
        with pytest.raises(UserError, match="--local listens on this machine alone"):
            site_at(browser.house.door.settings, Place(host=host, local=True))
    browser.house.door.site = site_at(browser.house.door.settings, Place(port=8420, local=True))
    monkeypatch.setenv("LOGNAME", "tanaka")
    link = local_link(browser.house.door)
    assert link.startswith("http://127.0.0.1:8420/enter/")
    headers = {"Host": "127.0.0.1:8420", "Origin": "http://127.0.0.1:8420"}
    assert (
        browser.client.post(
            link.removeprefix("http://127.0.0.1:8420"), headers=headers, follow_redirects=False
        ).status_code
        == 303
    )
    with browser.house.engine.connect() as session:
        newest = session_list(session)[-1]
    assert (newest.kind, newest.principal, newest.roles) == ("local", "local:tanaka", ROLES)
