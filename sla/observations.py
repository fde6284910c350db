"""Reader of observations: who could not open the site, log in or see his information, from when to when.

Files of millions of rows (CSV, NDJSON, Parquet) go straight into the DuckDB table that `sla.quorum` counts:

    observation(user_id VARCHAR, started BIGINT, ended BIGINT)      epoch seconds; ended NULL: still open

A file is read in bulk. One with rows to refuse is walked through once more to tell their lines; one that
cannot be read in bulk is read row by row. A hundred findings of a file are told, the others counted. Times
carry a zone or are JST; a start rounds down to whole seconds, an end up.
"""

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from glob import escape
from itertools import islice
from operator import itemgetter
from pathlib import Path
from tempfile import gettempdir

import duckdb

from sla.evidence import TIME_REMEDY, header_findings
from terms.calendar import iso_jst, parse_instant
from terms.decision import Finding

COLUMNS = ("user_id", "symptom", "started_at", "ended_at")
SYMPTOMS = ("site", "login", "view")
TOLD_FINDINGS = 100
MOST_VERDICTS = 10_000  # rows refused of one file that are looked for by their text
BATCH_ROWS = 50_000
JST_OFFSET_US = 9 * 3600 * 1_000_000
YEAR_9000_US = 221_845_392_000 * 1_000_000

Table = duckdb.DuckDBPyConnection
RawRow = tuple[int, str | None, str | None, str | None, str | None]  # line, then the columns as written


@dataclass(frozen=True, slots=True)
class ObservationsRead:
    """Rows taken and refused, and why: a hundred findings, then one that counts the rest."""

    taken: int
    refused: int
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class _Bulk:
    """A relation to read at once, as SQL: where from, the four columns as text, the two instants in µs."""

    relation: str
    texts: Sequence[str]
    instants: tuple[str, str]
    parameters: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class _File:
    """A file that has the columns it needs: how to read it at once, and row by row."""

    bulk: _Bulk
    rows: Callable[[], Iterator[RawRow | Finding]]


def open_observations() -> Table:
    """An empty table of observations in memory, to be closed; large work spills to the temporary folder."""
    table = duckdb.connect(config={"temp_directory": str(Path(gettempdir()) / "keizoku-duckdb")})
    table.execute("SET TimeZone = 'Asia/Tokyo'")
    table.execute("SET preserve_insertion_order = false")
    table.execute("CREATE TABLE observation (user_id VARCHAR, started BIGINT, ended BIGINT)")
    return table


