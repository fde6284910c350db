"""500,000 claims for one month: taken from a file, adjudicated by the night's stage, with the database.

A world of as many accounts, each with a card-paid contract whose terms are anchored to the days of a month. A fifth
of the claims state windows of their own, each others than the next; some accounts pay by other means, some claims
come late. The month has stops of every kind.
"""

from __future__ import annotations

import csv
import time
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from db.embedded import EmbeddedServer
from db.migrate import create_all
from db.session import Session, copy_rows, open_session
from db.tables.contracts import account, contract, plan, term
from sla.desk import SlaDesk
from sla.import_desk import ImportDesk
from sla.stages import adjudicate_due
from terms.calendar import Month, iso_jst, parse_instant
from terms.policy import Terms
from terms.rules import Rules
from tests.benchmarks.harness import Case, Contender

MONTH = Month(2026, 4)
RECORDED_AT = parse_instant("2026-04-30 12:00")
CLAIMED_AT = parse_instant("2026-05-20 09:00")
NIGHT_AT = parse_instant("2026-07-01 02:30")
LATE_AT = parse_instant("2026-06-01 00:00")
COMMITS = {"full_page_writes": "on"}  # a server as it is used: nothing switched off


def prepare(folder: Path, size: Mapping[str, int]) -> None:
    """The file of claims; the database is made afresh before each run."""
    with (folder / "claims.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("id", "account", "month", "received_at", "windows"))
        for number in range(size["claims"]):
            received_at = LATE_AT if number % 50 == 49 else CLAIMED_AT - timedelta(seconds=number)
            windows = _stated(number) if number % 5 == 0 else ""
            writer.writerow((f"c{number}", f"u{number}", MONTH, iso_jst(received_at), windows))


def _stated(number: int) -> str:
    from_at = parse_instant("2026-04-16 12:00") + timedelta(seconds=number)
    until = parse_instant("2026-04-16 20:00") - timedelta(seconds=number % 7_000)
    return f"{iso_jst(min(from_at, until - timedelta(seconds=1)))}/{iso_jst(until)}"


def fresh_database(folder: Path, size: Mapping[str, int]) -> None:
    """A schema with the accounts, their terms and the month's stops; what an earlier run left is dropped."""
    with EmbeddedServer(folder, COMMITS) as server, open_session(server.url) as session:
        session.execute(sa.text("DROP SCHEMA public CASCADE"))
        session.execute(sa.text("CREATE SCHEMA public"))
        create_all(session)
        session.execute(
            sa.insert(plan).values(code="monthly", interval="month", recorded_at=RECORDED_AT - timedelta(days=400))
        )
        _members(session, size["claims"])
        session.commit()
        desk = SlaDesk(session, Rules(Terms.load("premium")))
        desk.population(parse_instant("2025-01-01 00:00"), 1_000_000, now=RECORDED_AT)
        for day in range(1, 29):
            from_at = parse_instant(f"2026-04-{day:02d} 00:30")
            desk.stop(from_at=from_at, to_at=from_at + timedelta(minutes=7 + day), affected=60_000, now=RECORDED_AT)
        from_at, to_at = parse_instant("2026-04-16 12:00"), parse_instant("2026-04-16 20:00")
        desk.stop(from_at=from_at, to_at=to_at, affected=60_000, now=RECORDED_AT)
        session.execute(sa.text("ANALYZE"))
        session.commit()


def _members(session: Session, members: int) -> None:
    since = parse_instant("2026-03-01 10:00")
    numbers = range(members)
    starts = [date(2026, 3, 1) + timedelta(days=number % 28) for number in numbers]
    methods = ["other" if number % 20 == 19 else "card" for number in numbers]
    copy_rows(session, account, ("id", "created_at"), ((f"u{number}", since) for number in numbers))
    columns = ("id", "account", "plan", "method", "applied_at", "approved_at", "anchor_on", "recorded_at")
    rows = (
        (
            number + 1,
            f"u{number}",
            "monthly",
            methods[number],
            since,
            _approved_at(starts[number]),
            starts[number],
            since,
        )
        for number in numbers
    )
    copy_rows(session, contract, columns, rows)
    whole = ("contract_id", "account", "seq", "starts_on", "ends_on", "follows_on", "starts_at")
    more = ("method", "plan", "interval", "price_yen", "terms_version", "recorded_at")
    terms = (
        (
            *(number + 1, f"u{number}", seq, _later(starts[number], seq), _later(starts[number], seq + 1)),
            _later(starts[number], seq) if seq else None,
            _approved_at(_later(starts[number], seq)),
            *(methods[number], "monthly", "month", 500, "2024-12-02", since),
        )
        for number in numbers
        for seq in range(3)
    )
    copy_rows(session, term, (*whole, *more), terms)


def _later(first: date, months: int) -> date:
    return date(2026, first.month + months, first.day)


def _approved_at(day: date) -> datetime:
    return parse_instant(f"{day.isoformat()} 00:00")


def keizoku(folder: Path, size: Mapping[str, int]) -> dict[str, Any]:
    """Takes the claims as a file, then runs the night's stage; the server runs beside and is not in the memory."""
    rules = Rules(Terms.load("premium"))
    with EmbeddedServer(folder, COMMITS) as server, open_session(server.url) as session:
        begun = time.perf_counter()
        taken = ImportDesk(SlaDesk(session, rules)).claims(folder / "claims.csv", author="bench", now=LATE_AT)
        submitted = time.perf_counter()
        submitted_cpu = time.process_time()
        rows = sum(adjudicate_due(session, rules, NIGHT_AT.date(), NIGHT_AT))
        decided, decided_cpu = time.perf_counter(), time.process_time()
        query = "SELECT coalesce(reason, outcome), count(*), sum(seconds) FROM claim_decision GROUP BY 1 ORDER BY 1"
        outcomes = [list(row) for row in session.execute(sa.text(query))]
        awards = session.execute(sa.text("SELECT count(*) FROM award")).scalar_one()
    count = taken.rows_used
    return {
        "claims": count,
        "outcomes": [[reason, rows, int(seconds)] for reason, rows, seconds in outcomes],
        "awards": awards,
        "figures": {
            "claims_adjudicated_per_second,_with_the_database": count / (decided - submitted),
            "claims_adjudicated_per_CPU_second_of_the_engine": count / (decided_cpu - submitted_cpu),
            "rows_written_per_second,_explanations_included": rows / (decided - submitted),
            "claims_submitted_per_second": count / (submitted - begun),
            "claims_submitted_and_adjudicated_per_second": count / (decided - begun),
        },
    }


CASE = Case(
    name="claims",
    title="Adjudication of claims, with the database",
    about=(
        "Claims of one month are taken from a CSV file, then the night's stage decides them all: facts loaded, "
        "decisions, waterfalls, steps and awards written, every chunk committed, on the embedded PostgreSQL with its "
        "ordinary settings. A fifth state windows of their own."
    ),
    size={"claims": 500_000},
    tiny={"claims": 40},
    prepare=prepare,
    before_run=fresh_database,
    contenders=[
        Contender("Keizoku", keizoku, note="the process of the engine; PostgreSQL's is not counted in its memory.")
    ],
)
