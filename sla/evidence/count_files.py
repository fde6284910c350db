"""Reader of counts: so many of all users unable, as a monitor counted them, from CSV or a Prometheus range query.

Unknown is neither down nor up. Where a series has no sample, nobody knows how many were unable; that time is
handed back beside the rows, for people to decide.

    samples, step 60 s   |--51--|--52--|             |--50--|
    unknown                            |-------------|          two samples are missing

CSV (from, to, affected, total): each row states its own period. Unknown is a row without a number of affected users
or with numbers that are refused, and what lies between the first row and the last without a row, unless the file
lists only stops.
JSON (a matrix): a sample holds for one step, at most until the next sample. The step is stated, else the
smallest distance of two samples. A value that is no number of users (NaN, 51.5) is a missing sample.
Both: with the range that was asked for, what no row says at its beginning and end is unknown too.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from pathlib import Path
from typing import Any

from keizoku.limits import FIRST_SECOND, LAST_SECOND
from keizoku.sla.evidence.incident_files import (
    COUNT_COLUMNS,
    MOST_USERS,
    Count,
    RefusedRowError,
    period,
    read_table,
    users_in,
)
from keizoku.sla.rules.intervals import NOTHING, Span, Spans, as_iso, normalise, subtract, union
from keizoku.terms.calendar import from_epoch, iso_jst
from keizoku.terms.decision import Finding

MICRO = 1_000_000
EXPORT_AGAIN = "export the range query again (resultType matrix)"


@dataclass(frozen=True, slots=True)
class CountSeries:
    """What a file of counts does not say of itself."""

    affected: str = "affected"  # JSON: the series of users unable, by its __name__ or another label
    total: str = "total"  # JSON: the series of all users, or a whole number
    step_seconds: int | None = None  # JSON: how long a sample holds
    asked: Span | None = None  # the range that the file is about
    only_stops: bool = False  # CSV: what lies between the rows was up

    def description(self) -> str:
        """What of it is not the default, in one line."""
        usual = CountSeries()
        said = {
            "affected": self.affected if self.affected != usual.affected else "",
            "total": self.total if self.total != usual.total else "",
            "step": str(self.step_seconds or ""),
            "range": "/".join(as_iso((self.asked,))[0]) if self.asked else "",
            "only-stops": "yes" if self.only_stops else "",
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


def read_counts(path: Path, series: CountSeries | None = None) -> CountsRead:
    """The counts of a file: .json a range query's answer, else CSV."""
    known = series or CountSeries()
    return _read_matrix(path, known) if path.suffix.lower() == ".json" else _read_csv(path)


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


