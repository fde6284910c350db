"""CSV files of banks and stores, read under a layout that names their columns. Pure but for reading the file.

    [columns]                    ours = "theirs"
    amount = "お預り金額"
    [constants]                  ours = a value that all rows have
    store = "google_play"
    [ignore]                     rows whose value begins so are passed over
    payer = ["ストライプ"]

Nothing is repaired silently: a row that cannot be used is a Finding with its line. Days and yen are read as banks
write them: 2025-04-30, 2025/4/30, 20250430, 2025年4月30日; 5,300, ¥5300, 5300円, full-width digits.
"""

from __future__ import annotations

import errno
import re
import tomllib
import unicodedata
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from keizoku.limits import LARGEST_PAGE, LONGEST_NAME, is_known_year
from keizoku.terms.decision import Finding
from keizoku.terms.inputs.input_files import BrokenRecord, csv_records, header_names, read_whole
from keizoku.terms.refusal import Refused

_DAY = re.compile(r"(\d{4})(?:-(\d{1,2})-(\d{1,2})|/(\d{1,2})/(\d{1,2})|年(\d{1,2})月(\d{1,2})日|(\d{2})(\d{2}))")
_YEN = re.compile(r"[¥\\]?(-?)[¥\\]?(\d{1,15}|\d{1,3}(?:,\d{3}){1,4})(?:\.0+)?円?")


