"""500,000 claims for one month, taken from a file beforehand, adjudicated by the night's stage, with the database.

A world of as many accounts, each with a card-paid contract whose terms are anchored to the days of a month. A fifth
of the claims state windows of their own, each others than the next; some accounts pay by other means, some claims
come late. The month has stops of every kind.

The limit to compare with: the same rows, decided beforehand, written by plain COPY into the same tables with the same
keys, checks and indexes.
"""

from __future__ import annotations

import csv
import time
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from keizoku.db.embedded import EmbeddedServer
from keizoku.db.migrate import create_all
from keizoku.db.session import Session, copy_rows, driver_cursor, open_session
from keizoku.db.tables.contracts import account, contract, plan, term
from keizoku.sla.claims.claim_stage import adjudicate_due
from keizoku.sla.services.imports import ImportService
from keizoku.sla.services.sla_service import SlaService
from keizoku.terms.calendar import Month, iso_jst, parse_instant
from keizoku.terms.policy import Terms
from keizoku.terms.rules import Rules
from tests.benchmarks.harness import Case, Contender

MONTH = Month(2026, 4)
RECORDED_AT = parse_instant("2026-04-30 12:00")
CLAIMED_AT = parse_instant("2026-05-20 09:00")
NIGHT_AT = parse_instant("2026-07-01 02:30")
LATE_AT = parse_instant("2026-06-01 00:00")
COMMITS = {"full_page_writes": "on"}  # a server as it is used: nothing switched off


WORLD, RUN = "world", "run"
WRITTEN = ("claim_reasoning", "claim_decision", "award")
"""What the stage writes, in an order that keys allow."""


