"""Announced maintenance from iCalendar: when it was published, for which window, and what is no notice."""

from datetime import date
from pathlib import Path

import pytest

from sla.notices import read_notices
from sla.unusable import UpdateNotice
from terms.calendar import epoch, parse_instant
from terms.policy import Terms

POLICY = Terms.load().at(date(2026, 4, 1))
WINDOW = "DTSTART;TZID=Asia/Tokyo:20260410T100000\nDTEND;TZID=Asia/Tokyo:20260410T120000"
PUBLISHED = "X-KEIZOKU-PUBLISHED:20260404T150000Z"


def at(text: str) -> int:
    return epoch(parse_instant(text))


def calendar(folder: Path, *events: str, raw: bytes | None = None) -> Path:
    path = folder / "notices.ics"
    body = "\n".join(f"BEGIN:VEVENT\n{event}\nEND:VEVENT" for event in events)
    text = f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:test\n{body}\nEND:VCALENDAR\n".replace("\n", "\r\n")
    path.write_bytes(raw if raw is not None else text.encode())
    return path


def published(folder: Path, properties: str) -> int:
    read = read_notices(calendar(folder, f"UID:a\n{WINDOW}\n{properties}"), POLICY)
    return read.rows[0].published_at


def told(folder: Path, event: str) -> tuple[int | None, str]:
    (finding,) = read_notices(calendar(folder, event), POLICY).findings
    return finding.line, finding.value


def test_9_4_4__a_notice_in_time_is_read_without_finding(tmp_path: Path) -> None:
    read = read_notices(calendar(tmp_path, f"UID:a\n{WINDOW}\n{PUBLISHED}"), POLICY)
    expected = UpdateNotice("a", at("2026-04-05 00:00"), at("2026-04-10 10:00"), at("2026-04-10 12:00"))
    assert (read.rows, read.findings) == ((expected,), ())


@pytest.mark.parametrize(
    ("properties", "instant"),
    [
        ("CREATED:20260401T000000Z\nLAST-MODIFIED:20260409T000000Z", "2026-04-01 09:00"),
        ("CREATED:20260401T000000Z\nLAST-MODIFIED:20260409T000000Z\nSEQUENCE:0", "2026-04-01 09:00"),
        ("CREATED:20260401T000000Z\nLAST-MODIFIED:20260409T000000Z\nSEQUENCE:2", "2026-04-09 09:00"),
        ("CREATED:20260401T000000Z\nX-KEIZOKU-PUBLISHED:20260402T000000Z", "2026-04-02 09:00"),
        ("X-KEIZOKU-PUBLISHED:20260402T090000", "2026-04-02 09:00"),
        ("X-KEIZOKU-PUBLISHED;TZID=Europe/Paris:20260402T090000", "2026-04-02 16:00"),
        ("X-KEIZOKU-PUBLISHED;VALUE=DATE-TIME:20260402T000000Z", "2026-04-02 09:00"),
        ("X-KEIZOKU-PUBLISHED:2026-04-02T09:00:00+09:00", "2026-04-02 09:00"),
        ("X-KEIZOKU-PUBLISHED:2026-04-02 09:00", "2026-04-02 09:00"),
        ("X-KEIZOKU-PUBLISHED:20260402", "2026-04-03 00:00"),
        ("X-KEIZOKU-PUBLISHED:2026-04-02", "2026-04-03 00:00"),
    ],
)
def test_9_4_4__when_a_notice_was_published(tmp_path: Path, properties: str, instant: str) -> None:
    assert published(tmp_path, properties) == at(instant)


@pytest.mark.parametrize(
    ("window", "start", "end"),
    [
        ("DTSTART:20260410T100000\nDTEND:20260410T120000", "2026-04-10 10:00", "2026-04-10 12:00"),
        ("DTSTART:20260410T010000Z\nDURATION:PT2H", "2026-04-10 10:00", "2026-04-10 12:00"),
        (
            "DTSTART;VALUE=DATE:20260410\nDTEND;VALUE=DATE:20260412",
            "2026-04-10 00:00",
            "2026-04-12 00:00",
        ),
        ("DTSTART;VALUE=DATE:20260410", "2026-04-10 00:00", "2026-04-11 00:00"),
    ],
)
def test_9_4_4__floating_times_are_japans_and_days_are_whole(tmp_path: Path, window: str, start: str, end: str) -> None:
    (notice,) = read_notices(calendar(tmp_path, f"UID:a\n{window}\n{PUBLISHED}"), POLICY).rows
    assert (notice.start, notice.end) == (at(start), at(end))


def test_9_4_4__a_notice_one_second_too_late_is_told_and_kept(tmp_path: Path) -> None:
    read = read_notices(calendar(tmp_path, f"UID:a\n{WINDOW}\nX-KEIZOKU-PUBLISHED:20260404T150001Z"), POLICY)
    assert len(read.rows) == 1
    (finding,) = read.findings
    needed = "had to be published by 2026-04-05T00:00:00+09:00 (premium/9.4.4)"
    assert (finding.line, finding.value) == (4, "a published 2026-04-05T00:00:01+09:00")
    assert finding.rule == f"{needed}, so it does not cover and the update counts"


