"""The claims of a month in chunks: who is decided with whom, and what chunks share, does not matter."""

from collections.abc import Callable
from datetime import date
from typing import Any

import sqlalchemy as sa

from keizoku.db.migrate import create_all
from keizoku.db.session import Session
from keizoku.db.tables.claims import claim_decision, claim_reasoning
from keizoku.sla.claims import claim_stage
from tests.worlds.sla_world import APRIL, RULES, at, long_outage, member, night, open_service, windows

HALVES = [windows(("2026-04-10 09:00", "2026-04-10 14:00")), windows(("2026-04-10 14:00", "2026-04-10 18:00"))]


def decisions(session: Session, *columns: sa.ColumnElement[Any]) -> list[tuple[Any, ...]]:
    joined = claim_decision.join(claim_reasoning, claim_reasoning.c.id == claim_decision.c.reasoning_id)
    query = sa.select(*columns).select_from(joined).order_by(claim_decision.c.claim_id)
    return [tuple(row) for row in session.execute(query)]


def test_9_2__accounts_one_by_one_are_told_what_all_at_once_are(engine_for_schema: Callable[[], sa.Engine]) -> None:
    """Reasonings that a chunk before has written are the ones that its own would be."""

    def told(session: Session, chunk_accounts: int) -> tuple[list[Any], int]:
        create_all(session)
        service = open_service(session)
        long_outage(service)
        for number in range(8):
            member(session, f"user{number}", method="other" if number == 5 else "card")
            stated = [None, *HALVES][number % 3]
            service.claim(f"c{number}", f"user{number}", APRIL, windows=stated, now=at("2026-05-02 09:00"))
        night(session, "2026-05-03", chunk_accounts)
        own = [claim_decision.c[name] for name in ("claim_id", "outcome", "reason", "seconds", "evidence_hash")]
        reasonings = session.execute(sa.select(sa.func.count()).select_from(claim_reasoning)).scalar_one()
        return decisions(session, *own, claim_reasoning.c.sha256), reasonings

    with engine_for_schema().connect() as one, engine_for_schema().connect() as other:
        one_by_one, at_once = told(one, 1), told(other, 100)
    assert one_by_one == at_once
    rows, reasonings = one_by_one
    assert (len(rows), reasonings) == (8, 4)  # three kinds of windows, and the one who does not pay by card


def test_9_5__a_deadline_that_moves_during_a_night_is_told_to_those_decided_after(session: Session) -> None:
    service = open_service(session)
    long_outage(service)
    for name in ("hanako", "jiro"):
        member(session, name)
        service.claim(f"of {name}", name, APRIL, now=at("2026-05-02 09:00"))
    now = at("2026-06-02 02:30")
    chunks = claim_stage.due(session, RULES, date(2026, 6, 2), now, 1)
    claim_stage.save(session, claim_stage.decide(next(chunks)), now)
    assert service.claim_form_down(at("2026-05-31 20:00"), at("2026-05-31 22:00"), now=now) == []
    claim_stage.save(session, claim_stage.decide(next(chunks)), now)
    told = decisions(session, claim_decision.c.claim_id, claim_reasoning.c.facts["deadline_at"].astext)
    assert told == [("of hanako", "2026-06-01T00:00:00+09:00"), ("of jiro", "2026-06-01T02:00:00+09:00")]
