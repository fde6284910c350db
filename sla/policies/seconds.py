"""Which seconds count under any stated SLA: predicate, whole outages, exclusions in the order listed.

    outages ──predicate──> whole outages ──> too_short │ each exclusion in turn │ … │ counted
                                                                               └── partial_step

Decides nothing of the premium terms (`sla.rules.unusable_time` does); the same arithmetic for policies that are data
(`terms.stated.sla_policy`). Every second of the whole outages lands in exactly one bucket, the first that takes it.
Counts of overlapping outages may be the same people: the largest holds, they never add up (state distinct
ones as one outage per moment). Where causes overlap the strongest holds. Instants are epoch seconds, spans
are [start, end).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from itertools import pairwise
from zoneinfo import ZoneInfo

from keizoku.sla.rules.exclusions import announced_windows
from keizoku.sla.rules.intervals import (
    NOTHING,
    Span,
    Spans,
    bridge,
    clip,
    intersect,
    length,
    normalise,
    subtract,
    union,
)
from keizoku.sla.rules.outages import Interruption, UpdateNotice
from keizoku.terms.calendar import DAY_SECONDS, epoch, from_epoch
from keizoku.terms.stated.sla_periods import SlaPeriod, announced_by, zone_day, zone_day_at
from keizoku.terms.stated.sla_policy import Announced, ByCause, ByContract, Exclusion, OutageCause, Recurring, SlaPolicy

BEFORE_ALL = -(2**62)
AFTER_ALL = 2**62


@dataclass(frozen=True, slots=True)
class StatedOutage:
    """Some of the population could not use the service; `known_at`: when the provider learned of it.

    `total`: how many there were in all, where the evidence itself says so; else the population of the time holds.
    """

    start: int
    end: int
    affected: int
    cause: OutageCause = OutageCause.FAULT
    known_at: int | None = None
    total: int | None = None


@dataclass(frozen=True, slots=True)
class CauseRuling:
    """People's ruling that these seconds have another cause; holds only with a name and a ground."""

    spans: Spans
    cause: OutageCause
    by: str
    ground: str


@dataclass(frozen=True, slots=True)
class PolicyFacts:
    """All that decides a period under a policy; evidence reaches beyond the period where an outage does."""

    period: SlaPeriod
    outages: tuple[StatedOutage, ...]
    population: tuple[tuple[int, int], ...] = ((BEFORE_ALL, 1),)  # (from, size), each until the next
    notices: tuple[UpdateNotice, ...] = ()
    interruptions: tuple[Interruption, ...] = ()
    rulings: tuple[CauseRuling, ...] = ()
    unknown: Spans = NOTHING  # time for which there is no evidence
    announced_seconds_used: int = 0  # of a yearly budget, earlier in the year in which the period begins
    resolution_seconds: int = 0  # the evidence's own: shorter gaps may be part of an outage
    form_outages: Spans = NOTHING  # when nobody could submit a claim
    method: str | None = None
    plan: str | None = None

    @property
    def span(self) -> Span:
        """The period in epoch seconds."""
        return epoch(self.period.start_at), epoch(self.period.end_at)

    def sizes(self) -> list[tuple[int, int, int]]:
        """(from, to, size) of the population without a gap; the first size also holds for the time before."""
        steps = sorted(dict(self.population).items())
        if not steps or any(size < 1 for _, size in steps):
            raise ValueError("A population needs at least one figure, and each of at least 1.")
        ends = [*(start for start, _ in steps[1:]), AFTER_ALL]
        starts = [BEFORE_ALL, *ends[:-1]]
        return [(start, end, size) for start, end, (_, size) in zip(starts, ends, steps, strict=True)]


@dataclass(frozen=True, slots=True)
class OutagePart:
    """A part of an outage that is an outage, under one size of the population."""

    start: int
    end: int
    affected: int
    population: int
    cause: OutageCause
    known_at: int | None = None


@dataclass(frozen=True, slots=True)
class Seconds:
    """What became of the whole outages; nothing is cut to the period yet. `buckets` end with "counted"."""

    wholes: Spans
    parts: tuple[OutagePart, ...]
    buckets: Mapping[str, Spans]

    @property
    def counted(self) -> Spans:
        """What is left after all exclusions."""
        return self.buckets["counted"]


