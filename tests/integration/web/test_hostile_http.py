"""Hostile calls over real HTTP: each gets one clear problem, and no connection is held for ever."""

from __future__ import annotations

import base64
import gzip
import json
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest

from keizoku.web import protocol
from keizoku.web.calls import size_limit
from keizoku.web.protocol import DoorProtocol
from tests.integration.web.conftest import House
from tests.worlds.listening import listening


@pytest.fixture(scope="module")
def port(house: House) -> Iterator[int]:
    more: dict[str, Any] = {"lifespan": "off", "h11_max_incomplete_event_size": 32 * 1024}
    with listening(house.client.app, http=DoorProtocol, **more) as port:
        yield port


def say(port: int, *parts: bytes, pause: float = 0, within: float = 10) -> tuple[int, dict[str, str], Any]:
    """(status, headers, body) of what these bytes are answered; the connection has to end or be answered in time."""
    with socket.create_connection(("127.0.0.1", port), timeout=within) as connection:
        for part in parts:
            try:
                connection.sendall(part)
            except OSError:
                break
            time.sleep(pause)
        got = b""
        while True:
            try:
                more = connection.recv(65_536)
            except ConnectionError:
                break
            got += more
            head, _, body = got.partition(b"\r\n\r\n")
            lines = head.decode("latin-1").split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
            if not more or (b"\r\n\r\n" in got and len(body) >= int(headers.get("content-length", 0))):
                break
    return int(lines[0].split()[1]), headers, json.loads(body)


def post(house: House, body: bytes, *more: str, path: str = "/v1/accounts/a0/suspend", length: bool = True) -> bytes:
    lines = [
        f"POST {path} HTTP/1.1", "Host: x", f"Authorization: Bearer {house.keys['worker']}", "Idempotency-Key: k",
        "Content-Type: application/json", *([f"Content-Length: {len(body)}"] if length else []), *more,
    ]  # fmt: skip
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


DEEP = b"[" * 100_000 + b"]" * 100_000


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        (b'{"ground": "a", "ground": "b"}', 422, "form"),
        (b'{"ground": "a", "accelerates": NaN}', 422, "form"),
        (b'{"ground": "a", "accelerates": -Infinity}', 422, "form"),
        (b'{"ground": "a", "accelerates": 1e999}', 422, "form"),
        (b'{"ground": ' + b"9" * 5_000 + b"}", 422, "form"),
        (b'{"ground": "\xff\xfe"}', 422, "form"),
        (b'{"ground": "\\ud800"}', 422, "form"),
        (b'{"ground": "a\\u0000b"}', 422, "form"),
        (b'{"ground": "a"', 422, "form"),
        (b"", 422, "form"),
        (b"null", 422, "form"),
        (b'"a"', 422, "form"),
        (b'[{"ground": "a"}]', 422, "form"),
        (DEEP, 422, "form"),
        (b'{"ground": ' + DEEP + b"}", 422, "form"),
        (b'{"ground": "' + b"a" * (1024 * 1024) + b'"}', 413, "size"),
        (b'\xef\xbb\xbf{"ground": "a"}', 422, "form"),
    ],
)
def test_a_body_that_is_no_good_json_gets_one_problem(
    house: House, port: int, body: bytes, status: int, kind: str
) -> None:
    got, headers, told = say(port, post(house, body))
    assert (got, headers["content-type"], told["type"]) == (status, "application/problem+json", f"/v1/problems/{kind}")
    assert len(told["detail"]) < 500
    assert "\n" not in told["detail"]


@pytest.mark.parametrize(
    ("body", "more", "status", "kind"),
    [
        (gzip.compress(b'{"ground": "' + b"a" * 20_000_000 + b'"}'), "Content-Encoding: gzip", 415, "body.coding"),
        (b'{"ground": "a"}', "Content-Encoding: br", 415, "body.coding"),
        ('{"ground": "a"}'.encode("utf-16"), "X-A: b", 422, "form"),
        (b'{"ground": "a"}', "Idempotency-Key: another", 400, "header.twice"),
        (b'{"ground": "a"}', "Authorization: Bearer another", 400, "header.twice"),
        (b'{"ground": "a"}', "If-Match: a\r\nIf-Match: b", 400, "header.twice"),
        (b"{" + b",".join(b'"k%d": 1' % each for each in range(50_000)) + b"}", "X-A: b", 422, "form"),
    ],
)
def test_what_can_be_read_in_two_ways_or_grows_is_not_read(
    house: House, port: int, body: bytes, more: str, status: int, kind: str
) -> None:
    got, headers, told = say(port, post(house, body, more))
    assert (got, headers["content-type"], told["type"]) == (status, "application/problem+json", f"/v1/problems/{kind}")
    assert int(headers["content-length"]) < 30_000


