"""Where a database stands: every build that did not make its tables says in one line which did, and what to do."""

from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from keizoku.db.migrate import create_all, plan, upgrade
from keizoku.db.releases import OURS, Migrations, newer
from keizoku.db.session import DatabaseError, make_engine, open_session
from keizoku.db.shape import fingerprint, shape_of
from keizoku.db.standing import check_current, check_untouched, standing, touched
from tests.worlds.next_release import VERSION, with_a_remark

HEAD = OURS.head
Databases = Callable[[], sa.URL]


def complaint(session: sa.Connection, migrations: Migrations = OURS) -> str:
    """The line, which is said whoever asks: a command, the library, an upgrade."""
    with pytest.raises(DatabaseError) as refused:
        check_current(session, migrations=migrations)
    said = str(refused.value)
    assert "\n" not in said
    if standing(session, migrations).state not in ("empty", "behind"):
        with pytest.raises(DatabaseError, match=r"^") as again:
            upgrade(session, migrations)
        assert str(again.value) == said
    session.rollback()
    return said


def test_an_upgraded_database_carries_its_release_and_its_fingerprint(empty_database: Databases) -> None:
    with open_session(empty_database(), "public") as session:
        assert complaint(session) == f"the database is empty, this release needs {HEAD}: run `keizoku db upgrade`"
        upgrade(session)
        check_current(session)
        found = standing(session)
        assert (found.state, found.revision, found.release) == ("current", HEAD, OURS.release)
        assert found.fingerprint == OURS.fingerprint(HEAD) == fingerprint(shape_of(session))
        [row] = session.execute(sa.text("SELECT release, revision, by FROM schema_release")).all()
        assert row == (OURS.release, HEAD, session.exec_driver_sql("SELECT session_user").scalar_one())
        with pytest.raises(sa.exc.DBAPIError, match="only ever added"):
            session.exec_driver_sql("DELETE FROM schema_release")


def test_an_earlier_release_is_named_with_the_command_that_mends_it(empty_database: Databases, tmp_path: Path) -> None:
    with open_session(empty_database(), "public") as session:
        upgrade(session)
        assert complaint(session, with_a_remark(tmp_path)) == (
            f"the database is at revision {HEAD} (release {OURS.release}), this release, {VERSION}, needs 0002: "
            "run `keizoku db upgrade`"
        )


def test_a_later_release_is_named_with_what_to_install(empty_database: Databases, tmp_path: Path) -> None:
    with open_session(empty_database(), "public") as session:
        upgrade(session, with_a_remark(tmp_path))
        assert complaint(session) == (
            f"the database was made by release {VERSION} (revision 0002) and this is {OURS.release}, "
            f"which does not know it: install {VERSION} or a later one"
        )


def test_a_revision_that_no_release_has_is_named(empty_database: Databases) -> None:
    with open_session(empty_database(), "public") as session:
        upgrade(session)
        session.exec_driver_sql("UPDATE alembic_version SET version_num = 'a1b2'")
        session.commit()
        assert "the database is at revision a1b2, which this release does not know" in complaint(session)


def test_a_database_of_some_commits_ago_does_not_pass_as_current(empty_database: Databases) -> None:
    """Before a release tables change without a new revision: the fingerprint tells."""
    with open_session(empty_database(), "public") as session:
        upgrade(session)
        session.exec_driver_sql("SET LOCAL session_replication_role = replica")
        session.exec_driver_sql(f"UPDATE schema_release SET fingerprint = '{'0' * 64}'")
        session.commit()
        assert complaint(session) == (
            f"the database is at revision {HEAD}, but with other tables than this release has there: a build from "
            f"before release {OURS.release} made them; use that build, or restore into a new database"
        )


def test_a_build_from_before_releases_and_tables_that_nobody_upgraded_are_refused(empty_database: Databases) -> None:
    with open_session(empty_database(), "public") as session:
        upgrade(session)
        session.exec_driver_sql("DROP TABLE schema_release")
        session.commit()
        assert "was made by a build from before the first release" in complaint(session)
    with open_session(empty_database(), "public") as session:
        create_all(session)
        session.commit()
        assert "holds tables of Keizoku that no `keizoku db upgrade` made" in complaint(session)


def test_tables_further_down_the_search_path_are_not_taken_for_ours(empty_database: Databases) -> None:
    url = empty_database()
    with open_session(url, "public") as session:
        upgrade(session)
        session.exec_driver_sql("CREATE SCHEMA shop")
        session.commit()
    with open_session(url.update_query_dict({"options": "-c search_path=shop,public"})) as session:
        assert "the tables lie in schema public and the search path leads to shop first" in complaint(session)