def seconds_of(policy: SlaPolicy, facts: PolicyFacts) -> Seconds:
    """Put every second of the whole outages into its bucket."""
    parts = _outage_parts(policy, facts)
    covered = normalise((part.start, part.end) for part in parts)
    wholes = bridge(covered, facts.resolution_seconds)
    parts += _bridges(subtract(wholes, covered), parts)
    causes = _by_cause(parts)
    minimum = policy.duration.minimum_seconds
    buckets: dict[str, Spans] = {"too_short": NOTHING}
    left = wholes
    if policy.duration.judged == "whole_stop":
        buckets["too_short"] = _shorter(wholes, minimum)
        left = subtract(left, buckets["too_short"])
    for exclusion in policy.exclusions:
        taken = intersect(left, _taker(exclusion, policy, facts, parts, causes, wholes))
        if isinstance(exclusion, Announced) and exclusion.yearly_seconds is not None:
            taken = _within_budget(taken, exclusion.yearly_seconds, facts)
        buckets[exclusion.name] = taken
        left = subtract(left, taken)
    if policy.duration.judged == "after_exclusions":
        buckets["too_short"] = _shorter(left, minimum)
        left = subtract(left, buckets["too_short"])
    step = policy.duration.step_seconds
    steps = normalise((start, end - (end - start) % step) for start, end in left)
    return Seconds(wholes, tuple(parts), {**buckets, "partial_step": subtract(left, steps), "counted": steps})


def weights(seconds: Seconds, counted: Spans) -> Iterator[tuple[int, int, int, int]]:
    """Counted seconds cut wherever who is affected changes: (start, end, affected, population).

    Of several outages at one moment the one with the largest share of the population holds.
    """
    edges = {edge for part in seconds.parts for edge in (part.start, part.end)}
    cuts = sorted(edges | {edge for span in counted for edge in span})
    begun = sorted(seconds.parts, key=lambda part: part.start)
    live: list[OutagePart] = []
    at, run = 0, 0
    for start, end in pairwise(cuts):
        live = [part for part in live if part.end > start]
        while at < len(begun) and begun[at].start <= start:
            live.append(begun[at])
            at += 1
        while run < len(counted) and counted[run][1] <= start:
            run += 1
        if live and run < len(counted) and counted[run][0] <= start:
            most = max(live, key=lambda part: Fraction(part.affected, part.population))
            yield start, end, most.affected, most.population


def recurring_windows(rule: Recurring, start: int, end: int) -> Spans:
    """The windows of a rule that touch [start, end), in the rule's own zone and its clock changes."""
    zone = ZoneInfo(rule.zone)
    day, last = zone_day(from_epoch(start), rule.zone) - timedelta(days=1), zone_day(from_epoch(end), rule.zone)
    over_midnight = rule.to_second <= rule.from_second
    spans: list[Span] = []
    while day <= last:
        if day.isoweekday() in rule.weekdays:
            until = day + timedelta(days=1) if over_midnight else day
            spans.append((_wall(day, rule.from_second, zone), _wall(until, rule.to_second, zone)))
        day += timedelta(days=1)
    return clip(normalise(span for span in spans if span[0] < span[1]), start, end)


def _outage_parts(policy: SlaPolicy, facts: PolicyFacts) -> list[OutagePart]:
    """The parts of outages at which the predicate holds, each outage alone."""
    sizes = facts.sizes()
    outages = list(facts.outages)
    if policy.unknown == "down":
        seen = normalise((outage.start, outage.end) for outage in outages)
        everyone = max(size for _, _, size in sizes)
        outages += [StatedOutage(start, end, everyone) for start, end in subtract(facts.unknown, seen)]
    return [
        OutagePart(
            max(start, outage.start), min(end, outage.end), min(outage.affected, size), size, outage.cause, known
        )
        for outage in outages
        for known in [outage.start if outage.known_at is None else outage.known_at]
        for start, end, size in (sizes if outage.total is None else [(BEFORE_ALL, AFTER_ALL, outage.total)])
        if max(start, outage.start) < min(end, outage.end)
        and policy.predicate.holds(Fraction(min(outage.affected, size), size))
    ]


