"""Linked services: who is linked and whose access lapses, is the partner up, which orders have no answer."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from keizoku.web.calls.values import Id
from keizoku.web.pages.shared.addresses import to
from keizoku.web.pages.shared.blocks import Block, Figure, Figures, Page
from keizoku.web.pages.shared.plain import shown, table_of
from keizoku.web.pages.shared.view import View
from keizoku.web.pages.staff.navigation import staff

__all__ = ["link", "links"]

WEEK: Final = timedelta(days=7)


@staff.screen("/links", command="link list", resource="links")
def links(view: View) -> Page:
    """The linked service in one look."""
    say, now = view.say, view.call.now
    found = view.rows("links.list_links", table="links")
    orders = view.rows("link-orders.list_orders", table="orders")
    stops = view.rows("link-findings.list_stops", table="stops")
    events = view.rows("link-findings.list_events", table="events")
    designations = view.rows("links.list_designations", table="designations")
    lapsing = [each for each in found.data if each["lapses_at"] and _within(each["lapses_at"], now)]
    unknown = [each for each in orders.data if each["state"] == "unknown"]
    down = [each for each in stops.data if datetime.fromisoformat(each["from_at"]) <= now and not each["ended_at"]]

    def leads(row: Mapping[str, Any]) -> str:
        return to("links", row["account"])

    acts = ("links.designate", "link-findings.stop", "link-findings.event")
    blocks: list[Block] = [
        Figures(
            [
                Figure(say("Linked"), view.number(len(found.data)), say("on this page")),
                Figure(say("Lapses this week"), view.number(len(lapsing), tone="warn" if lapsing else "")),
                Figure(say("Orders without an answer"), view.number(len(unknown), tone="warn" if unknown else "")),
                Figure(say("Partner"), view.text(say("interrupted") if down else say("no interruption"))),
            ]
        ),
        view.acts(say("What may be done"), [view.act(name) for name in acts]),
        table_of(view, say("Links"), found.data, name="links", next=found.next, empty=say("Nobody is linked."),
                 hrefs={"state": leads}),
        table_of(view, say("Orders"), orders.data, name="orders", next=orders.next, empty=say("No order was made.")),
        table_of(view, say("Interruptions"), stops.data, name="stops", next=stops.next,
                 empty=say("Nothing was interrupted.")),
        table_of(view, say("Security events"), events.data, name="events", next=events.next,
                 empty=say("No event was recorded.")),
        table_of(view, say("Designated fields and products"), designations.data, name="designations",
                 next=designations.next, empty=say("Nothing is designated.")),
    ]  # fmt: skip
    return Page(say("Linked services"), blocks)


@staff.screen("/links/{account}", command="link show", resource="links")
def link(view: View, account: Id) -> Page:
    """One customer's link: its state, its uses, its orders, what may be done."""
    say = view.say
    found = view.ask("links.show", account=account)
    uses = view.rows("links.list_uses", account=account, table="uses")
    orders = view.rows("link-orders.list_orders", account=account, table="orders")
    names = ("record", "rule", "begin", "renew", "revoke")
    blocks: list[Block] = [
        *shown(view, "", found),
        view.acts(say("What may be done"), [view.act(f"links.{name}", account=account) for name in names]),
        table_of(view, say("Orders"), orders.data, name="orders", next=orders.next, empty=say("No order was made.")),
        table_of(view, say("Uses"), uses.data, name="uses", next=uses.next, empty=say("Nothing was used.")),
    ]
    return Page(account, blocks, above=[(say("Linked services"), to("links")), (account, to("accounts", account))])


def _within(written: str, now: datetime) -> bool:
    return now <= datetime.fromisoformat(written) < now + WEEK
