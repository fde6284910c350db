"""Every command, given by a login of every role: those that it is for succeed, the others are refused in one line."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import typer

from keizoku.billing.closing.reconciliation_run import reconcile_month
from keizoku.billing.gateway.simulated import SimulatedGateway
from keizoku.scheduler import cli
from keizoku.scheduler.backup.dump import new_key
from keizoku.scheduler.cli.shared.rights import ALLOWED, WITHOUT_DATABASE
from keizoku.terms.calendar import Month, parse_instant
from tests.worlds.role_walk import FOUND, NOT_WALKED, WALK, leave_unanswered, write_files

ROLES = ("support", "finance", "worker", "tokens")
"""In this order: whoever may not do a thing tries before somebody does it. A login for tokens is a worker's, too."""


def every_command() -> set[str]:
    """As they are typed, `claim submit`; a group of one command is that command."""
    return {" ".join(path) for path in _leaves(cli.COMMANDS)}


def _leaves(targets: Mapping[str, cli.Target]) -> Iterator[tuple[str, ...]]:
    for name, target in targets.items():
        module, attribute = target.place.split(":")
        yield from _below(typer.main.get_command(getattr(import_module(module), attribute)), (name,))


def _below(command: Any, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    inner = getattr(command, "commands", None)
    if inner is None or command.invoke_without_command:
        yield path
    if inner is None:
        return
    for name, each in inner.items():
        yield from _below(each, (*path, name))


def test_the_table_of_rights_names_every_command_once() -> None:
    assert sorted([*ALLOWED, *WITHOUT_DATABASE]) == sorted(every_command())


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """The exit code, and what it says on stderr but where the database is."""
    code: object = "a trace"
    try:
        cli.main(arguments)
    except SystemExit as ended:
        code = ended.code
    except Exception as error:  # the walk goes on, and tells all at its end
        return -1, repr(error)
    assert isinstance(code, int)
    said = [each for each in capsys.readouterr().err.splitlines() if not each.startswith("database: ")]
    return code, "\n".join(said)


def test_each_command_is_for_its_roles_and_refused_to_the_others(
    served: sa.Engine,
    logins: Mapping[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    assert sorted({*(command for command, _, _ in WALK), *NOT_WALKED}) == sorted(ALLOWED)  # some are given twice
    write_files(tmp_path)
    monkeypatch.setenv("KEIZOKU_DATABASE_URL", logins["worker"])
    monkeypatch.setenv("KEIZOKU_BACKUP_RECIPIENTS", new_key()[1])
    monkeypatch.setenv("KEIZOKU_BACKUP_STORES", f"{tmp_path}/s1,{tmp_path}/s2,memory://{uuid.uuid4().hex}")
    monkeypatch.setenv("KEIZOKU_SCREENING", "tests.worlds.role_walk:everybody")
    monkeypatch.setenv("KEIZOKU_LINK_PARTNER", "simulated")
    monkeypatch.setenv("KEIZOKU_LINK_KEY_FILE", str(tmp_path / "keys"))
    monkeypatch.setenv("KEIZOKU_WEBHOOK_KEY_FILE", str(tmp_path / "keys"))
    wrong = []
    for command, arguments, expected in WALK:
        allowed = ALLOWED[command]
        if command == "payments unknown":
            with served.connect() as session:
                leave_unanswered(session)
        for role in ROLES if "tokens" in allowed else ROLES[:-1]:
            monkeypatch.setenv("KEIZOKU_DATABASE_URL", logins[role])
            number = ROLES.index(role if role in allowed else allowed[-1]) + 1
            found = _found(served, arguments, tmp_path)
            given = arguments.format(n=number, new=ROLES.index(role) + 1, who=role, dir=tmp_path, **found)
            code, said = run(capsys, *command.split(), *given.split())
            good = code == expected if role in allowed else code == 2 and _is_refusal(said, allowed)
            if not good:
                wrong.append(f"keizoku {command} {given} as {role}: {code} {said}")
    assert not wrong, "\n".join(wrong)


def test_the_owner_gives_every_command(
    served: sa.Engine,
    logins: Mapping[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    """Whoever owns the schema needs no role, also for what no role may: a host that has one login only is this case."""
    write_files(tmp_path)
    monkeypatch.setenv("KEIZOKU_DATABASE_URL", logins["owner"])
    monkeypatch.setenv("KEIZOKU_BACKUP_RECIPIENTS", new_key()[1])
    monkeypatch.setenv("KEIZOKU_BACKUP_STORES", f"{tmp_path}/s1,{tmp_path}/s2,memory://{uuid.uuid4().hex}")
    monkeypatch.setenv("KEIZOKU_SCREENING", "tests.worlds.role_walk:everybody")
    monkeypatch.setenv("KEIZOKU_LINK_PARTNER", "simulated")
    monkeypatch.setenv("KEIZOKU_LINK_KEY_FILE", str(tmp_path / "keys"))
    monkeypatch.setenv("KEIZOKU_WEBHOOK_KEY_FILE", str(tmp_path / "keys"))
    wrong = []
    for command, arguments, expected in WALK:
        if command == "payments unknown":
            with served.connect() as session:
                leave_unanswered(session)
        found = _found(served, arguments, tmp_path, "owner")
        given = arguments.format(n=1, new=1, who="owner", dir=tmp_path, **found)
        code, said = run(capsys, *command.split(), *given.split())
        if code not in (0, expected):  # what another role has done in the walk of roles is not done here
            wrong.append(f"keizoku {command} {given}: {code} {said}")
    assert not wrong, "\n".join(wrong)


def _is_refusal(said: str, allowed: tuple[str, ...]) -> bool:
    """One line that names a role which may."""
    named = re.fullmatch(r"error: the login may not do this in the database: .*; it needs the role ([a-z ]+): .*", said)
    return named is not None and set(allowed) <= set(named[1].split(" or "))


def _found(engine: sa.Engine, arguments: str, folder: Path, who: str = "worker") -> dict[str, object]:
    """What the arguments name that is only known by now."""
    with engine.connect() as session:
        found: dict[str, object] = {
            name: session.exec_driver_sql(query).scalar() for name, query in FOUND.items() if f"{{{name}}}" in arguments
        }
        if "{exception}" in arguments:
            month = Month(2026, 4)
            told = reconcile_month(session, SimulatedGateway(engine), month, parse_instant("2026-06-01 00:00"))
            found["exception"] = told.open[0].key
    for name in ("key", "coupon"):
        if f"{{{name}}}" in arguments:
            found[name] = (folder / f"{name}s-{who}").read_text(encoding="utf-8").split()[0]
    return found