def test_a_body_of_another_charset_is_not_read(house: House, port: int) -> None:
    sent = post(house, '{"ground": "あ"}'.encode("cp932"))
    got, _, told = say(port, sent.replace(b"application/json", b"application/json; charset=shift_jis"))
    assert (got, told["type"], told["detail"]) == (415, "/v1/problems/body.charset", "charset='shift_jis'")
    got, _, told = say(port, post(house, b'{"ground": "a", "ground": "b"}'))
    assert told["findings"][0]["rule"] == "JSON decode error: the key 'ground' is there twice"


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"GET /v1/none HTTP/9.9\r\nHost: a\r\n\r\n", 404),
        (b"GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET /healthz HTTP/1.1\r\nHost: a\r\nX-A: b\r\n c\x00: d\r\n\r\n", 400),
        (b"GET /healthz HTTP/1.1\r\nHost: a\r\nX-A: " + b"a" * 600_000 + b"\r\n\r\n", 400),
        (b"GET /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400),
        (b"GET /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"GET /v1/accounts/%00/access HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer KEY\r\n\r\n", 422),
        (b"GET /v1/accounts/%ff/access HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer KEY\r\n\r\n", 422),
        (b"GET /v1/accounts/" + b"a" * 300 + b"/access HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer KEY\r\n\r\n", 422),
        (b"GET /v1/accounts?limit=0x10 HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer KEY\r\n\r\n", 422),
        (b"GET /v1/accounts?unknown=1 HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer KEY\r\n\r\n", 422),
        (b"BREW /v1/accounts HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer KEY\r\n\r\n", 405),
        (b"GET /v1/../../etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n", 404),
        (b"GET /v1/accounts HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer \xe3\x81\x82\r\n\r\n", 401),
        (b"GET /healthz HTTP/1.1\r\n\r\n", 400),
        (b"GET /healthz HTTP/1.1\r\nHost: a\r\nX-A: b\r\n folded\r\n\r\n", 400),
        (b"GET /healthz HTTP/1.1\r\nHost: a\r\nX-A : b\r\n\r\n", 400),
        (b"GET /healthz HTTP/1.1\nHost: a\n\n", 400),
        (b"GET /healthz HTTP/1.1\r\nHost: a\r\nX-A: " + b"a" * 33_000 + b"\r\n\r\n", 400),
        (b"GET /healthz HTTP/1.1\r\nHost: a\r\n" + b"X-A: a\r\n" * 5_000 + b"\r\n", 400),
        (b"GET /" + b"a" * 33_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET /\xe3\x81 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"XX\x00 /healthz HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (
            b"POST /v1/plans HTTP/1.1\r\nHost:\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
            400,
        ),
        (b"POST /v1/plans HTTP/1.1\r\nHost:\r\nTransfer-Encoding: chunked, x\r\n\r\n0\r\n\r\n", 400),
        (
            b"POST /v1/plans HTTP/1.1\r\nHost:\r\nUpgrade: h2c\r\nConnection: upgrade\r\nContent-Length: 2\r\n\r\n{}",
            400,
        ),
    ],
)
def test_a_head_that_is_no_good_gets_one_problem(house: House, port: int, sent: bytes, status: int) -> None:
    got, headers, told = say(port, sent.replace(b"KEY", house.keys["support"].encode()))
    assert (got, told["status"], headers["content-type"]) == (status, status, "application/problem+json"), told


@pytest.mark.parametrize("cursor", ["\x00", "a\x00b", "\ud800", "9" * 30, "x" * 1_400, "%", "' OR 1=1 --"])
@pytest.mark.parametrize("path", ["/v1/accounts", "/v1/proposals", "/v1/letters", "/v1/tasks", "/v1/endpoints"])
def test_a_cursor_that_no_page_gave_is_refused_or_ends_the_list(house: House, path: str, cursor: str) -> None:
    written = base64.urlsafe_b64encode(cursor.encode(errors="surrogatepass")).decode().rstrip("=")
    status, told = house.ask("GET", path, params={"cursor": written})
    assert status in (200, 409, 404, 422), told
    assert status != 200 or set(told) == {"data", "next"}
    assert house.ask("GET", path, params={"cursor": "a" * 2_001})[0] == 422


