"""The night: nine stages for one business date, each writing what should exist and does not yet.

    evidence → terms → claims → credits → invoices → payments → delinquency → revenue → audit

Always holds: a second run of a date changes nothing; a run that was killed is finished by the next; nights that were
missed are caught up first, their terms, invoices and revenue on their proper dates, charges and notices on the day
on which they are done; one leader at a time.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

import sla.audit
import sla.stages
from billing.audit import audit as audit_billing
from billing.stages import credits, delinquency, invoices, payments, revenue, terms
from db.session import release_leader_lock, try_leader_lock
from scheduler import runs
from scheduler.app import House
from terms.calendar import jst_day

STAGES: Final = (
    "evidence",
    "terms",
    "claims",
    "credits",
    "invoices",
    "payments",
    "delinquency",
    "revenue",
    "audit",
)
NOT_WHEN_MISSED: Final = ("payments", "delinquency", "audit")
"""Stages that take the day on which they are done: a missed night leaves them to the one that catches up."""

Progress = Callable[[date, str, int], None]
"""Told the business date, the stage, and how many rows more it has written."""


class NightBusyError(Exception):
    """Another night is running on this database; nothing was done. Wait for it, then run this one again."""


@dataclass(frozen=True, slots=True)
class StageResult:
    """A stage of a night and the rows it wrote."""

    stage: str
    changes: int


@dataclass(frozen=True, slots=True)
class NightResult:
    """What a run of a night did."""

    business_date: date
    stages: tuple[StageResult, ...]
    certificate: str
    differences: tuple[str, ...]
    caught_up: tuple[date, ...]
    ran_before: bool

    @property
    def changes(self) -> int:
        """Rows written, other than the run log and the certificate."""
        return sum(stage.changes for stage in self.stages)


def run_night(
    house: House, business_date: date, now: datetime, progress: Progress | None = None
) -> NightResult:
    """Run the night of a business date at `now`, after the nights missed before it.

    Raises NightBusyError if another night is running, and what a stage raises for an uncovered date.
    """
    session = house.session
    if not try_leader_lock(session, "night"):
        session.rollback()
        raise NightBusyError("another night is running on this database; nothing was done")
    session.commit()
    try:
        ran_before = runs.is_done(session, business_date)
        missed = tuple(runs.missed(session, business_date))
        session.commit()
        caught_up = [
            result for on in missed for result in _stages(house, on, now, progress, NOT_WHEN_MISSED, (on,))
        ]
        results = list(_stages(house, business_date, now, progress, (), (*missed, business_date)))
        state, differences = _certify(house, business_date, now, progress)
    finally:
        session.rollback()
        release_leader_lock(session, "night")
        session.commit()
    return NightResult(
        business_date=business_date,
        stages=_summed([*caught_up, *results, StageResult("audit", 0)]),
        certificate=state,
        differences=differences,
        caught_up=missed,
        ran_before=ran_before,
    )


def _stages(
    house: House,
    on: date,
    now: datetime,
    progress: Progress | None,
    without: Sequence[str],
    dates: Sequence[date],
) -> Iterator[StageResult]:
    """Run the stages but the audit for one business date, each noted in the run log."""
    for stage in STAGES[:-1]:
        runs.begin(house.session, on, stage, now)
        changes = 0
        if stage not in without:
            for written in _WORK[stage](house, on, now, dates):
                changes += written
                if progress is not None:
                    progress(on, stage, written)
        runs.finish(house.session, on, stage, now, changes)
        yield StageResult(stage, changes)
    if "audit" in without:
        runs.begin(house.session, on, "audit", now)
        runs.finish(house.session, on, "audit", now, 0)


def _evidence(house: House, on: date, now: datetime, dates: Sequence[date]) -> Iterator[int]:
    """Evidence is written down by the desk as it comes; gateway events have nothing to fetch from yet."""
    yield 0


def _terms(house: House, on: date, now: datetime, dates: Sequence[date]) -> Iterator[int]:
    for chunk in terms.due(house.session, house.rules, on):
        yield terms.save(house.session, terms.decide(house.session, house.rules, chunk, on), now)


def _claims(house: House, on: date, now: datetime, dates: Sequence[date]) -> Iterator[int]:
    for chunk in sla.stages.due(house.session, house.rules, on, now):
        yield sla.stages.save(house.session, sla.stages.decide(chunk, house.rules), now)


def _credits(house: House, on: date, now: datetime, dates: Sequence[date]) -> Iterator[int]:
    while awards := credits.due(house.session):
        yield credits.save(house.session, credits.decide(house.rules, awards), now)
    yield credits.refund_leftovers(house.session, house.gateway, now)


def _invoices(house: House, on: date, now: datetime, dates: Sequence[date]) -> Iterator[int]:
    for chunk in invoices.due(house.session, above=runs.certified_floor(house.session)):
        yield invoices.save(house.session, invoices.decide(house.rules, chunk), now)


def _payments(house: House, on: date, now: datetime, dates: Sequence[date]) -> Iterator[int]:
    yield payments.charge_due(house.session, house.rules, house.gateway, now)


def _delinquency(house: House, on: date, now: datetime, dates: Sequence[date]) -> Iterator[int]:
    today = jst_day(now)
    cases = delinquency.due(house.session, house.rules, today)
    yield delinquency.save(house.session, house.rules, delinquency.decide(house.rules, cases, today), now)
    for each in dates:
        yield delinquency.demand_month(house.session, house.rules, each, now)


def _revenue(house: House, on: date, now: datetime, dates: Sequence[date]) -> Iterator[int]:
    days = revenue.due(house.session, house.rules, on, above=runs.certified_floor(house.session))
    yield revenue.save(house.session, days, now)
    yield revenue.close_terms(house.session, house.rules, now)


_WORK: Final = {
    "evidence": _evidence,
    "terms": _terms,
    "claims": _claims,
    "credits": _credits,
    "invoices": _invoices,
    "payments": _payments,
    "delinquency": _delinquency,
    "revenue": _revenue,
}


def _certify(house: House, on: date, now: datetime, progress: Progress | None) -> tuple[str, tuple[str, ...]]:
    """Derive again what should exist, and write the certificate or the differences."""
    session = house.session
    runs.begin(session, on, "audit", now)
    last = runs.last_night(session)
    recognised_to = max(on, last) if last is not None else on
    found = audit_billing(session, on, recognised_to=recognised_to, above=runs.certified_floor(session))
    also = sla.audit.differences(session, on)
    state = runs.certify(session, on, found, also, now)
    runs.finish(session, on, "audit", now, 0)
    if progress is not None:
        progress(on, "audit", 0)
    return state, (*found.differences, *also)


def _summed(results: Sequence[StageResult]) -> tuple[StageResult, ...]:
    totals = dict.fromkeys(STAGES, 0)
    for result in results:
        totals[result.stage] += result.changes
    return tuple(StageResult(stage, changes) for stage, changes in totals.items())
