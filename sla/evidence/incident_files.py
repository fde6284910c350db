"""Readers of what people write down about outages: incidents and numbers of users, as CSV.

A reader returns the good rows and a Finding for each other one: file, line, value, rule, remedy. Nothing is
repaired silently, and one bad row stops no good one. Times carry a zone or are JST; a start is rounded down
to whole seconds, an end up. (Observations: `observations`; counts: `count_files`; announced maintenance:
`keizoku.sla.evidence.maintenance_notices`.)
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Final, Generic, Protocol, TypeVar

from keizoku import limits
from keizoku.limits import LONGEST_ID, LONGEST_NAME, id_flaw, text_flaw
from keizoku.sla.rules.outages import Cause
from keizoku.terms.calendar import epoch, epoch_up, from_epoch, iso_jst, parse_instant, time_flaw
from keizoku.terms.decision import Finding
from keizoku.terms.inputs.input_files import (
    BrokenRecord,
    csv_records,
    delimiter_of,
    header_findings,
    header_names,
    read_text,
)

INCIDENT_COLUMNS = ("id", "from", "to", "affected", "cause", "ground", "author")
COUNT_COLUMNS = ("from", "to", "affected", "total")
POPULATION_COLUMNS = ("from", "users")

FIRST_SECOND = 0  # 1970
FIRST_JST_SECOND = -32_400  # 1970 in Japan: since ever
LAST_SECOND = limits.LAST_SECOND
LONGEST_SECONDS = 366 * 86_400  # of one period; a longer one is a slip of the year
MOST_USERS = 10**12  # a greater number is a slip, and no database counts it

TIME_REMEDY = "write 2026-04-10 09:00 (JST) or 2026-04-10T09:00:00+09:00"

#: cause -> rule and remedy, where people have to say why: the cause decides whether the outage counts
GROUND_NEEDED = {
    Cause.USER_ENVIRONMENT: (
        "that an outage depends on users' environment is people's decision (premium/9.4.3)",
        "state the ground",
    ),
    Cause.PARTNER: (
        "a partner's outage counts only if our own pages could not be viewed (premium/9.3.3)",
        "state in the ground who confirmed that; if they could be viewed, it is no outage",
    ),
}

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Incident:
    """An outage as people confirmed it: so many users, for one cause. `exact`: known to the second."""

    id: str
    start: int
    end: int
    affected: int
    cause: Cause
    ground: str
    author: str
    exact: bool = False
    named: str = ""  # what it is called as evidence, if not by its id
    is_open: bool = False  # a monitor has it without an end: that is the time at which the file was read

    @property
    def evidence(self) -> str:
        """What it is called as evidence."""
        return self.named or f"incident {self.id}"


@dataclass(frozen=True, slots=True)
class Count:
    """So many of all users unable, as a monitor counted them over a period."""

    start: int
    end: int
    affected: int
    total: int


@dataclass(frozen=True, slots=True)
class UserFigure:
    """Registered users of the whole service from an instant on."""

    from_at: datetime
    users: int


@dataclass(frozen=True, slots=True)
class Read(Generic[Row]):
    """What a reader made of its input; `lines` of the rows, where the format has lines."""

    rows: tuple[Row, ...]
    findings: tuple[Finding, ...]
    lines: tuple[int, ...] = ()
    refused: int | None = None  # of the findings; None: every finding is about a row that is refused


CLOCKS_APART: Final = 300
"""Seconds by which the clock of a monitor may be ahead of ours: what it counted until then is over."""
NOT_OVER: Final = "what is not over yet has no end"
NOT_OVER_REMEDY: Final = "state what is known until now, the rest when it is over"


class RefusedRowError(ValueError):
    """A row that cannot be taken: value, rule and remedy of its finding."""

    def __init__(self, value: str, rule: str, remedy: str) -> None:
        super().__init__(value, rule, remedy)
        self.value, self.rule, self.remedy = value, rule, remedy


def read_incidents(path: Path) -> Read[Incident]:
    """Incidents (id, from, to, affected, cause, ground, author); an empty cause is a fault."""
    seen: dict[str, Incident] = {}

    def incident(row: Mapping[str, str]) -> Incident:
        start, end = period(row["from"], row["to"])
        cause, ground = _cause(row["cause"]), row["ground"]
        if not ground and cause in GROUND_NEEDED:
            raise RefusedRowError(f"cause {cause} without a ground", *GROUND_NEEDED[cause])
        read = Incident(
            id_in(row),
            start,
            end,
            users_in(row, "affected"),
            cause,
            ground,
            name_in(row, "author"),
        )
        if seen.setdefault(read.id, read) != read:
            raise RefusedRowError(
                read.id, "an incident of this id stands above with other values", "give it an id of its own"
            )
        return read

    read = read_table(path, INCIDENT_COLUMNS, incident)
    line_of = dict(zip(reversed(read.rows), reversed(read.lines), strict=True))  # a row stated twice: its first line
    rows = tuple(dict.fromkeys(read.rows))
    return Read(rows, read.findings, tuple(line_of[row] for row in rows))


class _Timed(Protocol):
    @property
    def start(self) -> int: ...

    @property
    def end(self) -> int: ...


Timed = TypeVar("Timed", bound=_Timed)


def only_past(read: Read[Timed], source: str, until: int) -> Read[Timed]:
    """The rows that are over by a second; every other is a finding with its line."""
    places = range(len(read.rows))
    ahead = [place for place in places if read.rows[place].end > until]
    if not ahead:
        return read
    findings = []
    for place in ahead:
        row = read.rows[place]
        value = f"{iso_jst(from_epoch(row.start))} to {iso_jst(from_epoch(row.end))}"
        line = read.lines[place] if read.lines else None
        findings.append(Finding(source, line, value, NOT_OVER, NOT_OVER_REMEDY))
    left = [place for place in places if read.rows[place].end <= until]
    refused = (len(read.findings) if read.refused is None else read.refused) + len(ahead)
    lines = tuple(read.lines[place] for place in left) if read.lines else ()
    return Read(tuple(read.rows[place] for place in left), (*read.findings, *findings), lines, refused)


def read_population(path: Path) -> Read[UserFigure]:
    """Numbers of users of the whole service (from, users), each until the next."""

    def figure(row: Mapping[str, str]) -> UserFigure:
        from_at, users = instant(row["from"]), users_in(row, "users")
        if users < 1:
            raise RefusedRowError("0 users", "a service has at least one user", "write all registered users")
        return UserFigure(from_at, users)

    return read_table(path, POPULATION_COLUMNS, figure)


def period(from_text: str, to_text: str) -> tuple[int, int]:
    """Two written times as whole seconds, outward. Raises RefusedRowError where they are no period."""
    start_at, end_at = instant(from_text), instant(to_text)
    if end_at <= start_at:
        raise RefusedRowError(f"{from_text} to {to_text}", "a period ends after it starts", "correct one of the times")
    if (end_at - start_at).total_seconds() > LONGEST_SECONDS:
        value = f"{from_text} to {to_text}"
        raise RefusedRowError(value, "a period is at most a year long", "correct one of the times")
    return epoch(start_at), epoch_up(end_at)


def read_table(
    path: Path,
    columns: Sequence[str],
    to_row: Callable[[Mapping[str, str]], Row],
    named: Mapping[str, str] | None = None,
) -> Read[Row]:
    """The rows of a CSV file as `to_row` makes them of values by column; what it refuses is a finding.

    `named`: under which name the file has a column of ours.
    """
    findings: list[Finding] = []
    rows: list[Row] = []
    lines: list[int] = []
    for line, record in _records(path, columns, findings, named or {}):
        try:
            rows.append(to_row(record))
            lines.append(line)
        except RefusedRowError as refused:
            findings.append(Finding(str(path), line, refused.value, refused.rule, refused.remedy))
    return Read(tuple(rows), tuple(findings), tuple(lines))


def _records(
    path: Path, columns: Sequence[str], findings: list[Finding], named: Mapping[str, str]
) -> Iterator[tuple[int, dict[str, str]]]:
    """(line, values by column, stripped) of each record; what is wrong with the file goes to the findings."""
    table = csv_table(path, findings)
    if table is None:
        return
    header, records = table
    if lacking := header_findings(str(path), [named.get(name, name) for name in columns], header):
        findings += lacking
        return
    for line, record in records:
        yield line, record | {name: record[named.get(name, name)] for name in columns}


def csv_table(path: Path, findings: list[Finding]) -> tuple[list[str], Iterator[tuple[int, dict[str, str]]]] | None:
    """The header of a CSV file, and (line, values by column, stripped) of each record; None after a finding.

    Columns are parted by commas, by what "sep=" in the first line says, or, where the header has no comma, by
    semicolons or tabs, as spreadsheets of many languages write them.
    """
    text = read_text(path, findings)
    if text is None:
        return None
    said = re.match(r"sep=(.)(?:\r\n|\n|\r)", text)
    delimiter = said[1] if said else delimiter_of(text)
    records = csv_records(text, delimiter, skip_lines=1 if said else 0)
    header = header_names(str(path), records, findings)
    return None if header is None else (header, _values(path, header, records, findings))


def _values(
    path: Path,
    header: Sequence[str],
    records: Iterator[tuple[int, Sequence[str] | BrokenRecord]],
    findings: list[Finding],
) -> Iterator[tuple[int, dict[str, str]]]:
    for line, values in records:
        if isinstance(values, BrokenRecord):
            findings.append(Finding(str(path), line, values.value, "rows are CSV", "close quotes, one row a line"))
        elif not any(value.strip() for value in values):
            continue
        elif len(values) != len(header):
            value = ",".join(values)[:80]
            rule = f"the header has {len(header)} columns, this row {len(values)}"
            findings.append(Finding(str(path), line, value, rule, "quote values that hold a comma"))
        elif flaw := next(filter(None, map(text_flaw, values)), None):
            value = ",".join(values)[:80].replace("\0", "\\0")
            findings.append(Finding(str(path), line, value, flaw, "shorten or correct it"))
        else:
            yield line, dict(zip(header, (value.strip() for value in values), strict=True))


def summed(findings: Sequence[Finding], most: int = 20) -> tuple[Finding, ...]:
    """Findings, of one rule no more than so many: the others are counted in one."""
    shown: list[Finding] = []
    alike: dict[tuple[str, str, str], int] = {}
    for each in findings:
        kind = (each.source, each.rule, each.remedy)
        alike[kind] = alike.get(kind, 0) + 1
        if alike[kind] <= most:
            shown.append(each)
    for (source, rule, remedy), count in alike.items():
        if count > most:
            shown.append(Finding(source, None, f"{count - most:,} more", rule, remedy))
    return tuple(shown)


def instant(written: str) -> datetime:
    """A written time. Raises RefusedRowError for what is none, and for one that no evidence has."""
    try:
        at = parse_instant(written)
    except ValueError:
        raise RefusedRowError(f"{written!r:.60}", time_flaw(written), TIME_REMEDY) from None
    if not FIRST_JST_SECOND <= epoch(at) <= LAST_SECOND:
        raise RefusedRowError(repr(written), f"a time from {limits.YEARS}", TIME_REMEDY)
    return at


def filled(row: Mapping[str, str], column: str) -> str:
    """The value of a column that is needed. Raises RefusedRowError where it is empty."""
    if not row[column]:
        raise RefusedRowError(f"{column} is empty", f"{column} is needed", "fill it in")
    return row[column]


def id_in(row: Mapping[str, str], column: str = "id") -> str:
    """The id in a column. Raises RefusedRowError where it is none."""
    written = filled(row, column)
    if re.fullmatch(r"[0-9]+\.0+|[0-9](\.[0-9]+)?[eE]\+[0-9]+", written):
        raise RefusedRowError(f"{column} {written!r:.60}", "an id is no decimal number", "write it as a whole number")
    if flaw := id_flaw(written):
        raise RefusedRowError(f"{column} {written[:80]!r}", flaw, f"give it an id of at most {LONGEST_ID} letters")
    return written


def name_in(row: Mapping[str, str], column: str) -> str:
    """The name of somebody in a column, or nothing. Raises RefusedRowError where it is none."""
    if row[column] and (flaw := text_flaw(row[column], LONGEST_NAME)):
        raise RefusedRowError(f"{column} {row[column][:80]!r}", flaw, "shorten it")
    return row[column]


def users_in(row: Mapping[str, str], column: str) -> int:
    """The number of users in a column. Raises RefusedRowError for what is none."""
    written = ungrouped(row[column])
    if not (written.isascii() and written.isdigit()) or len(written) > 18 or int(written) > MOST_USERS:
        raise RefusedRowError(f"{column} {row[column]!r:.60}", "a whole number of users", "write it like 60000")
    return int(written)


def ungrouped(written: str) -> str:
    """A number without the commas that group its thousands; what is not grouped so stays as it is."""
    return written.replace(",", "") if re.fullmatch(r"[1-9][0-9]{0,2}(,[0-9]{3})+", written) else written


def _cause(written: str) -> Cause:
    try:
        return Cause(written or Cause.FAULT)
    except ValueError:
        nearest = get_close_matches(written, list(Cause), n=1)
        hint = f"{nearest[0]}?" if nearest else "one of these"
        raise RefusedRowError(f"cause {written!r}", f"a cause is {', '.join(Cause)}", f"write {hint}") from None
