"""Unusable time (使用不能時間) of a month: which seconds of the outages count, and why the others do not.

Decides premium/9.4.1 to 9.4.5. Every second of an outage lands in exactly one bucket, the first that takes it:

    short_stop > night > announced_update > interruption > environment > unusable
                                                                          |
    for one claimant:    environment (per claim) > not_member > suspended > not_card
                                                 > not_claimed > not_recognised > recognised

Instants are epoch seconds, spans are [start, end). An outage's length is judged on the whole outage, over all
the evidence, before anything is carved out of it or cut at the month's ends; then all is cut to the month.
Where causes overlap the one that favours the user holds: fault, partner, system update, environment.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain

from keizoku.sla.rules.exclusions import announced_windows, seconds_ruled
from keizoku.sla.rules.intervals import NOTHING, Span, Spans, clip, intersect, length, normalise, subtract, union
from keizoku.sla.rules.outages import Cause, EnvironmentRuling, Interruption, Outage, UpdateNotice
from keizoku.terms.calendar import DAY_SECONDS, Month, epoch, from_epoch, notice_deadline_at
from keizoku.terms.decision import decides
from keizoku.terms.policy import Policy


@dataclass(frozen=True, slots=True)
class MonthFacts:
    """All that decides a service month; evidence reaches beyond the month where an outage does."""

    month: Month
    outages: tuple[Outage, ...]
    notices: tuple[UpdateNotice, ...] = ()
    interruptions: tuple[Interruption, ...] = ()
    environments: tuple[EnvironmentRuling, ...] = ()
    unknown: Spans = NOTHING  # neither down nor up: no sample, and nobody has decided


@dataclass(frozen=True, slots=True)
class DowntimePart:
    """A run of seconds with one bucket, one cause and the same evidence."""

    start: int
    end: int
    bucket: str
    clause: str
    reason: str
    cause: Cause
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ServiceMonth:
    """A month as it holds for everyone: `buckets` are disjoint, in order, and sum to `gross`."""

    month: Month
    gross: Spans
    buckets: Mapping[str, Spans]
    parts: tuple[DowntimePart, ...]
    unknown: Spans = NOTHING  # outside the outages; taken for up in all of the above

    @property
    def unusable(self) -> Spans:
        """What is left of the outages after the exclusions that hold for everyone."""
        return self.buckets["unusable"]

    def waterfall(self) -> dict[str, int]:
        """Seconds per bucket."""
        return {bucket: length(spans) for bucket, spans in self.buckets.items()}


@dataclass(frozen=True, slots=True)
class Claimant:
    """One user's month: time as a member, suspended, paid by card, claimed, excluded, recognised.

    `claimed` None: the claim names only the month, so every window. `recognised` None: no person
    narrowed it, so all that is left. `environment`: rulings on this claim only.
    """

    member: Spans
    suspended: Spans
    card: Spans
    claimed: Spans | None
    environment: Spans
    recognised: Spans | None


# bucket -> (clause, reason), in the order in which buckets take seconds
SERVICE_BUCKETS: Mapping[str, tuple[str, str]] = {
    "short_stop": ("premium/9.4.2", "shorter than the minimum"),
    "night": ("premium/9.4.1", "at night, Japan time"),
    "announced_update": ("premium/9.4.4", "a system update inside a window announced in time"),
    "interruption": ("premium/9.4.5", "interrupted under the terms, with ground and approver"),
    "environment": ("premium/9.4.3", "depends on the users' own environment"),
    "unusable": ("premium/9.3", "counts as unusable time"),
}
CLAIMANT_BUCKETS = (
    *(bucket for bucket in SERVICE_BUCKETS if bucket != "unusable"),
    *("not_member", "suspended", "not_card", "not_claimed", "not_recognised", "recognised"),
)

BucketMark = tuple[int, int, str]
LESS_USUAL = ("DTSTAMP", "--published", "first seen")
"""Proofs of a time of publication that the evidence names beside the notice."""


def service_month(
    facts: MonthFacts, policy: Policy, resolution_seconds: int, without: Collection[str] = ()
) -> ServiceMonth:
    """Put every second of the month's outages into its bucket.

    `resolution_seconds` is the evidence's own: shorter gaps between outages may be part of an outage.
    `without`: buckets that take nothing, to see what an exclusion changed.
    """
    facts = _that_hold(facts)
    wholes = whole_stops(facts.outages, resolution_seconds)
    causes = seconds_by_cause(facts.outages, wholes)
    month = (epoch(facts.month.start_at), epoch(facts.month.end_at))
    takers: dict[str, Spans] = {
        "short_stop": short_stops(wholes, policy),
        "night": nights(month, policy),
        "announced_update": intersect(causes[Cause.SYSTEM_UPDATE], union(*_announced(facts, causes, policy).values())),
        "interruption": normalise((recorded.start, recorded.end) for recorded in facts.interruptions),
        "environment": union(causes[Cause.USER_ENVIRONMENT], seconds_ruled(facts.outages, facts.environments)),
    }
    takers |= {bucket: NOTHING for bucket in without if bucket in takers}
    gross = clip(wholes, *month)
    if policy.readings["short_stop"] == "what_is_left" and "short_stop" not in without:
        others = union(*(spans for bucket, spans in takers.items() if bucket != "short_stop"))
        takers["short_stop"] = short_stops(subtract(gross, others), policy)
    buckets = _take_in_order(gross, takers, rest="unusable")
    unknown = clip(subtract(facts.unknown, wholes), *month)
    return ServiceMonth(facts.month, gross, buckets, _parts(facts, policy, wholes, causes, buckets), unknown)


def if_unknown_was_down(facts: MonthFacts) -> MonthFacts:
    """The facts with every unknown second an outage: the most that people's decisions on it could make of them."""
    assumed = tuple(Outage(start, end, Cause.FAULT, "unknown time") for start, end in facts.unknown)
    return replace(facts, outages=(*facts.outages, *assumed), unknown=NOTHING)


