"""Outages and notices: what is on record of a month, and the editor, which shows what the month would become."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from keizoku.terms.calendar import Month
from keizoku.web.calls.values import Id
from keizoku.web.pages.shared.addresses import to
from keizoku.web.pages.shared.blocks import Block, Filters, Input, Page
from keizoku.web.pages.shared.plain import table_of
from keizoku.web.pages.shared.view import View
from keizoku.web.pages.staff.navigation import staff

__all__ = ["outage", "outages", "unknown_time"]


@staff.screen("/outages", command="sla incident list", resource="evidence")
def outages(view: View) -> Page:
    """All that is on record of a month."""
    say = view.say
    month = view.query.get("month", str(Month.of(view.call.today)))
    incidents = view.rows("evidence.list_incidents", month=month, table="incidents")
    notices = view.rows("evidence.list_notices", month=month, table="notices")
    interruptions = view.rows("evidence.list_interruptions", month=month, table="interruptions")
    population = view.rows("evidence.list_population", table="population")
    imports = view.rows("evidence.list_imports", table="imports")

    def leads(row: Mapping[str, Any]) -> str:
        return to("outages", row["id"])

    def revised(row: Mapping[str, Any]) -> str | None:
        known = {"notice": row["id"], "from_at": str(row.get("from"))[:16], "to_at": str(row.get("to"))[:16]}
        return view.act_at("evidence.add_notice", **known)

    names = ("add_incident", "add_notice", "add_interruption", "add_population", "decide_unknown")
    blocks: list[Block] = [
        Filters((Input("month", say("Month"), "month", month),), say("Show")),
        view.acts(say("What may be done"), [
            *(view.act(f"evidence.{name}") for name in names), view.act("claims.form_down"),
        ]),
        table_of(view, say("Outages"), incidents.data, name="incidents", next=incidents.next,
                 empty=say("No outage is on record."), hrefs={"id": leads}),
        table_of(view, say("Notices of updates"), notices.data, name="notices", next=notices.next,
                 empty=say("No update was announced."), hrefs={"id": revised}),
        table_of(view, say("Interruptions"), interruptions.data, name="interruptions", next=interruptions.next,
                 empty=say("Nothing was interrupted.")),
        table_of(view, say("Number of users"), population.data, name="population", next=population.next,
                 empty=say("The number of users is not recorded: nothing can be counted.")),
        table_of(view, say("Files"), imports.data, name="imports", next=imports.next,
                 empty=say("No file was taken in.")),
    ]  # fmt: skip
    return Page(say("Outages and notices"), blocks, above=[(view.month(month).text, to("sla", month))])


@staff.screen("/outages/unknown", command="sla unknown list", resource="evidence")
def unknown_time(view: View) -> Page:
    """Time without a measurement, which people decide on."""
    say, month = view.say, view.query.get("month", "")
    found = view.rows("evidence.list_unknown", month=month or None)

    def leads(row: Mapping[str, Any]) -> str | None:
        known = {"from_at": str(row.get("from"))[:16], "to_at": str(row.get("to"))[:16]}
        return view.act_at("evidence.decide_unknown", **known)

    table = table_of(view, "", found.data, next=found.next, empty=say("No time is unknown."), hrefs={"from": leads})
    filters = Filters((Input("month", say("Month"), "month", month),), say("Show"))
    return Page(say("Unknown time"), [filters, table], above=[(say("Outages and notices"), to("outages"))])


@staff.screen("/outages/{incident}", command="sla incident list", resource="evidence")
def outage(view: View, incident: Id) -> Page:
    """One outage in all its revisions."""
    say = view.say
    found = view.rows("evidence.list_incidents", every_revision=True, limit=10_000)
    mine = [each for each in found.data if each["id"] == incident]
    table = table_of(view, say("Revisions"), mine, name="revisions", empty=say("No outage is on record."))
    last = mine[-1] if mine else {}
    known: dict[str, Any] = {"from_at": str(last.get("from", ""))[:16], "to_at": str(last.get("to") or "")[:16],
             "affected": last.get("affected"), "cause": last.get("cause")}  # fmt: skip
    acts = [
        view.act("evidence.correct_incident", incident=incident, **known),
        view.act("evidence.rule_on_environment", incident=incident),
    ]
    return Page(incident, [table, view.acts(say("What may be done"), acts)],
                above=[(say("Outages and notices"), to("outages"))])  # fmt: skip
