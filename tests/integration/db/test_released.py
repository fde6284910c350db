"""What was released stays: its files are as they were, and its databases can be upgraded.

Each released version left a dump with a year of lives in it (tests/worlds/stored_year.py): upgraded, it has the tables
of a fresh database, its books agree, and a night later it says what its own release said.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from keizoku import __version__
from keizoku.db.migrate import create_all, ddl_script, upgrade
from keizoku.db.releases import OURS, Migrations, Released
from keizoku.db.session import make_engine, open_session
from keizoku.db.shape import shape_of, written_shape
from keizoku.db.standing import check_current, check_untouched, standing
from tests.release_schema import BASE, changed_files, main
from tests.worlds.next_release import with_a_remark
from tests.worlds.stored_year import DUMP, SAID, restored, said_after_a_night
from tests.worlds.world import services_on

STORED = Path(__file__).parents[2] / "released"
AGAIN = (
    "run `python -m tests.release_schema` (docs/explanation/schema.md); "
    "what an earlier version released stays as it was"
)
RELEASED = OURS.released()
Databases = Callable[[], sa.URL]


def test_no_released_migration_changed_or_vanished() -> None:
    assert changed_files(OURS.folder, list(RELEASED)) == [], AGAIN
    listed = {name for each in RELEASED for name in each.files}
    there = {
        str(file.relative_to(OURS.folder))
        for folder, kind in (("versions", "0*.py"), ("versions", "0*.sql"), ("shapes", "0*.toml"))
        for file in (OURS.folder / folder).glob(kind)
    }
    assert listed == there, AGAIN
    assert [each.version for each in RELEASED][-1] == __version__, AGAIN
    assert RELEASED[-1].revision == OURS.head
    assert sorted(each.revision for each in RELEASED) == [each.revision for each in RELEASED]


def test_a_change_of_a_released_file_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "migrations"
    shutil.copytree(OURS.folder, folder)
    released = [Released("0.2.0", "0001", RELEASED[0].files)]
    assert changed_files(folder, released) == []
    sql = folder / "versions" / BASE.name
    sql.write_text(sql.read_text().replace("NOT NULL", "", 1))
    (folder / "shapes" / "0001.toml").unlink()
    assert sorted(changed_files(folder, released)) == ["shapes/0001.toml", f"versions/{BASE.name}"]


def test_an_earlier_release_is_not_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "migrations"
    shutil.copytree(OURS.folder, folder)
    (folder / "versions" / BASE.name).write_text("SELECT 1;\n")
    monkeypatch.setattr("tests.release_schema.FOLDER", folder)
    monkeypatch.setattr("tests.release_schema.OURS", Migrations(folder, "99.1.0"))
    assert main("--no-dump") == 1
    assert capsys.readouterr().err == f"release 99.1.0 cannot be written: versions/{BASE.name} changed\n"


def test_the_last_revision_is_what_the_tables_declare(engine_for_schema: Callable[[], sa.Engine]) -> None:
    with engine_for_schema().connect() as session:
        create_all(session)
        assert written_shape(shape_of(session)) == written_shape(OURS.shape(OURS.head)), AGAIN
    if len(OURS.steps) == 1:
        assert BASE.read_text(encoding="utf-8") == ddl_script(), AGAIN


@pytest.mark.parametrize("version", [each.version for each in RELEASED])
def test_a_year_of_a_released_version_is_upgraded_audited_and_lives_on(
    version: str, empty_database: Databases, tmp_path: Path
) -> None:
    url, folder = empty_database(), STORED / version
    assert (folder / DUMP).stat().st_size < 1_000_000
    restored(folder, url)
    with open_session(empty_database(), "public") as fresh, open_session(url, "public") as session:
        found = standing(session)
        assert (found.release, found.state) == (version, "current" if version == __version__ else "behind")
        upgrade(session)
        check_current(session)
        check_untouched(session)
        upgrade(fresh)
        assert shape_of(session) == shape_of(fresh), AGAIN
    _lives_on(url, folder)


def test_a_year_is_upgraded_to_a_release_that_is_still_to_come(empty_database: Databases, tmp_path: Path) -> None:
    url, folder, coming = empty_database(), STORED / RELEASED[-1].version, with_a_remark(tmp_path)
    restored(folder, url)
    with open_session(empty_database(), "public") as fresh, open_session(url, "public") as session:
        assert [step.revision for step in upgrade(session, coming).steps] == ["0002"]
        check_current(session, migrations=coming)
        check_untouched(session, coming)
        upgrade(fresh, coming)
        assert shape_of(session) == shape_of(fresh)
        assert session.exec_driver_sql("SELECT count(*) FROM account WHERE remark IS NULL").scalar_one() > 20
    _lives_on(url, folder)


def _lives_on(url: sa.URL, folder: Path) -> None:
    """A night, its whole audit, and every answer of the database that was stored."""
    engine = make_engine(url, "public")
    try:
        with services_on(engine) as services:
            said = said_after_a_night(services)
    finally:
        engine.dispose()
    assert said["certificate"] == "ok"
    assert said["audit"]["differences"] == []
    assert said == json.loads((folder / SAID).read_text(encoding="utf-8"))
