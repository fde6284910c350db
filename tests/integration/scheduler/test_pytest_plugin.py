"""Scenario files are tests wherever keizoku and pytest are installed, and nothing else of a host's repository is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from keizoku.db.session import libpq_address, normalised_url

GOOD = """\
title: One month
plans: {monthly: {interval: month, prices: [{yen: 500, from: 2024-12-02}]}}
timeline:
  - {at: 2025-01-10 09:00, approve: {account: jiro, plan: monthly, method: card}}
expect:
  - {at: 2025-01-11, charges: {account: jiro, count: 1, yen: 500}}
"""
FALSE = GOOD.replace("One month", "A wrong sum").replace("yen: 500}}", "yen: 499}}")
WRONG = GOOD.replace("charges:", "charge:")
LIGHT = """\
import sys

def test_no_scenario_no_engine():
    heavy = {"sqlalchemy", "psycopg", "duckdb", "yaml", "rich", "typer", "pydantic"}
    rooms = {f"keizoku.{room}" for room in ("billing", "db", "link", "sla", "terms")}
    assert (heavy | rooms) & sys.modules.keys() == set()
"""


def pytest_in(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("KEIZOKU_", "PYTEST_"))}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments],
        cwd=folder, env=environment | variables, capture_output=True, text=True, check=False,
    )  # fmt: skip


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def test_a_hosts_run_without_scenarios_loads_nothing_of_the_engine(tmp_path: Path) -> None:
    write(tmp_path, test_light_dot_py=LIGHT, compose_dot_yaml="services: {}", chart__values_dot_yaml=GOOD)
    done = pytest_in(tmp_path, "-q", "-W", "error", KEIZOKU_DATABASE_URL="postgresql://nobody@nowhere.invalid/none")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout


def test_a_hosts_scenarios_are_tests_beside_its_own(tmp_path: Path, database_url: sa.URL | str) -> None:
    write(
        tmp_path,
        pytest_dot_ini="[pytest]\nkeizoku_scenarios = diaries\n",
        good_dot_scenario_dot_yaml=GOOD,
        false_dot_scenario_dot_yaml=FALSE,
        wrong_dot_scenario_dot_yaml=WRONG,
        compose_dot_yaml="services: {}",
        diaries__deep__plain_dot_yaml=GOOD,
        test_own_dot_py="def test_own(): pass\n",
    )
    url = libpq_address(normalised_url(database_url))
    done = pytest_in(tmp_path, "-v", "-n", "1", "--keizoku-database-url", url)
    assert done.returncode == 1, done.stdout + done.stderr
    verdicts = {
        word: verdict
        for line in done.stdout.splitlines()
        if line.startswith("[gw0]")
        for verdict, word in [line.split()[-2:]]
        if verdict in ("PASSED", "FAILED")
    }
    assert verdicts == {
        "good.scenario.yaml::good": "PASSED",
        "false.scenario.yaml::false": "FAILED",
        "wrong.scenario.yaml::wrong": "FAILED",
        "diaries/deep/plain.yaml::plain": "PASSED",
        "test_own.py::test_own": "PASSED",
    }
    assert "✗ A wrong sum" in done.stdout
    assert "yen: 499" in done.stdout  # expected beside actual
    assert "yen: 500" in done.stdout
    assert "the nearest known one is `charges`" in done.stdout
    assert "Traceback" not in done.stdout


@pytest.mark.parametrize(
    ("ini", "url", "code", "says"),
    [
        ("keizoku_scenarios = diarys", "postgresql://nobody@localhost/none", 4, "keizoku_scenarios: no such folder:"),
        ("", "mysql://root@localhost/none", 1, "only postgresql:// is spoken here"),
    ],
)
def test_what_is_set_wrongly_is_said_in_a_line(tmp_path: Path, ini: str, url: str, code: int, says: str) -> None:
    write(tmp_path, pytest_dot_ini=f"[pytest]\n{ini}\n", good_dot_scenario_dot_yaml=GOOD)
    done = pytest_in(tmp_path, "-q", "--keizoku-database-url", url)
    assert done.returncode == code
    assert says in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
