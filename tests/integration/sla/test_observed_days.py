"""A month measured day by day is the month measured whole, whatever became known and in which order."""

import random
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from keizoku.db.session import Session
from keizoku.db.tables.evidence import measured_day, observation, observation_arrival, unable_at_midnight
from keizoku.sla.counting.outage_threshold import Population
from keizoku.sla.months import month_facts
from keizoku.sla.months.budget import budget_of
from keizoku.sla.months.month_facts import keep_days, load_month_facts, load_population
from keizoku.sla.months.observed_days import OF_DAYS, ObservedDays, rows_began
from keizoku.sla.review_queue import policy_of
from keizoku.sla.rules.intervals import Spans, clip, normalise
from keizoku.sla.services.sla_service import SlaService
from keizoku.terms.calendar import Month, epoch, epoch_up, parse_instant
from tests.worlds.sla_world import APRIL, LONG_AGO, RULES

REACH = (APRIL.start_at - timedelta(days=1), APRIL.end_at + timedelta(days=1))
POLICY = policy_of(RULES, APRIL)
SYMPTOMS = ("site", "login", "view")
Row = tuple[str, str, datetime, datetime | None]


def service_of(session: Session, users: int) -> SlaService:
    found = SlaService(session, RULES)
    assert found.population(LONG_AGO, users, now=LONG_AGO) == []
    return found


def whole(session: Session, at: datetime) -> Spans:
    """All rows of the reach at once, second by second: when more than a twentieth of all users were unable."""
    start, end, horizon = epoch(REACH[0]), epoch(REACH[1]), min(epoch_up(at), epoch(REACH[1]))
    table = observation.c
    rows = session.execute(sa.select(observation).where(table.recorded_at <= at)).all()
    ended = {(row.user_id, row.symptom, row.started_at) for row in rows if row.ended_at is not None}
    of_user: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for row in rows:
        if row.ended_at is None and (row.user_id, row.symptom, row.started_at) in ended:
            continue
        span = (epoch(row.started_at), horizon if row.ended_at is None else epoch(row.ended_at))
        if span[0] < span[1]:
            of_user[row.user_id].append(span)
    edges: list[tuple[int, int]] = []
    for spans in of_user.values():
        edges += [edge for span in normalise(spans) for edge in ((span[0], 1), (span[1], -1))]
    steps = [(at, 0) for at, _ in load_population(session, at).steps]
    return clip(_enough(sorted([*edges, *steps]), load_population(session, at)), start, end)


def _enough(edges: Iterable[tuple[int, int]], users: Population) -> Spans:
    spans: list[tuple[int, int]] = []
    unable, since = 0, 0
    for moment, change in edges:
        if since and since < moment:
            spans.append((since, moment))
        unable += change
        registered = next(count for start, end, count in users.periods() if start <= moment < end)
        since = moment if unable * 20 > registered else 0
    return normalise(spans)


def day_by_day(session: Session, at: datetime) -> ObservedDays:
    return ObservedDays.known(session, REACH, at)


def chance_row(chance: random.Random, now: datetime) -> Row:
    """Mostly of the last days, in the hours around a midnight; now and then of weeks ago, or still open."""
    days_ago = chance.choice((0, 0, 1, 1, 2, 3, 9, 30))
    start = now - timedelta(days=days_ago, minutes=chance.randint(0, 900))
    long = timedelta(minutes=chance.choice((1, 9, 30, 200, 1_500, 4_400)))
    end = None if chance.random() < 0.25 else start + long
    return f"u{chance.randint(1, 6)}", chance.choice(SYMPTOMS), start.replace(second=0), end and end.replace(second=0)


