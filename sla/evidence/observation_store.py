"""Records observations: read and checked by DuckDB, streamed into PostgreSQL, known rows passed over.

file or rows ──observations──> DuckDB ──sorted──> file ──COPY──> staging table ──new rows only──> observation
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa

from keizoku.db.session import Session, driver_cursor
from keizoku.limits import LONGEST_ID, id_flaw
from keizoku.sla.evidence.import_log import Imported, known_import, note_import, sha256_of
from keizoku.sla.evidence.observation_files import COLUMNS, grouped_files, partition_of
from keizoku.sla.evidence.observations import Observations, open_observations, read_observation_rows, read_observations
from keizoku.sla.rules.intervals import Span
from keizoku.terms.calendar import epoch, epoch_up
from keizoku.terms.decision import Finding

Row = Sequence[object] | Mapping[str, object]  # user_id, symptom, started_at, ended_at
BLOCK_BYTES = 1 << 20
KIND = "observations"


@dataclass(frozen=True, slots=True)
class Reading:
    """What files of observations do not say of themselves: other names of columns, what all rows mean."""

    columns: Mapping[str, str] = field(default_factory=dict)
    symptom: str | None = None

    def description_of(self, file: Path) -> str:
        """How a file is read, in one line, with what its folders say; empty if it says all itself."""
        names = {name: self.columns.get(name, name) for name in COLUMNS}
        renamed = {name: written for name, written in names.items() if name != written}
        said = {**renamed, **({"symptom": self.symptom} if self.symptom else {})}
        said |= partition_of(file, [written for name, written in names.items() if name not in said])
        return ", ".join(f"{name}={value}" for name, value in sorted(said.items()))


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of it: new rows, the time that they reach (empty if none), what was wrong."""

    new_rows: int
    reach: tuple[Span, ...]
    findings: tuple[Finding, ...]
    imported: Imported | None = None  # of a file


def files_in(paths: Sequence[Path]) -> list[tuple[Path, str]]:
    """The files of observations among files and folders, each with the name under which it is recorded."""
    found: dict[Path, str] = {}
    for path in paths:
        if path.is_dir():
            beside = path.resolve().parent
            for file in sorted(file for group in grouped_files([path]) for file in group):
                found.setdefault(file, str(file.resolve().relative_to(beside)))
        else:
            found.setdefault(path, path.name)
    return list(found.items())


def record(
    session: Session,
    file: Path | None,
    rows: Sequence[Row],
    now: datetime,
    author: str,
    reading: Reading | None = None,
    source: str = "",
) -> Recorded:
    """Record a file or the rows of a document, in the session's transaction; the caller commits.

    A file that was imported before, to the byte and read the same way, is a finding and changes nothing.
    """
    reading = reading or Reading()
    sha256 = sha256_of(file) if file is not None else ""
    read_as = reading.description_of(file) if file is not None else ""
    before = known_import(session, KIND, sha256, read_as) if file is not None else None
    if before is not None:
        known = Finding(str(file), None, "the same file", "it was imported before", "nothing was changed")
        return Recorded(0, (), (known,), before)
    with open_observations(now) as observed:
        if file is not None:
            read = read_observations(observed, file, reading.columns, reading.symptom)
        else:
            read = read_observation_rows(observed, rows, KIND)
        unwritable, of_nul = _without_id(observed, source or (file.name if file is not None else KIND))
        new_rows, reach = _take(session, observed, now)
    findings = (*read.findings, *of_nul)
    if file is None:
        return Recorded(new_rows, reach, findings)
    used, refused = read.taken - unwritable, read.refused + unwritable
    imported = Imported(
        kind=KIND,
        source=source or file.name,
        sha256=sha256,
        rows_read=used + refused,
        rows_used=used,
        rows_new=new_rows,
        rows_refused=refused,
        author=author,
        recorded_at=now,
        read_as=read_as,
        findings=findings,
    )
    note_import(session, imported)
    return Recorded(new_rows, reach, findings, imported)


def _without_id(observed: Observations, source: str) -> tuple[int, tuple[Finding, ...]]:
    """How many rows name a user by what is no id (too long, letters that do not print), and the finding on them."""
    query = f"SELECT count(*), min(user_id::VARCHAR) FROM observation WHERE {_NO_ID}"  # noqa: S608
    count, first = observed.table.execute(query).fetchall()[0]
    if not count:
        return 0, ()
    value = f"user_id {first[:80]!r}" + (f" and others, {count:,} rows" if count > 1 else "")
    rule = id_flaw(first) or f"an id has 1 to {LONGEST_ID} printable letters"
    return int(count), (Finding(source, None, value, rule, "remove it" if "\0" in first else "correct it"),)


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


_NO_ID = (
    f"(length(user_id::VARCHAR) > {LONGEST_ID} OR contains(user_id::VARCHAR, chr(0)) "
    "OR regexp_matches(user_id::VARCHAR, '[\\pC\\p{Zl}\\p{Zp}]'))"
)
_WRITE_ROWS = f"""
    COPY (SELECT DISTINCT user_id, symptom, started, ended FROM observation WHERE NOT {_NO_ID} ORDER BY ALL)
    TO $file (FORMAT csv, HEADER false, FORCE_QUOTE (user_id))
"""  # noqa: S608
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
