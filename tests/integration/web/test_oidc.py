"""Sign-in of the staff at a provider over HTTP: the round trip, and every word of it that is not as it has to be."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from keizoku.db.tables.web import web_session
from keizoku.scheduler.cli.shared.output import UserError
from keizoku.web.identity.browser import Site, own_page
from keizoku.web.identity.oidc import Directory
from keizoku.web.identity.oidc_settings import OidcFileError, read_oidc_file
from keizoku.web.serve import Place, directory_at
from tests.integration.web.conftest import NOW, House
from tests.worlds.oauth_server import CLIENT, SECRET
from tests.worlds.oidc_provider import Provider, running, said_in

HOST = "https://billing.example"
BACK = f"{HOST}/sign-in/back"
Desk = tuple[TestClient, Provider]


def _file(folder: Path, issuer: str, more: str = "") -> Path:
    (folder / "secret").write_text(SECRET + "\n")
    file = folder / "oidc.toml"
    file.write_text(
        f'issuer = "{issuer}"\nclient_id = "{CLIENT}"\nclient_secret_file = "secret"\n{more}\n'
        '[roles]\nfinance = ["accounting"]\nsupport = ["helpdesk", "accounting"]\n'
    )
    return file


@pytest.fixture
def desk(house: House, tmp_path: Path) -> Iterator[Desk]:
    """A browser at the house, and the directory that it signs in at."""
    house.now = NOW
    house.door.site = Site(HOST)
    with (
        running(BACK) as provider,
        TestClient(house.client.app, base_url=HOST, raise_server_exceptions=False) as client,
    ):
        provider.groups = {"suzuki": ["accounting", "all"], "mori": ["all"]}
        house.door.directory = Directory(read_oidc_file(_file(tmp_path, provider.url)), BACK)
        yield client, provider


def _gone(desk: Desk, user: str = "suzuki", to: str = "/") -> str:
    """The way there, and what the browser is sent back to."""
    client, provider = desk
    answer = client.get("/sign-in", params={"to": to}, follow_redirects=False)
    assert answer.status_code == 303
    return provider.authorize(answer.headers["location"], user)


def _back(desk: Desk, url: str) -> Any:
    return desk[0].get(url, follow_redirects=False)


def test_the_round_trip_begins_a_session_with_the_roles_of_the_groups(desk: Desk, house: House) -> None:
    client, provider = desk
    asked = client.get("/sign-in", params={"to": "/months/2026-04"}, follow_redirects=False)
    said = said_in(asked.headers["location"])
    assert (said["code_challenge_method"], said["response_type"], said["redirect_uri"]) == ("S256", "code", BACK)
    assert {"state", "nonce", "code_challenge"} <= set(said)
    assert "; HttpOnly; Max-Age=600; Path=/; SameSite=lax; Secure" in asked.headers["set-cookie"]
    answer = _back(desk, provider.authorize(asked.headers["location"], "suzuki"))
    assert (answer.status_code, answer.headers["location"]) == (303, "/months/2026-04")
    assert client.cookies.get("__Host-keizoku-sign-in") is None
    assert client.get("/v1/accounts/a0/access").status_code == 200
    with house.engine.connect() as session:
        row = session.execute(sa.select(web_session).order_by(web_session.c.id.desc()).limit(1)).one()
    assert (row.kind, row.principal, row.roles, row.account) == ("staff", "staff:suzuki", ["finance", "support"], None)


def test_who_left_the_group_has_no_role_any_more(desk: Desk) -> None:
    assert _back(desk, _gone(desk)).status_code == 303
    desk[1].groups["suzuki"] = ["all"]
    answer = _back(desk, _gone(desk))
    assert (answer.status_code, "none of your groups" in answer.text) == (403, True)
    assert _back(desk, _gone(desk, "mori")).status_code == 403
    desk[1].groups["suzuki"] = None
    assert _back(desk, _gone(desk)).status_code == 403


@pytest.mark.parametrize(
    ("lies", "why"),
    [
        ({"nonce": "another"}, "does not hold"),
        ({"nonce": None}, "does not hold"),
        ({"iss": "https://evil.example"}, "does not hold"),
        ({"aud": "another"}, "does not hold"),
        ({"aud": [CLIENT, "another"]}, "another application"),
        ({"azp": "another"}, "another application"),
        ({"exp": 1_700_000_000}, "does not hold"),
        ({"exp": None}, "does not hold"),
        ({"iat": 4_000_000_000, "exp": 4_000_000_300}, "does not hold"),
        ({"nbf": 4_000_000_000}, "does not hold"),
        ({"sub": None}, "does not hold"),
        ({"sub": "x\r\nSet-Cookie: a=b"}, "no usable sub"),
        ({"sub": 7}, "does not hold"),
        ({"groups": {"accounting": True}}, "none of your groups"),
    ],
)
def test_a_token_that_does_not_hold_lets_nobody_in(desk: Desk, lies: dict[str, Any], why: str) -> None:
    desk[1].lies = lies
    answer = _back(desk, _gone(desk))
    assert (answer.status_code, why in answer.text) == (403, True), answer.text
    assert "__Host-keizoku=" not in answer.headers["set-cookie"]
    assert desk[0].get("/v1/accounts/a0/access").status_code == 401


@pytest.mark.parametrize("signs", ["other", "HS256", "none"])
def test_a_token_that_the_directory_did_not_sign_lets_nobody_in(desk: Desk, signs: str) -> None:
    desk[1].signs = signs
    assert _back(desk, _gone(desk)).status_code == 403


def test_a_code_is_taken_once_even_where_the_directory_takes_it_twice(desk: Desk) -> None:
    client, provider = desk
    for provider.keeps_codes in (False, True):
        url = _gone(desk)
        secret = client.cookies["__Host-keizoku-sign-in"]
        assert _back(desk, url).status_code == 303
        assert _back(desk, url).status_code == 403  # its cookie is gone
        client.cookies.set("__Host-keizoku-sign-in", secret)
        again = _back(desk, url)
        assert (again.status_code, "used before" in again.text) == (403, provider.keeps_codes)
        client.cookies.delete("__Host-keizoku-sign-in")


def test_a_code_fits_the_browser_that_asked_alone(desk: Desk) -> None:
    client, _ = desk
    stolen = _gone(desk)
    client.cookies.clear()
    mine = _gone(desk)
    for url in (
        stolen,  # somebody else's code and state, in my browser
        f"{mine.partition('?')[0]}?code={said_in(stolen)['code']}&state={said_in(mine)['state']}",  # their code
        f"{BACK}?code={said_in(mine)['code']}",
        f"{mine}&state={said_in(stolen)['state']}",
        f"{BACK}?error=access_denied&state={said_in(mine)['state']}",
        f"{mine}&iss=https://evil.example",
    ):
        kept = client.cookies["__Host-keizoku-sign-in"]
        assert _back(desk, url).status_code == 403, url
        client.cookies.set("__Host-keizoku-sign-in", kept)
    assert client.get("/v1/accounts/a0/access").status_code == 401


def test_groups_may_come_from_userinfo_of_the_same_person(desk: Desk) -> None:
    desk[1].groups_in_token = False
    assert _back(desk, _gone(desk)).status_code == 303
    desk[1].told = {"sub": "mori"}
    assert _back(desk, _gone(desk)).status_code == 403


@pytest.mark.parametrize(
    "about",
    [
        {"issuer": "https://evil.example"},
        {"token_endpoint": "http://evil.example/token"},
        {"authorization_endpoint": None},
        {"jwks_uri": "file:///etc/passwd"},
    ],
)
def test_a_directory_that_names_another_or_an_open_way_is_not_used(desk: Desk, about: dict[str, Any]) -> None:
    desk[1].about = about
    assert desk[0].get("/sign-in", follow_redirects=False).status_code == 403


def test_a_directory_that_is_away_is_told_and_nobody_comes_in(house: House, tmp_path: Path) -> None:
    house.door.site = Site(HOST)
    house.door.directory = Directory(read_oidc_file(_file(tmp_path, "http://127.0.0.1:9")), BACK)
    with TestClient(house.client.app, base_url=HOST, raise_server_exceptions=False) as client:
        answer = client.get("/sign-in", follow_redirects=False)
        assert (answer.status_code, "does not answer" in answer.text) == (403, True)
        house.door.directory = None
        assert client.get("/sign-in").status_code == client.get("/sign-in/back").status_code == 404


@pytest.mark.parametrize(
    ("to", "page"),
    [
        ("/a?b=c", "/a?b=c"),
        ("//evil.example", "/"),
        ("https://evil.example", "/"),
        ("/\\evil.example", "/"),
        ("/a\r\nX: y", "/"),
        ("", "/"),
    ],
)
def test_only_a_page_of_ours_is_opened_afterwards(to: str, page: str) -> None:
    assert own_page(to) == page


def test_signing_out_names_the_directorys_own_page(desk: Desk) -> None:
    client, provider = desk
    assert _back(desk, _gone(desk)).status_code == 303
    page = client.post("/sign-out", headers={"Sec-Fetch-Site": "same-origin"})
    assert page.status_code == 403
    client.cookies.clear()
    page = client.post("/sign-out", headers={"Sec-Fetch-Site": "same-origin"})
    assert f"{provider.url}/leave?client_id={CLIENT}&amp;post_logout_redirect_uri=https" in page.text


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda text: text.replace("http://127.0.0.1:1", "http://login.example"), r"oidc.toml: issuer: .*https"),
        (lambda text: text + 'member = ["x"]\n', r"oidc.toml: roles: .*worker, finance, support"),
        (lambda text: text.replace('"secret"', '"nowhere"'), r"client_secret_file .*nowhere cannot be read"),
        (lambda text: "secret = 'x'\n" + text, r"secret: name a file that holds it"),
        (lambda text: text + "more = 1\n", r"oidc.toml: roles.more"),
        (lambda text: text + "=", r"oidc.toml: is no TOML"),
    ],
)
def test_a_file_that_cannot_be_used_is_told_in_one_line(
    tmp_path: Path, change: Callable[[str], str], line: str
) -> None:
    file = _file(tmp_path, "http://127.0.0.1:1")
    file.write_text(change(file.read_text()))
    with pytest.raises(OidcFileError, match=line) as told:
        read_oidc_file(file)
    assert "\n" not in str(told.value)


def test_the_file_is_used_with_an_address_for_browsers_only(tmp_path: Path) -> None:
    place = Place(oidc=_file(tmp_path, "http://127.0.0.1:1"))
    for site in (None, Site("http://127.0.0.1:8420", local=True)):
        with pytest.raises(UserError, match="KEIZOKU_PUBLIC_URL"):
            directory_at(place, site)
    found = directory_at(place, Site(HOST))
    assert found is not None
    assert (found.redirect_uri, SECRET in repr(found)) == (BACK, False)
    assert directory_at(Place(), None) is None
