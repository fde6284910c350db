"""Reader of counts: so many of all users unable, as a monitor counted them, from CSV or Prometheus's API.

Unknown is neither down nor up. Where a series has no sample, nobody knows how many were unable; that time is
handed back beside the rows, for people to decide.

CSV (from, to, affected, total): each row states its own period. Unknown is a row without a number of affected users
or with numbers that are refused, and what lies between the first row and the last without a row, unless the file
lists only outages.
Samples (`count_answers`, `count_tables`): each holds for one step (`count_samples`). A value that is no number of users
(NaN, 51.5) is a missing sample.
Both: with the range that was asked for, what no row says at its beginning and end is unknown too.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from keizoku.sla.evidence.count_answers import Answer
from keizoku.sla.evidence.count_samples import IsOutage
from keizoku.sla.evidence.count_tables import SampleTable, time_column
from keizoku.sla.evidence.incident_files import (
    CLOCKS_APART,
    COUNT_COLUMNS,
    NOT_OVER,
    NOT_OVER_REMEDY,
    Count,
    RefusedRowError,
    csv_table,
    period,
    read_table,
    summed,
    users_in,
)
from keizoku.sla.rules.intervals import NOTHING, Span, Spans, as_iso, clip, normalise, subtract, union
from keizoku.terms.calendar import epoch_up
from keizoku.terms.decision import Finding

AFTER_ALL = 2**62


@dataclass(frozen=True, slots=True)
class CountSeries:
    """What a file of counts does not say of itself."""

    affected: str = "affected"  # JSON: the series of users unable, by its __name__ or another label
    total: str = "total"  # JSON: the series of all users, or a whole number
    step_seconds: int | None = None  # JSON: how long a sample holds
    asked: Span | None = None  # the range that the file is about
    only_stops: bool = False  # CSV: what lies between the rows was up
    columns: tuple[tuple[str, str], ...] = ()  # CSV: ours, and what the file calls it

    def named(self) -> dict[str, str]:
        """Under which name a file has a column of ours."""
        return dict(self.columns)

    def description(self) -> str:
        """What of it is not the default, in one line."""
        usual = CountSeries()
        said = {
            "affected": self.affected if self.affected != usual.affected else "",
            "total": self.total if self.total != usual.total else "",
            "step": str(self.step_seconds or ""),
            "range": "/".join(as_iso((self.asked,))[0]) if self.asked else "",
            "only-stops": "yes" if self.only_stops else "",
            "columns": " ".join(f"{ours}={theirs}" for ours, theirs in self.columns),
        }
        return ", ".join(f"{name}={value}" for name, value in said.items() if value)


@dataclass(frozen=True, slots=True)
class CountsRead:
    """Good rows with their lines (CSV), the time that its rows leave unknown, and what was wrong.

    `blank_rows`: a CSV's rows that say of a time that nobody knows, each with its line. `refused`: the periods of its
    rows whose numbers are refused.
    """

    rows: tuple[Count, ...]
    blank: Spans
    findings: tuple[Finding, ...]
    lines: tuple[int, ...] = ()
    blank_rows: tuple[tuple[int, Span], ...] = ()
    refused: tuple[Span, ...] = ()
    told: int = 0  # how many findings there were before they were summed up


def read_counts(
    path: Path, series: CountSeries | None = None, is_outage: IsOutage | None = None, now: datetime | None = None
) -> CountsRead:
    """The counts of a file: .json an answer of Prometheus's API, else CSV, of periods or of samples.

    `is_outage`: whether so many of so many are an outage; of a partial answer only that is known. `now`: a period
    that ends later is refused, and a sample holds no longer.
    """
    until = AFTER_ALL if now is None else epoch_up(now) + CLOCKS_APART
    known = series or CountSeries()
    if path.suffix.lower() == ".json":
        return _read_samples(Answer(path, known.affected, known.total), known, is_outage, until)
    table = csv_table(path, [])
    named = known.named()
    periods = table is not None and any(named.get(name, name) in table[0] for name in ("from", "to"))
    if table is not None and not periods and time_column(table[0]) is not None:
        return _read_samples(SampleTable(path, known.affected, known.total), known, is_outage, until)
    return _read_csv(path, named, until)


def unknown_time(
    rows: Iterable[Count], blank: Spans, series: CountSeries | None = None, refused: Iterable[Span] = ()
) -> Spans:
    """When nobody knows, by these rows of one file: what is blank or refused, and what lies between without a row.

    A refused row is unknown in its own period, but nothing between it and the others is: its times may be wrong.
    """
    series = series or CountSeries()
    known = normalise((row.start, row.end) for row in rows)
    return union(_missing(known, blank, series), subtract(normalise(refused), known))


def _missing(known: Spans, blank: Spans, series: CountSeries) -> Spans:
    hull = union(known, blank)
    if series.asked is not None:
        hull = union(hull, (series.asked,))
    elif series.only_stops:
        return subtract(blank, known)
    return subtract(((hull[0][0], hull[-1][1]),), known) if hull else NOTHING


def _read_csv(path: Path, named: Mapping[str, str], until: int) -> CountsRead:
    refused: list[Span] = []

    def count(row: Mapping[str, str]) -> Count | Span:
        span = period(row["from"], row["to"])
        try:
            counted = _of_users(row, span)
            if span[1] > until:
                raise RefusedRowError(f"{row['from']} to {row['to']}", NOT_OVER, NOT_OVER_REMEDY)
            return counted
        except RefusedRowError:
            refused.append(span)
            raise

    read = read_table(path, COUNT_COLUMNS, count, named)
    good = [(row, line) for row, line in zip(read.rows, read.lines, strict=True) if isinstance(row, Count)]
    blank = tuple((line, row) for row, line in zip(read.rows, read.lines, strict=True) if not isinstance(row, Count))
    return CountsRead(
        rows=tuple(row for row, _ in good),
        blank=normalise(span for _, span in blank),
        findings=summed(read.findings),
        lines=tuple(line for _, line in good),
        blank_rows=blank,
        refused=tuple(refused),
        told=len(read.findings),
    )


def _of_users(row: Mapping[str, str], span: Span) -> Count | Span:
    """A row's count; its span where nobody knows. Raises RefusedRowError."""
    affected, total = (users_in(row, name) if row[name] else None for name in ("affected", "total"))
    if affected is None:
        return span
    if total is None:
        remedy = "add the total; time that nobody knows has no number in affected"
        raise RefusedRowError(f"{affected} of nothing", "affected users are a part of all users", remedy)
    if total < 1 or affected > total:
        raise RefusedRowError(f"{affected} of {total}", "affected users are a part of all users", "correct the row")
    return Count(*span, affected, total)


def _read_samples(
    answer: Answer | SampleTable, series: CountSeries, is_outage: IsOutage | None, until: int
) -> CountsRead:
    if isinstance(answer, Answer) and answer.is_instant and answer.times and series.step_seconds is None:
        rule = "an instant answer has one sample; it does not say how long it holds"
        answer.say(f"{answer.kind!r}", rule, "state the step of the query, or ask for a range")
        return CountsRead((), NOTHING, tuple(answer.findings), told=len(answer.findings))
    rows, blank = answer.counted(answer.affected, answer.total, series.step_seconds, is_outage)
    held = tuple(replace(row, end=min(row.end, until)) for row in rows if row.start < until)
    return CountsRead(held, clip(blank, 0, until), summed(answer.findings), told=len(answer.findings))
