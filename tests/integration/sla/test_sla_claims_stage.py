"""The claims stage: from the evidence of a month to its awards, night after night, on a real database."""

from datetime import date, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from psycopg.errors import CheckViolation, ForeignKeyViolation
from sqlalchemy.exc import IntegrityError

from keizoku.db.session import Session, copy_rows
from keizoku.db.tables.claims import award, claim_decision
from keizoku.db.tables.contracts import suspension
from keizoku.db.tables.evidence import month_review
from keizoku.db.tables.guards import APPEND_ONLY, KEPT, SHARED_REFERENCES
from keizoku.db.tables.money import review_task
from keizoku.sla.claims import claim_stage
from keizoku.sla.claims.claim_views import claim_explanation, month_view
from keizoku.sla.claims.integrity_audit import differences
from keizoku.sla.services.sla_service import SlaService
from keizoku.terms.refusal import Refused
from tests.worlds.sla_world import (
    APRIL,
    RULES,
    at,
    awards,
    long_outage,
    member,
    night,
    open_service,
    seen,
    three_outages,
    windows,
)


@pytest.fixture
def service(session: Session) -> SlaService:
    return open_service(session)


def test_9_2__a_month_and_its_claims_from_evidence_to_award(session: Session, service: SlaService) -> None:
    member(session, "hanako")
    member(session, "taro", method="app_store", starts_at="2026-03-20 11:00")
    three_outages(service)
    assert service.claim("h1", "hanako", "2026-04", now=at("2026-05-02 09:00")) == []
    assert service.claim("t1", "taro", APRIL, now=at("2026-05-02 09:00")) == []
    assert seen(session, "h1", "2026-05-02 10:00")["outcome"] == "pending"
    assert night(session, "2026-05-03") == 4  # two decisions, an award, the month's review
    assert service.claim("h2", "hanako", "2026-04", now=at("2026-06-01 00:00")) == []
    night(session, "2026-06-01")

    month = month_view(session, RULES, APRIL, at("2026-05-01 02:30"))
    assert (month.stop_seconds, month.unusable_seconds) == (29_220, 14_820)
    assert list(month.windows) == windows(
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
    (award,) = claim_explanation(session, "h1", at("2026-05-03 12:00")).awards
    assert award.windows == [
        ["2026-04-10T09:00:00+09:00", "2026-04-10T12:37:00+09:00"],
        ["2026-04-12T00:30:00+09:00", "2026-04-12T01:00:00+09:00"],
    ]
    assert granted.term_prices == [{"term_id": granted.term_ids[0], "interval": "month", "price_yen": 500}]
    assert (granted.usable_from, granted.decided_on) == (date(2026, 6, 1), date(2026, 5, 3))


def test_9_2__a_second_run_of_a_night_changes_nothing(session: Session, service: SlaService) -> None:
    member(session, "hanako")
    three_outages(service)
    service.claim("h1", "hanako", APRIL, now=at("2026-05-02 09:00"))
    assert night(session, "2026-05-03") > 0
    assert (night(session, "2026-05-03"), night(session, "2026-05-04")) == (0, 0)


def test_9_2__a_claim_within_its_month_waits_until_the_month_is_over(session: Session, service: SlaService) -> None:
    member(session, "hanako")
    three_outages(service)
    service.claim("h1", "hanako", APRIL, now=at("2026-04-20 09:00"))
    night(session, "2026-04-30")
    assert seen(session, "h1")["outcome"] == "pending"
    night(session, "2026-05-01")
    assert seen(session, "h1")["outcome"] == "granted"
    assert awards(session)[0].usable_from == date(2026, 5, 1)


def test_9_2__a_killed_night_goes_on_where_it_stopped(session: Session, service: SlaService) -> None:
    long_outage(service)
    for number in range(5):
        member(session, f"user{number}")
        service.claim(f"c{number}", f"user{number}", APRIL, now=at("2026-05-02 09:00"))
    now = at("2026-05-03 02:30")
    chunks = claim_stage.due(session, RULES, date(2026, 5, 3), now, 2)
    claim_stage.save(session, claim_stage.decide(next(chunks)), now)
    claim_stage.decide(next(chunks))  # killed before it was saved
    del chunks
    session.rollback()
    assert len(awards(session)) == 2
    assert night(session, "2026-05-03", 2) == 7  # three decisions, three awards, the month's review
    assert [row.account for row in awards(session)] == [f"user{number}" for number in range(5)]
    assert night(session, "2026-05-03", 2) == 0


def test_9_2__an_error_while_one_chunk_is_written_leaves_the_chunks_before_it(
    session: Session, service: SlaService
) -> None:
    """The next is being decided meanwhile; nothing of it is written, and the next night does the rest."""
    long_outage(service)
    for number in range(5):
        member(session, f"user{number}")
        service.claim(f"c{number}", f"user{number}", APRIL, now=at("2026-05-02 09:00"))
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


def test_9_2__late_evidence_raises_the_award_by_a_revision(session: Session, service: SlaService) -> None:
    member(session, "hanako")
    long_outage(service)
    service.claim("h1", "hanako", APRIL, now=at("2026-05-02 09:00"))
    night(session, "2026-05-03")
    service.record_outage(at("2026-04-20 09:00"), at("2026-04-20 14:00"), 60_000, now=at("2026-07-10 09:00"))
    night(session, "2026-07-11")
    assert [(row.revision, row.rate, row.claim_id) for row in awards(session)] == [
        (1, "0.2", "h1"),
        (2, "0.4", "h1"),
    ]
    assert seen(session, "h1")["rate"] == "0.4"
    assert seen(session, "h1", "2026-07-01")["rate"] == "0.2"
    decisions = session.execute(sa.select(claim_decision.c.revision, claim_decision.c.seconds)).all()
    assert sorted(map(tuple, decisions)) == [(1, 14_400), (2, 32_400)]


def test_9_2__what_is_recorded_while_a_night_runs_is_counted_by_the_next_night(
    session: Session, service: SlaService
) -> None:
    member(session, "hanako")
    service.claim("h1", "hanako", APRIL, now=at("2026-05-02 09:00"))
    noon = at("2026-04-10 12:00")
    assert service.record_outage(noon, noon + timedelta(hours=4), 60_000, now=at("2026-05-03 02:31")) == []
    service.claim("h2", "hanako", APRIL, now=at("2026-05-03 02:29"))
    night(session, "2026-05-03")
    assert (seen(session, "h1")["outcome"], awards(session)) == ("rejected", [])
    assert differences(session, date(2026, 5, 3), at("2026-05-03 02:30")) == []
    night(session, "2026-05-04")
    assert (seen(session, "h1")["outcome"], seen(session, "h1")["seconds"]) == ("granted", 14_400)
    assert seen(session, "h2")["outcome"] == "granted"
    assert differences(session, date(2026, 5, 4), at("2026-05-04 02:30")) == []
    assert night(session, "2026-05-05") == 0


def test_9_2__an_award_may_have_a_lower_rate_of_a_higher_fee_but_not_a_lower_worth(
    session: Session, service: SlaService
) -> None:
    member(session, "hanako")
    long_outage(service)
    service.claim("h1", "hanako", APRIL, now=at("2026-05-02 09:00"))
    night(session, "2026-05-03")
    (first,) = awards(session)
    for revision, rate, fee in ((2, "0.1", "3001/3"), (3, "0.2", "500")):
        values = {**first._mapping, "revision": revision, "rate": rate, "fee_basis": fee}
        session.execute(sa.insert(award).values({name: value for name, value in values.items() if name != "id"}))
        told = differences(session, date(2026, 5, 3), at("2026-05-03 02:30"))
        assert told == ([] if revision == 2 else ["1 awards are worth less than the one before them"])


def test_9_2__a_later_claim_is_united_with_the_first(session: Session, service: SlaService) -> None:
    member(session, "hanako")
    long_outage(service, hours=8)
    first = windows(("2026-04-10 12:00", "2026-04-10 16:00"))
    service.claim("h1", "hanako", APRIL, windows=first, now=at("2026-05-02 09:00"))
    night(session, "2026-05-03")
    second = windows(("2026-04-10 16:00", "2026-04-10 20:00"))
    service.claim("h2", "hanako", APRIL, windows=second, now=at("2026-05-31 23:00"))
    night(session, "2026-06-01")
    found = [(row.revision, row.rate, row.claim_id, row.usable_from) for row in awards(session)]
    assert found == [(1, "0.2", "h1", date(2026, 6, 1)), (2, "0.4", "h2", date(2026, 6, 1))]
    assert [seen(session, each)["seconds"] for each in ("h1", "h2")] == [28_800, 28_800]


def test_9_2__an_award_is_never_lowered_and_people_are_told(session: Session, service: SlaService) -> None:
    member(session, "hanako")
    long_outage(service, id="s1")
    service.claim("h1", "hanako", APRIL, now=at("2026-05-02 09:00"))
    night(session, "2026-05-03")
    assert service.correct_outage("s1", affected=40_000, now=at("2026-05-10 09:00")) == []
    assert night(session, "2026-05-11") == 3  # a decision, a task for people, the month's review
    assert len(awards(session)) == 1
    assert (seen(session, "h1")["outcome"], seen(session, "h1")["reason"]) == ("rejected", "threshold")
    (task,) = session.execute(sa.select(review_task)).all()
    assert (task.kind, task.detail["awarded_yen_exact"], task.detail["found_yen_exact"]) == (
        "award_above_finding",
        "100",
        "0",
    )
    assert night(session, "2026-05-12") == 0


def test_9_2__people_recognise_only_a_part(session: Session, service: SlaService) -> None:
    member(session, "hanako")
    long_outage(service)
    service.claim("h1", "hanako", APRIL, now=at("2026-05-02 09:00"))
    only = windows(("2026-04-10 12:00", "2026-04-10 14:00"))
    now = at("2026-05-02 10:00")
    assert service.recognise("h1", only, "tanaka", "logs show use from 14:00", now=now) == []
    night(session, "2026-05-03")
    assert (seen(session, "h1")["seconds"], seen(session, "h1")["waterfall"]["not_recognised"]) == (
        7_200,
        7_200,
    )


def test_9_2__membership_ends_at_the_instant_the_contract_did(session: Session, service: SlaService) -> None:
    ended_at = at("2026-04-10 13:00")
    ended: dict[str, Any] = {"ended_on": date(2026, 4, 10), "ended_at": ended_at, "end_recorded_at": ended_at}
    member(session, "hanako", **ended, ended_reason="leave_service")
    long_outage(service)
    service.claim("h1", "hanako", APRIL, now=at("2026-05-02 09:00"))
    night(session, "2026-05-03")
    waterfall = seen(session, "h1")["waterfall"]
    assert (waterfall["recognised"], waterfall["not_member"]) == (3_600, 10_800)


def test_9_4_3__people_rule_on_the_environment_of_a_claim_or_a_stop(session: Session, service: SlaService) -> None:
    member(session, "hanako")
    member(session, "taro")
    long_outage(service, id="s1")
    now = at("2026-05-02 09:00")
    for claim_id, name in (("h1", "hanako"), ("t1", "taro")):
        service.claim(claim_id, name, APRIL, now=now)
    hour, other = (
        windows(("2026-04-10 12:00", "2026-04-10 13:00")),
        windows(("2026-04-10 13:00", "2026-04-10 14:00")),
    )
    assert service.environment(hour, "tanaka", "own router", claim="h1", now=now) == []
    assert service.environment(other, "tanaka", "one browser only", outage="s1", now=now) == []
    night(session, "2026-05-03")
    assert seen(session, "h1")["waterfall"]["environment"] == 7_200
    assert seen(session, "t1")["waterfall"]["environment"] == 3_600
    assert service.environment([], "tanaka", "withdrawn: it was ours", outage="s1", now=at("2026-05-04 09:00")) == []
    night(session, "2026-05-05")
    assert seen(session, "t1")["waterfall"]["environment"] == 0


def test_9_4_5__an_interruption_and_an_own_suspension(session: Session, service: SlaService) -> None:
    contract_id = member(session, "hanako")
    long_outage(service)
    start, end = at("2026-04-10 12:00"), at("2026-04-10 12:30")
    with pytest.raises(Refused, match="no approved_by"):
        service.interruption(start, end, "18(2)(i)", "", now=end)
    assert service.interruption(start, end, "18(2)(i)", "sato", now=end) == []
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
    service.claim("h1", "hanako", APRIL, now=at("2026-05-02 09:00"))
    night(session, "2026-05-03")
    waterfall = seen(session, "h1")["waterfall"]
    assert (waterfall["interruption"], waterfall["suspended"], waterfall["recognised"]) == (
        1_800,
        3_600,
        9_000,
    )


def test_9_5__the_deadline_moves_with_an_outage_of_the_form(session: Session, service: SlaService) -> None:
    member(session, "hanako")
    long_outage(service)
    service.claim("h1", "hanako", APRIL, now=at("2026-06-01 01:00"))
    night(session, "2026-06-02")
    assert seen(session, "h1")["reason"] == "deadline"
    down = (at("2026-05-31 20:00"), at("2026-05-31 22:00"))
    assert service.claim_form_down(*down, now=at("2026-06-02 09:00")) == []
    night(session, "2026-06-03")
    assert seen(session, "h1")["outcome"] == "granted"


def test_desk__a_claim_of_an_unknown_account_is_kept_and_rejected(session: Session, service: SlaService) -> None:
    long_outage(service)
    (doubt,) = service.claim("z1", "nobody", APRIL, now=at("2026-05-02 09:00"))
    assert "no account" in doubt.rule
    night(session, "2026-05-03")
    assert seen(session, "z1")["reason"] == "not_member"


def test_night__with_nothing_new_asks_one_question(session: Session, service: SlaService) -> None:
    member(session, "hanako")
    long_outage(service)
    service.claim("h1", "hanako", APRIL, now=at("2026-05-02 09:00"))
    night(session, "2026-05-03")
    asked: list[str] = []
    sa.event.listen(session, "before_cursor_execute", lambda *args: asked.append(args[2]))
    assert night(session, "2026-05-04") == 0
    assert len(asked) == 1


def test_tables__refuse_what_must_never_be(session: Session, service: SlaService) -> None:
    member(session, "hanako")
    long_outage(service)
    service.claim("h1", "hanako", APRIL, now=at("2026-05-02 09:00"))
    night(session, "2026-05-03")
    row = dict(awards(session)[0]._mapping)
    with pytest.raises(IntegrityError, match="uq_award"):
        session.execute(sa.insert(award).values({**row, "id": row["id"] + 1}))
    session.rollback()
    for table, columns in SHARED_REFERENCES.items():
        assert {table, *(of for of, _ in columns.values())} <= {*APPEND_ONLY, *KEPT}  # or what the trigger saw could go
    [decided] = session.execute(sa.select(claim_decision))
    for column, (of, _) in SHARED_REFERENCES["claim_decision"].items():
        rows = [{**decided._mapping, "revision": revision} for revision in range(2, 102)]
        rows[50][column] = -1
        with pytest.raises(ForeignKeyViolation, match=f"{column} -1 of claim_decision is no row of {of}"):
            copy_rows(session, claim_decision, list(rows[0]), [tuple(row.values()) for row in rows])
        session.rollback()
    with pytest.raises(IntegrityError, match="only ever added"):
        session.execute(sa.update(claim_decision).values(seconds=0))
    session.rollback()
    assert session.execute(sa.select(sa.func.count()).select_from(month_review)).scalar_one() == 1
