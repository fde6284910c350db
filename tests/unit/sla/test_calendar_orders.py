"""Random calendars: the order in which they come decides nothing, and their series are those of another library."""

from datetime import datetime, timedelta
from pathlib import Path
from random import Random

import pytest
import recurring_ical_events
from hypothesis import given, settings
from hypothesis import strategies as st
from icalendar import Calendar

from keizoku.sla.evidence.maintenance_notices import read_issues, read_notices
from keizoku.sla.rules.announcements import announcements_of
from keizoku.terms.calendar import epoch
from tests.worlds.calendars import POLICY, covered, ics, random_calendars, random_of


@given(st.integers(0, 10**6))
@settings(max_examples=150, deadline=None)
def test_9_4_4__the_order_in_which_calendars_come_decides_nothing(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    random = random_of(seed)
    files = random_calendars(tmp_path_factory.mktemp("calendars"), random)
    issues = [read_issues(file).rows for file in files]

    def of(order: list[int]) -> set[tuple[object, ...]]:
        notices = announcements_of(issue for place in order for issue in issues[place]).notices
        return {(each.uid, each.published_at, each.start, each.end, each.cancelled) for each in notices}

    orders = [random.sample(range(len(files)), len(files)) for _ in range(4)]
    assert [of(order) for order in orders] == [of(list(range(len(files))))] * 4
    forwards, backwards = read_notices(files, POLICY), read_notices(files[::-1], POLICY)
    assert covered(forwards.rows) == covered(backwards.rows)


RULES = (
    "RRULE:FREQ=DAILY;COUNT={count}",
    "RRULE:FREQ=WEEKLY;COUNT={count}",
    "RRULE:FREQ=WEEKLY;BYDAY=MO,WE,FR;COUNT={count}",
    "RRULE:FREQ=MONTHLY;BYMONTHDAY=10,20;COUNT={count}",
    "RRULE:FREQ=DAILY;INTERVAL=3;UNTIL=20260501T000000Z",
    "RDATE;TZID={zone}:20260420T100000,20260421T110000",
    "RRULE:FREQ=WEEKLY;COUNT={count}\nRDATE;TZID={zone}:20260421T110000",
)


def calendar_of(folder: Path, random: Random) -> Path:
    """A series with occurrences moved, cancelled and left out, all of them published long before."""
    zone = random.choice(["Asia/Tokyo", "Europe/Paris", "America/New_York"])
    stamps = "CREATED:20260101T000000Z\nLAST-MODIFIED:20260101T000000Z\nDTSTAMP:20260101T000000Z"
    day = random.randint(1, 12)
    first = datetime(2026, 4, day, 10)  # noqa: DTZ001
    rule = random.choice(RULES).format(count=random.randint(1, 8), zone=zone)
    own = f"UID:a\n{stamps}\nDTSTART;TZID={zone}:{first:%Y%m%dT%H%M%S}\nDURATION:PT2H\n{rule}"
    plain = Calendar.from_ical(ics(folder / "plain.ics", own).read_bytes())
    starts = sorted(
        each["DTSTART"].dt for each in recurring_ical_events.of(plain).between((2026, 1, 1), (2026, 12, 31))
    )
    if read_issues(folder / "plain.ics").findings:
        return calendar_of(folder, random)  # whether DTSTART off its rule is one of COUNT is read otherwise
    later = starts[1:]
    random.shuffle(later)
    left_out, overridden = later[:1], later[1:3]
    own += "".join(f"\nEXDATE;TZID={zone}:{each:%Y%m%dT%H%M%S}" for each in left_out)
    events = [own]
    for each in overridden:
        moved = each + timedelta(hours=random.choice([-3, 2, 30]))
        gone = random.random() < 0.4
        state = "\nSTATUS:CANCELLED" if gone else ""
        events.append(
            f"UID:a\n{stamps}\nSEQUENCE:1\nRECURRENCE-ID;TZID={zone}:{each:%Y%m%dT%H%M%S}\n"
            f"DTSTART;TZID={zone}:{(each if gone else moved):%Y%m%dT%H%M%S}\nDURATION:PT1H{state}"
        )
    random.shuffle(events)
    return ics(folder / "series.ics", *events)


@pytest.mark.parametrize("seed", range(120))
def test_9_4_4__a_series_is_what_another_library_makes_of_it(tmp_path: Path, seed: int) -> None:
    file = calendar_of(tmp_path, random_of(seed))
    theirs = recurring_ical_events.of(Calendar.from_ical(file.read_bytes())).between((2026, 1, 1), (2026, 12, 31))
    expected = {
        (
            epoch(each["DTSTART"].dt),
            epoch(each["DTEND"].dt if "DTEND" in each else each["DTSTART"].dt + each["DURATION"].dt),
        )
        for each in theirs
        if each.get("STATUS") != "CANCELLED"
    }
    found = read_notices(file, POLICY)
    newest = {}
    for row in sorted(found.rows, key=lambda row: row.published_at):
        newest[row.uid] = row
    assert {(row.start, row.end) for row in newest.values() if not row.cancelled} == expected
