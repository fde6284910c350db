"""A small world that has everything in it: plans, methods, failing cards, a long stop, claims, payments."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from keizoku.billing.accounts.account_views import journal_view
from keizoku.billing.gateway.simulated import SimulatedGateway
from keizoku.db.session import Session
from keizoku.db.tables import metadata
from keizoku.scheduler.app import Services
from keizoku.scheduler.night.nightly_run import NightResult, Progress, run_night
from keizoku.scheduler.night.schedule import night_at
from keizoku.scheduler.simulator import Simulator
from keizoku.terms.calendar import Month, parse_instant
from keizoku.terms.policy import Terms
from keizoku.terms.rules import Rules

FIRST_NIGHT = date(2026, 3, 25)
TECHNICAL = {"id", "key", "event_key", "subject", "occasion", "detail", "calculation"}
_STRIPE_ID = re.compile(r"\b([a-z]{2,4}_)[A-Za-z0-9]{14,24}\b")
BY_THE_WALL = {("gateway_binding", "recorded_at")}
"""Times of the database's own clock, which no test sets."""
EVENTS = "event_batch"
RUN_LOG = {"stage_run", "certificate", "night_range"}


@contextmanager
def services_on(engine: sa.Engine, rules: Rules | None = None) -> Iterator[Services]:
    """A house on a schema that has its tables."""
    gateway = SimulatedGateway(engine)
    try:
        with engine.connect() as session:
            yield Services(session, rules or Rules(Terms.load("premium")), gateway)
    finally:
        gateway.close()


Do = Callable[[Services, datetime], object]
Act = tuple[datetime, Do]


def _approve(account: str, method: str, plan: str = "monthly", **more: Any) -> Do:
    return lambda services, now: services.billing.approve(account, plan, method, now=now, **more)


def _card(account: str, outcome: str) -> Do:
    return lambda services, now: Simulator(services).cards.set_card(account, outcome)


def _claim(claim_id: str, account: str) -> Do:
    return lambda services, now: services.sla.claim(id=claim_id, account=account, month=Month(2026, 4), now=now)


def _stop(services: Services, now: datetime) -> object:
    from_at, to_at = parse_instant("2026-04-16 12:00"), parse_instant("2026-04-16 20:00")
    return services.sla.record_outage(from_at=from_at, to_at=to_at, affected=60_000, now=now)


def acts() -> list[Act]:
    """What people and cards do, in order of time."""
    methods = [("card", "monthly")] * 5 + [("card", "yearly")] * 3 + [("app_store", "monthly"), ("other", "monthly")]
    listed = [
        (f"2026-03-{26 + number % 5} 0{number % 9}:15", _approve(f"u{number:02d}", method, plan))
        for number, (method, plan) in enumerate(methods)
    ]
    listed += [
        ("2026-03-25 09:00", _card("u01", "insufficient_funds")),
        ("2026-03-25 09:00", _card("u02", "lost_card")),
        ("2026-03-25 09:00", _card("u03", "timeout_after_success")),
        ("2026-03-27 12:00", _approve("coupon", "coupon", months=1, fallback="card")),
        ("2026-03-27 12:00", _approve("key", "product_key", months=1)),
        ("2026-04-11 08:00", lambda services, now: services.billing.pay("u01", 300, now=now)),
        ("2026-04-12 08:00", _card("u02", "ok")),
        ("2026-04-12 08:00", lambda services, now: services.billing.new_card("u02", now=now)),
        ("2026-04-15 08:00", lambda services, now: services.billing.leave_service("u06", now=now)),
        ("2026-04-16 21:00", _stop),
        ("2026-05-02 09:00", _claim("c0", "u00")),
        ("2026-05-03 09:00", _claim("c1", "u05")),
        ("2026-05-04 09:00", _claim("c2", "u06")),
        ("2026-05-05 09:00", _claim("c3", "u08")),
        ("2026-05-10 10:00", lambda services, now: services.billing.end_of_use("u00", now=now)),
        ("2026-05-20 10:00", lambda services, now: services.billing.pay("u09", 1_000, now=now)),
    ]
    return sorted(((parse_instant(at), do) for at, do in listed), key=lambda act: act[0])


