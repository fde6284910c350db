"""The public SLAs of terms/public for tests: by name, with a period to measure and an outcome of so many percent."""

from datetime import date
from fractions import Fraction

from keizoku.sla.policies.engine import Credit, PolicyOutcome, evaluate
from keizoku.sla.policies.seconds import PolicyFacts, StatedOutage
from keizoku.terms.calendar import epoch
from keizoku.terms.stated.sla_periods import SlaPeriod, period_of
from keizoku.terms.stated.sla_policy import Duration, SlaPolicy, public_policies

POLICIES = {policy.name: policy for policy in public_policies()}
JUNE = date(2027, 6, 10)  # 30 days
CYCLE_FROM = date(2027, 1, 31)


def rate(percent: int) -> Credit:
    return Credit(rate=Fraction(percent, 100))


def days(number: int) -> Credit:
    return Credit(days=number)


NONE = Credit()


def period(policy: SlaPolicy, day: date = JUNE) -> SlaPeriod:
    return period_of(policy.period, day, CYCLE_FROM if policy.period.kind == "billing_cycle" else None)


def down_for(policy: SlaPolicy, percent: str, plan: str = "enterprise") -> PolicyOutcome:
    """The outcome of exactly so many percent: all the time, as many hit by it as that takes.

    Whole minutes of a month cannot make every percentage (0.1 % of 30 days is 43.2 minutes), so the tiers are
    asked under a weight that can; the policy's own weight is in the next test.
    """
    predicate = policy.predicate.model_copy(update={"comparator": ">", "threshold": Fraction(0)})
    fine = policy.model_copy(update={"weight": "affected_ratio", "predicate": predicate, "duration": Duration()})
    of = period(policy)
    start = epoch(of.start_at)
    whole = policy.denominator.hours * 3600 if policy.denominator.hours else epoch(of.end_at) - start
    affected = (100 - Fraction(percent)) * 1_000
    assert affected.denominator == 1
    outage = StatedOutage(start, start + whole, int(affected))
    return evaluate(fine, PolicyFacts(of, (outage,), ((0, 100_000),), plan=plan))
