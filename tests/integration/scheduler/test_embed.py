"""The how-to for hosts runs as it is printed: all Python blocks of the page, in order, as one program."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest
import sqlalchemy as sa

from keizoku.db.session import DatabaseError, make_engine
from keizoku.scheduler.app import services_on
from keizoku.scheduler.settings import Settings
from tests.worlds.pages import python_blocks

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "embed.md"


def test_the_web_shop_of_the_page_runs(database_url: sa.URL | str, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = python_blocks(PAGE)
    assert len(blocks) > 5
    name = f"shop_{uuid4().hex}"
    server = make_engine(database_url).execution_options(isolation_level="AUTOCOMMIT")
    with server.connect() as admin:
        admin.exec_driver_sql(f"CREATE DATABASE {name}")
        admin.exec_driver_sql(f"ALTER DATABASE {name} SET timezone = 'America/New_York'")  # the host's, not ours
    url = sa.make_url(database_url).set(database=name, drivername="postgresql+psycopg")
    monkeypatch.setenv("SHOP_DATABASE_URL", url.render_as_string(hide_password=False))
    page: dict[str, sa.Engine] = {}
    try:
        exec(compile("\n".join(blocks), str(PAGE), "exec"), page)  # noqa: S102
    finally:
        if "engine" in page:
            page["engine"].dispose()
        with server.connect() as admin:
            admin.exec_driver_sql(f"DROP DATABASE {name}")


def test_an_engine_that_does_not_fit_is_refused_in_a_line(engine: sa.Engine) -> None:
    with pytest.raises(DatabaseError, match=r"the engine speaks sqlite\+pysqlite; Keizoku needs postgresql\+psycopg"):
        services_on(sa.create_engine("sqlite://"), Settings()).__enter__()
    with pytest.raises(DatabaseError, match="the database is empty, this release wants 0001"):
        services_on(engine, Settings()).__enter__()
