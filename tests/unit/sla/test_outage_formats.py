"""Outages as monitors and status pages export them: every form on a file of its tool's own shape."""

import json
from pathlib import Path
from typing import Any

import pytest

from keizoku.sla.evidence.outage_formats.formats import FORMATS, AskedOutages, format_named
from keizoku.terms.calendar import from_epoch, iso_jst, parse_instant

NOW = parse_instant("2026-04-20 00:00")
NINE, TEN = 1_776_211_200, 1_776_214_800  # 15 April, 09:00 and 10:00 in Japan
AN_HOUR = ("04-15T09:00:00", "04-15T10:00:00")
Rows = list[tuple[str, str, str, int, str]]


def read(
    folder: Path, form: str, content: object, name: str = "", affected: int = 100, **more: Any
) -> tuple[Rows, list[tuple[str, str]]]:
    text = content if isinstance(content, str) else json.dumps(content)
    path = folder / (name or ("export.csv" if form.endswith("csv") or form == "table" else "export.json"))
    path.write_text(text, encoding="utf-8")
    found = format_named(form)
    assert found is not None
    asked = AskedOutages(found, affected, tuple(more.get("columns", {}).items()), tuple(more.get("only", ())))
    rows = asked.read(path, NOW)
    shown = [
        (row.id, iso_jst(from_epoch(row.start))[5:19], iso_jst(from_epoch(row.end))[5:19], row.affected, str(row.cause))
        for row in rows.rows
    ]
    return shown, [(each.value, each.rule) for each in rows.findings]


OPEN = "it is still open; known until 2026-04-20T00:00:00+09:00"
MIDNIGHT = "04-20T00:00:00"


def test_9_3__uptimerobot(tmp_path: Path) -> None:
    logs = [
        {"type": 2, "datetime": TEN, "duration": 600, "reason": {"code": "200", "detail": "OK"}},
        {"type": 1, "datetime": NINE, "duration": 3_600, "reason": {"code": "333333", "detail": "Connection Timeout"}},
        {"type": 99, "datetime": NINE - 9_000, "duration": 100, "reason": {"code": "99", "detail": "Paused"}},
        {"type": 1, "datetime": TEN + 3_600, "duration": 0, "reason": {"code": "404", "detail": "Not Found"}},
    ]
    rows, told = read(
        tmp_path, "uptimerobot", {"stat": "ok", "monitors": [{"id": 7, "friendly_name": "web", "logs": logs}]}
    )
    assert rows == [
        ("uptimerobot-7-1776211200", *AN_HOUR, 100, "fault"),
        ("uptimerobot-7-1776218400", "04-15T11:00:00", MIDNIGHT, 100, "fault"),
    ]
    assert told == [("7-1776218400: since 2026-04-15T02:00:00+00:00".replace("02:00:00+00:00", "11:00:00+09:00"), OPEN)]


def test_9_3__uptimerobots_csv(tmp_path: Path) -> None:
    text = (
        "Event,Monitor,Date-Time,Reason,Duration,Duration (in mins.)\n"
        'Down,web,2026-04-15 09:00:00,Connection Timeout,"1 hrs, 0 mins",60\n'
        'Up,web,2026-04-15 10:00:00,OK,"5 hrs, 0 mins",300\n'
    )
    assert read(tmp_path, "uptimerobot-csv", text) == ([("uptimerobot-csv-web-1776211200", *AN_HOUR, 100, "fault")], [])


def test_9_3__better_stack(tmp_path: Path) -> None:
    own = {
        "name": "web",
        "cause": "Status 404",
        "started_at": "2026-04-15T00:00:00.000Z",
        "resolved_at": "2026-04-15T01:00:00.000Z",
    }
    still = own | {"started_at": "2026-04-19T00:00:00.000Z", "resolved_at": None, "status": "Started"}
    data = [{"id": "25", "type": "incident", "attributes": own}, {"id": "26", "type": "incident", "attributes": still}]
    rows, told = read(tmp_path, "better-stack", {"data": data, "pagination": {"first": "…"}})
    assert rows == [
        ("better-stack-25", *AN_HOUR, 100, "fault"),
        ("better-stack-26", "04-19T09:00:00", MIDNIGHT, 100, "fault"),
    ]
    assert told == [("26: since 2026-04-19T09:00:00+09:00", OPEN)]


