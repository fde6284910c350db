"""What an iCalendar event says: its identity, window, occurrences and time of publication.

Floating times are JST, whole days are JST days, a rule recurs in the zone of its event. What cannot be read
raises RefusedRowError with value, rule and remedy. Nothing is decided here; `maintenance_notices` puts events together.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from dateutil.rrule import rrule, rruleset
from icalendar import Component, vDDDTypes

from keizoku.limits import LONGEST_NAME, id_flaw
from keizoku.sla.evidence.ics_rules import recurring, starts_of
from keizoku.sla.evidence.incident_files import LONGEST_SECONDS, TIME_REMEDY, RefusedRowError
from keizoku.terms.calendar import JST, iso_jst, parse_instant

MOST_OCCURRENCES = 1_000
LONGEST_WINDOW = timedelta(seconds=LONGEST_SECONDS)
ENDLESS_READ = timedelta(days=731)  # of a rule without an end, from its start
OUR_PUBLISHED = "X-KEIZOKU-PUBLISHED"


@dataclass(frozen=True, slots=True)
class Window:
    """The window that an event has, or the first one of a series."""

    start_at: datetime
    length: timedelta


@dataclass(frozen=True, slots=True)
class Occurrences:
    """Starts of a series, those that it leaves out, and where reading ended although the rule goes on."""

    starts: tuple[datetime, ...]
    left_out: tuple[datetime, ...]
    read_until: datetime | None = None


def uid_of(event: Component) -> str:
    """Its identity."""
    if event.errors:
        name, message = event.errors[0]
        raise RefusedRowError(f"{name}: {message}", "a property has its format", "correct it")
    uid = str(event.get("UID", "")).strip()
    if not uid:
        raise RefusedRowError("an event without UID", "a notice has an identity", "give it a UID")
    if flaw := id_flaw(uid):
        raise RefusedRowError(f"UID {uid[:80]!r}", flaw, "give it a UID of its own that is one")
    return uid


def calendar_name(calendar: Component) -> str:
    """What the calendar calls itself, or nothing. Raises RefusedRowError where that is no name."""
    name = str(calendar.get("X-WR-CALNAME", "")).strip()
    if name and (flaw := id_flaw(name, LONGEST_NAME)):
        raise RefusedRowError(f"X-WR-CALNAME {name[:80]!r}", flaw, "correct the name of the calendar")
    return name


def status_of(event: Component) -> str:
    """CONFIRMED, TENTATIVE, CANCELLED; empty where nothing is said."""
    return str(event.get("STATUS", "")).strip().upper()


def published_at(event: Component, uid: str, series: Component | None = None) -> datetime:
    """When this issue was published. An occurrence that overrides its `series` is an edit of it.

    An occurrence whose time of publication is only a copy of its series' says nothing of its own there.
    """
    is_edit = series is not None or _property(event, "SEQUENCE") not in (None, 0)
    names = [OUR_PUBLISHED, "LAST-MODIFIED" if is_edit else "CREATED"]
    if series is not None:
        names.append("CREATED")
        if OUR_PUBLISHED in event and event.get(OUR_PUBLISHED) == series.get(OUR_PUBLISHED):
            names = ["LAST-MODIFIED", OUR_PUBLISHED]
    for name in names:
        if name in event:
            return _at(event, uid, name)
    rule = f"this issue of a notice was published at {OUR_PUBLISHED} or {names[1]}"
    raise RefusedRowError(f"{uid}: no time of publication", rule, f"add {OUR_PUBLISHED}")


def withdrawn_at(event: Component, uid: str) -> datetime:
    """Since when a cancelled event announces nothing: what was last written of it."""
    for name in ("LAST-MODIFIED", OUR_PUBLISHED, "DTSTAMP"):
        if name in event:
            return _at(event, uid, name)
    raise RefusedRowError(f"{uid}: no time of its cancellation", "a cancellation has a time", "add LAST-MODIFIED")


def original_start(event: Component, uid: str) -> tuple[datetime, bool] | None:
    """The start of the occurrence that an event overrides, and whether all later ones too; None if it is none."""
    if "RECURRENCE-ID" not in event:
        return None
    found = _single(event, uid, "RECURRENCE-ID")
    start = _zoned(found.dt, found.params.get("TZID"), f"{uid}: RECURRENCE-ID")
    return parse_instant(start), str(found.params.get("RANGE", "")).upper() == "THISANDFUTURE"


def window_of(event: Component, uid: str) -> Window:
    """Its start and length."""
    if "DTSTART" not in event:
        raise RefusedRowError(f"{uid}: no DTSTART", "a window has a start", "add it")
    start = _moment(event, uid, "DTSTART")
    start_at = parse_instant(start)
    if "DTEND" in event:
        length = parse_instant(_moment(event, uid, "DTEND")) - start_at
    elif "DURATION" in event:
        length = _duration(event, uid)
    else:
        length = timedelta(0) if isinstance(start, datetime) else timedelta(days=1)
    if length <= timedelta(0):
        value = f"{uid}: {iso_jst(start_at)} to {iso_jst(start_at + length)}"
        raise RefusedRowError(value, "a window ends after it starts", "correct DTEND or DURATION")
    if length > LONGEST_WINDOW:
        value = f"{uid}: {iso_jst(start_at)}, {length.days:,} days long"
        raise RefusedRowError(value, "a window is at most a year long", "correct DTEND or DURATION")
    return Window(start_at, length)


def is_series(event: Component) -> bool:
    """Whether it recurs."""
    return "RRULE" in event or "RDATE" in event


def occurrences_of(event: Component, uid: str) -> Occurrences:
    """The starts of a series: its rule and dates, without its exceptions."""
    if "EXRULE" in event:
        raise RefusedRowError(f"{uid}: EXRULE", "not read", "write its dates as EXDATE")
    first = _moment(event, uid, "DTSTART")
    local = first if isinstance(first, datetime) else datetime.combine(first, time(0), JST)
    series, rules = rruleset(), list[rrule]()
    until: datetime | None = None
    try:
        if "RRULE" in event:
            rule = _property(event, "RRULE")
            if isinstance(rule, list):
                raise RefusedRowError(f"{uid}: RRULE twice", "an event has one of each", "leave one")
            if not ("COUNT" in rule or "UNTIL" in rule):
                until = local + ENDLESS_READ
            rules.append(recurring(_rule_in_utc(rule.to_ical().decode(), rule), local, uid))
            series.rrule(rules[0])
        else:
            series.rdate(local)
        for moment in _dates(event, uid, "RDATE"):
            series.rdate(moment if isinstance(moment, datetime) else datetime.combine(moment, time(0), JST))
        starts = [parse_instant(start) for start in starts_of(series, rules, until, MOST_OCCURRENCES + 1)]
    except (ValueError, TypeError, AttributeError, ArithmeticError, LookupError) as error:
        if isinstance(error, RefusedRowError):
            raise
        why = error if isinstance(error, ValueError | TypeError) else "it reaches days that are none"
        raise RefusedRowError(f"{uid}: RRULE: {why}", "not read", "write each window as its own event") from None
    if len(starts) > MOST_OCCURRENCES:
        rule_text = f"at most {MOST_OCCURRENCES:,} occurrences are read"
        raise RefusedRowError(f"{uid}: RRULE", rule_text, "give it an earlier UNTIL")
    instants, days = set(), set()
    for moment in _dates(event, uid, "EXDATE"):
        if isinstance(moment, datetime):
            instants.add(parse_instant(moment))
        else:
            days.add(moment)
    zone = local.tzinfo
    left_out = [start for start in starts if start in instants or start.astimezone(zone).date() in days]
    kept = [start for start in starts if start not in left_out]
    return Occurrences(tuple(kept), tuple(left_out), parse_instant(until) if until else None)


def _dates(event: Component, uid: str, name: str) -> Iterator[date]:
    listed = _property(event, name) or []
    for dates in listed if isinstance(listed, list) else [listed]:
        zone = dates.params.get("TZID")
        for moment in dates.dts:
            if not isinstance(moment.dt, date):
                raise RefusedRowError(f"{uid}: {name} {moment.dt}", "not a time", "write periods as their own events")
            yield _zoned(moment.dt, zone, f"{uid}: {name}")


def _at(event: Component, uid: str, name: str) -> datetime:
    """An instant; for a day its end, as the doubt about being in time goes to the user."""
    moment = _written(event, uid, name) if name == OUR_PUBLISHED else _moment(event, uid, name)
    return moment if isinstance(moment, datetime) else parse_instant(moment + timedelta(days=1))


def _rule_in_utc(text: str, rule: dict[str, list[date]]) -> str:
    """The rule with UNTIL as an instant: a day is until its end, a time without a zone is JST."""
    if "UNTIL" not in rule:
        return text
    until = rule["UNTIL"][0]
    until_at = until if isinstance(until, datetime) else datetime.combine(until, time(23, 59, 59))
    written = parse_instant(until_at).strftime("%Y%m%dT%H%M%SZ")
    return ";".join(f"UNTIL={written}" if part.startswith("UNTIL=") else part for part in text.split(";"))


def _moment(event: Component, uid: str, name: str) -> date:
    """A day, or an aware datetime; floating times are JST."""
    found = _single(event, uid, name)
    return _zoned(found.dt, found.params.get("TZID"), f"{uid}: {name}")


def _written(event: Component, uid: str, name: str) -> date:
    """Our own property: an iCalendar time, or one as people write it."""
    found = _single(event, uid, name)
    zone, text = found.params.get("TZID"), found.to_ical().decode().strip()
    try:
        read = vDDDTypes.from_ical(text, zone)  # type: ignore[no-untyped-call]
        return _zoned(read, zone, f"{uid}: {name}")
    except ValueError:
        pass
    try:
        return date.fromisoformat(text) if len(text) == len("2026-04-10") else parse_instant(text)
    except ValueError:
        raise RefusedRowError(f"{uid}: {name} {text!r}", "not a time", TIME_REMEDY) from None


def _zoned(moment: object, zone: str | None, where: str) -> date:
    if not isinstance(moment, date):
        raise RefusedRowError(f"{where} {moment}", "not a time", TIME_REMEDY)
    if not isinstance(moment, datetime) or moment.tzinfo is not None:
        return moment
    if zone:
        raise RefusedRowError(f"{where}: zone {zone!r}", "the file does not define this zone", "use Asia/Tokyo")
    return moment.replace(tzinfo=JST)


def _duration(event: Component, uid: str) -> timedelta:
    duration = _single(event, uid, "DURATION")
    if not isinstance(duration.dt, timedelta):
        raise RefusedRowError(f"{uid}: DURATION", "an event has one duration", "write it like PT2H")
    return duration.dt


def _property(event: Component, name: str) -> Any:
    """A property as the library read it: a value of the property's type, a list if it stands there twice."""
    return event.get(name)


def _single(event: Component, uid: str, name: str) -> Any:
    found = _property(event, name)
    if isinstance(found, list):
        raise RefusedRowError(f"{uid}: {name} twice", "an event has one of each", "leave one")
    return found
