"""The screens in the order in which they stand beside every page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from fastapi import Request

from keizoku.web.pages.shared.addresses import to
from keizoku.web.pages.shared.screens import Screens
from keizoku.web.pages.shared.words import named

__all__ = ["GROUPS", "Group", "frame", "staff"]


@dataclass(frozen=True, slots=True)
class Group:
    """Screens of one field: (title, address) each."""

    title: str
    items: tuple[tuple[str, str], ...]


def _group(title: str, *items: tuple[str, str]) -> Group:
    return Group(title, items)


GROUPS: Final = (
    _group(
        named("Work"),
        (named("Today"), to()),
        (named("Tasks"), to("tasks")),
        (named("Proposals"), to("proposals")),
    ),
    _group(
        named("People"),
        (named("Accounts"), to("accounts")),
        (named("Letters"), to("letters")),
    ),
    _group(
        named("Service level"),
        (named("Months"), to("sla")),
        (named("Claims"), to("claims")),
    ),
)


def frame(request: Request) -> Mapping[str, Any]:
    """What the layout of the console needs."""
    del request
    return {"groups": GROUPS}


staff: Final = Screens("console", frame)
