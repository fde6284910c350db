"""The files in which observations come: CSV, NDJSON, Parquet, each to read in bulk and row by row.

Decides nothing about a row; `observations` does. What a file as a whole lacks is a finding here. Many Parquet
files are one relation; the names of folders such as `symptom=site` are columns of the files in them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from glob import escape
from itertools import islice
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from keizoku.terms.calendar import WRITTEN_TIME
from keizoku.terms.decision import Finding
from keizoku.terms.inputs.input_files import (
    BrokenRecord,
    csv_records,
    delimiter_of,
    header_findings,
    header_names,
    regular_file,
)

if TYPE_CHECKING:
    import duckdb  # of the extra `evidence`; a night without claims does without it

COLUMNS = ("user_id", "symptom", "started_at", "ended_at")
BATCH_ROWS = 50_000
HEADER_BYTES = 65_536
JST_OFFSET_US = 9 * 3600 * 1_000_000
FORMATS = (".csv", ".ndjson", ".jsonl", ".parquet")
WHOLE_NUMBERS = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"}

Table: TypeAlias = "duckdb.DuckDBPyConnection"
RawRow = tuple[int, str | None, str | None, str | None, str | None]  # line, then COLUMNS as written


@dataclass(frozen=True, slots=True)
class Bulk:
    """A relation to read at once, as SQL: where from, the four columns as text, and what they mean.

    `user`: the user, a whole number where the file has one; `instants`: start and end in µs.
    """

    relation: str
    texts: Sequence[str]
    user: str
    no_user: str
    instants: tuple[str, str]
    end_is_written: str
    in_place: bool  # cheap to read again; text is parsed once
    decimal_user: str = "false"  # SQL: the user is a decimal number
    now_us: int | None = None  # the present: what ends later is not over; None: nobody asks
    typed: bool = False  # instants are: whether any row breaks a rule, the file's own statistics mostly know


Rows = Generator[RawRow | Finding, None, None]


@dataclass(frozen=True, slots=True)
class ObservationFile:
    """Files that have the columns they need: how to read them at once, and each row by row."""

    bulk: Bulk
    parts: Sequence[tuple[str, Callable[[], Rows]]]  # (file, its rows)


def grouped_files(paths: Iterable[Path]) -> list[tuple[Path, ...]]:
    """Files and folders as groups to be read as one: all Parquet files together, every other file alone.

    Of a folder every file of a known kind, at any depth, but those whose name or folder begins with . or _.
    """
    files: dict[Path, None] = {}
    for path in paths:
        found = sorted(_observations_in(path)) if path.is_dir() else [path]
        files.update(dict.fromkeys(found))
    parquet = tuple(file for file in files if file.suffix.lower() == ".parquet")
    others: list[tuple[Path, ...]] = [(file,) for file in files if file.suffix.lower() != ".parquet"]
    return [parquet, *others] if parquet else others


def partition_of(path: Path, columns: Iterable[str]) -> dict[str, str]:
    """The columns of a Parquet file that stand in the names of its folders: `symptom=site`."""
    if path.suffix.lower() != ".parquet":
        return {}
    named = (part.partition("=") for part in path.parts[:-1])
    return {name: value for name, equals, value in named if equals and name in columns}


def open_files(
    table: Table, files: Sequence[Path], names: Mapping[str, str], symptom: str | None, *, partitioned: bool
) -> ObservationFile | list[Finding]:
    """How to read a group of files; findings if it is of no known kind or lacks a column. OSError if one is not there.

    `names` says under which name the file has a column of ours; `symptom` is what all its rows mean;
    `partitioned`: names of folders are columns.
    """
    import duckdb

    path = files[0]
    if path.suffix.lower() not in FORMATS:
        rule = f"observations are {', '.join(FORMATS)}"
        return [Finding(str(path), None, f"{path.name!r}", rule, "convert or rename it")]
    for file in files:
        regular_file(file)
        with file.open("rb"):
            pass  # a file that is not there is the caller's error, not a finding
    try:
        if path.suffix.lower() == ".parquet":
            return _parquet(table, files, names, symptom, partitioned)
        opened = _csv if path.suffix.lower() == ".csv" else _ndjson
        return opened(path, names, symptom)
    except UnicodeDecodeError:
        return [Finding(str(path), 1, "not UTF-8", "files are UTF-8", "save the file as UTF-8")]
    except duckdb.Error as error:
        why = str(error).splitlines()[0]
        return [Finding(str(path), None, why, "the file can be read", "export it again")]


def written_us(text: str) -> str:
    """SQL: the instant of a written time, JST unless it has an offset; NULL for what `parse_instant` refuses, too.

    What is written as nearly all times are is read by its places: of that length, from a digit to the zone,
    no digit can be left out. Whatever else is held against the one definition, which is slow.
    """
    cast = f"epoch_us(try_cast(trim({text}) AS TIMESTAMPTZ))"
    digits, minutes = "[0-9]" * 2, "[0-5][0-9]"
    local = " ".join(
        f"WHEN {text} GLOB '{digits * 2}-{digits}-{digits}[T ]{hour}:{minutes}:{minutes}' THEN {cast}"
        for hour in ("[01][0-9]", "2[0-3]")
    )
    any_other = f"CASE {local} WHEN regexp_full_match(trim({text}), {literal(WRITTEN_TIME)}) THEN {cast} END"
    usual = " ".join(
        f"WHEN strlen({text}) = {length} AND suffix({text}, '{zone}') AND {text} BETWEEN '0' AND ':' THEN "
        f"coalesce(epoch_us(try_strptime({text}, '%Y-%m-%dT%H:%M:%S{zone}')) - {ahead_us}, {any_other})"
        for zone, length, ahead_us in (("+09:00", 25, JST_OFFSET_US), ("Z", 20, 0))
    )
    return f"CASE {usual} ELSE {any_other} END"


def file_literal(path: Path) -> str:
    """SQL: exactly this file, whatever its name."""
    return literal(escape(str(path)))


def literal(text: str | None) -> str:
    """SQL: a text, or NULL."""
    return "NULL" if text is None else "'" + text.replace("'", "''") + "'"


def _observations_in(folder: Path) -> Iterable[Path]:
    for path in folder.rglob("*"):
        hidden = any(part.startswith((".", "_")) for part in path.relative_to(folder).parts)
        if path.suffix.lower() in FORMATS and not hidden and path.is_file():
            yield path


def _csv(path: Path, names: Mapping[str, str], symptom: str | None) -> ObservationFile | list[Finding]:
    findings: list[Finding] = []
    header, delimiter = _header(path, findings)
    if header is None:
        return findings
    if lacking := header_findings(str(path), names.values(), header):
        return lacking
    places = {name: header.index(written) for name, written in names.items()}
    texts = [f"c{places[name]}" if name in places else literal(symptom) for name in COLUMNS]
    fields = ", ".join(f"'c{place}': 'VARCHAR'" for place in range(len(header)))
    relation = (
        f"read_csv({file_literal(path)}, header = true, auto_detect = false, delim = {literal(delimiter)}, "
        f"quote = '\"', escape = '\"', columns = {{{fields}}}, "
        "store_rejects = true, rejects_table = 'reject', rejects_scan = 'reject_scan')"
    )

    width = len(header)
    four_of = itemgetter(*(places.get(name, width) for name in COLUMNS))

    def rows() -> Rows:
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            records = csv_records(file, delimiter)
            next(records)
            for line, values in records:
                if isinstance(values, BrokenRecord):
                    yield Finding(str(path), line, values.value, "rows are CSV", "close its quotes")
                elif len(values) == width and _is_utf8("".join(values)):
                    yield line, *four_of([*values, symptom or ""])
                elif values:
                    value = ",".join(values)[:80].encode("utf-8", "replace").decode()
                    yield Finding(str(path), line, value, *_broken_record(values, width))

    return ObservationFile(text_bulk(relation, texts), [(str(path), rows)])


def _header(path: Path, findings: list[Finding]) -> tuple[list[str] | None, str]:
    """The names in the first record, or None after a finding, and what parts columns. Raises UnicodeDecodeError."""
    with path.open("rb") as file:
        head = file.read(HEADER_BYTES).decode("utf-8-sig", "surrogateescape")
    delimiter = delimiter_of(head)
    header = header_names(str(path), csv_records(head, delimiter), findings)
    for name in header or ():
        name.encode(errors="surrogateescape").decode()
    return header, delimiter


def _ndjson(path: Path, names: Mapping[str, str], symptom: str | None) -> ObservationFile | list[Finding]:
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        present = sorted({name for line in islice(file, 100) for name in _json_object(line) or ()})
    needed = [written for name, written in names.items() if name != "ended_at"]  # left out: still open
    if present and (lacking := header_findings(str(path), needed, present)):
        return lacking
    texts = [f"(row ->> {literal(names[n])})" if n in names else literal(symptom) for n in COLUMNS]
    lines = (
        f"read_csv({file_literal(path)}, header = false, auto_detect = false, delim = '\x01', quote = '', "
        "escape = '', columns = {'json': 'VARCHAR'})"
    )
    relation = f"(SELECT try_cast(json AS JSON) AS row FROM {lines} WHERE trim(json) <> '')"  # noqa: S608

    def rows() -> Rows:
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

    return ObservationFile(text_bulk(relation, texts), [(str(path), rows)])


def _parquet(
    table: Table, files: Sequence[Path], names: Mapping[str, str], symptom: str | None, partitioned: bool
) -> ObservationFile | list[Finding]:
    """Parquet files as one relation; a column may be missing in some of them, and stand in a folder's name."""
    relation = _read_parquet(files, partitioned)
    described = table.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()  # noqa: S608
    types = {str(row[0]): str(row[1]) for row in described}
    if lacking := header_findings(str(files[0]), names.values(), list(types)):
        return lacking
    texts = [f"{_quoted(names[n])}::VARCHAR" if n in names else literal(symptom) for n in COLUMNS]
    start_us, end_us = (_typed_us(_quoted(names[name]), types[names[name]]) for name in ("started_at", "ended_at"))
    user, end = _quoted(names["user_id"]), _quoted(names["ended_at"])
    whole_numbers = types[names["user_id"]] in WHOLE_NUMBERS
    text_user = user if types[names["user_id"]] == "VARCHAR" else texts[0]
    bulk = Bulk(
        relation=relation,
        texts=texts,
        user=user if whole_numbers else _trimmed(text_user),
        no_user=f"{user} IS NULL" if whole_numbers else is_blank(text_user),
        instants=(start_us, end_us),
        end_is_written=is_written(end) if types[names["ended_at"]] == "VARCHAR" else f"{end} IS NOT NULL",
        in_place=True,
        decimal_user=_decimal_users(table, relation, types[names["user_id"]], texts[0]),
        typed="VARCHAR" not in (types[names["started_at"]], types[names["ended_at"]]),
    )
    return ObservationFile(bulk, [(str(file), _parquet_rows(table, file, partitioned, texts)) for file in files])


