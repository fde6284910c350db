"""Files and words that nobody means well end in a finding or a line, and the good rows go on."""

import os
import subprocess
import sys
import time
from datetime import date
from pathlib import Path
from types import SimpleNamespace

import pytest

from keizoku.billing.closing.exports.mapping import MappingError, mapping_for
from keizoku.billing.receivables.csv_layout import Layout, read_layout, read_money_file
from keizoku.scheduler import cli
from keizoku.scheduler.cli.shared import inputs, output
from keizoku.scheduler.cli.shared.context import embedded_server
from keizoku.scheduler.cli.shared.output import UserError, json_text
from keizoku.scheduler.scenario.document import read_scenario
from keizoku.sla.evidence.incident_files import read_incidents
from keizoku.sla.evidence.maintenance_notices import NoticesRead, read_notices
from keizoku.sla.evidence.observations import open_observations, read_observations
from keizoku.terms.policy import Terms
from keizoku.terms.refusal import Refused

POLICY = Terms.load().at(date(2026, 4, 1))
HEADER = "user_id,symptom,started_at,ended_at"
ROW = "site,2026-04-10 09:00,2026-04-10 10:00"


def test_observations_of_excel_for_mac(tmp_path: Path) -> None:
    file = tmp_path / "mac.csv"
    file.write_bytes(f"{HEADER}\ru1,{ROW}\ru2,{ROW}\r".encode())
    with open_observations() as observed:
        read = read_observations(observed, file)
    assert (read.taken, read.refused, read.findings) == (2, 0, ())


def test_observations_nested_deep(tmp_path: Path) -> None:
    file = tmp_path / "deep.ndjson"
    good = '{"user_id": "u1", "symptom": "site", "started_at": "2026-04-10 09:00", "ended_at": "2026-04-10 10:00"}'
    file.write_text(f"{good}\n" + "[" * 100_000 + f"\n{good.replace('u1', 'u2')}\n", encoding="utf-8")
    with open_observations() as observed:
        read = read_observations(observed, file)
    assert (read.taken, read.refused) == (2, 1)


def test_incidents_of_excel_for_mac_and_ids_that_are_none(tmp_path: Path) -> None:
    file = tmp_path / "mac.csv"
    rows = [f"{name},2026-04-10 09:00,2026-04-10 10:00,1,fault,," for name in ("s1", "a\x1b[2J", "x" * 201, "s2")]
    file.write_text("\r".join(["id,from,to,affected,cause,ground,author", *rows]), encoding="utf-8", newline="")
    read = read_incidents(file)
    assert [row.id for row in read.rows] == ["s1", "s2"]
    assert [(each.line, each.rule) for each in read.findings] == [
        (3, "an id has 1 to 200 printable letters"),
        (4, "an id has 1 to 200 printable letters"),
    ]


def test_a_file_of_very_many_columns_is_refused_at_once(tmp_path: Path) -> None:
    file = tmp_path / "wide.csv"
    file.write_text(",".join(f"c{n}" for n in range(100_000)), encoding="utf-8")
    began = time.monotonic()
    assert [each.value for each in read_incidents(file).findings] == ["100,000 columns"]
    assert time.monotonic() - began < 5


def test_a_bank_of_excel_for_mac(tmp_path: Path) -> None:
    file = tmp_path / "bank.csv"
    file.write_bytes(b"date,amount\r2026-04-10,100\r2026-04-11,200\r")
    read = read_money_file(file, ("date", "amount"), ("date", "amount"), Layout())
    assert ([line for line, _ in read.rows], read.findings) == ([2, 3], ())


def _calendar(folder: Path, more: str, uid: str = "bad", start: str = "DTSTART:20260410T000000Z") -> NoticesRead:
    def event(name: str, first: str, rest: str) -> str:
        stamps = "DTSTAMP:20260301T000000Z\r\nCREATED:20260301T000000Z"
        return f"BEGIN:VEVENT\r\nUID:{name}\r\n{stamps}\r\n{first}\r\n{rest}\r\nEND:VEVENT\r\n"

    good = "DTSTART:20260410T000000Z"
    events = event("a", good, "DURATION:PT1H") + event(uid, start, more) + event("b", good, "DURATION:PT1H")
    file = folder / "bad.ics"
    file.write_text(f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{events}END:VCALENDAR\r\n", encoding="utf-8", newline="")
    return read_notices(file, POLICY)


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=DAILY;INTERVAL=0",
        "FREQ=DAILY;INTERVAL=-1",
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=31",
        "FREQ=HOURLY;BYMONTH=2;BYMONTHDAY=31;COUNT=3",
        "FREQ=WEEKLY;BYMONTH=2;BYMONTHDAY=31",
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=31",
        "FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=31",
        "FREQ=MONTHLY;BYDAY=99MO",
        "FREQ=DAILY;UNTIL=00010101",
        "FREQ=YEARLY;UNTIL=99991231",
    ],
)
def test_9_4_4__a_rule_that_never_ends_or_never_begins_is_refused(tmp_path: Path, rule: str) -> None:
    began = time.monotonic()
    read = _calendar(tmp_path, f"DURATION:PT1H\r\nRRULE:{rule}")
    assert ([each.uid for each in read.rows], read.refused) == (["a", "b"], 1)
    assert time.monotonic() - began < 10


