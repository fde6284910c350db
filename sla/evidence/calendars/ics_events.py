"""What an iCalendar event says: its identity, window and occurrences.

Times without a zone of their own are the calendar's (X-WR-TIMEZONE, TIMEZONE-ID), else Japan's, whole days are that
zone's days, a rule recurs in the zone of its event. What cannot be read raises RefusedRowError with value, rule and
remedy. Nothing is decided here: `maintenance_notices` puts events together, `ics_times` says when they were published.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any, Final
from zoneinfo import ZoneInfo

from dateutil.rrule import rrule, rruleset
from icalendar import Component, vDDDTypes
from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

from keizoku.limits import LONGEST_NAME, YEARS, id_flaw
from keizoku.sla.evidence.calendars.ics_rules import recurring, starts_of
from keizoku.sla.evidence.incident_files import (
    FIRST_SECOND,
    LAST_SECOND,
    LONGEST_SECONDS,
    TIME_REMEDY,
    RefusedRowError,
)
from keizoku.sla.rules.announcements import Occurrence, OccurrenceIndex, Recurrence, occurrences_named
from keizoku.terms.calendar import JST, epoch, epoch_up, iso_jst, parse_instant

MOST_OCCURRENCES = 3_000
LONGEST_WINDOW = timedelta(seconds=LONGEST_SECONDS)
ENDLESS_READ = timedelta(days=731)  # of a rule without an end, from its start
OUR_PUBLISHED = "X-KEIZOKU-PUBLISHED"
ZONE_NAMES: Final = ("X-WR-TIMEZONE", "TIMEZONE-ID", "X-TIMEZONE")
MAINTNOTE_STATUS: Final = "X-MAINTNOTE-STATUS"
NOTHING_ANNOUNCED: Final = ("CANCELLED", "CANCELED", "TENTATIVE", "RE-SCHEDULED", "RESCHEDULED")


@dataclass(frozen=True, slots=True)
class Window:
    """The window that an event has, or the first one of a series."""

    start_at: datetime
    length: timedelta


@dataclass(frozen=True, slots=True)
class Series:
    """Occurrences of a series, those left out among them; where reading ended, and what its dates do not hit."""

    occurrences: tuple[Occurrence, ...]
    read_until: datetime | None = None
    doubts: tuple[tuple[str, str, str], ...] = ()  # value, rule, remedy


@dataclass(frozen=True, slots=True)
class Written:
    """An event as it is written, with what its calendar says of it."""

    component: Component
    uid: str
    calendar: str = ""
    method: str = ""
    zone: tzinfo | None = field(default=JST)  # None: the calendar names one that nobody knows
    zone_name: str = ""

    @property
    def is_override(self) -> bool:
        """Whether it is about an occurrence of a series."""
        return "RECURRENCE-ID" in self.component

    @property
    def is_series(self) -> bool:
        """Whether it recurs."""
        return "RRULE" in self.component or "RDATE" in self.component

    @property
    def is_maintnote(self) -> bool:
        """Whether it is in the form in which carriers announce maintenance."""
        return any(name.upper().startswith("X-MAINTNOTE-") for name in self.component)

    @property
    def sequence(self) -> int:
        """Which revision it is, from 0 on."""
        written = self.component.get("SEQUENCE")
        if isinstance(written, list):
            raise RefusedRowError(f"{self.uid}: SEQUENCE twice", "an event has one of each", "leave one")
        return int(written) if written is not None else 0

    @property
    def status(self) -> str:
        """CONFIRMED, TENTATIVE, CANCELLED, or what a carrier's notice says; empty where nothing is said."""
        own = [str(self.component.get(name, "")).strip().upper() for name in ("STATUS", MAINTNOTE_STATUS)]
        return next((each for each in own if each in NOTHING_ANNOUNCED), own[0] or own[1])

    @property
    def announces_nothing(self) -> bool:
        """Whether it is cancelled, moved elsewhere, or only tentative."""
        return self.method == "CANCEL" or self.status in NOTHING_ANNOUNCED

    def moment(self, name: str) -> date:
        """A day, or an aware datetime."""
        found = self._single(name)
        return self._zoned(found.dt, found.params.get("TZID"), f"{self.uid}: {name}")

    def written(self, name: str) -> date:
        """Our own property: an iCalendar time, or one as people write it."""
        found = self._single(name)
        zone, text = found.params.get("TZID"), found.to_ical().decode().strip()
        try:
            read = vDDDTypes.from_ical(text, zone)  # type: ignore[no-untyped-call]
            return self._zoned(read, zone, f"{self.uid}: {name}")
        except ValueError:
            pass
        try:
            return date.fromisoformat(text) if len(text) == len("2026-04-10") else parse_instant(text)
        except ValueError:
            raise RefusedRowError(f"{self.uid}: {name} {text!r}", "not a time", TIME_REMEDY) from None

    def start_of(self, moment: date) -> datetime:
        """A datetime as it is; a day as its first instant in the calendar's zone."""
        return moment if isinstance(moment, datetime) else datetime.combine(moment, time(0), self.zone or JST)

    def dates(self, name: str) -> Iterator[tuple[date, timedelta | None]]:
        """The moments of a property that lists them, each with its own length where it is a period."""
        listed: Any = self.component.get(name) or []
        for dates in listed if isinstance(listed, list) else [listed]:
            zone = dates.params.get("TZID")
            for moment in dates.dts:
                start, length = moment.dt if isinstance(moment.dt, tuple) else (moment.dt, None)
                if length is not None and not isinstance(length, timedelta):
                    length = length - start
                yield self._zoned(start, zone, f"{self.uid}: {name}"), length

    def length(self, name: str) -> timedelta:
        """A duration."""
        found = self._single(name)
        if not isinstance(found.dt, timedelta):
            raise RefusedRowError(f"{self.uid}: {name}", "an event has one duration", "write it like PT2H")
        return found.dt

    def _single(self, name: str) -> Any:
        found: Any = self.component.get(name)
        if isinstance(found, list):
            raise RefusedRowError(f"{self.uid}: {name} twice", "an event has one of each", "leave one")
        return found

    def _zoned(self, moment: object, zone: str | None, where: str) -> date:
        if not isinstance(moment, date):
            raise RefusedRowError(f"{where} {moment}", "not a time", TIME_REMEDY)
        if isinstance(moment, datetime):
            if moment.tzinfo is not None:
                return moment
            if zone:
                known = known_zone(zone)
                if known is None:
                    rule = "the file does not define this zone"
                    raise RefusedRowError(f"{where}: zone {zone!r}", rule, "use Asia/Tokyo")
                return moment.replace(tzinfo=known)
        if self.zone is None:
            rule = f"its calendar is in {self.zone_name[:60]!r}, which nobody knows"
            raise RefusedRowError(f"{where} {moment}", rule, "give times a zone, as Asia/Tokyo")
        return moment.replace(tzinfo=self.zone) if isinstance(moment, datetime) else moment


