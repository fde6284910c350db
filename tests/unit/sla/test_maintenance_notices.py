"""Announced maintenance from iCalendar: when it was published, for which window, and what is no notice."""

from datetime import date
from pathlib import Path

import pytest

from keizoku.sla.evidence.maintenance_notices import read_notices
from keizoku.sla.rules.outages import UpdateNotice
from keizoku.terms.calendar import epoch, parse_instant
from keizoku.terms.policy import Terms

POLICY = Terms.load().at(date(2026, 4, 1))
WINDOW = "DTSTART;TZID=Asia/Tokyo:20260410T100000\nDTEND;TZID=Asia/Tokyo:20260410T120000"
FIRST, SECOND, THIRD = (f"a#2026-04-{day}T10:00:00+09:00" for day in (10, 17, 24))
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
    window = (at("2026-04-10 10:00"), at("2026-04-10 12:00"))
    cancelled = f"UID:a\n{WINDOW}\n{PUBLISHED}\nSTATUS:CANCELLED"
    read = read_notices(calendar(tmp_path, cancelled), POLICY)
    assert (read.rows, read.findings) == ((UpdateNotice("a", at("2026-04-05 00:00"), *window, cancelled=True),), ())
    read = read_notices(calendar(tmp_path, f"{cancelled}\nLAST-MODIFIED:20260409T000000Z"), POLICY)
    assert (read.rows, read.findings) == ((UpdateNotice("a", at("2026-04-09 09:00"), *window, cancelled=True),), ())


def test_9_4_4__a_tentative_event_announces_nothing_and_is_told(tmp_path: Path) -> None:
    read = read_notices(calendar(tmp_path, f"UID:a\n{WINDOW}\n{PUBLISHED}\nSTATUS:TENTATIVE"), POLICY)
    assert [row.cancelled for row in read.rows] == [True]
    assert ([finding.value for finding in read.findings], read.refused) == (["a: TENTATIVE"], 0)


def test_9_4_4__an_occurrence_is_moved_and_cancelled_by_events_of_its_own(tmp_path: Path) -> None:
    series = f"UID:a\n{WINDOW}\nRRULE:FREQ=WEEKLY;COUNT=3\nCREATED:20260401T000000Z"
    moved = (
        "UID:a\nRECURRENCE-ID;TZID=Asia/Tokyo:20260417T100000\nDTSTART;TZID=Asia/Tokyo:20260418T100000\n"
        "DTEND;TZID=Asia/Tokyo:20260418T110000\nCREATED:20260401T000000Z\nLAST-MODIFIED:20260402T000000Z"
    )
    gone = (
        "UID:a\nRECURRENCE-ID:20260424T010000Z\nDTSTART:20260424T010000Z\nDTEND:20260424T030000Z\n"
        "STATUS:CANCELLED\nLAST-MODIFIED:20260403T000000Z"
    )
    rows = read_notices(calendar(tmp_path, moved, gone, series), POLICY).rows
    assert sorted((row.uid, row.published_at, row.start, row.cancelled) for row in rows) == [
        (FIRST, at("2026-04-01 09:00"), at("2026-04-10 10:00"), False),
        (SECOND, at("2026-04-01 09:00"), at("2026-04-17 10:00"), False),
        (SECOND, at("2026-04-02 09:00"), at("2026-04-18 10:00"), False),
        (THIRD, at("2026-04-01 09:00"), at("2026-04-24 10:00"), False),
        (THIRD, at("2026-04-03 09:00"), at("2026-04-24 10:00"), True),
    ]


def test_9_4_4__a_moved_occurrence_does_not_inherit_the_publication_of_its_series(tmp_path: Path) -> None:
    series = f"UID:a\n{WINDOW}\nRRULE:FREQ=WEEKLY;COUNT=2\n{PUBLISHED}"
    moved = (
        f"UID:a\nRECURRENCE-ID;TZID=Asia/Tokyo:20260417T100000\n{WINDOW}\n{PUBLISHED}\nLAST-MODIFIED:20260409T000000Z"
    )
    rows = read_notices(calendar(tmp_path, series, moved), POLICY).rows
    assert [(row.uid, row.published_at) for row in rows if row.uid == SECOND] == [
        (SECOND, at("2026-04-05 00:00")),
        (SECOND, at("2026-04-09 09:00")),
    ]


def test_9_4_4__of_two_windows_published_at_once_under_one_uid_the_second_is_refused(tmp_path: Path) -> None:
    read = read_notices(
        calendar(tmp_path, f"UID:a\n{WINDOW}\n{PUBLISHED}", f"UID:a\n{WINDOW.replace('T12', 'T14')}\n{PUBLISHED}"),
        POLICY,
    )
    assert (len(read.rows), read.refused) == (1, 1)


def test_9_4_4__a_series_recurs_in_its_own_zone_also_one_that_the_file_defines(tmp_path: Path) -> None:
    path = calendar(tmp_path, "x")
    zone = (
        "BEGIN:VTIMEZONE\nTZID:Office\nBEGIN:STANDARD\nDTSTART:19701025T030000\nRRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU\n"
        "TZOFFSETFROM:+0200\nTZOFFSETTO:+0100\nEND:STANDARD\nBEGIN:DAYLIGHT\nDTSTART:19700329T020000\n"
        "RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU\nTZOFFSETFROM:+0100\nTZOFFSETTO:+0200\nEND:DAYLIGHT\nEND:VTIMEZONE"
    )
    event = (
        "BEGIN:VEVENT\nUID:a\nDTSTART;TZID={0}:20260325T100000\nDURATION:PT1H\nRRULE:FREQ=WEEKLY;COUNT=2\n"
        "CREATED:20260301T000000Z\nEND:VEVENT"
    )
    for name in ("Office", "Europe/Paris"):
        body = (
            f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:t\nX-WR-CALNAME:Ops\n{zone}\n{event.format(name)}\nEND:VCALENDAR\n"
        )
        path.write_text(body.replace("\n", "\r\n"), newline="")
        rows = read_notices(path, POLICY).rows
        assert [(row.calendar, row.start) for row in rows] == [
            ("Ops", at("2026-03-25 18:00")),
            ("Ops", at("2026-04-01 17:00")),
        ]


def test_9_4_4__a_rule_without_an_end_is_read_for_two_years_and_says_so(tmp_path: Path) -> None:
    read = read_notices(calendar(tmp_path, f"UID:a\n{WINDOW}\n{PUBLISHED}\nRRULE:FREQ=WEEKLY"), POLICY)
    assert (len(read.rows), read.refused) == (105, 0)
    assert [finding.rule for finding in read.findings] == [
        "a rule without an end is read until 2028-04-10T10:00:00+09:00"
    ]


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
    assert [(row.uid, row.start, row.end) for row in read.rows if not row.cancelled] == [
        (FIRST, at("2026-04-10 10:00"), at("2026-04-10 12:00")),
        (THIRD, at("2026-04-24 10:00"), at("2026-04-24 12:00")),
    ]
    assert [row.uid for row in read.rows if row.cancelled] == ([SECOND] if "EXDATE" in rule else [])


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
        (f"UID:a\n{WINDOW}\n{PUBLISHED}\nRRULE:FREQ=DAILY;COUNT=9\nEXRULE:FREQ=WEEKLY", "a: EXRULE"),
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
