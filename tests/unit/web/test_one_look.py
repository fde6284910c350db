"""One look: reports, console, members' pages and letters take their colours from one place, and share their blocks."""

import re
from pathlib import Path

import pytest

from keizoku.scheduler.reports.templates import HERE, STYLE_SHEET, colour_of
from keizoku.sla.pictures.timeline import STYLE
from keizoku.web.pages.shared import assets

ROOT = HERE.parents[1]
STYLED = STYLE_SHEET.read_text(encoding="utf-8")
CONSOLE = (ROOT / "web/pages/shared/static/console.css").read_text(encoding="utf-8")
LETTERS = sorted((ROOT / "billing/documents").glob("*.html.j2"))
PAGES = sorted([*HERE.glob("*.html.j2"), *(ROOT / "web/pages").rglob("*.html.j2"), *(ROOT / "scheduler").rglob("*.j2")])
TOKEN = re.compile(r"(--[a-z-]+): ")
COLOUR = re.compile(r"#[0-9a-fA-F]{3,6}\b")


def tokens(sheet: str) -> set[str]:
    return set(TOKEN.findall(sheet))


def test_every_token_that_is_used_is_stated_in_the_one_sheet_and_in_no_other() -> None:
    used = {name for sheet in (STYLED, CONSOLE, STYLE) for name in re.findall(r"var\((--[a-z-]+)", sheet)}
    assert used <= tokens(STYLED)
    assert tokens(CONSOLE) | tokens(STYLE) == set()


def test_by_night_each_colour_has_another() -> None:
    day, night = (set(re.findall(r"(--[a-z-]+): #", part)) for part in STYLED.split("@media")[:2])
    assert day == night
    assert len(day) > 12


@pytest.mark.parametrize("path", [*LETTERS, *PAGES], ids=lambda path: path.name)
def test_no_page_and_no_letter_has_a_colour_of_its_own(path: Path) -> None:
    known = {colour_of(name) for name in ("ink", "soft", "line", "paper")}
    found = set(COLOUR.findall(re.sub(r'href="#[^"]*"', "", path.read_text(encoding="utf-8"))))
    assert found <= (known if path in LETTERS else set())


def test_the_console_is_the_reports_sheet_and_what_it_adds() -> None:
    sheet = assets._content("console.css").decode()
    assert sheet.startswith(STYLED)
    assert CONSOLE in sheet
    assert sheet.endswith(STYLE)
    components = (ROOT / "web/pages/shared/templates/components.html.j2").read_text(encoding="utf-8")
    assert components.startswith('{% from "parts.html.j2" import fact, tile %}')
