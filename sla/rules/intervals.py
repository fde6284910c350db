"""Sets of seconds: the arithmetic that Article 9 is computed with.

A set is a tuple of half-open spans of epoch seconds, sorted, disjoint and never adjacent, so that
equal sets are equal tuples and a length is an exact count of seconds.

    normalise([(10, 20), (15, 30), (30, 40), (50, 50)])  ->  ((10, 40),)
"""

from bisect import bisect_left
from collections.abc import Iterable
from datetime import date, timedelta
from functools import lru_cache

from keizoku.terms.calendar import DAY_SECONDS, from_epoch, iso_jst

Span = tuple[int, int]
Spans = tuple[Span, ...]

NOTHING: Spans = ()


def normalise(spans: Iterable[Span]) -> Spans:
    """The set that any spans cover, whatever their order and overlap; empty ones add nothing.

    Raises ValueError for a span that ends before it starts: readers refuse such rows as findings.
    """
    joined: list[Span] = []
    for start, end in sorted(spans):
        if end < start:
            raise ValueError(f"A span cannot end before it starts: {start}..{end}.")
        if end == start:
            continue
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return tuple(joined)


def union(*sets: Spans) -> Spans:
    """Seconds that lie in any of the sets."""
    return normalise(span for spans in sets for span in spans)


def intersect(a: Spans, b: Spans) -> Spans:
    """Seconds that lie in both sets."""
    if not a or not b:
        return NOTHING
    shared: list[Span] = []
    i, j = _first_reached(a, b[0][0]), _first_reached(b, a[0][0])
    while i < len(a) and j < len(b):
        start, end = max(a[i][0], b[j][0]), min(a[i][1], b[j][1])
        if start < end:
            shared.append((start, end))
        if a[i][1] <= b[j][1]:
            i += 1
        else:
            j += 1
    return tuple(shared)


def subtract(a: Spans, b: Spans) -> Spans:
    """Seconds of `a` that do not lie in `b`."""
    if not a or not b:
        return a
    first, beyond = _first_reached(a, b[0][0]), bisect_left(a, (b[-1][1],))
    left = list(a[:first])
    j = _first_reached(b, a[first][0])
    for start, end in a[first:beyond]:
        while j < len(b) and b[j][1] <= start:
            j += 1
        k = j
        while k < len(b) and b[k][0] < end:
            if start < b[k][0]:
                left.append((start, b[k][0]))
            start = max(start, b[k][1])
            k += 1
        if start < end:
            left.append((start, end))
    left += a[max(first, beyond) :]
    return tuple(left)


def _first_reached(spans: Spans, second: int) -> int:
    """Place of the last span that starts at the second or before it; those before it are over by then."""
    return max(bisect_left(spans, (second + 1,)) - 1, 0)


def clip(spans: Spans, start: int, end: int) -> Spans:
    """What of the set lies in [start, end)."""
    return intersect(spans, ((start, end),)) if start < end else NOTHING


def bridge(spans: Spans, gap_seconds: int) -> Spans:
    """The set with every gap shorter than `gap_seconds` filled; 0 fills nothing."""
    joined: list[Span] = []
    for start, end in spans:
        if joined and start - joined[-1][1] < gap_seconds:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return tuple(joined)


def length(spans: Spans) -> int:
    """Seconds in the set."""
    return sum(end - start for start, end in spans)


def as_iso(spans: Spans) -> list[list[str]]:
    """Pairs of JST times, `[["2026-04-10T09:00:00+09:00", "2026-04-10T12:37:00+09:00"], ...]`."""
    return [[_iso(start), _iso(end)] for start, end in spans]


@lru_cache(maxsize=100_000)
def _iso(second: int) -> str:
    """What `iso_jst` says; worked out plainly, for Japan has been nine hours ahead since before 1970."""
    if second < 0:
        return iso_jst(from_epoch(second))
    day, of_day = divmod(second + 9 * 3600, DAY_SECONDS)
    minute, of_minute = divmod(of_day, 60)
    return f"{_iso_day(day)}T{minute // 60:02d}:{minute % 60:02d}:{of_minute:02d}+09:00"


@lru_cache(maxsize=10_000)
def _iso_day(days: int) -> str:
    return (date(1970, 1, 1) + timedelta(days=days)).isoformat()
