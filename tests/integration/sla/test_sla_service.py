"""The SLA desk: what people and systems record, and the views of it, on a real database."""

import json
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from keizoku.db.session import Session
from keizoku.db.tables.claims import claim
from keizoku.db.tables.evidence import incident, observation
from keizoku.scheduler.reports.replay import replay
from keizoku.scheduler.reports.sentences import row_text
from keizoku.scheduler.reports.sla_report import month_report, report_csv, report_page
from keizoku.sla.claims.claim_views import claim_explanation, claim_list, month_view
from keizoku.sla.claims.integrity_audit import differences
from keizoku.sla.evidence.count_files import CountSeries
from keizoku.sla.evidence.unknown_store import unknown_decisions, unknown_list
from keizoku.sla.months.evidence_lists import incident_list, population_list
from keizoku.sla.months.history import history_of
from keizoku.sla.months.month_facts import NoPopulationError
from keizoku.sla.services.imports import ImportService
from keizoku.sla.services.sla_service import SlaService
from keizoku.terms.calendar import epoch
from keizoku.terms.decision import Finding
from keizoku.terms.refusal import Refused
from tests.worlds.sla_world import APRIL, LONG_AGO, RULES, at, long_outage, member, night, open_service, seen, windows


@pytest.fixture
def service(session: Session) -> SlaService:
    return open_service(session)


def test_9_4_4__a_notice_too_late_is_recorded_and_excludes_nothing(session: Session, service: SlaService) -> None:
    long_outage(service, cause="system_update")
    start, end = at("2026-04-10 12:00"), at("2026-04-10 13:00")
    (late,) = service.notice("n1", at("2026-04-05 00:01"), start, end, now=at("2026-04-05 00:01"))
    assert "2026-04-05T00:00:00+09:00" in late.rule
    assert month_view(session, RULES, APRIL, at("2026-05-01")).unusable_seconds == 14_400
    assert service.notice("n2", at("2026-04-05 00:00"), start, end, now=at("2026-04-05 00:02")) == []
    assert month_view(session, RULES, APRIL, at("2026-05-01")).unusable_seconds == 10_800


def test_9_3__observations_of_users_make_stops(session: Session, service: SlaService, tmp_path: Path) -> None:
    assert service.population(LONG_AGO, 1_000, now=at("2026-04-01")) == []
    start, middle, end = at("2026-04-10 12:00"), at("2026-04-10 12:06"), at("2026-04-10 12:12")
    rows = [(f"a{n}", "site", start, middle) for n in range(51)] + [(f"b{n}", "login", middle, end) for n in range(51)]
    assert service.observations(rows=rows, now=at("2026-04-10 13:00")) == []
    assert month_view(session, RULES, APRIL, at("2026-05-01")).unusable_seconds == 720
    assert service.observations(rows=rows, now=at("2026-04-11 13:00")) == []
    assert session.execute(sa.select(sa.func.count()).select_from(observation)).scalar_one() == 102

    file = tmp_path / "more.csv"
    lines = [f"c{n},view,2026-04-11 12:00,2026-04-11 12:30" for n in range(51)]
    file.write_text("\n".join(["user_id,symptom,started_at,ended_at", *lines, "x,view,soon,"]), encoding="utf-8")
    (finding,) = service.observations(file=file, now=at("2026-04-12 13:00"))
    assert finding.line == 53
    assert month_view(session, RULES, APRIL, at("2026-05-01")).unusable_seconds == 720 + 1_800
    (again,) = service.observations(file=file, now=at("2026-04-13 13:00"))
    assert again.rule == "it was imported before"


def test_9_3__an_open_observation_runs_until_its_end_is_known(session: Session, service: SlaService) -> None:
    assert service.population(LONG_AGO, 10, now=at("2026-04-01")) == []
    start = at("2026-04-10 12:00")
    service.observations(rows=[("a", "site", start, None)], now=at("2026-04-10 13:00"))
    assert month_view(session, RULES, APRIL, at("2026-04-10 14:00")).unusable_seconds == 7_200
    service.observations(rows=[("a", "site", start, at("2026-04-10 12:30"))], now=at("2026-04-10 15:00"))
    assert month_view(session, RULES, APRIL, at("2026-04-10 16:00")).unusable_seconds == 1_800


def test_9_3__counts_pass_where_more_than_the_share_is_affected(session: Session, service: SlaService) -> None:
    rows = [
        (at("2026-04-10 12:00"), at("2026-04-10 12:30"), 51, 1_000),
        (at("2026-04-10 13:00"), at("2026-04-10 13:30"), 50, 1_000),
        (at("2026-04-10 14:30"), at("2026-04-10 14:00"), 60, 1_000),
    ]
    (finding,) = service.counts(rows, now=at("2026-04-10 15:00"))
    assert finding.line == 3
    assert list(month_view(session, RULES, APRIL, at("2026-05-01")).windows) == windows(
        ("2026-04-10 12:00", "2026-04-10 12:30")
    )


