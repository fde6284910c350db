"""What calendars announce: from every issue of every event that is known to the publications that hold.

    issues of an event      newest by SEQUENCE, then by when it was written (DTSTAMP or LAST-MODIFIED)
    an outdated one         a newer issue was published before it: it never held
    a series                publications "a#START", one chain for each occurrence
    one of its occurrences  RECURRENCE-ID names it by its start, or by its day
    what an issue lacks     is withdrawn from its publication on

An event is one by its UID, in whichever file, mail or calendar it came (RFC 5545 3.8.4.7), and the order in which
issues became known decides nothing (RFC 5546 2.1.4, 3.2.5). Of issues that cannot be told apart in time only what all
of them announce is announced: the doubt goes to the user. Pure: instants are epoch seconds.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Final, NamedTuple

from keizoku.sla.rules.outages import UpdateNotice
from keizoku.terms.calendar import from_epoch, iso_jst

__all__ = [
    "Announced",
    "Announcements",
    "EventIssue",
    "Occurrence",
    "Recurrence",
    "announcements_of",
    "occurrences_named",
]

CREATED: Final = "CREATED"
"""Where a first issue's time of publication stands: it says nothing of an edit."""
BY_HAND: Final = "by hand"

Key = int | None  # the occurrence's first start; None: the event is no series
Span = tuple[int, int]


class Occurrence(NamedTuple):
    """A window of an event: which one it is, by the start that its rule gives it and that start's day as written."""

    at: int
    day: str
    start: int
    end: int
    left_out: bool = False  # the series says that it does not take place


class Recurrence(NamedTuple):
    """Which occurrence a component is about: an instant, its day as written, whether only the day is meant.

    Midnight may be meant for the day: an occurrence that starts then is looked for first.
    """

    at: int
    day: str
    is_day: bool
    and_later: bool = False
    is_midnight: bool = False


@dataclass(frozen=True, slots=True)
class EventIssue:
    """One issue of an event, or of an occurrence of it (`recurrence`), as one source has it."""

    uid: str
    published_at: int
    published_from: str
    occurrences: tuple[Occurrence, ...] = ()
    is_series: bool = False
    withdrawn: bool = False  # cancelled or tentative: it announces nothing
    recurrence: Recurrence | None = None
    sequence: int = 0
    stamped_at: int | None = None
    edited_at: int | None = None
    calendar: str = ""
    source: str = ""  # the file: what stands in one belongs together
    line: int = 0

    @property
    def order(self) -> tuple[int, int, bool]:
        """Later is newer; of two that are equally new the cancellation."""
        return self.sequence, self.stamped_at if self.stamped_at is not None else -1, self.withdrawn

    @property
    def says(self) -> tuple[object, ...]:
        """What it announces."""
        return self.occurrences, self.is_series, self.withdrawn, self.recurrence


class Announced(NamedTuple):
    """A publication, and the issue that it is of."""

    notice: UpdateNotice
    issue: EventIssue


@dataclass(frozen=True, slots=True)
class Announcements:
    """Every publication that holds, what names no occurrence, and what was taken by its day, its hour passed over."""

    rows: tuple[Announced, ...]
    homeless: tuple[EventIssue, ...]
    by_day: tuple[EventIssue, ...]
    clashing: tuple[EventIssue, ...]  # another issue, no older, was published at the same time with other windows

    @property
    def notices(self) -> tuple[UpdateNotice, ...]:
        """The publications alone."""
        return tuple(row.notice for row in self.rows)


class _State(NamedTuple):
    """What is announced of an occurrence from a publication on: a window, or that it is withdrawn."""

    at: int
    window: Span | None
    issue: EventIssue


def announcements_of(issues: Iterable[EventIssue]) -> Announcements:
    """All that these issues come to, in their order."""
    of_event: dict[str, dict[EventIssue, None]] = defaultdict(dict)
    for issue in issues:
        of_event[issue.uid][issue] = None
    rows: list[Announced] = []
    homeless: list[EventIssue] = []
    by_day: list[EventIssue] = []
    clashing: list[EventIssue] = []
    for uid, own in of_event.items():
        event = _Event(uid, list(own))
        rows += event.rows()
        homeless += event.homeless
        by_day += event.by_day
        clashing += event.clashing
    return Announcements(tuple(rows), tuple(homeless), tuple(by_day), tuple(clashing))


def occurrences_named(recurrence: Recurrence, index: OccurrenceIndex) -> tuple[list[Occurrence], bool]:
    """The occurrences that a time or a day names, and whether its hour had to be passed over to find one."""
    if not recurrence.is_day and recurrence.at in index.by_start:
        return [index.by_start[recurrence.at]], False
    found = index.by_day.get(recurrence.day, [])
    if recurrence.is_day or recurrence.is_midnight:
        return found, False
    return (found, True) if len(found) == 1 else ([], False)


