"""The values that a call brings, each with one form: days of Japan, instants with their offset, whole yen, ids, texts.

They are stricter than JSON's own: a day is no number, yen are no text, an instant has an offset.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from keizoku.limits import (
    LONGEST_ID,
    LONGEST_NAME,
    LONGEST_TEXT,
    YEARS,
    id_flaw,
    is_known_year,
    name_flaw,
    text_flaw,
)
from keizoku.terms.calendar import Month
from keizoku.terms.rendering import Lang as Language

__all__ = [
    "Day",
    "Ground",
    "Id",
    "Instant",
    "Lang",
    "MonthText",
    "Name",
    "Number",
    "Text",
    "Yen",
]

_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_INSTANT: Final = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,6})?(Z|[+-]\d{2}:\d{2})", re.ASCII)
_MOST_YEN: Final = 10**12
_MOST_NUMBER: Final = 10**18


def _day(value: object) -> date:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        raise ValueError("a day is written 2026-04-30")
    found = date.fromisoformat(value)
    if not is_known_year(found):
        raise ValueError(f"a day lies in the years {YEARS}")
    return found


def _instant(value: object) -> datetime:
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value
    if not isinstance(value, str) or not _INSTANT.fullmatch(value):
        raise ValueError("an instant is written 2026-04-30T10:00:00+09:00, with its offset")
    found = datetime.fromisoformat(value)
    if not is_known_year(found):
        raise ValueError(f"an instant lies in the years {YEARS}")
    return found


def _month(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("a month is written 2026-04")
    month = Month.parse(value)
    if not is_known_year(month.first_on):
        raise ValueError(f"a month lies in the years {YEARS}")
    return value


def _without(flaw: Callable[[str], str | None]) -> AfterValidator:
    def check(text: str) -> str:
        found = flaw(text)
        if found is not None:
            raise ValueError(found)
        return text

    return AfterValidator(check)


def _decoded(text: str) -> str:
    """A path whose bytes are no UTF-8 comes with U+FFFD in their place; no id has that letter."""
    if "\ufffd" in text:
        raise ValueError("it is no UTF-8")
    return text


def _written(text: str) -> str:
    if not text.strip():
        raise ValueError("it is empty")
    return text


def _schema(**more: Any) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", **more})


Day = Annotated[date, BeforeValidator(_day), _schema(format="date", examples=["2026-04-30"])]
"""A day of Japan, `2026-04-30`."""
Instant = Annotated[
    datetime, BeforeValidator(_instant), _schema(format="date-time", examples=["2026-04-30T10:00:00+09:00"])
]
"""An instant with its offset (RFC 3339)."""
MonthText = Annotated[
    str, BeforeValidator(_month), _schema(pattern=r"^[0-9]{4}-(0[1-9]|1[0-2])$", examples=["2026-04"])
]
"""A month of Japan, `2026-04`."""
Id = Annotated[str, Field(min_length=1, max_length=LONGEST_ID), _without(id_flaw), AfterValidator(_decoded)]
"""An id: 1 to 200 printable letters."""
Name = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME), _without(name_flaw), AfterValidator(_written)]
"""Who or whose: 1 to 200 letters."""
Text = Annotated[str, Field(max_length=LONGEST_TEXT), _without(text_flaw)]
"""Prose of at most 2,000 letters."""
Ground = Annotated[str, Field(min_length=1, max_length=LONGEST_TEXT), _without(text_flaw), AfterValidator(_written)]
"""Why: prose that is not empty."""
Yen = Annotated[int, Field(strict=True, ge=0, le=_MOST_YEN)]
"""Whole yen."""
Number = Annotated[int, Field(ge=1, le=_MOST_NUMBER)]
"""The number of an invoice, a payment, an entry, …"""
Lang = Annotated[Language, WithJsonSchema({"type": "string", "pattern": "^(ja|en)$"})]
"""The language of sentences."""
