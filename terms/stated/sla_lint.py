"""What is wrong with an SLA as it is stated: figures without an answer, with two, or that never come.

    u <= 99.9 -> 10 %   │  99.0 < u        u < 99.0 -> 25 %        at exactly 99.0 nothing is owed: a gap
    promise u >= 99.9   │  and 10 % at exactly 99.9                a credit although the promise is kept

Model in, findings out. It finds gaps and overlaps between tiers and with the promise, tiers that no figure
reaches, credits that shrink as things get worse or exceed the cap, deadlines that pass before the period is
over, and exclusions that leave nothing to count. Exact: bounds cut the figures into points and open runs,
and each is asked once which tiers take it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from itertools import groupby, pairwise
from math import floor
from zoneinfo import ZoneInfo

from keizoku.terms.decision import Finding
from keizoku.terms.money import fraction_text
from keizoku.terms.stated.sla_periods import claim_before, period_of, zone_day_at
from keizoku.terms.stated.sla_policy import (
    Announced,
    ByCause,
    CreditTier,
    Days,
    OutageCause,
    Range,
    Recurring,
    SlaPolicy,
    Step,
)

DAY_MINUTES = 1_440
FIRST_DAY, DAYS_TRIED = date(2027, 1, 1), 366 + 365  # 2028 is a leap year
SEASONS = (datetime(2027, 1, 15, tzinfo=UTC), datetime(2027, 7, 15, tzinfo=UTC))  # clocks of winter and summer
ANCHORS = (date(2026, 1, 1), date(2026, 1, 31))


@dataclass(frozen=True, slots=True)
class Cut:
    """A point (low == high) or an open run of figures between two bounds; high None: without end."""

    low: Fraction
    high: Fraction | None

    @property
    def inside(self) -> Fraction:
        """A figure that stands for all of them: no bound lies strictly between."""
        return self.low + 1 if self.high is None else (self.low + self.high) / 2

    def text(self) -> str:
        """In words."""
        if self.low == self.high:
            return f"exactly {fraction_text(self.low)}"
        return Range(above=self.low, below=self.high).text()


def lint(policy: SlaPolicy, source: str) -> list[Finding]:
    """All that is wrong, in the order of the dimensions; empty: nothing."""
    return [
        *_exclusions(policy, source),
        *_tiers(policy, source),
        *_order(policy, source),
        *_cap(policy, source),
        *_deadline(policy, source),
    ]


def _tiers(policy: SlaPolicy, source: str) -> Iterator[Finding]:
    """Gaps and overlaps, and tiers that no figure reaches."""
    answers = [(cut, _takers(policy, cut)) for cut in cuts(policy) if _occurs(policy, cut)]
    for (promised, takers), run in groupby(answers, key=lambda answer: answer[1]):
        figures = _joined([cut for cut, _ in run])
        named = ", ".join(f"tier {place}" for place in takers)
        if not promised and not takers:
            yield Finding(
                source, None, f"u = {figures}", "gap: the promise is broken and no tier takes it", "widen a tier"
            )
        elif promised and takers:
            yield Finding(
                source,
                None,
                f"u = {figures}",
                f"overlap: the promise is kept and {named} owes a credit",
                "let the promise end where the tier begins",
            )
        elif len(takers) > 1:
            yield Finding(source, None, f"u = {figures}", f"overlap: {named} take it", "leave it to one of them")
    reached = {takers[0] for _, (_, takers) in answers if takers}
    for place, tier in enumerate(policy.tiers, 1):
        if place not in reached:
            yield Finding(
                source,
                None,
                f"tier {place} ({tier.text()})",
                f"unreachable: no {_figure_words(policy)} comes to it first",
                "remove it or mend its bounds",
            )


def cuts(policy: SlaPolicy) -> list[Cut]:
    """The figures that can occur, cut at every bound into points and open runs, in order."""
    low, high = figures_possible(policy)
    ranges: list[Range] = [policy.metric.promised, *policy.tiers]
    stated = {bound for each in ranges for bound in (each.above, each.at_least, each.below, each.at_most)}
    bounds = {bound for bound in stated if bound is not None and bound >= low and (high is None or bound <= high)}
    points = sorted(bounds | {low} | ({high} if high is not None else set()))
    cuts: list[Cut] = []
    for one, following in pairwise(points):
        cuts += [Cut(one, one), Cut(one, following)]
    cuts.append(Cut(points[-1], points[-1]))
    return cuts if high is not None else [*cuts, Cut(points[-1], None)]


def figures_possible(policy: SlaPolicy) -> tuple[Fraction, Fraction | None]:
    """The least and the greatest figure (None: unbounded) that the metric can come to."""
    if policy.metric.kind == "percent":
        return Fraction(0), Fraction(100)
    if policy.metric.kind == "seconds" and policy.weight != "user_minutes":
        days = 92 if policy.period.kind == "quarter" else 31
        return Fraction(0), Fraction(days * 86_400)
    if policy.metric.kind == "per_incident" and policy.metric.clock == "start" and not policy.exclusions:
        return Fraction(policy.duration.minimum_seconds), None
    return Fraction(0), None


def _occurs(policy: SlaPolicy, cut: Cut) -> bool:
    """Whether some figure of the cut can come out: unweighted seconds are whole."""
    if policy.metric.kind == "percent" or policy.weight == "affected_ratio":
        return True
    if cut.high is None:
        return True
    if cut.low == cut.high:
        return cut.low.denominator == 1
    return floor(cut.low) + 1 < cut.high


def _takers(policy: SlaPolicy, cut: Cut) -> tuple[bool, tuple[int, ...]]:
    """Whether the promise is kept there, and which tiers take it."""
    places = tuple(place for place, tier in enumerate(policy.tiers, 1) if tier.takes(cut.inside))
    return policy.metric.promised.takes(cut.inside), places


def _joined(run: list[Cut]) -> str:
    """Neighbouring cuts as one range: points at its ends are inclusive bounds."""
    first, last = run[0], run[-1]
    if len(run) == 1:
        return first.text()
    low = {"at_least" if first.low == first.high else "above": first.low}
    high = {"at_most" if last.low == last.high else "below": last.high}
    return Range.model_validate({**low, **high}).text()


def _figure_words(policy: SlaPolicy) -> str:
    return {"seconds": "sum of seconds", "percent": "percentage", "per_incident": "incident"}[policy.metric.kind]


def _order(policy: SlaPolicy, source: str) -> Iterator[Finding]:
    """Steps and days that shrink as things get worse."""
    from_good_to_bad = sorted(enumerate(policy.tiers, 1), key=lambda numbered: _badness(policy, numbered[1]))
    for (mild_place, mild), (bad_place, bad) in pairwise(from_good_to_bad):
        less = (
            isinstance(mild.credit, Step) and isinstance(bad.credit, Step) and mild.credit.rate > bad.credit.rate
        ) or (isinstance(mild.credit, Days) and isinstance(bad.credit, Days) and mild.credit.days > bad.credit.days)
        if less:
            yield Finding(
                source,
                None,
                f"tier {bad_place} ({bad.text()})",
                f"order: it is worse than tier {mild_place} and owes less",
                "exchange the credits or mend the bounds",
            )


def _badness(policy: SlaPolicy, tier: CreditTier) -> Fraction:
    """How bad the mildest figure of a tier is."""
    if policy.metric.kind == "percent":
        best = tier.below if tier.at_most is None else tier.at_most
        return -(Fraction(100) if best is None else best)
    least = tier.above if tier.at_least is None else tier.at_least
    return Fraction(0) if least is None else least


def _cap(policy: SlaPolicy, source: str) -> Iterator[Finding]:
    """Credits that can never be given in full."""
    for place, tier in enumerate(policy.tiers, 1):
        credit, cap = tier.credit, policy.cap
        over_rate = isinstance(credit, Step) and cap.rate is not None and credit.rate > cap.rate
        over_days = isinstance(credit, Days) and cap.days is not None and credit.days > cap.days
        if over_rate or over_days:
            yield Finding(
                source,
                None,
                f"tier {place} ({tier.text()})",
                "cap: it owes more than the cap gives",
                "mend one of them",
            )


def _deadline(policy: SlaPolicy, source: str) -> Iterator[Finding]:
    """A claim that would have to arrive before the period is over: tried for each day of two years."""
    if policy.claim.kind in ("automatic", "unstated"):
        return
    if policy.claim.since == "incident" and policy.metric.kind == "per_incident":
        return  # such a credit can be asked for as soon as the incident is over
    for anchor in ANCHORS if policy.period.kind == "billing_cycle" else (None,):
        for number in range(DAYS_TRIED):
            day = FIRST_DAY + timedelta(days=number)
            period = period_of(policy.period, day, anchor)
            before_at = claim_before(policy, period, zone_day_at(day + timedelta(days=1), period.zone))
            if before_at is not None and before_at <= period.end_at:
                yield Finding(
                    source,
                    None,
                    f"an outage on {day} in the period until {period.end_on}",
                    f"deadline: its claim would have to arrive before {before_at:%Y-%m-%d %H:%M} UTC, "
                    "when the period is not over or only just",
                    "count from the period's end, or later",
                )
                return


def _exclusions(policy: SlaPolicy, source: str) -> Iterator[Finding]:
    """Exclusions that leave nothing to count."""
    for exclusion in policy.exclusions:
        if isinstance(exclusion, ByCause) and OutageCause.FAULT in exclusion.causes:
            yield _swallowed(source, exclusion.name, "the provider's own fault", "take fault off its causes")
        if isinstance(exclusion, Announced) and not (
            exclusion.causes or exclusion.yearly_seconds or exclusion.clear_days or exclusion.notice_seconds
        ):
            what = "whatever is announced as it happens"
            yield _swallowed(source, exclusion.name, what, "ask for notice, causes or a budget")
    recurring = [exclusion for exclusion in policy.exclusions if isinstance(exclusion, Recurring)]
    names = ", ".join(rule.name for rule in recurring)
    free = max(longest_free_minutes(recurring, season) for season in SEASONS)
    if not free:
        yield _swallowed(source, names, "every hour of the week", "leave hours in which outages count")
    elif policy.duration.judged == "after_exclusions" and recurring and free * 60 < policy.duration.minimum_seconds:
        what = f"so much that the {free} minutes left are shorter than any outage that counts"
        yield _swallowed(source, names, what, "lower minimum_seconds, or judge the whole outage")
    shortest = 28 if policy.period.kind != "quarter" else 90
    if policy.duration.minimum_seconds >= shortest * 86_400:
        yield _swallowed(source, "duration", "every outage shorter than a whole period", "lower minimum_seconds")


def _swallowed(source: str, name: str, what: str, remedy: str) -> Finding:
    return Finding(source, None, name, f"swallows everything: it takes {what}", remedy)


def longest_free_minutes(rules: Iterable[Recurring], season: datetime) -> int:
    """The longest run of minutes of a week, in a season's clocks, that no rule takes."""
    week = 7 * DAY_MINUTES
    taken: set[int] = set()
    for rule in rules:
        offset = season.astimezone(ZoneInfo(rule.zone)).utcoffset() or timedelta()
        first = rule.from_second // 60 - offset // timedelta(minutes=1)
        lasts = (rule.to_second - rule.from_second) // 60 % DAY_MINUTES or DAY_MINUTES
        for weekday in rule.weekdays:
            start = (weekday - 1) * DAY_MINUTES + first
            taken.update(minute % week for minute in range(start, start + lasts))
    if not taken:
        return week
    longest = run = 0
    for minute in range(2 * week):  # twice around: a run may go over the week's end
        run = 0 if minute % week in taken else run + 1
        longest = max(longest, run)
    return min(longest, week)
