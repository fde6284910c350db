"""Commands that work with the database: where it is, whether it is up to date, and who brings it there."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from keizoku import __version__
from keizoku.db.embedded import EmbeddedServer
from keizoku.db.migrate import current_revision, head_revision, upgrade
from keizoku.db.session import make_engine
from keizoku.scheduler.cli.shared.context import open_services
from keizoku.scheduler.cli.shared.output import UserError
from tests.worlds.command_line import run


@pytest.fixture
def embedded(database_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The settings mean an embedded database that is not there yet."""
    monkeypatch.delenv("KEIZOKU_DATABASE_URL", raising=False)
    monkeypatch.setenv("KEIZOKU_DATA_DIR", str(database_folder))
    return database_folder


@pytest.fixture
def server(empty_database: Callable[[], sa.URL], monkeypatch: pytest.MonkeyPatch) -> Iterator[sa.Engine]:
    """The settings mean a server, with an empty database for us and a schema that is not there yet."""
    url = empty_database()
    monkeypatch.setenv("KEIZOKU_DATABASE_URL", url.render_as_string(hide_password=False))
    monkeypatch.setenv("KEIZOKU_DATABASE_SCHEMA", "keizoku")
    engine = make_engine(url, "keizoku")
    yield engine
    engine.dispose()


def test_the_embedded_database_from_nothing_to_stopped(embedded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("db", "status", "--json") == 1
    shown = capsys.readouterr()
    place = f"embedded PostgreSQL 18.4 in {embedded}"
    assert json.loads(shown.out) == {
        "place": place,
        "revision": None,
        "wanted": head_revision(),
        "schema": "public",
        "release": None,
        "this_release": __version__,
        "state": "empty",
    }
    assert shown.err.splitlines() == [
        f"database: {place}",
        f"the database is empty, this release needs {head_revision()}: run `keizoku db upgrade`",
    ]
    assert run("db", "upgrade") == 0
    assert run("db", "upgrade") == 0
    assert run("db", "status") == 0
    with EmbeddedServer(embedded):
        assert run("db", "stop") == 1
        assert "another command is using the database" in capsys.readouterr().err
        assert run("db", "stop", "--force") == 0
    assert run("db", "stop") == 0
    assert capsys.readouterr().out.endswith(f"the database in {embedded} is stopped\n")


def test_the_embedded_database_brings_itself_up_to_date(embedded: Path) -> None:
    with open_services() as services:
        assert current_revision(services.session) == head_revision()
        assert services.gateway.name == "simulated"
    assert EmbeddedServer(embedded).state() == "stopped"


def test_a_server_is_brought_up_to_date_by_people(server: sa.Engine, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UserError, match=r"the database is empty, .* run `keizoku db upgrade`"), open_services():
        pass
    assert run("db", "upgrade") == 0
    assert capsys.readouterr().err.splitlines()[-1].startswith("database: server ")
    with open_services() as services:
        assert current_revision(services.session) == head_revision()


def test_a_server_is_not_ours_to_stop(server: sa.Engine, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("db", "stop") == 2
    assert "not ours to stop" in capsys.readouterr().err


def test_a_database_of_a_later_release_is_left_alone(server: sa.Engine, capsys: pytest.CaptureFixture[str]) -> None:
    with server.connect() as session:
        upgrade(session)
        session.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
        session.commit()
    assert run("db", "upgrade") == 2
    assert capsys.readouterr().err.splitlines()[-1] == (
        "error: the database is at revision 9999, which this release does not know: use the release that made it"
    )
    with pytest.raises(UserError, match="9999"), open_services():
        pass


def test_a_bad_setting_ends_the_command(
    embedded: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KEIZOKU_SUSPEND_AFTER_DAYS", "soon")
    assert run("db", "status") == 2
    assert capsys.readouterr().err.startswith("error: KEIZOKU_SUSPEND_AFTER_DAYS=soon: ")
    assert os.listdir(embedded) == []  # noqa: PTH208  nothing was started
