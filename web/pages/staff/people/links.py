"""Linked services: who is linked and whose access lapses, is the partner up, which orders have no answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from keizoku.web.calls.values import Id
from keizoku.web.pages.shared.addresses import to
from keizoku.web.pages.shared.blocks import Block, Figure, Figures, Page, Table
from keizoku.web.pages.shared.plain import shown, table_of
from keizoku.web.pages.shared.view import View
from keizoku.web.pages.shared.words import word
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
        _links(view, found.data, found.next),
        _orders(view, orders.data, orders.next),
        view.acts(say("What may be done"), [view.act(name) for name in acts]),
        table_of(view, say("Interruptions"), stops.data, name="stops", next=stops.next,
                 empty=say("Nothing was interrupted.")),
        table_of(view, say("Security events"), events.data, name="events", next=events.next,
                 empty=say("No event was recorded.")),
        _designations(view, designations.data, designations.next),
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
        _orders(view, orders.data, orders.next),
        table_of(view, say("Uses"), uses.data, name="uses", next=uses.next, empty=say("Nothing was used.")),
    ]
    return Page(account, blocks, above=[(say("Linked services"), to("links")), (account, to("accounts", account))])


def _links(view: View, found: Sequence[Mapping[str, Any]], following: str | None) -> Table:
    """Links, those that lapse first at the head."""
    say = view.say
    rows = [
        [
            view.text(each["account"], to("links", each["account"])),
            view.word("link_state", each["state"]),
            view.at(each["lapses_at"], tone="warn" if _soon(each["lapses_at"], view.call.now) else ""),
            view.text(", ".join(word("scope", scope, view.lang) for scope in each["scopes"])),
            view.at(each["granted_at"]),
            view.at(each["ended_at"]),
            view.word("link_reason", each["ended_cause"], tone=""),
        ]
        for each in sorted(found, key=lambda row: (row["lapses_at"] is None, row["lapses_at"] or "", row["account"]))
    ]
    columns = [
        say("Account"), say("State"), say("Lapses at"), say("Scopes"), say("Granted at"), say("Ended at"),
        say("Why it ended"),
    ]  # fmt: skip
    return view.table(say("Links"), columns, rows, empty=say("Nobody is linked."), name="links", next=following)


def _orders(view: View, found: Sequence[Mapping[str, Any]], following: str | None) -> Table:
    """Orders as they were passed on; one without an answer is looked up by its reference at the partner."""
    say = view.say
    rows = [
        [
            view.code(each["id"]),
            view.text(each["account"], to("links", each["account"])),
            view.word("order_state", each["state"]),
            view.word("side", each["side"], tone=""),
            view.code(each["product"]),
            view.number(each["quantity"]),
            view.text(each["limit_price"] or say("at the market")),
            view.at(each.get("sent_at")),
            view.code(each.get("partner_id") or each.get("reference")),
        ]
        for each in sorted(found, key=lambda row: row["state"] != "unknown")
    ]
    columns = [
        say("Order"), say("Account"), say("State"), say("Buy or sell"), say("Product"), say("Quantity"), say("Limit"),
        say("Sent"), say("Number at the partner"),
    ]  # fmt: skip
    return view.table(say("Orders"), columns, rows, empty=say("No order was made."), name="orders", next=following)


def _designations(view: View, found: Sequence[Mapping[str, Any]], following: str | None) -> Table:
    say = view.say
    rows = [
        [
            view.word("designated", each["kind"], tone=""),
            view.code(each["name"]),
            view.yes(each["holds_today"]),
            view.day(each["holds_from"]),
            view.yes(each["designated"]),
            view.text(each["author"]),
            view.text(each["ground"]),
        ]
        for each in found
    ]
    columns = [
        say("Kind"), say("Name"), say("Holds today"), say("From the day"), say("Designated"), say("By"), say("Ground"),
    ]  # fmt: skip
    return view.table(say("Designated fields and products"), columns, rows, empty=say("Nothing is designated."),
                      name="designations", next=following)  # fmt: skip


def _soon(written: str | None, now: datetime) -> bool:
    return written is not None and _within(written, now)


def _within(written: str, now: datetime) -> bool:
    return now <= datetime.fromisoformat(written) < now + WEEK