BY_HAND = [
    ("ALTER TABLE invoice ADD COLUMN note TEXT", "column invoice.note is not ours"),
    ('ALTER TABLE invoice ADD COLUMN "my note" TEXT', "column invoice.my note is not ours"),
    ("DROP TRIGGER entry_append_only ON entry", "trigger entry.entry_append_only is missing"),
    ("ALTER TABLE entry DISABLE TRIGGER entry_append_only", "trigger entry.entry_append_only is “"),
    ("ALTER TABLE invoice DISABLE TRIGGER ALL", "constraint invoice."),
    (
        "ALTER TABLE revenue_posting DROP CONSTRAINT fk_revenue_posting_entry_id",
        "constraint revenue_posting.fk_revenue_posting_entry_id is missing",
    ),
    ("DROP TRIGGER line_refers ON line", "trigger line.line_refers is missing"),
    ("DROP TRIGGER invoice_stays ON invoice", "trigger invoice.invoice_stays is missing"),
    ("ALTER TABLE plan ALTER recorded_at DROP NOT NULL", "column plan.recorded_at is “timestamp with time zone”"),
    ("ALTER TABLE plan ALTER recorded_at SET DEFAULT now()", "column plan.recorded_at is “"),
    ("CREATE UNIQUE INDEX mine ON plan (recorded_at)", "unique index plan.mine is not ours"),
    ("CREATE RULE quiet AS ON DELETE TO plan DO INSTEAD NOTHING", "rule plan.quiet is not ours"),
    (
        "CREATE OR REPLACE FUNCTION keizoku_append_only() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
        "function keizoku_append_only is not the one of the release",
    ),
    ("ALTER TABLE night_range SET UNLOGGED", "table night_range is “not logged”"),
    ("DROP TABLE night_range", "table night_range is missing"),
]


def test_what_people_changed_is_named(engine_for_schema: Callable[[], sa.Engine]) -> None:
    with engine_for_schema().connect() as session:
        upgrade(session)
        check_untouched(session)
        for change, expected in BY_HAND:
            session.exec_driver_sql(change)
            found = touched(session, HEAD)
            assert any(line.startswith(expected) for line in found), (change, found)
            with pytest.raises(
                DatabaseError, match=r"the tables were changed by hand: .*; undo the change, or restore"
            ):
                check_untouched(session)
            session.rollback()
        check_untouched(session)


def test_a_database_that_people_changed_is_not_upgraded(empty_database: Databases, tmp_path: Path) -> None:
    with open_session(empty_database(), "public") as session:
        upgrade(session)
        session.exec_driver_sql("ALTER TABLE invoice ADD COLUMN note TEXT")
        session.commit()
        for migrations in (OURS, with_a_remark(tmp_path)):
            with pytest.raises(DatabaseError, match=r"changed by hand: column invoice\.note is not ours; undo"):
                plan(session, migrations)
            with pytest.raises(DatabaseError, match=r"changed by hand: column invoice\.note is not ours; undo"):
                upgrade(session, migrations)


def test_what_changes_no_row_is_the_operators_own(empty_database: Databases) -> None:
    with open_session(empty_database(), "public") as session:
        upgrade(session)
        for change in (
            "CREATE INDEX mine ON entry (recorded_at)",
            "ALTER TABLE entry SET (autovacuum_vacuum_scale_factor = 0.01)",
            "COMMENT ON TABLE entry IS 'the journal'",
            "CREATE TABLE shop_basket (id BIGINT PRIMARY KEY, account TEXT REFERENCES account (id))",
            "CREATE VIEW shop_members AS SELECT id FROM account",
            "CREATE FUNCTION shop_name() RETURNS text LANGUAGE sql AS $$ SELECT 'shop' $$",
        ):
            session.exec_driver_sql(change)
        check_untouched(session)


def test_a_shape_is_the_same_in_a_schema_of_any_name(empty_database: Databases) -> None:
    url = empty_database()
    found = []
    for schema in ("public", "keizoku", "account"):
        engine = make_engine(url, schema)
        with engine.connect() as session:
            upgrade(session)
            found.append(fingerprint(shape_of(session)))
        engine.dispose()
    assert set(found) == {OURS.fingerprint(HEAD)}


@pytest.mark.parametrize(
    ("one", "other", "later"), [("0.10.0", "0.9.3", True), ("0.2.0", "0.2.0", False), ("0.2", "0.2.1", False)]
)
def test_releases_come_in_the_order_of_their_numbers(one: str, other: str, later: bool) -> None:
    assert newer(one, other) is later
