"""The picture of docs/explanation/architecture.md: the layers of import-linter, and what each folder says.

    pyproject.toml, the first line of each folder's docstring ──> docs/images/rooms.svg

`python -m tests.rooms_picture` draws it anew; tests/unit/test_docs_site.py fails while it is not the present one.
"""

from __future__ import annotations

import ast
import textwrap
import tomllib
from html import escape
from pathlib import Path

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs" / "images" / "rooms.svg"
WIDTH, MARGIN, GAP = 980, 16, 14
NAME, LINE, PADDING = 104, 16, 8
COLOURS = {
    "scheduler": "#3d5a80",
    "billing": "#2f6f55",
    "sla": "#8a4b2d",
    "link": "#6b4c7a",
    "terms": "#5a5470",
    "db": "#5a5470",
}
PURE = "#e9f3ea"  # the pure wings


def layers_of(container: str) -> list[list[str]]:
    """The floors of a room, the highest first, each with the folders and files that share it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = project["tool"]["importlinter"]["contracts"]
    layers = next(each["layers"] for each in contracts if each.get("containers") == [container])
    return [[name.strip() for name in layer.split("|")] for layer in layers]


def says(place: Path) -> str:
    """The first line of a module's or a package's docstring, without its full stop and marks of code."""
    file = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
    docstring = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    return docstring.split("\n")[0].rstrip(".").replace("`", "")


def rooms_svg() -> str:
    """The whole picture: the scheduler above billing, sla and link, which stand side by side above db and terms."""
    half = (WIDTH - 2 * MARGIN - GAP) // 2
    left, right = MARGIN, MARGIN + half + GAP
    top, below = _room("scheduler", MARGIN, MARGIN, WIDTH - 2 * MARGIN)
    billing, end = _room("billing", left, below + GAP, half)
    sla, other = _room("sla", right, below + GAP, half)
    link, other = _room("link", right, other + GAP, half)
    ground = max(end, other) + GAP
    db, bottom = _room("db", left, ground, half)
    terms, _ = _room("terms", right, ground, half)
    height = bottom + MARGIN
    attributes = 'font-family="sans-serif" font-size="12" role="img" aria-label="The rooms of Keizoku and their floors"'
    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" {attributes}>',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        *top, *billing, *sla, *link, *db, *terms,
        "</svg>",
    ]  # fmt: skip
    return "\n".join(drawn) + "\n"


def _room(room: str, x: int, y: int, width: int) -> tuple[list[str], int]:
    """A room with its title and floors; and where it ends."""
    letters = (width - NAME - 4 * PADDING) // 6
    colour = COLOURS[room]
    drawn = [_text(x + PADDING, y + 18, room, 'font-weight="bold" fill="#ffffff"')]
    at = y + 18
    for line in textwrap.wrap(says(ROOT / room), letters):
        drawn.append(_text(x + PADDING + NAME, at, line, 'fill="#ffffff"'))
        at += LINE
    at -= 8
    for floor in layers_of(f"keizoku.{room}") if room in ("scheduler", "billing", "sla", "link") else ():
        rows = [(name, textwrap.wrap(says(ROOT / room / name), letters)) for name in floor]
        height = sum(len(lines) for _, lines in rows) * LINE + 8
        fill = PURE if floor == ["rules"] else "#ffffff"
        drawn.append(f'<rect x="{x + 4}" y="{at}" width="{width - 8}" height="{height}" fill="{fill}"/>')
        line_at = at + 15
        for name, lines in rows:
            drawn.append(_text(x + PADDING, line_at, name, f'font-weight="bold" fill="{colour}"'))
            for line in lines:
                drawn.append(_text(x + PADDING + NAME, line_at, line, 'fill="#222222"'))
                line_at += LINE
        at += height + 3
    at += 1
    return [f'<rect x="{x}" y="{y}" width="{width}" height="{at - y}" rx="4" fill="{colour}"/>', *drawn], at


def _text(x: int, y: int, text: str, style: str) -> str:
    return f'<text x="{x}" y="{y}" {style}>{escape(text)}</text>'


if __name__ == "__main__":
    PICTURE.write_text(rooms_svg(), encoding="utf-8")
