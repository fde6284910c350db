"""The scenarios outside this folder come true too, and the command says so."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from keizoku.db.session import libpq_address, make_engine, normalised_url
from keizoku.scheduler.cli.operations.scenario import app
from keizoku.scheduler.scenario import kept_schema
from keizoku.scheduler.scenario.report import as_text
from keizoku.scheduler.scenario.run import run_file

PROJECT = Path(__file__).parents[2]
GIVEN = PROJECT.parent / "shared" / "scenarios"
GOOD = """\
title: One month
plans: {monthly: {interval: month, prices: [{yen: 500, from: 2024-12-02}]}}
timeline:
  - {at: 2025-01-10 09:00, approve: {account: jiro, plan: monthly, method: card}}
expect:
  - {at: 2025-01-11, charges: {account: jiro, count: 1, yen: 500}}
"""


def test_the_example_of_the_how_to_comes_true(tmp_path: Path, database_url: sa.URL | str) -> None:
    how_to = (PROJECT / "docs" / "how-to" / "scenarios.md").read_text(encoding="utf-8")
    examples = re.findall(r"```yaml\n(.*?)```", how_to, re.DOTALL)
    assert len(examples) == 1
    path = tmp_path / "example.yaml"
    path.write_text(examples[0], encoding="utf-8")
    outcome = run_file(path, database_url)
    assert outcome.passed, as_text(outcome)


@pytest.mark.skipif(not GIVEN.is_dir(), reason="the scenarios that were given are not at hand")
@pytest.mark.parametrize("name", ["late-interest", "outage-credit"])
def test_the_given_scenarios_come_true(name: str, database_url: sa.URL | str) -> None:
    outcome = run_file(GIVEN / f"{name}.yaml", database_url)
    assert outcome.passed, as_text(outcome)


def test_nights_load_nothing_that_measures_a_month_before_there_is_a_claim(
    tmp_path: Path, database_url: sa.URL | str
) -> None:
    """In a process of its own: the nights of a month with a renewal. The users are declared at the desk of sla."""
    unwanted = (
        "alembic",
        "apscheduler",
        "duckdb",
        "jinja2",
        "keizoku.sla.evidence.observations",
        "keizoku.sla.claims.claim_stage",
        "stripe",
    )
    code = (
        "import pathlib, sys; from keizoku.scheduler.scenario.run import run_file; "
        "passed = run_file(pathlib.Path(sys.argv[1]), sys.stdin.read()).passed; "
        f"print(passed, [name for name in {unwanted!r} if name in sys.modules])"
    )
    url = libpq_address(normalised_url(database_url))
    once = "2025-01-11, charges: {account: jiro, count: 1, yen: 500}"
    twice = "2025-02-11, charges: {account: jiro, count: 2, yen: 1000}"
    diary = tmp_path / "diary.yaml"
    assert once in GOOD
    diary.write_text(GOOD.replace(once, twice), encoding="utf-8")
    answer = subprocess.run(
        [sys.executable, "-c", code, str(diary)], input=url, capture_output=True, text=True, check=True
    )
    assert answer.stdout == "True []\n"


def test_the_command_runs_every_file_and_its_exit_code_tells(
    tmp_path: Path, database_url: sa.URL | str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = libpq_address(normalised_url(database_url))
    monkeypatch.setenv("KEIZOKU_DATABASE_URL", url)
    files = {"good": GOOD, "bad": GOOD.replace("yen: 500}}", "yen: 499}}"), "wrong": GOOD.replace("expect", "expct")}
    for name, text in files.items():
        (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")

    def code(*names: str, jobs: int = 1) -> tuple[int, str]:
        paths = [str(tmp_path / f"{name}.yaml") for name in names]
        result = CliRunner().invoke(app, ["run", *paths, "--json", "--jobs", str(jobs)])
        return result.exit_code, result.stdout

    assert code("good")[0] == 0
    assert code("wrong", "good")[0] == 2
    exit_code, printed = code("wrong", "bad", "good")
    assert exit_code == 1
    assert code("wrong", "bad", "good", jobs=2) == (exit_code, printed)
    wrong, bad, good = json.loads(printed)
    assert good == {"file": str(tmp_path / "good.yaml"), "title": "One month", "passed": True, "failures": []}
    assert bad["failures"] == [
        {
            "at": "2025-01-11",
            "check": "charges",
            "expected": {"account": "jiro", "count": 1, "yen": 499},
            "actual": {"account": "jiro", "count": 1, "yen": 500},
        }
    ]
    assert not wrong["passed"]
    assert [failure["check"] for failure in wrong["failures"]] == ["document", "document"]


@pytest.fixture
def empty_database(database_url: sa.URL | str) -> Iterator[sa.URL]:
    """A database in which nobody else runs scenarios meanwhile."""
    name = f"own_{uuid4().hex}"
    server = make_engine(database_url).execution_options(isolation_level="AUTOCOMMIT")
    with server.connect() as session:
        session.exec_driver_sql(f"CREATE DATABASE {name}")
        yield sa.make_url(database_url).set(database=name)
        session.exec_driver_sql(f"DROP DATABASE {name}")


def test_no_schema_is_left_behind_unless_it_is_to_be_kept(
    tmp_path: Path, empty_database: sa.URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_schema, "CLUSTER_NAME", "of no server: where none may last")
    path = tmp_path / "good.yaml"
    path.write_text(GOOD, encoding="utf-8")
    with make_engine(empty_database).connect() as session:

        def schemas() -> set[str]:
            found = session.scalars(sa.text("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'scenario_%'"))
            return set(found)

        assert run_file(path, empty_database).passed
        assert schemas() == set()
        kept = run_file(path, empty_database, keep_schema=True)
        assert schemas() == {kept.schema}
