"""Where names come from: a file, an address, a function; what each says of one account, and when it is silent."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from keizoku.billing.rules.documents.addressee import Addressee, Unfit
from keizoku.scheduler import directories
from keizoku.scheduler.directories import CsvDirectory, DirectorySettingsError, HttpDirectory, directory_of, naming_of
from keizoku.scheduler.settings import Settings
from keizoku.terms.refusal import Refused

HEADER = "account,name,address,mail\n"


def test_a_file_names_those_that_are_asked_for_and_says_where_a_row_is_unfit(tmp_path: Path) -> None:
    file = tmp_path / "members.csv"
    file.write_text(
        "\ufeff" + HEADER + "hanako,山田 花子,〒150-0001|東京都渋谷区1-2-3,hanako@home.example\n"
        "jiro,,,\nsabu,鈴木 三郎,,\nsabu,鈴木 三朗,,\ntaro,佐藤 太郎,,\n",
        encoding="utf-8",
    )
    found = CsvDirectory(file).addressees(["hanako", "jiro", "sabu", "nobody"])
    assert found == {
        "hanako": Addressee("山田 花子", ("〒150-0001", "東京都渋谷区1-2-3"), "hanako@home.example"),
        "jiro": Unfit("members.csv line 3: the name is empty"),
        "sabu": Unfit("members.csv line 5: the account stands in the file twice"),
    }


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, r"cannot be read \(FileNotFoundError\)"),
        (b"account,address\n", "line 1: lacks the column name"),
        ("account,name\nhanako,花子\n".encode("cp932"), r"cannot be read \(UnicodeDecodeError\)"),
    ],
)
def test_a_file_that_is_none_is_silent_in_one_line(tmp_path: Path, content: bytes | None, why: str) -> None:
    file = tmp_path / "members.csv"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(Refused, match=why) as refused:
        CsvDirectory(file).addressees(["hanako"])
    assert refused.value.code == "directory.silent"


class Members(BaseHTTPRequestHandler):
    asked: ClassVar[list[tuple[str | None, Any]]] = []
    answers: ClassVar[dict[str, Any]] = {}
    status: ClassVar[int] = 200
    raw: ClassVar[bytes | None] = None

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.asked.append((self.headers["Authorization"], body))
        said = self.raw
        if said is None:
            said = json.dumps({each: self.answers[each] for each in body["accounts"] if each in self.answers}).encode()
        self.send_response(self.status)
        if self.status == 302:
            self.send_header("Location", "http://elsewhere.example/")
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def members(answers: Mapping[str, Any], status: int = 200, raw: bytes | None = None) -> Iterator[str]:
    Members.answers, Members.status, Members.raw = dict(answers), status, raw
    Members.asked.clear()
    server = HTTPServer(("127.0.0.1", 0), Members)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/names"
    finally:
        server.shutdown()
        server.server_close()


def test_an_address_is_asked_in_hundreds_with_its_token(tmp_path: Path) -> None:
    answers = {
        "hanako": {"name": "山田 花子", "address": ["東京都"], "mail": "hanako@home.example"},
        "jiro": {"name": 7},
        "sabu": ["鈴木"],
        "shiro": {"name": "四郎", "address": "東京都"},
    }
    accounts = [*answers, *(f"u{each}" for each in range(100))]
    with members(answers) as url:
        found = HttpDirectory(url, "secret").addressees(accounts)
    assert found == {
        "hanako": Addressee("山田 花子", ("東京都",), "hanako@home.example"),
        "jiro": Unfit("127.0.0.1: name, address lines and mail address have to be texts"),
        "sabu": Unfit("127.0.0.1: what it says of the account is no JSON object"),
        "shiro": Unfit("127.0.0.1: the address has to be a list of lines"),
    }
    assert [(token, len(body["accounts"])) for token, body in Members.asked] == [
        ("Bearer secret", 100),
        ("Bearer secret", 4),
    ]


@pytest.mark.parametrize(
    ("status", "raw", "why"),
    [
        (503, None, "it says 503"),
        (302, None, "it says 302"),  # accounts and token go to the address that was named alone
        (200, b"<html>", "JSONDecodeError"),
        (200, b"[]", "its answer is no JSON object"),
    ],
)
def test_an_address_that_says_something_else_is_silent(status: int, raw: bytes | None, why: str) -> None:
    with members({}, status, raw) as url, pytest.raises(Refused, match=why):
        HttpDirectory(url).addressees(["hanako"])
    with pytest.raises(Refused, match=r"127\.0\.0\.1: URLError"):  # nobody is there any more
        HttpDirectory(url).addressees(["hanako"])


def test_an_address_that_does_not_answer_in_time_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directories, "SECONDS", 0.2)
    server = HTTPServer(("127.0.0.1", 0), Members)  # it listens, and nobody serves
    try:
        with pytest.raises(Refused, match=r"127\.0\.0\.1: TimeoutError"):
            HttpDirectory(f"http://127.0.0.1:{server.server_port}/").addressees(["hanako"])
    finally:
        server.server_close()


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"SSH-2.0-OpenSSH\r\n", "BadStatusLine"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n400\r\n{", "IncompleteRead"),
    ],
)
def test_what_is_cut_off_or_no_http_is_silent(said: bytes, why: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def speak() -> None:
            with server.accept()[0] as caller:
                heard = b""
                while b"hanako" not in heard:  # what is left unread resets the connection at its end
                    heard += caller.recv(4_000)
                caller.sendall(said)

        threading.Thread(target=speak, daemon=True).start()
        with pytest.raises(Refused, match=rf"127\.0\.0\.1: {why}"):
            HttpDirectory(f"http://127.0.0.1:{server.getsockname()[1]}/").addressees(["hanako"])


def names(accounts: list[str]) -> dict[str, Addressee]:
    return {each: Addressee(f"{each}様") for each in accounts}


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("http://members.example/names", "names go over https:// alone, not http://"),
        ("https://me:secret@members.example/", "a login goes into KEIZOKU_DIRECTORY_TOKEN_FILE"),
        ("no_such_module:names", "No module named"),
        (f"{__name__}:nobody", "has no attribute"),
        (f"{__name__}:HEADER", "is no function"),
    ],
)
def test_a_setting_that_names_no_directory_is_refused_in_one_line(said: str, why: str) -> None:
    with pytest.raises(DirectorySettingsError, match=why) as refused:
        directory_of(Settings(directory=said))
    assert "secret" not in str(refused.value)


def test_a_function_is_asked_and_names_need_a_key_file(tmp_path: Path) -> None:
    found = directory_of(Settings(directory=f"{__name__}:names"))
    assert found is not None
    assert found.addressees(["hanako"]) == {"hanako": Addressee("hanako様")}
    assert naming_of(Settings()) is None
    with pytest.raises(DirectorySettingsError, match="has to name a key file: `keizoku documents new-key`"):
        naming_of(Settings(directory=str(tmp_path / "members.csv")))
    empty = tmp_path / "token"
    empty.write_text("\n")
    with pytest.raises(DirectorySettingsError, match="holds no token"):
        directory_of(Settings(directory="https://members.example/", directory_token_file=empty))
