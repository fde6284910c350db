"""What finance does at a month's end, at the size of the reconciliation's month: close, report, five exports.

Each is a process of its own, as the command is. All exceptions are resolved beforehand and the month is open again
before each run, so that a close has everything to do: reconciliation, checks, audit, lock, a hash over every line.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from keizoku.billing.closing.export_files import export_month
from keizoku.billing.closing.exports.mapping import FORMATS, mapping_for
from keizoku.billing.closing.month_close import close_month, reopen_month, standing
from keizoku.billing.closing.reconciliation_run import reconcile_month, resolve
from keizoku.db.session import Session, one_snapshot
from keizoku.db.tables.books import entry, line
from keizoku.scheduler.reports.finance import finance_report
from keizoku.scheduler.reports.finance_files import write_finance
from tests.benchmarks import month_server
from tests.benchmarks.harness import Case, Contender
from tests.benchmarks.month import MONTH, NOW
from tests.benchmarks.month_server import Server, opened

LINES = (
    sa.select(entry.c.id, entry.c.posted_on, entry.c.event, entry.c.clause, entry.c.account, line.c.code, line.c.yen)
    .join(line, line.c.entry_id == entry.c.id)
    .where(entry.c.posted_on >= MONTH.first_on, entry.c.posted_on < MONTH.end_on)
    .order_by(entry.c.posted_on, entry.c.id, line.c.seq)
)


def prepare(folder: Path, size: Mapping[str, int]) -> None:
    """The month, with every exception resolved."""
    month_server.prepare(folder, size)
    with opened(folder) as (services, _):
        found = reconcile_month(services.session, services.gateway, MONTH, NOW)
        for each in found.open:
            resolve(services.session, found, each.key, "kato", "as planted", NOW)


def open_again(folder: Path, size: Mapping[str, int]) -> None:
    """What an earlier run closed."""
    with opened(folder) as (services, _):
        if standing(services.session):
            reopen_month(services.session, MONTH, "kato", "another run", NOW)


def close(folder: Path, size: Mapping[str, int]) -> dict[str, Any]:
    """`keizoku close`."""
    with opened(folder) as (services, server):
        begun = time.perf_counter()
        closed = close_month(services.session, services.gateway, MONTH, "kato", NOW)
        assert closed.new, closed.checks
        return _answer(services.session, server, begun, entries_hashed=closed.entries)


def report(folder: Path, size: Mapping[str, int]) -> dict[str, Any]:
    """`keizoku report`: page, workbook, CSV files, hashes."""
    with opened(folder) as (services, server):
        begun = time.perf_counter()
        found = reconcile_month(services.session, services.gateway, MONTH, NOW)
        reconciled = time.perf_counter()
        with one_snapshot(services.session):
            made = finance_report(services.session, services.rules, MONTH, NOW, found)
            written = write_finance(made, folder / "report", "ja")
        debit_yen = sum(int(str(row[3])) for row in made.table("trial").rows())
        sizes = {path.name: path.stat().st_size for path in written}
        answer = _answer(
            services.session, server, begun, seconds_of_its_reconciliation=reconciled - begun,
            MB_of_the_page=sizes["report.html"] / 1e6, MB_of_the_workbook=sizes["report.xlsx"] / 1e6,
        )  # fmt: skip
        assert answer["debit_yen"] == debit_yen
        return answer


def exports(folder: Path, size: Mapping[str, int]) -> dict[str, Any]:
    """`keizoku export`, for each of the five formats in turn."""
    return _exported(folder, FORMATS)


def plain_export(folder: Path, size: Mapping[str, int]) -> dict[str, Any]:
    """`keizoku export --format csv`."""
    return _exported(folder, ("csv",))


def pandas_export(folder: Path, size: Mapping[str, int]) -> dict[str, Any]:
    """The journal by read_sql, written by to_csv."""
    import pandas as pd

    with opened(folder) as (services, server):
        begun = time.perf_counter()
        lines = pd.read_sql(LINES, services.session)
        lines.to_csv(folder / "journal.csv", index=False)
        answer = _answer(services.session, server, begun)
        assert answer["debit_yen"] == int(lines["yen"].clip(lower=0).sum())
        return answer


def _exported(folder: Path, formats: tuple[str, ...]) -> dict[str, Any]:
    with opened(folder) as (services, server):
        begun = time.perf_counter()
        seconds = {}
        for form in formats:
            from_ = time.perf_counter()
            done = export_month(services.session, MONTH, mapping_for(form), folder / f"journal.{form}")
            seconds[f"seconds_of_{form}"] = time.perf_counter() - from_
        answer = _answer(services.session, server, begun, **seconds)
        assert answer["debit_yen"] == done.debit_yen
        return answer


def _answer(session: Session, server: Server, begun: float, **figures: float) -> dict[str, Any]:
    """What all have worked on, and what it took."""
    took = time.perf_counter() - begun
    figures |= {
        "seconds_without_the_start": took,
        "CPU_seconds_of_PostgreSQL": server.seconds(),
        "peak_MB_of_PostgreSQL,_with_shared_buffers": server.peak_mb(),
    }
    debits = sa.select(sa.func.sum(line.c.yen)).join(entry, entry.c.id == line.c.entry_id).where(
        entry.c.posted_on >= MONTH.first_on, entry.c.posted_on < MONTH.end_on, line.c.yen > 0
    )  # fmt: skip
    return {"debit_yen": int(session.execute(debits).scalar_one()), "figures": figures}


CASE = Case(
    name="close",
    title="Close, report and exports of a month",
    about=(
        "The month of the reconciliation, its exceptions resolved. Close: reconciliation, checks, the audit of the "
        "sub-ledgers, the lock, a hash over every entry and line. Report: reconciliation, page, workbook, a CSV per "
        "table. Exports: the journal for five packages. Each a process of its own; wall with the start of PostgreSQL."
    ),
    size={"contracts": 200_000, "transactions": 1_000_000, "faults": 500},
    tiny={"contracts": 400, "transactions": 2_100, "faults": 28},
    prepare=prepare,
    before_run=open_again,
    contenders=[
        Contender("Keizoku, export as CSV", plain_export, note="the measure of the ratios here."),
        Contender(
            "pandas read_sql + to_csv",
            pandas_export,
            needs=("pandas",),
            note="the same lines, without names, memos, neutralised cells and the sums held against the ledger.",
        ),
        Contender("Keizoku, close", close),
        Contender("Keizoku, report", report),
        Contender("Keizoku, five exports", exports),
    ],
)