def test_9_4_4__each_issue_of_a_notice_is_a_notice(tmp_path: Path) -> None:
    moved = WINDOW.replace("T12", "T14")
    read = read_notices(
        calendar(
            tmp_path,
            f"UID:a\n{WINDOW}\nCREATED:20260401T000000Z",
            f"UID:a\n{moved}\nSEQUENCE:1\nCREATED:20260401T000000Z\nLAST-MODIFIED:20260409T000000Z",
        ),
        POLICY,
    )
    assert [(row.published_at, row.end) for row in read.rows] == [
        (at("2026-04-01 09:00"), at("2026-04-10 12:00")),
        (at("2026-04-09 09:00"), at("2026-04-10 14:00")),
    ]
    assert [finding.line for finding in read.findings] == [10]


def test_9_4_4__a_cancelled_event_announces_nothing(tmp_path: Path) -> None:
    read = read_notices(calendar(tmp_path, f"UID:a\n{WINDOW}\n{PUBLISHED}\nSTATUS:CANCELLED"), POLICY)
    assert (read.rows, read.findings) == ((), ())


@pytest.mark.parametrize(
    "rule",
    [
        "RRULE:FREQ=WEEKLY;COUNT=3\nEXDATE;TZID=Asia/Tokyo:20260417T100000",
        "RRULE:FREQ=WEEKLY;INTERVAL=2;UNTIL=20260424T010000Z",
        "RRULE:FREQ=WEEKLY;INTERVAL=2;UNTIL=20260424",
    ],
)
def test_9_4_4__a_recurring_notice_is_each_of_its_windows(tmp_path: Path, rule: str) -> None:
    read = read_notices(calendar(tmp_path, f"UID:a\n{WINDOW}\n{PUBLISHED}\n{rule}"), POLICY)
    assert [(row.uid, row.start, row.end) for row in read.rows] == [
        ("a#1", at("2026-04-10 10:00"), at("2026-04-10 12:00")),
        ("a#2", at("2026-04-24 10:00"), at("2026-04-24 12:00")),
    ]


@pytest.mark.parametrize(
    ("event", "value"),
    [
        (f"UID:a\n{WINDOW}", "a: no time of publication"),
        (f"UID:a\n{WINDOW}\nSEQUENCE:1\nCREATED:20260401T000000Z", "a: no time of publication"),
        (f"UID:a\n{WINDOW}\nX-KEIZOKU-PUBLISHED:soon", "a: X-KEIZOKU-PUBLISHED 'soon'"),
        (f"{WINDOW}\n{PUBLISHED}", "an event without UID"),
        (f"UID:a\n{PUBLISHED}", "a: no DTSTART"),
        (
            f"UID:a\nDTSTART:20260410T100000\nDTEND:20260410T100000\n{PUBLISHED}",
            "a: 2026-04-10T10:00:00+09:00 to 2026-04-10T10:00:00+09:00",
        ),
        (
            f"UID:a\nDTSTART:20260410T100000\n{PUBLISHED}",
            "a: 2026-04-10T10:00:00+09:00 to 2026-04-10T10:00:00+09:00",
        ),
        (f"UID:a\nDTSTART;TZID=Mars:20260410T100000\n{PUBLISHED}", "a: DTSTART: zone 'Mars'"),
        (
            f"UID:a\n{WINDOW}\nDTSTART:20260411T100000\n{PUBLISHED}",
            "a: DTSTART twice",
        ),
        (f"UID:a\n{WINDOW}\n{PUBLISHED}\nRDATE:20260411T100000", "a: RDATE"),
        (f"UID:a\n{WINDOW}\n{PUBLISHED}\nRRULE:FREQ=WEEKLY", "a: RRULE"),
        (f"UID:a\n{WINDOW}\n{PUBLISHED}\nRRULE:FREQ=SECONDLY;COUNT=1001", "a: RRULE"),
    ],
)
def test_9_4_4__what_cannot_be_read_as_a_notice_is_told(tmp_path: Path, event: str, value: str) -> None:
    assert told(tmp_path, event) == (4, value)


@pytest.mark.parametrize("end", ["garbage", "20261310T000000"])
def test_9_4_4__a_broken_property_is_told(tmp_path: Path, end: str) -> None:
    line, value = told(tmp_path, f"UID:a\nDTSTART:20260410T100000\nDTEND:{end}\n{PUBLISHED}")
    assert (line, value.startswith("DTEND: ")) == (4, True)


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b"hello", "Content line could not be parsed into parts: 'hello': Invalid content line"),
        (b"", "cut off"),
        (b"BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:a\n", "cut off"),
        ("BEGIN:VCALENDAR\nX:障害\nEND:VCALENDAR".encode("shift_jis"), "not UTF-8"),
    ],
)
def test_9_4_4__a_file_that_is_no_calendar_is_a_finding(tmp_path: Path, raw: bytes, value: str) -> None:
    read = read_notices(calendar(tmp_path, raw=raw), POLICY)
    assert (read.rows, [finding.value for finding in read.findings]) == ((), [value])
