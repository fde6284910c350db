"""The SLA desk, the claims stage and the views, on a real database."""

import json
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from psycopg.errors import CheckViolation
from sqlalchemy.exc import IntegrityError

from db.session import Session
from db.tables.claims import award, claim, claim_decision
from db.tables.contracts import account, contract, plan, suspension, term
from db.tables.evidence import incident, month_review, observation
from db.tables.money import people_task
from scheduler.months.replay import replay
from scheduler.months.report import month_report, report_csv, report_page
from scheduler.months.told import piece_told
from sla import stages
from sla.audit import differences
from sla.counts import CountSeries
from sla.desk import SlaDesk
from sla.evidence_lists import incident_list
from sla.history import pieces_known
from sla.import_desk import ImportDesk
from sla.month_store import NoPopulation
from sla.unknown_store import unknown_list
from sla.views import claim_list, claim_story, claim_view, month_view
from terms.calendar import Month, day_start_at, epoch, parse_instant
from terms.decision import Finding
from terms.discretion import Discretion
from terms.policy import Terms
from terms.rules import Rules

RULES = Rules(Terms.load("premium"), Discretion())
APRIL = Month(2026, 4)
LONG_AGO = parse_instant("2025-01-01")


def at(text: str) -> datetime:
    return parse_instant(text)


@pytest.fixture
def desk(session: Session) -> SlaDesk:
    """A desk of a service with a million users and one plan."""
    session.execute(sa.insert(plan).values(code="monthly", interval="month", recorded_at=LONG_AGO))
    session.commit()
    desk = SlaDesk(session, RULES)
    assert desk.population(LONG_AGO, 1_000_000, now=LONG_AGO) == []
    return desk


def member(
    session: Session,
    name: str,
    *,
    method: str = "card",
    starts_at: str = "2026-03-20 10:00",
    ends_on: str = "2026-05-20",
    price_yen: int = 500,
    interval: str = "month",
    **ended: Any,
) -> int:
    """An account with one term, as the contract stage would have written it; the contract's id."""
    first = at(starts_at)
    if not session.execute(sa.select(account.c.id).where(account.c.id == name)).all():
        session.execute(sa.insert(account).values(id=name, created_at=first))
    values = {
        "account": name,
        "plan": "monthly",
        "method": method,
        "applied_at": first,
        "approved_at": first,
        "anchor_on": first.date(),
        "recorded_at": first,
        **ended,
    }
    inserted = session.execute(sa.insert(contract).values(**values).returning(contract.c.id))
    contract_id = int(inserted.scalar_one())
    session.execute(
        sa.insert(term).values(
            contract_id=contract_id,
            account=name,
            seq=1,
            starts_on=(first + timedelta(hours=9)).date(),
            ends_on=date.fromisoformat(ends_on),
            starts_at=first,
            closed_on=ended.get("ended_on"),
            method=method,
            plan="monthly",
            interval=interval,
            price_yen=price_yen,
            terms_version="2024-12-02",
            recorded_at=first,
        )
    )
    session.commit()
    return contract_id


def night(session: Session, on: str, chunk_accounts: int = stages.CHUNK_ACCOUNTS) -> int:
    """The claims stage of a business date, at 02:30."""
    business_date = date.fromisoformat(on)
    now = day_start_at(business_date) + timedelta(hours=2, minutes=30)
    return sum(stages.adjudicate_due(session, RULES, business_date, now, chunk_accounts))


def seen(session: Session, claim_id: str, when: str = "2026-12-31") -> dict[str, Any]:
    return claim_view(session, RULES, claim_id, at(when))


def awards(session: Session) -> Sequence[sa.Row[Any]]:
    return session.execute(sa.select(award).order_by(award.c.id)).all()


def windows(*pairs: tuple[str, str]) -> list[tuple[datetime, datetime]]:
    return [(at(start), at(end)) for start, end in pairs]


def three_stops(desk: SlaDesk) -> None:
    """April's stops of the first example: 29,220 s gross, 14,820 s unusable."""
    for start, end, affected, known in (
        ("2026-04-10 09:00", "2026-04-10 12:37", 60_000, "2026-04-10 14:00"),
        ("2026-04-12 00:30", "2026-04-12 05:00", 900_000, "2026-04-12 05:30"),
        ("2026-04-15 09:00", "2026-04-15 09:50", 50_000, "2026-04-15 10:00"),
    ):
        assert desk.stop(at(start), at(end), affected, now=at(known)) == []


