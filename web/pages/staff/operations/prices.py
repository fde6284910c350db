"""Prices and plans: what holds from which day, for whom; what a new price would do, before it is announced."""

from __future__ import annotations

from typing import Any

from keizoku.web.pages.shared.blocks import Block, Filters, Input, Page
from keizoku.web.pages.shared.kept import worked_out
from keizoku.web.pages.shared.plain import shown, table_of
from keizoku.web.pages.shared.view import View
from keizoku.web.pages.staff.navigation import staff

__all__ = ["prices"]

_DAYS = ("announced", "for_new_from", "for_renewals_from")


@staff.screen("/prices", command="price list", resource="prices")
def prices(view: View) -> Page:
    """Plans, their prices, and a simulation."""
    say, query = view.say, view.query
    counted = worked_out(view, "prices.list_plans")
    plans = counted.page(view, "plans", "plan")
    found = view.rows("prices.list_prices", table="prices")
    filters = Filters(
        (
            Input(
                "plan",
                say("Plan"),
                "select",
                query.get("plan", ""),
                choices=[(e["plan"], e["plan"]) for e in plans.data],
            ),
            Input("yen", say("New price, yen"), "number", query.get("yen", "")),
            Input("announced", say("Announced on"), "date", query.get("announced", "")),
            Input("for_new_from", say("For new contracts from"), "date", query.get("for_new_from", "")),
            Input("for_renewals_from", say("For renewals from"), "date", query.get("for_renewals_from", "")),
        ),
        say("Simulate"),
    )
    blocks: list[Block] = [
        table_of(view, say("Plans"), plans.data, name="plans", empty=counted.note(view) or say("There is no plan.")),
        table_of(view, say("Prices"), found.data, name="prices", next=found.next, empty=say("There is no price.")),
        filters,
    ]
    if query.get("plan") and query.get("yen", "").isdecimal() and all(query.get(name) for name in _DAYS):
        asked: dict[str, Any] = {name: query[name] for name in _DAYS}
        blocks += shown(
            view,
            say("What it would do"),
            view.ask("prices.simulate", plan=query["plan"], yen=int(query["yen"]), **asked),
        )
        known = {"plan": query["plan"], "yen": query["yen"], **asked}
    else:
        known = {}
    acts = [view.act("prices.add_plan"), view.act("prices.add_price", **known)]
    return Page(say("Prices and plans"), [*blocks, view.acts(say("What may be done"), acts)])
