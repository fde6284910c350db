"""Records observations: read and checked by DuckDB, streamed into PostgreSQL, known rows passed over.

file or rows ──sla.observations──> DuckDB ──COPY──> staging table ──new rows only──> observation
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import file_digest
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import sqlalchemy as sa

from db.session import Session, driver_cursor
from db.tables.evidence import evidence_import
from sla.intervals import Span
from sla.observations import open_observations, read_observation_rows, read_observations
from terms.calendar import epoch, epoch_up
from terms.decision import Finding

Row = Sequence[object] | Mapping[str, object]  # user_id, symptom, started_at, ended_at
BLOCK_BYTES = 1 << 20
KIND = "observations"


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of it: new rows, the time that they reach (empty if none), what was wrong."""

    new_rows: int
    reach: tuple[Span, ...]
    findings: tuple[Finding, ...]


def record(session: Session, file: Path | None, rows: Sequence[Row], now: datetime) -> Recorded:
    """Record a file or the rows of a document, in the session's transaction; the caller commits.

    A file that was imported before, to the byte, is a finding and changes nothing.
    """
    digest = _digest(file) if file is not None else None
    if digest is not None and _is_imported(session, digest):
        known = Finding(str(file), None, "the same file", "it was imported before", "nothing was changed")
        return Recorded(0, (), (known,))
    table = open_observations()
    try:
        read = read_observations(table, file) if file else read_observation_rows(table, rows, KIND)
        new_rows, reach = _take(session, table, now)
    finally:
        table.close()
    if file is not None and digest is not None:
        session.execute(
            sa.insert(evidence_import).values(
                kind=KIND, sha256=digest, source=file.name, row_count=read.taken, recorded_at=now
            )
        )
    return Recorded(new_rows, reach, read.findings)


def _take(session: Session, table: duckdb.DuckDBPyConnection, now: datetime) -> tuple[int, tuple[Span, ...]]:
    session.execute(_STAGE)
    with TemporaryDirectory(prefix="keizoku-") as folder:
        rows = Path(folder) / "observations.csv"
        table.execute(_WRITE_ROWS, {"file": str(rows)})
        with rows.open("rb") as written, driver_cursor(session) as cursor, cursor.copy(_COPY) as copy:
            while block := written.read(BLOCK_BYTES):
                copy.write(block)
    new_rows, starts_at, ends_at, any_open = session.execute(_TAKE_NEW, {"now": now}).one()
    session.execute(_UNSTAGE)
    if not new_rows:
        return 0, ()
    last_at = max(each for each in (ends_at, now if any_open else None) if each is not None)
    start = epoch(starts_at)
    return new_rows, ((start, max(epoch_up(last_at), start + 1)),)


def _digest(file: Path) -> str:
    with file.open("rb") as opened:
        return file_digest(opened, "sha256").hexdigest()


def _is_imported(session: Session, digest: str) -> bool:
    known = evidence_import.c
    query = sa.select(sa.exists().where(known.sha256 == digest, known.kind == KIND))
    return bool(session.execute(query).scalar_one())


_WRITE_ROWS = """
    COPY (SELECT DISTINCT user_id, started, ended FROM observation ORDER BY ALL)
    TO $file (FORMAT csv, HEADER false, FORCE_QUOTE (user_id))
"""
_STAGE = sa.text("CREATE TEMPORARY TABLE incoming_observation (user_id text, started bigint, ended bigint)")
_COPY = "COPY incoming_observation FROM STDIN (FORMAT csv)"
_TAKE_NEW = sa.text(
    """
    WITH taken AS (
        INSERT INTO observation (user_id, started_at, ended_at, recorded_at)
        SELECT user_id, to_timestamp(started), to_timestamp(ended), :now FROM incoming_observation
        ON CONFLICT DO NOTHING
        RETURNING started_at, ended_at
    )
    SELECT count(*), min(started_at), max(ended_at), coalesce(bool_or(ended_at IS NULL), false) FROM taken
    """
)
_UNSTAGE = sa.text("DROP TABLE incoming_observation")
