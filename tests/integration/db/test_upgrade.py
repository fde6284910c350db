"""An upgrade is said before, done alone, done once, and done wholly or not at all."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from keizoku.db.failures import failure_of
from keizoku.db.locks import try_leader_lock
from keizoku.db.migrate import plan, upgrade
from keizoku.db.releases import OURS, Migrations
from keizoku.db.session import DatabaseError, libpq_address, open_session
from keizoku.db.shape import shape_of
from keizoku.db.standing import check_current, check_untouched, standing
from tests.worlds.next_release import VERSION, columns_of, next_release, with_a_remark

Databases = Callable[[], sa.URL]


@pytest.fixture
def ours(empty_database: Databases) -> sa.URL:
    """A database as this release makes it, with an account in it."""
    url = empty_database()
    with open_session(url, "public") as session:
        upgrade(session)
        session.exec_driver_sql("INSERT INTO account (id, created_at) VALUES ('hanako', now())")
        session.commit()
    return url


def releases(session: sa.Connection) -> list[tuple[str, str]]:
    found = session.exec_driver_sql("SELECT release, revision FROM schema_release ORDER BY id").all()
    session.rollback()
    return [(row.release, row.revision) for row in found]


def test_a_plan_says_from_where_to_where_and_by_which_steps(ours: sa.URL, tmp_path: Path) -> None:
    coming = with_a_remark(tmp_path)
    with open_session(ours, "public") as session:
        planned = plan(session, coming)
        assert (planned.standing.revision, planned.standing.release) == (OURS.head, OURS.release)
        assert (planned.to_revision, planned.to_release) == ("0002", VERSION)
        assert [(step.revision, step.title) for step in planned.steps] == [("0002", "remarks")]
        assert planned.steps[0].sql == "ALTER TABLE account ADD COLUMN remark TEXT;\n"
        assert "remark" not in columns_of(ours, "account")
        assert plan(session).steps == ()


def test_a_step_adds_its_column_keeps_the_rows_and_is_done_once(ours: sa.URL, tmp_path: Path) -> None:
    coming = with_a_remark(tmp_path)
    with open_session(ours, "public") as session:
        assert len(upgrade(session, coming).steps) == 1
        check_current(session, migrations=coming)
        check_untouched(session, coming)
        assert session.exec_driver_sql("SELECT id, remark FROM account").all() == [("hanako", None)]
        assert upgrade(session, coming).steps == ()
        assert releases(session) == [(OURS.release, OURS.head), (VERSION, "0002")]


def test_an_upgrade_over_several_releases_ends_in_the_tables_of_a_fresh_one(
    empty_database: Databases, ours: sa.URL, tmp_path: Path
) -> None:
    coming = with_a_remark(tmp_path)
    with open_session(empty_database(), "public") as fresh, open_session(ours, "public") as old:
        assert [step.revision for step in upgrade(fresh, coming).steps] == [OURS.head, "0002"]
        upgrade(old, coming)
        assert shape_of(fresh) == shape_of(old)


WRONG = {
    "breaks in the middle": (
        "ALTER TABLE account ADD COLUMN remark TEXT; SELECT 1 / 0;",
        "the upgrade to revision 0002 failed and nothing was changed: division by zero",
    ),
    "ends in other tables than it says": (
        "ALTER TABLE account ADD COLUMN remark VARCHAR(9);",
        "the upgrade would not end in the tables of 0002, and nothing was changed: column account.remark is",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_step_that_fails_leaves_nothing(ours: sa.URL, tmp_path: Path, case: str) -> None:
    sql, words = WRONG[case]
    coming = next_release(tmp_path, sql, adds={"column account.remark": "text"})
    with open_session(ours, "public") as session:
        with pytest.raises(DatabaseError) as refused:
            upgrade(session, coming)
        assert str(refused.value).startswith(words)
        assert "\n" not in str(refused.value)
        assert "remark" not in columns_of(ours, "account")
        assert releases(session) == [(OURS.release, OURS.head)]
        check_current(session)
        assert try_leader_lock(session, "worker")  # given back


def test_an_upgrade_that_is_killed_in_the_middle_leaves_nothing(ours: sa.URL, tmp_path: Path) -> None:
    slow = next_release(tmp_path, "ALTER TABLE account ADD COLUMN remark TEXT; SELECT pg_sleep(60);")
    code = (
        "import sys; from pathlib import Path; from keizoku.db.migrate import upgrade\n"
        "from keizoku.db.releases import Migrations; from keizoku.db.session import open_session\n"
        "with open_session(sys.argv[1], 'public') as session:\n"
        "    upgrade(session, Migrations(Path(sys.argv[2]), '99.1.0'))\n"
    )
    doing = subprocess.Popen([sys.executable, "-c", code, libpq_address(ours), str(slow.folder)], env=os.environ)
    try:
        with open_session(ours, "public") as session:
            asleep = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'"
            for _ in range(600):
                if session.exec_driver_sql(asleep).first() is not None:
                    break
                session.rollback()
                time.sleep(0.05)
            else:
                raise AssertionError("the upgrade did not begin")
            session.rollback()
            doing.send_signal(signal.SIGKILL)
            doing.wait()
            session.exec_driver_sql(asleep.replace("pid", "pg_terminate_backend(pid, 5000)", 1))
            session.commit()
            assert "remark" not in columns_of(ours, "account")
            check_current(session)
            check_untouched(session)
    finally:
        doing.kill()
        doing.wait()


def test_of_two_upgrades_at_once_the_second_finds_nothing_to_do(ours: sa.URL, tmp_path: Path) -> None:
    slow = next_release(
        tmp_path,
        "ALTER TABLE account ADD COLUMN remark TEXT; SELECT pg_sleep(0.5);",
        adds={"column account.remark": "text"},
    )
    done: list[int] = []

    def one() -> None:
        with open_session(ours, "public") as session:
            done.append(len(upgrade(session, Migrations(slow.folder, slow.release)).steps))

    both = [threading.Thread(target=one) for _ in range(2)]
    for each in both:
        each.start()
    for each in both:
        each.join()
    assert sorted(done) == [0, 1]
    with open_session(ours, "public") as session:
        assert releases(session) == [(OURS.release, OURS.head), (VERSION, "0002")]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("worker", "a worker leads on this database: stop all workers, then upgrade"),
        ("night", "a night is running on this database: wait for its end, then upgrade"),
        ("bank", "a file of the bank is being imported: wait for its end, then upgrade"),
    ],
)
def test_nobody_is_upgraded_under_a_worker_or_a_night(ours: sa.URL, tmp_path: Path, name: str, words: str) -> None:
    coming = with_a_remark(tmp_path)
    with open_session(ours, "public") as busy, open_session(ours, "public") as session:
        assert try_leader_lock(busy, name)
        busy.commit()
        with pytest.raises(DatabaseError, match=f"^{words}$"):
            upgrade(session, coming)
        assert upgrade(session).steps == ()  # nothing to do disturbs nobody
    with open_session(ours, "public") as session:
        assert len(upgrade(session, coming).steps) == 1


def test_a_table_that_somebody_uses_for_long_gives_the_upgrade_up(
    ours: sa.URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("keizoku.db.migrate._LOCK_SECONDS", 0.2)
    with open_session(ours, "public") as busy, open_session(ours, "public") as session:
        busy.exec_driver_sql("SELECT count(*) FROM account")
        with pytest.raises(psycopg.errors.LockNotAvailable) as refused:
            upgrade(session, with_a_remark(tmp_path))
        assert "the database did not get a lock in time" in str(failure_of(refused.value))
        check_current(session)


def test_no_worker_takes_the_lead_while_an_upgrade_runs(ours: sa.URL, tmp_path: Path) -> None:
    looks = next_release(
        tmp_path,
        "ALTER TABLE account ADD COLUMN remark TEXT; "
        "DO $$ BEGIN IF (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()) <> 4 "
        "THEN RAISE 'not alone'; END IF; END $$;",
        adds={"column account.remark": "text"},
    )
    with open_session(ours, "public") as session:
        upgrade(session, looks)


def test_a_schema_that_is_not_there_is_made_with_its_tables_or_not_at_all(
    empty_database: Databases, tmp_path: Path
) -> None:
    url = empty_database()
    broken = next_release(tmp_path, "SELECT 1 / 0;")
    with open_session(url, "keizoku") as session:
        with pytest.raises(DatabaseError, match="division by zero"):
            upgrade(session, broken)
        assert standing(session).state == "empty"
        assert session.exec_driver_sql("SELECT to_regnamespace('keizoku')").scalar_one() is None
        upgrade(session)
        check_current(session, "keizoku")
        with pytest.raises(DatabaseError, match="leads to schema keizoku, KEIZOKU_DATABASE_SCHEMA names public"):
            check_current(session, "public")
    assert json.dumps(sorted(columns_of(url, "account", "keizoku"))) == '["created_at", "id", "number"]'
