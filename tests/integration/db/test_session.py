"""Sessions: zone, schema, COPY and locks, on a real server."""

import datetime as dt
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from time import monotonic, sleep

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from keizoku.db.locks import release_leader_lock, try_leader_lock
from keizoku.db.programs import MAJOR
from keizoku.db.session import (
    OLDEST_SERVER,
    DatabaseError,
    Rows,
    Session,
    check_server,
    copy_rows,
    copy_together,
    make_engine,
    normalised_url,
    one_snapshot,
    server_version,
    texts,
)
from keizoku.db.writer import AlternatingSessions, BackgroundWriter
from tests.conftest import SERVER_MAJOR, SERVER_URL
from tests.worlds.forked import until

SAMPLE = sa.Table(
    "sample",
    sa.MetaData(),
    sa.Column("id", sa.BigInteger),
    sa.Column("note", sa.Text),
    sa.Column("at", sa.DateTime(timezone=True)),
    sa.Column("on", sa.Date),
    sa.Column("ids", pg.ARRAY(sa.BigInteger)),
    sa.Column("facts", pg.JSONB),
)


@pytest.fixture
def empty(engine_for_schema: Callable[[], sa.Engine]) -> sa.Engine:
    return engine_for_schema()


def test_the_run_has_the_server_that_it_names(empty: sa.Engine) -> None:
    with empty.connect() as session:
        major, text = server_version(session)
    named = os.environ.get(SERVER_MAJOR)
    if SERVER_URL not in os.environ:
        assert major == MAJOR
    elif named is not None:
        assert (major, text.split(".")[0]) == (int(named), named)
    assert major >= OLDEST_SERVER


def test_copied_rows_come_back_as_they_went(empty: sa.Engine) -> None:
    at = dt.datetime(2026, 4, 10, 9, 0, tzinfo=dt.timezone(dt.timedelta(hours=9)))
    rows: list[tuple[object, ...]] = [
        (1, "継続\t\\N\n%s", at, dt.date(2026, 4, 10), [1, 2], {"windows": [["a", None]]}),
        (2, None, None, None, None, None),
        (3, "", at, dt.date(2028, 2, 29), [], [1, "x"]),
    ]
    with empty.connect() as session:
        SAMPLE.create(session)
        assert copy_rows(session, SAMPLE, [column.name for column in SAMPLE.c], iter(rows)) == 3
        session.commit()
        found = session.execute(sa.select(SAMPLE).order_by(SAMPLE.c.id)).all()
        assert [tuple(row) for row in found] == rows
        assert session.execute(sa.select(SAMPLE.c.id).where(SAMPLE.c.facts.is_(sa.null()))).scalars().all() == [2]


def test_few_rows_come_back_as_many_do(empty: sa.Engine) -> None:
    at = dt.datetime(2026, 4, 10, 1, 2, 3, 4, tzinfo=dt.UTC)
    rows = [
        (1, "継続\t\\N\n%s $1 '\"", at, dt.date(2026, 4, 10), {"windows": [["a", None]]}),
        (2, None, None, None, None),
        (2**40, "", at.astimezone(dt.timezone(dt.timedelta(hours=9))), dt.date(2028, 2, 29), [1, "x"]),
    ]
    columns = [column.name for column in SAMPLE.c if not isinstance(column.type, pg.ARRAY)]
    written = []
    with empty.connect() as session:
        SAMPLE.create(session)
        for fillers in (0, 20):  # by INSERT, by COPY
            more = [(number, "x", at, None, None) for number in range(100, 100 + fillers)]
            assert copy_rows(session, SAMPLE, columns, [*rows, *more]) == 3 + fillers
            found = sa.select(*(SAMPLE.c[name] for name in columns)).where(~SAMPLE.c.id.between(100, 200))
            written.append([tuple(row) for row in session.execute(found.order_by(SAMPLE.c.id))])
            session.execute(sa.delete(SAMPLE))
    assert written == [rows, rows]


def test_copied_rows_belong_to_the_transaction(empty: sa.Engine) -> None:
    with empty.connect() as session:
        SAMPLE.create(session)
        session.commit()
        copy_rows(session, SAMPLE, ["id"], [(1,)])
        session.rollback()
        assert session.execute(sa.select(sa.func.count()).select_from(SAMPLE)).scalar_one() == 0