def written_event(calendar: Component, event: Component) -> Written:
    """An event with its calendar. Raises RefusedRowError for one without an identity, or with a broken property."""
    name = str(calendar.get("X-WR-CALNAME", "")).strip()
    if name and (flaw := id_flaw(name, LONGEST_NAME)):
        raise RefusedRowError(f"X-WR-CALNAME {name[:80]!r}", flaw, "correct the name of the calendar")
    zone_name = next((str(calendar.get(own)).strip() for own in ZONE_NAMES if calendar.get(own)), "")
    zone = known_zone(zone_name) if zone_name else JST
    return Written(event, _uid_of(event), name, str(calendar.get("METHOD", "")).strip().upper(), zone, zone_name)


def known_zone(name: str) -> tzinfo | None:
    """The zone of a name of IANA, or of Windows; None for one that nobody knows."""
    for known in (name, WINDOWS_TO_OLSON.get(name, "")):
        try:
            if known and not known.startswith("/"):
                return ZoneInfo(known)
        except (ValueError, LookupError, OSError):
            continue
    return None


def _uid_of(event: Component) -> str:
    if event.errors:
        name, message = event.errors[0]
        raise RefusedRowError(f"{name}: {message}", "a property has its format", "correct it")
    uid = str(event.get("UID", "")).strip()
    if not uid:
        raise RefusedRowError("an event without UID", "a notice has an identity", "give it a UID")
    if flaw := id_flaw(uid):
        raise RefusedRowError(f"UID {uid[:80]!r}", flaw, "give it a UID of its own that is one")
    return uid


