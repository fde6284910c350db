"""What the service asks of every fact before it takes it; Refused carries the finding that says why."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from difflib import get_close_matches

from keizoku.limits import YEARS
from keizoku.sla.evidence.incident_files import (
    FIRST_JST_SECOND,
    GROUND_NEEDED,
    LAST_SECOND,
    LONGEST_SECONDS,
    MOST_USERS,
    NOT_OVER,
    NOT_OVER_REMEDY,
)
from keizoku.sla.rules.announcements import EventIssue
from keizoku.sla.rules.intervals import Span, Spans, normalise
from keizoku.sla.rules.outages import Cause
from keizoku.terms.calendar import epoch, epoch_up, from_epoch, iso_jst
from keizoku.terms.decision import Finding
from keizoku.terms.inputs.arguments import check_text
from keizoku.terms.refusal import Refused


def at_line(refused: Refused, line: int) -> Finding:
    """The finding of a refused fact, for a row of several."""
    return replace(refused.findings[0], line=line)


def finding(source: str, value: str, rule: str, remedy: str) -> Finding:
    """A finding about one fact, which has no line."""
    return Finding(source, None, value, rule, remedy)


def period(source: str, from_at: datetime, to_at: datetime) -> Span:
    """Whole seconds, outward. Raises Refused for an end not after its start, and for what no fact has."""
    known_time(source, from_at)
    known_time(source, to_at)
    if to_at <= from_at:
        value = f"{iso_jst(from_at)} to {iso_jst(to_at)}"
        raise Refused.fact("fact.period", source, value, "a period ends after it starts", "correct one of the times")
    if (to_at - from_at).total_seconds() > LONGEST_SECONDS:
        value = f"{iso_jst(from_at)} to {iso_jst(to_at)}"
        raise Refused.fact("fact.period", source, value, "a period is at most a year long", "correct one of the times")
    return epoch(from_at), epoch_up(to_at)


def is_over(source: str, from_at: datetime, to_at: datetime, now: datetime, apart: int = 0) -> None:
    """Raises Refused for what has not ended by now; `apart`: seconds by which its clock may be ahead of ours."""
    if epoch_up(to_at) > epoch_up(now) + apart:  # whole seconds outward, as a period is kept
        value = f"{iso_jst(from_at)} to {iso_jst(to_at)}"
        raise Refused.fact("fact.not_over", source, value, NOT_OVER, NOT_OVER_REMEDY)


def known_time(source: str, at: datetime) -> None:
    """Raises Refused for a time that no fact has."""
    if not FIRST_JST_SECOND <= epoch(at) <= LAST_SECOND:
        raise Refused.fact("fact.time", source, str(at), f"a time from {YEARS}", "correct the year")


def spans_of(source: str, windows: Iterable[Sequence[datetime]]) -> Spans:
    """Windows of people as a set of seconds. Raises Refused for one that is not after its start."""
    return normalise(period(source, window[0], window[1]) for window in windows)


def not_negative(source: str, users: int) -> None:
    """Raises Refused for a number of users under 0, or greater than there are."""
    if users < 0:
        raise Refused.fact("fact.users", source, f"{users} users", "a number of users is not negative", "correct it")
    if users > MOST_USERS:
        raise Refused.fact("fact.users", source, f"{users} users", f"at most {MOST_USERS:,} users", "correct it")


def known_cause(source: str, cause: str) -> None:
    """Raises Refused for a word that is no cause."""
    if cause not in list(Cause):
        causes = ", ".join(Cause)
        raise Refused.fact(
            "outage.cause_unknown", source, f"cause {cause!r}", f"a cause is {causes}", nearest_of(cause, list(Cause))
        )


def grounded_cause(source: str, cause: str, ground: str | None) -> None:
    """Raises Refused for a cause that people have to give a ground for, without one."""
    for known, (rule, remedy) in GROUND_NEEDED.items():
        if cause == known and not (ground or "").strip():
            raise Refused.fact("outage.cause_without_ground", source, f"cause {cause} without a ground", rule, remedy)


def announcing(source: str, issue: EventIssue) -> None:
    """Raises Refused for an issue of no event, one that announces nothing, and a window not after its start."""
    needed(source, uid=issue.uid)
    if not issue.occurrences and not issue.withdrawn:
        raise Refused.fact("fact.missing", source, f"no window of {issue.uid}", "an issue has a window", "state it")
    for window in issue.occurrences:
        from_at, to_at = from_epoch(window.start), from_epoch(window.end)
        known_time(source, from_at)
        known_time(source, to_at)
        if from_at >= to_at:
            value = f"{issue.uid}: {iso_jst(from_at)} to {iso_jst(to_at)}"
            rule = "a period ends after it starts"
            raise Refused.fact("fact.period", source, value, rule, "correct one of the times")


def needed(source: str, **texts: str) -> None:
    """Raises Refused for the first text that is empty, or holds what is no text."""
    for name, text in texts.items():
        if not text.strip():
            raise Refused.fact("fact.missing", source, f"no {name}", f"{name} is needed", "say it")
        check_text(name, text)


def nearest_of(written: str, known: Iterable[str]) -> str:
    """A remedy that names the nearest known word."""
    nearest = get_close_matches(written, [str(word) for word in known], n=1, cutoff=0.4)
    return f"the nearest is {nearest[0]!r}" if nearest else "there is none like it"