def test_a_body_in_pieces_without_end_is_refused_as_soon_as_it_is_too_much(house: House, port: int) -> None:
    head = post(house, b"", "Transfer-Encoding: chunked", length=False)
    chunk = b"10000\r\n" + b"a" * 65_536 + b"\r\n"
    status, headers, told = say(port, head, *[chunk] * 40)
    assert (status, told["type"], headers["content-type"]) == (413, "/v1/problems/size", "application/problem+json")


def talk(port: int, *parts: bytes) -> list[tuple[int, bytes]]:
    """(status, body) of each answer, until the connection ends."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        for part in parts:
            connection.sendall(part)
            time.sleep(0.02)
        got = b"".join(iter(lambda: connection.recv(65_536), b""))
    answers = []
    while got:
        head, _, rest = got.partition(b"\r\n\r\n")
        [length] = [int(line[16:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length: ")]
        answers.append((int(head.split()[1]), rest[:length]))
        got = rest[length:]
    return answers


ALIVE = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"


def test_answers_come_in_the_order_of_their_requests_and_what_is_no_request_comes_last(port: int) -> None:
    assert [status for status, _ in talk(port, ALIVE * 3 + b"BREW\x00 / HTTP/1.1\r\n\r\n")] == [200, 200, 200, 400]
    many = [status for status, _ in talk(port, ALIVE * 200)]
    assert many[:-1] == [200] * (len(many) - 1)
    assert (many[-1], len(many) < 50) == (400, True)


def test_a_head_in_pieces_has_the_same_limit_and_a_good_one_is_read(port: int) -> None:
    piece = b"a" * 3_000
    good = [b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-A: ", *[piece] * 9, b"\r\n\r\n"]
    assert [status for status, _ in talk(port, *good)] == [200]
    status, _, told = say(port, *good[:-1], *[piece] * 9, pause=0.02)
    assert (status, told["type"]) == (400, "/v1/problems/http.400")


def test_a_trailer_is_no_header(house: House, port: int) -> None:
    whole = post(house, b"2\r\n{}\r\n0\r\n", "Transfer-Encoding: chunked", length=False, path="/v1/nights/hold")
    without = whole.replace(f"Authorization: Bearer {house.keys['worker']}\r\n".encode(), b"")
    trailer = f"Authorization: Bearer {house.keys['worker']}\r\n\r\n".encode()
    assert say(port, without + trailer)[0] == 401
    assert say(port, whole + b"X-A: " + b"a" * 40_000 + b"\r\n\r\n")[0] in (400, 422)


def test_a_switch_to_another_protocol_is_not_made(port: int) -> None:
    asks = b"GET /healthz HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n"
    assert talk(port, asks) == [(200, b'{"status":"ok"}')]


def test_a_forged_host_and_forged_headers_are_in_no_answer(house: House, port: int) -> None:
    forged = "Host: evil.example", "X-Forwarded-Host: evil.example", "X-Forwarded-For: 1.2.3.4", "Forwarded: host=evil"
    head = "\r\n".join(
        ["GET /v1/accounts/nobody/owed HTTP/1.1", *forged, f"Authorization: Bearer {house.keys['support']}"]
    )
    status, headers, told = say(port, head.encode() + b"\r\n\r\n")
    assert status == 404
    assert "evil" not in json.dumps([headers, told])
    body = json.dumps({"ground": "a\r\nSet-Cookie: x=1"}).encode()
    status, headers, told = say(port, post(house, body))
    assert "set-cookie" not in headers


def test_a_client_that_is_too_slow_is_told_so_and_let_go(
    house: House, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "HEAD_WITHIN_S", 0.3)
    monkeypatch.setattr(size_limit, "JSON_WITHIN_S", 0.3)
    status, _, told = say(port, b"GET /healthz HT", within=3)
    assert (status, told["type"]) == (408, "/v1/problems/slow")
    drip = [bytes([letter]) for letter in b"GET /healthz HTTP/1.1\r\nHost: a\r\nX-A: aaaaaaaaaaaa"]
    status, _, told = say(port, *drip, pause=0.02, within=3)
    assert (status, told["type"]) == (408, "/v1/problems/slow")
    whole = post(house, b'{"ground": "slow"}')
    status, headers, told = say(port, whole[:-5], within=3)
    assert (status, told["type"], headers["content-type"]) == (408, "/v1/problems/slow", "application/problem+json")
    status, _, told = say(port, whole[:-12], *[bytes([letter]) for letter in whole[-12:-1]], pause=0.05, within=3)
    assert (status, told["type"]) == (408, "/v1/problems/slow")
    status, _, told = say(port, b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
    assert (status, told) == (200, {"status": "ok"})
