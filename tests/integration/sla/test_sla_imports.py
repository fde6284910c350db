"""Whole files at the desk: good rows taken, bad ones told with their line, the same file once, its numbers kept."""

from pathlib import Path

import duckdb
import pytest
import sqlalchemy as sa

from keizoku.db.session import Session
from keizoku.db.tables.claims import claim
from keizoku.db.tables.contracts import account
from keizoku.db.tables.evidence import evidence_import, month_to_review, observation
from keizoku.sla.evidence.count_files import CountSeries
from keizoku.sla.evidence.import_log import import_list
from keizoku.sla.evidence.observation_store import Reading, files_in
from keizoku.sla.months.evidence_lists import incident_list, notice_list, population_list
from keizoku.sla.services.imports import ImportService
from keizoku.sla.services.sla_service import SlaService
from keizoku.terms.calendar import parse_instant
from tests.worlds.evidence_files import LATER, NOW, numbers, service_of_thousand, told, unusable, written
from tests.worlds.sla_world import APRIL, RULES


@pytest.fixture
def service(session: Session) -> SlaService:
    return service_of_thousand(session)


def test_9_3__observations_keep_their_symptom_and_the_same_file_is_taken_once(
    session: Session, service: SlaService, tmp_path: Path
) -> None:
    half_hour = "2026-04-10 12:00,2026-04-10 12:30"
    file = written(
        tmp_path,
        "seen.csv",
        "user_id,symptom,started_at,ended_at",
        *(f"u{n},site,{half_hour}" for n in range(51)),
        f"u0,login,{half_hour}",
        f"u0,site,{half_hour}",
        "u1,slow,2026-04-10 12:00,",
    )
    first = ImportService(service).observations(file, author="sato", now=NOW)
    assert numbers(first) == ("observations", 54, 53, 52, 1, "sato", False)
    assert told(first) == [(55, "symptom 'slow'", "a symptom is site, login, view")]
    table = observation.c
    own = session.execute(sa.select(table.symptom).where(table.user_id == "u0").order_by(table.symptom)).scalars().all()
    assert own == ["login", "site"]
    assert unusable(session) == 1_800
    again = ImportService(service).observations(file, author="tanaka", now=LATER)
    assert numbers(again) == ("observations", 54, 53, 52, 1, "sato", True)
    assert again.findings == ()
    assert again.summary() == (
        "seen.csv: the same file was imported 2026-05-02T09:00:00+09:00 by sato "
        "(54 rows read, 53 used (52 new), 1 refused); nothing was changed"
    )
    assert session.execute(sa.select(sa.func.count()).select_from(observation)).scalar_one() == 52


def test_9_3__an_open_row_is_closed_by_the_same_user_symptom_and_start_only(
    session: Session, service: SlaService
) -> None:
    start, end = parse_instant("2026-04-10 12:00"), parse_instant("2026-04-10 12:30")
    service.observations(
        rows=[(f"u{n}", "site", start, None) for n in range(51)], now=parse_instant("2026-04-10 13:00")
    )
    at = parse_instant("2026-04-10 14:00")
    assert unusable(session, at) == 7_200
    service.observations(
        rows=[(f"u{n}", "login", start, end) for n in range(51)], now=parse_instant("2026-04-10 13:10")
    )
    assert unusable(session, at) == 7_200
    service.observations(rows=[("u0", "site", start, end)], now=parse_instant("2026-04-10 13:20"))
    assert unusable(session, at) == 1_800


def test_import__incidents_that_are_known_are_passed_over_and_other_values_are_refused(
    session: Session, service: SlaService, tmp_path: Path
) -> None:
    header = "id,from,to,affected,cause,ground,author"
    one = "i1,2026-04-10 09:00,2026-04-10 12:37,60,fault,disk,suzuki"
    ImportService(service).incidents(written(tmp_path, "a.csv", header, one), author="sato", now=NOW)
    more = written(
        tmp_path,
        "b.csv",
        header,
        one,
        "i2,2026-04-12 00:30,2026-04-12 05:00,900,,,",
        "i3,2026-04-12 00:30,,900,,,",
    )
    done = ImportService(service).incidents(more, author="sato", now=LATER)
    assert numbers(done) == ("incidents", 3, 2, 1, 1, "sato", False)
    assert [(each.id, each.revision, each.author) for each in incident_list(session, APRIL)] == [
        ("i1", 1, "suzuki"),
        ("i2", 1, "sato"),
    ]
    changed = written(tmp_path, "c.csv", header, one.replace("12:37", "13:00"))
    refused = ImportService(service).incidents(changed, author="sato", now=LATER)
    assert numbers(refused) == ("incidents", 1, 0, 0, 1, "sato", False)
    assert told(refused) == [(2, "i1", "an outage of this id is recorded")]
    assert refused.findings[0].remedy == "correct that one: keizoku sla incident correct"


