"""CSV files of banks and stores, read under a layout that names their columns. Pure but for reading the file.

    [columns]                    ours = "theirs"
    amount = "お預り金額"
    [constants]                  ours = a value that all rows have
    store = "google_play"
    [ignore]                     rows whose value begins so are passed over
    payer = ["ストライプ"]

A header may stand below other lines, and notes below the rows; names are compared whatever the width. A day may be in
several columns: date = ["年", "月", "日"]. Nothing is repaired silently: a row that cannot be used is a Finding with
its line. Days and yen are read as banks write them (billing/statements/values.py).
"""

from __future__ import annotations

import codecs
import errno
import io
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from hashlib import sha256
from itertools import chain, islice
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from keizoku.billing.statements.notes import is_note
from keizoku.billing.statements.presets import folded_name
from keizoku.billing.statements.table import Records
from keizoku.billing.statements.values import BadValueError, day_of, folded, text_of, yen_of
from keizoku.limits import LARGEST_PAGE, MOST_LISTED
from keizoku.terms.decision import Finding
from keizoku.terms.inputs.input_files import BrokenRecord, csv_records, header_names, read_whole
from keizoku.terms.refusal import Refused

__all__ = [
    "BadValueError",
    "Layout",
    "MoneyFile",
    "MoneyRow",
    "MoneyRows",
    "day_of",
    "open_money_file",
    "read_layout",
    "read_money_file",
    "text_of",
    "yen_of",
]

_PIECE = 1_048_576
HEADER_WITHIN = 60
"""Records among which the header is looked for; banks write up to a dozen lines above it."""


