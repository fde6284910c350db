"""What every form of outages comes to, and how their times and lengths are read.

A monitor knows that something was down, not how many users could not use it: that people state. An outage that is still
open is known until the present, never further.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from keizoku.limits import LONGEST_ID, id_flaw
from keizoku.sla.evidence.incident_files import (
    LAST_SECOND,
    LONGEST_SECONDS,
    TIME_REMEDY,
    Incident,
    RefusedRowError,
)
from keizoku.sla.rules.outages import Cause
from keizoku.terms.calendar import JST, epoch, epoch_up, from_epoch, iso_jst, parse_instant, time_flaw
from keizoku.terms.decision import Finding
from keizoku.terms.inputs.input_files import read_whole

__all__ = [
    "Asked",
    "OutageFile",
    "OutageFormat",
    "json_of",
    "length_of",
    "listed",
    "moment_of",
    "rows_of",
    "text_of",
]

EXPORT_AGAIN: Final = "export it again as this tool does"
_EPOCH: Final = re.compile(r"[0-9]{9,10}(\.[0-9]+)?|[0-9]{13}|[0-9]{16}|[0-9]{19}")
_TWELVE_HOURS: Final = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}) ([0-9]{1,2}):([0-9]{2})(:[0-9]{2})? ([AaPp])[Mm]")
_UNITS: Final = {"d": 86_400, "h": 3_600, "m": 60, "s": 1, "w": 604_800, "y": 31_536_000, "M": 2_592_000}
_LENGTH: Final = re.compile(
    r"([0-9]+) ?(years?|months?|weeks?|days?|hours?|hrs?|minutes?|mins?|seconds?|secs?|[ywdhmsM])\b,? ?"
)
_CLOCK: Final = re.compile(r"(?:([0-9]+)d? )?([0-9]+):([0-5][0-9])(?::([0-5][0-9]))?")


@dataclass(frozen=True, slots=True)
class Asked:
    """What a file does not say of itself: users unable, the present, columns, which rows."""

    affected: int
    now: datetime
    columns: Mapping[str, str] = field(default_factory=dict)
    only: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class OutageFile:
    """A file being read: its outages, and what was wrong."""

    path: Path
    format: str
    asked: Asked
    rows: list[Incident] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    refused: int = 0
    _names: dict[str, Incident] = field(default_factory=dict)

    def say(self, value: str, rule: str, remedy: str, line: int | None = None) -> None:
        """Tell what is in doubt."""
        self.findings.append(Finding(str(self.path), line, f"{value:.120}", rule, remedy))

    def refuse(self, value: str, rule: str, remedy: str, line: int | None = None) -> None:
        """Tell what is not taken."""
        self.refused += 1
        self.say(value, rule, remedy, line)

    def take(
        self,
        name: str,
        start_at: datetime,
        end_at: datetime | None,
        what: str = "",
        *,
        cause: Cause = Cause.FAULT,
        line: int | None = None,
    ) -> None:
        """An outage under its own name; without an end it is still open. Raises RefusedRowError.

        Work that was only planned names the cause of what is seen in it, and shows no outage by itself.
        """
        now = self.asked.now
        if start_at > now:
            raise RefusedRowError(f"{name}: {iso_jst(start_at)}", "it lies ahead", "import it when it is over")
        if end_at is not None and end_at < start_at:
            value = f"{name}: {iso_jst(start_at)} to {iso_jst(end_at)}"
            raise RefusedRowError(value, "an outage ends after it starts", "correct one of the times")
        is_open = end_at is None or end_at > now
        if is_open:
            rule = f"it is still open; known until {iso_jst(now.replace(microsecond=0))}"
            self.say(f"{name}: since {iso_jst(start_at)}", rule, "import it again when it is over", line)
        end_at = min(end_at or now, now)
        start, end = epoch(start_at), epoch_up(end_at)
        if start == end:
            return
        if not 0 <= start < end <= LAST_SECOND or end - start > LONGEST_SECONDS:
            value = f"{name}: {iso_jst(start_at)} to {iso_jst(end_at)}"
            raise RefusedRowError(value, "a period is at most a year long", "correct one of the times")
        unable = 0 if cause is Cause.SYSTEM_UPDATE else self.asked.affected
        key = _id(f"{self.format}-{name}")
        row = Incident(key, start, end, unable, cause, f"{what:.500}", "", is_open=is_open)
        known = self._names.setdefault(key, row)
        if known is not row:
            if known != row:
                raise RefusedRowError(key, "one of this name stands above with other values", "give it its own name")
            return
        self.rows.append(row)
        self.lines.append(line or 0)

    def chosen(self, rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """The rows that were asked for (`--only NAME=VALUE`, NAME like attributes.status), of JSON as of CSV."""
        found = list(rows)
        for name, value in self.asked.only:
            have = [(row, own) for row in found if (own := _within(row, name)) is not None]
            if found and not have:
                names = ", ".join(sorted({str(each) for row in found[:20] for each in row}))
                self.refuse(f"--only {name}", f"no row has it; there are {names}", "name one, or an inner one as a.b")
            found = [row for row, own in have if own.lower() == value.lower()]
        return found

    def each(self, rows: Sequence[Any] | Iterator[Any], take: Callable[[Any], None]) -> None:
        """Take row by row; what is refused of one is a finding."""
        for place, row in enumerate(rows, start=1):
            line = row[0] if isinstance(row, tuple) else None
            try:
                take(row)
            except RefusedRowError as refused:
                self.refuse(refused.value, refused.rule, refused.remedy, line)
            except (TypeError, ValueError, KeyError, AttributeError) as error:
                what = str(error) or type(error).__name__
                self.refuse(f"row {place}: {what}", "it has the form of this tool", EXPORT_AGAIN, line)


@dataclass(frozen=True, slots=True)
class OutageFormat:
    """A form of outages: its name, whose it is, what of it is read, and what says so."""

    name: str
    tool: str
    reads: str
    source: str
    read: Callable[[OutageFile], None]


def json_of(file: OutageFile) -> Any:
    """What a JSON file holds; None after a finding."""
    try:
        return json.loads(read_whole(file.path).decode("utf-8-sig"), parse_float=Decimal)
    except (ValueError, RecursionError) as error:
        file.refuse(str(error).splitlines()[0], "the file is JSON in UTF-8", EXPORT_AGAIN)
        return None


def listed(file: OutageFile, *names: str) -> list[Mapping[str, Any]]:
    """The objects of a list in the answer: under one of these names, or the answer itself."""
    return rows_of(file, json_of(file), *names)


def rows_of(file: OutageFile, answer: Any, *names: str) -> list[Mapping[str, Any]]:
    """The same of an answer that is read already; that it has more pages, or that the call failed, is told."""
    found = answer if isinstance(answer, list) else None
    if isinstance(answer, dict):
        found = next((answer[name] for name in names if isinstance(answer.get(name), list)), None)
        _tell_pages(file, answer, len(found or ()))
    if found is None:
        if not file.findings:
            rule = f"an answer of this tool has a list ({', '.join(names)})"
            file.refuse(f"{type(answer).__name__}", rule, EXPORT_AGAIN)
        return []
    return [each for each in found if isinstance(each, dict)]


def _within(row: Mapping[str, Any], name: str) -> str | None:
    """A value as text, where the row has it; a dot leads into what it holds."""
    own: Any = row
    for part in name.split("."):
        if not isinstance(own, dict) or part not in own:
            return None
        own = own[part]
    return "" if own is None else str(own).strip()


def _tell_pages(file: OutageFile, answer: Mapping[str, Any], rows: int) -> None:
    """That the answer is one page of several: what is on the others is not known to have been up."""
    pages, meta = answer.get("pagination"), answer.get("meta")
    told = [answer.get("nextLink"), answer.get("more") is True]  # UptimeRobot, PagerDuty
    if isinstance(pages, dict):
        told.append(pages.get("next"))  # Better Stack
        total, limit, offset = (_whole(pages.get(name)) for name in ("total", "limit", "offset"))
        told.append(total > offset + max(limit, rows) > 0)  # UptimeRobot's second API
    page = meta.get("page") if isinstance(meta, dict) else None
    if isinstance(page, dict):  # Datadog
        total = _whole(page.get("total_filtered_count") or page.get("total_count"))
        told.append(total > _whole(page.get("offset")) + rows)
    if any(told):
        file.say("one page of several", "outages of the other pages are not in the file", "export and import them, too")


def _whole(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def text_of(row: Mapping[str, Any], name: str) -> str:
    """A value as text; empty where it is not there."""
    value = row.get(name)
    return "" if value is None else str(value).strip()


def moment_of(written: object, zone: tzinfo = JST) -> datetime | None:
    """An instant: seconds since 1970 (or thousandths, millionths, billionths), or a written time; None for nothing.

    Without an offset it is in `zone`. Raises RefusedRowError for what is none.
    """
    text = "" if written is None else str(written).strip()
    if text.lower() in ("", "0", "null", "none", "-"):
        return None
    if _EPOCH.fullmatch(text):
        whole = text.partition(".")[0]
        seconds = Decimal(text) / (1 if len(whole) <= 10 else 10 ** (len(whole) - 10))
        return from_epoch(0) + timedelta(microseconds=int(seconds * 1_000_000))
    if found := _TWELVE_HOURS.fullmatch(text):
        hour = int(found[2]) % 12 + (12 if found[5].lower() == "p" else 0)
        text = f"{found[1]} {hour:02d}:{found[3]}{found[4] or ''}"
    text = re.sub(r"(?<=[0-9]) (?=[+-][0-9]{2}:?[0-9]{2}$)| ?UTC$| GMT$", lambda at: "Z" if at[0].strip() else "", text)
    try:
        at = parse_instant(text)
    except ValueError:
        raise RefusedRowError(f"{text!r:.60}", time_flaw(text), TIME_REMEDY) from None
    has_offset = bool(re.search(r"(?:Z|[+-][0-9]{2}:?[0-9]{0,2})$", text[10:]))
    if not has_offset and zone is not JST:
        at = at.astimezone(JST).replace(tzinfo=zone).astimezone(UTC)
    return at


def length_of(written: object, unit: int = 1) -> timedelta | None:
    """A length: a number of units (in seconds), 1:02:03, "0 hrs, 5 mins", "1h 5m"; None for nothing."""
    text = "" if written is None else str(written).strip()
    if not text or text == "-":
        return None
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", text):
        return timedelta(microseconds=int(Decimal(text) * unit * 1_000_000))
    if clock := _CLOCK.fullmatch(text):
        days, hours, minutes, seconds = (int(each or 0) for each in clock.groups())
        return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    if not re.fullmatch(f"(?:{_LENGTH.pattern})+", text):
        raise RefusedRowError(f"{text!r:.60}", "not a length of time", "write seconds, 1:02:03 or 1h 2m 3s")
    total = 0
    for number, word in _LENGTH.findall(text):
        total += int(number) * _UNITS["M" if word in ("month", "months", "M") else word[0]]
    return timedelta(seconds=total)


def _id(name: str) -> str:
    """A name as an id: printable, no longer than one may be."""
    cleaned = re.sub(r"\s+", " ", name).strip()[:LONGEST_ID]
    return cleaned if id_flaw(cleaned) is None else re.sub(r"[^\w .:/#-]", "_", cleaned)
