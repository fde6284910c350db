"""An application that has a `billing`, a `db` and a `scheduler` of its own installs the wheel and keeps all three."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from keizoku.db.session import libpq_address, normalised_url
from tests.worlds.installed import Installed

DIARY = """\
title: One month
plans: {monthly: {interval: month, prices: [{yen: 500, from: 2024-12-02}]}}
timeline:
  - {at: 2025-01-10 09:00, approve: {account: jiro, plan: monthly, method: card}}
expect:
  - {at: 2025-01-11, charges: {account: jiro, count: 1, yen: 500}}
"""
OWN_TEST = """\
import billing, billing.views, db, scheduler, sla, terms
import keizoku.billing, keizoku.db, keizoku.scheduler, keizoku.sla, keizoku.terms

def test_its_own_are_its_own():
    assert billing.views.OURS == db.OURS == scheduler.OURS == sla.OURS == terms.OURS == "the application's"
    assert keizoku.billing is not billing
"""
OURS = 'OURS = "the application\'s"\n'


@pytest.fixture
def application(tmp_path: Path) -> Path:
    written = {
        "pyproject.toml": '[tool.pytest.ini_options]\nkeizoku_scenarios = ["diaries"]\npythonpath = ["."]\n',
        "billing/__init__.py": "",
        "billing/views.py": OURS,
        "db.py": OURS,
        "scheduler/__init__.py": OURS,
        "sla.py": OURS,
        "terms/__init__.py": OURS,
        "tests/test_own.py": OWN_TEST,
        "diaries/month.yaml": DIARY,
        "compose.yaml": "services: {}\n",
    }
    for name, text in written.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_both_run(installed: Installed, application: Path, database_url: sa.URL | str) -> None:
    """Its tests see its own modules, our plugin runs its diaries, and the command line works in its folder."""
    url = libpq_address(normalised_url(database_url))
    done = installed.run(
        "python", "-m", "pytest", "-q", "-rA", "-W", "error", "-p", "no:cacheprovider", cwd=application,
        KEIZOKU_DATABASE_URL=url,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert {line.split()[1] for line in done.stdout.splitlines() if line.startswith("PASSED")} == {
        "tests/test_own.py::test_its_own_are_its_own",
        "diaries/month.yaml::month",
    }
    ran = installed.run("keizoku", "scenario", "run", "diaries/month.yaml", cwd=application, KEIZOKU_DATABASE_URL=url)
    assert ran.returncode == 0, ran.stderr
    assert installed.run("python", "-m", "keizoku", "--version", cwd=application).returncode == 0