def test_import__a_dated_series_of_users_decides_the_quorum_of_its_days(
    session: Session, service: SlaService, tmp_path: Path
) -> None:
    file = written(tmp_path, "population.csv", "from,users", "2026-04-11,2000", "2025-01-01,1000", "2026-04-12,0")
    done = ImportService(service).population(file, author="sato", now=NOW)
    assert numbers(done) == ("population", 3, 2, 1, 1, "sato", False)
    assert [(each.to_json()["from"], each.users) for each in population_list(session)] == [
        ("2025-01-01T00:00:00+09:00", 1_000),
        ("2026-04-11T00:00:00+09:00", 2_000),
    ]
    for day in (10, 11):
        service.record_outage(parse_instant(f"2026-04-{day} 12:00"), parse_instant(f"2026-04-{day} 13:00"), 60, now=NOW)
    assert unusable(session) == 3_600


def test_9_4_4__a_calendar_is_taken_whole_and_what_came_too_late_is_told(
    session: Session, service: SlaService, tmp_path: Path
) -> None:
    def event(uid: str, published: str) -> str:
        return (
            f"BEGIN:VEVENT\nUID:{uid}\nDTSTART:20260420T100000\nDTEND:20260420T120000\n"
            f"X-KEIZOKU-PUBLISHED:{published}\nEND:VEVENT"
        )

    events = (event("release", "20260414T090000"), event("late", "20260419T090000"), "BEGIN:VEVENT\nEND:VEVENT")
    file = written(tmp_path, "n.ics", "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:test", *events, "END:VCALENDAR")
    done = ImportService(service).notices(file, author="sato", now=NOW)
    assert numbers(done) == ("notices", 3, 2, 2, 1, "sato", False)
    assert [each.value for each in done.findings] == [
        "late published 2026-04-19T09:00:00+09:00",
        "an event without UID",
    ]
    assert [(each.id, each.in_time, each.author) for each in notice_list(session, RULES, APRIL)] == [
        ("release", True, "sato"),
        ("late", False, "sato"),
    ]


CLAIMS = (
    "id,account,month,received_at,windows",
    "c1,hanako,2026-04,2026-05-01 09:00,",
    'c2,hanako,2026-04,2026-05-01 10:00,"2026-04-10 09:00/2026-04-10 10:00;2026-04-10 10:00/2026-04-10 11:00"',
    "c3,hanako,2026-13,2026-05-01 10:00,",
    "c4,hanako,2026-04,soon,",
    "c5,hanako,2026-04,2026-05-01 10:00,2026-04-10 09:00",
    ",hanako,2026-04,2026-05-01 10:00,",
    "c7,nobody,2026-04,2026-05-01 10:00,",
    "c8,hanako,2026-06,2026-05-01 10:00,",
    "c9,hanako,2026-04,2026-06-01 10:00,",
    "c1,hanako,2026-03,2026-05-01 09:00,",
    "c1,hanako,2026-04,2026-05-01 09:00,",
)


