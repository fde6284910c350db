"""Which seconds announced updates and rulings on environments reach: what `sla.rules.unusable_time` excludes with them.

An announcement (premium/9.4.4) is a chain of publications of one event. At each instant the newest publication
up to then says what is announced; of that, covered is what was announced in time and never withdrawn since:

    published in time      |=== 10:00 - 12:00 ===|
    widened, too late      |=== 10:00 - 14:00 ============|      covered: 10:00 - 12:00
    cancelled at 11:00                                           covered: 10:00 - 11:00

An update that began before its window is announced as of its own start, not the window's: if that came too soon
after the publication, none of that update's seconds are covered; another update inside the same window may be.

A ruling on one outage (premium/9.4.3) excludes a second only if no other evidence shows an outage in it that is
neither ruled so nor of that cause.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby

from keizoku.sla.rules.intervals import NOTHING, Span, Spans, clip, intersect, normalise, subtract, union
from keizoku.sla.rules.outages import Cause, EnvironmentRuling, Outage, UpdateNotice

AFTER_ALL = 2**62


def announced_windows(
    notices: Iterable[UpdateNotice], published_by: Callable[[int], int], updates: Spans
) -> dict[tuple[str, str, str], Spans]:
    """By calendar, series and name: the seconds that are covered.

    `published_by`: from the start of an update, the last instant at which it could have been announced.
    `updates`: the updates themselves, each a span, not clipped to any month.
    """
    ordered = sorted(notices, key=lambda notice: (*_chain(notice), notice.published_at))
    covered = {}
    for event, issued in groupby(ordered, key=_chain):
        publications = [list(issues) for _, issues in groupby(issued, key=lambda notice: notice.published_at)]
        covered[event] = _covered(publications, published_by, updates)
    return covered


def _chain(notice: UpdateNotice) -> tuple[str, str, str]:
    return notice.calendar, notice.event, notice.uid


def _covered(
    publications: Sequence[Sequence[UpdateNotice]], published_by: Callable[[int], int], updates: Spans
) -> Spans:
    held: list[Spans] = []
    kept = NOTHING
    ends = [issues[0].published_at for issues in publications[1:]]
    for issues, until in zip(publications, [*ends, AFTER_ALL], strict=True):
        withdrawn = {(notice.start, notice.end) for notice in issues if notice.cancelled}
        announcing = [notice for notice in issues if (notice.start, notice.end) not in withdrawn]
        announced = normalise((notice.start, notice.end) for notice in announcing)
        in_time = union(*(_announced_in_time(notice, published_by, updates) for notice in announcing))
        kept = union(intersect(kept, announced), in_time)
        held.append(clip(kept, issues[0].published_at, until))
    return union(*held)


def _announced_in_time(notice: UpdateNotice, published_by: Callable[[int], int], updates: Spans) -> Spans:
    """The window, less an update that was under way when it began and was not announced in time for its own start."""
    if notice.published_at > published_by(notice.start):
        return NOTHING
    under_way = (update for update in updates if update[0] < notice.start < update[1])
    late = tuple(update for update in under_way if notice.published_at > published_by(update[0]))
    return subtract(((notice.start, notice.end),), late)


def seconds_ruled(outages: Iterable[Outage], rulings: Iterable[EnvironmentRuling]) -> Spans:
    """The seconds that rulings exclude: those of their own outages, where there is no other outage beside them."""
    ruled: dict[str, Spans] = {}
    for ruling in rulings:
        ruled[ruling.incident] = union(ruled.get(ruling.incident, NOTHING), ruling.spans)
    of_all = ruled.get("", NOTHING)
    if not ruled:
        return NOTHING
    others: list[Span] = []
    for outage in outages:
        if outage.cause is not Cause.USER_ENVIRONMENT:
            excluded = union(of_all, ruled.get(outage.incident, NOTHING)) if outage.incident else of_all
            others += subtract(((outage.start, outage.end),), excluded)
    return subtract(union(*ruled.values()), normalise(others))
