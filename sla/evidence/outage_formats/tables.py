"""Outages in tables: heartbeats, the CSV of tools, and any CSV whose columns people name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from itertools import pairwise
from statistics import median
from typing import Any, Final

from keizoku.sla.evidence.incident_files import RefusedRowError, csv_table
from keizoku.sla.evidence.outage_formats.shapes import (
    EXPORT_AGAIN,
    OutageFile,
    json_of,
    length_of,
    moment_of,
    text_of,
)
from keizoku.sla.rules.outages import Cause
from keizoku.terms.calendar import iso_jst
from keizoku.terms.inputs.input_files import header_findings

__all__ = ["TABLE_COLUMNS", "pagerduty_csv", "table", "uptime_kuma", "uptimerobot_csv", "zabbix_csv"]

TABLE_COLUMNS: Final = ("id", "from", "to", "duration", "ground", "cause")
DOWN, UP, PENDING, MAINTENANCE = "0", "1", "2", "3"
Beat = tuple[datetime, str, str]


def uptime_kuma(file: OutageFile) -> None:
    """Heartbeats of the status page (heartbeatList) or of the table `heartbeat` (CSV, JSON): status and time in UTC.

    A site is down from the first beat that failed (one that is still retried, too, where it then was down) to the next
    one that did not.
    """
    beats: dict[str, list[Beat]] = {}
    for monitor, row in _beats(file):
        try:
            at = moment_of(row.get("time"), UTC)
            if at is not None:
                beats.setdefault(monitor, []).append((at, text_of(row, "status"), text_of(row, "msg")))
        except RefusedRowError as refused:
            file.refuse(refused.value, refused.rule, refused.remedy)
    for monitor, own in beats.items():
        _tell_gaps(file, monitor, sorted(own))
        file.each(list(_runs(sorted(own))), partial(_take_run, file, monitor))


def _beats(file: OutageFile) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if file.path.suffix.lower() == ".csv":
        for _, row in _rows(file, "time", "status"):
            yield row.get("monitor_id") or row.get("monitorID") or "", row
        return
    answer = json_of(file)
    lists = answer.get("heartbeatList", answer) if isinstance(answer, dict) else {"": answer}
    if not isinstance(lists, dict) or not any(isinstance(each, list) for each in lists.values()):
        if not file.findings:
            file.refuse(f"{type(answer).__name__}", "an answer of this tool has heartbeatList", EXPORT_AGAIN)
        return
    beats = [
        {**row, "monitor_id": str(monitor) or text_of(row, "monitorID") or text_of(row, "monitor_id")}
        for monitor, rows in lists.items()
        for row in (rows if isinstance(rows, list) else [])
        if isinstance(row, dict)
    ]
    for beat in file.chosen(beats):
        yield text_of(beat, "monitor_id"), beat


def _runs(beats: list[Beat]) -> Iterator[tuple[datetime, datetime, bool, str, str]]:
    """Runs of beats that are not up: start, end, whether it ended, what kind, why."""
    run: list[Beat] = []
    for beat in [*beats, (beats[-1][0], UP, "end of file")]:
        kind = MAINTENANCE if beat[1] == MAINTENANCE else beat[1]
        if run and (kind == UP or (kind == MAINTENANCE) != (run[0][1] == MAINTENANCE)):
            kinds = {each[1] for each in run}
            if DOWN in kinds or MAINTENANCE in kinds:
                why = next((each[2] for each in run if each[1] == DOWN), run[0][2])
                yield run[0][0], beat[0], beat[2] != "end of file", MAINTENANCE if MAINTENANCE in kinds else DOWN, why
            run = []
        if kind != UP:
            run.append(beat)


def _take_run(file: OutageFile, monitor: str, run: tuple[datetime, datetime, bool, str, str]) -> None:
    start_at, end_at, ended, kind, why = run
    name = f"{monitor}-{int(start_at.timestamp())}"
    if not ended:
        rule = f"its last heartbeat of {iso_jst(end_at)} is no recovery; it is known until then"
        file.say(f"{name}: since {iso_jst(start_at)}", rule, "export it again when it is over")
    cause = Cause.SYSTEM_UPDATE if kind == MAINTENANCE else Cause.FAULT
    file.take(name, start_at, end_at, f"monitor {monitor}: {why}", cause=cause)


def _tell_gaps(file: OutageFile, monitor: str, beats: list[Beat]) -> None:
    """Time without a heartbeat is neither down nor up."""
    distances = [(after[0] - before[0]).total_seconds() for before, after in pairwise(beats)]
    usual = max(median(distances) * 10, 300) if distances else 0
    for (before, *_), (after, *_), distance in zip(beats, beats[1:], distances, strict=False):
        if distance > usual:
            value = f"monitor {monitor or '?'}: {iso_jst(before)} to {iso_jst(after)}"
            file.say(value, "no heartbeat; nobody knows whether it was down", "ask another monitor")


def uptimerobot_csv(file: OutageFile) -> None:
    """Its CSV of events: Event, Monitor, Date-Time, Reason, Duration, Duration (in mins.)."""
    for line, row in _rows(file, "Event", "Date-Time"):
        if row["Event"].strip().lower() != "down":
            continue

        def take(found: tuple[int, Mapping[str, str]]) -> None:
            _, row = found
            start_at = _moment(row["Date-Time"])
            length = length_of(row.get("Duration (in mins.)"), 60) or length_of(row.get("Duration"))
            name = f"{row.get('Monitor', '')}-{int(start_at.timestamp())}"
            file.take(name, start_at, start_at + length if length else None, row.get("Reason", ""), line=found[0])

        file.each([(line, row)], take)


def zabbix_csv(file: OutageFile) -> None:
    """Its CSV of problems: Time, Recovery time, Status, Host, Problem; times as the page shows them."""

    def take(found: tuple[int, Mapping[str, str]]) -> None:
        line, row = found
        start_at = _moment(row["Time"])
        name = f"{row.get('Host', '')}-{int(start_at.timestamp())}"
        file.take(name, start_at, moment_of(row["Recovery time"]), row.get("Problem", ""), line=line)

    file.each(_rows(file, "Time", "Recovery time"), take)


def pagerduty_csv(file: OutageFile) -> None:
    """Its CSV of incidents: id or incident_number, created_on, resolved_on, description."""

    def take(found: tuple[int, Mapping[str, str]]) -> None:
        line, row = found
        name = row.get("id") or row.get("incident_number") or str(line)
        what = row.get("description") or row.get("title") or ""
        file.take(name, _moment(row["created_on"]), moment_of(row["resolved_on"]), what, line=line)

    file.each(_rows(file, "created_on", "resolved_on"), take)


def table(file: OutageFile) -> None:
    """Any CSV: from, and to or duration; also id, ground, cause. Times written or since 1970; columns as people say."""
    named = dict(file.asked.columns)
    start, end, length = (named.get(name, name) for name in ("from", "to", "duration"))

    def take(found: tuple[int, Mapping[str, str]]) -> None:
        line, row = found
        start_at = _moment(row[start])
        end_at = moment_of(row[end]) if end in row else None
        if end_at is None and length in row and (lasted := length_of(row[length])) is not None:
            end_at = start_at + lasted
        if end not in row and length not in row:
            raise RefusedRowError(f"no column {end!r} or {length!r}", "an outage has an end or a length", "name one")
        name = row.get(named.get("id", "id")) or f"{file.path.stem}-{int(start_at.timestamp())}"
        try:
            cause = Cause(row.get(named.get("cause", "cause")) or Cause.FAULT)
        except ValueError as error:
            raise RefusedRowError(str(error), f"a cause is {', '.join(Cause)}", "name it so") from None
        file.take(name, start_at, end_at, row.get(named.get("ground", "ground"), ""), cause=cause, line=line)

    file.each(_rows(file, start), take)


def _rows(file: OutageFile, *needed: str) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows of a CSV that were asked for (`--only COLUMN=VALUE`), each with its line."""
    found = csv_table(file.path, file.findings)
    if found is None:
        file.refused += 1
        return
    header, rows = found
    if lacking := header_findings(str(file.path), [*needed, *(column for column, _ in file.asked.only)], header):
        file.findings += lacking
        file.refused += 1
        return
    for line, row in rows:
        if all(row[column].lower() == value.lower() for column, value in file.asked.only):
            yield line, row


def _moment(written: str) -> datetime:
    at = moment_of(written)
    if at is None:
        raise RefusedRowError(f"{written!r:.60}", "an outage has a start", EXPORT_AGAIN)
    return at
