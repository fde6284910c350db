"""The how-to for hosts runs as it is printed: all Python blocks of the page, in order, as one program."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest
import sqlalchemy as sa

from keizoku.db.migrate import upgrade
from keizoku.db.session import DatabaseError, make_engine
from keizoku.scheduler import cli
from keizoku.scheduler.app import engine_of, services_on
from keizoku.scheduler.settings import Settings
from tests.worlds.pages import python_blocks

SECOND = (
    "the schema public is empty, but the schema keizoku of the same database holds a Keizoku: name that one by "
    "KEIZOKU_DATABASE_SCHEMA (a second one beside it: `keizoku db upgrade --second`)"
)
PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "embed.md"


def test_the_web_shop_of_the_page_runs(
    database_url: sa.URL | str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    blocks = python_blocks(PAGE)
    assert len(blocks) > 5
    name = f"shop_{uuid4().hex}"
    server = make_engine(database_url).execution_options(isolation_level="AUTOCOMMIT")
    with server.connect() as admin:
        admin.exec_driver_sql(f"CREATE DATABASE {name}")
        admin.exec_driver_sql(f"ALTER DATABASE {name} SET timezone = 'America/New_York'")  # the host's, not ours
    url = sa.make_url(database_url).set(database=name, drivername="postgresql+psycopg")
    monkeypatch.setenv("KEIZOKU_DATABASE_URL", url.render_as_string(hide_password=False))
    monkeypatch.setenv("KEIZOKU_DATABASE_SCHEMA", "keizoku")
    page: dict[str, sa.Engine] = {}
    try:
        exec(compile("\n".join(blocks), str(PAGE), "exec"), page)  # noqa: S102
        _the_command_line_sees_the_same(monkeypatch, capsys)
    finally:
        if "engine" in page:
            page["engine"].dispose()
        with server.connect() as admin:
            admin.exec_driver_sql(f"DROP DATABASE {name}")


def _the_command_line_sees_the_same(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The page's accounts; and where the schema is not named, no second set of tables is made beside the first."""

    def run(*arguments: str) -> tuple[int | str | None, str, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main(arguments)
        shown = capsys.readouterr()
        return ended.value.code, shown.out, shown.err

    code, out, _ = run("account", "list", "--json")
    assert (code, "u1001" in out, "u1002" in out) == (0, True, True)
    monkeypatch.delenv("KEIZOKU_DATABASE_SCHEMA")
    for command in (("db", "upgrade"), ("db", "upgrade", "--dry-run"), ("account", "list")):
        code, _, err = run(*command)
        assert (code, err.splitlines()[-1]) == (
            2,
            f"error: {SECOND}",
        )
    assert run("db", "upgrade", "--second")[0] == 0
    code, out, _ = run("account", "list", "--json")
    assert (code, "u1001" in out) == (0, False)


def test_an_engine_that_does_not_fit_is_refused_in_a_line(
    engine: sa.Engine, engine_for_schema: Callable[[], sa.Engine]
) -> None:
    with pytest.raises(DatabaseError, match=r"the engine speaks sqlite\+pysqlite; Keizoku needs postgresql\+psycopg"):
        services_on(sa.create_engine("sqlite://"), Settings()).__enter__()
    with pytest.raises(DatabaseError, match="the schema public holds tables of Keizoku that no `keizoku db upgrade`"):
        services_on(engine, Settings()).__enter__()
    empty = engine_for_schema()
    with pytest.raises(DatabaseError, match=r"the database is empty, this release needs 0001|, but the schema"):
        services_on(empty, Settings()).__enter__()
    with empty.connect() as session:
        upgrade(session)
    with services_on(empty, Settings()) as services:
        assert services.gateway.name == "simulated"
    with pytest.raises(DatabaseError, match=r"leads to schema t\w+, KEIZOKU_DATABASE_SCHEMA names public"):
        services_on(empty, Settings(database_schema="public")).__enter__()
    with pytest.raises(DatabaseError, match="no server is named: set KEIZOKU_DATABASE_URL"):
        engine_of(Settings())