def _read_parquet(files: Sequence[Path], partitioned: bool, more: str = "") -> str:
    listed = ", ".join(file_literal(file) for file in files)
    hive = "true" if partitioned else "false"
    return f"read_parquet([{listed}], union_by_name = true, hive_partitioning = {hive}{more})"


def _parquet_rows(table: Table, file: Path, partitioned: bool, texts: Sequence[str]) -> Callable[[], Rows]:
    def rows() -> Rows:
        numbered = _read_parquet([file], partitioned, ", file_row_number = true")
        with table.cursor() as cursor:
            cursor.execute("SET TimeZone = 'Asia/Tokyo'")
            query = f"SELECT file_row_number + 1, {', '.join(texts)} FROM {numbered} ORDER BY file_row_number"  # noqa: S608
            cursor.execute(query)
            while batch := cursor.fetchmany(BATCH_ROWS):
                yield from batch

    return rows


def text_bulk(relation: str, texts: Sequence[str]) -> Bulk:
    """How to read a relation whose four columns are texts; each time is made out once, whatever asks for it."""
    user, _, start, end = texts
    return Bulk(
        relation=f"(SELECT *, {written_us(start)} AS start_us, {written_us(end)} AS end_us FROM {relation})",  # noqa: S608
        texts=texts,
        user=_trimmed(user),
        no_user=is_blank(user),
        instants=("start_us", "end_us"),
        end_is_written=is_written(end),
        in_place=False,
        decimal_user=is_decimal(user),
    )