def claimant_month(service: ServiceMonth, claimant: Claimant, without: Collection[str] = ()) -> dict[str, Spans]:
    """The same seconds as one claimant sees them: all eleven buckets, in order, summing to the gross.

    `without`: buckets of the claimant's own that take nothing.
    """
    left = service.unusable
    takers: dict[str, Spans] = {
        "environment": claimant.environment,
        "not_member": subtract(left, claimant.member),
        "suspended": claimant.suspended,
        "not_card": subtract(left, claimant.card),
    }
    takers |= {bucket: NOTHING for bucket in without if bucket in takers}
    own = _take_in_order(left, takers, rest="recognised")
    environment_seconds = union(service.buckets["environment"], own.pop("environment"))
    merged = {**service.buckets, **own, "environment": environment_seconds}
    return narrowed(merged, claimant.claimed, claimant.recognised, without)


def narrowed(
    eligible: Mapping[str, Spans], asked: Spans | None, by_people: Spans | None, without: Collection[str] = ()
) -> dict[str, Spans]:
    """A claimant's month before anything was claimed, narrowed to what is asked for and what people recognise of it."""
    left = eligible["recognised"]
    claimed = left if asked is None or "not_claimed" in without else intersect(left, asked)
    recognised = claimed if by_people is None or "not_recognised" in without else intersect(claimed, by_people)
    own = {
        "not_claimed": NOTHING if claimed is left else subtract(left, claimed),
        "not_recognised": NOTHING if recognised is claimed else subtract(claimed, recognised),
    }
    merged = {**eligible, **own, "recognised": recognised}
    return {bucket: merged[bucket] for bucket in CLAIMANT_BUCKETS}


