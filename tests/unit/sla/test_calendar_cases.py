"""Calendars as people really keep them: a cancellation, a zone, a time of publication that must not be misread."""

import time
from pathlib import Path

import pytest

from keizoku.sla.evidence.calendars.ics_times import Stated
from keizoku.sla.evidence.maintenance_notices import read_notices
from keizoku.sla.rules.outages import Cause, Outage
from keizoku.sla.rules.unusable_time import MonthFacts, service_month
from keizoku.terms.calendar import Month, epoch, parse_instant
from tests.worlds.calendars import POLICY, event, ics, read

FRIDAYS = event("weekly", "20260403T100000", "20260403T120000", more="RRULE:FREQ=WEEKLY;COUNT=4")
DAYS = event("day", "20260403", "20260404", more="RRULE:FREQ=WEEKLY;COUNT=4")
THREE = ["04-03T10:00/04-03T12:00", "04-10T10:00/04-10T12:00", "04-24T10:00/04-24T12:00"]
LEFT_OUT = "its series has that day's at 2026-04-17T10:00:00+09:00; that one is left out"
WEDNESDAY = "04-15T10:00/04-15T12:00"


def about(recurrence: str, start: str = "20260417T100000", end: str = "20260417T120000", more: str = "") -> str:
    """What is said of one occurrence of the Fridays."""
    return event("weekly", start, end, "20260405T000000Z", f"{recurrence}\n{more}".strip())


@pytest.mark.parametrize(
    "recurrence",
    [
        "RECURRENCE-ID;VALUE=DATE:20260417",
        "RECURRENCE-ID;TZID=Asia/Tokyo:20260417T000000",
        "RECURRENCE-ID;TZID=W. Europe Standard Time:20260417T000000",
        "RECURRENCE-ID:20260417T010000Z",
    ],
)
def test_9_4_4__a_cancelled_occurrence_is_named_by_its_instant_or_its_day(tmp_path: Path, recurrence: str) -> None:
    file = ics(tmp_path / "a.ics", FRIDAYS, about(recurrence, more="STATUS:CANCELLED"))
    assert read(file) == (THREE, [])


def test_9_4_4__a_series_moved_to_another_hour_keeps_what_was_said_of_its_days_and_tells(tmp_path: Path) -> None:
    file = ics(tmp_path / "a.ics", FRIDAYS, about("RECURRENCE-ID:20260417T050000Z", more="STATUS:CANCELLED"))
    told = "weekly: RECURRENCE-ID 2026-04-17T14:00:00+09:00: its series has that day's occurrence at another hour; "
    assert read(file) == (THREE, [f"{told}that one is replaced"])


@pytest.mark.parametrize(
    ("excepted", "told"),
    [
        ("EXDATE;TZID=Asia/Tokyo:20260417T000000", []),
        ("EXDATE;VALUE=DATE:20260417", []),
        ("EXDATE:20260417T010000Z", []),
        (
            "EXDATE;TZID=Asia/Tokyo:20260417T140000",
            [f"weekly: EXDATE 2026-04-17T14:00:00+09:00: {LEFT_OUT}"],
        ),
    ],
)
def test_9_4_4__a_date_left_out_is_named_by_its_instant_or_its_day(
    tmp_path: Path, excepted: str, told: list[str]
) -> None:
    assert read(ics(tmp_path / "a.ics", f"{FRIDAYS}\n{excepted}")) == (THREE, told)


def test_9_4_4__what_names_no_occurrence_is_told(tmp_path: Path) -> None:
    gone = about("RECURRENCE-ID;VALUE=DATE:20260418", more="STATUS:CANCELLED")
    file = ics(tmp_path / "a.ics", f"{FRIDAYS}\nEXDATE;VALUE=DATE:20260416", gone)
    everything = sorted([*THREE, "04-17T10:00/04-17T12:00"])
    assert read(file) == (
        everything,
        [
            "weekly: EXDATE 2026-04-16: no occurrence of its series starts then",
            "weekly: RECURRENCE-ID 2026-04-18T00:00:00+09:00: no occurrence of its series starts then, or on that day",
        ],
    )


