"""Every command, given by a login of every role: those that it is for succeed, the others are refused in one line."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import typer

from keizoku.db.migrate import upgrade
from keizoku.db.roles import NAMES, apply_roles
from keizoku.scheduler import cli
from keizoku.scheduler.cli.shared.rights import ALLOWED, EVERYBODY, WITHOUT_DATABASE
from keizoku.terms.calendar import parse_instant
from tests.worlds.role_walk import WALK, live_for_the_walk, write_files
from tests.worlds.world import services_on

LOGINS = ("support", "finance", "worker", "owner")
"""In this order: whoever may not do a thing tries before somebody does it."""


def every_command() -> set[str]:
    """As they are typed, `claim submit`; a group of one command is that command."""
    return {" ".join(path) for path in _leaves(cli.COMMANDS)}


def _leaves(targets: Mapping[str, cli.Target]) -> Iterator[tuple[str, ...]]:
    for name, target in targets.items():
        module, attribute = target.place.split(":")
        yield from _below(typer.main.get_command(getattr(import_module(module), attribute)), (name,))


def _below(command: Any, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    inner = getattr(command, "commands", None)
    if inner is None:
        yield path
        return
    for name, each in inner.items():
        yield from _below(each, (*path, name))


def test_the_table_of_rights_names_every_command_once() -> None:
    assert sorted([*ALLOWED, *WITHOUT_DATABASE]) == sorted(every_command())


@pytest.fixture
def served(engine_for_schema: Callable[[], sa.Engine], monkeypatch: pytest.MonkeyPatch) -> sa.Engine:
    """A schema of its own with two months of a small world."""
    engine = engine_for_schema()
    with engine.connect() as session:
        upgrade(session)
        schema = str(session.exec_driver_sql("SELECT current_schema()").scalar_one())
    monkeypatch.setenv("KEIZOKU_DATABASE_SCHEMA", schema)
    with services_on(engine) as services:
        live_for_the_walk(services)
    return engine


@pytest.fixture
def logins(served: sa.Engine) -> Iterator[Mapping[str, str]]:
    """role -> the address of the database for a login that has it; the owner's too."""
    prefix = f"k{uuid.uuid4().hex[:10]}"
    with served.connect() as session:
        roles = dict(zip(NAMES, apply_roles(session, (), prefix), strict=True))
        found = {"owner": served.url}
        for role, named in roles.items():
            session.exec_driver_sql(f"CREATE ROLE {named}_login LOGIN PASSWORD 'x' IN ROLE {named}")
            found[role] = served.url.set(username=f"{named}_login", password="x")
        session.commit()
    yield {role: url.render_as_string(hide_password=False) for role, url in found.items()}
    with served.connect() as session:
        for named in roles.values():
            session.exec_driver_sql(f"DROP OWNED BY {named}")
            session.exec_driver_sql(f"DROP ROLE {named}_login, {named}")
        session.commit()


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """The exit code, and what it says on stderr but where the database is."""
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    code = ended.value.code
    assert isinstance(code, int)
    said = [each for each in capsys.readouterr().err.splitlines() if not each.startswith("database: ")]
    return code, "\n".join(said)


def test_each_command_is_for_its_roles_and_refused_to_the_others(
    logins: Mapping[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    write_files(tmp_path)
    wrong = []
    for command, arguments, expected in WALK:
        for n, login in enumerate(("support", "finance", "worker"), 1):
            monkeypatch.setenv("KEIZOKU_DATABASE_URL", logins[login])
            given = arguments.format(n=n, dir=tmp_path, **{k: "X" for k in ("u01_term", "attempt", "key", "coupon", "by_hand", "exception", "prefix")})
            code, said = run(capsys, *command.split(), *given.split())
            may = login in ALLOWED[command]
            needed = f"it needs the role {' or '.join(ALLOWED[command])}"
            good = code == expected if may else code == 2 and said.startswith("error: the login may not do this")
            if not good:
                wrong.append(f"{command} as {login} ({may}): {code} {said}")
    print("\n".join(wrong), file=open("/tmp/roles_wrong.txt", "w"))
    assert not wrong