def test_9_3__pingdom(tmp_path: Path) -> None:
    states = [
        {"status": "up", "timefrom": NINE - 3_600, "timeto": NINE},
        {"status": "down", "timefrom": NINE, "timeto": TEN},
        {"status": "unknown", "timefrom": TEN, "timeto": TEN + 60},
    ]
    rows, told = read(tmp_path, "pingdom", {"summary": {"states": states}})
    assert rows == [("pingdom-1776211200", *AN_HOUR, 100, "fault")]
    assert told == [("unknown since 2026-04-15 01:00Z", "nobody knows whether it was down; no outage is taken")]


def test_9_3__statuspage(tmp_path: Path) -> None:
    incident = {
        "id": "p31zjtct2jer",
        "name": "Errors",
        "impact": "major",
        "status": "resolved",
        "created_at": "2026-04-14T18:10:00.000-06:00",
        "started_at": "2026-04-14T18:00:00.000-06:00",
        "resolved_at": "2026-04-14T19:00:00.000-06:00",
        "incident_updates": [],
    }
    planned = incident | {
        "id": "m",
        "impact": "maintenance",
        "status": "completed",
        "scheduled_for": "2026-04-15T00:00:00Z",
    }
    future = planned | {"id": "f", "status": "scheduled"}
    said = incident | {"id": "n", "impact": "none"}
    content = {"page": {"id": "y"}, "incidents": [incident, said], "scheduled_maintenances": [planned, future]}
    assert read(tmp_path, "statuspage", content) == (
        [
            ("statuspage-p31zjtct2jer", *AN_HOUR, 100, "fault"),
            ("statuspage-m", *AN_HOUR, 0, "system_update"),
        ],
        [],
    )


def test_9_3__zabbix(tmp_path: Path) -> None:
    event = {
        "eventid": "1245463",
        "clock": str(NINE),
        "ns": "1",
        "r_eventid": "9",
        "r_clock": str(TEN),
        "name": "down",
        "severity": "4",
    }
    suppressed = event | {"eventid": "2", "suppressed": "1", "r_eventid": "0", "r_clock": "0"}
    rows, told = read(tmp_path, "zabbix", {"jsonrpc": "2.0", "result": [event, suppressed], "id": 1})
    assert rows == [
        ("zabbix-1245463", *AN_HOUR, 100, "fault"),
        ("zabbix-2", "04-15T09:00:00", MIDNIGHT, 100, "fault"),
    ]
    assert [value for value, _ in told] == ["event 2", "2: since 2026-04-15T09:00:00+09:00"]


def test_9_3__zabbixs_csv(tmp_path: Path) -> None:
    text = (
        '"Severity","Time","Recovery time","Status","Host","Problem","Duration","Ack","Actions","Tags"\n'
        '"High","2026-04-15 09:00:00 AM","2026-04-15 10:00:00 AM","RESOLVED","web","No ping","1h","No","",""\n'
        '"Warning","2026-04-15 12:00:00 PM","2026-04-15 01:00:00 PM","RESOLVED","web","Disk","1h","No","",""\n'
    )
    only = [("Severity", "high")]
    assert read(tmp_path, "zabbix-csv", text, only=only) == (
        [("zabbix-csv-web-1776211200", *AN_HOUR, 100, "fault")],
        [],
    )
    assert [row[1:3] for row in read(tmp_path, "zabbix-csv", text)[0]] == [
        AN_HOUR,
        ("04-15T12:00:00", "04-15T13:00:00"),
    ]


def test_9_3__pagerduty(tmp_path: Path) -> None:
    own = {
        "id": "PT4KHLK",
        "type": "incident",
        "title": "down",
        "urgency": "high",
        "created_at": "2026-04-15T00:00:00Z",
    }
    resolved = own | {"status": "resolved", "last_status_change_at": "2026-04-15T01:00:00Z"}
    triggered = own | {"id": "P2", "status": "triggered", "last_status_change_at": "2026-04-15T00:30:00Z"}
    rows, told = read(tmp_path, "pagerduty", {"incidents": [resolved, triggered], "limit": 25, "more": False})
    assert rows == [
        ("pagerduty-PT4KHLK", *AN_HOUR, 100, "fault"),
        ("pagerduty-P2", "04-15T09:00:00", MIDNIGHT, 100, "fault"),
    ]
    assert [value for value, _ in told] == ["P2: since 2026-04-15T09:00:00+09:00"]
    header = "id,incident_number,description,created_on,resolved_on"
    text = f"{header}\nPT4KHLK,1,down,2026-04-15T09:00:00+09:00,2026-04-15T10:00:00+09:00\n"
    assert read(tmp_path, "pagerduty-csv", text) == ([("pagerduty-csv-PT4KHLK", *AN_HOUR, 100, "fault")], [])


