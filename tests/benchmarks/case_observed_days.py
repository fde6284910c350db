"""What does a night cost when a month's observations lie in the database: its one day, or all of them?

A month of observations by day, in the order in which they came, with an outage of 7 % of all users each week and some
users who are unable for days. Every day but the last was measured when it was over; the night that measures is that of
the last. The whole computation is the same, with nothing kept.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.benchmarks.harness import Case, Contender

DAYS = 30
_ROWS = """
    INSERT INTO observation (user_id, symptom, started_at, ended_at, recorded_at)
    SELECT 'user-' || lpad((hashint8(i)::bigint & 2147483647) %% {users} || '', 8, '0'),
           (ARRAY['site', 'login', 'view'])[1 + i %% 3], at, at + make_interval(secs => 30 + i %% 870), '{recorded}'
    FROM generate_series({first}, {last}) AS i, LATERAL (
        SELECT TIMESTAMPTZ '{start}' + make_interval(secs => (i - {first}) * 86000.0 / ({last} - {first} + 1))
            AS at) AS t
    ON CONFLICT DO NOTHING
"""
_OUTAGE = """
    INSERT INTO observation (user_id, symptom, started_at, ended_at, recorded_at)
    SELECT 'user-' || lpad(i || '', 8, '0'), 'site', TIMESTAMPTZ '{start}' + make_interval(secs => 36000 + i %% 60),
           TIMESTAMPTZ '{start}' + make_interval(secs => 39600 + i %% 600), '{recorded}'
    FROM generate_series(1, {users} * 7 / 100) AS i ON CONFLICT DO NOTHING
"""
_LONG = """
    INSERT INTO observation (user_id, symptom, started_at, ended_at, recorded_at)
    SELECT 'long-' || i, 'view', TIMESTAMPTZ '{start}' + make_interval(secs => i), NULL, '{recorded}'
    FROM generate_series(1, 50) AS i ON CONFLICT DO NOTHING
"""


def prepare(folder: Path, size: Mapping[str, int]) -> None:
    """A database with the month, each day recorded when it was over; the first 29 measured by their nights."""
    from keizoku.db.embedded import EmbeddedServer
    from keizoku.db.migrate import upgrade
    from keizoku.db.session import open_session
    from keizoku.sla.months.month_facts import keep_days
    from keizoku.sla.services.sla_service import SlaService
    from keizoku.terms.calendar import iso_jst
    from tests.worlds.sla_world import APRIL, LONG_AGO, RULES

    with EmbeddedServer(folder / "server") as server, open_session(server.url) as session:
        upgrade(session)
        SlaService(session, RULES).population(LONG_AGO, size["users"], now=LONG_AGO)
        each = size["observations"] // DAYS
        for day in range(DAYS):
            start = APRIL.start_at + timedelta(days=day)
            recorded = start + timedelta(days=1, hours=1)
            about = {"users": size["users"], "start": iso_jst(start), "recorded": iso_jst(recorded)}
            rows = {"first": day * each, "last": (day + 1) * each - 1}
            session.exec_driver_sql(_ROWS.format(**about, **rows))
            session.exec_driver_sql(_LONG.format(**about))
            if day % 7 == 2:
                session.exec_driver_sql(_OUTAGE.format(**about))
            session.commit()
            if day < DAYS - 1:
                keep_days(session, RULES, APRIL, recorded + timedelta(hours=1))


def _night(folder: Path, *, forgets: bool) -> dict[str, Any]:
    from keizoku.db.embedded import EmbeddedServer
    from keizoku.db.session import open_session
    from keizoku.sla.months.month_facts import BEYOND, load_population
    from keizoku.sla.months.observed_days import ObservedDays
    from keizoku.sla.review_queue import policy_of
    from tests.worlds.sla_world import APRIL, RULES

    with EmbeddedServer(folder / "server") as server, open_session(server.url) as session:
        at = APRIL.end_at + timedelta(hours=2, minutes=30)
        began = time.perf_counter()
        days = ObservedDays.known(session, (APRIL.start_at - BEYOND, APRIL.end_at + BEYOND), at)
        if forgets:
            days.kept = {}
        looked = time.perf_counter()
        windows = days.windows(load_population(session, at), policy_of(RULES, APRIL))
        done = time.perf_counter()
    figures = {"seconds_for_the_days_kept": looked - began, "days_read": len(days.found)}
    return {"windows": [list(window) for window in windows], "seconds": done - began, "figures": figures}


def keizoku(folder: Path, size: Mapping[str, int]) -> dict[str, Any]:
    """A night: what is kept of 29 days, and the rows of the last."""
    return _night(folder, forgets=False)


def whole(folder: Path, size: Mapping[str, int]) -> dict[str, Any]:
    """The same night with nothing kept: every row of the month."""
    return _night(folder, forgets=True)


CASE = Case(
    name="observed_days",
    title="A night with a month of observations in the database",
    about="From the database to the windows of the month; every day but the last was measured by its own night.",
    size={"observations": 3_000_000, "users": 600_000},
    tiny={"observations": 3_000, "users": 600},
    large=[{"observations": 100_000_000, "users": 20_000_000}],
    keeps=True,
    prepare=prepare,
    contenders=[Contender("Keizoku", keizoku), Contender("the whole month", whole)],
)
