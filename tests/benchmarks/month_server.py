"""The database of a generated month for the benchmarks: made once, opened by each run; and what the server spent.

The server runs beside the measured process, so its processor time and its memory are told apart.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from keizoku.billing.closing.reconciliation import Outcome
from keizoku.billing.closing.reconciliation_facts import queries
from keizoku.billing.closing.reconciliation_run import AROUND, Reconciled
from keizoku.db.embedded import EmbeddedServer
from keizoku.db.migrate import create_all
from keizoku.db.session import Session, driver_cursor, make_engine, open_session
from keizoku.scheduler.app import Services
from keizoku.terms.policy import Terms
from keizoku.terms.rules import Rules
from tests.benchmarks.month import MONTH, write_month
from tests.worlds.world import services_on

PLANTED = "planted.json"


def prepare(folder: Path, size: Mapping[str, int]) -> None:
    """The database, what is planted in it, and its facts as one CSV file per table of the workbench."""
    rules = Rules(Terms.load("premium"))
    with EmbeddedServer(folder, {"fsync": "off"}) as server, open_session(server.url) as session:
        create_all(session)
        session.commit()
        planted = write_month(session, rules, size["contracts"], size["transactions"], size["faults"])
        (folder / PLANTED).write_text(json.dumps(planted), encoding="utf-8")
        for table, query in queries(MONTH, AROUND).items():
            statement = f"COPY ({query}) TO STDOUT (FORMAT csv)"
            with (
                (folder / f"{table}.csv").open("wb") as out,
                driver_cursor(session) as cursor,
                cursor.copy(statement.encode()) as rows,
            ):
                out.writelines(bytes(block) for block in rows)
        session.rollback()
        session.exec_driver_sql("CHECKPOINT")


def check(found: Reconciled, folder: Path) -> None:
    """All that was planted is found, with its type, sides and amount, and nothing else. AssertionError if not."""
    check_exceptions(found.outcome, folder)


def check_exceptions(outcome: Outcome, folder: Path) -> None:
    """The same of an outcome."""
    planted = [tuple(each) for each in json.loads((folder / PLANTED).read_text(encoding="utf-8"))]
    assert sorted((each.type.value, each.key, each.yen) for each in outcome.exceptions) == planted
    assert outcome.unexplained == ()


@dataclass(frozen=True, slots=True)
class Server:
    """The server's process that works for one session."""

    process: psutil.Process

    def seconds(self) -> float:
        """Processor seconds that it has spent."""
        spent = self.process.cpu_times()
        return float(spent.user + spent.system)

    def peak_mb(self) -> int:
        """The most memory that it held, with what it touched of the buffers that all share; 0 where nobody says."""
        status = Path(f"/proc/{self.process.pid}/status")
        lines = status.read_text(encoding="ascii").splitlines() if status.exists() else []
        return next((int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM:")), 0)


@contextmanager
def opened(folder: Path) -> Iterator[tuple[Services, Server]]:
    """The house on the prepared database, the server as it is used: nothing switched off."""
    with EmbeddedServer(folder, {"full_page_writes": "on"}) as server, services_on(make_engine(server.url)) as services:
        yield services, Server(psutil.Process(_backend(services.session)))


def _backend(session: Session) -> int:
    return int(session.exec_driver_sql("SELECT pg_backend_pid()").scalar_one())
