"""A lived spring for tests of the month's report: lived once, read by many."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime

import sqlalchemy as sa

from keizoku.billing.closing.reconciliation_run import reconcile_month
from keizoku.scheduler.app import Services
from keizoku.scheduler.night.nightly_run import NightResult, run_night
from keizoku.scheduler.reports.finance import FinanceReport, finance_report
from keizoku.terms.calendar import Month, parse_instant
from tests.worlds.world import live, open_world, services_on

MAY = Month(2026, 5)
NOW = parse_instant("2026-06-02 09:00")


@contextmanager
def lived_services(engine: sa.Engine) -> Iterator[Services]:
    """The small world until the night of 2 June 2026."""
    with services_on(engine) as services:
        open_world(services)
        live(services, date(2026, 6, 2), night=_night)
        yield services


def _night(services: Services, on: date, now: datetime) -> NightResult:
    """A night; on 18 April somebody asks before it for that month's stop, so that May's invoice is reduced."""
    if on == date(2026, 4, 18):
        services.sla.claim(id="early", account="u04", month=Month(2026, 4), now=now)
    return run_night(services, on, now)


def report_of(services: Services, month: Month = MAY) -> FinanceReport:
    """The report of a month."""
    reconciled = reconcile_month(services.session, services.gateway, month, NOW)
    return finance_report(services.session, services.rules, month, NOW, reconciled)
