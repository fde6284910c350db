"""Days, amounts, directions and texts as banks, stores and processors write them.

    2026-11-05  2026/11/5  2026.11.05  20261105  2026年11月5日(木)  R8.11.5  令和8年11月5日  2026/11/05 12:34
    5,300  ¥5300  5300円  ５３００  5300.00  +500  -500  500-  △500  ▲500  (500)

Nothing is guessed: what has two readings (05/11/26, 1.500) is refused. A day before its era began, or after it ended,
is none. Yen are int; other money is Decimal in its own currency. Errors: BadValueError(value, rule, remedy).
"""

from __future__ import annotations

import re
import unicodedata
from contextlib import suppress
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from functools import lru_cache

from keizoku.limits import LONGEST_NAME, is_known_year
from keizoku.terms.calendar import jst_day

__all__ = [
    "BadValueError",
    "amount_of",
    "day_first_of",
    "day_of",
    "direction_of",
    "even",
    "folded",
    "is_blank",
    "month_day_of",
    "text_of",
    "yen_of",
    "zengin_day",
]

_TIME = r"(?:[T ]?(\d{1,2})[:時](\d{1,2})(?:[:分](\d{1,2})秒?|分)?(?:\.\d+)?(Z|[+-]\d\d:?\d\d)?)?"
_PARTS = r"-(\d{1,2})-(\d{1,2})|/(\d{1,2})/(\d{1,2})|\.(\d{1,2})\.(\d{1,2})|年(\d{1,2})月(\d{1,2})日"
_DAY = re.compile(
    rf"(?:(\d{{4}})(?:{_PARTS}|(\d{{2}})(\d{{2}}))|(R|H|S|令和|平成|昭和|令|平|昭)(\d{{1,2}}|元)(?:{_PARTS}))"
    rf"(?:\([日月火水木金土]\))?{_TIME}",
    re.IGNORECASE,
)
_ERAS = {
    "R": (2018, date(2019, 5, 1), date.max),
    "H": (1988, date(1989, 1, 8), date(2019, 4, 30)),
    "S": (1925, date(1926, 12, 25), date(1989, 1, 7)),
}
_ERA_NAMES = {"令": "R", "平": "H", "昭": "S"}
_NUMBER = re.compile(r"(\d{1,18}|\d{1,3}(?:,\d{3}){1,5})(?:\.(\d{1,8}))?")
_NO_REIWA_YET = 18  # 令和18 is 2036: until then a larger year of two digits is one of our era
_MINUS = "-−‐‑‒–—―▲△"
_BLANKS = frozenset(("", "-", "--", "−", "‐", "–", "—", "―", "ー", "*", "***"))
_IN = frozenset(
    (
        *("1", "入", "入金", "預入", "預け入れ", "お預入れ", "お預け入れ", "受入", "振込入金", "貸", "貸方"),
        *("in", "c", "cr", "crdt", "credit", "deposit", "incoming"),
    )
)
_OUT = frozenset(
    (
        *(
            "2",
            "出",
            "出金",
            "払",
            "払出",
            "支払",
            "支払い",
            "お支払い",
            "引出",
            "お引出し",
            "振替支払い",
            "借",
            "借方",
        ),
        *("out", "d", "dr", "dbit", "debit", "withdrawal", "outgoing"),
    )
)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_LARGE_KANA = str.maketrans("ァィゥェォッャュョヮヵヶ", "アイウエオツヤユヨワカケ")
_STROKES = str.maketrans(dict.fromkeys("-−‐‑‒–—―ｰ", "ー") | dict.fromkeys(" 　\t", None))


class BadValueError(ValueError):
    """A value that is not what its column holds: (value, rule, remedy)."""


@lru_cache(maxsize=65_536)
def even(written: str) -> str:
    """A text with one width of letters (NFKC) and single spaces."""
    return " ".join(unicodedata.normalize("NFKC", written).split())


@lru_cache(maxsize=65_536)
def folded(written: str) -> str:
    """A name as it is compared: width, case, spaces, small kana and the many strokes for ー make no difference."""
    return unicodedata.normalize("NFKC", written).casefold().translate(_LARGE_KANA).translate(_STROKES)


def is_blank(written: str) -> bool:
    """Whether a cell says that there is nothing in it: empty, or a stroke."""
    return written.strip() in _BLANKS or even(written) in _BLANKS


@lru_cache(maxsize=8_192)
def day_of(written: str) -> date:
    """A day, of Japan where it has a time with a zone. Raises BadValueError."""
    text = unicodedata.normalize("NFKC", written).strip()
    found = _DAY.fullmatch(re.sub(r"\s+(?=[\d:])|(?<=[./年月時分-])\s+|\s+(?=[./年月日時分()-])", _space, text))
    if found is not None:
        groups = found.groups()
        with suppress(ValueError, KeyError, OverflowError):
            on = _western(groups[:11]) if groups[0] else _of_era(groups[11:21])
            hour, minute, second, zone = groups[21:]
            if hour is not None:
                instant = datetime(on.year, on.month, on.day, int(hour), int(minute), int(second or 0))  # noqa: DTZ001
                on = jst_day(instant.replace(tzinfo=_zone(zone))) if zone else on
            if is_known_year(on):
                return on
    raise BadValueError(written, "it is not a day", "write it as 2025-04-30")


