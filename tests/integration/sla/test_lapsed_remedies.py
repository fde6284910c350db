"""Another remedy whose day passes, while people say what became of it; and two who agree on one at once."""

from datetime import date, timedelta
from threading import Thread
from typing import Any

import pytest
import sqlalchemy as sa

from keizoku.billing.receivables import remedies
from keizoku.db.session import Session
from keizoku.db.tables.claims import alternative_consent, alternative_outcome
from keizoku.sla.claims.lapsed_remedies import lapse
from keizoku.sla.services.sla_service import SlaService
from keizoku.terms.refusal import Refused
from tests.worlds.sla_world import APRIL, RULES, at, member, open_service


def test_9_2__what_people_say_while_the_night_lets_it_lapse_stands(engine: sa.Engine, session: Session) -> None:
    service = open_service(session)
    now = at("2026-05-02 09:00")
    for account, claim in (("hanako", "h1"), ("jiro", "j1")):
        member(session, account)
        service.claim(claim, account, APRIL, now=now)
        service.consent_alternative(claim, "a month free", date(2026, 5, 9), now=now)
    with engine.connect() as people, engine.connect() as night:
        said = {"consent_id": 1, "outcome": "performed", "on_day": date(2026, 5, 9), "author": "tanaka"}
        people.execute(sa.insert(alternative_outcome).values(**said, recorded_at=now))
        lapsed: list[int] = []
        meanwhile = Thread(target=lambda: lapsed.append(lapse(night, date(2026, 5, 11), now + timedelta(days=9))))
        meanwhile.start()
        meanwhile.join(1)  # it waits for what people have not committed yet
        people.commit()
        meanwhile.join(20)
    outcomes = session.execute(sa.text("SELECT consent_id, outcome FROM alternative_outcome ORDER BY 1")).all()
    assert (lapsed, [tuple(row) for row in outcomes]) == ([1], [(1, "performed"), (2, "lapsed")])


def test_9_2__a_remedy_performed_by_its_day_counts_though_it_is_recorded_after_the_lapse(session: Session) -> None:
    service = open_service(session)
    member(session, "hanako")
    service.claim("h1", "hanako", APRIL, now=at("2026-05-02 09:00"))
    service.consent_alternative("h1", "a month free", date(2026, 5, 9), now=at("2026-05-02 10:00"))
    assert lapse(session, date(2026, 5, 10), at("2026-05-10 02:30")) == 1
    said: dict[str, Any] = {"now": at("2026-05-12 09:00"), "by": "tanaka"}
    for day, code in (("2026-05-01", "remedy.performed_day"), ("2026-05-10", "remedy.too_late")):
        with pytest.raises(Refused) as refused:
            service.perform_alternative("h1", date.fromisoformat(day), **said)
        assert refused.value.code == code
    with pytest.raises(Refused, match="no other remedy is agreed"):
        service.withdraw_alternative("h1", **said)
    # a newer agreement is taken back before the older one is said to have been performed
    service.consent_alternative("h1", "a book", now=at("2026-05-11 09:00"))
    with pytest.raises(Refused, match="a newer one is agreed"):
        service.perform_alternative("h1", date(2026, 5, 9), **said)
    service.withdraw_alternative("h1", **said)
    assert service.perform_alternative("h1", date(2026, 5, 9), **said) == []
    with pytest.raises(Refused, match="no other remedy is agreed"):
        service.perform_alternative("h1", date(2026, 5, 9), **said)
    with pytest.raises(Refused, match="is agreed for 2026-04 already"):
        service.consent_alternative("h1", "a book", now=at("2026-05-13 09:00"))
    outcomes = session.execute(
        sa.text("SELECT consent_id, outcome, on_day, corrects FROM alternative_outcome ORDER BY id")
    ).all()
    assert [tuple(row) for row in outcomes] == [
        (1, "lapsed", date(2026, 5, 10), None),
        (2, "withdrawn", date(2026, 5, 12), None),
        (1, "performed", date(2026, 5, 9), outcomes_id(session, "lapsed")),
    ]
    assert remedies.extinguish(session, RULES, remedies.due_ids(session), at("2026-05-13 02:30")) == 0


def outcomes_id(session: Session, outcome: str) -> int:
    return int(session.execute(sa.select(alternative_outcome.c.id).filter_by(outcome=outcome)).scalar_one())


def test_9_2__two_who_agree_on_a_remedy_for_one_month_at_once_do_not_both(engine: sa.Engine, session: Session) -> None:
    now = at("2026-05-02 09:00")
    service = open_service(session)
    member(session, "hanako")
    service.claim("h1", "hanako", APRIL, now=now)
    service.claim("h2", "hanako", APRIL, now=now)
    session.rollback()
    with engine.connect() as first, engine.connect() as second:
        inserted = sa.insert(alternative_consent).values(claim_id="h1", what="a book", author="sato", recorded_at=now)
        one, two = SlaService(first, RULES), SlaService(second, RULES)
        one._hold(one._known_claim("test", "h1"))  # the first has looked, and has yet to write
        said: list[str] = []

        def agree() -> None:
            try:
                two.consent_alternative("h2", "a month free", now=now)
            except Refused as refused:
                said.append(refused.code)

        meanwhile = Thread(target=agree)
        meanwhile.start()
        meanwhile.join(1)
        assert said == []
        first.execute(inserted)
        first.commit()
        meanwhile.join(20)
    assert said == ["remedy.agreed"]
