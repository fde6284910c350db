"""Events: written with the facts, read in order; with many writers and readers nothing is missed and nothing twice."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable
from datetime import date
from pathlib import Path

import sqlalchemy as sa
import yaml

from keizoku.db.migrate import create_all
from keizoku.db.tables.closing import month_act
from keizoku.db.tables.gateway import card_end, saved_card
from keizoku.db.tables.letters import letter
from keizoku.db.tables.money import review_task
from keizoku.db.tables.web import EVENT_TYPES, event_batch
from keizoku.scheduler.scenario.schema_words import EVENT_TYPES as WORDS
from keizoku.web.event_feed import Cursor, Event, newest_cursor, read_events
from tests.integration.web.conftest import House

SCENARIOS = Path(__file__).parents[2] / "scenarios"


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


def test_every_type_of_event_is_written_by_its_act(house: House) -> None:
    """In a scenario file, where it is about an account; else here, over HTTP."""
    files = [yaml.safe_load(file.read_text()) for file in SCENARIOS.glob("events-*.yaml")]
    told = {each["type"] for file in files for row in file["expect"] for each in row["events"]["list"]}
    place = house.get("/v1/events/newest")["next"]
    at = {"recorded_at": house.now}
    days = {"month": "2026-01", "to_on": date(2026, 2, 1), "entries": 0, "content": "c", "author": "keiri", **at}
    card = {"account": "a5", "customer_id": "cus_1", "payment_method_id": "pm_1", "setup_id": "seti_1", **at}
    with house.engine.connect() as session:
        waits = {"kind": "small_rest", "subject": "u05", "detail": {}, "opened_at": house.now}
        task = session.execute(sa.insert(review_task).values(**waits).returning(review_task.c.id)).scalar_one()
        saved = session.execute(sa.insert(saved_card).values(**card).returning(saved_card.c.id)).scalar_one()
        session.execute(sa.insert(card_end).values(card_id=saved, ended_at=house.now, **at))
        closed = {"kind": "closed", "ground": "", "previous": "", "hash": "h1"}
        session.execute(sa.insert(month_act).values(**days, **closed))
        reopened = {"kind": "reopened", "ground": "late bill", "previous": "h1", "hash": "h2"}
        session.execute(sa.insert(month_act).values(**days, **reopened))
        session.commit()
    status, _ = house.act(f"/v1/tasks/T{task}/done", {"ground": "dealt with"})
    assert status == 200
    here = [(each["type"], each["subject"]) for each in house.get("/v1/events", after=place)["data"]]
    assert here == [
        ("task.opened", f"T{task}"),
        ("card.needed", str(saved)),
        ("month.closed", "2026-01"),
        ("month.reopened", "2026-01"),
        ("task.closed", f"T{task}"),
    ]  # fmt: skip
    told |= {kind for kind, _ in here} | ({"night.completed"} & {each.type for each in every(house.engine)})
    assert told == set(EVENT_TYPES) == set(WORDS)


def test_twenty_writers_miss_nothing_and_keep_each_accounts_order(engine_for_schema: Callable[[], sa.Engine]) -> None:
    engine = engine_for_schema()
    with engine.connect() as session:
        create_all(session)
        session.commit()
    writers, each_writes, accounts = 20, 12, 7
    stop = threading.Event()
    read: list[list[Event]] = [[], [], []]

    def write(number: int) -> None:
        chance = random.Random(number)  # noqa: S311 - no secret
        with engine.connect() as session:
            for _ in range(each_writes):
                account = f"a{chance.randrange(accounts)}"
                lock = sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(account, 0))
                session.execute(sa.select(lock))  # as every act on an account locks it
                count = session.execute(sa.select(sa.func.count()).where(letter.c.account == account)).scalar_one()
                for part in range(chance.randint(1, 3)):
                    values = {"account": account, "kind": "credit", "occasion": f"{account} {count + part}"}
                    more = {"written_on": sa.func.current_date(), "written_at": sa.func.now(), "facts": {}}
                    session.execute(sa.insert(letter).values(**values, **more))
                    if chance.random() < 0.5:
                        session.execute(sa.text("SELECT pg_sleep(:s)"), {"s": chance.random() / 100})
                session.rollback() if chance.random() < 0.2 else session.commit()

    def follow(number: int) -> None:
        chance, into = random.Random(number), read[number]  # noqa: S311 - no secret
        with engine.connect() as session:
            while True:
                last = stop.is_set()
                page = read_events(session, Cursor.read(into[-1].id) if into else Cursor(), chance.randint(1, 20))
                into += page
                if last and not page:
                    return

    readers = [threading.Thread(target=follow, args=(number,)) for number in range(len(read))]
    threads = [threading.Thread(target=write, args=(number,)) for number in range(writers)]
    for thread in (*readers, *threads):
        thread.start()
    for thread in threads:
        thread.join()
    stop.set()
    for thread in readers:
        thread.join()
    with engine.connect() as session:
        written = {f"L{row.id}": row.occasion for row in session.execute(sa.select(letter)).all()}
        in_order = session.execute(sa.select(event_batch.c["items"]).order_by(event_batch.c.id)).scalars().all()
    assert len(written) > 200
    for into in read:
        assert Counter(each.subject for each in into) == Counter(dict.fromkeys(written, 1))
        assert [each.subject for each in into] == [items[0][1] for items in in_order]
        for account in {each.account for each in into}:
            order = [int(written[each.subject].split()[1]) for each in into if each.account == account]
            assert order == list(range(len(order)))