def test_9_4_4__a_whole_day_of_exchange_is_moved(tmp_path: Path) -> None:
    moved = event(
        "day", "20260418", "20260419", "20260405T000000Z", "RECURRENCE-ID;TZID=W. Europe Standard Time:20260417T000000"
    )
    file = ics(tmp_path / "a.ics", DAYS, moved, head="METHOD:PUBLISH")
    days = [f"04-{day:02d}T00:00/04-{day + 1:02d}T00:00" for day in (3, 10, 18, 24)]
    assert read(file) == (days, [])


@pytest.mark.parametrize(
    ("head", "start", "covered"),
    [
        ("X-WR-TIMEZONE:US/Pacific", "DTSTART:20260415T100000", ["04-16T02:00/04-16T04:00"]),
        ("TIMEZONE-ID:US/Pacific", "DTSTART:20260415T100000", ["04-16T02:00/04-16T04:00"]),
        ("X-WR-TIMEZONE:Pacific Standard Time", "DTSTART:20260415T100000", ["04-16T02:00/04-16T04:00"]),
        ("X-WR-TIMEZONE:US/Pacific", "DTSTART;TZID=Asia/Tokyo:20260415T100000", [WEDNESDAY]),
        ("X-WR-TIMEZONE:US/Pacific", "DTSTART:20260415T010000Z", [WEDNESDAY]),
        ("X-WR-CALNAME:Ops", "DTSTART:20260415T100000", [WEDNESDAY]),
        ("X-WR-CALNAME:Ops", "DTSTART;TZID=America/New_York:20260415T010000Z", [WEDNESDAY]),
    ],
)
def test_9_4_4__times_without_a_zone_are_their_calendars_and_z_is_utc(
    tmp_path: Path, head: str, start: str, covered: list[str]
) -> None:
    lines = f"UID:a\nCREATED:20260301T000000Z\n{start}\nDURATION:PT2H"
    assert read(ics(tmp_path / "a.ics", lines, head=head)) == (covered, [])


def test_9_4_4__a_zone_of_the_calendar_that_nobody_knows_is_told(tmp_path: Path) -> None:
    file = ics(
        tmp_path / "a.ics",
        "UID:a\nCREATED:20260301T000000Z\nDTSTART:20260415T100000\nDURATION:PT2H",
        head="X-WR-TIMEZONE:Mars",
    )
    assert read(file) == ([], ["a: DTSTART 2026-04-15 10:00:00: its calendar is in 'Mars', which nobody knows"])


OLDER = event("d", "20260415T100000", "20260415T120000", more="RRULE:FREQ=DAILY;COUNT=1")
NEWER = event("d", "20260415T140000", "20260415T160000", "20260320T000000Z", "RRULE:FREQ=DAILY;COUNT=1", sequence=2)


def test_9_4_4__a_series_that_moved_leaves_its_old_window_in_one_file_and_in_two(tmp_path: Path) -> None:
    moved: tuple[list[str], list[str]] = (["04-15T14:00/04-15T16:00"], [])
    assert read(ics(tmp_path / "both.ics", NEWER, OLDER)) == moved
    older, newer = ics(tmp_path / "1.ics", OLDER), ics(tmp_path / "2.ics", NEWER)
    assert (read(older, newer), read(newer, older)) == (moved, moved)


@pytest.mark.parametrize("window", [True, False])
def test_9_4_4__a_series_is_cancelled_as_a_whole_with_or_without_its_window(tmp_path: Path, *, window: bool) -> None:
    lines = event("d", "20260415T100000", "20260415T120000", "20260320T000000Z", "STATUS:CANCELLED", sequence=3)
    if not window:
        lines = "\n".join(line for line in lines.splitlines() if not line.startswith("DT"))
    series, gone = ics(tmp_path / "1.ics", OLDER), ics(tmp_path / "2.ics", lines, head="METHOD:CANCEL")
    assert (read(series, gone), read(gone, series)) == (([], []), ([], []))
    told = [] if window else ["d: cancelled: it cancels what no file announces"]
    assert read(gone) == ([], told)