def long_stop(desk: SlaDesk, hours: int = 4, **more: Any) -> None:
    noon = at("2026-04-10 12:00")
    assert desk.stop(noon, noon + timedelta(hours=hours), 60_000, now=noon + timedelta(hours=9), **more) == []


def test_9_2__a_month_and_its_claims_from_evidence_to_award(session: Session, desk: SlaDesk) -> None:
    member(session, "hanako")
    member(session, "taro", method="app_store", starts_at="2026-03-20 11:00")
    three_stops(desk)
    assert desk.claim("h1", "hanako", "2026-04", now=at("2026-05-02 09:00")) == []
    assert desk.claim("t1", "taro", APRIL, now=at("2026-05-02 09:00")) == []
    assert seen(session, "h1", "2026-05-02 10:00")["outcome"] == "pending"
    assert night(session, "2026-05-03") == 4  # two decisions, an award, the month's review
    assert desk.claim("h2", "hanako", "2026-04", now=at("2026-06-01 00:00")) == []
    night(session, "2026-06-01")

    month = month_view(session, RULES, APRIL, at("2026-05-01 02:30"))
    assert (month["stop_seconds"], month["unusable_seconds"]) == (29_220, 14_820)
    assert month["windows"] == windows(
        ("2026-04-10 09:00", "2026-04-10 12:37"), ("2026-04-12 00:30", "2026-04-12 01:00")
    )
    assert seen(session, "h1") == {
        "outcome": "granted",
        "seconds": 14_820,
        "rate": "0.2",
        "credit": 0,  # yen are billing's
        "reason": None,
        "waterfall": {
            "short_stop": 0,
            "night": 14_400,
            "announced_update": 0,
            "interruption": 0,
            "environment": 0,
            "not_member": 0,
            "suspended": 0,
            "not_card": 0,
            "not_claimed": 0,
            "not_recognised": 0,
            "recognised": 14_820,
        },
    }
    assert (seen(session, "t1")["outcome"], seen(session, "t1")["reason"]) == ("rejected", "method")
    assert (seen(session, "h2")["outcome"], seen(session, "h2")["reason"]) == ("rejected", "deadline")
    (granted,) = awards(session)
    assert (granted.account, granted.month, granted.revision, granted.claim_id) == (
        "hanako",
        "2026-04",
        1,
        "h1",
    )
    assert (granted.rate, granted.seconds, granted.fee_basis) == ("0.2", 14_820, "500")
    (told,) = claim_story(session, RULES, "h1", at("2026-05-03 12:00"))["awards"]
    assert told["windows"] == [
        ["2026-04-10T09:00:00+09:00", "2026-04-10T12:37:00+09:00"],
        ["2026-04-12T00:30:00+09:00", "2026-04-12T01:00:00+09:00"],
    ]
    assert granted.term_prices == [{"term_id": granted.term_ids[0], "interval": "month", "price_yen": 500}]
    assert (granted.usable_from, granted.decided_on) == (date(2026, 6, 1), date(2026, 5, 3))


def test_9_2__a_second_run_of_a_night_changes_nothing(session: Session, desk: SlaDesk) -> None:
    member(session, "hanako")
    three_stops(desk)
    desk.claim("h1", "hanako", APRIL, now=at("2026-05-02 09:00"))
    assert night(session, "2026-05-03") > 0
    assert (night(session, "2026-05-03"), night(session, "2026-05-04")) == (0, 0)


def test_9_2__a_claim_within_its_month_waits_until_the_month_is_over(session: Session, desk: SlaDesk) -> None:
    member(session, "hanako")
    three_stops(desk)
    desk.claim("h1", "hanako", APRIL, now=at("2026-04-20 09:00"))
    night(session, "2026-04-30")
    assert seen(session, "h1")["outcome"] == "pending"
    night(session, "2026-05-01")
    assert seen(session, "h1")["outcome"] == "granted"
    assert awards(session)[0].usable_from == date(2026, 5, 1)


def test_9_2__a_killed_night_goes_on_where_it_stopped(session: Session, desk: SlaDesk) -> None:
    long_stop(desk)
    for number in range(5):
        member(session, f"user{number}")
        desk.claim(f"c{number}", f"user{number}", APRIL, now=at("2026-05-02 09:00"))
    now = at("2026-05-03 02:30")
    chunks = stages.due(session, RULES, date(2026, 5, 3), now, 2)
    stages.save(session, stages.decide(next(chunks)), now)
    stages.decide(next(chunks))  # killed before it was saved
    del chunks
    session.rollback()
    assert len(awards(session)) == 2
    assert night(session, "2026-05-03", 2) == 7  # three decisions, three awards, the month's review
    assert [row.account for row in awards(session)] == [f"user{number}" for number in range(5)]
    assert night(session, "2026-05-03", 2) == 0


