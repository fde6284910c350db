"""What one scrape of the worker's numbers costs beside counting the contracts once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from time import perf_counter
from typing import Any

import sqlalchemy as sa

from keizoku.db.embedded import EmbeddedServer
from keizoku.db.session import Session, make_engine, open_session
from keizoku.scheduler.night.schedule import night_at
from keizoku.scheduler.worker.state_numbers import StateNumbers
from tests.benchmarks.harness import Case, Contender
from tests.benchmarks.night_world import EVE, copy_of, make_world

NOW = night_at(EVE) + timedelta(hours=7)
MOST_TIMES = 3
"""A scrape reads what is open and what is new: never more than counting all contracts takes so many times."""
SCRAPES = 20

_NOTICES = (
    "SET session_replication_role = replica",
    """INSERT INTO user_notice (account, contract_id, kind, occasion, written_on, written_at, body_ja, body_en)
       SELECT account, id, 'renewal', CAST(renews_on AS text), CAST(applied_at AS date), applied_at, 'ja', 'en'
       FROM contract""",
    """INSERT INTO handover (notice_id, handed_at, author, recorded_at)
       SELECT id, written_at, 'mailer', written_at FROM user_notice ORDER BY id""",
    """INSERT INTO payment_attempt (invoice_id, account, key, yen, wanted_on, started_on, started_at, outcome, code,
                                    settled_on, settled_at, answer_recorded_at)
       SELECT id, account, concat('keizoku-', id, '-0'), yen, started_on, started_on, started_at, 'declined_soft',
              'insufficient_funds', started_on, started_at, started_at FROM payment_attempt ORDER BY started_at""",
    "SET session_replication_role = origin",
)


def prepare(folder: Path, size: Mapping[str, int]) -> None:
    """The world of the nights, in which every member had a notice, and a charge that was refused before."""
    make_world(folder, size)
    with EmbeddedServer(folder) as server, open_session(server.url.set(database="world")) as session:
        if session.scalar(sa.text("SELECT count(*) FROM handover WHERE author = 'mailer'")):
            return
        for statement in _NOTICES:
            session.execute(sa.text(statement))
        session.commit()
        session.execution_options(isolation_level="AUTOCOMMIT").execute(sa.text("VACUUM ANALYZE"))


def keizoku(folder: Path, size: Mapping[str, int]) -> dict[str, Any]:
    """The first scrape of a worker, then the median of those that follow, each with a count of its own."""
    with copy_of(folder) as session:
        return scraped(session, size["contracts"])


def scraped(session: Session, contracts: int) -> dict[str, Any]:
    """The figures; raises AssertionError where a scrape of many contracts costs too much."""
    counts = sorted(_counted(session) for _ in range(SCRAPES))
    engine = make_engine(session.engine.url)
    numbers = StateNumbers()
    numbers.connect, numbers.clock, numbers.stores = engine.connect, lambda: NOW, ("a",)
    took = []
    for _ in range(SCRAPES):
        numbers._count_again_at = 0.0  # each counts what waits for people, whatever the one before took
        began = perf_counter()
        told = {family.name: family.samples for family in numbers.collect()}
        took.append(perf_counter() - began)
        assert told["keizoku_state_read"][0].value == 1
    engine.dispose()
    first, median, count = took[0], sorted(took[1:])[SCRAPES // 2], counts[SCRAPES // 2]
    if contracts >= 100_000:  # below, it is the way to the database that takes the time
        assert median <= MOST_TIMES * count, f"a scrape took {median:.3f} s, counting all contracts {count:.3f} s"
    figures = {"seconds_of_the_first_scrape": first, "seconds_of_counting_contracts": count, "times": median / count}
    return {"numbers": len(told), "seconds": median, "figures": figures}


def _counted(session: Session) -> float:
    began = perf_counter()
    session.execute(sa.text("SELECT count(*) FROM contract")).scalar_one()
    return perf_counter() - began


CASE = Case(
    name="scrape",
    title="The numbers for a monitor",
    about=(
        "One scrape of the worker's page, a million running contracts with a notice each and two million attempts "
        "behind it: nights, the certificate, today's charges, what waits for people. Counted anew each time."
    ),
    size={"contracts": 1_000_000, "due": 33_000, "credits": 0, "overdue": 500},
    tiny={"contracts": 200, "due": 40, "credits": 0, "overdue": 13},
    prepare=prepare,
    contenders=[Contender("Keizoku", keizoku, note="`times` is against one count of all contracts by an index.")],
)
