"""Counts in a table of samples, as Grafana exports a panel (CSV): a column of times, and one for each series.

    Time, affected, total        one row for each instant; "sep=," may stand before it
    Series; Time; Value          one row for each sample (older releases)

Times are as the panel shows them, so of its zone, which the file does not say: Japan's, unless they have an offset; or
milliseconds since 1970. A cell without a number is a missing sample. Columns are named as the series are: by their
legend, or {__name__="users_unable", instance="a"} without one; one is found by its name or by the value of a label.
Source: github.com/grafana/grafana (pull request 4041, issues 5372, 24989).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Final

from keizoku.sla.evidence.count_samples import Samples, micros_of
from keizoku.sla.evidence.incident_files import TIME_REMEDY, csv_table, ungrouped
from keizoku.terms.calendar import epoch, parse_instant, time_flaw

__all__ = ["TIME_COLUMNS", "SampleTable", "time_column"]

TIME_COLUMNS: Final = ("time", "timestamp", "date", "datetime")
_SERIES: Final = re.compile(r"([^{}]*)\{(.*)\}")
_LABEL: Final = re.compile(r'="?([^",]*)"?(?=[,}]|$)')
_EPOCH: Final = re.compile(r"[0-9]{10}|[0-9]{13}|[0-9]{16}|[0-9]{19}")


def time_column(header: Sequence[str]) -> str | None:
    """The column that says when a sample is of."""
    return next((name for name in header if name.strip().lower() in TIME_COLUMNS), None)


class SampleTable(Samples):
    """A table of samples; whatever cannot be used is a finding."""

    def __init__(self, path: Path, affected: str, total: str) -> None:
        super().__init__(path)
        self.affected: dict[int, int] = {}
        self.total: dict[int, int] | int = int(total) if total.isdecimal() else {}
        table = csv_table(path, self.findings)
        if table is None:
            return
        header, rows = table[0], list(table[1])
        time = time_column(header) or ""
        long = _long_form(header)
        if long is not None:
            series, value = long
            names = dict.fromkeys(row[series] for _, row in rows)
            cells = [(line, row[time], {row[series]: row[value]}) for line, row in rows]
        else:
            names = dict.fromkeys(name for name in header if name != time)
            cells = [(line, row[time], {name: row[name] for name in names}) for line, row in rows]
        self.affected = self._series(list(names), affected, cells, alone=total.isdecimal())
        if not total.isdecimal():
            self.total = self._series(list(names), total, cells)

    def _series(
        self, names: list[str], wanted: str, cells: Sequence[tuple[int, str, Mapping[str, str]]], *, alone: bool = False
    ) -> dict[int, int]:
        own = [name for name in names if name == wanted] or [name for name in names if wanted in _labels(name)]
        name = own[0] if len(own) == 1 else names[0] if alone and len(names) == 1 else None
        if name is None:
            rule = f"one column is named so; there are {len(own)}, of {', '.join(names)[:200] or 'none'}"
            self.say(f"series {wanted!r}", rule, "name the series as the column is")
        found = []
        for line, time, row in cells:
            micros = self._micros(time, line)
            if micros is None:
                continue
            self.times.add(micros)
            if name is not None and name in row:
                users = self.value(wanted, ungrouped(row[name]), micros, line)
                found += [(micros, users)] if users is not None else []
        return self.one_value(wanted, found)

    def _micros(self, written: str, line: int) -> int | None:
        if _EPOCH.fullmatch(written):
            return micros_of(Decimal(written) / 10 ** (len(written) - 10))
        try:
            return epoch(parse_instant(written)) * 1_000_000
        except ValueError:
            told = f"{written!r:.60}"
            if not any(each.line == line for each in self.findings[-1:]):
                self.say(told, time_flaw(written), TIME_REMEDY, line)
            return None


def _labels(column: str) -> set[str]:
    """What a series without a legend is called: its name, and the values of its labels."""
    found = _SERIES.fullmatch(column)
    return {found[1].strip(), *_LABEL.findall(found[2])} if found else set()


def _long_form(header: Sequence[str]) -> tuple[str, str] | None:
    """The columns of the series' name and its value, where each sample has a row."""
    lower = {name.strip().lower(): name for name in header}
    if len(header) == 3 and "value" in lower and ("series" in lower or "metric" in lower):
        return lower.get("series") or lower["metric"], lower["value"]
    return None
