"""Facts in the words of people, Japanese and English: yen, durations, instants, days, months, windows, rates.

Instants are shown in JST, seconds only where they are not zero. Nothing is rounded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Any, Literal

from keizoku.terms.calendar import JST, Month, from_epoch, parse_instant
from keizoku.terms.money import fraction_text

_ENGLISH_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip


def spoken(name: str, value: Any, lang: Literal["ja", "en"]) -> Any:
    """A fact as it is filled into a sentence, by the last word of its name; else unchanged.

    None is "—", a list its items with commas.
    """
    if value is None:
        return "—"
    formatter = _FORMATTERS.get(name.rpartition("_")[2])
    if formatter:
        return formatter(value, lang == "ja")
    if isinstance(value, list):
        return ("、" if lang == "ja" else ", ").join(str(item) for item in value)
    return value


def yen(amount: int, ja: bool) -> str:
    """1,234円 / 1,234 yen."""
    return f"{amount:,}円" if ja else f"{amount:,} yen"


def duration(seconds: int, ja: bool) -> str:
    """3時間36分1秒 / 3 h 36 min 1 s; days are not used, as the contract counts in hours."""
    hours, rest = divmod(abs(seconds), 3600)
    minutes, left = divmod(rest, 60)
    units = ((hours, "時間", " h"), (minutes, "分", " min"), (left, "秒", " s"))
    parts = [f"{number}{ja_unit if ja else en_unit}" for number, ja_unit, en_unit in units if number]
    sign = "-" if seconds < 0 else ""
    return sign + (("" if ja else " ").join(parts) or ("0秒" if ja else "0 s"))


def day(value: str | date, ja: bool) -> str:
    """2026年4月10日 / 10 April 2026."""
    on = date.fromisoformat(value) if isinstance(value, str) else value
    return f"{on.year}年{on.month}月{on.day}日" if ja else f"{on.day} {_ENGLISH_MONTHS[on.month - 1]} {on.year}"


def month(value: str | Month, ja: bool) -> str:
    """2026年4月 / April 2026."""
    parts = Month.parse(value) if isinstance(value, str) else value
    return f"{parts.year}年{parts.month}月" if ja else f"{_ENGLISH_MONTHS[parts.month - 1]} {parts.year}"


def instant(value: str | int | datetime, ja: bool) -> str:
    """2026年4月10日 09:00 / 10 April 2026 09:00 JST."""
    local = _local(value)
    return f"{day(local.date(), ja)} {_clock(local)}" + ("" if ja else " JST")


def windows(pairs: Sequence[Sequence[str | int]], ja: bool) -> str:
    """2026年4月10日 09:00〜11:30 / 10 April 2026 09:00–11:30 JST; an end on another day names that day."""
    parts = []
    for start, end in pairs:
        from_, to = _local(start), _local(end)
        if to.date() == from_.date():
            until = _clock(to)
        elif to.date() == from_.date() + timedelta(days=1) and _clock(to) == "00:00":
            until = "24:00"
        else:
            until = f"{day(to.date(), ja)} {_clock(to)}"
        parts.append(f"{day(from_.date(), ja)} {_clock(from_)}" + (f"〜{until}" if ja else f"–{until} JST"))
    return ("、" if ja else ", ").join(parts) or ("なし" if ja else "none")


def percent(value: str | Fraction, ja: bool) -> str:
    """20% from "0.2"; 14.6% from "0.146"; the same in both languages."""
    return f"{fraction_text(Fraction(value) * 100)}%"


def _local(value: str | int | datetime) -> datetime:
    return (from_epoch(value) if isinstance(value, int) else parse_instant(value)).astimezone(JST)


def _clock(local: datetime) -> str:
    return local.strftime("%H:%M:%S" if local.second else "%H:%M")


_FORMATTERS: dict[str, Callable[[Any, bool], str]] = {
    "yen": yen,
    "seconds": duration,
    "on": day,
    "month": month,
    "at": instant,
    "windows": windows,
    "rate": percent,
    "share": percent,
}