class OccurrenceIndex:
    """The occurrences of a series by start and by day."""

    def __init__(self, occurrences: Iterable[Occurrence]) -> None:
        self.by_start: dict[int, Occurrence] = {}
        self.by_day: dict[str, list[Occurrence]] = defaultdict(list)
        for each in occurrences:
            self.by_start[each.at] = each
            self.by_day[each.day].append(each)


class _Whole(NamedTuple):
    """What is published of an event at one instant: as a rule one issue, and the sources that have it."""

    at: int
    issues: tuple[EventIssue, ...]
    sources: frozenset[str]
    named: OccurrenceIndex

    @property
    def withdrawn(self) -> bool:
        """It announces nothing."""
        return any(issue.withdrawn for issue in self.issues)

    def holds(self, override: EventIssue) -> bool:
        """Whether what is said of one occurrence is part of it, or newer."""
        if override.source in self.sources or override.published_from == BY_HAND:
            return True
        return all(override.order > issue.order for issue in self.issues)


class _Event:
    """One event: its whole issues in time, and those of single occurrences."""

    def __init__(self, uid: str, issues: Sequence[EventIssue]) -> None:
        self.homeless: list[EventIssue] = []
        self.by_day: list[EventIssue] = []
        self._uid = uid
        self._places = {(each.source, each.line): place for place, each in enumerate(issues)}
        self._issues = issues
        overrides = _that_held([each for each in issues if each.recurrence is not None])
        self._overrides = sorted(overrides, key=lambda each: (each.published_at, each.order, each.occurrences))
        wholes = [each for each in issues if each.recurrence is None]
        self._is_series = bool(self._overrides) or any(each.is_series for each in wholes)
        apart = [each for each in wholes if self._is_series and each.published_from == BY_HAND and not each.withdrawn]
        self._has_series = any(each.is_series for each in wholes)
        self._apart = apart  # a window under a series' own id is beside the series
        self._wholes = _in_time([each for each in wholes if each not in apart] if apart else wholes)
        self.clashing = [
            issue for whole in self._wholes for issue in whole.issues[1:] if issue.published_from != BY_HAND
        ]
        named = [(each.order, each.published_at, each.calendar) for each in issues]
        self._calendar = max(named)[2]

    def rows(self) -> list[Announced]:
        """Its publications, by issue and start."""
        states: dict[Key, list[_State]] = defaultdict(list)
        skipped = self._place_overrides(states)
        known: dict[Key, Span] = {}
        for whole, without in zip(self._wholes, skipped, strict=True):
            ours = [{self._key(each): each for each in issue.occurrences} for issue in whole.issues]
            published = {key for own in ours for key in own}
            before = {key for key, own in states.items() if any(state.at < whole.at for state in own)}
            for issue, own in zip(whole.issues, ours, strict=True):
                for key, each in own.items():
                    known.setdefault(key, (each.start, each.end))
                    if key not in without:
                        gone = issue.withdrawn or each.left_out
                        states[key].append(_State(whole.at, None if gone else (each.start, each.end), issue))
                for key in (published | before) - own.keys() - without:
                    states[key].append(_State(whole.at, None, issue))
        rows = [row for key, own in states.items() for row in self._chain(key, own, known)]
        rows += [self._row(self._uid, "", each.published_at, each.occurrences[0], each) for each in self._apart]
        if not rows:
            self.homeless += [each for each in self._issues if each.withdrawn and each not in self.homeless]
        places = self._places
        return sorted(
            rows,
            key=lambda row: (places[row.issue.source, row.issue.line], row.notice.start, row.notice.published_at),
        )

    def _place_overrides(self, states: dict[Key, list[_State]]) -> list[set[Key]]:
        """Put what is said of single occurrences on record; by whole, the occurrences that it does not speak of."""
        skipped: list[set[Key]] = [set() for _ in self._wholes]
        times = [whole.at for whole in self._wholes]
        for override in self._overrides:
            in_force = bisect_right(times, override.published_at) - 1
            if in_force >= 0 and not self._wholes[in_force].holds(override):
                continue  # outdated when it was published
            found: dict[Key, int] = {}
            by_day = False
            for place in range(max(in_force, 0), len(self._wholes)):
                whole = self._wholes[place]
                if place > 0 and not whole.holds(override):
                    break
                matched, passed = _matched(override, whole.named)
                by_day |= passed
                found.update(matched)
                if whole.holds(override) and override.published_at <= whole.at and not whole.withdrawn:
                    skipped[place] |= matched.keys()
            self._announce(override, found, states)
            if not found and self._has_series:
                self.homeless.append(override)
            elif by_day:
                self.by_day.append(override)
        return skipped

    def _announce(self, override: EventIssue, found: dict[Key, int], states: dict[Key, list[_State]]) -> None:
        window = None if override.withdrawn else next(iter(override.occurrences), None)
        at = override.recurrence.at if override.recurrence is not None else 0
        for key, moved in (found or {at: 0}).items():
            span = (window.start + moved, window.end + moved) if window is not None else None
            states[key].append(_State(override.published_at, span, override))

    def _key(self, occurrence: Occurrence) -> Key:
        return occurrence.at if self._is_series else None

    def _chain(self, key: Key, states: list[_State], known: dict[Key, Span]) -> Iterator[Announced]:
        """The publications of one occurrence; of several at the same time what all of them announce."""
        name = self._uid if key is None else f"{self._uid}#{iso_jst(from_epoch(key))}"
        of = "" if key is None else self._uid
        at_once: dict[int, list[_State]] = defaultdict(list)
        for state in states:
            at_once[state.at].append(state)
        last = known.get(key) or min((state.window for state in states if state.window), default=None)
        for at in sorted(at_once):
            own = at_once[at]
            windows = [state.window for state in own]
            start = max((window[0] for window in windows if window), default=0)
            end = min((window[1] for window in windows if window), default=0)
            issue = own[-1].issue
            if all(windows) and start < end:
                last = (start, end)
                yield self._row(name, of, at, Occurrence(start, "", start, end), issue)
            elif gone := min((each for each in windows if each), default=None) or _own_window(own, key) or last:
                yield self._row(name, of, at, Occurrence(gone[0], "", *gone), issue, withdrawn=True)

    def _row(
        self, name: str, of: str, at: int, window: Occurrence, issue: EventIssue, *, withdrawn: bool = False
    ) -> Announced:
        notice = UpdateNotice(
            name,
            at,
            window.start,
            window.end,
            cancelled=withdrawn,
            calendar=self._calendar,
            event=of,
            published_from=issue.published_from,
        )
        return Announced(notice, issue)


