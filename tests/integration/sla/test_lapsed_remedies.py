"""Another remedy whose day passes, while people say what became of it."""

from datetime import date, timedelta
from threading import Thread

import sqlalchemy as sa

from keizoku.db.session import Session
from keizoku.db.tables.claims import alternative_outcome
from keizoku.sla.claims.lapsed_remedies import lapse
from tests.worlds.sla_world import APRIL, at, member, open_service


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
