"""A letter: what it says, whether it was handed over, the act that records it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from keizoku.db.tables.letters import LETTER_KINDS, NOTICE_KINDS
from keizoku.web.calls.values import Id
from keizoku.web.pages.shared.addresses import to
from keizoku.web.pages.shared.blocks import Facts, Filters, Input, Page, Prose, Table
from keizoku.web.pages.shared.view import View
from keizoku.web.pages.shared.words import word
from keizoku.web.pages.staff.navigation import staff

__all__ = ["letter", "letter_table", "letters_waiting"]


@staff.screen("/letters", command="notice list", resource="documents")
def letters_waiting(view: View) -> Page:
    """Letters that wait to be handed over, or all of them."""
    say = view.say
    kind, every = view.query.get("kind", ""), "sent" in view.query
    found = view.rows("documents.letters", kind=kind or None, also_sent=every)
    kinds = [(each, word("letter", each, view.lang)) for each in (*NOTICE_KINDS, "demand", *LETTER_KINDS)]
    filters = Filters(
        (
            Input("kind", say("Kind"), "select", kind, choices=kinds),
            Input("sent", say("also those handed over"), "checkbox", "yes" if every else ""),
        ),
        say("Show"),
    )
    return Page(say("Letters"), [filters, letter_table(view, found.data, found.next)])


def letter_table(view: View, found: Sequence[Mapping[str, Any]], following: str | None, title: str = "") -> Table:
    """Letters of every account; under a title those of one."""
    say, of_one = view.say, title != ""
    rows = [
        [
            view.text(each[f"subject_{view.lang}"], to("letters", each["id"])),
            view.word("letter", each["kind"], tone=""),
            *([] if of_one else [view.account(each["account"])]),
            view.at(each["written_at"]),
            view.at(each["handed_over_at"]),
        ]
        for each in found
    ]
    columns = [
        say("Letter"), say("Kind"), *([] if of_one else [say("Account")]), say("Written"), say("Handed over"),
    ]  # fmt: skip
    empty = say("No letter was written.") if of_one else say("No letter waits to be handed over.")
    name = "letters" if of_one else "rows"
    return view.table(title, columns, rows, empty=empty, name=name, next=following)


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