def test_9_2__an_error_while_one_chunk_is_written_leaves_the_chunks_before_it(session: Session, desk: SlaDesk) -> None:
    """The next is being decided meanwhile; nothing of it is written, and the next night does the rest."""
    long_stop(desk)
    for number in range(5):
        member(session, f"user{number}")
        desk.claim(f"c{number}", f"user{number}", APRIL, now=at("2026-05-02 09:00"))
    session.execute(sa.text("ALTER TABLE award ADD CONSTRAINT not_now CHECK (account <> 'user2')"))
    session.commit()
    with pytest.raises(CheckViolation, match="not_now"):
        night(session, "2026-05-03", 2)
    session.rollback()
    assert [row.account for row in awards(session)] == ["user0", "user1"]
    session.execute(sa.text("ALTER TABLE award DROP CONSTRAINT not_now"))
    session.commit()
    assert night(session, "2026-05-03", 2) == 7  # three decisions, three awards, the month's review
    assert night(session, "2026-05-03", 2) == 0


def test_9_2__late_evidence_raises_the_award_by_a_revision(session: Session, desk: SlaDesk) -> None:
    member(session, "hanako")
    long_stop(desk)
    desk.claim("h1", "hanako", APRIL, now=at("2026-05-02 09:00"))
    night(session, "2026-05-03")
    desk.stop(at("2026-04-20 09:00"), at("2026-04-20 14:00"), 60_000, now=at("2026-07-10 09:00"))
    night(session, "2026-07-11")
    assert [(row.revision, row.rate, row.claim_id) for row in awards(session)] == [
        (1, "0.2", "h1"),
        (2, "0.4", "h1"),
    ]
    assert seen(session, "h1")["rate"] == "0.4"
    assert seen(session, "h1", "2026-07-01")["rate"] == "0.2"
    decisions = session.execute(sa.select(claim_decision.c.revision, claim_decision.c.seconds)).all()
    assert sorted(map(tuple, decisions)) == [(1, 14_400), (2, 32_400)]


def test_9_2__what_is_recorded_while_a_night_runs_is_counted_by_the_next_night(session: Session, desk: SlaDesk) -> None:
    member(session, "hanako")
    desk.claim("h1", "hanako", APRIL, now=at("2026-05-02 09:00"))
    noon = at("2026-04-10 12:00")
    assert desk.stop(noon, noon + timedelta(hours=4), 60_000, now=at("2026-05-03 02:31")) == []
    desk.claim("h2", "hanako", APRIL, now=at("2026-05-03 02:29"))
    night(session, "2026-05-03")
    assert (seen(session, "h1")["outcome"], awards(session)) == ("rejected", [])
    assert differences(session, date(2026, 5, 3), at("2026-05-03 02:30")) == []
    night(session, "2026-05-04")
    assert (seen(session, "h1")["outcome"], seen(session, "h1")["seconds"]) == ("granted", 14_400)
    assert seen(session, "h2")["outcome"] == "granted"
    assert differences(session, date(2026, 5, 4), at("2026-05-04 02:30")) == []
    assert night(session, "2026-05-05") == 0


def test_9_2__an_award_may_have_a_lower_rate_of_a_higher_fee_but_not_a_lower_worth(
    session: Session, desk: SlaDesk
) -> None:
    member(session, "hanako")
    long_stop(desk)
    desk.claim("h1", "hanako", APRIL, now=at("2026-05-02 09:00"))
    night(session, "2026-05-03")
    (first,) = awards(session)
    for revision, rate, fee in ((2, "0.1", "3001/3"), (3, "0.2", "500")):
        values = {**first._mapping, "revision": revision, "rate": rate, "fee_basis": fee}
        session.execute(sa.insert(award).values({name: value for name, value in values.items() if name != "id"}))
        told = differences(session, date(2026, 5, 3), at("2026-05-03 02:30"))
        assert told == ([] if revision == 2 else ["1 awards are worth less than the one before them"])


