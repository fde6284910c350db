"""Days and months in Japan, the boundaries of terms, and the deadlines of the contract.

A day (`_on`) is a JST date, an instant (`_at`) an aware datetime in UTC, a period is half-open [start, end).
Japan has no daylight saving time: a day is always 86,400 seconds.

    anchored    01-31 │ 02-28 │ 03-31 │ 04-30    counted from the anchor, clamped, never drifting
    civil_code  01-31 │ 03-01 │ 04-01 │ 05-01    no counterpart: the month's end is the term's end

Errors: ValueError for an instant without an offset or text that is no time; these are programmer errors
except in `parse_instant` and `Month.parse`, whose messages can be shown to the author of the text.
"""

from __future__ import annotations

import re
from calendar import isleap, monthrange
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from types import MappingProxyType
from typing import Final, Literal, NamedTuple
from zoneinfo import ZoneInfo

from keizoku.limits import FIRST_YEAR, LAST_YEAR, is_known_year

JST = ZoneInfo("Asia/Tokyo")
DAY_SECONDS = 86_400

Interval = Literal["month", "year"]
TermRule = Literal["anchored", "civil_code"]

MONTHS_OF: Final[Mapping[str, int]] = MappingProxyType({"month": 1, "year": 12})
"""How many calendar months an Interval has."""

WRITTEN_TIME: Final = (
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ](?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]{1,9})?)?"
    r"(?:Z|[+-](?:0[0-9]|1[01])(?::?[0-5][0-9])?|-12(?::?00)?|\+1[23](?::?[0-5][0-9])?|\+14(?::?00)?)?)?"
)
"""A written time, as Python and the engines that count read it: no abbreviation of a zone, no offset that none has."""

_REMEMBERED = 8_192  # days, or boundaries: a night asks for few, and for each of them a thousand times
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)
_ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, order=True, slots=True)
class Month:
    """A calendar month in Japan. Ordered; str() gives "2026-04"."""

    year: int
    month: int

    def __post_init__(self) -> None:
        if not (1 <= self.month <= 12 and 1 <= self.year <= 9999):
            raise ValueError(f"no such month: {self.year}-{self.month}")

    @classmethod
    def parse(cls, text: str) -> Month:
        """Read "2026-04". ValueError, worded for people, for anything but a month of the years of `keizoku.limits`."""
        year, dash, month = text.strip().partition("-")
        if not (dash and year.isdecimal() and len(year) == 4 and month.isdecimal() and len(month) == 2):
            raise ValueError(f"not a month: {text[:80]!r}; write it as 2026-04")
        read = cls(int(year), int(month))
        if not is_known_year(read.first_on):
            raise ValueError(f"{text.strip()}: years go from {FIRST_YEAR} to {LAST_YEAR}")
        return read

    @classmethod
    def of(cls, moment: date) -> Month:
        """The month of a day, or the JST month of an instant."""
        day = jst_day(moment) if isinstance(moment, datetime) else moment
        return cls(day.year, day.month)

    @property
    def first_on(self) -> date:
        """Its first day."""
        return date(self.year, self.month, 1)

    @property
    def end_on(self) -> date:
        """The first day of the next month."""
        return self.next().first_on

    @property
    def start_at(self) -> datetime:
        """The instant at which it begins."""
        return day_start_at(self.first_on)

    @property
    def end_at(self) -> datetime:
        """The instant at which the next one begins."""
        return day_start_at(self.end_on)

    @property
    def days(self) -> int:
        """28 to 31."""
        return monthrange(self.year, self.month)[1]

    def shift(self, months: int) -> Month:
        """The month so many months later, earlier if negative."""
        return Month.of(_months_later(self.first_on, months))

    def next(self) -> Month:
        """The month after."""
        return self.shift(1)

    def previous(self) -> Month:
        """The month before."""
        return self.shift(-1)

    def since(self, earlier: Month) -> int:
        """How many months it is after another; negative if before."""
        return (self.year - earlier.year) * 12 + self.month - earlier.month

    def through(self, last: Month) -> Iterator[Month]:
        """The months from this one to `last`, both inclusive; none if `last` is before it."""
        month = self
        while month <= last:
            yield month
            month = month.next()

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.month:02d}"


class YearsAndDays(NamedTuple):
    """A period cut into whole years and what is left of it."""

    years: int
    common_days: int  # remaining days that lie in years of 365 days
    leap_days: int  # remaining days that lie in years of 366 days


@lru_cache(maxsize=_REMEMBERED)
def boundary(anchor: date, interval: Interval, n: int, rule: TermRule = "anchored") -> date:
    """The first day of the n-th term after the one that begins on `anchor` (0: the anchor itself).

    `anchored` counts every term from the anchor and clamps to a short month. `civil_code` goes term by term:
    a day without its counterpart ends at the month's end, and renewals go on from the new first day.
    """
    if n < 0:
        raise ValueError(f"terms are counted from the anchor forward: {n=}")
    step = MONTHS_OF[interval]
    if rule == "anchored":
        return _months_later(anchor, step * n)
    day = anchor
    for _ in range(n):
        day = _past_months(day, step)
    return day