def test_rows_of_several_tables_are_written_together(empty: sa.Engine) -> None:
    at = dt.datetime(2026, 4, 10, 1, 2, 3, 4, tzinfo=dt.UTC)
    tables = sa.MetaData()
    whole = sa.Table("whole", tables, sa.Column("id", sa.BigInteger, primary_key=True), sa.Column("facts", pg.JSONB))
    to_whole: sa.Column[int] = sa.Column("whole", sa.ForeignKey("whole.id"), nullable=False)
    part = sa.Table("part", tables, to_whole, sa.Column("at", sa.DateTime(timezone=True)))
    statements: list[int] = []
    with empty.connect() as session:
        tables.create_all(session)
        for size, facts in ((1, None), (6, None), (7, None), (1, {"a": "$1"})):  # the first two: at most 8, and plain
            wholes: list[tuple[object, ...]] = [(number, facts) for number in range(size)]
            parts: list[tuple[object, ...]] = [(number, at) for number in range(0, size, 3)]
            copy_together(
                session,
                Rows(whole, ("id", "facts"), iter(wholes)),
                Rows(part, ("whole", "at"), iter(parts)),
                Rows(part, ("at", "whole"), ()),
            )
            assert [tuple(row) for row in session.execute(sa.select(whole).order_by(whole.c.id))] == wholes
            assert [tuple(row) for row in session.execute(sa.select(part).order_by(part.c.whole))] == parts
            same = sa.text(
                "SELECT count(DISTINCT command) FROM (SELECT cmin::text AS command FROM whole UNION ALL "
                "SELECT cmin::text FROM part) AS written"
            )
            statements.append(session.execute(same).scalar_one())
            session.execute(sa.delete(part))
            session.execute(sa.delete(whole))
        copy_together(session)
        with pytest.raises(ValueError, match="has no zone"):
            copy_together(
                session, Rows(whole, ("id",), [(1,)]), Rows(part, ("whole", "at"), [(1, at.replace(tzinfo=None))])
            )
    assert statements == [1, 1, 2, 2]


def test_a_snapshot_sees_nothing_new_and_writes_nothing_and_is_over_afterwards(empty: sa.Engine) -> None:
    counted = sa.select(sa.func.count()).select_from(SAMPLE)
    with empty.connect() as session, empty.connect() as other:
        SAMPLE.create(session)
        session.commit()
        copy_rows(session, SAMPLE, ["id"], [(1,)])  # not committed: gone
        with one_snapshot(session):
            assert session.execute(counted).scalar_one() == 0
            copy_rows(other, SAMPLE, ["id"], [(2,)])
            other.commit()
            assert session.execute(counted).scalar_one() == 0
        with pytest.raises(sa.exc.InternalError, match="read-only"), one_snapshot(session):
            session.execute(sa.insert(SAMPLE).values(id=3))
        with pytest.raises(sa.exc.DataError), one_snapshot(session):
            session.execute(sa.text("SELECT 1 / 0"))
        copy_rows(session, SAMPLE, ["id"], [(4,)])
        copy_rows(other, SAMPLE, ["id"], [(5,)])
        other.commit()
        assert session.execute(counted).scalar_one() == 3
        session.commit()
    with empty.connect() as session:  # the connection is lost meanwhile
        process = session.execute(sa.text("SELECT pg_backend_pid()")).scalar_one()
        with empty.connect() as other:
            other.execute(sa.text("SELECT pg_terminate_backend(:process)"), {"process": process})
        with pytest.raises(sa.exc.OperationalError), one_snapshot(session):
            session.execute(counted)


def test_pieces_are_written_in_order_and_nothing_after_one_that_failed(empty: sa.Engine) -> None:
    with empty.begin() as own:
        own.exec_driver_sql("CREATE TABLE written (n int)")

    def write(own: Session, number: int) -> int:
        own.execute(sa.text("INSERT INTO written SELECT 10 / (3 - :n)"), {"n": number})
        own.commit()
        return number

    with empty.connect() as first, BackgroundWriter(first) as writer:
        assert [writer.submit(partial(write, number=number)) for number in (1, 2, 3)] == [0, 1, 2]
        with pytest.raises(sa.exc.DataError, match="division by zero"):
            writer.submit(partial(write, number=4))
        assert writer.wait() == 0
    with empty.connect() as own:
        assert own.execute(sa.text("SELECT array_agg(n) FROM written")).scalar_one() == [5, 10]


