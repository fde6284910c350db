"""Where names and addresses come from, by the setting `directory`: a function of the host, an address, or a file.

    module:function            the host's own: accounts in, {account: Addressee} out (rules/documents/addressee.py)
    https://members.example    POST {"accounts": ["hanako"]} ──> {"hanako": {"name": …, "address": […], "mail": …}}
    members.csv                account,name,address,mail: address lines divided by |; read anew for every question

Whom a directory does not name, documents call by the account. What it says that cannot stand on a document is an Unfit
with its place; what makes it useless as a whole is Refused (directory.silent), in one line and without its content.
"""

from __future__ import annotations

import csv
import json
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.client import HTTPException
from importlib import import_module
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import urlsplit

from keizoku.billing.documents.addressees import Naming, silent
from keizoku.billing.rules.documents.addressee import Addressee, Directory, Unfit
from keizoku.limits import LARGEST_PAGE
from keizoku.terms.inputs.input_files import SecretFileError, secret_in

if TYPE_CHECKING:
    from keizoku.scheduler.settings import Settings

__all__ = ["CsvDirectory", "DirectorySettingsError", "HttpDirectory", "directory_of", "naming_of"]

SECONDS: Final = 10
AT_ONCE: Final = 100
COLUMNS: Final = ("account", "name")
"""Columns that a file has at least; `address` and `mail` are optional."""
_HERE: Final = ("localhost", "127.0.0.1", "::1")


class DirectorySettingsError(ValueError):
    """The setting names no directory; the message is one line."""


@dataclass(frozen=True, slots=True)
class CsvDirectory:
    """A file of the host's, UTF-8 with a header: account, name, and if wanted address and mail."""

    file: Path

    def addressees(self, accounts: Sequence[str]) -> Mapping[str, Addressee | Unfit]:
        """Those that the file names. Refused where it cannot be read or lacks a column."""
        wanted, found = frozenset(accounts), dict[str, Addressee | Unfit]()
        try:
            with self.file.open(encoding="utf-8-sig", newline="") as lines:
                rows = csv.DictReader(lines)
                if lacks := [name for name in COLUMNS if name not in (rows.fieldnames or ())]:
                    raise silent(f"{self.file} line 1: lacks the column {', '.join(lacks)}")
                for row in rows:
                    account = row["account"]
                    if account not in wanted:
                        continue
                    place = f"{self.file.name} line {rows.line_num}"
                    if account in found:
                        found[account] = Unfit(f"{place}: the account stands in the file twice")
                    else:
                        lines_of = (row.get("address") or "").split("|")
                        found[account] = _addressee(row["name"], lines_of, row.get("mail"), place)
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise silent(f"{self.file}: cannot be read ({type(error).__name__})") from None
        return found


class _Stays(urllib.request.HTTPRedirectHandler):
    """Accounts and the token go to the address that was named, and to no other."""

    def redirect_request(self, *_: Any) -> None:
        return None


