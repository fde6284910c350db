"""What the benchmarks of the night measure: nights on a copy of a world, and plain COPY of the rows that one wrote."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import sqlalchemy as sa

from keizoku.db.session import Session, driver_cursor
from keizoku.scheduler.night.nightly_run import NightResult, run_night
from keizoku.scheduler.night.schedule import night_at
from tests.benchmarks.night_world import services_of

WRITTEN: Mapping[str, str] = {
    "term": "id",
    "invoice": "id",
    "payment_attempt": "id",
    "credit": "id",
    "credit_application": "id",
    "settlement": "id",
    "entry": "id",
    "line": "entry_id",
    "revenue_posting": "entry_id",
}
"""Tables that a night adds rows to, each before those that refer to it, and what its rows grow by."""
_BLOCK = 1 << 18
_TICKS_PER_SECOND = 100


@dataclass
class Clock:
    """Where the time of nights went: wall seconds and rows by stage, and the server's whole processor time."""

    stages: dict[str, float] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    wall: float = 0.0
    engine_cpu: float = 0.0
    server_cpu: float = 0.0
    _stage_began: float = 0.0

    def told(self, _on: date, stage: str, rows: int) -> None:
        """What `run_night` tells after each piece of a stage."""
        now = time.perf_counter()
        self.stages[stage] = self.stages.get(stage, 0.0) + now - self._stage_began
        self.rows[stage] = self.rows.get(stage, 0) + rows
        self._stage_began = now

    @contextmanager
    def running(self, session: Session) -> Iterator[None]:
        """Counts what is done inside."""
        server = _server_seconds(session)
        engine, self._stage_began = time.process_time(), time.perf_counter()
        began = self._stage_began
        yield
        self.wall += time.perf_counter() - began
        self.engine_cpu += time.process_time() - engine
        self.server_cpu += _server_seconds(session) - server

    def figures(self) -> dict[str, float]:
        """For the page: seconds by stage, and rows a second where there are many."""
        told = {f"seconds_of_{stage}": seconds for stage, seconds in self.stages.items() if seconds >= 0.01}
        told |= {
            f"rows_per_second_of_{stage}": rows / self.stages[stage] for stage, rows in self.rows.items() if rows > 100
        }
        return told | {"CPU_seconds_of_the_engine": self.engine_cpu, "CPU_seconds_of_PostgreSQL": self.server_cpu}


def run_nights(
    session: Session, size: Mapping[str, int], nights: Sequence[date], clock: Clock, *, as_of: date | None = None
) -> list[NightResult]:
    """The nights one after the other, each at its own hour or at that of `as_of`; every one has to certify."""
    services = services_of(session, size)
    results = []
    for on in nights:
        with clock.running(session):
            results.append(run_night(services, on, night_at(as_of or on), clock.told))
        assert results[-1].certificate == "ok", results[-1].differences
    return results


def newest(session: Session) -> dict[str, int]:
    """How far each table's rows have grown."""
    found = {
        table: int(session.execute(sa.text(f"SELECT coalesce(max({column}), 0) FROM {table}")).scalar_one())
        for table, column in WRITTEN.items()
    }
    session.commit()
    return found


def write_out(session: Session, folder: Path, before: Mapping[str, int]) -> None:
    """The rows added since, as files that COPY reads."""
    for table, column in WRITTEN.items():
        query = f"COPY (SELECT * FROM {table} WHERE {column} > {before[table]} ORDER BY {column}) TO STDOUT"
        with (
            (folder / f"{table}.copy").open("wb") as file,
            driver_cursor(session) as cursor,
            cursor.copy(query.encode()) as copy,
        ):
            for block in copy:
                file.write(block)
    session.commit()


def copy_in(session: Session, folder: Path, clock: Clock) -> int:
    """The files into the same tables, one COPY and one commit each; the bytes."""
    files = {table: (folder / f"{table}.copy").read_bytes() for table in WRITTEN}
    with clock.running(session):
        for table, content in files.items():
            with driver_cursor(session) as cursor, cursor.copy(f"COPY {table} FROM STDIN".encode()) as copy:
                for start in range(0, len(content), _BLOCK):
                    copy.write(content[start : start + _BLOCK])
            session.commit()
            clock.told(date.min, table, content.count(b"\n"))
    return sum(map(len, files.values()))


def _server_seconds(session: Session) -> float:
    """Processor time so far of the whole server, also of its processes that have ended; 0 where it is not told."""
    pid = session.execute(sa.text("SELECT pg_backend_pid()")).scalar_one()
    session.commit()
    try:
        parent = _stat(Path(f"/proc/{pid}/stat"))[1]
        living = [fields for file in Path("/proc").glob("[0-9]*/stat") if (fields := _stat(file))[1] == parent]
        ended = _stat(Path(f"/proc/{parent}/stat"))
    except OSError:
        return 0.0
    return (sum(fields[11] + fields[12] for fields in living) + sum(ended[11:15])) / _TICKS_PER_SECOND


def _stat(file: Path) -> list[int]:
    """The numbers after a process's name and state, from the state on as 0, its parent, …; all 0 if it just ended."""
    try:
        told = file.read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return [0] * 16
    return [0, *map(int, told[1:16])]
