"""Answers of services that watch or announce: one function for each tool, its fields as its documentation has them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from keizoku.sla.evidence.incident_files import RefusedRowError
from keizoku.sla.evidence.outage_formats.shapes import (
    EXPORT_AGAIN,
    OutageFile,
    json_of,
    listed,
    moment_of,
    rows_of,
    text_of,
)
from keizoku.sla.rules.outages import Cause
from keizoku.terms.calendar import iso_jst

__all__ = [
    "better_stack",
    "datadog_corrections",
    "datadog_downtimes",
    "pagerduty",
    "pingdom",
    "statuspage",
    "upptime",
    "uptimerobot",
    "zabbix",
]

Row = Mapping[str, Any]
DOWN: Final = 1
NOTHING_TO_DO: Final = "nothing, unless users could not use the service"
INTERNAL: Final = "3"
NEWEST: Final = 50
OVER: Final = ("resolved", "postmortem", "completed")
CORRECTED: Final = {"scheduled maintenance", "deployment"}


def uptimerobot(file: OutageFile) -> None:
    """GET /v3/incidents, or getMonitors with logs (v2): a type (1 down, 2 up, …), datetime, duration in seconds."""
    answer = json_of(file)
    if isinstance(answer, dict) and "monitors" not in answer and isinstance(answer.get("data"), list):
        file.each(file.chosen(rows_of(file, answer, "data")), partial(_incident, file))
        return
    for monitor in file.chosen(rows_of(file, answer, "monitors")):
        logs = monitor.get("logs")
        file.each(logs if isinstance(logs, list) else [], partial(_log, file, monitor))


def _incident(file: OutageFile, row: Row) -> None:
    """data[]: type (a slow answer is no outage), monitor.friendlyName, startedAt, resolvedAt, duration, reason."""
    kind = re.sub("[^a-z]", "", text_of(row, "type").lower())
    if kind not in ("", "down", "downtime"):
        file.say(f"{text_of(row, 'id')}: {text_of(row, 'type')}", "no downtime; it is not taken", NOTHING_TO_DO)
        return
    start_at, end_at = _start(row, "startedAt"), moment_of(row.get("resolvedAt"))
    if end_at is None and _is_resolved(row):
        end_at = start_at + timedelta(seconds=int(text_of(row, "duration")))
    monitor = row.get("monitor")
    name = text_of(monitor, "friendlyName") if isinstance(monitor, dict) else ""
    file.take(text_of(row, "id"), start_at, end_at, f"{name}: {text_of(row, 'reason')}")


def _log(file: OutageFile, monitor: Row, log: Row) -> None:
    name = text_of(monitor, "friendly_name") or text_of(monitor, "id")
    if int(text_of(log, "type") or 0) != DOWN:
        return
    start_at = moment_of(log["datetime"])
    if start_at is None:
        raise RefusedRowError(f"{name}: no datetime", "an outage has a start", EXPORT_AGAIN)
    seconds = int(text_of(log, "duration") or 0)
    reason = log.get("reason")
    detail = text_of(reason, "detail") if isinstance(reason, dict) else ""
    key = f"{text_of(monitor, 'id')}-{text_of(log, 'id') or int(start_at.timestamp())}"
    file.take(key, start_at, start_at + timedelta(seconds=seconds) if seconds else None, f"{name}: {detail}")


def better_stack(file: OutageFile) -> None:
    """GET /incidents: data[].attributes with started_at, resolved_at, name, cause, status."""

    def take(row: Row) -> None:
        own = row["attributes"]
        file.take(
            text_of(row, "id"),
            _start(own, "started_at"),
            moment_of(own.get("resolved_at")),
            _said(own, "name", "cause"),
        )

    file.each(file.chosen(listed(file, "data")), take)


def pingdom(file: OutageFile) -> None:
    """GET summary.outage: summary.states[] with status (up, down, unknown), timefrom and timeto in seconds."""
    answer = json_of(file)
    summary = answer.get("summary", answer) if isinstance(answer, dict) else None
    states = summary.get("states") if isinstance(summary, dict) else None
    if not isinstance(states, list):
        file.refuse(f"{type(answer).__name__}", "an answer of this tool has summary.states", EXPORT_AGAIN)
        return

    def take(row: Row) -> None:
        start_at, end_at = _start(row, "timefrom"), moment_of(row.get("timeto"))
        if text_of(row, "status") == "unknown":
            rule = "nobody knows whether it was down; no outage is taken"
            file.say(f"unknown since {start_at:%Y-%m-%d %H:%M}Z", rule, "record it as unknown, or ask another monitor")
        elif text_of(row, "status") == "down":
            file.take(str(int(start_at.timestamp())), start_at, end_at, "pingdom: down")

    file.each(file.chosen([each for each in states if isinstance(each, dict)]), take)


def statuspage(file: OutageFile) -> None:
    """incidents.json, scheduled-maintenances.json: started_at, created_at, resolved_at, impact; planned work apart."""
    answer = json_of(file)
    lists = (
        [answer.get(name) for name in ("incidents", "scheduled_maintenances")] if isinstance(answer, dict) else [answer]
    )
    rows = [row for each in lists if isinstance(each, list) for row in each]
    if not any(isinstance(each, list) for each in lists):
        file.refuse(f"{type(answer).__name__}", "an answer of this tool has incidents", EXPORT_AGAIN)
    longest = max((len(each) for each in lists if isinstance(each, list)), default=0)
    if isinstance(answer, dict) and "page" in answer and longest >= NEWEST:
        rule = f"a status page gives its newest {NEWEST}; older ones are not in the file"
        file.say(f"{longest} incidents", rule, "export and import them, too")

    def take(row: Row) -> None:
        impact, state, what = text_of(row, "impact"), text_of(row, "status"), _said(row, "name", "impact")
        if impact == "none":
            return
        if impact == "maintenance" or text_of(row, "scheduled_for"):
            if state == "scheduled":
                return
            start_at = moment_of(row.get("started_at")) or _start(row, "scheduled_for")
            end_at = _over_at(file, row) or moment_of(row.get("scheduled_until"))
            file.take(text_of(row, "id"), start_at, end_at, what, cause=Cause.SYSTEM_UPDATE)
            return
        start_at = moment_of(row.get("started_at")) or _start(row, "created_at")
        file.take(text_of(row, "id"), start_at, _over_at(file, row), what)

    file.each(file.chosen([each for each in rows if isinstance(each, dict)]), take)


def _over_at(file: OutageFile, row: Row) -> datetime | None:
    """When an incident was over; of one that is and does not say when, its first update that says so, else its last."""
    if (at := moment_of(row.get("resolved_at"))) is not None or text_of(row, "status") not in OVER:
        return at
    updates = [each for each in row.get("incident_updates") or [] if isinstance(each, dict)]
    told = [
        moment_of(each.get("display_at") or each.get("created_at")) for each in updates if each.get("status") in OVER
    ]
    at = min((each for each in told if each is not None), default=None) or moment_of(row.get("updated_at"))
    if at is not None:
        rule = f"it is over and has no resolved_at; taken is the time at which that was told, {iso_jst(at)}"
        file.say(text_of(row, "id"), rule, "correct it where it ended earlier")
    return at


def zabbix(file: OutageFile) -> None:
    """problem.get, event.get: clock in seconds, name, suppressed; r_clock, or r_eventid ("0": open) and that event."""
    rows = listed(file, "result")
    recovered = {text_of(row, "eventid"): row.get("clock") for row in rows if text_of(row, "value") == "0"}

    def take(row: Row) -> None:
        name, recovery = text_of(row, "eventid"), text_of(row, "r_eventid")
        if text_of(row, "value") == "0" or text_of(row, "source") == INTERNAL:
            return  # a recovery is an event of its own; the monitor's own trouble is no outage
        end_at = moment_of(row.get("r_clock")) or moment_of(recovered.get(recovery))
        if end_at is None and recovery not in ("", "0"):
            rule = f"it is over by event {recovery}, whose time is not in the file"
            raise RefusedRowError(f"event {name}", rule, "export it without a filter by value, or by problem.get")
        if end_at is None and not recovery and "r_clock" not in row:
            raise RefusedRowError(f"event {name}", "r_eventid or r_clock says whether it is over", "export these, too")
        if text_of(row, "suppressed") == "1":
            rule = "suppressed by a maintenance of the monitor; it is taken all the same"
            file.say(f"event {name}", rule, "correct it where it was no outage: keizoku sla incident correct")
        file.take(name, _start(row, "clock"), end_at, text_of(row, "name"))

    file.each(file.chosen(rows), take)


def pagerduty(file: OutageFile) -> None:
    """GET /incidents: created_at, resolved_at or, of a resolved one, last_status_change_at; title, urgency."""

    def take(row: Row) -> None:
        end_at = moment_of(row.get("resolved_at"))
        if end_at is None and _is_resolved(row):
            end_at = moment_of(row.get("last_status_change_at"))
        file.take(text_of(row, "id"), _start(row, "created_at"), end_at, _said(row, "title", "urgency"))

    file.each(file.chosen(listed(file, "incidents")), take)


def upptime(file: OutageFile) -> None:
    """The issues of its repository: labelled "status", opened when a site is down and closed when it is up again."""

    def take(row: Row) -> None:
        labels = {_label(each).lower() for each in row.get("labels") or []}
        if "maintenance" in labels:
            window = re.search(r"start: *(\S+)\s+end: *(\S+)", text_of(row, "body"))
            if window is None:
                raise RefusedRowError(f"#{row.get('number')}", "a maintenance says start and end", EXPORT_AGAIN)
            start_at = moment_of(window[1])
            if start_at is not None:
                file.take(
                    _number(row), start_at, moment_of(window[2]), text_of(row, "title"), cause=Cause.SYSTEM_UPDATE
                )
        elif "status" in labels:
            start_at = moment_of(row.get("created_at") or row.get("createdAt"))
            if start_at is None:
                raise RefusedRowError(f"#{row.get('number')}", "an outage has a start", EXPORT_AGAIN)
            file.take(
                _number(row), start_at, moment_of(row.get("closed_at") or row.get("closedAt")), text_of(row, "title")
            )

    file.each(file.chosen(listed(file, "issues")), take)


def datadog_downtimes(file: OutageFile) -> None:
    """Downtimes (API v1 and v2): planned silence, so what is seen in it was a system update; it is no outage itself."""

    def take(row: Row) -> None:
        attributes = row.get("attributes")
        own: Row = attributes if isinstance(attributes, dict) else row
        if text_of(own, "status") in ("canceled", "scheduled") or own.get("canceled"):
            return
        when: Row = own
        if isinstance(own.get("schedule"), dict):
            when = own["schedule"].get("current_downtime") or own["schedule"]
        elif text_of(own, "recurrence") not in ("", "{}"):
            value, rule = f"downtime {text_of(row, 'id')}", "a recurring one does not say when it was"
            raise RefusedRowError(value, rule, EXPORT_AGAIN)
        end_at, what = moment_of(when.get("end")), text_of(own, "message")
        file.take(text_of(row, "id"), _start(when, "start"), end_at, what, cause=Cause.SYSTEM_UPDATE)

    file.each(file.chosen(listed(file, "data", "downtimes")), take)


def datadog_corrections(file: OutageFile) -> None:
    """SLO corrections: start, end or duration in seconds, category; planned work only, others are people's decision."""

    def take(row: Row) -> None:
        own = row["attributes"]
        category, name = text_of(own, "category"), text_of(row, "id")
        if category.lower() not in CORRECTED:
            rule = "only planned work is taken; what else does not count, people decide, with a ground"
            raise RefusedRowError(f"{name}: {category}", rule, "rule on it: `keizoku sla incident environment`")
        if text_of(own, "rrule"):
            raise RefusedRowError(f"{name}: rrule", "a recurring one does not say when it was", "write each as its own")
        start_at, end_at = _start(own, "start"), moment_of(own.get("end"))
        if end_at is None and text_of(own, "duration"):
            end_at = start_at + timedelta(seconds=int(text_of(own, "duration")))
        file.take(name, start_at, end_at, _said(own, "category", "description"), cause=Cause.SYSTEM_UPDATE)

    file.each(file.chosen(listed(file, "data")), take)


def _is_resolved(row: Row) -> bool:
    """Whether its state says that it is over, in the word that UptimeRobot and PagerDuty share."""
    return text_of(row, "status").lower() == "resolved"


def _start(row: Row, name: str) -> Any:
    at = moment_of(row.get(name))
    if at is None:
        raise RefusedRowError(f"{text_of(row, 'id') or name}: no {name}", "an outage has a start", EXPORT_AGAIN)
    return at


def _said(row: Row, *names: str) -> str:
    return ": ".join(filter(None, (text_of(row, name) for name in names)))


def _label(label: object) -> str:
    return text_of(label, "name") if isinstance(label, dict) else str(label)


def _number(row: Row) -> str:
    return text_of(row, "number") or text_of(row, "id")
