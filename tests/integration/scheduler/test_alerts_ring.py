"""Every alert rule of the how-to rings for a worker in the state that it is for, and for a healthy pair none does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from prometheus_client import generate_latest

from keizoku.db.session import Session
from keizoku.db.tables.books import certificate, stage_run
from keizoku.db.tables.evidence import evidence_import
from keizoku.db.tables.gateway import gateway_cursor
from keizoku.db.tables.operations import backup_copy
from keizoku.scheduler.night.nightly_run import STAGES
from keizoku.scheduler.night.schedule import last_night_due
from keizoku.scheduler.worker import budget_numbers, state_numbers
from keizoku.scheduler.worker.leadership import Leadership
from keizoku.scheduler.worker.telemetry import json_logger
from keizoku.scheduler.worker.worker import Worker
from keizoku.sla.months.budget import MonthBudget, budget_of
from keizoku.terms.calendar import Month, iso_jst, parse_instant
from keizoku.terms.rules import Rules
from tests.worlds.alert_rules import ringing, rules, samples
from tests.worlds.evidence_files import outage_with_expected_end
from tests.worlds.world import services_on

STORES = ("a", "b", "s3://c")
Pair = tuple[Worker, Worker]


@pytest.fixture(autouse=True)
def counted_at_each_scrape(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the machine is: a scrape right after a change tells it."""
    monkeypatch.setattr(state_numbers, "COUNTED_HOLDS", 0)
    monkeypatch.setattr(budget_numbers, "MEASURED_HOLDS", 0)


