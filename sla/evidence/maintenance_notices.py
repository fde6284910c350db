"""Reader of announced maintenance: an iCalendar file (.ics), one notice per publication of a window.

Published is `X-KEIZOKU-PUBLISHED`, else CREATED for the first issue (sequence 0) and LAST-MODIFIED for a later one:
an edit that moves or widens a window is announced when it is edited. A notice that came too late is kept, as
evidence, with a finding.

    one event                notice "a"
    a series                 notices "a#START", by what each occurrence's start was before anybody moved it
    its moved occurrence     another publication of "a#START"
    its EXDATE               a withdrawal of "a#START"

What is cancelled or only TENTATIVE announces nothing from its publication on: a notice that is `cancelled`. The
calendar's name (X-WR-CALNAME) tells events with the same UID in two calendars apart.
"""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from icalendar import Calendar, Component

from keizoku.limits import FIRST_SECOND, LARGEST_PAGE, LAST_SECOND, YEARS
from keizoku.sla.evidence.ics_events import (
    Window,
    calendar_name,
    is_series,
    occurrences_of,
    original_start,
    published_at,
    status_of,
    uid_of,
    window_of,
    withdrawn_at,
)
from keizoku.sla.evidence.incident_files import RefusedRowError
from keizoku.sla.rules.outages import UpdateNotice
from keizoku.sla.rules.unusable_time import is_announced_in_time, published_by
from keizoku.terms.calendar import epoch, epoch_up, from_epoch, iso_jst
from keizoku.terms.decision import Finding
from keizoku.terms.inputs.input_files import read_whole
from keizoku.terms.policy import Policy

NOTHING_ANNOUNCED = ("CANCELLED", "TENTATIVE")
Identity = tuple[str, str]  # calendar, UID


@dataclass(frozen=True, slots=True)
class Issue:
    """The newest issue of an event in a file: when it was published, and the windows that it speaks of."""

    published_at: int
    windows: frozenset[str]