def is_blank(text: str) -> str:
    """SQL: whether a text is NULL or nothing but spaces; most are settled by their first character."""
    return f"({text} IS NULL OR ({text} < '!' AND trim({text}) = ''))"


def is_decimal(text: str) -> str:
    """SQL: an id that a program wrote as a decimal number: of one user it makes two, or of several one."""
    digits_left_out = f"translate(trim({text}), '0123456789', '')"
    decimal = f"((trim({text}) LIKE '%.0' OR trim({text}) LIKE '%.00') AND {digits_left_out} = '.')"
    looked_through = f"({decimal} OR ({text} LIKE '%e+%' AND {digits_left_out} IN ('.e+', 'e+')))"
    return f"CASE WHEN {text} LIKE '%.0%' OR {text} LIKE '%e+%' THEN {looked_through} ELSE false END"  # few are


def _decimal_users(table: Table, relation: str, type_name: str, text: str) -> str:
    """SQL: the same of a Parquet column. Texts are looked through only where its first rows have one."""
    if type_name in WHOLE_NUMBERS:
        return "false"
    if type_name == "VARCHAR":
        first = f"SELECT 1 FROM (SELECT * FROM {relation} LIMIT {BATCH_ROWS}) WHERE {is_decimal(text)} LIMIT 1"  # noqa: S608
        if not table.execute(first).fetchall():
            return "false"
    return is_decimal(text)