def open_world(services: Services) -> None:
    """Plans, prices and users."""
    now = parse_instant("2025-01-01 00:00")
    services.sla.population(now, 1_000_000, now=now)
    for code, interval, yen in (("monthly", "month", 500), ("yearly", "year", 5_300)):
        services.billing.add_plan(code, interval, now=now)
        services.billing.price(
            code,
            yen,
            announced=date(2025, 1, 1),
            for_new_from=date(2025, 1, 1),
            for_renewals_from=date(2025, 1, 1),
            initial=True,
            now=now,
        )


def live(
    services: Services,
    last_night: date,
    *,
    night: Callable[[Services, date, datetime], NightResult | None] | None = None,
    skip: frozenset[date] = frozenset(),
) -> list[NightResult]:
    """Let the world run from its first night to `last_night`, acts and nights in order of time."""
    run = night or (lambda services, on, now: run_night(services, on, now))
    waiting = acts()
    results = []
    day = FIRST_NIGHT
    while day <= last_night:
        at = night_at(day)
        while waiting and waiting[0][0] <= at:
            when, do = waiting.pop(0)
            do(services, when)
        if day not in skip:
            result = run(services, day, at)
            if result is not None:
                results.append(result)
        day += timedelta(days=1)
    return results


Rows = dict[str, list[tuple[str, ...]]]


def rows(session: Session) -> Rows:
    """Every row of every table but the run log's and its events, as text in a fixed order."""
    kept = {
        table.name: sorted(
            tuple(str(value) for value in row)
            for row in session.execute(sa.select(table))
            if table.name != "event_batch" or row.type != "night.completed"
        )
        for table in metadata.sorted_tables
        if table.name not in RUN_LOG
    }
    session.rollback()
    return kept


class KilledError(Exception):
    """Stands for the end of the process."""


def kill_after(stage: str) -> Progress:
    """A progress that ends the run when `stage` has written something."""

    def told(on: date, name: str, written: int) -> None:
        if name == stage:
            raise KilledError(stage)

    return told


def without_ids(found: Rows, engine: sa.Engine) -> Rows:
    """Rows without ids, ours and Stripe's, and what is made of them: a killed run leaves gaps in the numbers."""
    kept = sa.MetaData()
    kept.reflect(engine)
    same: Rows = {}
    for name, lines in found.items():
        names = [column.name for column in kept.tables[name].columns]
        if name == EVENTS:  # a batch is what one statement wrote, and a killed run writes the rest by another
            kinds, items, recorded = (names.index(each) for each in ("type", "items", "recorded_at"))
            events = [(line[kinds], each, line[recorded]) for line in lines for each in ast.literal_eval(line[items])]
            same[name] = sorted((kind, str(who), str(at), by) for kind, (who, _, at), by in events)
            continue
        kept_names = [each for each in names if each not in TECHNICAL and not each.endswith("_id")]
        places = [names.index(each) for each in kept_names if (name, each) not in BY_THE_WALL]
        same[name] = sorted(tuple(_STRIPE_ID.sub(r"\1", line[at]) for at in places) for line in lines)
    return same


def night_is_ok(services: Services, on: date) -> None:
    """A night with its whole audit finds nothing."""
    night = run_night(services, on, parse_instant(f"{on} 02:30"), whole_audit=True)
    assert (night.certificate, night.differences) == ("ok", ())


def balances(services: Services, *codes: str) -> list[object]:
    """The balance of each of these accounts, debit positive."""
    found = journal_view(services.session, codes)["balances"]
    assert isinstance(found, dict)
    return [found[code] for code in codes]


def rows_found(services: Services, query: str) -> list[tuple[object, ...]]:
    """What a query finds; no transaction is left open."""
    found = [tuple(row) for row in services.session.execute(sa.text(query))]
    services.session.rollback()
    return found
