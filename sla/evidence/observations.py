"""Reader of observations: who could not open the site, log in or see his information, from when to when.

Files of millions of rows (Parquet, CSV, NDJSON) become one DuckDB relation, which `outage_threshold` counts:

    observation(user_id, started, ended, symptom)      epoch seconds; ended NULL: still open
    observation_minute(moment, delta)                  rows that start in a minute, less those that end before it

    Parquet files ───────────────────────────── read in place ──┐
    CSV, NDJSON ──parsed once──> a temporary Parquet file ──────┼──> observation
    rows of a document ─────────> a table ──────────────────────┘

Nothing is held in memory but what a query works on, and that is bounded: more spills to a temporary folder.
The symptom is kept as evidence and decides nothing: a user who cannot do one thing or three is one user.

A file is read in bulk. One with rows to refuse is walked through once more to find their lines; one that
cannot be read in bulk is read row by row. A hundred findings of a file are listed, the others counted. Times
carry a zone or are JST; a start rounds down to whole seconds, an end up.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType

from keizoku.sla.evidence.observation_checks import SYMPTOMS, broken_rule, present_us, rules, wrong_rule
from keizoku.sla.evidence.observation_files import (
    BATCH_ROWS,
    COLUMNS,
    FORMATS,
    Bulk,
    ObservationFile,
    RawRow,
    Table,
    carried,
    file_literal,
    grouped_files,
    literal,
    open_files,
    partition_of,
    text_bulk,
)
from keizoku.sla.evidence.sql_query import SIDES, edge
from keizoku.terms.calendar import iso_jst, parse_instant
from keizoku.terms.decision import Finding

LISTED_FINDINGS = 100
MOST_BROKEN_ROWS = 10_000  # rows refused of one file that are looked for by their text
MEMORY_MB = 320  # of DuckDB, for up to 13 million rows
BYTES_PER_ROW = 25  # beyond: enough for the partitions that are sorted at once, the rest is on disk
MOST_MEMORY_MB = 3_072


@dataclass(frozen=True, slots=True)
class ObservationsRead:
    """Rows taken and refused, and why: a hundred findings, then one that counts the rest."""

    taken: int
    refused: int
    findings: tuple[Finding, ...]


@dataclass(slots=True)
class Observations:
    """What was read so far, as the relation `observation` of a DuckDB connection; to be closed."""

    table: Table
    folder: TemporaryDirectory[str]
    now_us: int | None = None  # the present, where what ends later is refused
    rows: int = 0
    _relations: list[str] = field(default_factory=list)

    def __enter__(self) -> Observations:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the memory and the temporary files."""
        self.table.close()
        self.folder.cleanup()

    def clear(self) -> None:
        """Forget every row."""
        self.table.execute("DELETE FROM taken_row")
        self.table.execute("DELETE FROM observation_minute")
        self.rows = 0
        self._relations.clear()
        self._show()

    def add_relation(self, good_rows: str, count: int, *, counted: bool = False) -> None:
        """Take in the rows of a query that has the four columns of `observation`; `counted`: by the minute too."""
        if not counted:
            self.count_minutes(f"FROM ({good_rows}) WHERE ended IS NULL OR ended > started")
        self._relations.append(good_rows)
        self.rows += count
        self._show()

    def take(self, count: int) -> None:
        """Count in so many rows that were put into the table."""
        self.rows += count
        self._show()

    def count_minutes(self, good_rows: str) -> int:
        """Count by the minute the rows of a query, each of which ends after it starts; how many there are.

        A row that is still open never ends here: what is counted is at least what there is, all that it is used for.
        """
        moment = edge("started // 60 * 60", "(ended + 59) // 60 * 60")
        self.table.execute(
            f"""CREATE OR REPLACE TEMP TABLE counted AS
            SELECT moment, sum(side) AS delta, count(*) AS edges
            FROM (SELECT {moment} AS moment, side FROM ({good_rows}) CROSS JOIN {SIDES}) GROUP BY moment"""  # noqa: S608
        )
        self.table.execute("INSERT INTO observation_minute SELECT moment, delta FROM counted WHERE moment IS NOT NULL")
        return _count(self.table, "SELECT coalesce(sum(edges), 0) // 2 FROM counted")

    def free_file(self) -> Path:
        """A name for another temporary file."""
        return Path(self.folder.name) / f"{len(self._relations)}-{self.rows}.written"

    def settle(self) -> None:
        """Leave out rows that were still open where one with the end of the same outage was read too."""
        if not self.table.execute("FROM observation WHERE ended IS NULL LIMIT 1").fetchall():
            return
        self.table.execute(
            """CREATE OR REPLACE TEMP TABLE settled AS
            SELECT DISTINCT user_id, symptom, started FROM observation WHERE ended IS NULL
            INTERSECT SELECT user_id, symptom, started FROM observation WHERE ended IS NOT NULL"""
        )
        is_settled = "(row.user_id, row.symptom, row.started) IN (SELECT (user_id, symptom, started) FROM settled)"
        self.table.execute(
            f"CREATE OR REPLACE VIEW observation AS SELECT row.* FROM ({self._sources()}) AS row "  # noqa: S608
            f"WHERE row.ended IS NOT NULL OR NOT {is_settled}"
        )

    def _sources(self) -> str:
        """All that was read. An empty table is left out: it would make users texts."""
        any_taken = self.table.execute("FROM taken_row LIMIT 1").fetchall()
        taken = ["FROM taken_row"] if any_taken or not self._relations else []
        return " UNION ALL ".join([*taken, *self._relations])

    def _show(self) -> None:
        """Memory grows with the rows, within its bounds."""
        memory_mb = min(max(MEMORY_MB, self.rows * BYTES_PER_ROW // 1_000_000), MOST_MEMORY_MB)
        self.table.execute(f"SET memory_limit = '{memory_mb}MB'")
        self.table.execute(f"CREATE OR REPLACE VIEW observation AS {self._sources()}")


def open_observations(now: datetime | None = None) -> Observations:
    """Nothing observed yet, in memory that is bounded; to be closed. What ends after `now` is refused."""
    folder = TemporaryDirectory(prefix="keizoku-observations-")
    import duckdb  # of the extra `evidence`; a night without claims does without it

    table = duckdb.connect(config={"temp_directory": str(Path(folder.name) / "spilled")})
    table.execute("SET TimeZone = 'Asia/Tokyo'")
    table.execute("SET preserve_insertion_order = false")
    table.execute(f"CREATE TYPE symptom AS ENUM ({', '.join(literal(symptom) for symptom in SYMPTOMS)})")
    table.execute("CREATE TABLE taken_row (user_id VARCHAR, started BIGINT, ended BIGINT, symptom symptom)")
    table.execute("CREATE TABLE observation_minute (moment BIGINT, delta BIGINT)")
    observed = Observations(table, folder, None if now is None else present_us(now))
    observed.clear()
    return observed


def read_observation_rows(
    observed: Observations, rows: Iterable[Sequence[object] | Mapping[str, object]], source: str
) -> ObservationsRead:
    """Add the good rows of a document: lists in the order of COLUMNS, or mappings."""
    written: list[RawRow | Finding] = []
    for line, row in enumerate(rows, start=1):
        values = [row.get(name) for name in COLUMNS] if isinstance(row, Mapping) else list(row)
        user, symptom, start, end = (_text(value) for value in [*values, None, None, None, None][:4])
        written.append((line, user, symptom, start, end))
    return _take_rows(observed, source, iter(written))


def read_observations(
    observed: Observations,
    paths: Path | Sequence[Path],
    columns: Mapping[str, str] | None = None,
    symptom: str | None = None,
) -> ObservationsRead:
    """Add the good rows of files and of all files in folders. OSError for one that cannot be opened.

    `columns` says under which name a file has a column of ours; `symptom` is what all its rows mean.
    """
    names = {name: (columns or {}).get(name, name) for name in COLUMNS if not (symptom and name == "symptom")}
    given = [paths] if isinstance(paths, Path) else list(paths)
    groups = grouped_files(given)
    partitioned = any(path.is_dir() for path in given) or any(len(group) > 1 for group in groups)
    partitioned = partitioned or any(partition_of(file, names.values()) for group in groups for file in group)
    reads = [_read_group(observed, group, names, symptom, partitioned) for group in groups]
    empty = [path for path in given if path.is_dir() and not grouped_files([path])]
    nothing = tuple(
        Finding(
            str(path), None, "no observations in this folder", f"files are {', '.join(FORMATS)}", "name another one"
        )
        for path in empty
    )
    return ObservationsRead(
        sum(read.taken for read in reads),
        sum(read.refused for read in reads),
        (*(finding for read in reads for finding in read.findings), *nothing),
    )


def _read_group(
    observed: Observations, files: Sequence[Path], names: Mapping[str, str], symptom: str | None, partitioned: bool
) -> ObservationsRead:
    file = open_files(observed.table, files, names, symptom, partitioned=partitioned)
    if isinstance(file, ObservationFile):
        file = replace(file, bulk=replace(file.bulk, now_us=observed.now_us))
        read = _take_in_place(observed, file) if file.bulk.in_place else _take_parsed(observed, file)
        if read is not None:
            return read
    if len(files) > 1:  # one of them spoils the group: each speaks for itself
        reads = [_read_group(observed, [each], names, symptom, partitioned) for each in files]
        findings = tuple(finding for read in reads for finding in read.findings)
        return ObservationsRead(sum(read.taken for read in reads), sum(read.refused for read in reads), findings)
    if not isinstance(file, ObservationFile):
        return ObservationsRead(0, 0, tuple(file))
    source, rows = file.parts[0]
    return _take_rows(observed, source, rows())


def _take_in_place(observed: Observations, file: ObservationFile) -> ObservationsRead | None:
    """Add the good rows of a relation that stays where it is; None, and nothing added, if it cannot be read."""
    import duckdb

    table, bulk = observed.table, file.bulk
    try:
        broken = _broken_rules(table, bulk) if bulk.typed else set(rules(bulk))
        rows = _count(table, f"SELECT count(*) FROM {bulk.relation}")  # noqa: S608
        good = f"FROM ({_checked(bulk, broken=broken)}) WHERE wrong IS NULL"
        taken = observed.count_minutes(good)
    except duckdb.Error:
        return None
    refused = rows - taken
    if not refused:
        good = f"FROM ({_checked(bulk, broken=())})"
    observed.add_relation(f"SELECT user_id, started, ended, symptom {good}", taken, counted=True)
    return _read_of_bulk(observed, file, taken, refused)


def _broken_rules(table: Table, bulk: Bulk) -> set[int]:
    """The rules that any row breaks. One at a time: a file's own statistics settle most without reading a row."""
    return {
        number
        for number, breaks in rules(bulk).items()
        if table.execute(f"SELECT 1 FROM {bulk.relation} WHERE {breaks} LIMIT 1").fetchall()  # noqa: S608
    }


def _take_parsed(observed: Observations, file: ObservationFile) -> ObservationsRead | None:
    """Parse text once and for all and add its good rows; None, and nothing added, if it cannot be read at once."""
    import duckdb

    parsed = observed.free_file()
    try:
        observed.table.execute(f"COPY ({_checked(file.bulk)}) TO {literal(str(parsed))} (FORMAT parquet)")
    except duckdb.Error:
        _drop_rejects(observed.table)
        parsed.unlink(missing_ok=True)
        return None
    relation = f"read_parquet({file_literal(parsed)})"
    good = f"SELECT user_id, started, ended, symptom::symptom AS symptom FROM {relation} WHERE wrong IS NULL"  # noqa: S608
    taken = observed.count_minutes(good)
    refused = _count(observed.table, f"SELECT count(*) FROM {relation}") - taken  # noqa: S608
    observed.add_relation(good, taken, counted=True)
    return _read_of_bulk(observed, file, taken, refused)


def _read_of_bulk(observed: Observations, file: ObservationFile, taken: int, refused: int) -> ObservationsRead:
    """What was read of a relation, with the first of its findings."""
    table = observed.table
    rule_of = _rules_of_rows(table, file.bulk) if refused else {}
    if _count(table, "SELECT count(*) FROM duckdb_tables() WHERE table_name = 'reject'"):
        refused += _count(table, "SELECT count(DISTINCT line) FROM reject")
    _drop_rejects(table)
    listed: list[Finding] = []
    for source, rows in file.parts:
        most = min(refused, LISTED_FINDINGS) - len(listed)
        if most:
            with closing(rows()) as walked:
                listed += islice(_findings_of_rows(source, walked, rule_of), most)
    source = file.parts[0][0] if len(file.parts) == 1 else f"{file.parts[0][0]} and {len(file.parts) - 1} more"
    return ObservationsRead(taken, refused, _listed(source, listed, refused))


def _rules_of_rows(table: Table, bulk: Bulk) -> dict[tuple[str | None, ...], int]:
    """The refused rows as they are written, each with the number of the rule that it breaks."""
    user, symptom, start, end = bulk.texts
    checked = _checked(bulk, f"{user} AS u, {symptom} AS s, {start} AS k, {end} AS e,")
    query = f"SELECT DISTINCT u, s, k, e, wrong FROM ({checked}) WHERE wrong IS NOT NULL"  # noqa: S608
    rule_of: dict[tuple[str | None, ...], int] = {}
    for *written, rule in table.execute(f"{query} ORDER BY ALL LIMIT {MOST_BROKEN_ROWS}").fetchall():
        rule_of[tuple(written)] = rule
        rule_of[tuple(value or "" for value in written)] = rule  # a CSV read row by row has no NULL
    return rule_of


def _findings_of_rows(
    source: str, rows: Iterator[RawRow | Finding], rule_of: Mapping[tuple[str | None, ...], int]
) -> Iterator[Finding]:
    """Findings for broken records, and for rows written like those that were refused, with their lines."""
    for row in rows:
        if isinstance(row, Finding):
            yield row
        elif wrong := rule_of.get(row[1:]):
            yield broken_rule(source, row, wrong)


def _drop_rejects(table: Table) -> None:
    for name in ("reject", "reject_scan"):
        table.execute(f"DROP TABLE IF EXISTS {name}")


def _count(table: Table, query: str) -> int:
    return int(table.execute(query).fetchall()[0][0])


def _take_rows(observed: Observations, source: str, rows: Iterator[RawRow | Finding]) -> ObservationsRead:
    """Add the good rows; every other is a finding with its line."""
    table = observed.table
    taken = refused = 0
    listed: list[Finding] = []
    while batch := list(islice(rows, BATCH_ROWS)):
        raw = [row for row in batch if not isinstance(row, Finding)]
        findings = [row for row in batch if isinstance(row, Finding)]
        columns: Iterable[Sequence[object]] = zip(*raw, strict=True) if raw else [()] * 5
        relation = (
            "(SELECT unnest($l::BIGINT[]) AS line, unnest($u::VARCHAR[]) AS u, unnest($s::VARCHAR[]) AS s, "
            "unnest($k::VARCHAR[]) AS k, unnest($e::VARCHAR[]) AS e)"
        )
        bulk = replace(text_bulk(relation, ("u", "s", "k", "e")), now_us=observed.now_us)
        table.execute(
            f"CREATE TEMP TABLE incoming AS {_checked(bulk, 'line, u, s, k, e,')}",
            {name: [carried(each) for each in values] for name, values in zip("luske", columns, strict=True)},
        )
        bad = table.execute(
            "SELECT line, u, s, k, e, wrong FROM incoming WHERE wrong IS NOT NULL ORDER BY line"
        ).fetchall()
        findings += [broken_rule(source, row[:5], row[5]) for row in bad]
        taken += _insert_incoming(observed)
        refused += len(findings)
        if len(listed) < LISTED_FINDINGS:
            listed += sorted(findings, key=lambda finding: finding.line or 0)
    observed.take(taken)
    return ObservationsRead(taken, refused, _listed(source, listed, refused))


def _checked(bulk: Bulk, also: str = "", broken: Collection[int] | None = None) -> str:
    """SQL for rows in whole seconds, each with the number of the rule that it breaks, or NULL: column `wrong`.

    `also`: more columns; `broken`: the rules that any row breaks, if that is known.
    """
    symptom = bulk.texts[1]
    start_us, end_us = bulk.instants
    return f"""
        SELECT {also} {bulk.user} AS user_id, {start_us} // 1000000 AS started,
            ({end_us} + 999999) // 1000000 AS ended,
            coalesce(try_cast({symptom} AS symptom), try_cast(trim({symptom}) AS symptom)) AS symptom,
            ({wrong_rule(bulk, broken)})::UTINYINT AS wrong
        FROM {bulk.relation}"""  # noqa: S608


def _insert_incoming(observed: Observations) -> int:
    table = observed.table
    observed.count_minutes("FROM incoming WHERE wrong IS NULL")
    inserted = table.execute(
        "INSERT INTO taken_row SELECT user_id, started, ended, symptom FROM incoming WHERE wrong IS NULL"
    ).fetchall()
    table.execute("DROP TABLE incoming")
    return int(inserted[0][0])


def _listed(source: str, findings: Sequence[Finding], refused: int) -> tuple[Finding, ...]:
    listed = tuple(findings[:LISTED_FINDINGS])
    if refused == len(listed):
        return listed
    rest = Finding(source, None, f"{refused - len(listed):,} more rows refused", "as above", "correct these first")
    return (*listed, rest)


def _text(value: object) -> str | None:
    """A value as it would stand in a file."""
    if value is None or isinstance(value, str):
        return value
    return iso_jst(parse_instant(value)) if isinstance(value, date) else str(value)
