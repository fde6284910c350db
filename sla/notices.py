"""Reader of announced maintenance: an iCalendar file (.ics), one VEVENT per publication of a window.

Published is `X-KEIZOKU-PUBLISHED`, else CREATED for the first issue (sequence 0) and LAST-MODIFIED for a
later one: an edit that moves or widens a window is announced when it is edited. Floating times are JST,
events of whole days are JST days. A notice that came too late is kept, as evidence, and told as a finding.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from dateutil.rrule import rrulestr
from icalendar import Calendar, Component, vDDDTypes

from sla.evidence import TIME_REMEDY, Read, RefusedRowError
from sla.unusable import UpdateNotice, is_announced_in_time, published_by
from terms.calendar import JST, epoch, epoch_up, from_epoch, iso_jst, parse_instant
from terms.decision import Finding
from terms.policy import Policy

MOST_OCCURRENCES = 1_000
OUR_PUBLISHED = "X-KEIZOKU-PUBLISHED"
NOT_READ_YET = ("RDATE", "RECURRENCE-ID", "EXRULE")


@dataclass(frozen=True, slots=True)
class _Window:
    start_at: datetime
    length: timedelta


def read_notices(path: Path, policy: Policy) -> Read[UpdateNotice]:
    """The notices of a file, in its order; each occurrence of a recurring one is a notice of its own.

    Cancelled events announce nothing and are left out.
    """
    notices: list[UpdateNotice] = []
    findings: list[Finding] = []
    try:
        text = path.read_bytes().decode("utf-8-sig")
        events = [event for calendar in Calendar.from_ical(text, multiple=True) for event in calendar.walk("VEVENT")]
    except UnicodeDecodeError:
        return Read((), (Finding(str(path), None, "not UTF-8", "files are UTF-8", "save the file as UTF-8"),))
    except (ValueError, KeyError, IndexError) as error:
        told = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
        return Read((), (Finding(str(path), None, told, "the file is a calendar", "export it again as .ics"),))
    lines = [at for at, line in enumerate(text.splitlines(), start=1) if line.strip().upper() == "BEGIN:VEVENT"]
    if len(lines) != len(events) or "BEGIN:VCALENDAR" not in text.upper():
        rule = "a calendar has a beginning and an end"
        return Read((), (Finding(str(path), None, "cut off", rule, "export it again as .ics"),))
    for line, event in zip(lines, events, strict=True):
        try:
            for notice in _notices(event):
                notices.append(notice)
                if not is_announced_in_time(notice, policy):
                    findings.append(_too_late(path, line, notice, policy))
        except RefusedRowError as refused:
            findings.append(Finding(str(path), line, refused.value, refused.rule, refused.remedy))
    return Read(tuple(notices), tuple(findings))


def _notices(event: Component) -> Iterator[UpdateNotice]:
    if str(event.get("STATUS", "")).upper() == "CANCELLED":
        return
    if event.errors:
        name, message = event.errors[0]
        raise RefusedRowError(f"{name}: {message}", "a property has its format", "correct it")
    uid = str(event.get("UID", "")).strip()
    if not uid:
        raise RefusedRowError("an event without UID", "a notice has an identity", "give it a UID")
    for name in NOT_READ_YET:
        if name in event:
            raise RefusedRowError(f"{uid}: {name}", "not read yet", "write each window as its own event")
    published_at = _published_at(event, uid)
    window = _window(event, uid)
    starts = _starts(event, uid, window.start_at)
    for number, start_at in enumerate(starts, start=1):
        name = uid if len(starts) == 1 else f"{uid}#{number}"
        yield UpdateNotice(name, epoch_up(published_at), epoch(start_at), epoch_up(start_at + window.length))


def _published_at(event: Component, uid: str) -> datetime:
    name = OUR_PUBLISHED
    if name not in event:
        name = "CREATED" if _property(event, "SEQUENCE") in (None, 0) else "LAST-MODIFIED"
    if name not in event:
        rule = f"this issue of a notice was published at {OUR_PUBLISHED} or {name}"
        raise RefusedRowError(f"{uid}: no time of publication", rule, f"add {OUR_PUBLISHED}")
    moment = _written(event, uid, name) if name == OUR_PUBLISHED else _moment(event, uid, name)
    if isinstance(moment, datetime):
        return moment
    # Some time on that day: its end, as the doubt about being in time goes to the user.
    return _day_start(moment + timedelta(days=1))


def _window(event: Component, uid: str) -> _Window:
    if "DTSTART" not in event:
        raise RefusedRowError(f"{uid}: no DTSTART", "a window has a start", "add it")
    start = _moment(event, uid, "DTSTART")
    start_at = _day_start(start)
    if "DTEND" in event:
        length = _day_start(_moment(event, uid, "DTEND")) - start_at
    elif "DURATION" in event:
        length = _duration(event, uid)
    else:
        length = timedelta(0) if isinstance(start, datetime) else timedelta(days=1)
    if length <= timedelta(0):
        value = f"{uid}: {iso_jst(start_at)} to {iso_jst(start_at + length)}"
        raise RefusedRowError(value, "a window ends after it starts", "correct DTEND or DURATION")
    return _Window(start_at, length)


def _starts(event: Component, uid: str, start_at: datetime) -> list[datetime]:
    """The starts of all occurrences of a window, in JST days."""
    if "RRULE" not in event:
        return [start_at]
    rule = _property(event, "RRULE")
    if isinstance(rule, list) or not ("COUNT" in rule or "UNTIL" in rule):
        remedy = "give the rule a COUNT or UNTIL, or write each window as its own event"
        raise RefusedRowError(f"{uid}: RRULE", "a recurring notice without an end is not read yet", remedy)
    try:
        occurrences = rrulestr(_rule_in_utc(rule.to_ical().decode(), rule), dtstart=start_at.astimezone(JST))
        starts = list(islice(occurrences, MOST_OCCURRENCES + 1))
    except (ValueError, TypeError, AttributeError) as error:
        raise RefusedRowError(f"{uid}: RRULE: {error}", "not read yet", "write each window as its own event") from None
    if len(starts) > MOST_OCCURRENCES:
        rule_text = f"at most {MOST_OCCURRENCES:,} occurrences are read"
        raise RefusedRowError(f"{uid}: RRULE", rule_text, "give it an earlier UNTIL")
    skipped = {_day_start(moment) for moment in _skipped(event)}
    return [start for start in starts if start not in skipped]


def _rule_in_utc(text: str, rule: dict[str, list[date]]) -> str:
    """The rule with UNTIL as an instant: a day is until its end, a time without a zone is JST."""
    if "UNTIL" not in rule:
        return text
    until = rule["UNTIL"][0]
    until_at = until if isinstance(until, datetime) else datetime.combine(until, time(23, 59, 59))
    written = parse_instant(until_at).strftime("%Y%m%dT%H%M%SZ")
    return ";".join(f"UNTIL={written}" if part.startswith("UNTIL=") else part for part in text.split(";"))


def _skipped(event: Component) -> Iterator[date]:
    listed = _property(event, "EXDATE") or []
    for dates in listed if isinstance(listed, list) else [listed]:
        yield from (moment.dt for moment in dates.dts)


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


def _day_start(moment: date) -> datetime:
    return parse_instant(moment)


def _too_late(path: Path, line: int, notice: UpdateNotice, policy: Policy) -> Finding:
    published, needed = (iso_jst(from_epoch(at)) for at in (notice.published_at, published_by(notice, policy)))
    return Finding(
        str(path),
        line,
        f"{notice.uid} published {published}",
        f"had to be published by {needed} (premium/9.4.4), so it does not cover and the update counts",
        "nothing to correct, unless it was published earlier",
    )