def _read_csv(path: Path) -> CountsRead:
    refused: list[Span] = []

    def count(row: Mapping[str, str]) -> Count | Span:
        span = period(row["from"], row["to"])
        try:
            return _of_users(row, span)
        except RefusedRowError:
            refused.append(span)
            raise

    read = read_table(path, COUNT_COLUMNS, count)
    good = [(row, line) for row, line in zip(read.rows, read.lines, strict=True) if isinstance(row, Count)]
    blank = tuple((line, row) for row, line in zip(read.rows, read.lines, strict=True) if not isinstance(row, Count))
    return CountsRead(
        rows=tuple(row for row, _ in good),
        blank=normalise(span for _, span in blank),
        findings=read.findings,
        lines=tuple(line for _, line in good),
        blank_rows=blank,
        refused=tuple(refused),
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


class _Matrix:
    """The two series of an answer, by microsecond; whatever cannot be used is a finding."""

    def __init__(self, path: Path, series: CountSeries) -> None:
        self.findings: list[Finding] = []
        self.times: set[int] = set()
        self._path = path
        found = self._results()
        self.affected = self._samples(found, series.affected)
        self.total = None if series.total.isdecimal() else self._samples(found, series.total)
        self.all_users = int(series.total) if series.total.isdecimal() else 0

    def say(self, value: str, rule: str, remedy: str) -> None:
        self.findings.append(Finding(str(self._path), None, value, rule, remedy))

    def total_at(self, moment: int) -> int | None:
        return self.all_users if self.total is None else self.total.get(moment)

    def _results(self) -> list[Mapping[str, Any]]:
        try:
            answer = json.loads(self._path.read_bytes().decode("utf-8-sig"), parse_float=Decimal, parse_constant=str)
        except (ValueError, RecursionError) as error:
            self.say(str(error).splitlines()[0][:120], "the file is JSON in UTF-8", EXPORT_AGAIN)
            return []
        data = answer.get("data", answer) if isinstance(answer, dict) else None
        results = data.get("result") if isinstance(data, dict) else None
        if not isinstance(data, dict) or data.get("resultType") != "matrix" or not isinstance(results, list):
            kind = data.get("resultType") if isinstance(data, dict) else type(answer).__name__
            self.say(f"{kind!r:.80}", "the answer of a range query has the type matrix", EXPORT_AGAIN)
            return []
        return [each for each in results if isinstance(each, dict) and isinstance(each.get("metric"), dict)]

    def _samples(self, results: list[Mapping[str, Any]], name: str) -> dict[int, int]:
        """The samples of the one series of this name, good ones only."""
        mine = [each for each in results if each["metric"].get("__name__") == name]
        mine = mine or [each for each in results if name in each["metric"].values()]
        if len(mine) != 1:
            if results:
                names = sorted({str(each["metric"].get("__name__", each["metric"])) for each in results})
                rule = f"one series is named so; there are {len(mine)}, of {', '.join(names)[:200]}"
                self.say(f"series {name!r}", rule, "name it, or sum it in the query")
            return {}
        samples: dict[int, int] = {}
        clashing: set[int] = set()
        values = mine[0].get("values")
        for sample in values if isinstance(values, list) else []:
            taken = self._sample(name, sample)
            if taken is None:
                continue
            moment, users = taken
            if samples.setdefault(moment, users) != users:
                clashing.add(moment)
        for moment in clashing:
            self.say(f"{name} at {_iso(moment)}", "one instant has one value", "correct the query")
            del samples[moment]
        return samples

    def _sample(self, name: str, sample: Any) -> tuple[int, int] | None:
        """Microsecond and users; None for a sample without a number of users: a finding, unless it is NaN."""
        try:
            moment, written = sample
            at, value = Decimal(moment), Decimal(str(written))
            micros = int(at * MICRO) if at.is_finite() else -1
        except (TypeError, ValueError, InvalidOperation):
            self.say(f"{name}: {sample!r:.80}", "a sample is [seconds since 1970, number]", EXPORT_AGAIN)
            return None
        if isinstance(moment, str | bool) or not FIRST_SECOND * MICRO <= micros <= LAST_SECOND * MICRO:
            self.say(f"{name}: {sample!r:.80}", "a time in seconds since 1970", EXPORT_AGAIN)
            return None
        self.times.add(micros)
        if value.is_nan():
            return None
        if not value.is_finite() or value != value.to_integral_value() or not 0 <= value <= MOST_USERS:
            self.say(f"{name} {written!r:.40} at {_iso(micros)}", "a whole number of users", "round it in the query")
            return None
        return micros, int(value)


def _read_matrix(path: Path, series: CountSeries) -> CountsRead:
    matrix = _Matrix(path, series)
    times = sorted(matrix.times)
    if not times:
        return CountsRead((), NOTHING, tuple(matrix.findings))
    nearest = min((after - before for before, after in pairwise(times)), default=0)
    step = series.step_seconds * MICRO if series.step_seconds is not None else nearest
    if step <= 0:
        matrix.say("one sample", "it does not say how long it holds", "state the step of the query")
        return CountsRead((), NOTHING, tuple(matrix.findings))
    rows: list[Count] = []
    good: list[Span] = []
    for moment, following in zip(times, [*times[1:], None], strict=True):
        affected, total = matrix.affected.get(moment), matrix.total_at(moment)
        if affected is None or total is None:
            continue
        if total < 1 or affected > total:
            value = f"{affected} of {total} at {_iso(moment)}"
            matrix.say(value, "affected users are a part of all users", "correct the query")
            continue
        end = moment + step if following is None else min(moment + step, following)
        good.append((moment, end))
        rows.append(Count(moment // MICRO, -(-end // MICRO), affected, total))
    missing = subtract(((times[0], times[-1] + step),), normalise(good))
    blank = normalise((start // MICRO, -(-end // MICRO)) for start, end in missing)
    return CountsRead(tuple(rows), blank, tuple(matrix.findings))


def _iso(micros: int) -> str:
    return iso_jst(from_epoch(0) + timedelta(microseconds=micros))
