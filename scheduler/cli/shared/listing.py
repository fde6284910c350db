"""Lists: at most so many rows, a word on stderr where they are cut, and how to go on.

A list is read a page at a time. `--after` names the last row that was seen; `--all` goes on to the end, page by page,
so that no more than a page is in memory.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

import typer

from keizoku.scheduler.cli.shared.ids import numbered
from keizoku.scheduler.cli.shared.language import both
from keizoku.scheduler.cli.shared.output import FOUND, emit, fail, in_japan, json_text, note

__all__ = [
    "After",
    "All",
    "Cut",
    "Limit",
    "Page",
    "Pages",
    "Row",
    "by_number",
    "emit_pages",
    "emit_rows",
    "lines_of",
    "number_after",
    "of_rows",
]

SHOWN: Final = 100
PAGE: Final = 1000
"""Rows of a page where all are asked for."""

Limit = Annotated[
    int,
    typer.Option("--limit", min=0, help=both("At most this many rows; 0: all.", "表示する件数の上限。0 ならすべて。")),
]
All = Annotated[bool, typer.Option("--all", help=both("Every row, however many.", "何件でもすべて表示します。"))]
After = Annotated[
    str,
    typer.Option(
        "--after", metavar="ID", help=both("Continue after this row of the list.", "一覧のこの行の次から続けます。")
    ),
]

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Page:
    """What is asked of a list: `limit` rows (0: all) behind the row with the id `after` ("": from the first on)."""

    limit: int
    after: str = ""

    @classmethod
    def wanted(cls, limit: int, after: str, everything: bool = False) -> Page:
        """As the three options say it."""
        return cls(0 if everything else limit, after.strip())


@dataclass(frozen=True)
class Pages:
    """A list that can be read page by page: how, how many rows it has in all, what a row is called."""

    read: Callable[[int, str], Sequence[Row]]
    """(at most so many rows, behind the row of this id or "" from the first on)."""
    count: Callable[[], int]
    name: Callable[[Row], str] = lambda row: str(row["id"])
    """What `--after` calls a row."""


def of_rows(rows: Sequence[Row], key: str = "id") -> Pages:
    """Pages of a list that is short enough to be at hand as a whole; rows of one id are distinguished as `id#2`."""
    names: list[str] = []
    seen: Counter[str] = Counter()
    for row in rows:
        name = str(row[key])
        seen[name] += 1
        names.append(name if seen[name] == 1 else f"{name}#{seen[name]}")
    by_row = {id(row): name for row, name in zip(rows, names, strict=True)}

    def read(limit: int, after: str) -> Sequence[Row]:
        start = 0
        if after:
            printed = [place for place, name in enumerate(names) if after in (name, in_japan(name))]
            if not printed:
                fail(f"--after {after}: no row of the list has this {key.replace('_', ' ')}", FOUND)
            start = printed[0] + 1
        return rows[start : start + limit]

    return Pages(read, lambda: len(rows), lambda row: by_row[id(row)])


def by_number(read: Callable[[int, int], Sequence[Row]], count: Callable[[], int], *words: str) -> Pages:
    """Pages of rows that are called by their numbers: `read` (at most so many, behind this number or 0)."""
    return Pages(lambda limit, after: read(limit, number_after(after, *words) or 0), count)


def number_after(after: str, *words: str) -> int | None:
    """The number of the row to go on behind; None: from the first on."""
    return numbered(*words)(after) if after else None


def emit_rows(rows: Sequence[Row], page: Page, nothing: str, as_json: bool, key: str = "id") -> None:
    """Print a list that is at hand as a whole."""
    emit_pages(of_rows(rows, key), page, nothing, as_json)


def emit_pages(
    pages: Pages,
    page: Page,
    nothing: str,
    as_json: bool = False,
    draw: Callable[[Sequence[Row]], None] | None = None,
) -> None:
    """Print what is asked of a list, as JSON or as a table (`draw`: otherwise); `nothing` where it is empty."""
    cut = Cut(pages, page)
    if as_json:
        _write_json(cut)
    else:
        any_shown = False
        for rows in cut.pages():
            any_shown = True
            draw(rows) if draw is not None else emit(rows)
        if not any_shown:
            emit("nothing comes after it" if page.after else nothing)
    cut.say()


def lines_of(pages: Pages, page: Page) -> Iterator[Row]:
    """What is asked of a list, row by row; says at the end where it was cut."""
    cut = Cut(pages, page)
    for rows in cut.pages():
        yield from rows
    cut.say()


class Cut:
    """Reads a list as far as asked, and knows whether there was more."""

    def __init__(self, pages: Pages, page: Page) -> None:
        self._list, self._page = pages, page
        self.shown, self.last, self.more = 0, page.after, False

    def pages(self) -> Iterator[Sequence[Row]]:
        """The rows, some at a time."""
        left = self._page.limit
        while True:
            size = min(left, PAGE) if self._page.limit else PAGE
            rows = self._list.read(size + 1, self.last)
            self.more = len(rows) > size
            rows = rows[:size]
            if not rows:
                return
            self.shown += len(rows)
            self.last = self._list.name(rows[-1])
            yield rows
            left -= len(rows)
            if not self.more or (self._page.limit and not left):
                return

    def say(self) -> None:
        """On stderr, where the list goes on."""
        if not self.more:
            return
        whole, last = self._list.count(), self.last
        shown = both(f"showing {self.shown:,} of {whole:,}", f"{whole:,}件のうち{self.shown:,}件")
        quoted = f"'{last}'" if " " in last else last
        note(
            both(
                f"{shown}; --after {quoted} goes on, --all shows every row",
                f"{shown}。続きは --after {quoted}、すべては --all",
            )
        )


def _write_json(cut: Cut) -> None:
    """One list, written page by page, in the form of `emit`."""
    sys.stdout.write("[")
    first = True
    for rows in cut.pages():
        for row in rows:
            text = json_text(row, indent=2).replace("\n", "\n  ")
            sys.stdout.write(("\n  " if first else ",\n  ") + text)
            first = False
    sys.stdout.write("]\n" if first else "\n]\n")