def test_9_4_4__an_event_is_its_uid_in_a_renamed_calendar_and_in_a_mail(tmp_path: Path) -> None:
    first = ics(tmp_path / "1.ics", OLDER, head="X-WR-CALNAME:Ops")
    renamed = ics(tmp_path / "2.ics", NEWER, head="X-WR-CALNAME:Operations")
    mail = ics(
        tmp_path / "3.ics", "UID:d\nSEQUENCE:3\nDTSTAMP:20260401T000000Z\nSTATUS:CANCELLED", head="METHOD:CANCEL"
    )
    assert read(renamed, first) == (["04-15T14:00/04-15T16:00"], [])
    assert read(mail, renamed, first) == ([], [])


def test_9_4_4__an_edit_without_a_sequence_is_not_published_when_its_event_was_created(tmp_path: Path) -> None:
    first = ics(tmp_path / "1.ics", event("a", "20260415T100000", "20260415T120000"))
    edit = ics(tmp_path / "2.ics", event("a", "20260415T140000", "20260415T160000", "20260414T000000Z"))
    told = (
        "had to be published by 2026-04-10T00:00:00+09:00 (premium/9.4.4), so it does not cover and the update counts"
    )
    expected: tuple[list[str], list[str]] = ([], [f"a published 2026-04-14T09:00:00+09:00: {told}"])
    assert (read(first, edit), read(edit, first)) == (expected, expected)


def test_9_4_4__an_event_that_becomes_a_series_goes_on_announcing_its_window(tmp_path: Path) -> None:
    once = ics(tmp_path / "1.ics", event("a", "20260415T100000", "20260415T120000"))
    weekly = event(
        "a", "20260415T100000", "20260415T120000", "20260414T000000Z", "RRULE:FREQ=WEEKLY;COUNT=2", sequence=1
    )
    series = ics(tmp_path / "2.ics", weekly)
    expected = [WEDNESDAY, "04-22T10:00/04-22T12:00"]
    assert (read(once, series)[0], read(series, once)[0]) == (expected, expected)


@pytest.mark.parametrize("placeholder", ["19700101T000000Z", "00010101T000000Z", "19000101T000000Z", "16010101T000000"])
def test_9_4_4__a_placeholder_is_no_time_of_publication(tmp_path: Path, placeholder: str) -> None:
    year = placeholder[:4]
    window = "DTSTART;TZID=Asia/Tokyo:20260415T100000\nDTEND;TZID=Asia/Tokyo:20260415T120000"
    edit = ics(
        tmp_path / "edit.ics", f"UID:a\nSEQUENCE:1\nLAST-MODIFIED:{placeholder}\nDTSTAMP:20260414T000000Z\n{window}"
    )
    published = "this issue of a notice was published at X-KEIZOKU-PUBLISHED or LAST-MODIFIED"
    assert read(edit) == ([], [f"a: no time of publication: LAST-MODIFIED {year} is a placeholder, and {published}"])
    gone = f"UID:a\nSEQUENCE:1\nSTATUS:CANCELLED\nLAST-MODIFIED:{placeholder}\nDTSTAMP:20260410T000000Z\n{window}"
    file = ics(tmp_path / "gone.ics", event("a", "20260415T100000", "20260415T120000"), gone)
    assert read(file) == ([], [f"a: LAST-MODIFIED {year} is a placeholder: it says nothing; DTSTAMP is taken"])


