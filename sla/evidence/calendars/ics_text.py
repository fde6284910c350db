"""The text of an iCalendar file before anybody knows what it says: unfolded, decoded, its events with their lines.

Lines are unfolded before they are decoded, as writers that count octets fold inside a character (RFC 5545 3.1). An
instant in UTC is one, also where a TZID stands beside its Z (3.3.5): the TZID is left out.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from icalendar import Calendar, Component

from keizoku.limits import LARGEST_PAGE
from keizoku.sla.evidence.incident_files import RefusedRowError
from keizoku.terms.inputs.input_files import read_whole

__all__ = ["EventText", "events_in"]

_FOLD: Final = re.compile(rb"(?:\r\n|\n|\r)[ \t]")
_END: Final = re.compile(r"\r\n|\n|\r")
_ZONED_UTC: Final = re.compile(
    r"^((?:[A-Za-z-]+)(?:;[^\r\n:]*?)?);TZID=(?:\"[^\"\r\n]*\"|[^;:\"\r\n]*)((?:;[^\r\n:]*)?:[0-9T,]*\d{8}T\d{6}Z[0-9TZ,]*)$",
    re.MULTILINE | re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class EventText:
    """An event as the library read it, the calendar that it stands in, and the line where it begins."""

    calendar: Component
    component: Component
    line: int


def events_in(path: Path) -> list[EventText]:
    """The events of a file. Raises RefusedRowError for what is no calendar, or was cut off; OSError as `read_whole`."""
    raw = read_whole(path, LARGEST_PAGE)
    lines = [
        at
        for at, line in enumerate(raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n"), start=1)
        if line.rstrip().upper() == b"BEGIN:VEVENT"
    ]
    try:
        text = _FOLD.sub(b"", raw).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise RefusedRowError("not UTF-8", "files are UTF-8", "save the file as UTF-8") from None
    text = _ZONED_UTC.sub(r"\1\2", _END.sub("\n", text))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a name of a zone that the library had to guess
            calendars = Calendar.from_ical(text, multiple=True)
            events = [(calendar, event) for calendar in calendars for event in calendar.walk("VEVENT")]
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
        why = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
        raise RefusedRowError(why, "the file is a calendar", "export it again as .ics") from None
    if len(lines) != len(events) or "BEGIN:VCALENDAR" not in text.upper():
        raise RefusedRowError("cut off", "a calendar has a beginning and an end", "export it again as .ics")
    return [EventText(calendar, event, line) for line, (calendar, event) in zip(lines, events, strict=True)]