def _trimmed(text: str) -> str:
    """SQL: a text without spaces around it; only one with a space, or with letters beyond ASCII, is looked through."""
    return f"CASE WHEN contains({text}, ' ') OR strlen({text}) <> length({text}) THEN trim({text}) ELSE {text} END"


def is_written(text: str) -> str:
    """SQL: whether a text has anything but spaces in it."""
    return f"coalesce(trim({text}), '') <> ''"


def _typed_us(column: str, type_name: str) -> str:
    """SQL: the instant of a Parquet column of this type; a time without a zone is JST."""
    if type_name == "VARCHAR":
        return written_us(column)
    if type_name == "TIMESTAMP WITH TIME ZONE":
        return f"epoch_us({column})"
    if type_name.startswith("TIMESTAMP") or type_name == "DATE":
        return f"(epoch_us({column}::TIMESTAMP) - {JST_OFFSET_US})"
    return "NULL::BIGINT"


def carried(value: object) -> object:
    """Half a letter, which no statement carries, as a control letter, which no rule takes: a finding, not an error."""
    if not isinstance(value, str) or value.isascii():
        return value
    return "".join("\x01" if "\ud800" <= each <= "\udfff" else each for each in value)


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
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _json_text(value: object) -> str | None:
    try:
        return value if value is None or isinstance(value, str) else json.dumps(value)
    except RecursionError:
        return "…"  # nested as deep as nothing that we read is: no time, no user


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