class Layout(BaseModel):
    """How a file of another system is written."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    encoding: Literal["auto", "utf-8", "cp932"] = "auto"
    delimiter: str = Field(default=",", min_length=1, max_length=1)
    skip_lines: int = Field(default=0, ge=0)
    columns: dict[str, str | tuple[str, ...]] = Field(default_factory=dict)
    constants: dict[str, str] = Field(default_factory=dict)
    ignore: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    products: dict[str, str] = Field(default_factory=dict)  # of a store -> our plan


@dataclass(frozen=True, slots=True)
class MoneyRow:
    """A row of a file by our columns, as it stands there (`raw`), and whether the layout leaves it out."""

    line: int
    values: Mapping[str, str]
    raw: str
    ignored: bool


@dataclass(frozen=True, slots=True)
class MoneyFile:
    """What a file holds: its digest, every row that could be read, what is wrong."""

    sha256: str
    every: tuple[MoneyRow, ...]
    findings: tuple[Finding, ...]
    notes: int = 0  # rows above the header and below it that are none: notes, totals

    @property
    def rows(self) -> tuple[tuple[int, Mapping[str, str]], ...]:
        """(line, values by our column) of each row that the layout does not leave out."""
        return tuple((row.line, row.values) for row in self.every if not row.ignored)

    @property
    def passed_over(self) -> int:
        """How many rows the layout leaves out."""
        return sum(1 for row in self.every if row.ignored)


def read_layout(path: Path | None, columns: Sequence[str]) -> Layout:
    """The layout of a TOML file, or the one of our own columns. Raises Refused in one line."""
    if path is None:
        return Layout()
    try:
        layout = Layout.model_validate(tomllib.loads(read_whole(path, LARGEST_PAGE).decode("utf-8")))
    except OSError as error:
        raise Refused("mapping.unreadable", f"{path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Refused("mapping.form", f"{path}: not TOML: {error}") from None
    except RecursionError:
        raise Refused("mapping.form", f"{path}: its lists are nested too deep") from None
    except ValidationError as error:
        row_text = error.errors()[0]
        raise Refused(
            "mapping.form", f"{path}: {'.'.join(str(part) for part in row_text['loc'])}: {row_text['msg']}"
        ) from None
    for name in (*layout.columns, *layout.constants, *layout.ignore):
        if name not in columns:
            near = get_close_matches(name, columns, n=1)
            hint = f"; did you mean {near[0]}?" if near else f"; there are {', '.join(columns)}"
            raise Refused("mapping.column_unknown", f"{path}: {name} is no column of ours{hint}")
    return layout


class MoneyRows:
    """The rows of a file, one by one as they are read; `findings` and `notes` are whole when the last one was."""

    def __init__(self, sha256: str, findings: list[Finding], notes: int = 0, rows: Iterable[MoneyRow] = ()) -> None:
        self.sha256, self.findings, self.notes = sha256, findings, notes
        self.unlisted = 0  # findings beside the first ones
        self.most: int | None = MOST_LISTED  # that are listed; None: all
        self._rows = rows

    def add(self, finding: Finding) -> None:
        """A row that cannot be used: listed, or counted."""
        if self.most is None or len(self.findings) < self.most:
            self.findings.append(finding)
        else:
            self.unlisted += 1

    def __iter__(self) -> Iterator[MoneyRow]:
        return iter(self._rows)


def read_money_file(
    path: Path,
    columns: Sequence[str],
    needed: Sequence[str],
    layout: Layout,
    known_names: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> MoneyFile:
    """The rows of a file by our columns, all at once: see `open_money_file`."""
    read = open_money_file(path, columns, needed, layout, known_names)
    read.most = None
    every = tuple(read)
    return MoneyFile(read.sha256, every, tuple(read.findings), read.notes)


def open_money_file(
    path: Path,
    columns: Sequence[str],
    needed: Sequence[str],
    layout: Layout,
    known_names: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> MoneyRows:
    """The rows of a file by our columns; optional ones may be missing. Raises OSError if it cannot be opened.

    `known_names`: how others call a column of ours that the layout does not name; read where the file has one of them.
    """
    source = str(path)
    try:
        raw = read_whole(path)
    except OSError as error:
        if error.errno != errno.EFBIG:
            raise
        return MoneyRows("", [Finding(source, None, "too large", f"the file {error.strerror}", "import the parts")])
    digest = sha256(raw).hexdigest()
    encoding = _encoding_of(raw, layout.encoding)
    if encoding is None:
        wanted = "UTF-8 or cp932" if layout.encoding == "auto" else layout.encoding
        remedy = "save it so, or name its encoding"
        return MoneyRows(digest, [Finding(source, None, "its letters", f"the file is not {wanted}", remedy)])
    text = io.TextIOWrapper(io.BytesIO(raw), encoding=encoding, newline="")
    findings: list[Finding] = []
    above, records = _from_header(csv_records(text, layout.delimiter, layout.skip_lines), needed, layout)
    header = header_names(source, records, findings)
    if header is None:
        return MoneyRows(digest, findings)
    if not any(header):
        return MoneyRows(digest, [Finding(source, None, "no header", "the file is empty", "export it again")])
    places, findings = _places(source, header, columns, needed, layout)
    if findings:
        return MoneyRows(digest, findings)
    by_name = _by_known_names(header, places, layout, known_names)
    places |= {name: (place,) for name, place in by_name.items()}
    found = MoneyRows(digest, findings, above)
    found._rows = _rows(source, found, records, len(header), places, layout)
    return found


def _rows(
    source: str, read: MoneyRows, records: Records, width: int, places: Mapping[str, tuple[int, ...]], layout: Layout
) -> Iterator[MoneyRow]:
    ignored = {name: tuple(folded(start) for start in starts) for name, starts in layout.ignore.items()}
    alone = [(name, at[0]) for name, at in places.items() if len(at) == 1]
    joined = [(name, at) for name, at in places.items() if len(at) > 1]
    constants = layout.constants
    for line, values in records:
        if isinstance(values, BrokenRecord):
            remedy = "close the quotes, one row per line"
            read.add(Finding(source, line, values.value, "rows are CSV", remedy))
        elif is_note(values) and width > 1:
            read.notes += any(value.strip() for value in values)
        elif len(values) < width or any(value.strip() for value in values[width:]):
            rule = f"the header has {width} columns, this row {len(values)}"
            row_text = layout.delimiter.join(values)[:80]
            read.add(Finding(source, line, row_text, rule, "quote values that hold the delimiter"))
        else:
            row = {name: values[place].strip() for name, place in alone}
            for name, several in joined:
                row[name] = _joined(values, several)
            if constants:
                row |= constants
            left_out = bool(ignored) and any(
                folded(row.get(name, "")).startswith(starts) for name, starts in ignored.items()
            )
            yield MoneyRow(line, row, layout.delimiter.join(values), left_out)


def _joined(values: Sequence[str], places: Sequence[int]) -> str:
    """The cells of a column of ours; a day that has three of them is written with strokes."""
    cells = [values[place].strip() for place in places]
    if len(cells) == 3 and all(cell.removesuffix(unit).isdigit() for cell, unit in zip(cells, "年月日", strict=True)):
        return "-".join(cell.removesuffix(unit) for cell, unit in zip(cells, "年月日", strict=True))
    return " ".join(cell for cell in cells if cell)


def _theirs(layout: Layout, ours: str) -> tuple[str, ...]:
    """How the file calls the columns of one of ours."""
    named = layout.columns.get(ours, ours)
    return (named,) if isinstance(named, str) else named


def _from_header(records: Records, needed: Sequence[str], layout: Layout) -> tuple[int, Records]:
    """How many lines stand above the header, and the records from it on; from the first where none is a header."""
    wanted = {folded_name(name) for ours in needed if ours not in layout.constants for name in _theirs(layout, ours)}
    looked_at: list[tuple[int, Sequence[str] | BrokenRecord]] = []
    for record in islice(records, HEADER_WITHIN):
        looked_at.append(record)
        cells = record[1]
        if not isinstance(cells, BrokenRecord) and wanted <= {folded_name(cell) for cell in cells}:
            above = [row for _, row in looked_at[:-1] if isinstance(row, BrokenRecord) or any(row)]
            return len(above), chain([record], records)
    return 0, chain(looked_at, records)


def _by_known_names(
    header: Sequence[str],
    places: Mapping[str, tuple[int, ...]],
    layout: Layout,
    known_names: Mapping[str, Sequence[str]],
) -> dict[str, int]:
    """Where columns stand that nobody named: the one whose name says what it is, if no other column of ours is it."""
    theirs = [folded_name(name) for name in header]
    taken = {place for at in places.values() for place in at}
    found: dict[str, int] = {}
    for ours, names in known_names.items():
        if ours in places or ours in layout.constants:
            continue
        wanted = {folded_name(name) for name in names}
        here = [place for place, name in enumerate(theirs) if name in wanted and place not in taken]
        if len(here) == 1:
            found[ours] = here[0]
            taken.add(here[0])
    return found


def _encoding_of(raw: bytes, encoding: str) -> str | None:
    """In which of the encodings a file is written, all of it; looked at piece by piece."""
    if b"\0" in raw:  # no text of a bank; UTF-16, or no text at all
        return None
    for name in ("utf-8-sig", "cp932") if encoding == "auto" else ("utf-8-sig" if encoding == "utf-8" else "cp932",):
        decoder = codecs.getincrementaldecoder(name)()
        view = memoryview(raw)
        try:
            for start in range(0, len(raw), _PIECE):
                decoder.decode(view[start : start + _PIECE])
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            continue
        return name
    return None


def _places(
    source: str, header: Sequence[str], columns: Sequence[str], needed: Sequence[str], layout: Layout
) -> tuple[dict[str, tuple[int, ...]], list[Finding]]:
    """Where each of our columns stands in the file; findings for those that are missing or there twice."""
    places: dict[str, tuple[int, ...]] = {}
    findings = []
    names = [folded_name(name) for name in header]
    for ours in columns:
        if ours in layout.constants:
            continue
        at = []
        for theirs in _theirs(layout, ours):
            count = names.count(folded_name(theirs))
            if count == 1:
                at.append(names.index(folded_name(theirs)))
            elif count or ours in needed or ours in layout.columns:
                rule = (
                    f"the header has it {count} times" if count else f"the header lacks it: {', '.join(header)[:120]}"
                )
                remedy = f'name the file\'s own column in the layout: [columns] {ours} = "…"'
                findings.append(Finding(source, layout.skip_lines + 1, theirs, rule, remedy))
        if at:
            places[ours] = tuple(at)
    return places, findings