@dataclass(frozen=True, slots=True)
class HttpDirectory:
    """The host's own service; asked for at most 100 accounts at once, and given ten seconds to answer."""

    url: str
    token: str = field(default="", repr=False)

    def addressees(self, accounts: Sequence[str]) -> Mapping[str, Addressee | Unfit]:
        """Those that it names. Refused where it does not answer, or with anything else than such JSON."""
        found: dict[str, Addressee | Unfit] = {}
        for start in range(0, len(accounts), AT_ONCE):
            found |= self._asked(accounts[start : start + AT_ONCE])
        return found

    def _asked(self, accounts: Sequence[str]) -> Mapping[str, Addressee | Unfit]:
        headers = {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "keizoku"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        body = json.dumps({"accounts": list(accounts)}).encode()
        request = urllib.request.Request(self.url, body, headers)  # noqa: S310  the scheme was checked
        place = urlsplit(self.url).hostname
        try:
            with urllib.request.build_opener(_Stays).open(request, timeout=SECONDS) as answer:
                answered = json.loads(_whole(answer, str(place)))
        except urllib.error.HTTPError as error:
            raise silent(f"{place}: it says {error.code}") from None
        except (OSError, ValueError, RecursionError, HTTPException) as error:
            raise silent(f"{place}: {type(error).__name__}") from None
        if not isinstance(answered, dict):
            raise silent(f"{place}: its answer is no JSON object")
        return {account: _of_json(answered[account], f"{place}") for account in accounts if account in answered}


def _whole(answer: Any, place: str) -> bytes:
    """All of an answer, if it comes in time and is not too long."""
    said, until = b"", monotonic() + SECONDS
    while chunk := answer.read1(65_536):
        said += chunk
        if len(said) > LARGEST_PAGE:
            raise silent(f"{place}: its answer has more than {LARGEST_PAGE:,} bytes")
        if monotonic() > until:
            raise silent(f"{place}: its answer takes longer than {SECONDS} seconds")
    return said


def directory_of(settings: Settings) -> Directory | None:
    """The directory that is set, or None. Raises DirectorySettingsError."""
    said = settings.directory
    if not said:
        return None
    named = f"KEIZOKU_DIRECTORY={said}"
    if "://" in said:
        parts = urlsplit(said)
        if parts.scheme != "https" and (parts.scheme != "http" or parts.hostname not in _HERE):
            raise DirectorySettingsError(f"KEIZOKU_DIRECTORY: names go over https:// alone, not {parts.scheme}://")
        if parts.username or parts.password or not parts.hostname:
            raise DirectorySettingsError("KEIZOKU_DIRECTORY: a login goes into KEIZOKU_DIRECTORY_TOKEN_FILE")
        return HttpDirectory(said, _token(settings.directory_token_file))
    module, colon, function = said.partition(":")
    if not colon:
        return CsvDirectory(Path(said))
    try:
        found = getattr(import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise DirectorySettingsError(f"{named}: {error}") from None
    if not callable(found):
        raise DirectorySettingsError(f"{named}: {function} is no function")
    return _Function(found)


def naming_of(settings: Settings) -> Naming | None:
    """Who is asked for names and how they are sealed; None where no directory is set, and documents name the account.

    Raises DirectorySettingsError, and Refused for a key file that holds none.
    """
    directory = directory_of(settings)
    if directory is None:
        return None
    keys = settings.sealing_keys()
    if keys is None:
        raise DirectorySettingsError(
            "KEIZOKU_DIRECTORY: names on stored documents are sealed, so KEIZOKU_DOCUMENT_KEYS_FILE has to name a key "
            "file: `keizoku documents new-key`"
        )
    return Naming(directory, keys)


@dataclass(frozen=True, slots=True)
class _Function:
    function: Any

    def addressees(self, accounts: Sequence[str]) -> Mapping[str, Addressee | Unfit]:
        return cast("Mapping[str, Addressee | Unfit]", self.function(accounts))


def _of_json(said: object, place: str) -> Addressee | Unfit:
    if not isinstance(said, dict):
        return Unfit(f"{place}: what it says of the account is no JSON object")
    lines = said.get("address", [])
    if not isinstance(lines, list):
        return Unfit(f"{place}: the address has to be a list of lines")
    return _addressee(said.get("name"), lines, said.get("mail"), place)


def _addressee(name: object, lines: Sequence[object], mail: object, place: str) -> Addressee | Unfit:
    try:
        kept = tuple(line for line in lines if not (isinstance(line, str) and not line.strip()))
        return Addressee(cast("str", name), cast("tuple[str, ...]", kept), cast("str | None", mail or None))
    except ValueError as error:
        return Unfit(f"{place}: {error}")


def _token(file: Path | None) -> str:
    if file is None:
        return ""
    named = f"KEIZOKU_DIRECTORY_TOKEN_FILE={file}"
    try:
        found = secret_in(file, "token", "ascii")
    except SecretFileError as error:
        raise DirectorySettingsError(f"{named}: {error}") from None
    if not found.isprintable():
        raise DirectorySettingsError(f"{named}: holds no token")
    return found