def whole_stops(outages: Iterable[Outage], resolution_seconds: int) -> Spans:
    """Stops of every cause joined: overlapping, adjacent, or apart by less than the evidence can resolve."""
    outages = tuple(outages)
    exact_starts = {outage.start for outage in outages if outage.exact}
    exact_ends = {outage.end for outage in outages if outage.exact}
    wholes: list[Span] = []
    for start, end in normalise((outage.start, outage.end) for outage in outages):
        exact = bool(wholes) and wholes[-1][1] in exact_ends and start in exact_starts
        if wholes and not exact and start - wholes[-1][1] < resolution_seconds:
            wholes[-1] = (wholes[-1][0], end)
        else:
            wholes.append((start, end))
    return tuple(wholes)


def seconds_by_cause(outages: Sequence[Outage], wholes: Spans) -> dict[Cause, Spans]:
    """Each second of the whole outages under its strongest cause; a bridged gap takes its neighbours'."""
    gaps = subtract(wholes, normalise((outage.start, outage.end) for outage in outages))
    left = wholes
    causes: dict[Cause, Spans] = {}
    for cause in Cause:
        mine = [outage for outage in outages if outage.cause is cause]
        starts, ends = {outage.start for outage in mine}, {outage.end for outage in mine}
        touched = [gap for gap in gaps if gap[0] in ends or gap[1] in starts]
        spans = normalise(chain(((outage.start, outage.end) for outage in mine), touched))
        causes[cause] = intersect(left, spans)
        left = subtract(left, spans)
    return causes


@decides("premium/9.4.2")
def short_stops(wholes: Spans, policy: Policy) -> Spans:
    """Whole outages shorter than the minimum: 09:59 is short, 10:00 is not."""
    return tuple(whole for whole in wholes if whole[1] - whole[0] < policy.sla.minimum_outage_seconds)


@decides("premium/9.4.1")
def nights(month: Span, policy: Policy) -> Spans:
    """The night hours of each JST day of a month; Japan has no clock changes, so days are equal."""
    return normalise(
        (day + policy.sla.night_from_second, day + policy.sla.night_to_second) for day in range(*month, DAY_SECONDS)
    )


@decides("premium/9.4.4")
def is_announced_in_time(notice: UpdateNotice, policy: Policy) -> bool:
    """Whether an update inside this window is excluded; what lies outside it (an overrun) counts."""
    return notice.published_at <= announced_by(notice.start, policy)


def announced_by(start: int, policy: Policy) -> int:
    """The last instant at which an update that starts then is announced in time (epoch seconds, inclusive).

    By the reading announcement_days: 00:00 or 24:00 of that day, or so many times 24 hours before the start.
    """
    days = policy.sla.announce_clear_days
    reading = policy.readings["announcement_days"]
    if reading == "hours":
        return start - days * DAY_SECONDS
    clear = epoch(notice_deadline_at(from_epoch(start), days))
    return clear + DAY_SECONDS if reading == "calendar_days" else clear


@decides("premium/9.4.5")
def is_interruption_recorded(interruption: Interruption) -> bool:
    """Whether an interruption is excluded: only with both a ground and an approver on record."""
    return bool(interruption.ground.strip() and interruption.approved_by.strip())


@decides("premium/9.4.3")
def is_environment_ruled(ruling: EnvironmentRuling) -> bool:
    """Whether people's ruling on users' environments holds: only with a name and a ground."""
    return bool(ruling.by.strip() and ruling.ground.strip())


def _that_hold(facts: MonthFacts) -> MonthFacts:
    """The facts without what excludes nothing: interruptions and rulings without ground."""
    return replace(
        facts,
        interruptions=tuple(i for i in facts.interruptions if is_interruption_recorded(i)),
        environments=tuple(r for r in facts.environments if is_environment_ruled(r)),
    )


def _take_in_order(seconds: Spans, takers: Mapping[str, Spans], rest: str) -> dict[str, Spans]:
    """Share seconds out: each taker in turn gets what it claims of what is left, `rest` the remainder."""
    shares: dict[str, Spans] = {}
    for bucket, spans in takers.items():
        shares[bucket] = intersect(seconds, spans)
        seconds = subtract(seconds, spans)
    return {**shares, rest: seconds}