def recurrence_of(event: Written) -> Recurrence:
    """Which occurrence of its series an event is about.

    A day, and midnight where some write it for a day (Exchange), name the occurrences of that day as it is written.
    """
    moment = event.moment("RECURRENCE-ID")
    zone = event.zone or JST
    if "DTSTART" in event.component and isinstance(start := event.moment("DTSTART"), datetime):
        zone = start.tzinfo or zone
    range_ = str(event.component.get("RECURRENCE-ID").params.get("RANGE", ""))
    return _named(moment, event, zone, and_later=range_.upper() == "THISANDFUTURE")


def _named(moment: date, event: Written, zone: tzinfo, *, and_later: bool = False) -> Recurrence:
    at = epoch(event.start_of(moment))
    if not isinstance(moment, datetime):
        return Recurrence(at, moment.isoformat(), True, and_later)
    is_utc = moment.utcoffset() == timedelta(0) and moment.tzinfo is not None and str(moment.tzinfo) in ("UTC", "Z")
    day = (moment.astimezone(zone) if is_utc else moment).date()
    return Recurrence(at, day.isoformat(), False, and_later, moment.time() == time(0))


def window_of(event: Written) -> Window:
    """Its start and length."""
    uid, component = event.uid, event.component
    if "DTSTART" not in component:
        raise RefusedRowError(f"{uid}: no DTSTART", "a window has a start", "add it")
    start = event.moment("DTSTART")
    start_at = _aware(event, start)
    if "DTEND" in component:
        length = _aware(event, event.moment("DTEND")) - start_at
    elif "DURATION" in component:
        length = event.length("DURATION")
    else:
        length = timedelta(0) if isinstance(start, datetime) else timedelta(days=1)
    if length <= timedelta(0):
        value = f"{uid}: {iso_jst(start_at)} to {iso_jst(start_at + length)}"
        raise RefusedRowError(value, "a window ends after it starts", "correct DTEND or DURATION")
    if length > LONGEST_WINDOW:
        value = f"{uid}: {iso_jst(start_at)}, {length.days:,} days long"
        raise RefusedRowError(value, "a window is at most a year long", "correct DTEND or DURATION")
    return Window(start_at, length)


def occurrence(event: Written, start_at: datetime, length: timedelta, *, left_out: bool = False) -> Occurrence:
    """A window in whole seconds, outward. Raises RefusedRowError for one outside the years that evidence has."""
    try:
        start, end = epoch(start_at), epoch_up(start_at + length)
    except OverflowError:
        start, end = epoch(start_at), LAST_SECOND + 1
    if not FIRST_SECOND <= start < end <= LAST_SECOND:
        raise RefusedRowError(f"{event.uid}: {iso_jst(start_at)}", f"a time from {YEARS}", "correct it")
    return Occurrence(start, start_at.date().isoformat(), start, end, left_out)


def occurrences_of(event: Written, window: Window) -> Series:
    """The occurrences of a series: DTSTART, its rule and dates; those that it excepts are left out."""
    local = event.start_of(event.moment("DTSTART"))
    doubts: list[tuple[str, str, str]] = []
    try:
        starts, until = _rule_starts(event, local, doubts)
        lengths: dict[datetime, timedelta] = {}
        for moment, length in event.dates("RDATE"):
            start = event.start_of(moment)
            starts.setdefault(start.astimezone(UTC), start)
            if length is not None:
                lengths[start.astimezone(UTC)] = length
        if not starts:
            value = f"{event.uid}: it comes to nothing"
            raise RefusedRowError(value, "a series has at least one window", "correct its rule, COUNT or UNTIL")
        if local.astimezone(UTC) not in starts:
            starts[local.astimezone(UTC)] = local
            rule = "DTSTART is not a day of its own rule; it is taken as the first window, as calendars show it"
            doubts.append((f"{event.uid}: {iso_jst(local)}", rule, "write a rule that DTSTART follows"))
            if "COUNT" in (event.component.get("RRULE") or {}) and len(starts) > 1:
                del starts[max(starts)]  # DTSTART counts as the first (RFC 5545 3.8.5.3)
        for excluded in _excluded_by_rule(event, local, until or (max(starts) + timedelta(days=1)), doubts):
            starts.pop(excluded, None)
    except (ValueError, TypeError, AttributeError, ArithmeticError, LookupError) as error:
        if isinstance(error, RefusedRowError):
            raise
        why = error if isinstance(error, ValueError | TypeError) else "it reaches days that are none"
        raise RefusedRowError(f"{event.uid}: RRULE: {why}", "not read", "write each window as its own event") from None
    if len(starts) > MOST_OCCURRENCES:
        rule = f"at most {MOST_OCCURRENCES:,} occurrences are read"
        raise RefusedRowError(f"{event.uid}: RRULE", rule, "give it an earlier UNTIL")
    every = [occurrence(event, starts[at], lengths.get(at, window.length)) for at in sorted(starts)]
    left_out = _left_out(event, every, local.tzinfo or JST, doubts)
    marked = tuple(each._replace(left_out=each.at in left_out) for each in every)
    return Series(marked, parse_instant(until) if until else None, tuple(doubts))


