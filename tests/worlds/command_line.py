"""Commands given in the process of a test."""

from typing import Any

import pytest
import sqlalchemy as sa
import typer

from keizoku.db.migrate import upgrade
from keizoku.db.schemas import schema_of
from keizoku.scheduler import cli

__all__ = ["found_by_commands", "run", "run_of"]


def run(*arguments: str) -> int:
    """The exit code of one command of `keizoku`."""
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert isinstance(ended.value.code, int)
    return ended.value.code


def run_of(group: typer.Typer, *arguments: str) -> int:
    """The exit code of one command of a group, called as what stands above it calls it."""
    code: Any = group(list(arguments), standalone_mode=False)
    return code or 0


def found_by_commands(engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the tables of an empty schema, and have the settings of this process name it."""
    with engine.connect() as session:
        upgrade(session)
        monkeypatch.setenv("KEIZOKU_DATABASE_SCHEMA", schema_of(session))
    url = engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    monkeypatch.setenv("KEIZOKU_DATABASE_URL", url)