def _matched(override: EventIssue, index: OccurrenceIndex) -> tuple[dict[Key, int], bool]:
    """The occurrences that an override is about, each with by how much its window is moved on; whether by the day."""
    recurrence = override.recurrence
    if recurrence is None:
        return {}, False
    named, by_day = occurrences_named(recurrence, index)
    if not recurrence.and_later:
        return {each.at: 0 for each in named}, by_day
    first = named[0].at if named else recurrence.at
    return {at: at - first for at in index.by_start if at >= first}, by_day


def _own_window(states: Sequence[_State], key: Key) -> Span | None:
    """The window that a cancellation withdraws, where it states it."""
    stated = (state.issue for state in states if state.issue.recurrence is not None or key is None)
    return min(((each.start, each.end) for issue in stated for each in issue.occurrences), default=None)


def _in_time(wholes: Sequence[EventIssue]) -> list[_Whole]:
    """Whole issues by when they were published, without those that were outdated then."""
    at_once: dict[int, dict[tuple[object, ...], list[EventIssue]]] = defaultdict(lambda: defaultdict(list))
    for issue in _that_held(_edits_dated(wholes)):
        at_once[issue.published_at][issue.says].append(issue)
    found = []
    for at in sorted(at_once):
        alike = (own[0] for own in at_once[at].values())
        issues = tuple(sorted(alike, key=lambda each: (each.order, each.occurrences, each.is_series)))
        sources = frozenset(each.source for own in at_once[at].values() for each in own)
        index = OccurrenceIndex(each for issue in issues for each in issue.occurrences)
        found.append(_Whole(at, issues, sources, index))
    return found


def _edits_dated(wholes: Sequence[EventIssue]) -> list[EventIssue]:
    """An issue that differs from an older one is an edit: when the event was created is not when that was published."""
    dated: list[EventIssue] = []
    before: EventIssue | None = None
    for issue in sorted(wholes, key=lambda each: (each.order, each.published_at)):
        edits = before is not None and before.says != issue.says and before.order < issue.order
        if issue.published_from != BY_HAND:
            before = issue
        if edits and issue.published_from == CREATED and issue.edited_at is not None:
            issue = replace(
                issue, published_at=max(issue.edited_at, issue.published_at), published_from="LAST-MODIFIED"
            )
        dated.append(issue)
    return dated


def _that_held(issues: Sequence[EventIssue]) -> list[EventIssue]:
    """Without those that were outdated when they were published: a newer one of the same occurrence stood."""
    of_occurrence: dict[Recurrence | None, list[EventIssue]] = defaultdict(list)
    for issue in issues:
        of_occurrence[issue.recurrence].append(issue)
    held: list[EventIssue] = []
    for own in of_occurrence.values():
        before = 2**62  # since when something newer than the next issue stands
        newest_first = sorted(own, key=lambda each: each.order, reverse=True)
        for _, alike in groupby(newest_first, key=lambda each: each.order):
            here = list(alike)
            held += [each for each in here if each.published_at < before or each.published_from == BY_HAND]
            before = min([before, *(each.published_at for each in here if each.published_from != BY_HAND)])
    return held
