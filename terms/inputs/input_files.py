"""Files of people and other systems, before anybody knows what they mean: whole, bounded, row by row.

    read_whole(path)          the bytes of a file that is no longer than LARGEST_FILE
    csv_records(text)         (line, values) of each record; a broken one is a BrokenRecord, and the next ones go on
    header_names(…)           the header, if it is one

CSV of Excel for Mac ends its lines with CR, others with LF or CRLF: all are read. Knows nothing of values.
"""

from __future__ import annotations

import csv
import errno
import io
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from stat import S_ISDIR, S_ISREG

from keizoku.limits import LARGEST_FILE, MOST_COLUMNS, MOST_NAMED
from keizoku.terms.decision import Finding

__all__ = [
    "BrokenRecord",
    "csv_records",
    "delimiter_of",
    "header_findings",
    "header_names",
    "read_text",
    "read_whole",
    "regular_file",
]


@dataclass(frozen=True, slots=True)
class BrokenRecord:
    """A record that is not valid CSV: its lines, and why."""

    first: int
    last: int
    why: str

    @property
    def value(self) -> str:
        """What a finding says was found."""
        return self.why if self.first == self.last else f"{self.why} (lines {self.first} to {self.last})"


def regular_file(path: Path) -> os.stat_result:
    """Its facts. Raises OSError for what is not there, and for a folder, a device or a pipe, which may never end."""
    facts = path.stat()
    if S_ISDIR(facts.st_mode):
        raise OSError(errno.EISDIR, "is a folder", str(path))
    if not S_ISREG(facts.st_mode):
        raise OSError(errno.EINVAL, "is no file that can be read twice; save it as one", str(path))
    return facts


def read_whole(path: Path, most: int = LARGEST_FILE) -> bytes:
    """The bytes of a file. Raises OSError, also for one of more than `most` bytes."""
    if regular_file(path).st_size > most:
        raise OSError(errno.EFBIG, f"is larger than {most // (1024 * 1024):,} MiB; divide it", str(path))
    with path.open("rb") as file:
        return file.read(most)


class SecretFileError(ValueError):
    """A file that is to hold one secret and nothing else holds none, or cannot be read; the text says which."""


def secret_in(file: Path, what: str, encoding: str = "utf-8") -> str:
    """What a file holds and nothing else; it may be a pipe. `what` it is: "key". Raises SecretFileError."""
    try:
        found = file.read_text(encoding=encoding).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SecretFileError(f"cannot be read ({type(error).__name__})") from error
    if not found:
        raise SecretFileError(f"holds no {what}")
    return found


def read_text(path: Path, findings: list[Finding]) -> str | None:
    """The text of a file in UTF-8; None after a finding that says why it is none. Raises OSError if it is not there."""
    try:
        raw = read_whole(path)
    except OSError as error:
        if error.errno != errno.EFBIG:
            raise
        findings.append(Finding(str(path), None, "too large", f"the file {error.strerror}", "import the parts"))
        return None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = lines_before(raw, error.start) + 1
        findings.append(Finding(str(path), line, "not UTF-8", "files are UTF-8", "save the file as UTF-8"))
        return None


def lines_before(raw: bytes, at: int) -> int:
    """How many lines end before a byte, however they end."""
    before = raw[:at]
    return before.count(b"\n") + before.count(b"\r") - before.count(b"\r\n")


def csv_records(
    text: str | Iterable[str], delimiter: str = ",", skip_lines: int = 0
) -> Iterator[tuple[int, Sequence[str] | BrokenRecord]]:
    """(last line, values) of each record of a CSV text or its lines, however they end; a broken one stops no other."""
    lines = iter(io.StringIO(text, newline="") if isinstance(text, str) else text)
    for _ in range(skip_lines):
        next(lines, None)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        first = reader.line_num + 1 + skip_lines
        try:
            values = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            last = reader.line_num + skip_lines
            yield last, BrokenRecord(min(first, last), last, str(error))
        else:
            yield reader.line_num + skip_lines, values


def delimiter_of(text: str) -> str:
    """What parts the columns of a CSV text: a comma, or where its header has none, a semicolon or a tab."""
    first = next(iter(text[:65_536].splitlines()), "")
    return next((each for each in ",;\t" if each in first), ",")


def header_names(
    source: str, records: Iterator[tuple[int, Sequence[str] | BrokenRecord]], findings: list[Finding]
) -> list[str] | None:
    """The names in the first record, stripped; None after a finding: it is broken, or has too many columns."""
    line, first = next(records, (1, []))
    if isinstance(first, BrokenRecord):
        findings.append(Finding(source, line, first.value, "the header is CSV", "close the quotes, one row per line"))
        return None
    if len(first) > MOST_COLUMNS:
        rule = f"a file has at most {MOST_COLUMNS:,} columns"
        findings.append(Finding(source, line, f"{len(first):,} columns", rule, "export the ones that are needed"))
        return None
    return [name.strip() for name in first]


def header_findings(source: str, wanted: Iterable[str], present: Sequence[str]) -> list[Finding]:
    """One finding per column that a file lacks, naming the nearest that it has, or has twice."""
    findings = []
    twice = sorted(name for name, count in Counter(present).items() if count > 1)
    for name in twice[:MOST_NAMED]:
        rule = "a column has one place"
        findings.append(Finding(source, 1, f"column {name[:80]!r} twice", rule, "rename one of them"))
    if len(twice) > MOST_NAMED:
        more = f"{len(twice) - MOST_NAMED:,} more columns twice"
        findings.append(Finding(source, 1, more, "a column has one place", "rename one of each"))
    for name in wanted:
        if name not in present:
            nearest = get_close_matches(name, present[:MOST_COLUMNS], n=1, cutoff=0.5)
            has = f"the nearest is {nearest[0]!r}" if nearest else f"it has {_named(present) or 'none'}"
            findings.append(Finding(source, 1, f"no column {name!r}", f"the file needs it; {has}", "rename or add it"))
    return findings


def _named(names: Sequence[str]) -> str:
    """The first of them in one line."""
    more = f" and {len(names) - MOST_NAMED:,} more" if len(names) > MOST_NAMED else ""
    return ", ".join(name[:80] for name in names[:MOST_NAMED]) + more