def test_9_2__a_later_claim_is_united_with_the_first(session: Session, desk: SlaDesk) -> None:
    member(session, "hanako")
    long_stop(desk, hours=8)
    first = windows(("2026-04-10 12:00", "2026-04-10 16:00"))
    desk.claim("h1", "hanako", APRIL, windows=first, now=at("2026-05-02 09:00"))
    night(session, "2026-05-03")
    second = windows(("2026-04-10 16:00", "2026-04-10 20:00"))
    desk.claim("h2", "hanako", APRIL, windows=second, now=at("2026-05-31 23:00"))
    night(session, "2026-06-01")
    found = [(row.revision, row.rate, row.claim_id, row.usable_from) for row in awards(session)]
    assert found == [(1, "0.2", "h1", date(2026, 6, 1)), (2, "0.4", "h2", date(2026, 6, 1))]
    assert [seen(session, each)["seconds"] for each in ("h1", "h2")] == [28_800, 28_800]


def test_9_2__an_award_is_never_lowered_and_people_are_told(session: Session, desk: SlaDesk) -> None:
    member(session, "hanako")
    long_stop(desk, id="s1")
    desk.claim("h1", "hanako", APRIL, now=at("2026-05-02 09:00"))
    night(session, "2026-05-03")
    assert desk.correct_stop("s1", affected=40_000, now=at("2026-05-10 09:00")) == []
    assert night(session, "2026-05-11") == 3  # a decision, a task for people, the month's review
    assert len(awards(session)) == 1
    assert (seen(session, "h1")["outcome"], seen(session, "h1")["reason"]) == ("rejected", "threshold")
    (task,) = session.execute(sa.select(people_task)).all()
    assert (task.kind, task.detail["awarded_yen_exact"], task.detail["found_yen_exact"]) == (
        "award_above_finding",
        "100",
        "0",
    )
    assert night(session, "2026-05-12") == 0


def test_9_2__people_recognise_only_a_part(session: Session, desk: SlaDesk) -> None:
    member(session, "hanako")
    long_stop(desk)
    desk.claim("h1", "hanako", APRIL, now=at("2026-05-02 09:00"))
    only = windows(("2026-04-10 12:00", "2026-04-10 14:00"))
    now = at("2026-05-02 10:00")
    assert desk.recognise("h1", only, "tanaka", "logs show use from 14:00", now=now) == []
    night(session, "2026-05-03")
    assert (seen(session, "h1")["seconds"], seen(session, "h1")["waterfall"]["not_recognised"]) == (
        7_200,
        7_200,
    )


def test_9_4_3__people_rule_on_the_environment_of_a_claim_or_a_stop(session: Session, desk: SlaDesk) -> None:
    member(session, "hanako")
    member(session, "taro")
    long_stop(desk, id="s1")
    now = at("2026-05-02 09:00")
    for claim_id, name in (("h1", "hanako"), ("t1", "taro")):
        desk.claim(claim_id, name, APRIL, now=now)
    hour, other = (
        windows(("2026-04-10 12:00", "2026-04-10 13:00")),
        windows(("2026-04-10 13:00", "2026-04-10 14:00")),
    )
    assert desk.environment(hour, "tanaka", "own router", claim="h1", now=now) == []
    assert desk.environment(other, "tanaka", "one browser only", stop="s1", now=now) == []
    night(session, "2026-05-03")
    assert seen(session, "h1")["waterfall"]["environment"] == 7_200
    assert seen(session, "t1")["waterfall"]["environment"] == 3_600
    assert desk.environment([], "tanaka", "withdrawn: it was ours", stop="s1", now=at("2026-05-04 09:00")) == []
    night(session, "2026-05-05")
    assert seen(session, "t1")["waterfall"]["environment"] == 0


def test_9_4_4__a_notice_too_late_is_recorded_and_excludes_nothing(session: Session, desk: SlaDesk) -> None:
    long_stop(desk, cause="system_update")
    start, end = at("2026-04-10 12:00"), at("2026-04-10 13:00")
    (late,) = desk.notice("n1", at("2026-04-05 00:01"), start, end, now=at("2026-04-05 00:01"))
    assert "2026-04-05T00:00:00+09:00" in late.rule
    assert month_view(session, RULES, APRIL, at("2026-05-01"))["unusable_seconds"] == 14_400
    assert desk.notice("n2", at("2026-04-05 00:00"), start, end, now=at("2026-04-05 00:02")) == []
    assert month_view(session, RULES, APRIL, at("2026-05-01"))["unusable_seconds"] == 10_800


