"""`keizoku db` on schemas: what an upgrade will do, who changed the tables, the address, one schema for all."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from keizoku.db.embedded import EmbeddedServer
from keizoku.db.locks import try_leader_lock
from keizoku.db.migrate import create_all
from keizoku.db.releases import OURS
from keizoku.db.session import make_engine
from keizoku.scheduler import cli

BY_HAND = (
    "the tables were changed by hand: trigger entry.entry_append_only is missing and 1 more (`keizoku db check`); "
    "undo the change, or restore a backup"
)
Run = Callable[..., tuple[int | str | None, Any, list[str]]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """A function that runs a command: its exit code, what it printed (JSON read), its lines on stderr."""

    def ran(*arguments: str) -> tuple[int | str | None, Any, list[str]]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main(arguments)
        shown = capsys.readouterr()
        out = json.loads(shown.out) if "--json" in arguments and shown.out else shown.out
        return ended.value.code, out, shown.err.splitlines()

    return ran


@pytest.fixture
def server(empty_database: Callable[[], sa.URL], monkeypatch: pytest.MonkeyPatch) -> Iterator[sa.Engine]:
    """The settings mean a server with an empty database, and the usual schema."""
    url = empty_database()
    monkeypatch.setenv("KEIZOKU_DATABASE_URL", url.render_as_string(hide_password=False))
    monkeypatch.delenv("KEIZOKU_DATABASE_SCHEMA", raising=False)
    engine = make_engine(url, "public")
    yield engine
    engine.dispose()


def test_an_upgrade_says_what_it_will_do_before_it_does_it(server: sa.Engine, run: Run) -> None:
    code, planned, _ = run("db", "upgrade", "--dry-run", "--json")
    assert code == 0
    about = {"from_revision": None, "from_release": None, "to_revision": OURS.head, "to_release": OURS.release}
    steps = [f"{step.revision} {step.title}" for step in OURS.steps]
    assert {name: planned[name] for name in about} == about
    assert (planned["steps"], planned["done"], planned["revision"]) == (steps, False, None)
    code, sql, _ = run("db", "upgrade", "--dry-run", "--sql")
    assert (code, sql.splitlines()[0]) == (0, f"-- revision {steps[0].replace(' ', ': ', 1)}")
    assert "CREATE TABLE schema_release" in sql
    assert run("db", "status")[0] == 1  # nothing was done
    code, done, _ = run("db", "upgrade", "--json")
    assert (code, done["steps"], done["done"], done["revision"], done["wanted"]) == (
        0,
        steps,
        True,
        OURS.head,
        OURS.head,
    )
    code, again, _ = run("db", "upgrade", "--json")
    assert (code, again["steps"], again["from_release"]) == (0, [], OURS.release)
    assert run("db", "status")[0] == 0
    assert run("db", "upgrade", "--dry-run", "--sql")[:2] == (0, "")
    assert run("db", "upgrade", "--sql")[0] == 2


def test_an_upgrade_waits_for_nobody_who_works(server: sa.Engine, run: Run) -> None:
    with server.connect() as session:
        assert try_leader_lock(session, "worker")
        session.commit()
        code, _, said = run("db", "upgrade")
    assert (code, said[-1]) == (2, "error: a worker leads on this database: stop all workers, then upgrade")


def test_what_people_changed_is_found_and_stops_nights_and_upgrades(server: sa.Engine, run: Run) -> None:
    run("db", "upgrade")
    assert run("db", "check")[:2] == (0, "nobody changed the tables\n")
    with server.connect() as session:
        session.exec_driver_sql("ALTER TABLE invoice ADD COLUMN note TEXT")
        session.exec_driver_sql("DROP TRIGGER entry_append_only ON entry")
        session.commit()
    code, found, _ = run("db", "check", "--json")
    assert (code, found["complaint"], found["state"]) == (1, None, "current")
    assert found["differences"] == ["trigger entry.entry_append_only is missing", "column invoice.note is not ours"]
    code, shown, said = run("db", "check")
    assert (code, shown.splitlines()) == (1, found["differences"])
    assert said[-1] == "undo these changes, or restore a backup: nights and upgrades are refused until then"
    for command in ("night",), ("db", "upgrade"):
        code, _, said = run(*command)
        assert (code, said[-1]) == (
            2,
            f"error: {BY_HAND}",
        )
    assert run("account", "list")[0] == 0  # who only looks is not kept from it


def test_tables_of_an_unknown_build_are_named(server: sa.Engine, run: Run) -> None:
    with server.connect() as session:
        create_all(session)
        session.commit()
    code, found, _ = run("db", "check", "--json")
    assert (code, found["state"], found["differences"]) == (1, "unknown", [])
    for command in ("db", "upgrade"), ("account", "list"):
        code, _, said = run(*command)
        assert code == 2
        assert said[-1].startswith("error: the schema public holds tables of Keizoku that no `keizoku db upgrade` made")


def test_a_schema_is_named_by_its_setting_alone(server: sa.Engine, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEIZOKU_DATABASE_SCHEMA", "books")
    code, done, said = run("db", "upgrade", "--json")
    assert (code, done["schema"], said[0].endswith(", schema books")) == (0, "books", True)
    assert run("account", "list")[0] == 0
    assert run("db", "roles", "--prefix", "kz_books", "--json")[0] == 0
    with server.connect() as session:
        assert session.exec_driver_sql("SELECT to_regclass('public.account')").scalar_one() is None
        for role in ("worker", "finance", "support"):
            session.exec_driver_sql(f"DROP OWNED BY kz_books_{role}")
            session.exec_driver_sql(f"DROP ROLE kz_books_{role}")
        session.commit()
    address = server.url.update_query_dict({"options": "-c search_path=books"})
    monkeypatch.setenv("KEIZOKU_DATABASE_URL", address.render_as_string(hide_password=False))
    for command in ("db", "status"), ("db", "url"), ("account", "list"):
        code, _, said = run(*command)
        assert (code, said[-1]) == (
            2,
            "error: KEIZOKU_DATABASE_URL sets a search_path: name the schema with KEIZOKU_DATABASE_SCHEMA instead",
        )
    monkeypatch.setenv("KEIZOKU_DATABASE_SCHEMA", "Bad name")
    assert run("db", "status")[2][-1].startswith("error: KEIZOKU_DATABASE_SCHEMA=Bad name: ")


def test_the_address_is_told_without_its_password(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEIZOKU_DATABASE_URL", "postgresql+psycopg://me:secret@db.internal:5433/house?sslmode=require")
    code, shown, said = run("db", "url")
    assert (code, shown, said) == (0, "postgresql://me:***@db.internal:5433/house?sslmode=require\n", [])
    code, found, _ = run("db", "url", "--json", "--password")
    wanted = "postgresql://me:secret@db.internal:5433/house?sslmode=require"
    assert (code, found) == (0, {"url": wanted, "schema": "public", "state": "server"})


def test_the_embedded_servers_address_is_the_one_it_answers_at(
    run: Run, database_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KEIZOKU_DATABASE_URL", raising=False)
    monkeypatch.setenv("KEIZOKU_DATA_DIR", str(database_folder))
    code, before, said = run("db", "url")
    assert (code, said) == (
        0,
        ["the embedded server is not there yet; it runs while a command or `keizoku worker` uses it"],
    )
    with EmbeddedServer(database_folder, {"fsync": "off"}):
        code, found, _ = run("db", "url", "--json")
        assert (code, found["state"]) == (0, "running")
        assert found["url"] == before.strip()
        with make_engine(found["url"]).connect() as session:
            assert session.exec_driver_sql("SELECT current_database()").scalar_one() == "keizoku"
    assert run("db", "url", "--json")[1]["state"] == "stopped"
