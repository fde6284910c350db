"""Search by day, sum and counterparty, as the act on books kept electronically asks for it: one form for all lists."""

from __future__ import annotations

from typing import Any

from keizoku.web.pages.shared.blocks import Filters, Input
from keizoku.web.pages.shared.view import View

__all__ = ["range_filters", "ranges_asked"]


def range_filters(view: View, *more: Input) -> Filters:
    """The form: days and sums with both ends, an account, and what a list has of its own."""
    say, query = view.say, view.query
    fields = (
        Input("from_on", say("From"), "date", query.get("from_on", "")),
        Input("to_on", say("To"), "date", query.get("to_on", "")),
        Input("from_yen", say("Sum from"), "number", query.get("from_yen", "")),
        Input("to_yen", say("Sum to"), "number", query.get("to_yen", "")),
        Input("account", say("Account"), value=query.get("account", "")),
        *more,
    )
    return Filters(fields, say("Show"))


def ranges_asked(view: View) -> dict[str, Any]:
    """What the address says of them, by the names that the lists of the calls have."""
    return {
        "from_on": view.query.get("from_on"),
        "to_on": view.query.get("to_on"),
        "from_yen": view.whole_number("from_yen"),
        "to_yen": view.whole_number("to_yen"),
        "account": view.query.get("account"),
    }
