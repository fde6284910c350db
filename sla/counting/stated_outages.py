"""The evidence of a month as a stated SLA looks at it: how many were hit, when, and why (`sla.policies`).

    observations ──users_unable──> so many distinct users  ┐
    counts       ────────────────> so many of a total      ├─ cause by the incidents they overlap ──> StatedOutage
    incidents    ────────────────> so many, with a cause   ┘

The premium contract needs only windows in which enough users were unable (`outage_threshold.outages_from`); here the
numbers stay, for an SLA may ask for another share of the users, or weigh by it. Causes are named as there.
"""

from collections.abc import Iterable, Iterator, Mapping

from keizoku.sla.counting.outage_threshold import UsersUnable
from keizoku.sla.evidence.incident_files import Count, Incident
from keizoku.sla.policies.seconds import CauseRuling, PolicyFacts, StatedOutage
from keizoku.sla.rules.intervals import NOTHING, Spans, clip, normalise, subtract, union
from keizoku.sla.rules.outages import Cause
from keizoku.sla.rules.unusable_time import MonthFacts
from keizoku.terms.calendar import Month
from keizoku.terms.stated.sla_periods import SlaPeriod, period_of
from keizoku.terms.stated.sla_policy import OutageCause, SlaPolicy


def stated_outages(
    unable: Iterable[UsersUnable], counts: Iterable[Count], incidents: Iterable[Incident]
) -> tuple[StatedOutage, ...]:
    """Everything that was observed, counted or confirmed, each with its cause; without an incident it is a fault."""
    incidents = [each for each in incidents if each.start < each.end]
    causes = _cause_spans(incidents)
    confirmed = [StatedOutage(each.start, each.end, each.affected, OutageCause(each.cause)) for each in incidents]
    observed = [
        StatedOutage(start, end, each.users, cause)
        for each in unable
        for start, end, cause in _by_cause(each.start, each.end, causes)
    ]
    counted = [
        StatedOutage(start, end, each.affected, cause, total=each.total)
        for each in counts
        for start, end, cause in _by_cause(each.start, each.end, causes)
    ]
    return (*confirmed, *observed, *counted)


def policy_facts(
    policy: SlaPolicy,
    facts: MonthFacts,
    outages: tuple[StatedOutage, ...],
    population: tuple[tuple[int, int], ...],
    resolution_seconds: int,
) -> PolicyFacts:
    """All that decides the period of a policy in which the month begins, for a customer who can claim.

    A quarter has no more evidence than there is. A billing cycle is taken to begin with the month.
    """
    eligible = policy.eligibility
    rulings = (CauseRuling(one.spans, OutageCause.USER_ENVIRONMENT, one.by, one.ground) for one in facts.environments)
    return PolicyFacts(
        period=measured_period(policy, facts.month),
        outages=outages,
        population=population,
        notices=facts.notices,
        interruptions=facts.interruptions,
        rulings=tuple(rulings),
        unknown=facts.unknown,
        resolution_seconds=resolution_seconds,
        method=eligible.methods[0] if eligible.methods else None,
        plan=eligible.plans[0] if eligible.plans else None,
    )


def measured_period(policy: SlaPolicy, month: Month) -> SlaPeriod:
    """The period of a policy in which a month begins; a billing cycle begins with the month."""
    return period_of(policy.period, month.first_on, anchor=month.first_on)


def _cause_spans(incidents: Iterable[Incident]) -> dict[Cause, Spans]:
    """Which seconds incidents give which cause, the strongest of several."""
    incidents = list(incidents)
    taken: Spans = NOTHING
    causes: dict[Cause, Spans] = {}
    for cause in Cause:
        own = normalise((each.start, each.end) for each in incidents if each.cause is cause)
        causes[cause] = subtract(own, taken)
        taken = union(taken, own)
    return causes


def _by_cause(start: int, end: int, causes: Mapping[Cause, Spans]) -> Iterator[tuple[int, int, OutageCause]]:
    """A span in parts of one cause each."""
    unexplained: Spans = ((start, end),) if start < end else NOTHING
    for cause, spans in causes.items():
        for part in clip(spans, start, end):
            yield (*part, OutageCause(cause))
        unexplained = subtract(unexplained, spans)
    for part in unexplained:
        yield (*part, OutageCause.FAULT)
