"""A lived spring for tests of the month's report: lived once, read by many."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime

import sqlalchemy as sa

from keizoku.billing.closing.reconciliation_run import reconcile_month
from keizoku.scheduler.app import House
from keizoku.scheduler.night.nightly_run import NightResult, run_night
from keizoku.scheduler.reports.finance import FinanceReport, finance_report
from keizoku.terms.calendar import Month, parse_instant
from tests.worlds.world import house_on, live, open_world

MAY = Month(2026, 5)
NOW = parse_instant("2026-06-02 09:00")


@contextmanager
def lived_house(engine: sa.Engine) -> Iterator[House]:
    """The small world until the night of 2 June 2026."""
    with house_on(engine) as house:
        open_world(house)
        live(house, date(2026, 6, 2), night=_night)
        yield house


def _night(house: House, on: date, now: datetime) -> NightResult:
    """A night; on 18 April somebody asks before it for that month's stop, so that May's invoice is reduced."""
    if on == date(2026, 4, 18):
        house.sla.claim(id="early", account="u04", month=Month(2026, 4), now=now)
    return run_night(house, on, now)


def report_of(house: House, month: Month = MAY) -> FinanceReport:
    """The report of a month."""
    reconciled = reconcile_month(house.session, house.gateway, month, NOW)
    return finance_report(house.session, house.rules, month, NOW, reconciled)
