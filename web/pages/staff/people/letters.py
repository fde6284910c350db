"""A letter: what it says, whether it was handed over, the act that records it."""

from __future__ import annotations

from keizoku.db.tables.letters import LETTER_KINDS, NOTICE_KINDS
from keizoku.web.calls.values import Id
from keizoku.web.pages.shared.addresses import to
from keizoku.web.pages.shared.blocks import Facts, Filters, Input, Page, Prose
from keizoku.web.pages.shared.view import View
from keizoku.web.pages.shared.words import word
from keizoku.web.pages.staff.navigation import staff

__all__ = ["letter", "letters_waiting"]


@staff.screen("/letters", command="notice list", resource="documents")
def letters_waiting(view: View) -> Page:
    """Letters that wait to be handed over, or all of them."""
    say = view.say
    kind, every = view.query.get("kind", ""), "sent" in view.query
    found = view.rows("documents.letters", kind=kind or None, also_sent=every)
    rows = [
        [
            view.text(each[f"subject_{view.lang}"], to("letters", each["id"])),
            view.word("letter", each["kind"], tone=""),
            view.account(each["account"]),
            view.at(each["written_at"]),
            view.at(each["handed_over_at"]),
        ]
        for each in found.data
    ]
    columns = [say("Letter"), say("Kind"), say("Account"), say("Written"), say("Handed over")]
    kinds = [(each, word("letter", each, view.lang)) for each in (*NOTICE_KINDS, "demand", *LETTER_KINDS)]
    filters = Filters(
        (
            Input("kind", say("Kind"), "select", kind, choices=kinds),
            Input("sent", say("also those handed over"), "checkbox", "yes" if every else ""),
        ),
        say("Show"),
    )
    table = view.table("", columns, rows, empty=say("No letter waits to be handed over."), next=found.next)
    return Page(say("Letters"), [filters, table])


@staff.screen("/letters/{letter}", command="notice show", resource="documents")
def letter(view: View, letter: Id) -> Page:
    """One letter in the language of the page."""
    say = view.say
    found = view.ask("documents.letter", number=letter)
    body = str(found.get(f"body_{view.lang}") or "")
    facts = Facts(
        "",
        [
            (say("Number"), view.code(found["id"])),
            (say("Account"), view.account(found["account"])),
            (say("Kind"), view.word("letter", found["kind"])),
            (say("Written"), view.at(found["written_at"])),
            (say("Handed over"), view.at(found["handed_over_at"])),
            (say("By"), view.text(found["handed_over_by"])),
        ],
    )
    acts = view.acts(say("What may be done"), [view.act("documents.mark_sent", number=letter)])
    title = found[f"subject_{view.lang}"]
    return Page(
        title, [facts, *(Prose(line) for line in body.splitlines()), acts], above=[(say("Letters"), to("letters"))]
    )
