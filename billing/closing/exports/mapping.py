"""How our accounts and tax classes are called in an accounting package: the defaults, and what a user's file changes.

    mapping_for("yayoi", Path("ours.toml"))

Errors: MappingError, one line with the file, the key and what would do, for a file that cannot be read, an unknown
key, an account that is not in the chart, a tax class that the package has no word for.
"""

from __future__ import annotations

import codecs
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keizoku.billing.closing.exports.entries import OUT_OF_SCOPE, BookEntry, TaxLine, folded
from keizoku.billing.rules.books.journal_rules import CHART, Account

DEFAULTS = Path(__file__).parent / "mapping.toml"
PACKAGES = ("moneyforward", "freee", "yayoi")
FORMATS = (*PACKAGES, "csv", "beancount")
_OF_ACCOUNT = ("code", "name", "sub", "tax")
_CHART = {account.code: account for account in CHART}


class MappingError(Exception):
    """A mapping cannot be used; the message names the file, the key and the rule."""


@dataclass(frozen=True, slots=True)
class Mapped:
    """An account as the package has it."""

    code: str
    name: str
    sub: str


@dataclass(frozen=True, slots=True)
class ExportMapping:
    """All that a writer needs to know of the package that it writes for."""

    format: str
    encoding: str
    accounts: Mapping[str, Mapped]
    classes: Mapping[str, str]  # account -> tax class
    tax_accounts: Mapping[str, tuple[str, ...]]
    tax_words: Mapping[str, str]
    memos: Mapping[str, str]

    def fold(self, entry: BookEntry) -> tuple[TaxLine, ...]:
        """The lines of an entry as the package takes them."""
        return folded(entry, self.tax_accounts, self.classes)

    def memo(self, entry: BookEntry) -> str:
        """What happened, to whom, and of which month where that is an earlier one."""
        month = f"({entry.belongs_to}分)" if entry.belongs_to else ""
        told = f"{self.memos.get(entry.event, entry.event)}{month} {entry.account or ''}"
        return " ".join(told.split())  # one line: ids come from outside


def mapping_for(form: str, override: Path | None = None) -> ExportMapping:
    """The mapping of a format, with what a user's file says otherwise. Raises MappingError."""
    read = _toml(DEFAULTS)
    if override is not None:
        named = str(override)
        given = _toml(override)
        _check(given, named)
        read = _merged(read, given)
    accounts: Mapping[str, Mapping[str, str]] = read["accounts"]
    package: Mapping[str, Any] = read.get(form, {})
    return ExportMapping(
        format=form,
        encoding=str(package.get("encoding", "utf-8")),
        accounts={code: _mapped(account, accounts.get(code, {})) for code, account in _CHART.items()},
        classes={code: str(values["tax"]) for code, values in accounts.items() if "tax" in values},
        tax_accounts={code: tuple(carriers) for code, carriers in read["tax"].items()},
        tax_words=dict(package.get("tax", {})),
        memos=dict(read["memos"]),
    )


def _mapped(account: Account, values: Mapping[str, str]) -> Mapped:
    return Mapped(values.get("code", account.code), values.get("name", account.ja), values.get("sub", ""))


def _toml(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise MappingError(f"{path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise MappingError(f"{path}: not TOML: {error}") from error
    except RecursionError:
        raise MappingError(f"{path}: its lists are nested too deep; a mapping is tables of texts") from None


def _merged(base: dict[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    made = dict(base)
    for key, value in over.items():
        old = made.get(key)
        made[key] = _merged(old, value) if isinstance(old, dict) and isinstance(value, Mapping) else value
    return made


def _check(given: Mapping[str, Any], named: str) -> None:
    """What a user's file may say."""
    known = {*_toml(DEFAULTS)}
    for key, value in given.items():
        if key not in known:
            raise MappingError(f"{named}: {key} is no key; there are {', '.join(sorted(known))}")
        if not isinstance(value, Mapping):
            raise MappingError(f"{named}: {key} has to be a table")
    classes = set(_toml(DEFAULTS)["moneyforward"]["tax"])
    for code, values in given.get("accounts", {}).items():
        where = f"{named}: accounts.{code}"
        if code not in _CHART:
            raise MappingError(f"{where}: no such account in the chart")
        if not isinstance(values, Mapping):
            raise MappingError(f"{where} has to be a table")
        for key, value in values.items():
            if key not in _OF_ACCOUNT or not isinstance(value, str):
                raise MappingError(f"{where}.{key}: an account has {', '.join(_OF_ACCOUNT)}, each a text")
        if (tax := values.get("tax", OUT_OF_SCOPE)) not in classes:
            raise MappingError(f"{where}.tax: {tax!r} is no tax class; there are {', '.join(sorted(classes))}")
    for code, carriers in given.get("tax", {}).items():
        if not isinstance(carriers, list) or not {code, *map(str, carriers)} <= set(_CHART):
            raise MappingError(f"{named}: tax.{code} has to be a list of accounts of the chart")
    for package in (*PACKAGES, "csv"):
        _check_package(given.get(package, {}), f"{named}: {package}", classes)
    for event, memo in given.get("memos", {}).items():
        if not isinstance(memo, str):
            raise MappingError(f"{named}: memos.{event} has to be a text")


def _check_package(values: Mapping[str, Any], where: str, classes: set[str]) -> None:
    for key, value in values.items():
        if key == "encoding":
            try:
                codecs.lookup(value)
            except (LookupError, TypeError) as error:
                raise MappingError(f"{where}.encoding: {value!r} is no encoding") from error
        elif key != "tax" or not isinstance(value, Mapping):
            raise MappingError(f"{where}.{key} is no key; there are encoding, and a table tax")
        else:
            for name, word in value.items():
                if name not in classes or not isinstance(word, str):
                    raise MappingError(f"{where}.tax.{name}: there are {', '.join(sorted(classes))}, each a text")