def test_9_3__upptime(tmp_path: Path) -> None:
    down = {
        "number": 12,
        "title": "🛑 Web is down",
        "state": "closed",
        "labels": [{"name": "status"}, {"name": "web"}],
        "created_at": "2026-04-15T00:00:00Z",
        "closed_at": "2026-04-15T01:00:00Z",
    }
    planned = down | {
        "number": 13,
        "labels": [{"name": "maintenance"}],
        "body": "<!--\nstart: 2026-04-15T00:00:00Z\nend: 2026-04-15T01:00:00Z\n-->",
    }
    question = down | {"number": 14, "labels": [{"name": "question"}]}
    assert read(tmp_path, "upptime", [down, planned, question]) == (
        [("upptime-12", *AN_HOUR, 100, "fault"), ("upptime-13", *AN_HOUR, 0, "system_update")],
        [],
    )


def test_9_3__datadogs_downtimes_and_corrections_name_a_cause(tmp_path: Path) -> None:
    first = [
        {
            "id": 1,
            "start": NINE,
            "end": TEN,
            "active": False,
            "canceled": None,
            "message": "release",
            "recurrence": None,
        }
    ]
    assert read(tmp_path, "datadog-downtimes", first) == ([("datadog-downtimes-1", *AN_HOUR, 0, "system_update")], [])
    schedule = {"start": "2026-04-15T00:00:00.000000+00:00", "end": "2026-04-15T01:00:00.000000+00:00"}
    second = {"type": "downtime", "id": "a-b", "attributes": {"status": "ended", "message": "x", "schedule": schedule}}
    gone = {"type": "downtime", "id": "c", "attributes": {"status": "canceled", "schedule": schedule}}
    assert read(tmp_path, "datadog-downtimes", {"data": [second, gone]}) == (
        [("datadog-downtimes-a-b", *AN_HOUR, 0, "system_update")],
        [],
    )
    own = {"slo_id": "s", "category": "Scheduled Maintenance", "start": NINE, "duration": 3_600, "timezone": "UTC"}
    other = own | {"category": "Outside Business Hours"}
    data = [
        {"id": "1", "type": "correction", "attributes": own},
        {"id": "2", "type": "correction", "attributes": other},
    ]
    rows, told = read(tmp_path, "datadog-corrections", {"data": data})
    assert rows == [("datadog-corrections-1", *AN_HOUR, 0, "system_update")]
    assert told == [
        (
            "2: Outside Business Hours",
            "only planned work is taken; what else does not count, people decide, with a ground",
        )
    ]


def beat(minute: int, status: int, msg: str = "") -> dict[str, object]:
    return {"status": status, "time": f"2026-04-15 00:{minute:02d}:00.527", "msg": msg, "ping": None}


def test_9_3__uptime_kumas_heartbeats(tmp_path: Path) -> None:
    beats = [
        beat(0, 1),
        beat(1, 2),
        beat(2, 0, "ENOTFOUND"),
        beat(3, 0),
        beat(4, 1),
        beat(5, 2),
        beat(6, 1),
        beat(7, 3),
        beat(8, 1),
        beat(9, 0),
        beat(10, 0),
    ]
    rows, told = read(tmp_path, "uptime-kuma", {"heartbeatList": {"1": beats}, "uptimeList": {"1_24": 0.9}})
    assert rows == [
        ("uptime-kuma-1-1776211260", "04-15T09:01:00", "04-15T09:04:01", 100, "fault"),
        ("uptime-kuma-1-1776211620", "04-15T09:07:00", "04-15T09:08:01", 0, "system_update"),
        ("uptime-kuma-1-1776211740", "04-15T09:09:00", "04-15T09:10:01", 100, "fault"),
    ]
    assert told == [
        (
            "1-1776211740: since 2026-04-15T09:09:00.527000+09:00",
            "its last heartbeat of 2026-04-15T09:10:00.527000+09:00 is no recovery; it is known until then",
        )
    ]
    text = "id,important,monitor_id,status,msg,time,ping,duration,down_count\n" + "".join(
        f"{place},0,1,{each['status']},{each['msg']},{each['time']},,60,0\n" for place, each in enumerate(beats)
    )
    assert read(tmp_path, "uptime-kuma", text, "kuma.csv") == (rows, told)