def test_9_3__without_a_population_a_stop_cannot_be_judged(session: Session) -> None:
    service = SlaService(session, RULES)
    long_outage(service)
    with pytest.raises(NoPopulationError, match="keizoku sla population add"):
        month_view(session, RULES, APRIL, at("2026-05-01"))


def test_9_4_2__a_stop_over_a_months_end_is_reviewed_in_both(session: Session, service: SlaService) -> None:
    member(session, "hanako")
    service.claim("h1", "hanako", APRIL, now=at("2026-04-30 23:58"))
    service.record_outage(at("2026-04-30 23:54"), at("2026-05-01 00:00"), 60_000, now=at("2026-05-01 00:01"))
    night(session, "2026-05-01")
    assert seen(session, "h1")["waterfall"]["short_stop"] == 360
    service.record_outage(at("2026-05-01 00:00"), at("2026-05-01 00:06"), 60_000, now=at("2026-05-01 09:00"))
    night(session, "2026-05-02")
    assert seen(session, "h1")["waterfall"]["recognised"] == 360


def refused(act: Callable[..., object], *facts: Any, **more: Any) -> Finding:
    """The one finding for which an act is refused."""
    with pytest.raises(Refused) as raised:
        act(*facts, **more)
    (finding,) = raised.value.findings
    assert str(raised.value).startswith(str(finding))
    return finding


def test_desk__refuses_what_cannot_be(session: Session, service: SlaService) -> None:
    now = at("2026-05-02 09:00")
    assert "ends after" in refused(service.record_outage, now, now, 1, now=now).rule
    assert "not negative" in refused(service.record_outage, now - timedelta(hours=1), now, -1, now=now).rule
    falt = refused(service.record_outage, now - timedelta(hours=1), now, 1, cause="falt", now=now)
    assert falt.remedy == "the nearest is 'fault'"
    assert "no version" in refused(service.record_outage, at("2024-11-01"), at("2024-11-02"), 1, now=now).rule
    long_outage(service, id="april-10")
    assert refused(service.correct_outage, "april-1O", affected=0, now=now).remedy == "the nearest is 'april-10'"
    assert (
        "is recorded" in refused(service.record_outage, now - timedelta(hours=1), now, 1, id="april-10", now=now).rule
    )
    member(session, "hanako")
    assert "not begun" in refused(service.claim, "x1", "hanako", "2026-06", now=now).rule
    assert "not a month" in refused(service.claim, "x1", "hanako", "2026-4", now=now).rule
    assert service.claim("h1", "hanako", APRIL, now=now) == []
    assert "is recorded" in refused(service.claim, "h1", "hanako", APRIL, now=now).rule
    assert refused(service.recognise, "h2", [], "tanaka", "none", now=now).remedy == "the nearest is 'h1'"
    assert service.consent_alternative("h1", "a month free", now=now) == []
    assert session.execute(sa.select(sa.func.count()).select_from(incident)).scalar_one() == 1
    assert session.execute(sa.select(sa.func.count()).select_from(claim)).scalar_one() == 1


def test_desk__a_stop_without_id_gets_one_from_its_time(session: Session, service: SlaService) -> None:
    long_outage(service)
    long_outage(service, hours=5)
    ids = session.execute(sa.select(incident.c.incident_id).order_by(incident.c.id)).scalars().all()
    assert ids == ["stop-20260410-1200", "stop-20260410-1200-2"]


def test_views__list_and_explanation(session: Session, service: SlaService) -> None:
    member(session, "hanako")
    long_outage(service)
    assert service.submit_claim("hanako", APRIL, now=at("2026-05-02 09:00")) == ("hanako-2026-04-1", [])
    assert service.submit_claim("hanako", APRIL, now=at("2026-05-03 09:00")) == ("hanako-2026-04-2", [])
    night(session, "2026-05-03")
    listed = claim_list(session, at("2026-05-04"), APRIL, "hanako")
    assert [(row.id, row.outcome) for row in listed] == [
        ("hanako-2026-04-1", "granted"),
        ("hanako-2026-04-2", "granted"),
    ]
    explained = claim_explanation(session, "hanako-2026-04-1", at("2026-05-04"))
    assert explained.decisions[-1].decision.outcome == "granted"
    assert [row.rate for row in explained.awards] == ["0.2"]


