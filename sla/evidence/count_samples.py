"""Samples of a monitor as counts: how long one holds, which belong together, and when nobody knows.

    samples, step 60 s   |--51--|--52--|             |--50--|
    unknown                            |-------------|          two samples are missing

A sample holds for one step, at most until the next. The step is stated, else the distance at which most samples follow
each other, else (of samples with gaps everywhere) the largest one of which all distances are multiples. Scrapes are
some milliseconds early or late: up to a tenth of a step, at most a second, is no gap and no other instant.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from pathlib import Path
from statistics import median_low
from typing import Final

from keizoku.sla.evidence.incident_files import LAST_SECOND, MOST_USERS, Count
from keizoku.sla.rules.intervals import NOTHING, Span, Spans, normalise, subtract
from keizoku.terms.calendar import from_epoch, iso_jst
from keizoku.terms.decision import Finding

__all__ = ["IsOutage", "Samples", "iso_of", "step_of"]

MICRO: Final = 1_000_000
MOST_DIVIDED: Final = 240  # the step is looked for down to this part of the least distance
ON_A_GRID: Final = 20_000  # how far off samples of a query are, in microseconds
MISSING: Final = ("", "nan", "null", "none", "undefined", "-")
IsOutage = Callable[[int, int], bool]
"""Whether so many of so many users unable are an outage."""


@dataclass(slots=True)
class Samples:
    """Series of an answer by microsecond, and every instant of which any sample says something."""

    path: Path
    findings: list[Finding] = field(default_factory=list)
    times: set[int] = field(default_factory=set)
    is_partial: bool = False

    def say(self, value: str, rule: str, remedy: str, line: int | None = None) -> None:
        """Tell what cannot be used."""
        self.findings.append(Finding(str(self.path), line, value, rule, remedy))

    def value(self, name: str, written: object, micros: int, line: int | None = None) -> int | None:
        """The users of a sample; None, and a finding, unless it is missing, where it is no number of users."""
        if written is None or str(written).strip().lower() in MISSING:
            return None
        try:
            value = Decimal(str(written).strip())
        except InvalidOperation:
            value = Decimal("Infinity")
        if value.is_nan():
            return None
        if not value.is_finite() or value != value.to_integral_value() or not 0 <= value <= MOST_USERS:
            value_told = f"{name} {written!r:.40} at {iso_of(micros)}"
            self.say(value_told, "a whole number of users", "round it in the query", line)
            return None
        return int(value)

    def one_value(self, name: str, samples: Iterable[tuple[int, int]]) -> dict[int, int]:
        """A series by instant; of one with two values neither holds."""
        found: dict[int, int] = {}
        clashing: dict[int, None] = {}
        for micros, users in samples:
            if found.setdefault(micros, users) != users:
                clashing[micros] = None
        for micros in clashing:
            self.say(f"{name} at {iso_of(micros)}", "one instant has one value", "correct the query")
            del found[micros]
        return found

    def counted(
        self, affected: Mapping[int, int], total: Mapping[int, int] | int, step: int | None, is_outage: IsOutage | None
    ) -> tuple[list[Count], Spans]:
        """The counts that the samples are, and when nobody knows; `step` in seconds.

        Of an answer that is not whole, what is no outage is unknown: there may be more users unable than it says.
        """
        times = _merged(sorted(self.times))
        if not times:
            return [], NOTHING
        step_us = step * MICRO if step is not None else step_of(times)
        if step_us is None or step_us <= 0:
            if len(times) == 1:
                self.say("one sample", "it does not say how long it holds", "state the step of the query")
                return [], NOTHING
            rule = "they do not say how long one holds: no step fits their distances"
            self.say(f"{len(times):,} samples", rule, "state the step of the query")
            return [], ((times[0] // MICRO, -(-times[-1] // MICRO)),)
        slack = min(MICRO, step_us // 10)
        of_all = total if isinstance(total, int) else _Nearest(total, slack)
        known, rows, good = _Nearest(affected, slack), list[Count](), list[Span]()
        for moment, following in zip(times, [*times[1:], None], strict=True):
            end = moment + step_us
            if following is not None and following <= end + slack:
                end = following
            users, everyone = known.at(moment), of_all if isinstance(of_all, int) else of_all.at(moment)
            if users is None or everyone is None:
                continue
            if everyone < 1 or users > everyone:
                told = f"{users} of {everyone} at {iso_of(moment)}"
                self.say(told, "affected users are a part of all users", "correct the query")
                continue
            if self.is_partial and not (is_outage is not None and is_outage(users, everyone)):
                continue
            good.append((moment, end))
            rows.append(Count(moment // MICRO, -(-end // MICRO), users, everyone))
        missing = subtract(((times[0], times[-1] + step_us),), normalise(good))
        blank = normalise((start // MICRO, -(-end // MICRO)) for start, end in missing)
        return rows, blank


class _Nearest:
    """A series in which an instant is found although it is a little off."""

    def __init__(self, samples: Mapping[int, int], slack: int) -> None:
        self._samples, self._slack = samples, slack
        self._times = sorted(samples)

    def at(self, moment: int) -> int | None:
        if moment in self._samples:
            return self._samples[moment]
        place = bisect_left(self._times, moment)
        near = [each for each in self._times[max(place - 1, 0) : place + 1] if abs(each - moment) <= self._slack]
        return self._samples[min(near, key=lambda each: abs(each - moment))] if near else None


def step_of(times: Sequence[int]) -> int | None:
    """How far samples are apart, in microseconds as their times in order; None where nothing fits."""
    distances = [after - before for before, after in pairwise(times)]
    if not distances:
        return None
    least = min(distances)
    near = [each for each in distances if each <= least + least // 10]
    usual = median_low(near)
    if len(near) * 2 >= len(distances):
        return usual
    for part in range(1, MOST_DIVIDED + 1):
        step = usual / part
        if step < MICRO:
            break
        if all(abs(each - round(each / step) * step) <= ON_A_GRID for each in distances):
            return round(step)
    return None


def _merged(times: Sequence[int]) -> list[int]:
    """Instants, without those a little after another: two series are scraped some milliseconds apart."""
    longest = max((after - before for before, after in pairwise(times)), default=0)
    slack = min(MICRO // 2, longest // 20)
    kept: list[int] = []
    for each in times:
        if not kept or each - kept[-1] > slack:
            kept.append(each)
    return kept


def iso_of(micros: int) -> str:
    """An instant in microseconds, as text in Japan's time."""
    return iso_jst(from_epoch(0) + timedelta(microseconds=micros))


def micros_of(seconds: Decimal) -> int | None:
    """An instant in microseconds; None for one that no evidence has."""
    micros = int(seconds * MICRO) if seconds.is_finite() else -1
    return micros if 0 <= micros <= LAST_SECOND * MICRO else None
