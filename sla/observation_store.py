"""Records observations: read and checked by DuckDB, streamed into PostgreSQL, known rows passed over.

file or rows ──sla.observations──> DuckDB ──sorted──> file ──COPY──> staging table ──new rows only──> observation
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa

from db.session import Session, driver_cursor
from sla.imports import Imported, known_import, note_import, sha256_of
from sla.intervals import Span
from sla.observations import Observations, open_observations, read_observation_rows, read_observations
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
    imported: Imported | None = None  # of a file


def record(session: Session, file: Path | None, rows: Sequence[Row], now: datetime, author: str) -> Recorded:
    """Record a file or the rows of a document, in the session's transaction; the caller commits.

    A file that was imported before, to the byte, is a finding and changes nothing.
    """
    sha256 = sha256_of(file) if file is not None else ""
    before = known_import(session, KIND, sha256) if file is not None else None
    if before is not None:
        known = Finding(str(file), None, "the same file", "it was imported before", "nothing was changed")
        return Recorded(0, (), (known,), before)
    with open_observations() as observed:
        read = read_observations(observed, file) if file else read_observation_rows(observed, rows, KIND)
        new_rows, reach = _take(session, observed, now)
    if file is None:
        return Recorded(new_rows, reach, read.findings)
    imported = note_import(
        session,
        KIND,
        file,
        sha256,
        author,
        now,
        rows_used=read.taken,
        rows_new=new_rows,
        rows_refused=read.refused,
        findings=read.findings,
    )
    return Recorded(new_rows, reach, read.findings, imported)


def _take(session: Session, observed: Observations, now: datetime) -> tuple[int, tuple[Span, ...]]:
    session.execute(_STAGE)
    rows = observed.free_file()
    observed.table.execute(_WRITE_ROWS, {"file": str(rows)})
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


_WRITE_ROWS = """
    COPY (SELECT DISTINCT user_id, symptom, started, ended FROM observation ORDER BY ALL)
    TO $file (FORMAT csv, HEADER false, FORCE_QUOTE (user_id))
"""
_STAGE = sa.text(
    "CREATE TEMPORARY TABLE incoming_observation (user_id text, symptom text, started bigint, ended bigint)"
)
_COPY = "COPY incoming_observation FROM STDIN (FORMAT csv)"
_TAKE_NEW = sa.text(
    """
    WITH taken AS (
        INSERT INTO observation (user_id, symptom, started_at, ended_at, recorded_at)
        SELECT user_id, symptom, to_timestamp(started), to_timestamp(ended), :now FROM incoming_observation
        ON CONFLICT DO NOTHING
        RETURNING started_at, ended_at
    )
    SELECT count(*), min(started_at), max(ended_at), coalesce(bool_or(ended_at IS NULL), false) FROM taken
    """
)
_UNSTAGE = sa.text("DROP TABLE incoming_observation")