def test_9_4_4__a_cancellation_without_a_time_holds_from_the_beginning(tmp_path: Path) -> None:
    window = "DTSTART;TZID=Asia/Tokyo:20260415T100000\nDTEND;TZID=Asia/Tokyo:20260415T120000"
    gone = f"UID:a\nSEQUENCE:1\nSTATUS:CANCELLED\n{window}"
    file = ics(tmp_path / "gone.ics", event("a", "20260415T100000", "20260415T120000"), gone)
    told = "a: no time of its cancellation: it says nothing; it holds from the beginning"
    assert read(file) == ([], [told])


def test_9_4_4__a_time_after_the_file_came_is_none(tmp_path: Path) -> None:
    gone = event("a", "20260415T100000", "20260415T120000", "99991231T000000Z", "STATUS:CANCELLED", sequence=1)
    file = ics(tmp_path / "gone.ics", event("a", "20260415T100000", "20260415T120000"), gone)
    covered, told = read(file, stated=Stated(now=parse_instant("2026-05-01")))
    assert (covered, len(told)) == ([], 1)


def test_9_4_4__a_line_folded_inside_a_character_is_read(tmp_path: Path) -> None:
    file = ics(tmp_path / "a.ics", event("a", "20260415T100000", "20260415T120000", more="SUMMARY:更新のお知らせ"))
    raw = file.read_bytes()
    cut = raw.index("更".encode()) + 1
    file.write_bytes(raw[:cut] + b"\r\n " + raw[cut:])
    assert read(file) == ([WEDNESDAY], [])


@pytest.mark.parametrize("state", ["CANCELLED", "TENTATIVE", "RE-SCHEDULED"])
def test_9_4_4__a_carriers_notice_is_read_in_its_own_words(tmp_path: Path, state: str) -> None:
    def carriers(status: str, more: str) -> str:
        window = "DTSTART;TZID=Asia/Tokyo:20260415T100000\nDTEND;TZID=Asia/Tokyo:20260415T120000"
        maintenance = "X-MAINTNOTE-PROVIDER:example.com\nX-MAINTNOTE-IMPACT:NO-IMPACT\nX-MAINTNOTE-STATUS:"
        return f"UID:42\n{more}\n{window}\n{maintenance}{status}"

    first = ics(tmp_path / "1.ics", carriers("CONFIRMED", "SEQUENCE:0\nDTSTAMP:20260401T000000Z"))
    gone = ics(tmp_path / "2.ics", carriers(state, "SEQUENCE:1\nDTSTAMP:20260405T000000Z"))
    assert read(first) == ([WEDNESDAY], [])
    assert read(gone, first)[0] == []


def test_9_4_4__the_first_window_of_a_series_is_dtstart(tmp_path: Path) -> None:
    off = event("a", "20260415T100000", "20260415T120000", more="RRULE:FREQ=WEEKLY;BYDAY=TH;COUNT=3")
    covered, told = read(ics(tmp_path / "a.ics", off))
    assert covered == [WEDNESDAY, "04-16T10:00/04-16T12:00", "04-23T10:00/04-23T12:00"]
    rule = "DTSTART is not a day of its own rule; it is taken as the first window, as calendars show it"
    assert told == [f"a: 2026-04-15T10:00:00+09:00: {rule}"]


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("RRULE:FREQ=WEEKLY;UNTIL=20260101T000000Z", "a: it comes to nothing: a series has at least one window"),
        ("RRULE:FREQ=WEEKLY;COUNT=-1", "a: COUNT=-1: a rule has at least one window"),
        (
            "RRULE:FREQ=WEEKLY;COUNT=1\nEXDATE;TZID=Asia/Tokyo:20260415T100000",
            "a: no window: every window of this series is left out; it announces nothing",
        ),
    ],
)
def test_9_4_4__a_series_that_comes_to_nothing_is_told(tmp_path: Path, more: str, told: str) -> None:
    assert read(ics(tmp_path / "a.ics", event("a", "20260415T100000", "20260415T120000", more=more))) == ([], [told])


