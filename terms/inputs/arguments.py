"""What no act can take, whatever it is about: refused before anything is asked of the database.

    a number beyond every column; an instant without its offset; a day or an instant in a year of no contract;
    a window that has no two ends; a file that is none; a text that no column holds, in a row that has its own type

`guard_acts` puts this before every public method of a service; `act_texts` does the same for texts. What an act checks
itself (is there such an account, is the amount above zero) stays its own.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from functools import wraps
from pathlib import Path
from typing import Any, Final

from keizoku.terms.inputs.act_texts import check_text
from keizoku.terms.refusal import Refused

LARGEST: Final = 2**63 - 1
YEARS: Final = range(1970, 9000)
YEARS_OF_NOW: Final = range(1970, 2201)
"""The present: an act at a later one would first bring a contract up to date, term by term."""
DEEPEST: Final = 3
MOST: Final = 10_000
"""Items of a list that are looked at one by one: longer ones are rows, which have findings of their own."""
_MARK: Final = "__keizoku_guarded__"


def guard_acts(kind: type, *unfit: type[Exception]) -> None:
    """Put the checks before the public methods that a class defines; errors of the kinds `unfit` become refusals."""
    for name, act in list(vars(kind).items()):
        if not name.startswith("_") and inspect.isfunction(act) and not hasattr(act, _MARK):
            setattr(kind, name, _guarded(name, act, (OverflowError, *unfit)))


def check(act: str, name: str, value: object, depth: int = 0) -> None:
    """Raises Refused for a value that no act can take."""
    if isinstance(value, datetime):
        _instant(act, name, value)
    elif isinstance(value, date):
        if value.year not in YEARS:
            raise Refused.fact("fact.time", act, f"{name} {value}", "a day from 1970 to 8999", "correct the year")
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
                check(act, each.name, inner, depth + 1)
    elif isinstance(value, list | tuple) and depth < DEEPEST:
        if name == "windows" and depth == 1 and len(value) != 2:
            raise Refused.fact("fact.period", act, f"{name} {_short(value)}", "a window has two ends", "state both")
        for each in value[:MOST]:
            check(act, name, each, depth + 1)


def _guarded(name: str, act: Callable[..., Any], unfit: tuple[type[Exception], ...]) -> Callable[..., Any]:
    names: Sequence[str] = list(inspect.signature(act).parameters)[1:]

    @wraps(act)
    def guarded(self: Any, *given: Any, **named: Any) -> Any:
        for each, value in _all_of(names, given, named):
            check(name, each, value)
        try:
            return act(self, *given, **named)
        except unfit as error:
            self.session.rollback()
            line = str(getattr(error, "orig", error)).splitlines()[0][:200]
            raise Refused.fact("argument.unfit", name, line, "a value fits its column", "correct it") from error

    setattr(guarded, _MARK, True)
    return guarded


def _all_of(names: Sequence[str], given: Sequence[object], named: dict[str, object]) -> Iterator[tuple[str, object]]:
    yield from zip(names, given, strict=False)
    yield from named.items()


def _instant(act: str, name: str, at: datetime) -> None:
    if at.utcoffset() is None:
        raise Refused.fact("argument.no_offset", act, f"{name} {at}", "an instant needs its offset", "add it")
    if name == "now" and at.year not in YEARS_OF_NOW:
        raise Refused.fact("fact.time", act, f"now {at}", "the present is from 1970 to 2200", "correct the clock")
    if at.year not in YEARS:
        raise Refused.fact("fact.time", act, f"{name} {at}", "a time from 1970 to 8999", "correct the year")


def _short(value: object) -> str:
    text = ascii(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
