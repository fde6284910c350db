"""What every page that is a file must be, as a browser measures it."""

from __future__ import annotations

from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import pypdf

if TYPE_CHECKING:
    from playwright.sync_api import Page

HEARD = """
window.broken = [];
document.addEventListener(
    "securitypolicyviolation", each => window.broken.push(each.violatedDirective + " " + each.blockedURI)
);
"""
"""A script before all of a page's: it keeps what the policy of the page forbade, in `window.broken`."""
FEWEST_LINES = 5
"""Of a page of paper: less is a page that nobody wanted."""
_PICTURES = """() => {
  const at = each => each.getBoundingClientRect();
  return [...document.querySelectorAll('svg.keizoku-month')].filter(each => at(each).width).map(each => [
    each.classList[1], Math.round(at(each).width), each.parentElement.scrollWidth - each.parentElement.clientWidth,
    Math.min(...[...each.querySelectorAll('text')].map(text => at(text).left - at(each).left))]); }"""
_FOUND = "async () => (await axe.run()).violations.map(each => [each.id, each.nodes.map(node => node.html)])"
_TILES = """() => [...document.querySelectorAll('.keys')].flatMap(keys => {
  const rows = Map.groupBy([...keys.children].filter(key => key.getBoundingClientRect().width),
    key => Math.round(key.getBoundingClientRect().top));
  return [...rows.values()].map(row => [row.length,
    new Set(row.map(key => Math.round(key.querySelector('dd').getBoundingClientRect().top))).size,
    new Set(row.map(key => Math.round(key.getBoundingClientRect().width))).size]); })"""


def fits_a_phone(page: Page) -> None:
    """No page and no picture is wider than a phone; pictures are those drawn for one, no word is cut off."""
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    for name, width, beyond, left in page.evaluate(_PICTURES):
        assert (name, beyond <= 0, left >= 0) == ("phone", True, True)
        assert 280 < width < 390
    tiles_line_up(page)


def tiles_line_up(page: Page) -> None:
    """The tiles of a row have one width and their values stand on one line; no row has a single tile."""
    rows = page.evaluate(_TILES)
    assert rows
    assert [row for row in rows if row[0] < 2 or row[1:] != [1, 1]] == []


def printed(page: Page) -> list[int]:
    """The lines of each sheet of A4, none of which has less than a few."""
    paper = pypdf.PdfReader(BytesIO(page.pdf(prefer_css_page_size=True)))
    assert {tuple(round(float(side)) for side in each.mediabox[2:]) for each in paper.pages} == {(595, 842)}
    lines = [len([line for line in each.extract_text().splitlines() if line.strip()]) for each in paper.pages]
    assert min(lines) >= FEWEST_LINES, lines
    return lines


def axe() -> str:
    """The source of axe-core, as its package brings it."""
    spec = find_spec("axe_playwright_python")
    assert spec is not None
    assert spec.origin is not None
    return (Path(spec.origin).parent / "axe.min.js").read_text(encoding="utf-8")


def barred_nowhere(page: Page) -> None:
    """What axe finds, by day and by night: nothing."""
    page.evaluate(axe())
    page.emulate_media(color_scheme="light")
    assert page.evaluate(_FOUND) == []
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(_FOUND) == []
