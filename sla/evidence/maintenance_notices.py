"""Reader of announced maintenance: an iCalendar file (.ics), every event in it as an issue of that event.

    an event, a series       an issue (`keizoku.sla.rules.announcements` puts issues of all files together)
    RECURRENCE-ID            an issue of one occurrence
    CANCELLED, TENTATIVE     an issue that announces nothing, from its publication on

When an issue was published: `ics_times`. A notice that came too late is kept, as evidence, with a finding. An event
that cannot be read, or comes to nothing, is a finding; the others go on.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from keizoku.limits import YEARS
from keizoku.sla.evidence.calendars.ics_events import (
    Written,
    occurrence,
    occurrences_of,
    recurrence_of,
    window_of,
    written_event,
)
from keizoku.sla.evidence.calendars.ics_text import EventText, events_in
from keizoku.sla.evidence.calendars.ics_times import Published, Stated, order_of, published, withdrawn
from keizoku.sla.evidence.incident_files import RefusedRowError
from keizoku.sla.rules.announcements import Announced, Announcements, EventIssue, Occurrence, announcements_of
from keizoku.sla.rules.outages import UpdateNotice
from keizoku.sla.rules.unusable_time import announced_by, is_announced_in_time
from keizoku.terms.calendar import from_epoch, iso_jst
from keizoku.terms.decision import Finding
from keizoku.terms.policy import Policy

__all__ = ["Issues", "NoticesRead", "Stated", "findings_of", "read_issues", "read_notices"]


ANNOUNCING: Final = ("", "PUBLISH", "REQUEST", "CANCEL")
"""Methods of a mail (RFC 5546 3.2) that say what the organiser has on."""


@dataclass(frozen=True, slots=True)
class Issues:
    """What a file has of events, how many of them were refused, and why."""

    path: Path
    rows: tuple[EventIssue, ...] = ()
    findings: tuple[Finding, ...] = ()
    refused: int = 0


@dataclass(frozen=True, slots=True)
class NoticesRead:
    """What files come to: the publications, the issues behind them, how many events were refused, and the findings."""

    rows: tuple[UpdateNotice, ...] = ()
    findings: tuple[Finding, ...] = ()
    refused: int = 0
    issues: tuple[EventIssue, ...] = ()


def read_notices(paths: Path | Sequence[Path], policy: Policy, stated: Stated | None = None) -> NoticesRead:
    """The notices of files, taken together; each occurrence of a recurring one is a notice of its own."""
    reads = [read_issues(path, stated) for path in ([paths] if isinstance(paths, Path) else paths)]
    issues = tuple(issue for read in reads for issue in read.rows)
    announced = announcements_of(issues)
    findings = [finding for read in reads for finding in read.findings]
    findings += findings_of(announced, policy)
    order = {str(read.path): place for place, read in enumerate(reads)}
    findings.sort(key=lambda finding: (order.get(finding.source, 0), finding.line or 0))
    refused = sum(read.refused for read in reads) + len(announced.clashing)
    return NoticesRead(announced.notices, tuple(findings), refused, issues)


def read_issues(path: Path, stated: Stated | None = None) -> Issues:
    """Every event of a file as an issue; OSError if it cannot be opened."""
    try:
        events = events_in(path)
    except RefusedRowError as refused:
        return Issues(path, (), (Finding(str(path), None, refused.value, refused.rule, refused.remedy),), 1)
    if not events:
        rule = "a calendar of maintenance has events (VEVENT); this one announces nothing"
        return Issues(path, (), (Finding(str(path), None, "no event", rule, "export the maintenance as events"),), 1)
    reading = _Reading(path, stated or Stated())
    for event in events:
        reading.sort_in(event)
    return reading.result()


def findings_of(announced: Announcements, policy: Policy, of: Sequence[EventIssue] | None = None) -> list[Finding]:
    """What is to be told of the publications of files: came too late, names no occurrence, clashes with another.

    `of`: the issues that are spoken of; the others are only there to put them together.
    """
    own = {(issue.source, issue.line) for issue in of} if of is not None else None
    before: dict[tuple[str, str, str], UpdateNotice] = {}
    findings = [
        _too_late(row.issue, row.notice, policy)
        for row in sorted(announced.rows, key=lambda row: row.notice.published_at)
        if _is_new(row, before)
        and not row.notice.cancelled
        and _is_of(row.issue, own)
        and not is_announced_in_time(row.notice, policy)
    ]
    for issue in announced.homeless:
        if not _is_of(issue, own):
            continue
        if issue.recurrence is None:
            rule = "it cancels what no file announces"
            findings.append(_told(issue, f"{issue.uid}: cancelled", rule, "give the calendar that announces it, too"))
        else:
            value = f"{issue.uid}: RECURRENCE-ID {_instant(issue.recurrence.at)}"
            rule = "no occurrence of its series starts then, or on that day"
            findings.append(_told(issue, value, rule, "state the start of the occurrence that it replaces"))
    for issue in (each for each in announced.by_day if _is_of(each, own)):
        value = f"{issue.uid}: RECURRENCE-ID {_instant(issue.recurrence.at if issue.recurrence else 0)}"
        rule = "its series has that day's occurrence at another hour; that one is replaced"
        findings.append(_told(issue, value, rule, "state the start of the occurrence that it replaces"))
    for issue in announced.clashing if of is None else ():
        value = f"{issue.uid} published {_instant(issue.published_at)}"
        rule = "two windows of one event were not published at the same time; an edit is a new notice"
        remedy = "state in X-KEIZOKU-PUBLISHED when it was edited; until then what both announce is covered"
        findings.append(_told(issue, value, rule, remedy))
    return findings


class _Reading:
    """One file being read."""

    def __init__(self, path: Path, stated: Stated) -> None:
        self._path, self._stated = path, stated
        self._events: list[tuple[int, Written]] = []
        self._findings: list[Finding] = []
        self._refused: set[int] = set()

    def sort_in(self, event: EventText) -> None:
        """Take an event with its line."""
        with self._telling(event.line):
            written = written_event(event.calendar, event.component)
            if written.method not in ANNOUNCING:
                rule = "only what the organiser publishes is announced, not an answer to it or a wish"
                remedy = "give the calendar itself, or a mail with PUBLISH, REQUEST or CANCEL"
                raise RefusedRowError(f"{written.uid}: METHOD {written.method:.40}", rule, remedy)
            self._events.append((event.line, written))
            if written.status in ("TENTATIVE", "RE-SCHEDULED", "RESCHEDULED") and written.method != "CANCEL":
                rule = "a tentative window is not announced; it excludes nothing"
                self._say(event.line, f"{written.uid}: {written.status}", rule, "confirm it in time (premium/9.4.4)")

    def result(self) -> Issues:
        """All of them as issues."""
        series = {event.uid: event for _, event in self._events if not event.is_override}
        rows = []
        for line, event in self._events:
            with self._telling(line):
                rows.append(self._issue(line, event, series.get(event.uid)))
        findings = sorted(self._findings, key=lambda finding: finding.line or 0)
        return Issues(self._path, tuple(rows), tuple(findings), len(self._refused))

    def _issue(self, line: int, event: Written, series: Written | None) -> EventIssue:
        gone = event.announces_nothing
        occurrences, is_series = self._occurrences(line, event)
        when = self._when(line, event, series)
        stamped_at, edited_at = order_of(event, self._stated)
        return EventIssue(
            uid=event.uid,
            published_at=when.at,
            published_from=when.named,
            occurrences=occurrences,
            is_series=is_series,
            withdrawn=gone,
            recurrence=recurrence_of(event) if event.is_override else None,
            sequence=event.sequence,
            stamped_at=stamped_at,
            edited_at=edited_at,
            calendar=event.calendar,
            source=str(self._path),
            line=line,
        )

    def _occurrences(self, line: int, event: Written) -> tuple[tuple[Occurrence, ...], bool]:
        """Its windows, and whether it recurs; a cancellation may have none."""
        if event.announces_nothing and "DTSTART" not in event.component:
            return (), False
        window = window_of(event)
        if event.is_override or not event.is_series:
            return (occurrence(event, window.start_at, window.length),), False
        found = occurrences_of(event, window)
        for value, rule, remedy in found.doubts:
            self._say(line, value, rule, remedy)
        if all(each.left_out for each in found.occurrences):
            rule = "every window of this series is left out; it announces nothing"
            self._say(line, f"{event.uid}: no window", rule, "cancel the series, or correct its EXDATE")
        if found.read_until is not None:
            rule = f"a rule without an end is read until {iso_jst(found.read_until)}"
            self._say(line, f"{event.uid}: RRULE", rule, "import the calendar again before then")
        return found.occurrences, True

    def _when(self, line: int, event: Written, series: Written | None) -> Published:
        gone = event.announces_nothing
        when = withdrawn(event, self._stated) if gone else published(event, self._stated, series)
        if when.passed:
            taken = f"{when.named} is taken" if when.named else "it holds from the beginning"
            self._say(
                line, f"{event.uid}: {', '.join(when.passed)}", f"it says nothing; {taken}", "export the real time"
            )
        return when

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


def _is_new(row: Announced, before: dict[tuple[str, str, str], UpdateNotice]) -> bool:
    """Whether a publication says anything else than the one before it of the same occurrence."""
    notice = row.notice
    last = before.get((notice.calendar, notice.event, notice.uid))
    before[notice.calendar, notice.event, notice.uid] = notice
    says = (notice.start, notice.end, notice.cancelled)
    return last is None or (last.start, last.end, last.cancelled) != says


def _is_of(issue: EventIssue, own: set[tuple[str, int]] | None) -> bool:
    return own is None or (issue.source, issue.line) in own


def _told(issue: EventIssue, value: str, rule: str, remedy: str) -> Finding:
    return Finding(issue.source, issue.line or None, value, rule, remedy)


def _instant(at: int) -> str:
    return iso_jst(from_epoch(at))


def _too_late(issue: EventIssue, notice: UpdateNotice, policy: Policy) -> Finding:
    published_at, needed = _instant(notice.published_at), _instant(announced_by(notice.start, policy))
    return _told(
        issue,
        f"{notice.uid} published {published_at}",
        f"had to be published by {needed} (premium/9.4.4), so it does not cover and the update counts",
        "nothing to correct, unless it was published earlier",
    )