def _bridges(gaps: Spans, parts: Sequence[OutagePart]) -> list[OutagePart]:
    """A gap that the evidence cannot see takes the cause and the weight of the outages at its two ends."""
    gap_before, gap_after = {gap[1]: gap for gap in gaps}, {gap[0]: gap for gap in gaps}
    return [
        OutagePart(*gap, part.affected, part.population, part.cause, part.known_at)
        for part in parts
        for gap in (gap_before.get(part.start), gap_after.get(part.end))
        if gap is not None
    ]


def _by_cause(parts: Sequence[OutagePart]) -> dict[OutageCause, Spans]:
    """Each stopped second under its strongest cause."""
    taken: Spans = NOTHING
    causes: dict[OutageCause, Spans] = {}
    for cause in OutageCause:
        own = normalise((part.start, part.end) for part in parts if part.cause is cause)
        causes[cause] = subtract(own, taken)
        taken = normalise((*taken, *own))
    return causes


def _shorter(runs: Spans, minimum: int) -> Spans:
    return tuple(run for run in runs if run[1] - run[0] < minimum)


def _taker(
    exclusion: Exclusion,
    policy: SlaPolicy,
    facts: PolicyFacts,
    parts: Sequence[OutagePart],
    causes: Mapping[OutageCause, Spans],
    wholes: Spans,
) -> Spans:
    """The seconds that an exclusion would take, before those that others took first."""
    if isinstance(exclusion, Recurring):
        return recurring_windows(exclusion, wholes[0][0], wholes[-1][1]) if wholes else NOTHING
    if isinstance(exclusion, ByContract):
        recorded = [one for one in facts.interruptions if one.ground.strip() and one.approved_by.strip()]
        return normalise((one.start, one.end) for one in recorded)
    if isinstance(exclusion, ByCause):
        ruled = [one for one in facts.rulings if one.by.strip() and one.ground.strip()]
        spans = [span for one in ruled if one.cause in exclusion.causes for span in one.spans]
        return normalise([*spans, *(span for cause in exclusion.causes for span in causes[cause])])
    whole = ((part.start, part.end) for part in parts if part.cause in exclusion.causes)
    updates = normalise([*whole, *(span for cause in exclusion.causes for span in causes[cause])])

    def published_by(start: int) -> int:
        return epoch(announced_by(exclusion, from_epoch(start), policy.period.zone))

    in_time = union(*announced_windows(facts.notices, published_by, updates).values())
    if not exclusion.causes:
        return in_time
    return intersect(in_time, normalise(span for cause in exclusion.causes for span in causes[cause]))


def _within_budget(taken: Spans, budget: int, facts: PolicyFacts) -> Spans:
    """Of the announced seconds in the period, the earliest in each calendar year up to its budget."""
    start, end = facts.span
    kept = [*clip(taken, BEFORE_ALL, start), *clip(taken, end, AFTER_ALL)]
    first, last = facts.period.first_on.year, (facts.period.end_on - timedelta(days=1)).year
    for year in range(first, last + 1):
        zone = facts.period.zone
        opens, closes = (epoch(zone_day_at(date(each, 1, 1), zone)) for each in (year, year + 1))
        allowance = budget - (facts.announced_seconds_used if year == first else 0)
        for span in clip(taken, max(start, opens), min(end, closes)):
            seconds = min(allowance, length((span,)))
            if seconds > 0:
                kept.append((span[0], span[0] + seconds))
                allowance -= seconds
    return normalise(kept)


def _wall(day: date, second: int, zone: ZoneInfo) -> int:
    """A time on the wall clock of a day, as an instant; 24:00 is the next day's 00:00."""
    days, second = divmod(second, DAY_SECONDS)
    local = datetime.combine(day + timedelta(days=days), time(second // 3600, second % 3600 // 60), zone)
    return epoch(local.astimezone(UTC))
