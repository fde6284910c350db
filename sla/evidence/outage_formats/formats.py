"""Every form of outages that is read, by name, and the reading of a file in one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from keizoku.sla.evidence.incident_files import Incident, Read, summed
from keizoku.sla.evidence.outage_formats import services, tables
from keizoku.sla.evidence.outage_formats.shapes import Asked, OutageFile, OutageFormat

__all__ = ["FORMATS", "Asked", "AskedOutages", "format_named", "read_outages"]

FORMATS: Final = (
    OutageFormat(
        "better-stack",
        "Better Stack",
        "JSON of GET /incidents",
        "betterstack.com/docs/uptime/api",
        services.better_stack,
    ),
    OutageFormat(
        "datadog-corrections",
        "Datadog",
        "JSON of SLO corrections; planned work names a cause",
        "docs.datadoghq.com/api/latest/service-level-objective-corrections",
        services.datadog_corrections,
    ),
    OutageFormat(
        "datadog-downtimes",
        "Datadog",
        "JSON of downtimes (v1, v2); they name a cause",
        "docs.datadoghq.com/api/latest/downtimes",
        services.datadog_downtimes,
    ),
    OutageFormat("pagerduty", "PagerDuty", "JSON of GET /incidents", "developer.pagerduty.com", services.pagerduty),
    OutageFormat("pagerduty-csv", "PagerDuty", "CSV of incidents", "developer.pagerduty.com", tables.pagerduty_csv),
    OutageFormat("pingdom", "Pingdom", "JSON of GET /summary.outage", "docs.pingdom.com/api", services.pingdom),
    OutageFormat(
        "statuspage",
        "Atlassian Statuspage",
        "incidents.json, scheduled-maintenances.json",
        "developer.statuspage.io",
        services.statuspage,
    ),
    OutageFormat("table", "any", "CSV: from, to or duration; --columns, --only", "", tables.table),
    OutageFormat("upptime", "Upptime", "JSON of the repository's issues", "upptime.js.org/docs", services.upptime),
    OutageFormat(
        "uptime-kuma",
        "Uptime Kuma",
        "heartbeats: JSON of the status page, CSV or JSON of the table heartbeat",
        "github.com/louislam/uptime-kuma (server/model/heartbeat.js)",
        tables.uptime_kuma,
    ),
    OutageFormat(
        "uptimerobot",
        "UptimeRobot",
        "JSON of GET /v3/incidents, of getMonitors with logs",
        "uptimerobot.com/api",
        services.uptimerobot,
    ),
    OutageFormat("uptimerobot-csv", "UptimeRobot", "CSV of events", "uptimerobot.com", tables.uptimerobot_csv),
    OutageFormat(
        "zabbix",
        "Zabbix",
        "JSON of problem.get, event.get",
        "zabbix.com/documentation/current/en/manual/api",
        services.zabbix,
    ),
    OutageFormat("zabbix-csv", "Zabbix", "CSV of Problems", "zabbix.com/documentation", tables.zabbix_csv),
)


@dataclass(frozen=True, slots=True)
class AskedOutages:
    """How people say that a file of outages is to be read: its form, users unable, columns, which rows."""

    form: OutageFormat
    affected: int
    columns: tuple[tuple[str, str], ...] = ()
    only: tuple[tuple[str, str], ...] = ()

    def description(self) -> str:
        """In one line, for the record of the import."""
        named = [f"columns={' '.join(f'{ours}={theirs}' for ours, theirs in self.columns)}"] if self.columns else []
        rows = [f"only={column}={value}" for column, value in self.only]
        return ", ".join([f"format={self.form.name}", f"affected={self.affected}", *named, *rows])

    def read(self, path: Path, now: datetime) -> Read[Incident]:
        """The outages of a file, as known at `now`; OSError if it cannot be opened."""
        return read_outages(path, self.form, Asked(self.affected, now, dict(self.columns), self.only))


def format_named(name: str) -> OutageFormat | None:
    """The form of this name."""
    return next((each for each in FORMATS if each.name == name), None)


def read_outages(path: Path, form: OutageFormat, asked: Asked) -> Read[Incident]:
    """The outages of a file in a form; OSError if it cannot be opened."""
    file = OutageFile(path, form.name, asked)
    form.read(file)
    return Read(tuple(file.rows), summed(file.findings), tuple(file.lines), file.refused)
