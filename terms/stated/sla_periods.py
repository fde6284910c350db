"""The periods that an SLA measures and the deadlines of its claims, in the policy's own time zone.

    month           2028-02-01 ── 2028-03-01
    quarter         2028-01-01 ── 2028-04-01
    billing cycle   anchored to the day on which billing began: 01-31 ── 02-29 ── 03-31

Periods are half-open; a deadline is the instant before which a claim has to arrive, so that the last day
allowed is whole: by 15 July is before 16 July 00:00.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from keizoku.terms.calendar import Month, boundary
from keizoku.terms.stated.sla_policy import Announced, ClaimRule, PeriodRule, SlaPolicy


@dataclass(frozen=True, slots=True)
class SlaPeriod:
    """Days that are measured together: [first day, day after the last), in a zone."""

    first_on: date
    end_on: date
    zone: str
    anchor: date | None = None  # of a billing cycle

    @property
    def start_at(self) -> datetime:
        """The instant at which it begins."""
        return zone_day_at(self.first_on, self.zone)

    @property
    def end_at(self) -> datetime:
        """The instant at which it is over."""
        return zone_day_at(self.end_on, self.zone)


def zone_day_at(day: date, zone: str) -> datetime:
    """00:00 of a day in a zone, as an instant in UTC."""
    return datetime.combine(day, time(0), ZoneInfo(zone)).astimezone(UTC)


def zone_day(instant: datetime, zone: str) -> date:
    """The day in a zone on which an instant falls."""
    return instant.astimezone(ZoneInfo(zone)).date()


def period_of(rule: PeriodRule, day: date, anchor: date | None = None) -> SlaPeriod:
    """The period that a day lies in. A billing cycle needs the day on which billing began (ValueError)."""
    if rule.kind == "month":
        month = Month.of(day)
        return SlaPeriod(month.first_on, month.end_on, rule.zone)
    if rule.kind == "quarter":
        first = Month(day.year, (day.month - 1) // 3 * 3 + 1)
        return SlaPeriod(first.first_on, first.shift(3).first_on, rule.zone)
    if anchor is None or day < anchor:
        raise ValueError(f"a billing cycle is counted from the day on which billing began: {anchor=}, {day=}")
    cycle = _cycle(anchor, day)
    return SlaPeriod(boundary(anchor, "month", cycle), boundary(anchor, "month", cycle + 1), rule.zone, anchor)


def claim_before(policy: SlaPolicy, period: SlaPeriod, incident_end_at: datetime | None = None) -> datetime | None:
    """The instant before which a claim has to arrive; None where none is asked for or the text is silent.

    A rule that counts from the incident needs its end (ValueError without).
    """
    rule = policy.claim
    if rule.kind in ("automatic", "unstated"):
        return None
    if rule.since == "incident":
        if incident_end_at is None:
            raise ValueError(f"{policy.name}: the time for a claim is counted from the incident, which is not given")
        last = zone_day(incident_end_at - timedelta(microseconds=1), period.zone)
    else:
        last = period.end_on - timedelta(days=1)
    return zone_day_at(_day_after_deadline(rule, last, period), period.zone)


def announced_by(exclusion: Announced, starts_at: datetime, zone: str) -> datetime:
    """The last instant (inclusive) at which a window that starts then is announced in time."""
    if exclusion.notice_seconds is not None:
        return starts_at - timedelta(seconds=exclusion.notice_seconds)
    return zone_day_at(zone_day(starts_at, zone) - timedelta(days=exclusion.clear_days or 0), zone)


def _day_after_deadline(rule: ClaimRule, last: date, period: SlaPeriod) -> date:
    """The day on which it is too late, for a period or incident whose last day is `last`."""
    if rule.kind == "days":
        return last + timedelta(days=rule.after + 1)
    if rule.kind == "end_of_cycle" and period.anchor is not None:
        return boundary(period.anchor, "month", _cycle(period.anchor, last) + rule.after + 1)
    month = Month.of(last).shift(rule.after)
    if rule.kind == "day_of_month" and rule.day is not None and rule.day < month.days:
        return date(month.year, month.month, rule.day + 1)
    return month.end_on


def _cycle(anchor: date, day: date) -> int:
    """How many cycles were over when the cycle of the day began."""
    cycle = Month.of(day).since(Month.of(anchor))
    while boundary(anchor, "month", cycle) > day:
        cycle -= 1
    return cycle