def samples(folder: Path, *present: int) -> Path:
    """April 10 from noon, a sample for each hour named: 60 of 1,000 unable in the first five, then none."""
    noon = epoch(at("2026-04-10 12:00"))
    values = [[noon + 3_600 * hour, "60" if hour < 5 else "0"] for hour in present]
    result = [{"metric": {"__name__": "affected"}, "values": values}]
    path = folder / f"{len(present)}.json"
    path.write_text(json.dumps({"data": {"resultType": "matrix", "result": result}}))
    return path


def taken(service: SlaService, file: Path, when: str) -> tuple[int, int, int]:
    series = CountSeries(total="1000", step_seconds=3_600)
    done = ImportService(service).counts(file, author="sato", now=at(when), series=series)
    return done.rows_used, done.rows_new, len(done.findings)


def test_9_3__claims_that_unknown_time_could_change_wait_until_people_have_decided(
    session: Session, service: SlaService, tmp_path: Path
) -> None:
    member(session, "hanako")
    member(session, "taro", method="app_store")
    assert taken(service, samples(tmp_path, 0, 1, 2, 3, 4, 8, 9), "2026-04-11 09:00") == (7, 7, 0)
    hole = {
        "from": "2026-04-10T17:00:00+09:00",
        "to": "2026-04-10T20:00:00+09:00",
        "seconds": 10_800,
        "source": "7.json",
    }
    assert [each.to_json() for each in unknown_list(session, APRIL, at("2026-05-01"))] == [hole]
    assert month_view(session, RULES, APRIL, at("2026-05-01")).final is False
    service.claim("h1", "hanako", APRIL, now=at("2026-05-02 09:00"))
    service.claim("t1", "taro", APRIL, now=at("2026-05-02 09:00"))
    night(session, "2026-05-03")
    waiting = seen(session, "h1", "2026-05-04")
    assert (waiting["outcome"], waiting["waits_for"]) == (
        "pending",
        "people's decision on unknown time: keizoku sla unknown list",
    )
    assert seen(session, "t1", "2026-05-04")["reason"] == "method"  # whatever it was
    report = month_report(session, RULES, APRIL, at("2026-05-04"), at("2026-06-04"))
    assert [(each.key, *each.facts.values()) for each in report.waits] == [("unknown", 10_800), ("held", 1)]
    assert [row.split(",")[2:5] for row in report_csv(report, "en").splitlines() if row.startswith("unknown,")] == [
        [hole["from"], hole["to"], "10800"]
    ]
    assert "Time without a sample" in report_page(report, ("en",))
    again = replay(session, RULES, APRIL)
    assert (again.claims, again.claims_held, again.changed_claims, again.changed_yen) == (2, 1, (), ())
    assert differences(session, date(2026, 5, 3), at("2026-05-03 02:30")) == []
    assert night(session, "2026-05-04") == 0

    def decide(to: str, verdict: str, affected: int | None, when: str) -> list[Finding]:
        start = at("2026-04-10 17:00")
        return service.decide_unknown(start, at(to), verdict, "sato", "logs", affected=affected, now=at(when))

    assert decide("2026-04-10 18:00", "down", 51, "2026-05-05 09:00") == []
    night(session, "2026-05-06")  # 51 of a million are no outage; two hours more stay within the tier
    assert (seen(session, "h1")["rate"], seen(session, "h1")["seconds"]) == ("0.2", 18_000)
    assert month_view(session, RULES, APRIL, at("2026-05-06")).final is False
    assert decide("2026-04-10 20:00", "up", None, "2026-05-06 09:00") == []
    night(session, "2026-05-07")
    assert (seen(session, "h1")["rate"], seen(session, "h1")["seconds"]) == ("0.2", 18_000)
    assert unknown_list(session, APRIL, at("2026-05-08")) == []
    assert decide("2026-04-10 20:00", "down", 50_001, "2026-05-08 09:00") == []
    night(session, "2026-05-09")
    assert (seen(session, "h1")["rate"], seen(session, "h1")["seconds"]) == ("0.4", 28_800)
    assert decide("2026-04-10 20:00", "unknown", None, "2026-05-09 09:00") == []
    assert [each.to_json() for each in unknown_list(session, APRIL, at("2026-05-10"))] == [hole]
    assert taken(service, samples(tmp_path, 5, 6, 7), "2026-05-10 09:00") == (3, 3, 0)
    assert unknown_list(session, APRIL, at("2026-05-11")) == []
    decided = unknown_decisions(session, APRIL, at("2026-05-11"))
    assert [(each.decision, each.to_json()["verdict"], each.affected) for each in decided] == [
        ("unknown", "unknown", None),
        ("down", "down", 50_001),
        ("up", "up", None),
        ("down", "down", 51),
    ]
    pieces = [each for each in history_of(session, RULES, APRIL, at("2026-05-11")) if "unknown" in each.kind]
    assert [(each.kind, row_text(each, "en"), each.ground, each.source) for each in pieces] == [
        ("unknown", "3 h without a sample: neither down nor up until people decide", "", "7.json"),
        ("unknown_ruling", "time without a sample: ruled that 51 users were unable", "logs", ""),
        ("unknown_ruling", "time without a sample: ruled to have been up", "logs", ""),
        ("unknown_ruling", "time without a sample: ruled that 50,001 users were unable", "logs", ""),
        ("unknown_ruling", "time without a sample: the ruling on it is taken back", "logs", ""),
    ]