def test_9_2__claims_of_a_file_bad_rows_told_good_rows_taken_the_same_file_once(
    session: Session, service: SlaService, tmp_path: Path
) -> None:
    session.execute(sa.insert(account).values(id="hanako", created_at=NOW))
    session.commit()
    bars: list[tuple[int, int]] = []
    file = written(tmp_path, "claims.csv", *CLAIMS)
    done = ImportService(service).claims(file, author="sato", now=NOW, progress=lambda *at: bars.append(at))
    assert numbers(done) == ("claims", 11, 4, 3, 7, "sato", False)
    assert bars == [(5, 5)]
    assert told(done) == [
        (4, "'2026-13'", "not a month"),
        (5, "'soon'", "not a time"),
        (6, "window '2026-04-10 09:00'", "a window has a start and an end"),
        (7, "id is empty", "id is needed"),
        (8, "nobody", "no account has this id; the claim is recorded and will be rejected"),
        (9, "2026-06", "the month had not begun"),
        (10, "received 2026-06-01 10:00", "it lies ahead"),
        (11, "c1", "a claim of this id is recorded with other values"),
    ]
    rows = [(row.id, row.account, row.month, row.windows) for row in session.execute(sa.select(claim).order_by("id"))]
    assert rows == [
        ("c1", "hanako", "2026-04", None),
        ("c2", "hanako", "2026-04", [["2026-04-10T09:00:00+09:00", "2026-04-10T11:00:00+09:00"]]),
        ("c7", "nobody", "2026-04", None),
    ]
    asked = session.execute(sa.select(month_to_review.c.month, month_to_review.c.account, month_to_review.c.why))
    assert sorted(map(tuple, asked)) == [
        ("2026-04", "hanako", "claim c1"),
        ("2026-04", "hanako", "claim c2"),
        ("2026-04", "nobody", "claim c7"),
    ]
    again = ImportService(service).claims(file, author="sato", now=LATER)
    assert (again.again, again.findings) == (True, ())
    mended = written(tmp_path, "mended.csv", CLAIMS[0], CLAIMS[1], CLAIMS[3].replace("2026-13", "2026-04"))
    assert numbers(ImportService(service).claims(mended, author="sato", now=LATER))[1:5] == (2, 2, 1, 0)
    assert [each.source for each in import_list(session, "claims")] == ["claims.csv", "mended.csv"]
    assert session.execute(sa.select(sa.func.count()).select_from(evidence_import)).scalar_one() == 2


def test_9_4_4__what_a_calendar_no_longer_announces_is_withdrawn_with_its_new_issue(
    session: Session, service: SlaService, tmp_path: Path
) -> None:
    def calendar(name: str, rule: str, issue: str, of: str = "Ops") -> Path:
        event = (
            f"BEGIN:VEVENT\nUID:weekly\nDTSTART:20260406T100000\nDTEND:20260406T120000\nRRULE:FREQ=WEEKLY;{rule}\n"
            f"{issue}\nEND:VEVENT"
        )
        head = f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:test\nX-WR-CALNAME:{of}"
        return written(tmp_path, name, head, event, "END:VCALENDAR")

    take = ImportService(service)
    first = take.notices(calendar("1.ics", "COUNT=3", "CREATED:20260320T000000Z"), author="sato", now=NOW)
    assert numbers(first) == ("notices", 3, 3, 3, 0, "sato", False)
    take.notices(calendar("2.ics", "COUNT=3", "CREATED:20260320T000000Z", "Web"), author="sato", now=NOW)
    shorter = "CREATED:20260320T000000Z\nSEQUENCE:1\nLAST-MODIFIED:20260410T000000Z"
    take.notices(calendar("3.ics", "COUNT=2", shorter), author="sato", now=NOW)
    listed = [(row.calendar, row.id[7:17], row.cancelled) for row in notice_list(session, RULES, APRIL)]
    assert listed == [
        ("Ops", "2026-04-06", False),
        ("Web", "2026-04-06", False),
        ("Ops", "2026-04-06", False),
        ("Ops", "2026-04-13", False),
        ("Web", "2026-04-13", False),
        ("Ops", "2026-04-13", False),
        ("Ops", "2026-04-20", False),
        ("Web", "2026-04-20", False),
        ("Ops", "2026-04-20", True),
    ]
    stale = "CREATED:20260320T000000Z"
    again = take.notices(
        calendar("4.ics", "COUNT=1", stale.replace("CREATED", "X-KEIZOKU-PUBLISHED")), author="s", now=NOW
    )
    assert again.rows_refused == 0
    moved = calendar("5.ics", "COUNT=3", stale)
    moved.write_text(moved.read_text().replace("T120000", "T130000"))
    refused = take.notices(moved, author="sato", now=NOW)
    assert (refused.rows_used, refused.rows_refused) == (0, 3)
    assert {each.rule for each in refused.findings} == {
        "another window was recorded as published then; an edit is a new notice"
    }