def jst_day(instant: datetime) -> date:
    """The day in Japan on which an instant falls."""
    return _aware(instant).astimezone(JST).date()


@lru_cache(maxsize=_REMEMBERED)
def day_start_at(day: date) -> datetime:
    """00:00 JST of a day, as an instant in UTC."""
    return datetime.combine(day, time(0), JST).astimezone(UTC)


def parse_day(text: str) -> date:
    """Read "2026-04-10". ValueError, worded for people, for anything but a day of the years of `keizoku.limits`."""
    try:
        day = date.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(f"not a day: {text[:80]!r}; write it as 2026-04-10") from None
    if not is_known_year(day):
        raise ValueError(f"{text.strip()}: years go from {FIRST_YEAR} to {LAST_YEAR}")
    return day


def parse_instant(moment: str | date) -> datetime:
    """Read a time that people wrote: text such as "2026-04-10 09:00", a datetime, or a day (its 00:00).

    Without an offset it is JST. The answer is in UTC.
    """
    if isinstance(moment, str):
        told = f"{time_flaw(moment)}: {moment[:80]!r}; write it as 2026-04-10 09:00 (JST) or with an offset"
        if not re.fullmatch(WRITTEN_TIME, moment.strip()):
            raise ValueError(told)
        try:
            moment = datetime.fromisoformat(moment.strip())
        except ValueError:
            raise ValueError(told) from None
    try:
        if not isinstance(moment, datetime):
            return day_start_at(moment)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=JST)
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"no such time: {moment}; years are 1 to 9999") from None


def time_flaw(written: str) -> str:
    """Why a text is no time, in a few words."""
    word = re.fullmatch(r".*[0-9 ]([A-Za-z]{2,5})", written.strip())
    if word and word[1] not in ("T", "Z", "AM", "PM", "am", "pm"):
        return f"not a time: {word[1]} is no zone, an abbreviation means several; it needs an offset"
    offset = re.search(r"[0-9]([+-][0-9]{2}:?[0-9]{2})$", written.strip())
    if offset and ":" in written and "T" in written.replace(" ", "T"):
        return f"not a time: no zone is at {offset[1]}, they go from -12:00 to +14:00"
    return "not a time"


def iso_jst(instant: datetime) -> str:
    """An instant as text in JST: 2026-04-10T09:00:00+09:00."""
    return _aware(instant).astimezone(JST).isoformat()


def epoch(instant: datetime) -> int:
    """Whole seconds since 1970, rounded down: the start of a piece of evidence."""
    return (_aware(instant) - _EPOCH) // _SECOND


def epoch_up(instant: datetime) -> int:
    """Whole seconds since 1970, rounded up: the end of a piece of evidence."""
    return -((_EPOCH - _aware(instant)) // _SECOND)


def from_epoch(seconds: int) -> datetime:
    """The instant, in UTC, so many seconds after 1970."""
    return _EPOCH + timedelta(seconds=seconds)


def claim_deadline_at(month: Month, months_after: int) -> datetime:
    """The instant before which a claim for `month` has to arrive: the end of the month `months_after` later.

    One month after February is the end of 31 March: 1 April 00:00 JST. Weekends and holidays do not move it.
    """
    return month.shift(months_after).end_at


def notice_deadline_at(starts_at: datetime, clear_days: int) -> datetime:
    """The last instant at which an update that starts at `starts_at` is announced in time (inclusive).

    Clear days: 00:00 JST of the day so many days before the day it starts.
    """
    return day_start_at(jst_day(starts_at) - timedelta(days=clear_days))


def whole_years_and_rest(first: date, last: date) -> YearsAndDays:
    """Cut the days from `first` to `last`, both inclusive, into whole years from `first` and the days left.

    A year ends the day before its counterpart; without one (from 29 February) at the month's end.
    `last` one day before `first` is the empty period.
    """
    end = last + _ONE_DAY
    if end < first:
        raise ValueError(f"the period ends before it begins: {first} to {last}")
    years = end.year - first.year
    if _past_months(first, 12 * years) > end:
        years -= 1
    rest_from = _past_months(first, 12 * years)
    common_days = leap_days = 0
    while rest_from < end:
        piece_end = min(end, date(rest_from.year + 1, 1, 1))
        if isleap(rest_from.year):
            leap_days += (piece_end - rest_from).days
        else:
            common_days += (piece_end - rest_from).days
        rest_from = piece_end
    return YearsAndDays(years, common_days, leap_days)


def _past_months(day: date, months: int) -> date:
    """The first day after so many months from `day` on: its counterpart, or what follows a month too short for one."""
    later = _months_later(day, months)
    return later if later.day == day.day else later + _ONE_DAY


@lru_cache(maxsize=_REMEMBERED)
def _months_later(day: date, months: int) -> date:
    """The same day so many months later, or the last of a month that is too short for it."""
    from dateutil.relativedelta import relativedelta  # what only names a day, as every --help does, goes without

    try:
        return day + relativedelta(months=months)
    except ValueError:
        raise ValueError(f"no such month: {months} after {day:%Y-%m}; years are 1 to 9999") from None


def _aware(instant: datetime) -> datetime:
    if instant.tzinfo is None:
        raise ValueError(f"an instant needs its offset: {instant}")
    return instant
