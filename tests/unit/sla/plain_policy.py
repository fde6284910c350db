"""A plain made-up SLA for the tests of the engine, in June 2027; each test changes the dimension it is about."""

from datetime import date
from typing import Any

from keizoku.sla.policies.engine import Credit, PolicyOutcome, evaluate
from keizoku.sla.policies.seconds import PolicyFacts, StatedOutage
from keizoku.terms.calendar import epoch
from keizoku.terms.stated.sla_periods import period_of
from keizoku.terms.stated.sla_policy import OutageCause, PeriodRule, SlaPolicy, parse_policy

PLAIN: dict[str, Any] = {
    "name": "plain",
    "title": "A plain SLA",
    "source": {"name": "made up", "last_checked_on": date(2027, 1, 1)},
    "subject": {"of": "all users", "signal": "errors"},
    "predicate": {"comparator": ">", "threshold": "0.05", "population": "users"},
    "weight": "binary",
    "unknown": "up",
    "period": {"kind": "month", "zone": "UTC"},
    "metric": {"kind": "seconds", "promised": {"at_most": 3_600}},
    "tiers": [{"above": 3_600, "credit": {"kind": "step", "rate": "0.1"}}],
    "claim": {"kind": "days", "after": 30},
    "settlement": {"kind": "later_invoice", "fee": "monthly fee"},
}
JUNE = period_of(PeriodRule(kind="month", zone="UTC"), date(2027, 6, 1))
ZERO = epoch(JUNE.start_at)
HOUR = 3_600


def policy(**changed: Any) -> SlaPolicy:
    return parse_policy({**PLAIN, **changed}, "plain.toml")


def outcome(stated: SlaPolicy, *outages: StatedOutage, **more: Any) -> PolicyOutcome:
    return evaluate(stated, PolicyFacts(JUNE, outages, **more))


def hours(start: float, end: float, affected: int = 1, cause: str = "fault", known: int | None = None) -> StatedOutage:
    return StatedOutage(ZERO + int(start * HOUR), ZERO + int(end * HOUR), affected, OutageCause(cause), known)


def filled(result: PolicyOutcome) -> dict[str, int]:
    return {bucket: seconds for bucket, seconds in result.waterfall().items() if seconds}


def seconds_and_credit(result: PolicyOutcome) -> tuple[int, Credit]:
    return int(result.figure), result.credit
