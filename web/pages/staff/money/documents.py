"""Documents by day, sum and account, as the tax office asks for them, and one of them in full."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from keizoku.web.calls.values import Id
from keizoku.web.pages.shared.addresses import to
from keizoku.web.pages.shared.blocks import Page
from keizoku.web.pages.shared.plain import shown, table_of
from keizoku.web.pages.shared.view import View
from keizoku.web.pages.staff.navigation import staff
from keizoku.web.pages.staff.ranges import range_filters, ranges_asked

__all__ = ["document", "documents"]


@staff.screen("/documents", command="documents list", resource="documents")
def documents(view: View) -> Page:
    """The search of the archive."""
    say = view.say
    found = view.rows("documents.search", **ranges_asked(view))

    def leads(row: Mapping[str, Any]) -> str:
        return to("documents", row.get("id") or row["number"])

    table = table_of(
        view, "", found.data, next=found.next, empty=say("No document was issued like this."),
        hrefs={"id": leads, "number": leads},
    )  # fmt: skip
    acts = view.acts(say("What may be done"), [view.act("documents.issue")])
    return Page(say("Documents"), [range_filters(view), table, acts])


@staff.screen("/documents/{number}", command="documents show", resource="documents")
def document(view: View, number: Id) -> Page:
    """One document."""
    found = view.ask("documents.show", number=number)
    return Page(number, shown(view, "", found), above=[(view.say("Documents"), to("documents"))])
