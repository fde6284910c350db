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
        (named("Search"), to("search")),
    ),
    _group(
        named("People"),
        (named("Accounts"), to("accounts")),
        (named("Applications"), to("applications")),
        (named("Overdue"), to("overdue")),
        (named("Letters"), to("letters")),
        (named("Codes"), to("codes")),
        (named("Linked services"), to("links")),
    ),
    _group(
        named("Money"),
        (named("Bank and matching"), to("bank")),
        (named("Card gateway"), to("gateway")),
        (named("Documents"), to("documents")),
    ),
    _group(
        named("Service level"),
        (named("Months"), to("sla")),
        (named("Claims"), to("claims")),
        (named("Outages and notices"), to("outages")),
    ),
    _group(named("Books"), (named("Month close"), to("close")), (named("Ledger"), to("ledger"))),
    _group(named("Contract"), (named("Prices and plans"), to("prices")), (named("Terms"), to("terms"))),
    _group(
        named("Operation"),
        (named("Nights"), to("nights")),
        (named("Keys, roles, deliveries"), to("keys")),
        (named("Settings"), to("settings")),
    ),
)


def frame(request: Request) -> Mapping[str, Any]:
    """What the layout of the console needs."""
    del request
    return {"groups": GROUPS}


staff: Final = Screens("console", frame)