def prepare(folder: Path, size: Mapping[str, int]) -> None:
    """The world as a template database, with the claims in it; and the rows that they lead to, as files."""
    with (folder / "claims.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("id", "account", "month", "received_at", "windows"))
        for number in range(size["claims"]):
            received_at = LATE_AT if number % 50 == 49 else CLAIMED_AT - timedelta(seconds=number)
            windows = _stated(number) if number % 5 == 0 else ""
            writer.writerow((f"c{number}", f"u{number}", MONTH, iso_jst(received_at), windows))
    rules = Rules(Terms.load("premium"))
    with EmbeddedServer(folder, COMMITS) as server:
        _statements(server, f"CREATE DATABASE {WORLD}")
        with open_session(server.url.set(database=WORLD)) as session:
            create_all(session)
            _fill(session, size)
            taken = ImportService(SlaService(session, rules)).claims(folder / "claims.csv", author="bench", now=LATE_AT)
            assert taken.rows_used == size["claims"]
            session.execution_options(isolation_level="AUTOCOMMIT").execute(sa.text("VACUUM ANALYZE"))
    fresh_database(folder, size)
    keizoku(folder, size)
    with EmbeddedServer(folder, COMMITS) as server, open_session(server.url.set(database=RUN)) as session:
        for table in WRITTEN:
            out = f"COPY {table} TO STDOUT"
            with (folder / table).open("wb") as file, driver_cursor(session) as cursor, cursor.copy(out) as rows:
                for block in rows:
                    file.write(block)


def _stated(number: int) -> str:
    from_at = parse_instant("2026-04-16 12:00") + timedelta(seconds=number)
    until = parse_instant("2026-04-16 20:00") - timedelta(seconds=number % 7_000)
    return f"{iso_jst(min(from_at, until - timedelta(seconds=1)))}/{iso_jst(until)}"


def fresh_database(folder: Path, size: Mapping[str, int]) -> None:
    """A copy of the world; on disk, with none of it in the server's own memory yet."""
    with EmbeddedServer(folder, COMMITS) as server:
        _statements(
            server,
            f"DROP DATABASE IF EXISTS {RUN}",
            f"CREATE DATABASE {RUN} TEMPLATE {WORLD} STRATEGY file_copy",
        )


def _statements(server: EmbeddedServer, *statements: str) -> None:
    with open_session(server.url) as session:
        session = session.execution_options(isolation_level="AUTOCOMMIT")
        for statement in statements:
            session.execute(sa.text(statement))


def _fill(session: Session, size: Mapping[str, int]) -> None:
    """The accounts, their terms and the month's stops."""
    session.execute(
        sa.insert(plan).values(code="monthly", interval="month", recorded_at=RECORDED_AT - timedelta(days=400))
    )
    _members(session, size["claims"])
    session.commit()
    service = SlaService(session, Rules(Terms.load("premium")))
    service.population(parse_instant("2025-01-01 00:00"), 1_000_000, now=RECORDED_AT)
    for day in range(1, 29):
        from_at = parse_instant(f"2026-04-{day:02d} 00:30")
        service.record_outage(
            from_at=from_at, to_at=from_at + timedelta(minutes=7 + day), affected=60_000, now=RECORDED_AT
        )
    from_at, to_at = parse_instant("2026-04-16 12:00"), parse_instant("2026-04-16 20:00")
    service.record_outage(from_at=from_at, to_at=to_at, affected=60_000, now=RECORDED_AT)
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
    """The night's stage: facts loaded, decided, written, committed. The server runs beside, not in the memory told."""
    rules = Rules(Terms.load("premium"))
    with EmbeddedServer(folder, COMMITS) as server, open_session(server.url.set(database=RUN)) as session:
        begun, begun_cpu = time.perf_counter(), time.process_time()
        rows = sum(adjudicate_due(session, rules, NIGHT_AT.date(), NIGHT_AT))
        seconds, cpu = time.perf_counter() - begun, time.process_time() - begun_cpu
        answer = _answer(session)
    assert rows > size["claims"]
    figures = {
        "claims_adjudicated_per_second,_with_the_database": size["claims"] / seconds,
        "claims_adjudicated_per_CPU_second_of_the_engine": size["claims"] / cpu,
        "decisions_and_awards_written_per_second": (rows - 1) / seconds,
    }
    return {**answer, "seconds": seconds, "figures": figures}


def plain_copy(folder: Path, size: Mapping[str, int]) -> dict[str, Any]:
    """The rows that the stage wrote, from files, table after table, each committed."""
    with EmbeddedServer(folder, COMMITS) as server, open_session(server.url.set(database=RUN)) as session:
        begun = time.perf_counter()
        for table in WRITTEN:
            into = f"COPY {table} FROM STDIN"
            with (folder / table).open("rb") as file, driver_cursor(session) as cursor, cursor.copy(into) as rows:
                while block := file.read(1 << 20):
                    rows.write(block)
            session.commit()
        seconds = time.perf_counter() - begun
        return {**_answer(session), "seconds": seconds}


def _answer(session: Session) -> dict[str, Any]:
    query = "SELECT coalesce(reason, outcome), count(*), sum(seconds) FROM claim_decision GROUP BY 1 ORDER BY 1"
    outcomes = [list(row) for row in session.execute(sa.text(query))]
    awards, seconds = session.execute(sa.text("SELECT count(*), coalesce(sum(seconds), 0) FROM award")).one()
    return {
        "outcomes": [[reason, rows, int(recognised)] for reason, rows, recognised in outcomes],
        "awards": [awards, int(seconds)],
    }


CASE = Case(
    name="claims",
    title="Adjudication of claims, with the database",
    about=(
        "The night's stage decides all claims of one month: facts loaded, decisions, waterfalls, steps and awards "
        "written, every chunk committed, on the embedded PostgreSQL with its ordinary settings. A fifth state windows "
        "of their own, 6,460 different ones to the second. Beside it the same rows by plain COPY, into the same tables."
    ),
    size={"claims": 500_000},
    tiny={"claims": 40},
    prepare=prepare,
    before_run=fresh_database,
    contenders=[
        Contender("Keizoku", keizoku, note="the process of the engine; PostgreSQL's is not counted in its memory."),
        Contender("plain COPY", plain_copy, note="nothing is loaded and nothing decided."),
    ],
)