def _space(found: re.Match[str]) -> str:
    """Spaces inside a day fall away (2025 / 04 / 30); the one before a time of day stays one."""
    return " " if re.match(r"\d{1,2}[:時]", found.string[found.end() :]) else ""


def _western(groups: tuple[str | None, ...]) -> date:
    year, *rest = (int(part) for part in groups if part is not None)
    return date(year, rest[0], rest[1])


def _of_era(groups: tuple[str | None, ...]) -> date:
    name, year, *rest = (part for part in groups if part is not None)
    letter = _ERA_NAMES.get(name[0], name[0].upper())
    before, first_on, last_on = _ERAS[letter]
    on = date(before + (1 if year == "元" else int(year)), int(rest[0]), int(rest[1]))
    if not first_on <= on <= last_on:
        raise ValueError(year)
    return on


def _zone(written: str) -> timezone:
    if written.upper() == "Z":
        return timezone(timedelta(0))
    sign = -1 if written[0] == "-" else 1
    return timezone(sign * timedelta(hours=int(written[1:3]), minutes=int(written[-2:])))


def zengin_day(written: str) -> date:
    """A day of 全銀 files: YYMMDD in 令和, or a whole day. Raises BadValueError.

    The rules want 令和, and some files have the year of our era: 26 is 2026, for 令和26 lies eighteen years ahead.
    """
    digits = even(written)
    if len(digits) == 6 and digits.isascii() and digits.isdigit():
        with suppress(BadValueError):
            if int(digits[:2]) > _NO_REIWA_YET:
                return day_of(f"20{digits}")
            return day_of(f"R{digits[:2]}.{digits[2:4]}.{digits[4:]}")
        raise BadValueError(written, "it is no day of 令和 (YYMMDD)", "have the bank write the file again")
    return day_of(written)


def month_day_of(written: str) -> date:
    """A day of American reports: Nov 1, 2026; 1 Nov 2026; 11/01/2026 (month first). Raises BadValueError."""
    text = even(written).replace(",", " ")
    words = text.split()
    with suppress(ValueError, IndexError):
        if "/" in text:
            month, day, year = (int(part) for part in words[0].split("/"))
        elif words[0][:3].lower() in _MONTHS:
            month, day, year = _MONTHS.index(words[0][:3].lower()) + 1, int(words[1]), int(words[2])
        elif words[1][:3].lower() in _MONTHS:
            month, day, year = _MONTHS.index(words[1][:3].lower()) + 1, int(words[0]), int(words[2])
        else:
            return day_of(written)
        on = date(year, month, day)
        if is_known_year(on):
            return on
    return day_of(written)


def day_first_of(written: str) -> date:
    """A day of European reports: 31-12-2026, 31/12/2026, 31.12.2026; or a whole day. Raises BadValueError."""
    found = re.fullmatch(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4})", even(written))
    return day_of(f"{found[4]}-{found[3]}-{found[1]}" if found else written)


@lru_cache(maxsize=8_192)
def amount_of(written: str) -> Decimal:
    """An amount in its currency; below zero with a minus before or behind it, △ or brackets. Raises BadValueError."""
    text = unicodedata.normalize("NFKC", written).replace(" ", "")
    number, below = text, False
    if number.startswith("(") and number.endswith(")"):
        number, below = number[1:-1], True
    number = _bare(number)
    if number[:1] and number[0] in _MINUS + "+" and not below:
        below, number = number[0] != "+", _bare(number[1:])
    elif number[-1:] and number[-1] in _MINUS + "+" and not below:
        below, number = number[-1] != "+", _bare(number[:-1])
    found = _NUMBER.fullmatch(number)
    if found is None:
        raise BadValueError(written, "it is no amount", "write it as 5300, or -5300")
    value = Decimal(found[1].replace(",", "") + (f".{found[2]}" if found[2] else ""))
    return -value if below else value


def _bare(number: str) -> str:
    return number.lstrip("¥\\").removesuffix("円")


def yen_of(written: str) -> int:
    """Whole yen, below zero with a minus before or behind it, △ or brackets. Raises BadValueError."""
    try:
        value = amount_of(written)
    except BadValueError:
        value = None
    if value is None or value != value.to_integral_value() or abs(value) >= 10**15:
        raise BadValueError(written, "it is not an amount of whole yen", "write it as 5300")
    return int(value)


def direction_of(written: str) -> str | None:
    """`in` or `out` as a bank's column says it (1, 入金, CRDT, …); None: it says neither."""
    word = even(written).casefold()
    if word in _IN:
        return "in"
    return "out" if word in _OUT else None


@lru_cache(maxsize=65_536)
def text_of(written: str) -> str:
    """A text of a bank: width and spaces made even. Raises BadValueError: too long, or control letters."""
    text = even(written)
    if len(text) > LONGEST_NAME or not text.isprintable():
        raise BadValueError(text[:40], f"a text has at most {LONGEST_NAME} printable letters", "shorten it")
    return text
