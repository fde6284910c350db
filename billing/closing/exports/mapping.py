"""How our accounts and tax classes are called in an accounting package: the defaults, and what a user's file changes.

    mapping_for("yayoi", Path("ours.toml"))

Errors: MappingError, one line with the file, the key and what would do, for a file that cannot be read, an unknown
key, an account that is not in the chart, a tax class that the package has no word for.
"""

from __future__ import annotations

import codecs
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from keizoku.billing.closing.exports.entries import OUT_OF_SCOPE, BookEntry, TaxLine, folded
from keizoku.billing.rules.books.chart import CHART, Account
from keizoku.limits import LARGEST_PAGE
from keizoku.terms.inputs.input_files import read_whole

DEFAULTS = Path(__file__).parent / "mapping.toml"
PACKAGES = ("moneyforward", "freee", "yayoi")
FORMATS = (*PACKAGES, "csv", "beancount")
_OF_ACCOUNT = ("code", "name", "sub", "tax", "untaxed", "invoice")
INVOICES = ("qualified", "transitional", "none")
"""The kinds of invoices that a taxable purchase may have."""
PURCHASE = "purchase"
INVOICES_FROM = date(2023, 10, 1)
"""From this day on purchases carry the kind of their invoice."""
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
    untaxed: Mapping[str, str]  # account -> its class where a line has no tax
    invoices: Mapping[str, str]  # account -> the kind of invoice of its taxable purchases
    invoice_words: Mapping[str, str]
    transitional: Sequence[tuple[date, int]]  # from this day on, hundredths of the tax

    def fold(self, entry: BookEntry) -> tuple[TaxLine, ...]:
        """The lines of an entry as the package takes them."""
        return folded(entry, self.tax_accounts, self.classes, self.untaxed)

    def invoice_word(self, line: TaxLine, on: date) -> str:
        """How the package calls the invoice of a taxable purchase of a day; empty for every other line."""
        if line.tax_class != PURCHASE or on < INVOICES_FROM:
            return ""
        kind = self.invoices.get(line.code, "qualified")
        rate = max((each for each in self.transitional if each[0] <= on), default=(on, 0))[1]
        word = self.invoice_words.get("none" if kind == "transitional" and not rate else kind, "")
        return word.format(rate=rate)

    def memo(self, entry: BookEntry) -> str:
        """What happened, to whom, of which month where that is an earlier one; why, where people posted it."""
        month = f"({entry.belongs_to}分)" if entry.belongs_to else ""
        told = f"{self.memos.get(entry.event, entry.event)}{month} {entry.ground} {entry.account or ''}"
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
        untaxed={code: str(values["untaxed"]) for code, values in accounts.items() if "untaxed" in values},
        invoices={code: str(values["invoice"]) for code, values in accounts.items() if "invoice" in values},
        invoice_words=dict(package.get("invoice", {})),
        transitional=sorted((date.fromisoformat(on), int(rate)) for on, rate in read["transitional"].items()),
    )


def _mapped(account: Account, values: Mapping[str, str]) -> Mapped:
    return Mapped(values.get("code", account.code), values.get("name", account.ja), values.get("sub", ""))


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(read_whole(path, LARGEST_PAGE).decode("utf-8"))
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
        for key in ("tax", "untaxed"):
            if (tax := values.get(key, OUT_OF_SCOPE)) not in classes:
                raise MappingError(f"{where}.{key}: {tax!r} is no tax class; there are {', '.join(sorted(classes))}")
        if (kind := values.get("invoice", INVOICES[0])) not in INVOICES:
            raise MappingError(f"{where}.invoice: {kind!r} is no kind of invoice; there are {', '.join(INVOICES)}")
    for code, carriers in given.get("tax", {}).items():
        if not isinstance(carriers, list) or not {code, *map(str, carriers)} <= set(_CHART):
            raise MappingError(f"{named}: tax.{code} has to be a list of accounts of the chart")
    for on, rate in given.get("transitional", {}).items():
        if not _is_day(on) or type(rate) is not int or not 0 <= rate <= 100:
            raise MappingError(f"{named}: transitional.{on} has to be a day with hundredths: 2026-10-01 = 70")
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
        elif key not in ("tax", "invoice") or not isinstance(value, Mapping):
            raise MappingError(f"{where}.{key} is no key; there are encoding, and the tables tax and invoice")
        else:
            names = classes if key == "tax" else set(INVOICES)
            for name, word in value.items():
                if name not in names or not isinstance(word, str):
                    raise MappingError(f"{where}.{key}.{name}: there are {', '.join(sorted(names))}, each a text")
                if key == "invoice" and not _takes_a_rate(word):
                    raise MappingError(f"{where}.invoice.{name}: {word!r} may have {{rate}}, and no other braces")


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _takes_a_rate(word: str) -> bool:
    try:
        word.format(rate=80)
    except (LookupError, ValueError, AttributeError):
        return False
    return True