def test_9_4_5__an_interruption_and_an_own_suspension(session: Session, desk: SlaDesk) -> None:
    contract_id = member(session, "hanako")
    long_stop(desk)
    start, end = at("2026-04-10 12:00"), at("2026-04-10 12:30")
    assert desk.interruption(start, end, "18(2)(i)", "", now=end)[0].value == "no approved_by"
    assert desk.interruption(start, end, "18(2)(i)", "sato", now=end) == []
    session.execute(
        sa.insert(suspension).values(
            contract_id=contract_id,
            account="hanako",
            from_at=at("2026-04-10 15:00"),
            set_by="people",
            ground="test",
            recorded_at=at("2026-04-10 15:00"),
        )
    )
    desk.claim("h1", "hanako", APRIL, now=at("2026-05-02 09:00"))
    night(session, "2026-05-03")
    waterfall = seen(session, "h1")["waterfall"]
    assert (waterfall["interruption"], waterfall["suspended"], waterfall["recognised"]) == (
        1_800,
        3_600,
        9_000,
    )


def test_9_5__the_deadline_moves_with_an_outage_of_the_form(session: Session, desk: SlaDesk) -> None:
    member(session, "hanako")
    long_stop(desk)
    desk.claim("h1", "hanako", APRIL, now=at("2026-06-01 01:00"))
    night(session, "2026-06-02")
    assert seen(session, "h1")["reason"] == "deadline"
    down = (at("2026-05-31 20:00"), at("2026-05-31 22:00"))
    assert desk.claim_form_down(*down, now=at("2026-06-02 09:00")) == []
    night(session, "2026-06-03")
    assert seen(session, "h1")["outcome"] == "granted"


def test_9_2__membership_ends_at_the_instant_the_contract_did(session: Session, desk: SlaDesk) -> None:
    ended_at = at("2026-04-10 13:00")
    ended: dict[str, Any] = {"ended_on": date(2026, 4, 10), "ended_at": ended_at, "end_recorded_at": ended_at}
    member(session, "hanako", **ended, ended_reason="leave_service")
    long_stop(desk)
    desk.claim("h1", "hanako", APRIL, now=at("2026-05-02 09:00"))
    night(session, "2026-05-03")
    waterfall = seen(session, "h1")["waterfall"]
    assert (waterfall["recognised"], waterfall["not_member"]) == (3_600, 10_800)


def test_9_3__observations_of_users_make_stops(session: Session, desk: SlaDesk, tmp_path: Path) -> None:
    assert desk.population(LONG_AGO, 1_000, now=at("2026-04-01")) == []
    start, middle, end = at("2026-04-10 12:00"), at("2026-04-10 12:06"), at("2026-04-10 12:12")
    rows = [(f"a{n}", "site", start, middle) for n in range(51)] + [(f"b{n}", "login", middle, end) for n in range(51)]
    assert desk.observations(rows=rows, now=at("2026-04-10 13:00")) == []
    assert month_view(session, RULES, APRIL, at("2026-05-01"))["unusable_seconds"] == 720
    assert desk.observations(rows=rows, now=at("2026-04-11 13:00")) == []
    assert session.execute(sa.select(sa.func.count()).select_from(observation)).scalar_one() == 102

    file = tmp_path / "more.csv"
    lines = [f"c{n},view,2026-04-11 12:00,2026-04-11 12:30" for n in range(51)]
    file.write_text("\n".join(["user_id,symptom,started_at,ended_at", *lines, "x,view,soon,"]), encoding="utf-8")
    (finding,) = desk.observations(file=file, now=at("2026-04-12 13:00"))
    assert finding.line == 53
    assert month_view(session, RULES, APRIL, at("2026-05-01"))["unusable_seconds"] == 720 + 1_800
    (again,) = desk.observations(file=file, now=at("2026-04-13 13:00"))
    assert again.rule == "it was imported before"


def test_9_3__an_open_observation_runs_until_its_end_is_known(session: Session, desk: SlaDesk) -> None:
    assert desk.population(LONG_AGO, 10, now=at("2026-04-01")) == []
    start = at("2026-04-10 12:00")
    desk.observations(rows=[("a", "site", start, None)], now=at("2026-04-10 13:00"))
    assert month_view(session, RULES, APRIL, at("2026-04-10 14:00"))["unusable_seconds"] == 7_200
    desk.observations(rows=[("a", "site", start, at("2026-04-10 12:30"))], now=at("2026-04-10 15:00"))
    assert month_view(session, RULES, APRIL, at("2026-04-10 16:00"))["unusable_seconds"] == 1_800


