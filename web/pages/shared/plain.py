"""An answer of a call as blocks, as it is: names and values, lists as tables. For answers that need no other order."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from keizoku.web.pages.shared.addresses import to
from keizoku.web.pages.shared.blocks import Block, Cell, Facts
from keizoku.web.pages.shared.view import View
from keizoku.web.pages.shared.words import word

__all__ = ["cell_of", "shown", "table_of"]

_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_INSTANT: Final = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}.*")
_STATES: Final = frozenset({"state", "kind", "method", "outcome", "cause", "what", "event", "interval"})


def shown(view: View, title: str, content: Mapping[str, Any]) -> list[Block]:
    """A mapping: its plain values first, then what is in it, each under its name."""
    rows = [
        (word("field", name, view.lang), cell_of(view, name, value))
        for name, value in content.items()
        if not isinstance(value, dict | list) and _speaks(view, name)
    ]
    blocks: list[Block] = [Facts(title, rows)] if rows else []
    for name, value in content.items():
        inner = word("field", name, view.lang)
        if isinstance(value, dict) and value:
            blocks += shown(view, inner, value)
        elif isinstance(value, list) and _speaks(view, name):
            blocks.append(table_of(view, inner, value, name=name))
    return blocks


def table_of(
    view: View,
    title: str,
    rows: Sequence[Any],
    *,
    name: str = "rows",
    next: str | None = None,  # noqa: A002 - the word of lists
    empty: str = "",
    hrefs: Mapping[str, Any] | None = None,
) -> Any:
    """Rows as a table, a column for each name of the first; `hrefs`: name -> the page of a row."""
    pairs = [row if isinstance(row, dict) else {"value": row} for row in rows]
    names = [key for key in (pairs[0] if pairs else {}) if _speaks(view, key)]
    cells = [
        [cell_of(view, key, row.get(key), (hrefs or {}).get(key, _nowhere)(row)) for key in names] for row in pairs
    ]
    labels = [word("field", key, view.lang) for key in names]
    return view.table(title, labels, cells, empty=empty or view.say("There is nothing here."), name=name, next=next)


def cell_of(view: View, name: str, value: Any, href: str | None = None) -> Cell:
    """A value by its name and its form."""
    if value is None or value == "":
        return view.text(None)
    if isinstance(value, bool):
        return view.yes(value, href)
    if isinstance(value, int):
        return _counted(view, name, value, href)
    if isinstance(value, dict | list):
        return view.text(_told(value))
    text = str(value)
    if name == "account":
        return view.account(text)
    if name == "clause":
        return view.clause(text)
    if _INSTANT.fullmatch(text):
        return view.at(text, href)
    if _DAY.fullmatch(text):
        return view.day(text, href)
    if name in _STATES:
        return view.word(name if name in ("state", "method", "outcome") else "choice", text, href, "")
    return view.text(text, href)


def _counted(view: View, name: str, value: int, href: str | None) -> Cell:
    if name in ("id", "invoice", "entry", "number", "contract", "attempt", "revision", "payment", "rule"):
        return view.code(value, href or (to("invoices", value) if name == "invoice" else None))
    if name.endswith("yen") or name in ("debit", "credit", "balance", "price", "charged", "total"):
        return view.yen(value, href)
    return view.seconds(value, href) if name.endswith("seconds") else view.number(value, href)


def _told(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_told(each)}" for key, each in value.items())
    if isinstance(value, list):
        return ", ".join(map(_told, value))
    return "—" if value is None else str(value)


def _speaks(view: View, name: str) -> bool:
    """Whether it is of the language of the page."""
    other = "en" if view.lang == "ja" else "ja"
    return name != other and not name.endswith(f"_{other}")


def _nowhere(row: Any) -> None:
    del row
