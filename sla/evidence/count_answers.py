"""Counts in the answers of Prometheus's HTTP API, as Prometheus, Thanos, VictoriaMetrics and Mimir give them (JSON).

    a range query      data.resultType matrix: series of samples
    an instant query   vector or scalar: one sample, which holds for the step that is stated

A query that failed (status error) is refused, whatever it holds. An answer that is not whole (isPartial, warnings)
counts what it has as the least that there was. A series is taken by its name or another label; the only one of an
answer whose name an aggregation took away is taken, too. No series, histograms and samples without a value leave time
unknown.
Source: prometheus.io/docs/prometheus/latest/querying/api; docs.victoriametrics.com (isPartial).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final

from keizoku.sla.evidence.count_samples import Samples, iso_of, micros_of
from keizoku.terms.inputs.input_files import read_whole

__all__ = ["Answer"]

EXPORT_AGAIN: Final = "export the range query again (resultType matrix)"
NAME_IT: Final = 'name it: label_replace(sum(…), "name", "{name}", "", "")'
Result = Mapping[str, Any]


class Answer(Samples):
    """An answer; whatever cannot be used is a finding."""

    def __init__(self, path: Path, affected: str, total: str) -> None:
        super().__init__(path)
        self.kind = ""
        results = self._results()
        alone = total.isdecimal() and len(results) == 1
        self.affected = self._series(results, affected, alone=alone)
        self.total: dict[int, int] | int = int(total) if total.isdecimal() else self._series(results, total)
        if not results and not self.findings:
            rule = "the answer has no series, so nobody knows how many were unable"
            self.say(f"{self.kind!r}", rule, "where nobody is, let the query say so: … or vector(0)")

    @property
    def is_instant(self) -> bool:
        """Whether it has one sample of each series."""
        return self.kind in ("vector", "scalar")

    def _results(self) -> list[Result]:
        try:
            raw = read_whole(self.path).decode("utf-8-sig")
            answer = json.loads(raw, parse_float=Decimal, parse_constant=str)
        except (ValueError, RecursionError) as error:
            self.say(str(error).splitlines()[0][:120], "the file is JSON in UTF-8", EXPORT_AGAIN)
            return []
        if not isinstance(answer, dict):
            self.say(f"{type(answer).__name__!r:.80}", "the answer of a range query has the type matrix", EXPORT_AGAIN)
            return []
        data = answer.get("data", answer)
        found = self._of_data(data if isinstance(data, dict) else {})
        if answer.get("status", "success") != "success":
            why = f"{answer.get('errorType', 'error')}: {answer.get('error', '')}"
            self.say(f"{why:.120}", "the query failed; what its answer holds is not used", "ask again")
            for result in found:
                self._samples("", result)
            return []
        warnings = answer.get("warnings")
        told = [str(each) for each in warnings] if isinstance(warnings, list) else [str(warnings)] if warnings else []
        if answer.get("isPartial") is True:
            told = ["isPartial", *told]
        for each in told:
            self.is_partial = True
            rule = "the answer is not whole: more users may have been unable than it says; what is no outage is unknown"
            self.say(f"{each:.120}", rule, "ask again when every store answers")
        return found

    def _of_data(self, data: Mapping[str, Any]) -> list[Result]:
        self.kind = str(data.get("resultType"))
        results = data.get("result")
        if self.kind == "scalar" and isinstance(results, list):
            return [{"metric": {}, "values": [results]}]
        if self.kind not in ("matrix", "vector") or not isinstance(results, list):
            kind = data.get("resultType")
            self.say(f"{kind!r:.80}", "the answer of a range query has the type matrix", EXPORT_AGAIN)
            return []
        return [each for each in results if isinstance(each, dict) and isinstance(each.get("metric"), dict)]

    def _series(self, results: list[Result], name: str, *, alone: bool = False) -> dict[int, int]:
        """The samples of the one series of this name, good ones only."""
        mine = [each for each in results if each["metric"].get("__name__") == name]
        mine = mine or [each for each in results if name in each["metric"].values()]
        if not mine and alone and "__name__" not in results[0]["metric"]:
            mine = results
        if len(mine) != 1:
            if results:
                names = sorted({str(each["metric"].get("__name__", dict(each["metric"]))) for each in results})
                rule = f"one series is named so; there are {len(mine)}, of {', '.join(names)[:200]}"
                remedy = NAME_IT.format(name=name) if not mine else "sum it in the query"
                self.say(f"series {name!r}", rule, remedy)
                for each in results:
                    self._samples("", each)  # when samples were taken is known all the same
            return {}
        return self.one_value(name, self._samples(name, mine[0]))

    def _samples(self, name: str, result: Result) -> list[tuple[int, int]]:
        """Its samples; without a name only their times are noted."""
        found = []
        for sample in _listed(result, "values", "value"):
            taken = self._moment(name, sample)
            if taken is not None:
                micros, written = taken
                users = self.value(name, written, micros) if name else None
                found += [(micros, users)] if users is not None else []
        for sample in _listed(result, "histograms", "histogram"):
            taken = self._moment(name, sample)
            if taken is not None and name:
                rule = "a histogram is no number of users"
                self.say(f"{name} at {iso_of(taken[0])}", rule, "ask for histogram_count(…), or another number")
        return found

    def _moment(self, name: str, sample: Any) -> tuple[int, object] | None:
        """When a sample is of, and what it says."""
        try:
            moment, written = sample
            micros = micros_of(Decimal(moment))
            if written is not None and not isinstance(written, dict):
                Decimal(str(written) if str(written).lower() != "null" else "NaN")
        except (TypeError, ValueError, InvalidOperation):
            if name:
                self.say(f"{name}: {sample!r:.80}", "a sample is [seconds since 1970, number]", EXPORT_AGAIN)
            return None
        if isinstance(moment, str | bool) or micros is None:
            if name:
                self.say(f"{name}: {sample!r:.80}", "a time in seconds since 1970", EXPORT_AGAIN)
            return None
        self.times.add(micros)
        return micros, written


def _listed(result: Result, several: str, one: str) -> Iterator[Any]:
    values = result.get(several)
    yield from values if isinstance(values, list) else []
    if result.get(one) is not None:
        yield result[one]