@pytest.mark.parametrize("seed", range(2))
def test_9_3__day_by_day_is_the_whole_month(session: Session, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    chance, service, now = random.Random(seed), service_of(session, 40), parse_instant("2026-03-29 22:00")  # noqa: S311
    told: list[Row] = []
    instants = [now]
    for _ in range(8):
        now += timedelta(hours=chance.choice((2, 11, 25, 60, 100)))
        rows = [chance_row(chance, now) for _ in range(chance.randint(1, 14))]
        rows += [(*each[:3], each[2] + timedelta(minutes=chance.randint(1, 3_000))) for each in told if not each[3]][:2]
        rows += chance.sample(told, min(len(told), 3))  # known rows again
        told += rows
        service.observations(rows=rows, now=now)
        if chance.random() < 0.2:
            assert (
                service.population(now - timedelta(days=chance.randint(0, 9)), chance.choice((39, 60)), now=now) == []
            )
        if chance.random() < 0.3:
            start = now - timedelta(hours=chance.randint(1, 200))
            service.notice("n1", start - timedelta(days=9), start, start + timedelta(hours=3), now=now)
        if chance.random() < 0.3:
            start = now - timedelta(hours=chance.randint(2, 99))
            service.record_outage(start, start + timedelta(hours=2), 1, cause="system_update", ground="x", now=now)
        if chance.random() < 0.6:
            keep_days(session, RULES, APRIL, now)
        instants.append(now)
        for at in {now, chance.choice(instants)}:
            found = day_by_day(session, at)
            assert found.windows(load_population(session, at), POLICY) == whole(session, at)
    assert (session.scalar(sa.select(sa.func.count()).select_from(measured_day)) or 0) > 5
    kept = load_month_facts(session, POLICY, APRIL, now), budget_of(session, RULES, APRIL, now).to_json()
    monkeypatch.setattr(ObservedDays, "known", classmethod(_without_kept(ObservedDays.known)))
    assert (load_month_facts(session, POLICY, APRIL, now), budget_of(session, RULES, APRIL, now).to_json()) == kept


def _without_kept(known: Any) -> Any:
    def forgetful(of: type[ObservedDays], session: Session, reach: tuple[datetime, datetime], at: datetime) -> Any:
        days = known(session, reach, at)
        days.kept = {}
        return days

    return forgetful


def at(text: str) -> datetime:
    return parse_instant(text)


def read_again(session: Session, now: datetime) -> list[str]:
    """The days that are read to know the month."""
    days = day_by_day(session, now)
    days.windows(load_population(session, now), POLICY)
    return [f"{each.on:%m-%d}" for each in days.found]


def rows_of(count: int, start: str, end: str | None) -> list[Row]:
    return [(f"u{number}", "site", at(start), at(end) if end else None) for number in range(count)]


def test_9_3__a_day_that_is_over_is_read_once_and_again_only_if_it_changed(session: Session) -> None:
    service, now = service_of(session, 40), at("2026-04-20 12:00")
    for start, end in (
        ("2026-04-03 10:00", "2026-04-03 11:00"),
        ("2026-04-09 23:00", "2026-04-11 01:00"),
        ("2026-04-15 10:00", "2026-04-15 10:20"),
        ("2026-04-20 09:00", None),
    ):
        service.observations(rows=rows_of(3, start, end), now=now)
    assert read_again(session, now) == ["04-03", "04-09", "04-10", "04-11", "04-15"]
    assert keep_days(session, RULES, APRIL, now) == 5
    assert keep_days(session, RULES, APRIL, now) == 0
    assert read_again(session, now) == []
    before = day_by_day(session, now).windows(load_population(session, now), POLICY)
    late = now + timedelta(hours=1)
    service.observations(rows=rows_of(3, "2026-04-03 15:00", "2026-04-03 15:30"), now=late)
    assert read_again(session, late) == ["04-03"]  # nobody is unable at its end, before and after
    assert read_again(session, now) == []  # and what was known before is kept
    service.observations(rows=[("u0", "view", at("2026-04-03 23:50"), at("2026-04-05 00:10"))], now=late)
    assert read_again(session, late) == ["04-03", "04-04", "04-05"]  # what follows from it, and no further
    service.observations(rows=[("u0", "site", at("2026-04-10 12:00"), at("2026-04-10 13:00"))], now=late)
    assert read_again(session, late) == ["04-03", "04-04", "04-05", "04-10"]  # the same are unable at its end
    assert keep_days(session, RULES, APRIL, late) == 4
    service.population(at("2026-04-15 00:00"), 60, now=late)
    assert read_again(session, late) == ["04-15"]
    assert day_by_day(session, now).windows(Population.always(40), POLICY) == before
    assert (
        session.scalar(sa.select(sa.func.count()).select_from(unable_at_midnight)) == 2
    )  # the same on 10 and 11 April


def test_9_3__who_is_open_since_months_is_carried_from_month_to_month(session: Session) -> None:
    service, now = service_of(session, 40), at("2026-04-05 12:00")
    service.observations(rows=rows_of(3, "2026-01-07 10:00", None), now=now)
    assert keep_days(session, RULES, APRIL, now) == 6  # who was unable on 31 March at 0 h, and five days
    assert read_again(session, now) == []
    (window,) = day_by_day(session, now).windows(load_population(session, now), POLICY)
    assert window == (epoch(REACH[0]), epoch(now))
    later = now + timedelta(days=1)
    service.observations(rows=rows_of(3, "2026-01-07 10:00", "2026-04-02 01:00"), now=later)
    (window,) = day_by_day(session, later).windows(load_population(session, later), POLICY)
    assert window == (epoch(REACH[0]), epoch(at("2026-04-02 01:00")))
    assert read_again(session, later)[:2] == ["03-30", "03-31"]


def test_every_observation_arrives_whoever_adds_it(session: Session) -> None:
    service, now = service_of(session, 40), at("2026-04-05 12:00")
    service.observations(rows=rows_of(2, "2026-04-01 23:59", "2026-04-02 00:01"), now=now)
    service.observations(rows=rows_of(3, "2026-04-01 23:59", "2026-04-02 00:01"), now=now)
    session.execute(
        sa.insert(observation).values(user_id="x", symptom="view", started_at=at("2026-04-02 00:00"), recorded_at=now)
    )
    arrived = sa.select(observation_arrival.c.day, observation_arrival.c.observations)
    found = session.execute(arrived.order_by(observation_arrival.c.id))
    assert [(f"{row.day}", row.observations) for row in found] == [
        ("2026-04-01", 2),
        ("2026-04-01", 1),
        ("2026-04-02", 1),
    ]


def test_a_role_that_may_not_keep_days_measures_all_the_same(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    service, now = service_of(session, 40), at("2026-04-20 12:00")
    service.observations(rows=rows_of(3, "2026-04-03 10:00", "2026-04-03 11:00"), now=now)
    monkeypatch.setattr(month_facts, "may_add", lambda *_: False)
    assert keep_days(session, RULES, Month(2026, 4), now) == 0
    assert budget_of(session, RULES, Month(2026, 4), now).unusable == 3_600


def test_9_3__a_day_is_read_by_when_it_was_and_not_by_every_row_there_ever_was(session: Session) -> None:
    month = """INSERT INTO observation (user_id, symptom, started_at, ended_at, recorded_at)
        SELECT 'u' || hashint4(i), 'site', at, at + interval '5 min', at + interval '1 day'
        FROM generate_series(0, 49999) AS i,
        LATERAL (SELECT timestamptz '2026-04-01 00:00+09' + i * interval '50 seconds' AS at) AS t"""
    session.exec_driver_sql(month)
    session.commit()
    session.exec_driver_sql("ANALYZE observation")
    day = {"from_at": at("2026-04-10 00:00"), "to_at": at("2026-04-11 00:00"), "at": at("2026-05-02 00:00")}
    plan = [row[0] for row in session.exec_driver_sql(f"EXPLAIN {rows_began(OF_DAYS)}", day)]
    read = [line for line in plan if "Scan" in line and " closed " not in line]
    assert len(read) == 4
    assert all("ix_observation_period" in line or "Bitmap Heap Scan" in line for line in read)