def test_9_3__counts_pass_where_more_than_the_share_is_affected(session: Session, desk: SlaDesk) -> None:
    rows = [
        (at("2026-04-10 12:00"), at("2026-04-10 12:30"), 51, 1_000),
        (at("2026-04-10 13:00"), at("2026-04-10 13:30"), 50, 1_000),
        (at("2026-04-10 14:30"), at("2026-04-10 14:00"), 60, 1_000),
    ]
    (finding,) = desk.counts(rows, now=at("2026-04-10 15:00"))
    assert finding.line == 3
    assert month_view(session, RULES, APRIL, at("2026-05-01"))["windows"] == windows(
        ("2026-04-10 12:00", "2026-04-10 12:30")
    )


def test_9_3__without_a_population_a_stop_cannot_be_judged(session: Session) -> None:
    desk = SlaDesk(session, RULES)
    long_stop(desk)
    with pytest.raises(NoPopulation, match="keizoku sla population add"):
        month_view(session, RULES, APRIL, at("2026-05-01"))


def test_9_4_2__a_stop_over_a_months_end_is_reviewed_in_both(session: Session, desk: SlaDesk) -> None:
    member(session, "hanako")
    desk.claim("h1", "hanako", APRIL, now=at("2026-04-30 23:58"))
    desk.stop(at("2026-04-30 23:54"), at("2026-05-01 00:00"), 60_000, now=at("2026-05-01 00:01"))
    night(session, "2026-05-01")
    assert seen(session, "h1")["waterfall"]["short_stop"] == 360
    desk.stop(at("2026-05-01 00:00"), at("2026-05-01 00:06"), 60_000, now=at("2026-05-01 09:00"))
    night(session, "2026-05-02")
    assert seen(session, "h1")["waterfall"]["recognised"] == 360


def test_desk__refuses_what_cannot_be(session: Session, desk: SlaDesk) -> None:
    now = at("2026-05-02 09:00")
    assert "ends after" in desk.stop(now, now, 1, now=now)[0].rule
    assert "not negative" in desk.stop(now - timedelta(hours=1), now, -1, now=now)[0].rule
    assert desk.stop(now - timedelta(hours=1), now, 1, cause="falt", now=now)[0].remedy == "the nearest is 'fault'"
    assert "no version" in desk.stop(at("2024-11-01"), at("2024-11-02"), 1, now=now)[0].rule
    long_stop(desk, id="april-10")
    assert desk.correct_stop("april-1O", affected=0, now=now)[0].remedy == "the nearest is 'april-10'"
    assert "is recorded" in desk.stop(now - timedelta(hours=1), now, 1, id="april-10", now=now)[0].rule
    member(session, "hanako")
    assert "not begun" in desk.claim("x1", "hanako", "2026-06", now=now)[0].rule
    assert "not a month" in desk.claim("x1", "hanako", "2026-4", now=now)[0].rule
    assert desk.claim("h1", "hanako", APRIL, now=now) == []
    assert "is recorded" in desk.claim("h1", "hanako", APRIL, now=now)[0].rule
    assert desk.recognise("h2", [], "tanaka", "none", now=now)[0].remedy == "the nearest is 'h1'"
    assert desk.consent_alternative("h1", "a month free", now=now) == []
    assert session.execute(sa.select(sa.func.count()).select_from(incident)).scalar_one() == 1
    assert session.execute(sa.select(sa.func.count()).select_from(claim)).scalar_one() == 1


def test_desk__a_claim_of_an_unknown_account_is_kept_and_rejected(session: Session, desk: SlaDesk) -> None:
    long_stop(desk)
    (doubt,) = desk.claim("z1", "nobody", APRIL, now=at("2026-05-02 09:00"))
    assert "no account" in doubt.rule
    night(session, "2026-05-03")
    assert seen(session, "z1")["reason"] == "not_member"


def test_desk__a_stop_without_id_gets_one_from_its_time(session: Session, desk: SlaDesk) -> None:
    long_stop(desk)
    long_stop(desk, hours=5)
    ids = session.execute(sa.select(incident.c.incident_id).order_by(incident.c.id)).scalars().all()
    assert ids == ["stop-20260410-1200", "stop-20260410-1200-2"]


