"""Prices and plans: what holds from which day, for whom; what a new price would do and who is told when."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, Final

from keizoku.web.pages.shared.addresses import to
from keizoku.web.pages.shared.blocks import Block, Figure, Figures, Filters, Input, Page, Prose
from keizoku.web.pages.shared.kept import worked_out
from keizoku.web.pages.shared.plain import table_of
from keizoku.web.pages.shared.view import View
from keizoku.web.pages.staff.navigation import staff

__all__ = ["prices"]

_DAYS: Final = ("announced", "for_new_from", "for_renewals_from")


@staff.screen("/prices", command="price list", resource="prices")
def prices(view: View) -> Page:
    """Plans, their prices, and a simulation."""
    say, query = view.say, view.query
    counted = worked_out(view, "prices.list_plans")
    plans = counted.page(view, "plans", "plan")
    found = view.rows("prices.list_prices", table="prices")
    asked: dict[str, Any] = {name: query[name] for name in _DAYS if query.get(name)}
    yen = view.whole_number("yen")
    whole = bool(query.get("plan")) and yen is not None and len(asked) == len(_DAYS)
    simulated = view.ask("prices.simulate", plan=query["plan"], yen=yen, **asked) if whole else None
    known = {"plan": query["plan"], "yen": yen, **asked} if whole else {}
    may = simulated is None or not simulated["refused"]
    acts = [view.act("prices.add_price", **known) if may else None, view.act("prices.add_plan")]
    blocks: list[Block] = [
        table_of(view, say("Plans"), plans.data, name="plans",
                 empty=counted.note(view) or say("There is no plan. Add one, then announce its first price.")),
        _form(view, [each["plan"] for each in plans.data]),
        *(_simulated(view, simulated) if simulated is not None else []),
        view.acts(say("What may be done"), acts),
        table_of(view, say("Prices"), found.data, name="prices", next=found.next, empty=say("There is no price.")),
    ]  # fmt: skip
    lead = say("A price is announced for new contracts and for renewals; what was paid in advance keeps its price.")
    return Page(say("Prices and plans"), blocks, lead=lead)


def _form(view: View, plans: list[str]) -> Filters:
    say, query = view.say, view.query
    return Filters(
        (
            Input("plan", say("Plan"), "select", query.get("plan", ""), choices=[(each, each) for each in plans]),
            Input("yen", say("New price, yen"), "number", query.get("yen", "")),
            Input("announced", say("Announced on"), "date", query.get("announced", "")),
            Input("for_new_from", say("For new contracts from"), "date", query.get("for_new_from", "")),
            Input("for_renewals_from", say("For renewals from"), "date", query.get("for_renewals_from", "")),
        ),
        say("Simulate"),
    )


def _simulated(view: View, found: Mapping[str, Any]) -> list[Block]:
    """What the change would do: the figures, who pays what from when, and from when they are told."""
    say, notice_days = view.say, view.call.settings.price_notice_days
    before, after = found["new_before_yen"], found["new_after_yen"]
    rows = []
    for each in found["by_date"]:
        difference = None if each["from_yen"] is None else (each["to_yen"] - each["from_yen"]) * each["contracts"]
        rows.append(
            [
                view.day(each["first_day"]),
                view.number(each["contracts"]),
                view.yen(each["from_yen"]),
                view.yen(each["to_yen"]),
                view.yen(difference),
                view.day(_told_on(view, each["first_day"], notice_days)),
            ]
        )
    columns = [
        say("First renewal at it"), say("Contracts"), say("Price before"), say("Price after"), say("Difference in all"),
        say("Told by letter from"),
    ]  # fmt: skip
    note = (
        say("The letter goes out in the night that lies {n} days before the renewal (a setting).", n=notice_days)
        if notice_days
        else say("No letter is written: the announcement alone tells them (a setting).")
    )
    refused = [Prose(f"{each['rule']}: {each['remedy']}", "bad") for each in found["refused"]]
    return [
        *refused,
        Figures(
            [
                Figure(say("For new contracts"), view.yen(after), f"{view.yen(before)} → {view.yen(after)}"),
                Figure(say("Contracts that pay it"), view.number(found["touched"], "#table-touched")),
                Figure(say("End before it"), view.number(found["ending_before"], to("accounts"))),
                Figure(say("Keep another price"), view.number(found["untouched"])),
            ]
        ),
        view.table(say("Who is touched, and told when"), columns, rows, name="touched", note=note,
                   empty=say("No running contract is touched.")),
    ]  # fmt: skip


def _told_on(view: View, first_day: str, notice_days: int) -> date | None:
    """From which night on the letter can go out; None: no letter is written."""
    if not notice_days:
        return None
    return max(date.fromisoformat(first_day) - timedelta(days=notice_days), view.call.today)