def _announced(
    facts: MonthFacts, causes: Mapping[Cause, Spans], policy: Policy
) -> Mapping[tuple[str, str, str], Spans]:
    own = ((outage.start, outage.end) for outage in facts.outages if outage.cause is Cause.SYSTEM_UPDATE)
    updates = normalise(chain(own, causes[Cause.SYSTEM_UPDATE]))  # whole, also where a stronger cause has the seconds
    return announced_windows(facts.notices, partial(announced_by, policy=policy), updates)


def _parts(
    facts: MonthFacts,
    policy: Policy,
    wholes: Spans,
    causes: Mapping[Cause, Spans],
    buckets: Mapping[str, Spans],
) -> tuple[DowntimePart, ...]:
    outage_marks = _outage_marks(facts.outages, wholes)
    proofs = _proofs(facts.notices)
    own_marks: Mapping[str, list[BucketMark]] = {
        "announced_update": [
            (*span, f"notice {uid}{proofs.get(uid, '')}")
            for (*_, uid), spans in _announced(facts, causes, policy).items()
            for span in spans
        ],
        "interruption": [(i.start, i.end, f"interruption: {i.ground} ({i.approved_by})") for i in facts.interruptions],
        "environment": [(start, end, ruling.source) for ruling in facts.environments for start, end in ruling.spans],
    }
    parts: list[DowntimePart] = []
    for bucket, (clause, reason) in SERVICE_BUCKETS.items():
        marks = [*outage_marks, *own_marks.get(bucket, ())]
        for cause, spans in causes.items():
            for start, end, sources in _cut_by_marks(intersect(buckets[bucket], spans), marks):
                parts.append(DowntimePart(start, end, bucket, clause, reason, cause, sources))
    return tuple(sorted(parts, key=lambda part: part.start))


def _proofs(notices: Iterable[UpdateNotice]) -> dict[str, str]:
    """By notice, what its time of publication rests on where that is not what its author wrote of the event."""
    found: dict[str, dict[str, None]] = {}
    for notice in notices:
        if notice.published_from in LESS_USUAL:
            found.setdefault(notice.uid, {})[notice.published_from] = None
    return {uid: f" (published: {', '.join(own)})" for uid, own in found.items()}


def _outage_marks(outages: Sequence[Outage], wholes: Spans) -> list[BucketMark]:
    """Where each outage is the evidence; a bridged gap rests on the outages at its two ends."""
    marks = [(outage.start, outage.end, outage.source) for outage in outages]
    gaps = subtract(wholes, normalise((outage.start, outage.end) for outage in outages))
    gap_after, gap_before = {gap[0]: gap for gap in gaps}, {gap[1]: gap for gap in gaps}
    for outage in outages:
        touched = (gap_after.get(outage.end), gap_before.get(outage.start))
        marks += [(*gap, outage.source) for gap in touched if gap]
    return marks


def _cut_by_marks(spans: Spans, marks: Iterable[BucketMark]) -> Iterator[tuple[int, int, tuple[str, ...]]]:
    """Cut a set wherever the evidence under it changes: maximal (start, end, sources) runs, in order."""
    if not spans:
        return
    edges: list[tuple[int, int, str]] = []
    for start, end, source in marks:
        edges += [(start, 1, source), (end, -1, source)]
    for start, end in spans:
        edges += [(start, 0, ""), (end, 0, "")]
    edges.sort()
    live: dict[str, int] = {}
    run: tuple[int, int, tuple[str, ...]] | None = None
    at = edges[0][0]
    i = 0
    for edge, change, source in edges:
        while i < len(spans) and spans[i][1] <= at:
            i += 1
        if edge > at and i < len(spans) and spans[i][0] <= at:
            sources = tuple(sorted(live))
            if run and run[1] == at and run[2] == sources:
                run = (run[0], edge, sources)
            else:
                if run:
                    yield run
                run = (at, edge, sources)
        at = edge
        if change:
            live[source] = live.get(source, 0) + change
            if not live[source]:
                del live[source]
    if run:
        yield run
