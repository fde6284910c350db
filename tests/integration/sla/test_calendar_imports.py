"""Calendars in the database: what files come to is what measuring them says, in whichever order they are imported."""

from datetime import date, timedelta
from pathlib import Path

import pytest

from keizoku.db.session import Session
from keizoku.sla.claims.claim_views import month_view
from keizoku.sla.evidence.calendars.ics_times import Stated
from keizoku.sla.evidence.maintenance_notices import read_notices
from keizoku.sla.evidence.notice_store import load_notices
from keizoku.sla.months.evidence_lists import notice_list
from keizoku.sla.rules.announcements import EventIssue, Occurrence
from keizoku.sla.services.imports import ImportService
from keizoku.sla.services.sla_service import SlaService
from keizoku.terms.calendar import epoch, parse_instant
from keizoku.terms.inputs.arguments import guard_acts
from keizoku.terms.refusal import Refused
from tests.worlds.calendars import POLICY, covered, event, ics, random_calendars, random_of
from tests.worlds.evidence_files import LATER, NOW, numbers, service_of_thousand, told
from tests.worlds.sla_world import APRIL, RULES

STOP = (parse_instant("2026-04-15 10:00"), parse_instant("2026-04-15 12:00"))
DAILY = "RRULE:FREQ=DAILY;COUNT=1"
OLDER = event("d", "20260415T100000", "20260415T120000", more=DAILY)
NEWER = event("d", "20260415T140000", "20260415T160000", "20260320T000000Z", DAILY, sequence=2)
CANCEL = "UID:d\nSEQUENCE:3\nDTSTAMP:20260325T000000Z\nSTATUS:CANCELLED"


@pytest.fixture
def service(session: Session) -> SlaService:
    service = service_of_thousand(session)
    service.record_outage(*STOP, 1_000, cause="system_update", ground="plan", now=NOW)
    return service


def unusable(session: Session) -> int:
    return int(month_view(session, RULES, APRIL, LATER).unusable_seconds)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_9_4_4__an_older_issue_that_is_imported_after_the_newer_one_changes_nothing(
    session: Session, service: SlaService, tmp_path: Path, order: tuple[int, int]
) -> None:
    files = [ics(tmp_path / "older.ics", OLDER), ics(tmp_path / "newer.ics", NEWER)]
    for place in order:
        ImportService(service).notices(files[place], author="sato", now=NOW)
    assert unusable(session) == 7_200


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_9_4_4__a_cancellation_by_mail_ends_a_series_of_a_calendar(
    session: Session, service: SlaService, tmp_path: Path, order: tuple[int, int]
) -> None:
    series = ics(tmp_path / "series.ics", OLDER, head="X-WR-CALNAME:Ops")
    mail = ics(tmp_path / "mail.ics", CANCEL, head="METHOD:CANCEL")
    done = [ImportService(service).notices((series, mail)[place], author="sato", now=NOW) for place in order]
    assert unusable(session) == 7_200
    expected = [("d: cancelled", "it cancels what no file announces")] if order == (1, 0) else []
    assert [(each.value, each.rule) for one in done for each in one.findings] == expected
    listed = [(row.calendar, row.cancelled, row.published_from) for row in notice_list(session, RULES, APRIL)]
    assert sorted(listed) == [("", True, "DTSTAMP"), ("Ops", False, "CREATED")]


def test_9_4_4__a_uid_that_begins_with_another_uid_is_another_event(
    session: Session, service: SlaService, tmp_path: Path
) -> None:
    first = ics(tmp_path / "b.ics", event("http://example.com/2026#release-9", "20260415T100000", "20260415T120000"))
    other = ics(
        tmp_path / "a.ics", event("http://example.com/2026", "20260428T100000", "20260428T120000", "20260320T000000Z")
    )
    for file in (first, other):
        ImportService(service).notices(file, author="sato", now=NOW)
    assert unusable(session) == 0


def test_9_4_4__by_hand_an_event_of_a_calendar_and_one_of_its_occurrences_are_withdrawn(
    session: Session, service: SlaService, tmp_path: Path
) -> None:
    daily = event("d", "20260414T100000", "20260414T120000", more="RRULE:FREQ=DAILY;COUNT=3")
    once = event("once", "20260415T100000", "20260415T120000")
    ImportService(service).notices(ics(tmp_path / "a.ics", daily, once), author="sato", now=NOW)
    assert unusable(session) == 0
    at = parse_instant("2026-04-02")
    name = "d#2026-04-15T10:00:00+09:00"
    service.notice("once", at, *STOP, cancelled=True, now=NOW)
    assert unusable(session) == 0
    service.notice(name, at, *STOP, cancelled=True, now=NOW)
    assert unusable(session) == 7_200
    assert sum(not row.cancelled for row in notice_list(session, RULES, APRIL)) == 4


