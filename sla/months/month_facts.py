"""Loads what is known about a month's outages, and computes the month as it holds for everyone.

Evidence is read a day beyond both ends of the month: further an outage can only be longer than any minimum.
Observations are measured day by day (`observed_days`); all other evidence is worked out anew each time.
"""

from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on

from keizoku.db.roles import may_add
from keizoku.db.session import Session
from keizoku.db.tables.evidence import (
    environment_ruling,
    incident,
    interruption,
    measured_day,
    outage_count,
    population,
)
from keizoku.sla.counting.outage_threshold import Population, counted_windows, outages_from
from keizoku.sla.evidence.incident_files import Count, Incident
from keizoku.sla.evidence.notice_store import load_notices
from keizoku.sla.evidence.unknown_store import load_unknown, ruled_down
from keizoku.sla.months.observed_days import ObservedDays, keep
from keizoku.sla.review_queue import policy_of
from keizoku.sla.rules.intervals import NOTHING, Span, Spans, intersect, normalise
from keizoku.sla.rules.outages import Cause, EnvironmentRuling, Interruption, Outage
from keizoku.sla.rules.unusable_time import MonthFacts, ServiceMonth, service_month
from keizoku.terms.calendar import Month, epoch, epoch_up, parse_instant
from keizoku.terms.policy import Policy, UncoveredDateError
from keizoku.terms.rules import Rules

BEYOND = timedelta(days=1)


class NoPopulationError(LookupError):
    """Nobody has recorded how many users the whole service has; record it with `keizoku sla population add USERS`."""

    def __init__(self) -> None:
        super().__init__(self.__doc__)


def load_service_month(session: Session, rules: Rules, month: Month, at: datetime) -> ServiceMonth:
    """The month as known at an instant. Raises NoPopulationError, UncoveredDateError."""
    policy = policy_of(rules, month)
    facts = load_month_facts(session, policy, month, at)
    return service_month(facts, policy, rules.discretion.resolution_seconds)


def load_month_facts(session: Session, policy: Policy, month: Month, at: datetime) -> MonthFacts:
    """All that was recorded by `at` and bears on the month. Raises NoPopulationError."""
    reach = (month.start_at - BEYOND, month.end_at + BEYOND)
    return MonthFacts(
        month=month,
        outages=_outages(session, policy, reach, at),
        notices=load_notices(session, reach, at),
        interruptions=_interruptions(session, reach, at),
        environments=_environments(session, at),
        unknown=load_unknown(session, reach, at),
    )


def keep_days(session: Session, rules: Rules, month: Month, now: datetime) -> int:
    """Measure and keep the days of the month that are over and were not measured as they are now known; commits.

    The rows that are new; 0 where the login may not keep them. Raises NoPopulationError, UncoveredDateError.
    """
    if not may_add(session, measured_day):
        return 0
    days = ObservedDays.known(session, (month.start_at - BEYOND, month.end_at + BEYOND), now)
    if days.any:
        days.windows(load_population(session, now), policy_of(rules, month), only_over=True)
    rows = keep(session, days, now)
    session.commit()
    return rows


def keep_recent_days(session: Session, rules: Rules, month: Month, now: datetime) -> None:
    """The same for a month and the one before; one that cannot be measured is left to its claims, which say why."""
    for each in (month.previous(), month):
        with suppress(NoPopulationError, UncoveredDateError):
            keep_days(session, rules, each, now)


def is_unknown_within_reach(session: Session, month: Month, at: datetime) -> bool:
    """Whether claims of the month may wait for people: some time that bears on it is unknown."""
    return bool(load_unknown(session, (month.start_at - BEYOND, month.end_at + BEYOND), at))


def load_population(session: Session, at: datetime) -> Population:
    """Registered users of the service over time, as known at an instant. Raises NoPopulationError."""
    rows = session.execute(
        sa.select(population.c.from_at, population.c.users)
        .where(population.c.recorded_at <= at)
        .order_by(population.c.id)
    ).all()
    if not rows:
        raise NoPopulationError
    return Population(tuple((epoch(row.from_at), row.users) for row in rows))