def test_what_one_connection_reads_and_locks_it_writes_while_another_reads(empty: sa.Engine) -> None:
    with empty.begin() as own:
        own.exec_driver_sql("CREATE TABLE piece (n int PRIMARY KEY, by int)")
        own.exec_driver_sql("INSERT INTO piece SELECT n FROM generate_series(1, 9) AS n")
    backend = sa.text("SELECT pg_backend_pid()")

    def write(own: Session, number: int, by: int) -> int:
        assert own.execute(backend).scalar_one() == by
        own.execute(sa.text("UPDATE piece SET by = :by WHERE n = :n"), {"by": by, "n": number})
        own.commit()
        return 1

    with empty.connect() as first, AlternatingSessions(first) as turns:
        written, by = 0, []
        for number in range(1, 10):
            locked = sa.text("SELECT n FROM piece WHERE n = :n FOR UPDATE")
            assert turns.free.execute(locked, {"n": number}).scalar_one() == number
            by.append(turns.free.execute(backend).scalar_one())
            written += turns.write(partial(write, number=number, by=by[-1]), last=number == 9)
        assert written + turns.wait() == 9
    with empty.connect() as own:
        found = own.execute(sa.text("SELECT by FROM piece ORDER BY n")).scalars().all()
    assert (found, 1 < len(set(by)) <= 3) == (by, True)


def test_one_piece_alone_is_written_on_the_session_itself(empty: sa.Engine) -> None:
    with empty.connect() as first, AlternatingSessions(first) as turns:
        assert turns.write(lambda own: 7 if own is first else 0, last=True) == 7
        assert (turns.wait(), turns.free) == (0, first)


def test_in_turns_nothing_is_begun_after_a_piece_that_failed(empty: sa.Engine) -> None:
    begun: list[int] = []

    def write(own: Session, number: int) -> int:
        begun.append(number)
        return int(own.execute(sa.text("SELECT 10 / (2 - :n)"), {"n": number}).scalar_one())

    def write_many(session: Session) -> None:
        with AlternatingSessions(session) as turns:
            for number in range(1, 100):
                turns.free.execute(sa.text("SELECT 1"))
                turns.write(partial(write, number=number), last=False)

    with empty.connect() as first, pytest.raises(sa.exc.DataError, match="division by zero"):
        write_many(first)
    assert begun[:2] == [1, 2]
    assert len(begun) <= 4  # those that were under way when it failed


def test_what_was_handed_over_is_written_though_the_one_who_hands_over_fails(empty: sa.Engine) -> None:
    with empty.begin() as own:
        own.exec_driver_sql("CREATE TABLE kept (n int)")

    def write(own: Session, number: int) -> int:
        own.execute(sa.text("INSERT INTO kept VALUES (:n)"), {"n": number})
        own.commit()
        return 1

    def hand_over(first: Session) -> None:
        with BackgroundWriter(first, 2, ahead=5) as writer:
            for number in range(5):
                writer.submit(partial(write, number=number))
            raise ConnectionAbortedError

    with empty.connect() as first, pytest.raises(ConnectionAbortedError):
        hand_over(first)
    with empty.connect() as own:
        assert own.execute(sa.text("SELECT array_agg(n ORDER BY n) FROM kept")).scalar_one() == [0, 1, 2, 3, 4]


def test_a_piece_that_fails_in_python_lets_go_of_its_locks(empty: sa.Engine) -> None:
    with empty.begin() as own:
        own.exec_driver_sql("CREATE TABLE locked AS SELECT 1 AS n")
    lock = sa.text("SELECT n FROM locked FOR UPDATE")

    def fail(own: Session) -> int:
        own.execute(lock)
        raise LookupError("no version of the terms")

    def hand_over(first: Session) -> None:
        with BackgroundWriter(first, 2, ahead=5) as writer:
            writer.submit(fail)
            first.execute(sa.text("SET lock_timeout = '20s'"))
            until(lambda: first.execute(lock).scalar_one())  # held for a moment at most
            first.rollback()
            until(lambda: writer.submit(lambda own: 1) > 1)  # says at once what has failed

    with empty.connect() as first, pytest.raises(LookupError, match="no version"):
        hand_over(first)


