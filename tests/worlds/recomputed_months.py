"""Article 9 computed once more from what was recorded, sharing nothing with `sla` and `billing`: second by second sets.

    stops of more than 5 % ─ less than 10 minutes ─ 01:00 to 06:00 ─ announced in time ─ interrupted
        └─ ∩ terms of the user ─ own suspension ─ terms not paid by card ─ ∩ claimed ──> over 3.6 h or 7.2 h: yen

A set of time is a sorted list of [from, to) in seconds since 1970; days and months are Japan's.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from math import ceil
from typing import Any

from tests.worlds.recorded import Recorded

USERS = 1_000_000
JST = timedelta(hours=9)
HOUR, DAY = 3_600, 86_400

Span = tuple[int, int]


def union(spans: Iterable[Span]) -> list[Span]:
    """What any of them covers; those that touch are one."""
    found: list[Span] = []
    for start, end in sorted(span for span in spans if span[0] < span[1]):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return found


def both(one: Iterable[Span], other: Iterable[Span]) -> list[Span]:
    """What is in both."""
    right = list(other)
    return union((max(a, c), min(b, d)) for a, b in one for c, d in right)


def less(spans: Iterable[Span], taken: Iterable[Span]) -> list[Span]:
    """What is left without another."""
    left = union(spans)
    for c, d in taken:
        left = [part for a, b in left for part in ((a, min(b, c)), (max(a, d), b)) if part[0] < part[1]]
    return union(left)


def seconds(spans: Iterable[Span]) -> int:
    """How long in all."""
    return sum(end - start for start, end in spans)


def at(instant: datetime) -> int:
    """Seconds since 1970; the lives know no fractions."""
    return int(instant.timestamp())


def jst_midnight(second: int) -> int:
    """The beginning of the day in Japan that a second lies in."""
    return (second + 9 * HOUR) // DAY * DAY - 9 * HOUR


def month_bounds(month: str, later: int = 0) -> Span:
    """The first second of a month, or of one so many months later, and of the month after it."""
    year, number = int(month[:4]), int(month[5:])
    bounds = []
    for ahead in (later, later + 1):
        index = year * 12 + number - 1 + ahead
        bounds.append(at(datetime(index // 12, index % 12 + 1, 1, tzinfo=UTC) - JST))
    return bounds[0], bounds[1]


def deadline(month: str, form_down: Sequence[Span]) -> int:
    """The end of the month after; what the form was down in the 72 hours before, given back with the form up."""
    moment = month_bounds(month, 2)[0]
    lost = seconds(both(form_down, [(moment - 72 * HOUR, moment)]))
    for start, end in union(form_down):
        if lost and end > moment:
            up = max(0, start - moment)
            if up >= lost:
                break
            lost, moment = lost - up, end
    return moment + lost


@dataclass(frozen=True)
class Verdict:
    """What a claim is worth as things are known: 'granted', or why not; the month's yen, the recognised seconds."""

    answer: str
    yen: int
    seconds: int


def unusable(recorded: Recorded, now: datetime) -> list[Span]:
    """When more than 5 % could not use the service, and nothing that holds for everybody takes it out."""
    newest = {each.incident_id: each for each in recorded["incident"] if each.recorded_at < now}
    down = [each for each in newest.values() if each.affected * 20 > USERS]
    stops = [span for span in union((at(each.from_at), at(each.to_at)) for each in down) if span[1] - span[0] >= 600]
    night = [
        (midnight + HOUR, midnight + 6 * HOUR)
        for start, end in stops
        for midnight in range(jst_midnight(start), end, DAY)
    ]
    updates = union((at(each.from_at), at(each.to_at)) for each in down if each.cause == "system_update")
    others = union((at(each.from_at), at(each.to_at)) for each in down if each.cause != "system_update")
    announced: list[Span] = []
    for notice in recorded.only("maintenance_notice", lambda each: each.recorded_at < now):
        window = (at(notice.from_at), at(notice.to_at))
        for update in updates:
            begins = min(update[0], window[0])
            if both([update], [window]) and at(notice.published_at) <= jst_midnight(begins) - 5 * DAY:
                announced += both([update], [window])
    interrupted = [(at(each.from_at), at(each.to_at)) for each in recorded["interruption"] if each.recorded_at < now]
    return less(less(less(stops, night), less(announced, others)), union(interrupted))


def verdicts(recorded: Recorded, now: datetime, before: str) -> dict[str, Verdict]:
    """claim -> what has to be decided on it, of each month before the month `before`, as recorded before `now`."""
    down = unusable(recorded, now)
    form = [(at(each.from_at), at(each.to_at)) for each in recorded["claim_form_outage"] if each.recorded_at < now]
    granted_late = {each.claim_id for each in recorded["claim_late_grant"] if each.recorded_at < now}
    grouped: dict[tuple[str, str], list[Any]] = defaultdict(list)
    for claim in recorded["claim"]:
        if claim.recorded_at < now and claim.month < before:
            grouped[claim.account, claim.month].append(claim)
    found: dict[str, Verdict] = {}
    for (account, month), claims in grouped.items():
        limit = deadline(month, form)
        in_time = [each for each in claims if at(each.received_at) < limit or each.id in granted_late]
        verdict = _decided(recorded, account, month, down, in_time)
        for claim in claims:
            found[claim.id] = verdict if claim in in_time else Verdict("deadline", 0, 0)
    return found


def _decided(recorded: Recorded, account: str, month: str, down: Sequence[Span], claims: Sequence[Any]) -> Verdict:
    whole = month_bounds(month)
    spans = [(term, both([whole], [_used(term)])) for term in recorded.of("term", account)]
    spans = [(term, span) for term, span in spans if span]
    claimed = union(
        (_second(start), _second(end)) for claim in claims for start, end in (claim.windows or [(whole[0], whole[1])])
    )
    suspended = [
        (at(each.from_at), at(each.lifted_at) if each.lifted_at else whole[1])
        for each in recorded.of("suspension", account)
    ]
    if not spans:
        return Verdict("not_member", 0, 0)
    by_card = [(term, span) for term, span in spans if term.method == "card"]
    if not by_card:
        return Verdict("method", 0, 0)
    good = less(both(down, claimed), union(suspended))
    touched = [(term, both(good, span)) for term, span in by_card]
    total = seconds(union(part for _, parts in touched for part in parts))
    rate = Fraction(2, 5) if total > 25_920 else Fraction(1, 5) if total > 12_960 else Fraction(0)
    if not rate:
        return Verdict("threshold", 0, total)
    fee = max(Fraction(term.price_yen, 12 if term.interval == "year" else 1) for term, parts in touched if parts)
    return Verdict("granted", ceil(rate * fee), total)


def _used(term: Any) -> Span:
    """From the approval, or the first day, to the end of the last day, or to what cut it short."""
    end = at(datetime.combine(term.ends_on, datetime.min.time(), UTC) - JST)
    cut = [at(term.closed_at)] if term.closed_at is not None else []
    return at(term.starts_at), min(end, *cut) if cut else end


def _second(written: object) -> int:
    return written if isinstance(written, int) else at(datetime.fromisoformat(str(written)))
