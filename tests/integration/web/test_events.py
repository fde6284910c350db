"""Events: written with the facts, read in order; with many writers and readers nothing is missed and nothing twice."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable

import sqlalchemy as sa

from keizoku.db.migrate import create_all
from keizoku.db.tables.money import review_task
from keizoku.db.tables.web import event_batch
from keizoku.web.event_feed import Cursor, Event, newest_cursor, read_events
from tests.integration.web.conftest import House


def every(engine: sa.Engine, limit: int = 1000) -> list[Event]:
    found: list[Event] = []
    with engine.connect() as session:
        while page := read_events(session, Cursor.read(found[-1].id) if found else Cursor(), limit):
            found += page
    return found


def test_a_world_has_told_what_happened_in_it(house: House) -> None:
    found = every(house.engine)
    with house.engine.connect() as session:
        rows = {
            name: session.execute(sa.text(query)).scalar_one()
            for name, query in {
                "invoice.issued": "SELECT count(*) FROM invoice",
                "contract.approved": "SELECT count(*) FROM contract WHERE approved_at IS NOT NULL",
                "contract.renewed": "SELECT count(*) FROM term WHERE follows_on IS NOT NULL",
                "claim.received": "SELECT count(*) FROM claim",
                "award.granted": "SELECT count(*) FROM award",
                "night.completed": "SELECT count(*) FROM certificate",
                "invoice.paid": "SELECT count(*) FROM invoice WHERE state = 'paid'",
            }.items()
        }  # fmt: skip
    told = Counter(each.type for each in found)
    assert {name: told[name] for name in rows} == rows
    assert all(rows.values())
    assert len({each.id for each in found}) == len(found)
    order = [each.type for each in found if each.account == "u01"]
    assert order[:4] == ["contract.applied", "contract.approved", "access.changed", "invoice.issued"]


def test_pages_of_any_size_are_the_same_events(house: House) -> None:
    whole = [each.id for each in every(house.engine)]
    assert [each.id for each in every(house.engine, 7)] == whole
    with house.engine.connect() as session:
        assert str(newest_cursor(session)) == whole[-1]


def test_the_feed_over_http_goes_on_from_where_it_was_left(house: House) -> None:
    place = house.get("/v1/events/newest", "support")["next"]
    assert house.get("/v1/events", "support", after=place) == {"data": [], "next": place}
    house.act("/v1/accounts/a0/suspend", {"ground": "a test"})
    page = house.get("/v1/events", "support", after=place, wait=5)
    assert ("access.changed", "a0") in [(each["type"], each["account"]) for each in page["data"]]
    assert house.ask("GET", "/v1/events?after=12")[0] == 422


def test_many_writers_and_readers_miss_nothing_and_keep_each_accounts_order(
    engine_for_schema: Callable[[], sa.Engine],
) -> None:
    engine = engine_for_schema()
    with engine.connect() as session:
        create_all(session)
        session.commit()
    writers, each_writes = 6, 25
    stop = threading.Event()
    read: list[list[Event]] = [[], []]

    def write(number: int) -> None:
        chance = random.Random(number)  # noqa: S311 - no secret
        with engine.connect() as session:
            for turn in range(each_writes):
                for part in range(chance.randint(1, 3)):
                    values = {"kind": "k", "subject": f"{number}-{turn}-{part}", "detail": {}}
                    session.execute(sa.insert(review_task).values(**values, opened_at=sa.func.now()))
                    if chance.random() < 0.5:
                        session.execute(sa.text("SELECT pg_sleep(:s)"), {"s": chance.random() / 100})
                session.rollback() if chance.random() < 0.2 else session.commit()

    def follow(into: list[Event]) -> None:
        with engine.connect() as session:
            while True:
                last = stop.is_set()
                page = read_events(session, Cursor.read(into[-1].id) if into else Cursor(), 10)
                into += page
                if last and not page:
                    return

    readers = [threading.Thread(target=follow, args=(into,)) for into in read]
    threads = [threading.Thread(target=write, args=(number,)) for number in range(writers)]
    for thread in (*readers, *threads):
        thread.start()
    for thread in threads:
        thread.join()
    stop.set()
    for thread in readers:
        thread.join()
    with engine.connect() as session:
        written = session.execute(sa.select(review_task.c.id).order_by(review_task.c.id)).scalars().all()
        in_order = session.execute(sa.select(event_batch.c["items"]).order_by(event_batch.c.id)).scalars().all()
    for into in read:
        assert sorted(int(each.subject[1:]) for each in into) == list(written)
        assert [each.subject for each in into] == [items[0][1] for items in in_order]