class Layout(BaseModel):
    """How a file of another system is written."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    encoding: Literal["auto", "utf-8", "cp932"] = "auto"
    delimiter: str = Field(default=",", min_length=1, max_length=1)
    skip_lines: int = Field(default=0, ge=0)
    columns: dict[str, str] = Field(default_factory=dict)
    constants: dict[str, str] = Field(default_factory=dict)
    ignore: dict[str, tuple[str, ...]] = Field(default_factory=dict)


class BadValueError(ValueError):
    """A value that is not what its column holds: (value, rule, remedy)."""


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


def read_money_file(
    path: Path,
    columns: Sequence[str],
    needed: Sequence[str],
    layout: Layout,
    known_names: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> MoneyFile:
    """The rows of a file by our columns; those that are not needed may lack. Raises OSError if it cannot be opened.

    `known_names`: how others call a column of ours that the layout does not name; read where the file has one of them.
    """
    source = str(path)
    try:
        raw = read_whole(path)
    except OSError as error:
        if error.errno != errno.EFBIG:
            raise
        return _unread("", Finding(source, None, "too large", f"the file {error.strerror}", "import the parts"))
    digest = sha256(raw).hexdigest()
    text = _decoded(raw, layout.encoding)
    if text is None:
        wanted = "UTF-8 or cp932" if layout.encoding == "auto" else layout.encoding
        return _unread(
            digest,
            Finding(source, None, "its letters", f"the file is not {wanted}", "save it so, or name its encoding"),
        )
    records = csv_records(text, layout.delimiter, layout.skip_lines)
    findings: list[Finding] = []
    header = header_names(source, records, findings)
    if header is None:
        return _unread(digest, *findings)
    if not any(header):
        return _unread(digest, Finding(source, None, "no header", "the file is empty", "export it again"))
    places, findings = _places(source, header, columns, needed, layout)
    if findings:
        return _unread(digest, *findings)
    places |= _by_known_names(header, places, layout, known_names)
    ignored = {name: tuple(_folded(start) for start in starts) for name, starts in layout.ignore.items()}
    rows: list[MoneyRow] = []
    for line, values in records:
        if isinstance(values, BrokenRecord):
            findings.append(Finding(source, line, values.value, "rows are CSV", "close quotes, one row a line"))
        elif not any(value.strip() for value in values):
            continue
        elif len(values) != len(header):
            rule = f"the header has {len(header)} columns, this row {len(values)}"
            row_text = layout.delimiter.join(values)[:80]
            findings.append(Finding(source, line, row_text, rule, "quote values that hold the delimiter"))
        else:
            row = {name: values[place].strip() for name, place in places.items()} | layout.constants
            left_out = any(_folded(row.get(name, "")).startswith(starts) for name, starts in ignored.items())
            rows.append(MoneyRow(line, row, layout.delimiter.join(values), left_out))
    return MoneyFile(digest, tuple(rows), tuple(findings))


def _unread(digest: str, *findings: Finding) -> MoneyFile:
    return MoneyFile(digest, (), findings)


def _folded(written: str) -> str:
    """A text as it is compared: whatever the width and case of its letters."""
    return " ".join(unicodedata.normalize("NFKC", written).split()).casefold()


def _by_known_names(
    header: Sequence[str], places: Mapping[str, int], layout: Layout, known_names: Mapping[str, Sequence[str]]
) -> dict[str, int]:
    """Where columns stand that nobody named: the one whose name says what it is, if no other column of ours is it."""
    folded = [_folded(name) for name in header]
    taken = set(places.values())
    found: dict[str, int] = {}
    for ours, names in known_names.items():
        if ours in places or ours in layout.constants:
            continue
        wanted = {_folded(name) for name in names}
        here = [place for place, name in enumerate(folded) if name in wanted and place not in taken]
        if len(here) == 1:
            found[ours] = here[0]
            taken.add(here[0])
    return found


def day_of(written: str) -> date:
    """A day as banks write it. Raises BadValueError."""
    found = _DAY.fullmatch(unicodedata.normalize("NFKC", written).replace(" ", ""))
    if found is not None:
        year, *rest = (int(part) for part in found.groups() if part is not None)
        with suppress(ValueError):
            on = date(year, rest[0], rest[1])
            if is_known_year(on):
                return on
    raise BadValueError(written, "it is no day", "write it as 2025-04-30")


def yen_of(written: str) -> int:
    """Whole yen as banks and stores write them; below zero with a minus. Raises BadValueError."""
    found = _YEN.fullmatch(unicodedata.normalize("NFKC", written).replace(" ", ""))
    if found is None:
        raise BadValueError(written, "it is no amount of whole yen", "write it as 5300")
    return int(found[1] + found[2].replace(",", ""))


def text_of(written: str) -> str:
    """A text of a bank: width and spaces made even. Raises BadValueError: too long, or control letters."""
    row_text = " ".join(unicodedata.normalize("NFKC", written).split())
    if len(row_text) > LONGEST_NAME or not row_text.isprintable():
        raise BadValueError(row_text[:40], f"a text has at most {LONGEST_NAME} printable letters", "shorten it")
    return row_text


def _decoded(raw: bytes, encoding: str) -> str | None:
    if b"\0" in raw:  # no text of a bank; UTF-16, or no text at all
        return None
    for name in ("utf-8-sig", "cp932") if encoding == "auto" else ("utf-8-sig" if encoding == "utf-8" else "cp932",):
        try:
            return raw.decode(name)
        except UnicodeDecodeError:
            continue
    return None


def _places(
    source: str, header: Sequence[str], columns: Sequence[str], needed: Sequence[str], layout: Layout
) -> tuple[dict[str, int], list[Finding]]:
    """Where each of our columns stands in the file; findings for those that lack or stand twice."""
    places: dict[str, int] = {}
    findings = []
    for ours in columns:
        theirs = layout.columns.get(ours, ours)
        if ours in layout.constants:
            continue
        count = header.count(theirs)
        if count == 1:
            places[ours] = header.index(theirs)
        elif count or ours in needed or ours in layout.columns:
            rule = f"the header has it {count} times" if count else f"the header lacks it: {', '.join(header)[:120]}"
            remedy = f'name the file\'s own column in the layout: [columns] {ours} = "…"'
            findings.append(Finding(source, layout.skip_lines + 1, theirs, rule, remedy))
    return places, findings