def test_9_4_4__a_rule_of_leap_days_is_followed(tmp_path: Path) -> None:
    read = _calendar(tmp_path, "DURATION:PT1H\r\nRRULE:FREQ=YEARLY;COUNT=3", start="DTSTART:20280229T000000Z")
    assert (len(read.rows), read.refused) == (5, 0)


@pytest.mark.parametrize(
    ("start", "more"),
    [
        ("DTSTART:99991231T230000Z", "DURATION:P9D"),
        ("DTSTART;VALUE=DATE:99991231", "SUMMARY:x"),
        ("DTSTART:20260410T000000Z", "DURATION:P999999999D"),
        ("DTSTART:00010101T000000", "DURATION:PT1H"),
        ("DTSTART:20260410T000000Z", "DURATION:PT1H\r\nX-KEIZOKU-PUBLISHED:99991231"),
    ],
)
def test_9_4_4__a_window_beyond_the_calendar_is_refused(tmp_path: Path, start: str, more: str) -> None:
    read = _calendar(tmp_path, more, start=start)
    assert ([each.uid for each in read.rows], read.refused) == (["a", "b"], 1)


@pytest.mark.parametrize(("uid", "rule"), [("a\0b", "a NUL is no text"), ("a\x1b", "printable"), ("x" * 3_000, "200")])
def test_9_4_4__a_uid_that_is_none_refuses_its_event_alone(tmp_path: Path, uid: str, rule: str) -> None:
    read = _calendar(tmp_path, "DURATION:PT1H", uid=uid)
    assert ([each.uid for each in read.rows], read.refused) == (["a", "b"], 1)
    assert [(each.line, each.value[:6], rule in each.rule) for each in read.findings] == [
        (10, "UID " + repr(uid)[:2], True)
    ]


@pytest.mark.parametrize(
    "text",
    [
        "[" * 20_000,
        "a: " * 20_000,
        "a: &a [1]\n" + "".join(f"b{n}: &b{n} [{','.join([f'*b{n - 1}' if n else '*a'] * 9)}]\n" for n in range(9)),
        "a: &a {<<: *a}\n",
    ],
)
def test_a_scenario_without_measure_is_a_finding(tmp_path: Path, text: str) -> None:
    file = tmp_path / "deep.yaml"
    file.write_text(text, encoding="utf-8")
    scenario, findings = read_scenario(file)
    assert scenario is None
    assert [each.rule for each in findings] == ["the file is not YAML"]


def test_toml_without_measure_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "deep.toml"
    file.write_text("a = " + "[" * 20_000, encoding="utf-8")
    with pytest.raises(Refused, match="nested too deep"):
        read_layout(file, ("date",))
    with pytest.raises(MappingError, match="nested too deep"):
        mapping_for("csv", file)
    monkeypatch.setenv("KEIZOKU_SETTINGS_FILE", str(file))
    with pytest.raises(SystemExit) as ended:
        cli.main(["settings"])
    assert ended.value.code == 2


def test_what_is_shown_is_what_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    output.emit([{"account": "shop:a:17", "claim": "c\x1b[2J\x9b"}])
    output.emit("[red]:a:\x1b]52;c;aGk=\x07")
    output.errors.print("\u202eabc")
    shown = capsys.readouterr()
    assert "shop:a:17" in shown.out
    assert r"c\x1b[2J\x9b" in shown.out
    assert r"[red]:a:\x1b]52;c;aGk=\x07" in shown.out
    assert shown.err == "\\u202eabc\n"


def test_json_holds_nothing_that_a_terminal_obeys() -> None:
    assert json_text({"a": "\x9b\x7f\u202e日\udcff"}) == r'{"a": "\u009b\u007f\u202e日\udcff"}'


def test_an_argument_that_is_not_utf_8_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["account", "show", os.fsdecode(b"a\xff")])
    assert (ended.value.code, capsys.readouterr().err) == (
        2,
        "error: not UTF-8: 'a\\xff'; write arguments in UTF-8 (see the locale: LANG)\n",
    )


def test_closed_streams_are_no_reason_to_break_off(tmp_path: Path) -> None:
    script = f'exec "{sys.executable}" -m keizoku settings <&- >&- 2>"{tmp_path}/err"'
    done = subprocess.run(["/bin/sh", "-c", script], timeout=60, check=False)
    assert (done.returncode, (tmp_path / "err").read_text()) == (0, "")


def test_a_system_that_knows_no_login_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown() -> str:
        raise KeyError("getpwuid(): uid not found: 4711")

    monkeypatch.setattr("getpass.getuser", unknown)
    with pytest.raises(UserError, match="say who you are with --author"):
        inputs.recorder("")
    assert inputs.recorder("x") == "x"


def test_a_system_that_knows_no_home(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(_path: Path) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "expanduser", unknown)
    with pytest.raises(UserError, match="KEIZOKU_DATA_DIR"):
        embedded_server(SimpleNamespace(data_dir=Path("~/x")))  # type: ignore[arg-type]
