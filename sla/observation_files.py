"""The files in which observations come: CSV, NDJSON, Parquet, each to read in bulk and row by row.

Decides nothing about a row; `sla.observations` does. What a file as a whole lacks is a finding here.
"""

import csv
import json
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from glob import escape
from itertools import islice
from operator import itemgetter
from pathlib import Path

import duckdb

from sla.evidence import header_findings
from terms.decision import Finding

COLUMNS = ("user_id", "symptom", "started_at", "ended_at")
BATCH_ROWS = 50_000
JST_OFFSET_US = 9 * 3600 * 1_000_000

Table = duckdb.DuckDBPyConnection
RawRow = tuple[int, str | None, str | None, str | None, str | None]  # line, then COLUMNS as written


@dataclass(frozen=True, slots=True)
class Bulk:
    """A relation to read at once, as SQL: where from, the four columns as text, the two instants in µs."""

    relation: str
    texts: Sequence[str]
    instants: tuple[str, str]
    parameters: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class ObservationFile:
    """A file that has the columns it needs: how to read it at once, and row by row."""

    bulk: Bulk
    rows: Callable[[], Generator[RawRow | Finding, None, None]]


def open_file(
    table: Table, path: Path, names: Mapping[str, str], symptom: str | None
) -> ObservationFile | list[Finding]:
    """How to read a file; findings if it is of no known kind or lacks a column. OSError if it cannot be opened.

    `names` says under which name the file has a column of ours; `symptom` is what all its rows mean.
    """
    formats = {".csv": _csv, ".ndjson": _ndjson, ".jsonl": _ndjson, ".parquet": _parquet}
    opened = formats.get(path.suffix.lower())
    if opened is None:
        rule = f"observations are {', '.join(formats)}"
        return [Finding(str(path), None, f"{path.name!r}", rule, "convert or rename it")]
    with path.open("rb"):
        pass  # a file that is not there is the caller's error, not a finding
    try:
        return opened(table, path, names, symptom)
    except UnicodeDecodeError:
        return [Finding(str(path), 1, "not UTF-8", "files are UTF-8", "save the file as UTF-8")]
    except duckdb.Error as error:
        told = str(error).splitlines()[0]
        return [Finding(str(path), None, told, "the file can be read", "export it again")]


def written_us(text: str) -> str:
    """SQL: the instant of a written time, JST unless it has a zone; NULL for words such as infinity."""
    instant = f"try_cast(trim({text}) AS TIMESTAMPTZ)"
    return f"CASE WHEN trim({text}) BETWEEN '0' AND ':' THEN epoch_us({instant}) END"


def literal(text: str | None) -> str:
    """SQL: a text, or NULL."""
    return "NULL" if text is None else "'" + text.replace("'", "''") + "'"


def _csv(table: Table, path: Path, names: Mapping[str, str], symptom: str | None) -> ObservationFile | list[Finding]:
    with path.open("rb") as file:
        first_line = file.readline().decode("utf-8-sig")
    header = [name.strip() for name in next(csv.reader([first_line]), [])]
    if lacking := header_findings(str(path), names.values(), header):
        return lacking
    places = {name: header.index(written) for name, written in names.items()}
    texts = [f"c{places[name]}" if name in places else literal(symptom) for name in COLUMNS]
    fields = ", ".join(f"'c{place}': 'VARCHAR'" for place in range(len(header)))
    relation = (
        "read_csv($file, header = true, auto_detect = false, delim = ',', quote = '\"', escape = '\"', "
        f"columns = {{{fields}}}, store_rejects = true, rejects_table = 'reject', rejects_scan = 'reject_scan')"
    )

    width = len(header)
    four_of = itemgetter(*(places.get(name, width) for name in COLUMNS))

    def rows() -> Generator[RawRow | Finding, None, None]:
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

    return ObservationFile(_bulk(path, relation, texts), rows)


def _ndjson(table: Table, path: Path, names: Mapping[str, str], symptom: str | None) -> ObservationFile | list[Finding]:
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        present = sorted({name for line in islice(file, 100) for name in _json_object(line) or ()})
    needed = [written for name, written in names.items() if name != "ended_at"]  # left out: still open
    if present and (lacking := header_findings(str(path), needed, present)):
        return lacking
    texts = [f"(row ->> {literal(names[n])})" if n in names else literal(symptom) for n in COLUMNS]
    relation = (
        "(SELECT try_cast(json AS JSON) AS row FROM read_csv($file, header = false, auto_detect = false, "
        "delim = '\x01', quote = '', escape = '', columns = {'json': 'VARCHAR'}) WHERE trim(json) <> '')"
    )

    def rows() -> Generator[RawRow | Finding, None, None]:
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

    return ObservationFile(_bulk(path, relation, texts), rows)


def _parquet(
    table: Table, path: Path, names: Mapping[str, str], symptom: str | None
) -> ObservationFile | list[Finding]:
    parameters = {"file": escape(str(path))}
    described = table.execute("DESCRIBE SELECT * FROM read_parquet($file)", parameters).fetchall()
    types = {str(row[0]): str(row[1]) for row in described}
    if lacking := header_findings(str(path), names.values(), list(types)):
        return lacking
    texts = [f"{_quoted(names[n])}::VARCHAR" if n in names else literal(symptom) for n in COLUMNS]
    start_us, end_us = (_typed_us(_quoted(names[name]), types[names[name]]) for name in ("started_at", "ended_at"))

    def rows() -> Generator[RawRow | Finding, None, None]:
        numbered = "read_parquet($file, file_row_number = true) ORDER BY file_row_number"
        with table.cursor() as cursor:
            cursor.execute("SET TimeZone = 'Asia/Tokyo'")
            cursor.execute(f"SELECT file_row_number + 1, {', '.join(texts)} FROM {numbered}", parameters)  # noqa: S608
            while batch := cursor.fetchmany(BATCH_ROWS):
                yield from batch

    return ObservationFile(Bulk("read_parquet($file)", texts, (start_us, end_us), parameters), rows)


def _bulk(path: Path, relation: str, texts: Sequence[str]) -> Bulk:
    return Bulk(relation, texts, (written_us(texts[2]), written_us(texts[3])), {"file": escape(str(path))})


def _typed_us(column: str, type_name: str) -> str:
    """SQL: the instant of a Parquet column of this type; a time without a zone is JST."""
    if type_name == "VARCHAR":
        return written_us(column)
    if type_name == "TIMESTAMP WITH TIME ZONE":
        return f"epoch_us({column})"
    if type_name.startswith("TIMESTAMP") or type_name == "DATE":
        return f"epoch_us({column}::TIMESTAMP) - {JST_OFFSET_US}"
    return "NULL::BIGINT"


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


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
