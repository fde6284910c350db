"""`keizoku sla measure`: files in, the month out, findings on stderr, no database."""

import json
from collections.abc import Callable
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from keizoku.scheduler.cli import main
from keizoku.terms.calendar import JST

REAL = Path(__file__).parents[4] / "shared" / "data" / "real-outages-2026-08.csv"
INCIDENTS = (
    "id,from,to,affected,cause,ground,author\n"
    "i1,2026-04-10 09:00,2026-04-10 12:37,60000,fault,disk,suzuki\n"
    "i2,2026-04-12 00:30,2026-04-12 05:00,900000,fault,power,suzuki\n"
    "i3,2026-04-15 09:00,2026-04-15 09:50,50000,fault,,suzuki\n"
    "i4,2026-04-20 10:00,2026-04-20 12:08,900000,system_update,release,suzuki\n"
    "i5,2026-04-21 10:00,2026-04-21 10:09:59,900000,fault,,suzuki\n"
)
NOTICE = (
    "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:test\nBEGIN:VEVENT\nUID:release\n"
    "DTSTART:20260420T100000\nDTEND:20260420T120000\nX-KEIZOKU-PUBLISHED:{}\nEND:VEVENT\nEND:VCALENDAR\n"
)
OBSERVED = "user_id,symptom,started_at,ended_at\n"
MONITOR = ("--columns", "user_id=site,started_at=from,ended_at=to", "--symptom", "site")