def parquet(path: Path, select: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect() as table:
        table.execute(f"COPY ({select}) TO '{path}' (FORMAT parquet)")
    return path


def test_import__every_file_of_a_folder_is_an_import_and_its_folders_names_are_columns(
    session: Session, service: SlaService, tmp_path: Path
) -> None:
    seen = tmp_path / "seen"
    half_hour = "'2026-04-10 12:00' AS started_at, '2026-04-10 12:30' AS ended_at"
    same_bytes = f"SELECT 'u' || range AS user_id, {half_hour} FROM range(51)"
    first = parquet(seen / "symptom=login" / "0.parquet", same_bytes)
    (seen / "symptom=site").mkdir()
    (seen / "symptom=site" / "0.parquet").write_bytes(first.read_bytes())
    written(seen, "late.csv", "user_id,symptom,started_at,ended_at", "u0,view,2026-04-10 12:10,2026-04-10 12:40")
    (seen / "_SUCCESS.csv").write_text("", encoding="utf-8")
    found = files_in([seen, seen / "late.csv"])
    imports = ImportService(service)
    done = [imports.observations(file, author="sato", now=NOW, source=name) for file, name in found]
    assert [(each.source, each.read_as, *numbers(each)[1:]) for each in done] == [
        ("seen/late.csv", "", 1, 1, 1, 0, "sato", False),
        ("seen/symptom=login/0.parquet", "symptom=login", 51, 51, 51, 0, "sato", False),
        ("seen/symptom=site/0.parquet", "symptom=site", 51, 51, 51, 0, "sato", False),
    ]
    assert unusable(session) == 1_800
    assert [each.again for each in (imports.observations(*one, author="x", now=LATER) for one in [(first,)])] == [True]
    assert session.execute(sa.select(sa.func.count()).select_from(evidence_import)).scalar_one() == 3


def test_import__a_file_read_by_wrong_names_can_be_read_again_as_it_is_meant(
    session: Session, service: SlaService, tmp_path: Path
) -> None:
    imports = ImportService(service)
    seen = written(tmp_path, "seen.csv", "who,from,to", "u1,2026-04-10 12:00,2026-04-10 12:30")
    wrong = imports.observations(seen, author="sato", now=NOW)
    assert (wrong.rows_used, len(wrong.findings)) == (0, 4)
    reading = Reading({"user_id": "who", "started_at": "from", "ended_at": "to"}, "site")
    right = imports.observations(seen, author="sato", now=NOW, reading=reading)
    assert (right.rows_new, right.read_as) == (1, "ended_at=to, started_at=from, symptom=site, user_id=who")
    assert imports.observations(seen, author="sato", now=NOW, reading=reading).again
    named = '{"metric": {"__name__": "%s"}, "values": [[1775790000, "%d"], [1775790060, "%d"]]}'
    answer = f'{{"resultType": "matrix", "result": [{named % ("unable", 60, 0)}, {named % ("all", 1000, 1000)}]}}'
    counted = written(tmp_path, "counts.json", answer)
    assert imports.counts(counted, author="sato", now=NOW).rows_new == 0
    series = CountSeries("unable", "all")
    again = imports.counts(counted, author="sato", now=NOW, series=series)
    assert (again.rows_new, again.read_as, again.again) == (2, "affected=unable, total=all", False)


def test_import__a_user_with_a_nul_in_it_is_refused_and_the_rest_is_taken(
    session: Session, service: SlaService, tmp_path: Path
) -> None:
    period = "'site' AS symptom, '2026-04-10 12:00' AS started_at, '2026-04-10 12:30' AS ended_at"
    users = f"SELECT 'a' || chr(0) || 'b' AS user_id, {period} UNION ALL SELECT 'c', {period}"
    done = ImportService(service).observations(parquet(tmp_path / "seen.parquet", users), author="sato", now=NOW)
    assert (done.rows_read, done.rows_used, done.rows_new, done.rows_refused) == (2, 1, 1, 1)
    assert told(done) == [(None, "user_id 'a\\x00b'", "a NUL is no text")]
    line = '{"user_id": "a\\u0000b", "symptom": "site", "started_at": "2026-04-10 12:00"}'
    done = ImportService(service).observations(written(tmp_path, "seen.ndjson", line), author="sato", now=NOW)
    assert (done.rows_used, done.rows_refused) == (0, 1)
