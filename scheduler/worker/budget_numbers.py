"""What is left of the running month (Article 9), for a monitor: measured by the leader, told until it no longer holds.

A scrape reads what was last measured and asks the database nothing. Measuring is cheap where nothing became known: one
look at an index; days that are over are measured once and kept; and it never takes more than a twentieth of the time,
however much evidence there is.

Always holds: nothing is told before the first measurement, after the month is over, or by a worker that does not lead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from time import monotonic
from typing import Final

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from keizoku.db.session import Session
from keizoku.sla.months.budget import MonthBudget, budget_of, newest_evidence
from keizoku.sla.months.month_facts import keep_days
from keizoku.terms.calendar import Month
from keizoku.terms.rules import Rules

MEASURED_HOLDS: Final = 20
"""A budget is measured anew after so many times as long as measuring it took, at the earliest."""


class BudgetNumbers(Collector):
    """The budget of the running month as last measured."""

    def __init__(self) -> None:
        self.leads: Callable[[], bool] = lambda: False
        self.clock: Callable[[], datetime] = lambda: datetime.now(UTC)
        self._found: MonthBudget | None = None
        self._evidence = 0
        self._not_before = 0.0

    def measure(self, session: Session, rules: Rules, now: datetime) -> MonthBudget | None:
        """The budget if it had to be measured, None where the last one holds.

        Raises NoPopulationError, UncoveredDateError; then nothing is told.
        """
        month, held = Month.of(now), self._found
        if monotonic() < self._not_before and held is not None and held.month == month:
            return None
        newest = newest_evidence(session, month, now)
        if held is not None and held.month == month and newest == self._evidence and not held.goes_on:
            return None
        self._found, began = None, monotonic()
        keep_days(session, rules, month, now)
        self._found, self._evidence = budget_of(session, rules, month, now), newest
        self._not_before = monotonic() + MEASURED_HOLDS * (monotonic() - began)
        return self._found

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """One family for each number; without samples where it is not known."""
        found = self._found
        if found is not None and (not self.leads() or found.month != Month.of(self.clock())):
            found = None
        unusable = GaugeMetricFamily("keizoku_sla_unusable_seconds", "Unusable time of the running month so far")
        unknown = GaugeMetricFamily("keizoku_sla_unknown_seconds", "Time of the running month without a sample")
        left = GaugeMetricFamily(
            "keizoku_sla_seconds_to_tier", "What may still be unusable before a tier; below 0: passed", labels=["tier"]
        )
        used = GaugeMetricFamily(
            "keizoku_sla_budget_used_ratio", "Unusable time so far, of what a tier begins after", labels=["tier"]
        )
        if found is not None:
            unusable.add_metric([], found.unusable)
            unknown.add_metric([], found.unknown)
            for place, each in enumerate(found.tiers, 1):
                left.add_metric([str(place)], each.tier.over_seconds - each.used)
                used.add_metric([str(place)], each.used / each.tier.over_seconds)
        yield from (unusable, unknown, left, used)