def test_9_4_4__a_file_without_an_event_is_told(tmp_path: Path) -> None:
    todo = ics(tmp_path / "a.ics", event("a", "20260415T100000", "20260415T120000"), kind="VTODO")
    rule = "no event: a calendar of maintenance has events (VEVENT); this one announces nothing"
    assert read(todo) == ([], [rule])
    assert read(ics(tmp_path / "b.ics")) == ([], [rule])


def test_9_4_4__this_and_all_later_occurrences_are_moved_by_as_much(tmp_path: Path) -> None:
    moved = about(
        "RECURRENCE-ID;RANGE=THISANDFUTURE;TZID=Asia/Tokyo:20260417T100000", "20260418T110000", "20260418T120000"
    )
    assert read(ics(tmp_path / "a.ics", FRIDAYS, moved)) == (
        [*THREE[:2], "04-18T11:00/04-18T12:00", "04-25T11:00/04-25T12:00"],
        [],
    )
    gone = about("RECURRENCE-ID;RANGE=THISANDFUTURE;VALUE=DATE:20260417", more="STATUS:CANCELLED")
    assert read(ics(tmp_path / "b.ics", FRIDAYS, gone)) == (THREE[:2], [])


def test_9_4_4__dates_with_a_length_of_their_own_and_an_old_rule_of_exceptions(tmp_path: Path) -> None:
    periods = "RDATE;VALUE=PERIOD:20260416T010000Z/PT3H,20260417T010000Z/20260417T020000Z"
    file = ics(tmp_path / "a.ics", event("a", "20260415T100000", "20260415T120000", more=periods))
    assert read(file) == ([WEDNESDAY, "04-16T10:00/04-16T13:00", "04-17T10:00/04-17T11:00"], [])
    old = "RRULE:FREQ=DAILY;COUNT=4\nEXRULE:FREQ=DAILY;INTERVAL=2"
    file = ics(tmp_path / "b.ics", event("a", "20260414T100000", "20260414T120000", more=old))
    rule = "a: EXRULE: a rule of exceptions is no longer in use; its dates are left out"
    assert read(file) == ([WEDNESDAY, "04-17T10:00/04-17T12:00"], [rule])


@pytest.mark.parametrize(
    ("head", "lines", "stated", "named"),
    [
        ("METHOD:REQUEST", "DTSTAMP:20260401T000000Z", Stated(), "DTSTAMP"),
        ("METHOD:REQUEST", "DTSTAMP:20260401T000000Z", Stated(parse_instant("2026-04-02")), "--published"),
        ("", "DTSTAMP:20260401T000000Z", Stated(parse_instant("2026-04-02")), "--published"),
        ("", "DTSTAMP:20260401T000000Z", Stated(seen_at=parse_instant("2026-04-03")), "first seen"),
        ("", "CREATED:20260401T000000Z", Stated(parse_instant("2026-04-02")), "CREATED"),
    ],
)
def test_9_4_4__where_nothing_says_when_it_was_published_people_or_our_own_record_do(
    tmp_path: Path, head: str, lines: str, stated: Stated, named: str
) -> None:
    window = "DTSTART;TZID=Asia/Tokyo:20260415T100000\nDTEND;TZID=Asia/Tokyo:20260415T120000"
    file = ics(tmp_path / "a.ics", f"UID:a\n{lines}\n{window}", head=head)
    (row,) = read_notices(file, POLICY, stated).rows
    day = {"DTSTAMP": "01 09:00", "CREATED": "01 09:00", "--published": "02", "first seen": "03"}[named]
    assert (row.published_from, row.published_at) == (named, int(parse_instant(f"2026-04-{day}").timestamp()))


