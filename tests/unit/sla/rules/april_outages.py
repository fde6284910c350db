"""April 2026 as tests of Article 9 state it: outages and notices from words, and the month that they make."""

from datetime import date

from keizoku.sla.rules.outages import Cause, Outage, UpdateNotice
from keizoku.sla.rules.unusable_time import MonthFacts, ServiceMonth, service_month
from keizoku.terms.calendar import Month, epoch, parse_instant
from keizoku.terms.policy import Terms

APRIL = Month(2026, 4)
POLICY = Terms.load().at(date(2026, 4, 1))


def at(text: str) -> int:
    return epoch(parse_instant(text))


def outage(start: str, end: str, cause: str = "fault", source: str = "s") -> Outage:
    return Outage(at(start), at(end), Cause(cause), source)


def notice(published: str, start: str, end: str, uid: str = "n") -> UpdateNotice:
    return UpdateNotice(uid, at(published), at(start), at(end))


def month_of(*outages: Outage, month: Month = APRIL, resolution: int = 0, **more: object) -> ServiceMonth:
    return service_month(MonthFacts(month, outages, **more), POLICY, resolution)  # type: ignore[arg-type]


def filled(service: ServiceMonth) -> dict[str, int]:
    return {bucket: seconds for bucket, seconds in service.waterfall().items() if seconds}
