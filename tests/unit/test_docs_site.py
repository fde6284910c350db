"""The site of `make docs`: every page can be reached, and no docstring breaks it."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from keizoku.db.tables import metadata
from tests.rooms_picture import PICTURE, rooms_svg

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


@pytest.fixture(scope="module")
def conf() -> ModuleType:
    spec = importlib.util.spec_from_file_location("keizoku_docs_conf", DOCS / "conf.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def listed() -> list[str]:
    """The pages of the navigation, in order."""
    trees = re.findall(r"^```{toctree}\n(.*?)^```", (DOCS / "index.md").read_text(encoding="utf-8"), re.M | re.S)
    return [line for tree in trees for line in tree.splitlines() if line and not line.startswith(":")]


def test_every_page_is_in_the_navigation_once(conf: ModuleType) -> None:
    written = {str(page.relative_to(DOCS).with_suffix("")) for page in DOCS.rglob("*.md")} - {"index"}
    generated = {f"reference/calls/{name}" for name in conf.PAGES}
    assert sorted(listed()) == sorted(written | generated)


def test_every_link_of_a_page_leads_to_a_file() -> None:
    """`make docs` says it of the whole site; this says it at once, and of the pages beside it."""
    pages = [*DOCS.rglob("*.md"), *ROOT.glob("*.md"), *(ROOT / "examples").rglob("*.md")]
    broken = [
        (str(page.relative_to(ROOT)), link)
        for page in pages
        for link in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
        if not re.match(r"\w+:", link) and not (page.parent / link).exists()
    ]
    assert broken == []


def test_the_picture_of_the_rooms_is_the_present_one() -> None:
    assert PICTURE.read_text(encoding="utf-8") == rooms_svg(), "draw it anew: python -m tests.rooms_picture"


def test_the_pictures_of_the_console_stay_small() -> None:
    """`python -m tests.console_pictures` makes them: 1180 × 760 points, light, few colours."""
    pictures = sorted((DOCS / "images").glob("*.png"))
    assert [each.name for each in pictures] == ["console-month.png", "console-today.png"]
    for each in pictures:
        content = each.read_bytes()
        assert (int.from_bytes(content[16:20], "big"), int.from_bytes(content[20:24], "big")) == (1180, 760)
        assert len(content) < 90_000, each.name


def glossary() -> list[list[str]]:
    """The rows of the glossary: English, Japanese, meaning, names in the code."""
    lines = (DOCS / "reference" / "glossary.md").read_text(encoding="utf-8").splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    return rows[2:]


def test_the_glossary_is_in_alphabetical_order_and_pairs_every_word() -> None:
    words = [english.lower() for english, *_ in glossary()]
    assert words == sorted(set(words))
    assert [row for row in glossary() if len(row) != 4 or not all(row[:3])] == []


def test_every_name_that_the_glossary_gives_is_in_the_code() -> None:
    sources = "\n".join(
        file.read_text(encoding="utf-8")
        for room in ("billing", "db", "link", "scheduler", "sla", "terms", "web")
        for file in (ROOT / room).rglob("*.py")
    )
    there = {*re.findall(r"^class (\w+)", sources, re.M), *metadata.tables}
    named = [name for *_, names in glossary() for name in re.findall(r"`([^`]+)`", names)]
    assert len(named) > 50
    assert [name for name in named if name not in there and not (ROOT / name).is_file()] == []


def test_a_docstring_is_plain_text(conf: ModuleType) -> None:
    said = """\
What `owed` says of *one* account_ and `Fraction`s.

    due 04-30 ── 30 days ── paid 05-30

- a first thing, |bar|
- a second,
  which goes on
"""
    assert conf.as_markup(said.splitlines()) == [
        "What ``owed`` says of \\*one\\* account\\_ and ``Fraction``\\ s.",
        "",
        "::",
        "",
        "        due 04-30 ── 30 days ── paid 05-30",
        "",
        "- a first thing, \\|bar\\|",
        "- a second,",
        "  which goes on",
        "",
    ]


def test_a_link_out_of_the_folder_is_to_a_file(conf: ModuleType) -> None:
    text = ["[a](../README.md#x) [b](close.md) [c](../quickstart.md) [d](../../README.md)"]
    conf._files_outside(None, "how-to/embed", text)
    assert text == ["[a](../README.md#x) [b](close.md) [c](../quickstart.md) [d](path:../../README.md)"]