def test_9_4_4__reading_is_linear(tmp_path: Path) -> None:
    """1,400 events of any kind in well under two seconds of work."""
    many = [event(f"e{n}", "20260415T100000", "20260415T120000") for n in range(1_400)]
    edits = [
        event("one", "20260415T100000", "20260415T120000", f"202603{1 + n // 60:02d}T00{n % 60:02d}00Z", sequence=n)
        for n in range(1_400)
    ]
    series = event("s", "20220101T100000", "20220101T120000", more="RRULE:FREQ=DAILY;COUNT=1400")
    lines = "UID:s\nSEQUENCE:1\nCREATED:20260301T000000Z\nLAST-MODIFIED:20260301T000000Z\nDURATION:PT1H"
    overrides = []
    for n in range(1_400):
        day = f"{2022 + n // 336}{1 + n // 28 % 12:02d}{1 + n % 28:02d}T100000"
        overrides.append(f"{lines}\nRECURRENCE-ID;TZID=Asia/Tokyo:{day}\nDTSTART;TZID=Asia/Tokyo:{day}")
    excepted = "\n".join(
        f"EXDATE;TZID=Asia/Tokyo:{line.split(':')[-1]}" for o in overrides for line in o.splitlines()[-1:]
    )
    for name, events in (
        ("many", many),
        ("edits", edits),
        ("overrides", [series, *overrides]),
        ("left", [f"{series}\n{excepted}"]),
    ):
        file = ics(tmp_path / f"{name}.ics", *events)
        began = time.process_time()
        read(file)
        assert time.process_time() - began < 2, name


@pytest.mark.parametrize("method", ["REPLY", "COUNTER", "REFRESH", "ADD"])
def test_9_4_4__an_answer_to_an_invitation_announces_nothing(tmp_path: Path, method: str) -> None:
    first = ics(tmp_path / "1.ics", event("a", "20260415T100000", "20260415T120000"), head="METHOD:REQUEST")
    moved = event("a", "20260415T140000", "20260415T160000", "20260320T000000Z", sequence=1)
    answer = ics(tmp_path / "2.ics", moved, head=f"METHOD:{method}")
    rule = "only what the organiser publishes is announced, not an answer to it or a wish"
    assert read(first, answer) == ([WEDNESDAY], [f"a: METHOD {method}: {rule}"])


def test_9_4_4__one_occurrence_is_cancelled_by_a_mail_without_its_window(tmp_path: Path) -> None:
    series = ics(tmp_path / "1.ics", FRIDAYS)
    lines = "UID:weekly\nSEQUENCE:1\nDTSTAMP:20260405T000000Z\nRECURRENCE-ID;TZID=Asia/Tokyo:20260417T100000"
    mail = ics(tmp_path / "2.ics", lines, head="METHOD:CANCEL")
    assert (read(series, mail), read(mail, series)) == ((THREE, []), (THREE, []))


@pytest.mark.parametrize(
    ("head", "stated", "source"),
    [
        ("METHOD:REQUEST", Stated(), "notice a (published: DTSTAMP)"),
        ("", Stated(parse_instant("2026-04-02")), "notice a (published: --published)"),
        ("", Stated(seen_at=parse_instant("2026-04-03")), "notice a (published: first seen)"),
    ],
)
def test_9_4_4__the_evidence_names_what_a_time_of_publication_rests_on(
    tmp_path: Path, head: str, stated: Stated, source: str
) -> None:
    window = "DTSTART;TZID=Asia/Tokyo:20260415T100000\nDTEND;TZID=Asia/Tokyo:20260415T120000"
    file = ics(tmp_path / "a.ics", f"UID:a\nDTSTAMP:20260401T000000Z\n{window}", head=head)
    start = epoch(parse_instant("2026-04-15 10:00"))
    outage = Outage(start, start + 7_200, Cause.SYSTEM_UPDATE, "incident s")
    facts = MonthFacts(Month(2026, 4), (outage,), read_notices(file, POLICY, stated).rows)
    (part,) = service_month(facts, POLICY, 0).parts
    assert (part.bucket, part.sources) == ("announced_update", ("incident s", source))