def test_9_3__time_without_a_heartbeat_is_told(tmp_path: Path) -> None:
    beats = [beat(0, 1), beat(1, 1), beat(2, 1), beat(30, 1)]
    rows, told = read(tmp_path, "uptime-kuma", beats)
    assert (rows, [rule for _, rule in told]) == ([], ["no heartbeat; nobody knows whether it was down"])


@pytest.mark.parametrize(
    ("text", "more"),
    [
        ("from,to\n2026-04-15 09:00,2026-04-15 10:00\n", {}),
        (f"started;ended\n{NINE};{TEN}\n", {"columns": {"from": "started", "to": "ended"}}),
        (f"started,ended\n{NINE}000,{TEN}000\n", {"columns": {"from": "started", "to": "ended"}}),
        ("from,duration\n2026-04-15T00:00:00Z,3600\n", {}),
        ("from,lasted\n2026-04-15T00:00:00Z,1:00:00\n", {"columns": {"duration": "lasted"}}),
        ('from,lasted\n2026-04-15T00:00:00Z,"1 hrs, 0 mins"\n', {"columns": {"duration": "lasted"}}),
        (
            "state,from,to\nup,2026-04-15 08:00,2026-04-15 09:00\nDOWN,2026-04-15 09:00,2026-04-15 10:00\n",
            {"only": [("state", "down")]},
        ),
    ],
)
def test_9_3__any_table_whose_columns_are_named(tmp_path: Path, text: str, more: dict[str, Any]) -> None:
    assert read(tmp_path, "table", text, **more) == ([("table-export-1776211200", *AN_HOUR, 100, "fault")], [])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("from,to\n2026-04-15 09:00 BST,2026-04-15 10:00\n", "'2026-04-15 09:00 BST'"),
        (
            "from,to\n2026-04-15 10:00,2026-04-15 09:00\n",
            "export-1776214800: 2026-04-15T10:00:00+09:00 to 2026-04-15T09:00:00+09:00",
        ),
        ("from,to\n2027-04-15 10:00,2027-04-15 11:00\n", "export-1807750800: 2027-04-15T10:00:00+09:00"),
        ("from,to\n,2026-04-15 09:00\n", "''"),
        ("from,duration\n2026-04-15 10:00,an hour\n", "'an hour'"),
        ("begin,end\n2026-04-15 10:00,2026-04-15 11:00\n", "no column 'from'"),
    ],
)
def test_9_3__rows_that_are_no_outage_are_told(tmp_path: Path, text: str, told: str) -> None:
    rows, findings = read(tmp_path, "table", text)
    assert (rows, [value for value, _ in findings]) == ([], [told])


@pytest.mark.parametrize(
    "form", [each.name for each in FORMATS if not each.name.endswith("csv") and each.name != "table"]
)
@pytest.mark.parametrize(
    "content", ["", "[1, 2", "{}", "7", '{"data": [{}], "monitors": [{"logs": [{}]}], "incidents": [{}]}']
)
def test_9_3__what_is_no_export_of_a_tool_never_stops_the_reader(tmp_path: Path, form: str, content: str) -> None:
    rows, told = read(tmp_path, form, content)
    assert rows == []
    assert told or content.startswith('{"data"')


def test_9_3__a_resolved_incident_without_a_time_is_not_open(tmp_path: Path) -> None:
    row = {"id": "a", "name": "slow", "impact": "minor", "started_at": "2026-04-15T09:00:00+09:00", "resolved_at": None}
    updates = [
        {"status": "resolved", "display_at": "2026-04-15T10:00:00+09:00"},
        {"status": "investigating", "display_at": "2026-04-15T09:00:00+09:00"},
    ]
    told = {**row, "status": "postmortem", "updated_at": "2026-04-16T10:00:00+09:00"}
    rule = "it is over and has no resolved_at; taken is the time at which that was told, 2026-04-15T10:00:00+09:00"
    hour = [("statuspage-a", *AN_HOUR, 100, "fault")]
    assert read(tmp_path, "statuspage", {"incidents": [told | {"incident_updates": updates}]}) == (hour, [("a", rule)])
    last = told | {"updated_at": "2026-04-15T10:00:00+09:00", "incident_updates": None}
    assert read(tmp_path, "statuspage", {"incidents": [last]}) == (hour, [("a", rule)])
    still = {**row, "status": "monitoring"}
    assert read(tmp_path, "statuspage", {"incidents": [still]})[0] == [
        ("statuspage-a", "04-15T09:00:00", MIDNIGHT, 100, "fault")
    ]