def test_night__with_nothing_new_asks_one_question(session: Session, desk: SlaDesk) -> None:
    member(session, "hanako")
    long_stop(desk)
    desk.claim("h1", "hanako", APRIL, now=at("2026-05-02 09:00"))
    night(session, "2026-05-03")
    asked: list[str] = []
    sa.event.listen(session, "before_cursor_execute", lambda *args: asked.append(args[2]))
    assert night(session, "2026-05-04") == 0
    assert len(asked) == 1


def test_tables__refuse_what_must_never_be(session: Session, desk: SlaDesk) -> None:
    member(session, "hanako")
    long_stop(desk)
    desk.claim("h1", "hanako", APRIL, now=at("2026-05-02 09:00"))
    night(session, "2026-05-03")
    row = dict(awards(session)[0]._mapping)
    with pytest.raises(IntegrityError, match="uq_award"):
        session.execute(sa.insert(award).values({**row, "id": row["id"] + 1}))
    session.rollback()
    for column, of in (("reasoning_id", "claim_reasoning"), ("review_id", "month_to_review")):
        decided = dict(session.execute(sa.select(claim_decision)).one()._mapping)
        with pytest.raises(IntegrityError, match=f"{column} -1 of claim_decision is no row of {of}"):
            session.execute(sa.insert(claim_decision).values({**decided, "revision": 2, column: -1}))
        session.rollback()
    with pytest.raises(IntegrityError, match="only ever added"):
        session.execute(sa.update(claim_decision).values(seconds=0))
    session.rollback()
    assert session.execute(sa.select(sa.func.count()).select_from(month_review)).scalar_one() == 1


def test_views__list_and_story(session: Session, desk: SlaDesk) -> None:
    member(session, "hanako")
    long_stop(desk)
    assert desk.submit_claim("hanako", APRIL, now=at("2026-05-02 09:00")) == ("hanako-2026-04-1", [])
    assert desk.submit_claim("hanako", APRIL, now=at("2026-05-03 09:00")) == ("hanako-2026-04-2", [])
    night(session, "2026-05-03")
    listed = claim_list(session, RULES, at("2026-05-04"), APRIL, "hanako")
    assert [(row["id"], row["outcome"]) for row in listed] == [
        ("hanako-2026-04-1", "granted"),
        ("hanako-2026-04-2", "granted"),
    ]
    story = claim_story(session, RULES, "hanako-2026-04-1", at("2026-05-04"))
    assert story["decisions"][-1][2].outcome == "granted"
    assert [row["rate"] for row in story["awards"]] == ["0.2"]


def samples(folder: Path, *present: int) -> Path:
    """April 10 from noon, a sample for each hour named: 60 of 1,000 unable in the first five, then none."""
    noon = epoch(at("2026-04-10 12:00"))
    values = [[noon + 3_600 * hour, "60" if hour < 5 else "0"] for hour in present]
    result = [{"metric": {"__name__": "affected"}, "values": values}]
    path = folder / f"{len(present)}.json"
    path.write_text(json.dumps({"data": {"resultType": "matrix", "result": result}}))
    return path


def taken(desk: SlaDesk, file: Path, when: str) -> tuple[int, int, int]:
    series = CountSeries(total="1000", step_seconds=3_600)
    done = ImportDesk(desk).counts(file, author="sato", now=at(when), series=series)
    return done.rows_used, done.rows_new, len(done.findings)


