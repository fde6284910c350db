"""The import of a calendar's file: what is new of it, what was refused, and what is to be told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from keizoku.sla.evidence.calendars.ics_events import OUR_PUBLISHED
from keizoku.sla.evidence.calendars.ics_times import Stated
from keizoku.sla.evidence.maintenance_notices import findings_of, read_issues
from keizoku.sla.evidence.notice_store import recorded_publications
from keizoku.sla.review_queue import policy_of
from keizoku.sla.rules.announcements import EventIssue, announcements_of
from keizoku.sla.services.sla_service import SlaService
from keizoku.terms.calendar import Month, from_epoch, iso_jst
from keizoku.terms.decision import Finding

__all__ = ["TakenImport", "take_notices"]


@dataclass(frozen=True, slots=True)
class TakenImport:
    """What became of the rows of a file: good ones, new ones among them, refused ones, and the findings."""

    used: int
    new: int
    refused: int
    findings: Sequence[Finding]


def take_notices(service: SlaService, file: Path, stated: Stated, *, author: str) -> TakenImport:
    """Record every event of a calendar's file, in one piece; nothing is committed.

    `stated` has when it is recorded. A window that no terms reach excludes nothing, and is told.
    """
    now = stated.seen_at
    if now is None:
        raise AssertionError("a file is recorded at a time")
    policy = policy_of(service.rules, Month.of(now))
    read = read_issues(file, stated)
    before = recorded_publications(service.session, {issue.uid for issue in read.rows})
    known = service.take_issues(read.rows, now=now, by=author)
    findings = [*read.findings, *findings_of(announcements_of([*known, *read.rows]), policy, read.rows)]
    used = new = refused = 0
    unreached: dict[EventIssue, list[Finding]] = {}
    for notice, issue in announcements_of(read.rows).rows:
        window = (notice.start, notice.end, notice.cancelled)
        others = before.get((notice.calendar, notice.uid, notice.published_at), set())
        if why := service.refused_spans([(notice.start, notice.end)], "notice"):
            refused += 1
            unreached.setdefault(issue, []).extend(why)
        elif others and window not in others and not notice.cancelled:
            refused += 1
            value = f"{notice.uid} published {iso_jst(from_epoch(notice.published_at))}"
            rule = "another window was recorded as published then; an edit is a new notice"
            remedy = f"state in {OUR_PUBLISHED} when it was edited; until then what both announce is covered"
            findings.append(Finding(str(file), issue.line, value, rule, remedy))
        else:
            used, new = used + 1, new + (window not in others)
    findings += [_summed(file, issue, own) for issue, own in unreached.items()]
    findings.sort(key=lambda each: each.line or 0)
    return TakenImport(used, new, read.refused + refused, findings)


def _summed(file: Path, issue: EventIssue, findings: Sequence[Finding]) -> Finding:
    """One finding for all windows of an event that no terms reach."""
    first = replace(findings[0], source=str(file), line=issue.line)
    if len(findings) == 1:
        return first
    return replace(first, value=f"{issue.uid}: {len(findings):,} windows, the first in {first.value}")