class Ran(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Measure = Callable[..., Ran]


@pytest.fixture
def measure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Measure:
    """Run the command in an empty folder, with a database that nobody could reach."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KEIZOKU_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")

    def run(*arguments: object) -> Ran:
        with pytest.raises(SystemExit) as ended:
            main(["sla", "measure", *map(str, arguments)])
        told = capsys.readouterr()
        return Ran(int(ended.value.code or 0), told.out, told.err)

    return run


def written(name: str, text: str) -> Path:
    path = Path(name)
    path.write_text(text, encoding="utf-8")
    return path


def waterfall(**seconds: int) -> dict[str, int]:
    buckets = ("short_stop", "night", "announced_update", "interruption", "environment", "unusable")
    return {bucket: seconds.get(bucket, 0) for bucket in buckets}


def test_9_3__incidents_and_a_notice_in_time_make_the_month(measure: Measure) -> None:
    incidents = written("incidents.csv", INCIDENTS)
    notices = written("notices.ics", NOTICE.format("20260414T150000Z"))
    ran = measure(
        "--month",
        "2026-04",
        "--population",
        1_000_000,
        "--incidents",
        incidents,
        "--notices",
        notices,
        "--json",
    )
    assert (ran.code, ran.err) == (0, "")
    assert ran.json == {
        "month": "2026-04",
        "terms": "2024-12-02",
        "stop_windows": [
            ["2026-04-10T09:00:00+09:00", "2026-04-10T12:37:00+09:00"],
            ["2026-04-12T00:30:00+09:00", "2026-04-12T05:00:00+09:00"],
            ["2026-04-20T10:00:00+09:00", "2026-04-20T12:08:00+09:00"],
            ["2026-04-21T10:00:00+09:00", "2026-04-21T10:09:59+09:00"],
        ],
        "stop_seconds": 37_499,
        "unusable_windows": [
            ["2026-04-10T09:00:00+09:00", "2026-04-10T12:37:00+09:00"],
            ["2026-04-12T00:30:00+09:00", "2026-04-12T01:00:00+09:00"],
            ["2026-04-20T12:00:00+09:00", "2026-04-20T12:08:00+09:00"],
        ],
        "unusable_seconds": 15_300,
        "waterfall": waterfall(short_stop=599, night=14_400, announced_update=7_200, unusable=15_300),
        "unknown_windows": [],
        "unknown_seconds": 0,
    }


def test_9_4_4__a_late_notice_is_a_finding_and_the_update_counts(measure: Measure) -> None:
    ran = measure(
        "--month",
        "2026-04",
        "--population",
        1_000_000,
        "--incidents",
        written("incidents.csv", INCIDENTS),
        "--notices",
        written("notices.ics", NOTICE.format("20260414T150001Z")),
        "--json",
    )
    assert ran.code == 1
    assert ran.json["waterfall"] == waterfall(short_stop=599, night=14_400, unusable=22_500)
    assert "had to be published by 2026-04-15T00:00:00+09:00" in ran.err
    assert len(ran.err.splitlines()) == 1


def test_9_3__observations_of_distinct_users_make_the_month(measure: Measure) -> None:
    turns = "".join(
        f"a{n},site,2026-04-10 12:00,2026-04-10 12:06\nb{n},login,2026-04-10 12:06,2026-04-10 12:12\n"
        for n in range(51)
    )
    written("seen-1.csv", OBSERVED + turns)
    written(
        "seen-2.ndjson",
        "".join(
            json.dumps({"user_id": f"a{n}", "symptom": "view", "started_at": "2026-04-30T14:58:00Z"}) + "\n"
            for n in range(51)
        ),
    )
    ran = measure("--month", "2026-04", "--population", 1000, "--observations", "seen-*", "--json")
    assert (ran.code, ran.err) == (0, "")
    assert ran.json["unusable_windows"] == [
        ["2026-04-10T12:00:00+09:00", "2026-04-10T12:12:00+09:00"],
        ["2026-04-30T23:58:00+09:00", "2026-05-01T00:00:00+09:00"],
    ]
    closed = measure(
        "--month",
        "2026-04",
        "--population",
        1000,
        "--observations",
        "seen-2.ndjson",
        "--as-of",
        "2026-05-01 00:01",
        "--json",
    )
    assert closed.json["waterfall"] == waterfall(short_stop=120)


def test_9_4_2__the_resolution_of_the_evidence_bridges_gaps(measure: Measure) -> None:
    rows = "a,site,2026-04-10 12:00,2026-04-10 12:08\na,site,2026-04-10 12:09,2026-04-10 12:17\n"
    arguments = (
        "--month",
        "2026-04",
        "--population",
        19,
        "--observations",
        written("s.csv", OBSERVED + rows),
    )
    assert measure(*arguments, "--json").json["waterfall"] == waterfall(short_stop=960)
    assert measure(*arguments, "--resolution", 61, "--json").json["waterfall"] == waterfall(unusable=1020)


def test_9_3__counts_are_evidence_too(measure: Measure) -> None:
    counts = written("c.csv", "from,to,affected,total\n2026-04-10 12:00,2026-04-10 13:00,51,1000\n")
    ran = measure("--month", "2026-04", "--population", 7, "--counts", counts, "--json")
    assert ran.json["waterfall"] == waterfall(unusable=3600)


def test_9_3__refused_rows_go_to_stderr_and_the_rest_is_measured(measure: Measure) -> None:
    rows = "a,site,2026-04-10 12:00,2026-04-10 12:30\nb,slow,2026-04-10 12:00,\n"
    path = written("seen.csv", OBSERVED + rows)
    ran = measure("--month", "2026-04", "--population", 19, "--observations", path, "--json")
    assert ran.code == 1
    assert ran.json["unusable_seconds"] == 1800
    assert ran.err == "seen.csv:3: symptom 'slow': a symptom is site, login, view; correct it\n"


def test_9_2__people_read_windows_reasons_and_the_tier(measure: Measure) -> None:
    incidents = written("incidents.csv", INCIDENTS)
    arguments = ("--month", "2026-04", "--population", 1_000_000, "--incidents", incidents)
    english, japanese = measure(*arguments).out, measure(*arguments, "--lang", "ja").out
    assert "10 April 2026 09:00–12:37 JST" in english
    assert "premium/9.4.1" in english
    assert "more than 5% of all users could not use the service for 10 h 24 min 59 s in total" in english
    assert english.splitlines()[-1] == (
        "Unusable time is 6 h 15 min, more than 3 h 36 min: 20% of the monthly fee (premium/9.2.1)."
    )
    assert japanese.splitlines()[-1] == (
        "使用不能時間は6時間15分で、3時間36分を超え、月額利用料金の20%の段階です(premium/9.2.1)。"
    )


def test_9_2__a_month_without_evidence_reaches_no_tier(measure: Measure) -> None:
    ran = measure("--month", "2026-04", "--population", 1)
    assert ran.code == 0
    assert ran.out.splitlines()[-1] == (
        "Unusable time is 0 s, not more than 3 h 36 min: no tier is reached (premium/9.2)."
    )


def test_9_4__the_month_is_drawn(measure: Measure) -> None:
    incidents = written("incidents.csv", INCIDENTS)
    ran = measure(
        "--month",
        "2026-04",
        "--population",
        1_000_000,
        "--incidents",
        incidents,
        "--picture",
        "m.svg",
        "--json",
    )
    assert (ran.code, ran.json["unusable_seconds"], ran.err) == (0, 22_500, "picture: m.svg\n")
    assert Path("m.svg").read_text(encoding="utf-8").startswith("<svg ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--month", "2026-13", "--population", 1), "no such month: 2026-13"),
        (("--month", "April", "--population", 1), "not a month: 'April'"),
        (("--month", "2024-11", "--population", 1), "no version of the premium terms is in force"),
        (("--month", "2026-04", "--population", 0), "--population 0: a service has at least 1"),
        (
            ("--month", "2026-04", "--population", 1, "--resolution", -1),
            "--resolution -1: seconds, 0 or more",
        ),
        (("--month", "2026-04", "--population", 1, "--incidents", "none.csv"), "none.csv: no such file"),
        (("--month", "2026-04", "--population", 1, "--observations", "."), ".: no observations in this folder"),
        (("--month", "2026-04", "--population", 1, "--incidents", "."), ".: not a file"),
        (("--month", "2026-04", "--population", 1, "--observations", "x*.csv"), "x*.csv: no such file"),
        (("--month", "2026-04", "--population", 1, "--columns", "user=site"), "write OURS=THEIRS"),
        (("--month", "2026-04", "--population", 1, "--symptom", "slow"), "one of site, login, view"),
        (("--month", "2026-04", "--population", 1, "--as-of", "soon"), "--as-of: not a time: 'soon'"),
        (("--month", "2026-04", "--population", 1, "--picture", "no/m.svg"), "No such file or directory"),
    ],
)
def test_a_mistake_in_the_call_is_one_line_and_exit_2(
    measure: Measure, arguments: tuple[object, ...], message: str
) -> None:
    ran = measure(*arguments)
    assert (ran.code, ran.out, len(ran.err.splitlines())) == (2, "", 1)
    assert message in ran.err


def test_9_3__a_monitors_own_columns_are_read_by_mapping(measure: Measure) -> None:
    path = written(
        "monitor.csv",
        "site,from,to\n"
        "Forum,2026-08-15T16:30:00+00:00,2026-08-15T21:15:00+00:00\n"
        "Manual,2026-08-18T08:00:00+00:00,2026-08-18T08:09:00+00:00\n",
    )
    ran = measure("--month", "2026-08", "--population", 17, "--observations", path, *MONITOR, "--json")
    assert ran.code == 0
    assert ran.json["waterfall"] == waterfall(short_stop=540, night=16_200, unusable=900)
    told = measure("--month", "2026-08", "--population", 17, "--observations", path, *MONITOR[:2])
    assert (told.code, "no column 'symptom'" in told.err) == (1, True)


@pytest.mark.skipif(not REAL.exists(), reason="the public record is not beside this checkout")
def test_9_3__a_real_month_of_a_public_monitor(measure: Measure) -> None:
    ran = measure("--month", "2026-08", "--population", 17, "--observations", REAL, *MONITOR, "--json")
    assert (ran.code, ran.err) == (0, "")
    assert len(ran.json["stop_windows"]) == 18
    assert ran.json["stop_seconds"] == 38_508
    assert ran.json["waterfall"] == waterfall(short_stop=2_959, night=11_325, unusable=24_224)


def test_9_3__what_is_still_open_in_the_running_month_lasts_until_now(measure: Measure) -> None:
    now = datetime.now(JST)
    began = max(now - timedelta(minutes=15), datetime.combine(now.date().replace(day=1), time(0), JST))
    rows = "".join(f"u{n},site,{began.isoformat(timespec='seconds')},\n" for n in range(60))
    ran = measure(
        "--month", f"{now:%Y-%m}", "--population", 1_000, "--observations", written("o.csv", OBSERVED + rows), "--json"
    )
    lasted = (now - began).total_seconds()
    assert (ran.code, lasted - 1 <= ran.json["stop_seconds"] <= lasted + 60) == (0, True)


def test_9_4_4__people_say_when_a_calendar_was_published_that_does_not_say_it(measure: Measure) -> None:
    incidents = written("incidents.csv", INCIDENTS)
    notices = written("notices.ics", NOTICE.replace("X-KEIZOKU-PUBLISHED:{}\n", ""))
    known = ("--month", "2026-04", "--population", 1_000_000, "--incidents", incidents, "--notices", notices, "--json")
    assert [
        ran.json["waterfall"]["announced_update"]
        for ran in (measure(*known), measure(*known, "--published", "2026-04-14"))
    ] == [
        0,
        7_200,
    ]
