"""Answers of monitors that are a part of what there is: another page, the event that ends an outage, the newest API."""

from pathlib import Path

import pytest

from tests.unit.sla.test_outage_formats import AN_HOUR, MIDNIGHT, NINE, OPEN, TEN, read


def test_9_3__uptimerobots_incidents(tmp_path: Path) -> None:
    own = {"monitor": {"id": 7, "friendlyName": "web"}, "reason": "Connection Timeout", "cause": 98}
    over = own | {"id": "801", "type": "Downtime", "status": "Resolved", "startedAt": "2026-04-15T00:00:00.000Z"}
    over |= {"resolvedAt": "2026-04-15T01:00:00.000Z", "duration": 3_600}
    lasted = over | {"id": "802", "resolvedAt": None}
    still = over | {"id": "803", "status": "Ongoing", "resolvedAt": None, "duration": 60}
    slow = over | {"id": "804", "type": "Slow Response"}
    rows, told = read(tmp_path, "uptimerobot", {"data": [over, lasted, still, slow], "nextLink": None})
    assert rows == [
        ("uptimerobot-801", *AN_HOUR, 100, "fault"),
        ("uptimerobot-802", *AN_HOUR, 100, "fault"),
        ("uptimerobot-803", "04-15T09:00:00", MIDNIGHT, 100, "fault"),
    ]
    assert told == [
        ("803: since 2026-04-15T09:00:00+09:00", OPEN),
        ("804: Slow Response", "no downtime; it is not taken"),
    ]


MORE = ("one page of several", "outages of the other pages are not in the file")


@pytest.mark.parametrize(
    ("form", "answer", "told"),
    [
        ("uptimerobot", {"data": [], "nextLink": "https://api.uptimerobot.com/v3/incidents?cursor=5"}, [MORE]),
        ("uptimerobot", {"monitors": [], "pagination": {"offset": 0, "limit": 50, "total": 51}}, [MORE]),
        ("uptimerobot", {"monitors": [], "pagination": {"offset": 50, "limit": 50, "total": 51}}, []),
        ("better-stack", {"data": [], "pagination": {"first": "…", "next": "…page=2"}}, [MORE]),
        ("better-stack", {"data": [], "pagination": {"first": "…", "next": None}}, []),
        ("pagerduty", {"incidents": [], "limit": 25, "offset": 0, "more": True, "total": None}, [MORE]),
        ("datadog-downtimes", {"data": [], "meta": {"page": {"total_filtered_count": 31}}}, [MORE]),
        ("datadog-corrections", {"data": [], "meta": {"page": {"total_filtered_count": 0}}}, []),
        (
            "statuspage",
            {"page": {"id": "y"}, "incidents": [{"impact": "none"}] * 50},
            [("50 incidents", "a status page gives its newest 50; older ones are not in the file")],
        ),
    ],
)
def test_9_3__a_page_of_several_is_not_taken_for_all(
    tmp_path: Path, form: str, answer: object, told: list[tuple[str, str]]
) -> None:
    assert read(tmp_path, form, answer) == ([], told)


def test_9_3__zabbixs_events_are_over_by_events_of_their_own(tmp_path: Path) -> None:
    """event.get has no r_clock: what is over is never taken for open because its recovery is not in the file."""
    event = {"source": "0", "object": "0", "ns": "1", "severity": "4", "name": "down", "suppressed": "0"}
    problem = event | {"eventid": "21", "clock": str(NINE), "value": "1", "r_eventid": "25"}
    recovery = event | {"eventid": "25", "clock": str(TEN), "value": "0", "r_eventid": "0"}
    still = problem | {"eventid": "26", "r_eventid": "0"}
    gone = problem | {"eventid": "27", "r_eventid": "99"}
    unsaid = {"eventid": "28", "clock": str(NINE), "name": "down"}
    own = problem | {"eventid": "29", "source": "3", "r_eventid": "0"}
    rows, told = read(tmp_path, "zabbix", {"result": [problem, recovery, still, gone, unsaid, own]})
    assert rows == [("zabbix-21", *AN_HOUR, 100, "fault"), ("zabbix-26", "04-15T09:00:00", MIDNIGHT, 100, "fault")]
    assert told == [
        ("26: since 2026-04-15T09:00:00+09:00", OPEN),
        ("event 27", "it is over by event 99, whose time is not in the file"),
        ("event 28", "r_eventid or r_clock says whether it is over"),
    ]


def test_9_3__rows_of_an_answer_are_chosen_as_rows_of_a_table_are(tmp_path: Path) -> None:
    times = {"started_at": "2026-04-15T00:00:00Z", "resolved_at": "2026-04-15T01:00:00Z"}
    data = [{"id": name, "attributes": times | {"name": name}} for name in ("web", "app")]
    only = [("attributes.name", "WEB")]
    assert read(tmp_path, "better-stack", {"data": data}, only=only) == (
        [("better-stack-web", *AN_HOUR, 100, "fault")],
        [],
    )
    rows, told = read(tmp_path, "better-stack", {"data": data}, only=[("name", "web")])
    assert (rows, told) == ([], [("--only name", "no row has it; there are attributes, id")])
    log = {"type": 1, "datetime": NINE, "duration": 3_600}
    monitors = [{"id": place, "friendly_name": name, "logs": [log]} for place, name in enumerate(("web", "app"))]
    rows, _ = read(tmp_path, "uptimerobot", {"monitors": monitors}, only=[("friendly_name", "app")])
    assert rows == [("uptimerobot-1-1776211200", *AN_HOUR, 100, "fault")]
    event = {"eventid": "1", "clock": str(NINE), "value": "1", "severity": "4", "r_eventid": "2", "name": "down"}
    recovery = {"eventid": "2", "clock": str(TEN), "value": "0", "severity": "0", "r_eventid": "0", "name": "down"}
    rows, told = read(
        tmp_path, "zabbix", [event, recovery, event | {"eventid": "3", "severity": "1"}], only=[("severity", "4")]
    )
    assert (rows, told) == ([("zabbix-1", *AN_HOUR, 100, "fault")], [])
    beats = {
        name: [{"status": status, "time": f"2026-04-15 0{hour}:00:00"} for hour, status in ((0, 0), (1, 1))]
        for name in ("1", "2")
    }
    rows, _ = read(tmp_path, "uptime-kuma", {"heartbeatList": beats}, only=[("monitor_id", "2")])
    assert rows == [("uptime-kuma-2-1776211200", *AN_HOUR, 100, "fault")]
    states = [{"status": "down", "timefrom": NINE, "timeto": TEN, "probe": each} for each in (1, 2)]
    rows, told = read(tmp_path, "pingdom", {"summary": {"states": states}}, only=[("probe", "2")])
    assert (rows, told) == ([("pingdom-1776211200", *AN_HOUR, 100, "fault")], [])
