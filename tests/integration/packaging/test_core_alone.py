"""Who installs no extra has the rules, the night on a server of his own, and the command line; the rest is named."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import sqlalchemy as sa

from keizoku.db.session import libpq_address, normalised_url
from keizoku.extras import EXTRAS
from tests.worlds.installed import ROOT, Installed
from tests.worlds.pages import python_blocks

IMPORT_ALL = """\
import importlib, pkgutil, sys
for name in sys.argv[1:]:
    room = importlib.import_module(name)
    for found in pkgutil.walk_packages(room.__path__, f"{name}."):
        importlib.import_module(found.name)
"""


def test_what_the_extras_bring_is_not_there(core: Installed) -> None:
    code = "import importlib.util, sys; print([name for name in sys.argv[1:] if importlib.util.find_spec(name)])"
    modules = [module for each in EXTRAS.values() for module in each]
    assert core.run("python", "-c", code, *modules).stdout.strip() == "[]"


def test_every_rule_can_be_imported(core: Installed) -> None:
    done = core.run("python", "-c", IMPORT_ALL, "keizoku.billing.rules", "keizoku.sla.rules", "keizoku.terms")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.fixture(scope="module")
def settings(
    core: Installed, database_url: sa.URL | str, run_alone: Callable[[str], object]
) -> Iterator[dict[str, str]]:
    """A database of a server that is named by its address, upgraded by the core."""
    name = f"core_{uuid4().hex}"
    run_alone(f"CREATE DATABASE {name}")
    url = libpq_address(normalised_url(database_url).set(database=name))
    named = {"KEIZOKU_DATABASE_URL": url, "KEIZOKU_DATABASE_SCHEMA": "keizoku"}
    done = core.run("keizoku", "db", "upgrade", cwd=core.folder, **named)
    assert done.returncode == 0, done.stderr
    yield named
    run_alone(f"DROP DATABASE {name} WITH (FORCE)")


def test_the_web_shop_of_the_page_runs_its_nights(core: Installed, settings: dict[str, str], tmp_path: Path) -> None:
    page = tmp_path / "shop.py"
    page.write_text("\n".join(python_blocks(ROOT / "docs" / "how-to" / "embed.md")))
    done = core.run("python", page, cwd=tmp_path, **settings)
    assert done.returncode == 0, done.stderr


def test_the_command_line_works_on_a_server_by_its_url(core: Installed, settings: dict[str, str]) -> None:
    diary = ROOT / "tests" / "scenarios" / "premium-5.2-late-interest.yaml"
    assert core.run("keizoku", "--help").returncode == 0
    assert core.run("keizoku", "terms", "list").returncode == 0
    done = core.run("keizoku", "scenario", "run", diary, cwd=core.folder, **settings)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("command", "extra", "instead"),
    [
        ("night", "embedded", ", or name a server of yours in KEIZOKU_DATABASE_URL"),
        ("sla measure --month 2026-04 --observations seen.csv --population 40000", "evidence", ""),
        ("close 2026-04", "evidence", ""),
        ("report 2026-04 --out report", "evidence", ""),
        ("sla report 2026-04 --out report.html", "documents", ""),
        ("invoice month 2026-04 --out documents", "documents", ""),
        ("payments settle", "stripe", ""),
        ("worker", "worker", ""),
        ("backup list", "backup", ""),
    ],
)
def test_a_missing_extra_is_named_in_a_line(
    core: Installed, settings: dict[str, str], tmp_path: Path, command: str, extra: str, instead: str
) -> None:
    here = {"KEIZOKU_DATA_DIR": str(tmp_path)} if extra == "embedded" else settings
    if extra == "stripe":
        here = here | {"KEIZOKU_GATEWAY": "stripe", "KEIZOKU_STRIPE_SECRET_KEY": "sk_test_1"}
    done = core.run("keizoku", *command.split(), cwd=tmp_path, **here)
    said = [line for line in done.stderr.splitlines() if not line.startswith("database:")]
    line = f"error: this needs the extra \"{extra}\": pip install 'keizoku[{extra}]'{instead}"
    assert (done.returncode, said) == (2, [line])
