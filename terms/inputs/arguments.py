"""What no act can take, whatever it is about: refused before anything is asked of the database.

    @guard_acts(DataError)
    class Service: …      every public method refuses
        a number beyond every column; an instant without its offset; a day or an instant in a year of no contract;
        a window that has no two ends; a file that is none;
        a text that no column holds: too long, NUL, half a letter; also in a row that has a type of its own

and a day that an act asks the terms for and no version covers is refused in the same words everywhere.

Who signs is a name, whose it is an id, the rest is prose; `keizoku.limits` says how long each may be. What an act
checks itself (is there such an account, is the amount above zero, is a text that it needs empty) stays its own.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from functools import wraps
from pathlib import Path
from typing import Any, Final, TypeVar

from keizoku.limits import (
    FIRST_YEAR,
    LAST_SECOND,
    LONGEST_ID,
    LONGEST_NAME,
    YEARS,
    id_flaw,
    is_known_year,
    name_flaw,
    text_flaw,
)
from keizoku.terms.calendar import jst_day
from keizoku.terms.policy import UncoveredDateError
from keizoku.terms.refusal import Refused

__all__ = ["check_text", "guard_acts", "guard_texts"]

LARGEST: Final = 2**63 - 1
YEARS_OF_NOW: Final = range(1970, 2201)
"""The present: an act at a later one would first bring a contract up to date, term by term."""
DEEPEST: Final = 3
MOST: Final = 10_000
"""Items of a list that are looked at one by one: longer ones are rows, which have findings of their own."""
IDS: Final = frozenset({"account", "batch", "claim", "id", "name", "plan", "stop", "uid"})
"""Parameters that are the id of something."""
NAMES: Final = frozenset({"approved_by", "author", "by", "calendar", "payer", "recipient", "reference"})
"""Parameters that name somebody or something of others."""
_MARK: Final = "__keizoku_guarded__"

_Class = TypeVar("_Class", bound=type)
_Act = Callable[..., Any]
_Check = Callable[[str, str, object], None]  # act, parameter, value


def guard_acts(*unfit: type[Exception]) -> Callable[[_Class], _Class]:
    """Put all checks before the public methods that a class defines; errors of the kinds `unfit` become refusals."""

    def guard(kind: _Class) -> _Class:
        return _guard(kind, (_check_value, _check_if_text), (OverflowError, *unfit))

    return guard


def guard_texts(kind: _Class) -> _Class:
    """Put the checks of texts only: for what takes files, whose readers say more of the rest."""
    return _guard(kind, (_check_if_text,), ())


def check_text(name: str, value: str) -> None:
    """Raises Refused for a text that cannot be what a parameter of this name holds."""
    if name in IDS:
        flaw = id_flaw(value) if value.strip() else None
    else:
        flaw = name_flaw(value, LONGEST_NAME) if name in NAMES else text_flaw(value)
    if flaw is None:
        return
    shown = repr(value) if len(value) <= LONGEST_ID else f"of {len(value):,} letters"
    if name == "account":
        rule = f"an account has an id of 1 to {LONGEST_ID} printable letters"
        raise Refused("account.id_form", f"account {shown}: {rule}")
    raise Refused.fact("fact.not_text", name, shown, flaw, "shorten or correct it")


def _guard(kind: _Class, checks: tuple[_Check, ...], unfit: tuple[type[Exception], ...]) -> _Class:
    for name, act in list(vars(kind).items()):
        if not name.startswith("_") and inspect.isfunction(act) and not hasattr(act, _MARK):
            setattr(kind, name, _guarded(name, act, checks, unfit))
    return kind


def _guarded(name: str, act: _Act, checks: tuple[_Check, ...], unfit: tuple[type[Exception], ...]) -> _Act:
    names = list(inspect.signature(act).parameters)[1:]

    @wraps(act)
    def guarded(self: Any, *given: Any, **named: Any) -> Any:
        values = (*zip(names, given, strict=False), *named.items())
        for check in checks:
            for each, value in values:
                check(name, each, value)
        try:
            return act(self, *given, **named)
        except UncoveredDateError as error:
            self.session.rollback()
            raise Refused("terms.not_in_force", f"{name}: {error}") from error
        except unfit as error:
            self.session.rollback()
            line = str(getattr(error, "orig", error)).splitlines()[0][:200]
            raise Refused.fact("argument.unfit", name, line, "a value fits its column", "correct it") from error

    setattr(guarded, _MARK, True)
    return guarded


def _check_if_text(_act: str, name: str, value: object) -> None:
    if isinstance(value, str):
        check_text(name, value)


def _check_value(act: str, name: str, value: object, depth: int = 0) -> None:
    if isinstance(value, datetime):
        _instant(act, name, value)
    elif isinstance(value, date):
        if not is_known_year(value):
            raise Refused.fact("fact.time", act, f"{name} {value}", f"a day from {YEARS}", "correct the year")
    elif isinstance(value, int):
        if abs(value) > LARGEST:
            rule = f"a number is at most {LARGEST:,}"
            raise Refused.fact("argument.number", act, f"{name} {_short(value)}", rule, "correct it")
    elif isinstance(value, Path):
        if not value.is_file():
            raise Refused.fact("argument.file", act, f"{name} {_short(value)}", "it is no file", "name a file")
    elif is_dataclass(value) and not isinstance(value, type) and depth < DEEPEST:
        for each in fields(value):
            inner = getattr(value, each.name)
            if isinstance(inner, str):
                check_text(each.name, inner)
            else:
                _check_value(act, each.name, inner, depth + 1)
    elif isinstance(value, Mapping) and depth < DEEPEST:
        for key, inner in list(value.items())[:MOST]:
            _check_value(act, f"{name} {_short(key)}", inner, depth + 1)
    elif isinstance(value, list | tuple) and depth < DEEPEST:
        if name == "windows" and depth == 1 and len(value) != 2:
            raise Refused.fact("fact.period", act, f"{name} {_short(value)}", "a window has two ends", "state both")
        for each in value[:MOST]:
            _check_value(act, name, each, depth + 1)


def _instant(act: str, name: str, at: datetime) -> None:
    if at.utcoffset() is None:
        raise Refused.fact("argument.no_offset", act, f"{name} {at}", "an instant needs its offset", "add it")
    if name == "now" and at.year not in YEARS_OF_NOW:
        raise Refused.fact("fact.time", act, f"now {at}", "the present is from 1970 to 2200", "correct the clock")
    day = jst_day(at) if at.year == FIRST_YEAR - 1 else at  # 1970 begins in Japan
    if not is_known_year(day) or at.timestamp() > LAST_SECOND:
        raise Refused.fact("fact.time", act, f"{name} {at}", f"a time from {YEARS}", "correct the year")


def _short(value: object) -> str:
    text = ascii(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
