"""When an issue of an event was published, and what says so.

    an announcement   X-KEIZOKU-PUBLISHED, else CREATED of a first issue and LAST-MODIFIED of an edit, else what people
                      state of the file (--published), else DTSTAMP of a message (METHOD) or of a carrier's notice
                      (X-MAINTNOTE), else when our own record first saw it
    a cancellation    LAST-MODIFIED, else X-KEIZOKU-PUBLISHED, else DTSTAMP, else --published; without any it holds from
                      the beginning

Programs write 1970, 1900 or the year 1 where they know nothing, and 9999: a property before 2001 or after the file came
says nothing, and the next one is asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Final

from keizoku.sla.evidence.calendars.ics_events import OUR_PUBLISHED, Written
from keizoku.sla.evidence.incident_files import RefusedRowError
from keizoku.terms.calendar import epoch, epoch_up, iso_jst, parse_instant

__all__ = ["FIRST_SEEN", "STATED", "Published", "Stated", "order_of", "published", "withdrawn"]

STATED: Final = "--published"
FIRST_SEEN: Final = "first seen"
EARLIEST: Final = datetime(2001, 1, 2, tzinfo=UTC)  # 1970, 1980, 2000 and 2001 are where clocks of computers begin
EDITED: Final = ("LAST-MODIFIED", "DTSTAMP")


@dataclass(frozen=True, slots=True)
class Stated:
    """What a file of notices does not say of itself: when people say that it was published, when it came to us."""

    published_at: datetime | None = None
    seen_at: datetime | None = None  # our record's own time, for what has none
    now: datetime | None = None  # nothing was published later than this


@dataclass(frozen=True, slots=True)
class Published:
    """An instant, what it rests on, and the properties that were passed over because they say nothing."""

    at: int
    named: str
    passed: tuple[str, ...] = field(default=())


def published(event: Written, stated: Stated, series: Written | None = None) -> Published:
    """When this issue was published. An occurrence that overrides its `series` is an edit of it.

    An occurrence whose time of publication is only a copy of its series' says nothing of its own there. Raises
    RefusedRowError where nothing says it.
    """
    is_edit = event.is_override or event.sequence != 0
    names = [OUR_PUBLISHED, "LAST-MODIFIED" if is_edit else "CREATED"]
    if event.is_override:
        names.append("CREATED")
        ours = event.component.get(OUR_PUBLISHED)
        if series is not None and ours is not None and ours == series.component.get(OUR_PUBLISHED):
            names = ["LAST-MODIFIED", OUR_PUBLISHED]
    passed: list[str] = []
    for name in names:
        if name in event.component and (at := _plausible(event, name, stated, passed)) is not None:
            return Published(epoch_up(at), name, tuple(passed))
    if stated.published_at is not None:
        return Published(epoch_up(stated.published_at), STATED, tuple(passed))
    is_dated = event.method or event.is_maintnote
    names = ["DTSTAMP"] if is_dated and "DTSTAMP" in event.component else []
    for name in names:
        if (at := _plausible(event, name, stated, passed)) is not None:
            return Published(epoch_up(at), name, tuple(passed))
    if stated.seen_at is not None:
        return Published(epoch_up(stated.seen_at), FIRST_SEEN, tuple(passed))
    why = f"{passed[0]}, and " if passed else ""
    usual = "LAST-MODIFIED" if is_edit else "CREATED"
    rule = f"{why}this issue of a notice was published at {OUR_PUBLISHED} or {usual}"
    remedy = f"add {OUR_PUBLISHED}, or state {STATED}"
    raise RefusedRowError(f"{event.uid}: no time of publication", rule, remedy)


def withdrawn(event: Written, stated: Stated) -> Published:
    """Since when a cancelled event announces nothing: what was last written of it, else ever since."""
    passed: list[str] = []
    for name in ("LAST-MODIFIED", OUR_PUBLISHED, "DTSTAMP"):
        if name in event.component and (at := _plausible(event, name, stated, passed)) is not None:
            return Published(epoch_up(at), name, tuple(passed))
    if stated.published_at is not None:
        return Published(epoch_up(stated.published_at), STATED, tuple(passed))
    return Published(epoch(EARLIEST), "", (*passed, "no time of its cancellation"))


def order_of(event: Written, stated: Stated) -> tuple[int | None, int | None]:
    """When this issue was written, to say which of two is newer (RFC 5546 2.1.5), and when it was last edited."""
    times = dict(_times(event, stated))
    edited = times.get("LAST-MODIFIED", times.get("DTSTAMP"))
    return (times.get("DTSTAMP", edited) if event.method else edited), edited


def _times(event: Written, stated: Stated) -> Iterator[tuple[str, int]]:
    for name in EDITED:
        if name in event.component and (at := _plausible(event, name, stated, [])) is not None:
            yield name, epoch_up(at)


def _plausible(event: Written, name: str, stated: Stated, passed: list[str]) -> datetime | None:
    """A property's instant; None, and a word on it, where it says nothing. Of a day its end: in doubt late."""
    moment: date = event.written(name) if name == OUR_PUBLISHED else event.moment(name)
    at = moment if isinstance(moment, datetime) else parse_instant(event.start_of(moment + timedelta(days=1)))
    latest = stated.now if stated.now is not None else datetime.max.replace(tzinfo=UTC) - timedelta(days=366)
    if EARLIEST <= at <= latest + timedelta(days=1):
        return at
    if name == OUR_PUBLISHED:
        raise RefusedRowError(f"{event.uid}: {name} {iso_jst(at)}", "no time of publication", "correct it")
    passed.append(f"{name} {at.year:04d} is a placeholder")
    return None