@dataclass(frozen=True, slots=True)
class NoticesRead:
    """The notices of a file in its order, how many events were refused, and the findings."""

    rows: tuple[UpdateNotice, ...] = ()
    findings: tuple[Finding, ...] = ()
    refused: int = 0
    issues: dict[Identity, Issue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Event:
    """An event of a file, with its line and the calendar that it stands in."""

    component: Component
    line: int
    identity: Identity
    withdrawn: bool  # it announces nothing

    @property
    def uid(self) -> str:
        return self.identity[1]

    def published_at(self, series: Component | None = None) -> datetime:
        if self.withdrawn:
            return withdrawn_at(self.component, self.uid)
        return published_at(self.component, self.uid, series)

    def notice(self, name: str, at: datetime, window: Window, *, withdrawn: bool = False) -> UpdateNotice:
        try:
            start, end = epoch(window.start_at), epoch_up(window.start_at + window.length)
        except OverflowError:
            start, end = epoch(window.start_at), LAST_SECOND + 1
        if not (FIRST_SECOND <= start < end <= LAST_SECOND and FIRST_SECOND <= epoch(at) <= LAST_SECOND):
            raise RefusedRowError(f"{self.uid}: {iso_jst(window.start_at)}", f"a time from {YEARS}", "correct it")
        cancelled = self.withdrawn or withdrawn
        return UpdateNotice(name, epoch_up(at), start, end, cancelled=cancelled, calendar=self.identity[0])


def read_notices(path: Path, policy: Policy) -> NoticesRead:
    """The notices of a file; each occurrence of a recurring one is a notice of its own."""
    try:
        text = read_whole(path, LARGEST_PAGE).decode("utf-8-sig")
        calendars = Calendar.from_ical(text, multiple=True)
        events = [(calendar, event) for calendar in calendars for event in calendar.walk("VEVENT")]
    except UnicodeDecodeError:
        return _refused(path, "not UTF-8", "files are UTF-8", "save the file as UTF-8")
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
        why = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
        return _refused(path, why, "the file is a calendar", "export it again as .ics")
    lines = [at for at, line in enumerate(text.splitlines(), start=1) if line.strip().upper() == "BEGIN:VEVENT"]
    if len(lines) != len(events) or "BEGIN:VCALENDAR" not in text.upper():
        return _refused(path, "cut off", "a calendar has a beginning and an end", "export it again as .ics")
    reading = _Reading(path, policy)
    for line, (calendar, event) in zip(lines, events, strict=True):
        reading.sort_in(line, calendar, event)
    return reading.result()


def _refused(path: Path, value: str, rule: str, remedy: str) -> NoticesRead:
    return NoticesRead((), (Finding(str(path), None, value, rule, remedy),), 1)


class _Reading:
    """One file being read: a series and what overrides it belong together, wherever they stand."""

    def __init__(self, path: Path, policy: Policy) -> None:
        self._path, self._policy = path, policy
        self._masters: list[_Event] = []
        self._overrides: dict[Identity, list[tuple[_Event, datetime, bool]]] = defaultdict(list)
        self._notices: list[tuple[int, UpdateNotice]] = []
        self._issued: dict[tuple[str, str, int], list[UpdateNotice]] = defaultdict(list)
        self._findings: list[Finding] = []
        self._refused: set[int] = set()
        self._issues: dict[Identity, Issue] = {}

    def sort_in(self, line: int, calendar: Component, component: Component) -> None:
        """Take an event as one of its own or as one that overrides an occurrence."""
        with self._telling(line):
            name = calendar_name(calendar)
            withdrawn = status_of(component) in NOTHING_ANNOUNCED or str(calendar.get("METHOD", "")).upper() == "CANCEL"
            event = _Event(component, line, (name, uid_of(component)), withdrawn)
            replaced = original_start(component, event.uid)
            if replaced is None:
                self._masters.append(event)
            else:
                self._overrides[event.identity].append((event, *replaced))
            if status_of(component) == "TENTATIVE":
                rule = "a tentative window is not announced; it excludes nothing"
                self._say(line, f"{event.uid}: TENTATIVE", rule, "confirm it in time (premium/9.4.4)")

    def result(self) -> NoticesRead:
        """All that the events come to."""
        series_of = {event.identity: event.component for event in self._masters}
        for event in self._masters:
            with self._telling(event.line):
                self._take(event)
        for identity, overrides in self._overrides.items():
            for event, start_at, and_later in overrides:
                with self._telling(event.line):
                    self._override(event, start_at, series_of.get(identity), and_later=and_later)
        ordered = sorted(self._notices, key=lambda row: row[0])
        findings = sorted(self._findings, key=lambda finding: finding.line or 0)
        rows = tuple(dict.fromkeys(notice for _, notice in ordered))
        return NoticesRead(rows, tuple(findings), len(self._refused), self._issues)

    def _take(self, event: _Event) -> None:
        """An event of its own: one window, or those of a series, less those that something newer overrides."""
        window, at = window_of(event.component, event.uid), event.published_at()
        if not is_series(event.component):
            self._add(event, event.notice(event.uid, at, window))
            self._note(event, at, {event.uid})
            return
        found = occurrences_of(event.component, event.uid)
        newer = {
            start_at
            for override, start_at, _ in self._overrides.get(event.identity, ())
            if _is_newer(override, event.component, at)
        }
        names = {_name(event.uid, start_at) for start_at in (*found.starts, *found.left_out)}
        for start_at in found.starts:
            if start_at not in newer:
                self._add(event, event.notice(_name(event.uid, start_at), at, Window(start_at, window.length)))
        for start_at in found.left_out:
            name, left_out = _name(event.uid, start_at), Window(start_at, window.length)
            self._add(event, event.notice(name, at, left_out, withdrawn=True))
        overridden = {_name(event.uid, start_at) for _, start_at, _ in self._overrides.get(event.identity, ())}
        self._note(event, at, names | overridden)
        if found.read_until is not None:
            rule = f"a rule without an end is read until {iso_jst(found.read_until)}"
            self._say(event.line, f"{event.uid}: RRULE", rule, "import the calendar again before then")

    def _override(self, event: _Event, start_at: datetime, series: Component | None, *, and_later: bool) -> None:
        at = event.published_at(series if series is not None else event.component)
        self._add(event, event.notice(_name(event.uid, start_at), at, window_of(event.component, event.uid)))
        if not and_later:
            return
        for master in self._masters:
            if master.identity == event.identity and is_series(master.component):
                length = window_of(master.component, event.uid).length
                for later_at in occurrences_of(master.component, event.uid).starts:
                    if later_at > start_at:
                        name = _name(event.uid, later_at)
                        self._add(event, event.notice(name, at, Window(later_at, length), withdrawn=True))
        rule = "of an edit of this and all later occurrences only this one is read; the later ones announce nothing"
        raise RefusedRowError(f"{event.uid}: THISANDFUTURE", rule, "write the later ones as a series of their own")

    def _add(self, event: _Event, notice: UpdateNotice) -> None:
        issued = self._issued[notice.calendar, notice.uid, notice.published_at]
        for other in issued:
            if other == notice:
                return
            if not (other.cancelled or notice.cancelled):
                value = f"{notice.uid} published {iso_jst(from_epoch(notice.published_at))}"
                rule = "two windows of one event were not published at the same time; an edit is a new notice"
                raise RefusedRowError(value, rule, "state in X-KEIZOKU-PUBLISHED when it was edited")
        issued.append(notice)
        self._notices.append((event.line, notice))
        if not notice.cancelled and not is_announced_in_time(notice, self._policy):
            self._findings.append(_too_late(self._path, event.line, notice, self._policy))

    def _note(self, event: _Event, at: datetime, windows: set[str]) -> None:
        issue = Issue(epoch_up(at), frozenset(windows))
        known = self._issues.get(event.identity)
        if known is None or known.published_at <= issue.published_at:
            self._issues[event.identity] = issue

    def _say(self, line: int, value: str, rule: str, remedy: str) -> None:
        self._findings.append(Finding(str(self._path), line, value, rule, remedy))

    @contextmanager
    def _telling(self, line: int) -> Iterator[None]:
        try:
            yield
        except RefusedRowError as refused:
            self._refused.add(line)
            self._say(line, refused.value, refused.rule, refused.remedy)
        except (ValueError, ArithmeticError, LookupError) as error:  # of the library, about one value
            self._refused.add(line)
            what = "a time" if isinstance(error, ArithmeticError) else str(error)[:120]
            self._say(line, what, f"times are from {YEARS}", "correct the event")


def _is_newer(override: _Event, series: Component, series_at: datetime) -> bool:
    """Whether what overrides an occurrence was not published before this issue of its series' own window."""
    try:
        return override.published_at(series) <= series_at
    except RefusedRowError:
        return True


def _name(uid: str, start_at: datetime) -> str:
    return f"{uid}#{iso_jst(start_at)}"


def _too_late(path: Path, line: int, notice: UpdateNotice, policy: Policy) -> Finding:
    published, needed = (iso_jst(from_epoch(at)) for at in (notice.published_at, published_by(notice, policy)))
    return Finding(
        str(path),
        line,
        f"{notice.uid} published {published}",
        f"had to be published by {needed} (premium/9.4.4), so it does not cover and the update counts",
        "nothing to correct, unless it was published earlier",
    )
