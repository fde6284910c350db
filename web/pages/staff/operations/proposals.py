"""Proposals: what one person asked for and another approves; the content as it will be done."""

from __future__ import annotations

from typing import Final

from keizoku.web.calls.values import Number
from keizoku.web.pages.shared.addresses import to
from keizoku.web.pages.shared.blocks import Facts, Filters, Input, Page
from keizoku.web.pages.shared.plain import cell_of
from keizoku.web.pages.shared.view import View
from keizoku.web.pages.shared.words import word
from keizoku.web.pages.staff.navigation import staff

__all__ = ["proposal", "proposals"]

_STATES: Final = ("waiting", "approved", "turned_down")


@staff.screen("/proposals", command="tasks list", resource="tasks")
def proposals(view: View) -> Page:
    """What was proposed, and what became of it."""
    say, state = view.say, view.query.get("state", "")
    found = view.rows("proposals.list_proposals", state=state or None)
    rows = [
        [
            view.code(each["id"], to("proposals", each["id"])),
            view.word("act", each["operation"], to("proposals", each["id"]), ""),
            view.account(each["account"]),
            view.text(each["proposed_by"]),
            view.at(each["proposed_at"]),
            view.word("state", each["state"]),
            view.text(each["decided_by"]),
        ]
        for each in found.data
    ]
    columns = [say("Number"), say("Act"), say("Account"), say("By"), say("When"), say("State"), say("Decided by")]
    states = [(each, word("state", each, view.lang)) for each in _STATES]
    filters = Filters((Input("state", say("State"), "select", state, choices=states),), say("Show"))
    table = view.table("", columns, rows, empty=say("Nothing was proposed."), next=found.next)
    return Page(say("Proposals"), [filters, table], say("Some acts want two persons: one proposes, another approves."))


@staff.screen("/proposals/{number}", command="tasks show", resource="tasks")
def proposal(view: View, number: Number) -> Page:
    """One proposal."""
    say = view.say
    found = view.ask("proposals.show", number=number)
    content = {**found["content"].get("path", {}), **found["content"].get("fields", {})}
    facts = Facts(
        "",
        [
            (say("Act"), view.word("act", found["operation"], tone="")),
            (say("State"), view.word("state", found["state"])),
            (say("By"), view.text(found["proposed_by"])),
            (say("When"), view.at(found["proposed_at"])),
            (say("Decided by"), view.text(found["decided_by"])),
            (say("Ground"), view.text(found["ground"])),
        ],
    )
    told = Facts(
        say("What would be done"),
        [
            (word("field", name, view.lang), cell_of(view, name, value))
            for name, value in content.items()
            if value not in (None, False)
        ],
    )
    waits = found["state"] == "waiting"
    names = ("proposals.approve", "proposals.turn_down", "proposals.withdraw") if waits else ()
    acts = view.acts(say("What may be done"), [view.act(name, number=number) for name in names])
    title = say("Proposal {number}", number=number)
    return Page(title, [facts, told, *([acts] if waits else [])], above=[(say("Proposals"), to("proposals"))])
