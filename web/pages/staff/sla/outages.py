"""Outages and notices: what is on record of a month, and the editor, which shows what the month would become."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from keizoku.terms.calendar import Month
from keizoku.web.calls.values import Id
from keizoku.web.pages.shared.addresses import to
from keizoku.web.pages.shared.blocks import Block, Filters, Input, Page, Table
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

    names = ("add_incident", "add_notice", "add_interruption", "add_population", "decide_unknown")
    blocks: list[Block] = [
        Filters((Input("month", say("Month"), "month", month),), say("Show")),
        view.acts(say("What may be done"), [
            *(view.act(f"evidence.{name}") for name in names), view.act("claims.form_down"),
        ]),
        _incidents(view, incidents.data, incidents.next, say("Outages"), "incidents"),
        _notices(view, notices.data, notices.next),
        view.table(
            say("Interruptions"),
            [say("From"), say("To"), say("Ground"), say("Approved by"), say("By"), say("Recorded")],
            [
                [
                    view.at(each["from"]),
                    view.at(each["to"]),
                    view.text(each["ground"]),
                    view.text(each["approver"]),
                    view.text(each["author"]),
                    view.at(each["recorded_at"]),
                ]
                for each in interruptions.data
            ],
            empty=say("Nothing was interrupted."), name="interruptions", next=interruptions.next,
        ),
        table_of(view, say("Number of users"), population.data, name="population", next=population.next,
                 empty=say("The number of users is not recorded: nothing can be counted.")),
        view.table(
            say("Files"),
            [say("Kind"), say("From where"), say("Rows read"), say("Rows used"), say("Rows refused"), say("By"),
             say("Recorded")],
            [
                [
                    view.word("evidence", each["kind"], tone=""),
                    view.text(each["source"]),
                    view.number(each["rows_read"]),
                    view.number(each["rows_used"]),
                    view.number(each["rows_refused"], tone="warn" if each["rows_refused"] else ""),
                    view.text(each["author"]),
                    view.at(each["recorded_at"]),
                ]
                for each in imports.data
            ],
            empty=say("No file was taken in."), name="imports", next=imports.next,
        ),
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
    table = _incidents(view, mine, None, say("Revisions"), "revisions")
    last = mine[-1] if mine else {}
    known: dict[str, Any] = {"from_at": str(last.get("from", ""))[:16], "to_at": str(last.get("to") or "")[:16],
             "affected": last.get("affected"), "cause": last.get("cause")}  # fmt: skip
    acts = [
        view.act("evidence.correct_incident", incident=incident, **known),
        view.act("evidence.rule_on_environment", incident=incident),
    ]
    return Page(incident, [table, view.acts(say("What may be done"), acts)],
                above=[(say("Outages and notices"), to("outages"))])  # fmt: skip


def _incidents(view: View, found: Sequence[Mapping[str, Any]], following: str | None, title: str, name: str) -> Table:
    say = view.say
    rows = [
        [
            view.text(each["id"], to("outages", each["id"])),
            view.number(each["revision"]),
            view.at(each["from"]),
            view.at(each["to"]) if each["to"] else view.text(say("not over yet"), tone="warn"),
            view.number(each["affected"]),
            view.word("choice", each["cause"], tone=""),
            view.text(each["ground"]),
            view.text(each["author"]),
            view.at(each["recorded_at"]),
        ]
        for each in found
    ]
    columns = [
        say("Outage"), say("Revision"), say("From"), say("To"), say("Affected"), say("Cause"), say("Ground"), say("By"),
        say("Recorded"),
    ]  # fmt: skip
    return view.table(title, columns, rows, empty=say("No outage is on record."), name=name, next=following)


def _notices(view: View, found: Sequence[Mapping[str, Any]], following: str | None) -> Table:
    """Notices, and whether each was early enough to exclude its window (9.4.4)."""
    say = view.say
    rows = []
    for each in found:
        known = {"notice": each["id"], "from_at": str(each["from"])[:16], "to_at": str(each["to"])[:16]}
        state = (
            view.text(say("called off"), tone="soft")
            if each["cancelled"]
            else view.text(say("nobody's terms reach it"), tone="soft")
            if each["in_time"] is None
            else view.text(say("in time: it excludes"), tone="good")
            if each["in_time"]
            else view.text(say("too late: it excludes nothing"), tone="bad")
        )
        rows.append(
            [
                view.text(each["id"], view.act_at("evidence.add_notice", **known)),
                view.at(each["published"]),
                view.at(each["from"]),
                view.at(each["to"]),
                state,
                view.text(each["ground"]),
                view.text(each["author"]),
                view.at(each["recorded_at"]),
            ]
        )
    columns = [
        say("Notice"), say("Published"), say("From"), say("To"), say("State"), say("Ground"), say("By"),
        say("Recorded"),
    ]  # fmt: skip
    return view.table(say("Notices of updates"), columns, rows, empty=say("No update was announced."), name="notices",
                      next=following)  # fmt: skip