def test_a_second_interruption_waits_until_nothing_is_being_written(
    empty: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with empty.begin() as own:
        own.exec_driver_sql("CREATE TABLE kept (n int)")
    go_on = threading.Event()
    joined = ThreadPoolExecutor.shutdown
    interruptions = iter((KeyboardInterrupt("again"),))

    def write(own: Session) -> int:
        own.execute(sa.text("INSERT INTO kept VALUES (1)"))
        go_on.wait(20)
        own.execute(sa.text("INSERT INTO kept VALUES (2)"))
        own.commit()
        return 2

    def shutdown(pool: ThreadPoolExecutor, wait: bool = True) -> None:
        for interruption in interruptions:
            go_on.set()
            raise interruption
        joined(pool, wait=wait)

    monkeypatch.setattr(ThreadPoolExecutor, "shutdown", shutdown)

    def hand_over(first: Session) -> None:
        with AlternatingSessions(first) as turns:
            turns.write(write, last=False)
            raise KeyboardInterrupt("once")

    with empty.connect() as first:
        with pytest.raises(KeyboardInterrupt, match="again"):
            hand_over(first)
        first.rollback()
        first.commit()
        assert first.execute(sa.text("SELECT array_agg(n ORDER BY n) FROM kept")).scalar_one() == [1, 2]


@pytest.mark.parametrize("names", [[], [""], ["a", "b,c", "{d}"], ['e"f', "g\\h", "NULL", "花子 \n"]])
def test_texts_in_a_statement_are_the_texts(session: Session, names: list[str]) -> None:
    assert session.execute(sa.select(texts(names))).scalar_one() == names


def test_who_ends_a_session_by_its_name_ends_its_second_hand(empty: sa.Engine) -> None:
    named = "FROM pg_stat_activity WHERE application_name = 'a job of this test'"
    end = sa.text(f"SELECT count(pg_terminate_backend(pid, 5000)) {named}")
    with empty.connect() as first, empty.connect() as other:
        first.execute(sa.text("SET application_name = 'a job of this test'"))
        first.commit()
        with BackgroundWriter(first) as writer:
            assert other.execute(end).scalar_one() == 2
            writer.submit(lambda own: own.execute(sa.text("SELECT 1")).scalar_one())
            with pytest.raises(sa.exc.OperationalError):
                writer.wait()
            with pytest.raises(sa.exc.OperationalError):
                first.execute(sa.text("SELECT 1"))


def test_an_instant_without_zone_is_refused(empty: sa.Engine) -> None:
    with empty.connect() as session:
        SAMPLE.create(session)
        with pytest.raises(ValueError, match="no zone"):
            copy_rows(session, SAMPLE, ["id", "at"], [(1, dt.datetime(2026, 4, 10))])  # noqa: DTZ001


def test_a_session_is_in_utc_and_sees_its_schema_only(session: Session) -> None:
    zone, path, name = session.exec_driver_sql(
        "SELECT current_setting('timezone'), current_setting('search_path'), current_setting('application_name')"
    ).one()
    assert (zone, name) == ("UTC", "keizoku")
    assert path == session.exec_driver_sql("SELECT current_schema()").scalar_one()


def test_a_session_writes_dates_as_iso_whatever_its_address_or_server_says(empty: sa.Engine) -> None:
    german = empty.url.update_query_dict({"options": "-c datestyle=German"})
    with make_engine(german).connect() as session:
        assert session.exec_driver_sql("SELECT CAST(DATE '2026-04-10' AS text)").scalar_one() == "2026-04-10"


def test_one_session_at_a_time_leads_in_a_schema(engine_for_schema: Callable[[], sa.Engine]) -> None:
    here, elsewhere = engine_for_schema(), engine_for_schema()
    with here.connect() as first, here.connect() as second, elsewhere.connect() as other:
        assert try_leader_lock(first, "night")
        assert not try_leader_lock(second, "night")
        assert try_leader_lock(second, "worker")
        assert try_leader_lock(other, "night")
        first.commit()
        assert not try_leader_lock(second, "night")
        assert release_leader_lock(first, "night")
        assert try_leader_lock(second, "night")
    until = monotonic() + 10  # the server notices the end of a connection a moment after it
    with here.connect() as third:
        while not (led := try_leader_lock(third, "night")) and monotonic() < until:
            sleep(0.05)
        assert led


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_addresses_of_every_usual_form_are_taken(scheme: str) -> None:
    assert normalised_url(f"{scheme}://u:p@h/d").drivername == "postgresql+psycopg"


@pytest.mark.parametrize("address", ["mysql://u:secret@h/d", "u:secret@h", ""])
def test_another_address_is_refused_without_telling_it(address: str) -> None:
    with pytest.raises(DatabaseError) as refused:
        normalised_url(address)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("schema", ["a b", "A", "x;drop", ""])
def test_a_schema_name_needs_no_quotes(schema: str) -> None:
    with pytest.raises(ValueError, match="schema name"):
        make_engine("postgresql:///x", schema)


def test_a_server_that_is_too_old_is_refused(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keizoku.db.session.OLDEST_SERVER", 99)
    with pytest.raises(DatabaseError, match="needs 99 or newer"):
        check_server(session)