def test_9_3__claims_that_unknown_time_could_change_wait_until_people_have_decided(
    session: Session, desk: SlaDesk, tmp_path: Path
) -> None:
    member(session, "hanako")
    member(session, "taro", method="app_store")
    assert taken(desk, samples(tmp_path, 0, 1, 2, 3, 4, 8, 9), "2026-04-11 09:00") == (7, 7, 0)
    hole = {
        "from": "2026-04-10T17:00:00+09:00",
        "to": "2026-04-10T20:00:00+09:00",
        "seconds": 10_800,
        "source": "7.json",
    }
    assert unknown_list(session, APRIL, at("2026-05-01")) == [hole]
    assert month_view(session, RULES, APRIL, at("2026-05-01"))["final"] is False
    desk.claim("h1", "hanako", APRIL, now=at("2026-05-02 09:00"))
    desk.claim("t1", "taro", APRIL, now=at("2026-05-02 09:00"))
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
        return desk.decide_unknown(start, at(to), verdict, "sato", "logs", affected=affected, now=at(when))

    assert decide("2026-04-10 18:00", "down", 51, "2026-05-05 09:00") == []
    night(session, "2026-05-06")  # 51 of a million are no stop; two hours more stay within the tier
    assert (seen(session, "h1")["rate"], seen(session, "h1")["seconds"]) == ("0.2", 18_000)
    assert month_view(session, RULES, APRIL, at("2026-05-06"))["final"] is False
    assert decide("2026-04-10 20:00", "up", None, "2026-05-06 09:00") == []
    night(session, "2026-05-07")
    assert (seen(session, "h1")["rate"], seen(session, "h1")["seconds"]) == ("0.2", 18_000)
    assert unknown_list(session, APRIL, at("2026-05-08")) == []
    assert decide("2026-04-10 20:00", "down", 50_001, "2026-05-08 09:00") == []
    night(session, "2026-05-09")
    assert (seen(session, "h1")["rate"], seen(session, "h1")["seconds"]) == ("0.4", 28_800)
    assert decide("2026-04-10 20:00", "unknown", None, "2026-05-09 09:00") == []
    assert unknown_list(session, APRIL, at("2026-05-10")) == [hole]
    assert taken(desk, samples(tmp_path, 5, 6, 7), "2026-05-10 09:00") == (3, 3, 0)
    assert unknown_list(session, APRIL, at("2026-05-11")) == []
    assert len(unknown_list(session, APRIL, at("2026-05-11"), decided=True)) == 4
    pieces = [each for each in pieces_known(session, RULES, APRIL, at("2026-05-11")) if "unknown" in each.kind]
    assert [(each.kind, piece_told(each, "en"), each.ground, each.source) for each in pieces] == [
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
        ("2026-04-10 17:00", "down", 2**63, "at most 1,000,000,000,000 users"),
    ],
)
def test_9_3__what_is_no_decision_on_unknown_time_is_refused(
    desk: SlaDesk, tmp_path: Path, start: str, verdict: str, affected: int | None, rule: str
) -> None:
    taken(desk, samples(tmp_path, 0, 4, 8), "2026-04-11 09:00")
    (refused,) = desk.decide_unknown(
        at(start), at("2026-04-10 20:00"), verdict, "sato", "logs", affected=affected, now=at("2026-05-01")
    )
    assert refused.rule.startswith(rule)


@pytest.mark.parametrize("cause", ["user_environment", "partner"])
def test_9_4_3__a_cause_that_people_have_to_give_a_ground_for_is_refused_without_one(desk: SlaDesk, cause: str) -> None:
    span = (at("2026-04-10 12:00"), at("2026-04-10 13:00"))
    assert desk.stop(*span, 60_000, id="s", now=at("2026-04-11")) == []
    for refused in (
        desk.stop(*span, 60_000, cause=cause, now=at("2026-04-11")),
        desk.correct_stop("s", cause=cause, now=at("2026-04-11")),
    ):
        assert [each.value for each in refused] == [f"cause {cause} without a ground"]
    assert desk.correct_stop("s", cause=cause, ground="confirmed by suzuki", now=at("2026-04-11")) == []


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
    desk: SlaDesk, start: str, end: str, affected: int, name: str | None
) -> None:
    assert len(desk.stop(at(start), at(end), affected, id=name, now=at("2026-04-11"))) == 1


def test_9_2__ids_that_others_take_at_the_same_instant_go_on_to_the_next(
    desk: SlaDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, span = at("2026-05-02 09:00"), (at("2026-04-10 12:00"), at("2026-04-10 13:00"))
    desk.claim("hanako-2026-04-1", "hanako", APRIL, now=now)
    stale = iter(["hanako-2026-04-1", "hanako-2026-04-1", "hanako-2026-04-2"])
    monkeypatch.setattr(desk, "_free_claim_id", lambda account, month: next(stale))
    assert desk.submit_claim("hanako", APRIL, now=now)[0] == "hanako-2026-04-2"
    assert [each.rule for each in desk.claim("hanako-2026-04-2", "hanako", APRIL, now=now)] == [
        "a claim of this id is recorded"
    ]
    desk.stop(*span, 1, id="stop-1", now=now)
    names = iter(["stop-1", "stop-2"])
    monkeypatch.setattr(desk, "_free_stop_id", lambda from_at: next(names))
    assert desk.stop(*span, 2, now=now) == []
    assert [(row["id"], row["affected"]) for row in incident_list(desk.session)] == [("stop-1", 1), ("stop-2", 2)]