@contextmanager
def pair(engine: sa.Engine, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Iterator[Pair]:
    """A leader and a standby that has done nothing yet, on a database whose last night is the one that is due."""

    def opened() -> object:
        return services_on(engine)

    made = []
    for name in ("first", "second"):
        worker = Worker(opened, Leadership(engine.connect, name), json_logger("test"), clock=clock, most_missed=7)  # type: ignore[arg-type]
        worker.numbers.state.stores = STORES
        worker.beat()
        made.append(worker)
    try:
        yield made[0], made[1]
    finally:
        for worker in made:
            worker.leadership.give_up()


def scrapes(workers: Pair) -> list[str]:
    return [generate_latest(worker.numbers.registry).decode() for worker in workers]


def as_healthy(session: sa.Connection, *, night: int = 0) -> None:
    """The rows of a house in which all is well; `night`: how many days ago its last one was."""
    now = datetime.now(UTC)
    on = last_night_due(now) - timedelta(days=night)
    for stage in STAGES:
        session.execute(
            sa.insert(stage_run).values(
                business_date=on, stage=stage, started_at=now, finished_at=now, changes=0, runs=1
            )
        )
    add_certificate(session, "ok", now)
    session.execute(
        sa.insert(backup_copy),
        [
            {"backup": "b1", "store": each, "outcome": "stored", "bytes": 1, "sha256": "0", "taken_at": now}
            | {"recorded_at": now}
            for each in STORES
        ],
    )
    session.execute(sa.insert(gateway_cursor).values(name="events", seen_to=now))
    session.commit()


def add_certificate(session: sa.Connection, state: str, now: datetime) -> None:
    session.execute(
        sa.insert(certificate).values(
            business_date=last_night_due(now),
            issued_at=now,
            state=state,
            counts={},
            sums={},
            differences=["x"] if state != "ok" else [],
            floors={},
            carried={},
            audited_whole_on=last_night_due(now),
            hash=state,
        )
    )
    session.commit()


def test_no_alert_rings_for_a_leader_and_a_standby_that_has_done_nothing(engine: sa.Engine) -> None:
    with engine.connect() as session:
        as_healthy(session)
    with pair(engine) as workers:
        assert ringing(scrapes(workers)) == set()


def test_state_of_the_database_rings_from_every_worker_alike(engine: sa.Engine) -> None:
    now = datetime.now(UTC)
    long_ago = now - timedelta(days=3)
    with engine.connect() as session:
        as_healthy(session)
    with pair(engine) as workers, engine.connect() as session:

        def rings_after(statement: str) -> set[str]:
            session.exec_driver_sql("SET session_replication_role = replica")  # whatever keeps such rows out
            session.execute(sa.text(statement), {"ago": long_ago})
            session.commit()
            alone = {frozenset(ringing([text, LEADS])) for text in scrapes((workers[1], workers[1]))}
            both = ringing(scrapes(workers))
            assert alone == {frozenset(both)}
            return both

        add_certificate(session, "differences", now)
        assert ringing(scrapes(workers)) == {"KeizokuCertificateDiffers", "KeizokuWaitsForPeople"}
        add_certificate(session, "ok", now)
        assert rings_after("UPDATE gateway_cursor SET seen_to = :ago") == {"KeizokuGatewaySilent"}
        assert rings_after("UPDATE gateway_cursor SET seen_to = now() WHERE :ago IS NOT NULL") == set()
        assert rings_after("UPDATE backup_copy SET taken_at = :ago") == {"KeizokuBackupOld"}
        assert rings_after("UPDATE backup_copy SET taken_at = now() WHERE :ago IS NOT NULL") == set()
        assert rings_after(
            "INSERT INTO review_task (kind, subject, detail, opened_at) VALUES ('x', 'y', '{}', :ago)"
        ) == {"KeizokuWaitsForPeople"}
        assert rings_after("DELETE FROM review_task WHERE :ago IS NOT NULL") == set()
        assert rings_after(
            "INSERT INTO payment_attempt (invoice_id, account, key, yen, wanted_on, started_on, started_at)"
            " VALUES (1, 'x', 'k', 1, current_date, current_date, :ago)"
        ) == {"KeizokuChargeWithoutAnswer", "KeizokuWaitsForPeople"}
        assert rings_after("DELETE FROM payment_attempt WHERE :ago IS NOT NULL") == set()
        assert rings_after(
            "INSERT INTO overpayment_refund (attempt_id, account, key, yen, requested_on, requested_at)"
            " VALUES (1, 'x', 'k', 1, current_date, :ago)"
        ) == {"KeizokuRefundWithoutAnswer", "KeizokuWaitsForPeople"}
        assert rings_after("DELETE FROM overpayment_refund WHERE :ago IS NOT NULL") == set()
        assert rings_after(
            "INSERT INTO restoration (backup, taken_at, restored_at, drill, by) VALUES ('b', :ago, :ago, false, 'x')"
        ) == {"KeizokuRestoreWaits"}


LEADS = "keizoku_worker_leads 1.0\n"


@pytest.mark.parametrize(
    ("days", "rung"),
    [(1, {"KeizokuNightMissing"}), (30, {"KeizokuNightMissing", "KeizokuNightWantsAWord"})],
)
def test_nights_behind_are_counted_at_the_scrape_though_no_job_ends(
    engine: sa.Engine, days: int, rung: set[str]
) -> None:
    with engine.connect() as session:
        as_healthy(session, night=days)
    with pair(engine) as workers:
        assert ringing(scrapes(workers)) == rung


def test_a_clock_that_is_wrong_rings(engine: sa.Engine) -> None:
    with engine.connect() as session:
        as_healthy(session)
    with pair(engine, lambda: datetime.now(UTC) - timedelta(minutes=10)) as workers:
        assert "KeizokuClockWrong" in ringing(scrapes(workers))


def test_what_the_worker_itself_does_rings(engine: sa.Engine) -> None:
    with engine.connect() as session:
        as_healthy(session)
    with pair(engine) as workers:
        first = workers[0]
        before = scrapes(workers)
        for _ in range(3):
            first.numbers.jobs.labels("night", "failed").inc()
        assert ringing(scrapes(workers), before) == {"KeizokuJobFails"}
        first.numbers.jobs.labels("night", "disk_full").inc()
        assert ringing(scrapes(workers), before) == {"KeizokuJobFails", "KeizokuDiskFull"}
        first._began["night"] = -4 * 3600.0 * 24 * 365
        assert "KeizokuJobHangs" in ringing(scrapes(workers), scrapes(workers))
        del first._began["night"]
        with engine.connect() as other:
            other.exec_driver_sql("LOCK TABLE payment_attempt IN ACCESS EXCLUSIVE MODE")
            assert ringing(scrapes(workers), scrapes(workers)) == {"KeizokuStateUnread"}
        first.leadership.give_up()
        first.leadership.reachable = False
        told = ringing(scrapes(workers), scrapes(workers))
        assert told == {"KeizokuNobodyLeads", "KeizokuDatabaseGone"}


def test_a_source_of_counts_that_is_silent_rings_from_every_worker(engine: sa.Engine) -> None:
    now = datetime.now(UTC)
    with engine.connect() as session, pair(engine) as workers:
        as_healthy(session)
        assert ringing(scrapes(workers)) == set()  # nobody is asked
        for worker in workers:
            worker.numbers.state.sources = ("web",)
        assert ringing(scrapes(workers)) == {"KeizokuCollectSilent"}
        for minutes, rings in ((90, {"KeizokuCollectSilent"}), (2, set[str]())):
            asked = "/".join(iso_jst(now - timedelta(minutes=each)) for each in (minutes + 5, minutes))
            session.execute(
                sa.insert(evidence_import).values(
                    kind="counts",
                    sha256=f"{minutes:064d}",
                    read_as=f"range={asked}",
                    source="collected-web-20261130T000000Z.json",
                    rows_read=0,
                    rows_used=0,
                    rows_new=0,
                    rows_refused=0,
                    author="worker",
                    recorded_at=now,
                )
            )
            session.commit()
            assert ringing(scrapes(workers)) == rings


def test_9_2__the_months_budget_rings_from_the_leader_as_it_is_used_up(engine: sa.Engine) -> None:
    now = [parse_instant("2026-11-20 12:00")]
    with pair(engine, lambda: now[0]) as workers, services_on(engine) as services:
        leader, standby = workers

        def rings() -> set[str]:
            for worker in workers:
                worker.measure_budget()
            return {each for each in ringing(scrapes(workers)) if each.startswith("KeizokuSla")}

        def told(worker: Worker) -> dict[str, float]:
            found = samples(generate_latest(worker.numbers.registry).decode())
            return {f"{name}{labels.get('tier', '')}": value for name, labels, value in found if "_sla_" in name}

        def stopped(start: str, end: str) -> None:
            span = (parse_instant(f"2026-11-{start}"), parse_instant(f"2026-11-{end}"))
            services.sla.record_outage(*span, 1_000, now=now[0])

        assert (rings(), told(leader)["keizoku_sla_unusable_seconds"], told(standby)) == (set(), 0, {})
        services.sla.population(parse_instant("2025-01-01 00:00"), 1_000, now=now[0])
        stopped("10 09:00", "10 10:48")
        assert (rings(), told(leader)["keizoku_sla_budget_used_ratio1"]) == (set(), 0.5)
        stopped("11 09:00", "11 09:10")
        assert (rings(), told(standby)) == ({"KeizokuSlaHalfUsed"}, {})
        stopped("12 09:00", "12 10:00")
        assert rings() == {"KeizokuSlaHalfUsed", "KeizokuSlaNearlyUsed"}
        stopped("13 09:00", "13 09:38")
        assert (rings(), told(leader)) == (
            {"KeizokuSlaHalfUsed", "KeizokuSlaNearlyUsed"},
            {
                "keizoku_sla_unusable_seconds": 12_960,
                "keizoku_sla_unknown_seconds": 0,
                "keizoku_sla_seconds_to_tier1": 0,
                "keizoku_sla_seconds_to_tier2": 12_960,
                "keizoku_sla_budget_used_ratio1": 1,
                "keizoku_sla_budget_used_ratio2": 0.5,
            },
        )
        stopped("14 09:00", "14 09:10")
        assert rings() == {"KeizokuSlaHalfUsed", "KeizokuSlaNearlyUsed", "KeizokuSlaUsedUp"}
        now[0] = parse_instant("2026-12-01 00:00")
        assert told(leader) == {}  # the month is over, and its numbers with it
        assert (rings(), told(leader)["keizoku_sla_unusable_seconds"]) == (set(), 0)
        leader.leadership.give_up()
        assert told(leader) == {}


def test_the_budget_is_measured_when_something_became_known_and_not_at_a_scrape(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [parse_instant("2026-11-20 12:00")]
    measured: list[datetime] = []

    def counted(session: Session, rules: Rules, month: Month, at: datetime) -> MonthBudget:
        measured.append(at)
        return budget_of(session, rules, month, at)

    monkeypatch.setattr(budget_numbers, "budget_of", counted)
    with pair(engine, lambda: now[0]) as workers, services_on(engine) as services:

        def after(minutes: int) -> int:
            now[0] += timedelta(minutes=minutes)
            workers[0].measure_budget()
            scrapes(workers)
            return len(measured)

        services.sla.population(parse_instant("2025-01-01 00:00"), 1_000, now=now[0])
        assert [after(1), after(1), after(60)] == [1, 1, 1]
        outage_with_expected_end(services.session, now[0], now[0] + timedelta(hours=1), 1_000, now[0])
        assert [after(1), after(30), after(30), after(1), after(600)] == [2, 3, 4, 4, 4]  # until the stop was over
        monkeypatch.setattr(budget_numbers, "MEASURED_HOLDS", 1_000_000)
        services.sla.record_outage(now[0] - timedelta(hours=2), now[0], 1_000, now=now[0])
        assert after(1) == 5
        services.sla.record_outage(now[0] - timedelta(hours=5), now[0] - timedelta(hours=4), 1_000, now=now[0])
        assert [after(1), after(600)] == [5, 5]  # measuring took so long that the last one is told for a while


def test_all_rules_were_made_to_ring() -> None:
    tried = Path(__file__).read_text(encoding="utf-8")
    assert {alert for alert in rules() if f'"{alert}"' not in tried} == set()
