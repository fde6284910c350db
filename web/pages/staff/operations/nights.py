"""Nights: the certificate of each, what it counted, what it set aside, and running one with its progress."""

from __future__ import annotations

from keizoku.web.calls.values import Day
from keizoku.web.pages.shared.addresses import to
from keizoku.web.pages.shared.blocks import Block, Figure, Figures, Page
from keizoku.web.pages.shared.plain import shown, table_of
from keizoku.web.pages.shared.view import View
from keizoku.web.pages.shared.words import word
from keizoku.web.pages.staff.navigation import staff

__all__ = ["night", "nights"]


@staff.screen("/nights", command="db status", resource="nights")
def nights(view: View) -> Page:
    """The certificates, the newest first."""
    say = view.say
    found = view.rows("nights.list_nights")
    rows = [
        [
            view.day(each["business_date"], to("nights", each["business_date"])),
            view.word("night", each["state"]),
            view.at(each["issued_at"]),
            view.number(len(each["differences"])),
            view.number(len(each["set_aside"])),
            view.number(each["counts"].get("invoices")),
            view.number(each["counts"].get("payment_attempts")),
            view.number(each["counts"].get("entries")),
        ]
        for each in found.data
    ]
    columns = [
        say("Business date"), say("State"), say("When"), say("Differences"), say("Set aside"), say("Invoices"),
        say("Charges"), say("Entries"),
    ]  # fmt: skip
    table = view.table("", columns, rows, empty=say("No night has run."), next=found.next)
    acts = view.acts(say("What may be done"), [view.act("nights.run", on=view.call.today)])
    return Page(say("Nights"), [table, acts])


@staff.screen("/nights/{on}", command="db status", resource="nights")
def night(view: View, on: Day) -> Page:
    """One business date: its certificate, and how far a run has come."""
    say = view.say
    found = view.ask("nights.show", on=on)
    certificate, run = found["certificate"], found["run"]
    blocks: list[Block] = []
    if run:
        blocks += shown(view, say("The run"), run)
    if certificate:
        blocks += [
            Figures(
                [
                    Figure(say("State"), view.word("night", certificate["state"])),
                    Figure(say("Differences"), view.number(len(certificate["differences"]))),
                    Figure(say("Set aside"), view.number(len(certificate["set_aside"]), to("tasks", kind="set_aside"))),
                ]
            ),
            table_of(view, say("Differences"), certificate["differences"], name="differences", empty=say("None.")),
            table_of(view, say("Set aside"), certificate["set_aside"], name="aside", empty=say("None.")),
            view.table(
                say("Counts"),
                [say("What"), say("How many")],
                [
                    [view.text(word("count", key, view.lang)), view.number(value)]
                    for key, value in certificate["counts"].items()
                    if isinstance(value, int)
                ],
                empty=say("None."),
                name="counts",
            ),
            view.table(
                say("Sums"),
                [say("Ledger account"), say("Balance")],
                [
                    [view.code(key, to("ledger", "accounts", key)), view.yen(value)]
                    for key, value in certificate["sums"].items()
                ],
                empty=say("None."),
                name="sums",
            ),
        ]
    return Page(say("Night of {day}", day=on), blocks, above=[(say("Nights"), to("nights"))])