def read_spans(windows: Iterable[Iterable[str]]) -> Spans:
    """A set of seconds from JSON pairs of times, outward to whole seconds."""
    return normalise((epoch(parse_instant(start)), epoch_up(parse_instant(end))) for start, end in windows)


def _outages(session: Session, policy: Policy, reach: tuple[datetime, datetime], at: datetime) -> tuple[Outage, ...]:
    incidents = [*_incidents(session, at, reach), *ruled_down(session, reach, at)]
    counted = counted_windows(_counts(session, policy, reach, at), policy)
    days = ObservedDays.known(session, reach, at)
    if not (incidents or days.any):
        return outages_from(NOTHING, (), Population.always(1), policy, counted)
    users = load_population(session, at)
    return outages_from(days.windows(users, policy), incidents, users, policy, counted)


def _incidents(session: Session, at: datetime, reach: tuple[datetime, datetime] | None = None) -> list[Incident]:
    newest = (
        sa.select(incident)
        .where(incident.c.recorded_at <= at)
        .ext(distinct_on(incident.c.incident_id))
        .order_by(incident.c.incident_id, incident.c.revision.desc())
        .subquery()
    )
    query = sa.select(newest).order_by(newest.c.from_at, newest.c.incident_id)
    if reach is not None:
        query = query.where(_overlaps(newest.c.from_at, newest.c.to_at, reach))
    return [
        Incident(
            id=row.incident_id,
            start=epoch(row.from_at),
            end=epoch_up(row.to_at),
            affected=row.affected,
            cause=Cause(row.cause),
            ground=row.ground or "",
            author=row.author,
            exact=row.exact,
        )
        for row in session.execute(query)
    ]


def _counts(session: Session, policy: Policy, reach: tuple[datetime, datetime], at: datetime) -> list[Count]:
    """Those that can be an outage: the others, nearly all of a month's, stay where they are."""
    table, share = outage_count.c, policy.sla.quorum_share
    rows = session.execute(
        sa.select(table.from_at, table.to_at, table.affected, table.total).where(
            _overlaps(table.from_at, table.to_at, reach),
            table.recorded_at <= at,
            sa.cast(table.affected, sa.Numeric) * share.denominator
            > sa.cast(table.total, sa.Numeric) * share.numerator,
        )
    )
    return [Count(epoch(row.from_at), epoch_up(row.to_at), row.affected, row.total) for row in rows]


def _interruptions(session: Session, reach: tuple[datetime, datetime], at: datetime) -> tuple[Interruption, ...]:
    table = interruption.c
    rows = session.execute(
        sa.select(table.from_at, table.to_at, table.ground, table.approved_by)
        .where(_overlaps(table.from_at, table.to_at, reach), table.recorded_at <= at)
        .order_by(table.from_at, table.id)
    )
    return tuple(Interruption(epoch(row.from_at), epoch_up(row.to_at), row.ground, row.approved_by) for row in rows)


def _environments(session: Session, at: datetime) -> tuple[EnvironmentRuling, ...]:
    """Rulings on outages, each inside its outage as now known; an empty one takes the earlier ones back."""
    table = environment_ruling.c
    rows = session.execute(
        sa.select(table.incident_id, table.windows, table.author, table.ground)
        .where(table.incident_id.is_not(None), table.recorded_at <= at)
        .order_by(table.id)
    ).all()
    if not rows:
        return ()
    spans_of: dict[str, Span] = {each.id: (each.start, each.end) for each in _incidents(session, at)}
    holding: dict[str, list[EnvironmentRuling]] = {}
    for row in rows:
        if not row.windows:
            holding.pop(row.incident_id, None)
        elif spans := intersect(read_spans(row.windows), (spans_of[row.incident_id],)):
            source = f"ruling on outage {row.incident_id}"
            ruling = EnvironmentRuling(spans, row.author, row.ground, source, row.incident_id)
            holding.setdefault(row.incident_id, []).append(ruling)
    return tuple(ruling for rulings in holding.values() for ruling in rulings)


def _overlaps(
    from_at: sa.ColumnElement[Any], to_at: sa.ColumnElement[Any], reach: tuple[datetime, datetime]
) -> sa.ColumnElement[bool]:
    return sa.and_(from_at < reach[1], to_at > reach[0])