@pytest.mark.parametrize(
    ("start", "verdict", "affected", "rule"),
    [
        ("2026-04-10 16:00", "up", None, "only time without a sample is decided; of this, that is "),
        ("2026-04-10 17:00", "down", None, "down has a number of affected users, the others none"),
        ("2026-04-10 17:00", "up", 5, "down has a number of affected users, the others none"),
        ("2026-04-10 17:00", "broken", None, "it was up, down, excluded, unknown"),
        ("2026-04-10 17:00", "down", 2**63, "a number is at most 9,223,372,036,854,775,807"),
    ],
)
def test_9_3__what_is_no_decision_on_unknown_time_is_refused(
    service: SlaService, tmp_path: Path, start: str, verdict: str, affected: int | None, rule: str
) -> None:
    taken(service, samples(tmp_path, 0, 4, 8), "2026-04-11 09:00")
    decided = (at(start), at("2026-04-10 20:00"), verdict, "sato", "logs")
    finding = refused(service.decide_unknown, *decided, affected=affected, now=at("2026-05-01"))
    assert finding.rule.startswith(rule)


@pytest.mark.parametrize("cause", ["user_environment", "partner"])
def test_9_4_3__a_cause_that_people_have_to_give_a_ground_for_is_refused_without_one(
    service: SlaService, cause: str
) -> None:
    span = (at("2026-04-10 12:00"), at("2026-04-10 13:00"))
    assert service.record_outage(*span, 60_000, id="s", now=at("2026-04-11")) == []
    for finding in (
        refused(service.record_outage, *span, 60_000, cause=cause, now=at("2026-04-11")),
        refused(service.correct_outage, "s", cause=cause, now=at("2026-04-11")),
    ):
        assert finding.value == f"cause {cause} without a ground"
    assert service.correct_outage("s", cause=cause, ground="confirmed by suzuki", now=at("2026-04-11")) == []


@pytest.mark.parametrize(
    ("start", "end", "affected", "name"),
    [
        ("0001-01-02", "2026-04-10", 1, None),
        ("2026-04-10", "9999-12-30", 1, None),
        ("2026-04-10", "2027-05-10", 1, None),
        ("2026-04-10", "2026-04-11", 2**63, None),
        ("2026-04-10", "2026-04-11", 1, "a\0b"),
        ("2026-04-10", "2026-04-11", 1, " "),
    ],
)
def test_import__times_numbers_and_texts_that_no_stop_has_are_findings(
    service: SlaService, start: str, end: str, affected: int, name: str | None
) -> None:
    assert refused(service.record_outage, at(start), at(end), affected, id=name, now=at("2026-04-11")).line is None


def test_9_2__ids_that_others_take_at_the_same_instant_go_on_to_the_next(
    service: SlaService, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, span = at("2026-05-02 09:00"), (at("2026-04-10 12:00"), at("2026-04-10 13:00"))
    service.claim("hanako-2026-04-1", "hanako", APRIL, now=now)
    stale = iter(["hanako-2026-04-1", "hanako-2026-04-1", "hanako-2026-04-2"])
    monkeypatch.setattr(service, "_free_claim_id", lambda account, month: next(stale))
    assert service.submit_claim("hanako", APRIL, now=now)[0] == "hanako-2026-04-2"
    taken_before = refused(service.claim, "hanako-2026-04-2", "hanako", APRIL, now=now)
    assert taken_before.rule == "a claim of this id is recorded"
    service.record_outage(*span, 1, id="stop-1", now=now)
    names = iter(["stop-1", "stop-2"])
    monkeypatch.setattr(service, "_free_outage_id", lambda from_at: next(names))
    assert service.record_outage(*span, 2, now=now) == []
    assert [(row.id, row.affected) for row in incident_list(service.session)] == [("stop-1", 1), ("stop-2", 2)]


def test_9_3__users_that_there_always_were_are_recorded_without_a_day(session: Session) -> None:
    service = SlaService(session, RULES)
    assert service.population(at("1970-01-01"), 1_000, now=at("2026-05-01")) == []
    assert [(row.users, row.from_at) for row in population_list(session)] == [(1_000, at("1970-01-01"))]
