"""Reader of observations: who could not open the site, log in or see his information, from when to when.

Files of millions of rows (CSV, NDJSON, Parquet) go straight into the DuckDB table that `sla.quorum` counts:

    observation(user_id, started, ended, symptom)      epoch seconds; ended NULL: still open

The symptom is kept as evidence and decides nothing: a user who cannot do one thing or three is one user.

A file is read in bulk. One with rows to refuse is walked through once more to tell their lines; one that
cannot be read in bulk is read row by row. A hundred findings of a file are told, the others counted. Times
carry a zone or are JST; a start rounds down to whole seconds, an end up.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from itertools import islice
from pathlib import Path
from tempfile import gettempdir

import duckdb

from sla.evidence import TIME_REMEDY
from sla.observation_files import (
    BATCH_ROWS,
    COLUMNS,
    Bulk,
    ObservationFile,
    RawRow,
    Table,
    literal,
    open_file,
    written_us,
)
from terms.calendar import iso_jst, parse_instant
from terms.decision import Finding

SYMPTOMS = ("site", "login", "view")
TOLD_FINDINGS = 100
MOST_VERDICTS = 10_000  # rows refused of one file that are looked for by their text
YEAR_9000_US = 221_845_392_000 * 1_000_000


@dataclass(frozen=True, slots=True)
class ObservationsRead:
    """Rows taken and refused, and why: a hundred findings, then one that counts the rest."""

    taken: int
    refused: int
    findings: tuple[Finding, ...]


def open_observations() -> Table:
    """An empty table of observations in memory, to be closed; large work spills to the temporary folder."""
    table = duckdb.connect(config={"temp_directory": str(Path(gettempdir()) / "keizoku-duckdb")})
    table.execute("SET TimeZone = 'Asia/Tokyo'")
    table.execute("SET preserve_insertion_order = false")
    table.execute(f"CREATE TYPE symptom AS ENUM ({', '.join(literal(symptom) for symptom in SYMPTOMS)})")
    table.execute("CREATE TABLE observation (user_id VARCHAR, started BIGINT, ended BIGINT, symptom symptom)")
    return table


def add_observations(table: Table, rows: Iterable[tuple[str, int, int | None]]) -> None:
    """Add rows that were checked before: user, start, end (None: still open), in epoch seconds."""
    remaining = iter(rows)
    while batch := list(islice(remaining, BATCH_ROWS)):
        users, starts, ends = zip(*batch, strict=True)
        table.execute(
            "INSERT INTO observation (user_id, started, ended) "
            "SELECT unnest($users::VARCHAR[]), unnest($starts::BIGINT[]), unnest($ends::BIGINT[])",
            {"users": list(users), "starts": list(starts), "ends": list(ends)},
        )


def read_observation_rows(
    table: Table, rows: Iterable[Sequence[object] | Mapping[str, object]], source: str
) -> ObservationsRead:
    """Add the good rows of a document: lists in the order of COLUMNS, or mappings."""
    written: list[RawRow | Finding] = []
    for line, row in enumerate(rows, start=1):
        values = [row.get(name) for name in COLUMNS] if isinstance(row, Mapping) else list(row)
        user, symptom, start, end = (_text(value) for value in [*values, None, None, None, None][:4])
        written.append((line, user, symptom, start, end))
    return _take_rows(table, source, iter(written))


def read_observations(
    table: Table, path: Path, columns: Mapping[str, str] | None = None, symptom: str | None = None
) -> ObservationsRead:
    """Add the good rows of a file. OSError if it cannot be opened.

    `columns` says under which name a file has a column of ours; `symptom` is what all its rows mean.
    """
    names = {name: (columns or {}).get(name, name) for name in COLUMNS if not (symptom and name == "symptom")}
    file = open_file(table, path, names, symptom)
    if not isinstance(file, ObservationFile):
        return ObservationsRead(0, 0, tuple(file))
    return _take_bulk(table, str(path), file) or _take_rows(table, str(path), file.rows())


def _take_bulk(table: Table, source: str, file: ObservationFile) -> ObservationsRead | None:
    """Add the good rows of a relation at once; None, and nothing added, if it cannot be read so."""
    try:
        table.execute(f"CREATE TEMP TABLE incoming AS {_checked(file.bulk)}", file.bulk.parameters)
    except duckdb.Error:
        _drop_scratch(table)
        return None
    wrong = _count(table, "SELECT count(*) FROM incoming WHERE wrong IS NOT NULL")
    broken = _count(table, "SELECT count(*) FROM duckdb_tables() WHERE table_name = 'reject'")
    if broken:
        broken = _count(table, "SELECT count(DISTINCT line) FROM reject")
    verdicts = _verdicts(table, file.bulk) if wrong else {}
    taken, refused = _insert_incoming(table), wrong + broken
    _drop_scratch(table)
    with closing(file.rows()) as rows:
        told = list(islice(_told_rows(source, rows, verdicts), min(refused, TOLD_FINDINGS)))
    return ObservationsRead(taken, refused, _told(source, told, refused))


def _verdicts(table: Table, bulk: Bulk) -> dict[tuple[str | None, ...], int]:
    """The refused rows as they are written, each with the number of the rule that it breaks."""
    user, symptom, start, end = bulk.texts
    checked = _checked(bulk, f"{user} AS u, {symptom} AS s, {start} AS k, {end} AS e,", "u, s, k, e,")
    query = f"SELECT DISTINCT u, s, k, e, wrong FROM ({checked}) WHERE wrong IS NOT NULL"  # noqa: S608
    verdicts: dict[tuple[str | None, ...], int] = {}
    for *written, rule in table.execute(f"{query} ORDER BY ALL LIMIT {MOST_VERDICTS}", bulk.parameters).fetchall():
        verdicts[tuple(written)] = rule
        verdicts[tuple(value or "" for value in written)] = rule  # a CSV read row by row has no NULL
    return verdicts


def _told_rows(
    source: str, rows: Iterator[RawRow | Finding], verdicts: Mapping[tuple[str | None, ...], int]
) -> Iterator[Finding]:
    """Findings for broken records, and for rows written like those that were refused, with their lines."""
    for row in rows:
        if isinstance(row, Finding):
            yield row
        elif wrong := verdicts.get(row[1:]):
            yield _finding(source, row, wrong)


def _drop_scratch(table: Table) -> None:
    for name in ("incoming", "reject", "reject_scan"):
        table.execute(f"DROP TABLE IF EXISTS {name}")


def _count(table: Table, query: str) -> int:
    return int(table.execute(query).fetchall()[0][0])


def _take_rows(table: Table, source: str, rows: Iterator[RawRow | Finding]) -> ObservationsRead:
    """Add the good rows; every other is a finding with its line."""
    taken = refused = 0
    told: list[Finding] = []
    while batch := list(islice(rows, BATCH_ROWS)):
        raw = [row for row in batch if not isinstance(row, Finding)]
        findings = [row for row in batch if isinstance(row, Finding)]
        columns: Iterable[Sequence[object]] = zip(*raw, strict=True) if raw else [()] * 5
        relation = (
            "(SELECT unnest($l::BIGINT[]) AS line, unnest($u::VARCHAR[]) AS u, unnest($s::VARCHAR[]) AS s, "
            "unnest($k::VARCHAR[]) AS k, unnest($e::VARCHAR[]) AS e)"
        )
        also = "line, u, s, k, e,"
        bulk = Bulk(relation, ("u", "s", "k", "e"), (written_us("k"), written_us("e")), {})
        table.execute(
            f"CREATE TEMP TABLE incoming AS {_checked(bulk, also, also)}",
            {name: list(values) for name, values in zip("luske", columns, strict=True)},
        )
        bad = table.execute(
            "SELECT line, u, s, k, e, wrong FROM incoming WHERE wrong IS NOT NULL ORDER BY line"
        ).fetchall()
        findings += [_finding(source, row[:5], row[5]) for row in bad]
        taken += _insert_incoming(table)
        refused += len(findings)
        if len(told) < TOLD_FINDINGS:
            told += sorted(findings, key=lambda finding: finding.line or 0)
    return ObservationsRead(taken, refused, _told(source, told, refused))


def _checked(bulk: Bulk, inner: str = "", outer: str = "") -> str:
    """SQL for rows in whole seconds, each with the number of the rule that it breaks, or NULL."""
    user, symptom, _, end = bulk.texts
    kinds = ", ".join(literal(symptom) for symptom in SYMPTOMS)
    start_us, end_us = bulk.instants
    return f"""
        SELECT {outer} trim(user_id) AS user_id, start_us // 1000000 AS started,
            (end_us + 999999) // 1000000 AS ended, try_cast(trim(symptom) AS symptom) AS symptom,
            CASE
                WHEN coalesce(trim(user_id), '') = '' THEN 1
                WHEN symptom IS NULL OR trim(symptom) NOT IN ({kinds}) THEN 2
                WHEN start_us IS NULL OR start_us NOT BETWEEN 0 AND {YEAR_9000_US} THEN 3
                WHEN end_us IS NULL AND coalesce(trim(end_text), '') <> '' THEN 4
                WHEN end_us NOT BETWEEN 0 AND {YEAR_9000_US} THEN 4
                WHEN end_us <= start_us THEN 5
            END::UTINYINT AS wrong
        FROM (
            SELECT {inner} {user} AS user_id, {symptom} AS symptom, {start_us} AS start_us, {end_us} AS end_us,
                {end} AS end_text
            FROM {bulk.relation}
        )"""  # noqa: S608


def _insert_incoming(table: Table) -> int:
    inserted = table.execute(
        "INSERT INTO observation SELECT user_id, started, ended, symptom FROM incoming WHERE wrong IS NULL"
    ).fetchall()
    table.execute("DROP TABLE incoming")
    return int(inserted[0][0])


def _finding(source: str, row: RawRow, wrong: int) -> Finding:
    line, _, symptom, start, end = row
    value, rule, remedy = {
        1: ("no user_id", "every observation names its user", "fill it in"),
        2: (f"symptom {symptom!r}", f"a symptom is {', '.join(SYMPTOMS)}", "correct it"),
        3: (f"started_at {start!r}", "not a time", TIME_REMEDY),
        4: (f"ended_at {end!r}", "not a time", f"{TIME_REMEDY}, or leave it empty while still open"),
        5: (f"{start} to {end}", "an observation ends after it starts", "correct one of the times"),
    }[wrong]
    return Finding(source, line, value, rule, remedy)


def _told(source: str, findings: Sequence[Finding], refused: int) -> tuple[Finding, ...]:
    told = tuple(findings[:TOLD_FINDINGS])
    if refused == len(told):
        return told
    rest = Finding(source, None, f"{refused - len(told):,} more rows refused", "as above", "correct these first")
    return (*told, rest)


def _text(value: object) -> str | None:
    """A value as it would stand in a file."""
    if value is None or isinstance(value, str):
        return value
    return iso_jst(parse_instant(value)) if isinstance(value, date) else str(value)