def _rule_starts(
    event: Written, local: datetime, doubts: list[tuple[str, str, str]]
) -> tuple[dict[datetime, datetime], datetime | None]:
    """What the rule gives by instant, and until where it is read; without a rule the first start alone."""
    if "RRULE" not in event.component:
        return {local.astimezone(UTC): local}, None
    rule, until = _recurring(event, "RRULE", local)
    series = rruleset()
    series.rrule(rule)
    found = starts_of(series, [rule], until, MOST_OCCURRENCES + 1)
    return {start.astimezone(UTC): start for start in found}, until


def _excluded_by_rule(
    event: Written, local: datetime, until: datetime, doubts: list[tuple[str, str, str]]
) -> Iterator[datetime]:
    if "EXRULE" not in event.component:
        return
    rule, _ = _recurring(event, "EXRULE", local)
    series = rruleset()
    series.rrule(rule)
    doubts.append(
        (f"{event.uid}: EXRULE", "a rule of exceptions is no longer in use; its dates are left out", "write EXDATE")
    )
    for start in starts_of(series, [rule], until, MOST_OCCURRENCES * 10):
        yield start.astimezone(UTC)


def _recurring(event: Written, name: str, local: datetime) -> tuple[rrule, datetime | None]:
    rule: Any = event.component.get(name)
    if isinstance(rule, list):
        raise RefusedRowError(f"{event.uid}: {name} twice", "an event has one of each", "leave one")
    until = None if "COUNT" in rule or "UNTIL" in rule else local + ENDLESS_READ
    if any(count < 1 for count in rule.get("COUNT", [])):
        raise RefusedRowError(f"{event.uid}: COUNT={rule['COUNT'][0]}", "a rule has at least one window", "correct it")
    return recurring(_rule_in_utc(rule.to_ical().decode(), rule, local), local, event.uid), until


def _left_out(event: Written, every: list[Occurrence], zone: tzinfo, doubts: list[tuple[str, str, str]]) -> set[int]:
    """The starts of the occurrences that EXDATE names, by instant or by day."""
    index, left_out = OccurrenceIndex(every), set[int]()
    for moment, _ in event.dates("EXDATE"):
        recurrence = _named(moment, event, zone)
        named, by_day = occurrences_named(recurrence, index)
        left_out |= {each.at for each in named}
        if not named:
            rule = "no occurrence of its series starts then"
            doubts.append(
                (f"{event.uid}: EXDATE {_shown(moment)}", rule, "state the start of the one that is left out")
            )
        elif by_day:
            rule = f"its series has that day's at {iso_jst(_instant(named[0].at))}; that one is left out"
            doubts.append(
                (f"{event.uid}: EXDATE {_shown(moment)}", rule, "state the start of the one that is left out")
            )
    return left_out


def _shown(moment: date) -> str:
    return iso_jst(moment) if isinstance(moment, datetime) else moment.isoformat()


def _instant(at: int) -> datetime:
    return datetime.fromtimestamp(at, UTC)


def _rule_in_utc(text: str, rule: dict[str, list[date]], local: datetime) -> str:
    """The rule with UNTIL as an instant: a day is until its end, a time without a zone is in the event's."""
    if "UNTIL" not in rule:
        return text
    until = rule["UNTIL"][0]
    until_at = until if isinstance(until, datetime) else datetime.combine(until, time(23, 59, 59))
    if until_at.tzinfo is None:
        until_at = until_at.replace(tzinfo=local.tzinfo)
    written = parse_instant(until_at).strftime("%Y%m%dT%H%M%SZ")
    return ";".join(f"UNTIL={written}" if part.startswith("UNTIL=") else part for part in text.split(";"))


def _aware(event: Written, moment: date) -> datetime:
    """Its instant, in the zone in which it is written."""
    start = event.start_of(moment)
    parse_instant(start)  # ValueError for one beyond the years that there are
    return start