def add_observations(table: Table, rows: Iterable[tuple[str, int, int | None]]) -> None:
    """Add rows that were checked before: user, start, end (None: still open), in epoch seconds."""
    remaining = iter(rows)
    while batch := list(islice(remaining, BATCH_ROWS)):
        users, starts, ends = zip(*batch, strict=True)
        table.execute(
            "INSERT INTO observation SELECT unnest($users::VARCHAR[]), unnest($starts::BIGINT[]), "
            "unnest($ends::BIGINT[])",
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
    formats = {".csv": _csv, ".ndjson": _ndjson, ".jsonl": _ndjson, ".parquet": _parquet}
    opened = formats.get(path.suffix.lower())
    if opened is None:
        rule = f"observations are {', '.join(formats)}"
        return _refused(Finding(str(path), None, f"{path.name!r}", rule, "convert or rename it"))
    with path.open("rb"):
        pass  # a file that is not there is the caller's error, not a finding
    try:
        file = opened(table, path, names, symptom)
    except UnicodeDecodeError:
        return _refused(Finding(str(path), 1, "not UTF-8", "files are UTF-8", "save the file as UTF-8"))
    except duckdb.Error as error:
        told = str(error).splitlines()[0]
        return _refused(Finding(str(path), None, told, "the file can be read", "export it again"))
    if not isinstance(file, _File):
        return _refused(*file)
    return _take_bulk(table, str(path), file) or _take_rows(table, str(path), file.rows())


def _csv(table: Table, path: Path, names: Mapping[str, str], symptom: str | None) -> _File | list[Finding]:
    with path.open("rb") as file:
        first_line = file.readline().decode("utf-8-sig")
    header = [name.strip() for name in next(csv.reader([first_line]), [])]
    if lacking := header_findings(str(path), names.values(), header):
        return lacking
    places = {name: header.index(written) for name, written in names.items()}
    texts = [f"c{places[name]}" if name in places else _literal(symptom) for name in COLUMNS]
    fields = ", ".join(f"'c{place}': 'VARCHAR'" for place in range(len(header)))
    relation = (
        "read_csv($file, header = true, auto_detect = false, delim = ',', quote = '\"', escape = '\"', "
        f"columns = {{{fields}}}, store_rejects = true, rejects_table = 'reject', rejects_scan = 'reject_scan')"
    )

    width = len(header)
    four_of = itemgetter(*(places.get(name, width) for name in COLUMNS))

    def rows() -> Iterator[RawRow | Finding]:
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            reader = csv.reader(file)
            next(reader)
            try:
                for values in reader:
                    if len(values) == width and _is_utf8("".join(values)):
                        values.append(symptom or "")
                        yield reader.line_num, *four_of(values)
                    elif values:
                        value = ",".join(values)[:80].encode("utf-8", "replace").decode()
                        yield Finding(str(path), reader.line_num, value, *_broken_record(values, width))
            except csv.Error as error:
                yield Finding(str(path), reader.line_num, str(error), "rows are CSV", "close its quotes")

    return _File(_bulk(path, relation, texts), rows)


def _ndjson(table: Table, path: Path, names: Mapping[str, str], symptom: str | None) -> _File | list[Finding]:
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        present = sorted({name for line in islice(file, 100) for name in _json_object(line) or ()})
    needed = [written for name, written in names.items() if name != "ended_at"]  # left out: still open
    if present and (lacking := header_findings(str(path), needed, present)):
        return lacking
    texts = [f"(row ->> {_literal(names[n])})" if n in names else _literal(symptom) for n in COLUMNS]
    relation = (
        "(SELECT try_cast(json AS JSON) AS row FROM read_csv($file, header = false, auto_detect = false, "
        "delim = '\x01', quote = '', escape = '', columns = {'json': 'VARCHAR'}) WHERE trim(json) <> '')"
    )

    def rows() -> Iterator[RawRow | Finding]:
        with path.open(encoding="utf-8-sig", errors="surrogateescape") as file:
            for line, written in enumerate(file, start=1):
                if not written.strip():
                    continue
                found = _json_object(written)
                if found is None or not _is_utf8(written):
                    value = written.strip()[:80].encode("utf-8", "replace").decode()
                    rule = "a line is one JSON object in UTF-8"
                    yield Finding(str(path), line, value, rule, "correct the line")
                else:
                    user, kind, start, end = (
                        _json_text(found.get(names[name])) if name in names else symptom for name in COLUMNS
                    )
                    yield line, user, kind, start, end

    return _File(_bulk(path, relation, texts), rows)


def _parquet(table: Table, path: Path, names: Mapping[str, str], symptom: str | None) -> _File | list[Finding]:
    parameters = {"file": escape(str(path))}
    described = table.execute("DESCRIBE SELECT * FROM read_parquet($file)", parameters).fetchall()
    types = {str(row[0]): str(row[1]) for row in described}
    if lacking := header_findings(str(path), names.values(), list(types)):
        return lacking
    texts = [f"{_quoted(names[n])}::VARCHAR" if n in names else _literal(symptom) for n in COLUMNS]
    start_us, end_us = (_typed_us(_quoted(names[name]), types[names[name]]) for name in ("started_at", "ended_at"))
    relation = "read_parquet($file)"

    def rows() -> Iterator[RawRow | Finding]:
        selected = f"SELECT {', '.join(texts)} FROM {relation}"  # noqa: S608
        cursor = table.cursor()
        cursor.execute("SET TimeZone = 'Asia/Tokyo'")
        cursor.execute("SET preserve_insertion_order = true")
        cursor.execute(selected, parameters)
        line = 0
        while batch := cursor.fetchmany(BATCH_ROWS):
            for user, kind, start, end in batch:
                line += 1
                yield line, user, kind, start, end

    return _File(_Bulk(relation, texts, (start_us, end_us), parameters), rows)


def _bulk(path: Path, relation: str, texts: Sequence[str]) -> _Bulk:
    return _Bulk(relation, texts, (_written_us(texts[2]), _written_us(texts[3])), {"file": escape(str(path))})


def _take_bulk(table: Table, source: str, file: _File) -> ObservationsRead | None:
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
    told = list(islice(_told_rows(source, file.rows(), verdicts), min(refused, TOLD_FINDINGS)))
    return ObservationsRead(taken, refused, _told(source, told, refused))


def _verdicts(table: Table, bulk: _Bulk) -> dict[tuple[str | None, ...], int]:
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
        bulk = _Bulk(relation, ("u", "s", "k", "e"), (_written_us("k"), _written_us("e")), {})
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


def _checked(bulk: _Bulk, inner: str = "", outer: str = "") -> str:
    """SQL for rows in whole seconds, each with the number of the rule that it breaks, or NULL."""
    user, symptom, _, end = bulk.texts
    kinds = ", ".join(_literal(symptom) for symptom in SYMPTOMS)
    start_us, end_us = bulk.instants
    return f"""
        SELECT {outer} trim(user_id) AS user_id, start_us // 1000000 AS started,
            (end_us + 999999) // 1000000 AS ended,
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


def _written_us(text: str) -> str:
    """SQL: the instant of a written time, JST unless it has a zone; NULL for words such as infinity."""
    instant = f"try_cast(trim({text}) AS TIMESTAMPTZ)"
    return f"CASE WHEN trim({text}) BETWEEN '0' AND ':' THEN epoch_us({instant}) END"


def _typed_us(column: str, type_name: str) -> str:
    """SQL: the instant of a Parquet column of this type; a time without a zone is JST."""
    if type_name == "VARCHAR":
        return _written_us(column)
    if type_name == "TIMESTAMP WITH TIME ZONE":
        return f"epoch_us({column})"
    if type_name.startswith("TIMESTAMP") or type_name == "DATE":
        return f"epoch_us({column}::TIMESTAMP) - {JST_OFFSET_US}"
    return "NULL::BIGINT"


def _insert_incoming(table: Table) -> int:
    inserted = table.execute(
        "INSERT INTO observation SELECT user_id, started, ended FROM incoming WHERE wrong IS NULL"
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


def _refused(*findings: Finding) -> ObservationsRead:
    return ObservationsRead(0, 0, findings)


def _broken_record(values: Sequence[str], width: int) -> tuple[str, str]:
    """Rule and remedy for a CSV record that is broken as such."""
    if len(values) == width:
        return "files are UTF-8", "save the file as UTF-8"
    return f"the header has {width} columns, this row {len(values)}", "quote values that hold a comma"


def _is_utf8(text: str) -> bool:
    """Whether text read with surrogateescape was UTF-8."""
    return text.isascii() or not any("\udc80" <= char <= "\udcff" for char in text)


def _json_object(line: str) -> dict[str, object] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _json_text(value: object) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value)


def _text(value: object) -> str | None:
    """A value as it would stand in a file."""
    if value is None or isinstance(value, str):
        return value
    return iso_jst(parse_instant(value)) if isinstance(value, date) else str(value)


def _literal(text: str | None) -> str:
    return "NULL" if text is None else "'" + text.replace("'", "''") + "'"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