def test_9_4_4__what_says_no_time_of_publication_was_published_when_people_say_or_when_it_was_first_seen(
    session: Session, service: SlaService, tmp_path: Path
) -> None:
    file = ics(tmp_path / "a.ics", "UID:a\nDTSTART;TZID=Asia/Tokyo:20260520T100000\nDURATION:PT2H")
    early, late = parse_instant("2026-05-15 00:00"), parse_instant("2026-05-15 00:01")
    take = ImportService(service)
    assert told(take.notices(file, author="sato", now=early)) == []
    assert [row.published_from for row in notice_list(session, RULES)] == ["first seen"]
    again = ics(tmp_path / "b.ics", "UID:a\nDTSTART;TZID=Asia/Tokyo:20260520T100000\nDURATION:PT2H\nSUMMARY:x")
    assert told(take.notices(again, author="sato", now=late)) == []  # it was seen in time
    assert numbers(take.notices(again, author="sato", now=late + timedelta(days=1)))[-1]
    other = ics(tmp_path / "c.ics", "UID:c\nDTSTART;TZID=Asia/Tokyo:20260520T100000\nDURATION:PT2H")
    stated = take.notices(other, author="sato", now=late, published_at=early)
    assert (told(stated), stated.read_as) == ([], "published=2026-05-15T00:00:00+09:00")
    assert [(row.id, row.published_from, row.in_time) for row in notice_list(session, RULES)] == [
        ("a", "first seen", True),
        ("c", "--published", True),
    ]


def test_9_4_4__files_that_are_measured_and_files_that_are_imported_agree(
    session: Session, service: SlaService, tmp_path: Path
) -> None:
    reach = (APRIL.start_at - timedelta(days=40), APRIL.end_at + timedelta(days=40))
    for seed in range(40):
        random = random_of(seed)
        (tmp_path / str(seed)).mkdir()
        files = random_calendars(tmp_path / str(seed), random)
        for file in files:  # each example has events of its own
            file.write_bytes(file.read_bytes().replace(b"UID:", b"UID:%d-" % seed))
        measured = covered(read_notices(files, POLICY, Stated(now=NOW)).rows)
        for file in random.sample(files, len(files)):
            ImportService(service).notices(file, author="sato", now=NOW)
        own = [each for each in load_notices(session, reach, LATER) if each.uid.startswith(f"{seed}-")]
        assert covered(own) == measured, seed


def test_9_4_4__an_event_that_no_terms_reach_is_a_finding_and_the_others_are_taken(
    session: Session, service: SlaService, tmp_path: Path
) -> None:
    """A calendar that went back beyond the first terms used to end its import in a trace."""
    old = event("old", "20200415T100000", "20200415T120000")
    file = ics(tmp_path / "years.ics", old, event("new", "20260415T100000", "20260415T120000"))
    done = ImportService(service).notices(file, author="sato", now=NOW)
    assert (done.rows_used, done.rows_refused) == (1, 1)
    assert [each.value for each in done.findings if "no version of the premium terms" in each.rule] == ["2020-04"]
    assert unusable(session) == 0


def test_9_4_4__events_given_straight_to_the_act_are_recorded_or_refused(session: Session, service: SlaService) -> None:
    def issue(start: int, end: int) -> EventIssue:
        return EventIssue("d", start, "CREATED", (Occurrence(start, "2020-04-15", start, end),))

    begin = epoch(parse_instant("2020-04-15 10:00"))
    assert service.take_issues([issue(begin, begin + 60)], now=NOW, by="sato") == []
    [finding] = service.refused_spans([(begin, begin + 60)], "notices")
    assert finding.value == "2020-04"
    for wrong in (issue(begin, begin), EventIssue("d", begin, "CREATED")):
        with pytest.raises(Refused):
            service.take_issues([wrong], now=NOW, by="sato")


def test_a_day_that_no_terms_cover_is_refused_by_every_act_alike(session: Session, service: SlaService) -> None:
    @guard_acts()
    class Acts:
        session = service.session

        def ask(self, on: date) -> None:
            RULES.terms.at(on)

    with pytest.raises(Refused) as refused:
        Acts().ask(date(2020, 4, 1))
    assert refused.value.code == "terms.not_in_force"
