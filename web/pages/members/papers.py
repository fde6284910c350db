"""Documents as they were issued, and letters."""

from __future__ import annotations

from keizoku.db.tables.documents import INVOICE_KINDS
from keizoku.web.calls.values import Id, Number
from keizoku.web.pages.members.family import MemberView, at_home, member
from keizoku.web.pages.shared.blocks import Page, Prose
from keizoku.web.pages.shared.plain import shown
from keizoku.web.pages.shared.words import word

__all__ = ["document", "letter", "papers"]


@member.screen("/papers", command="documents list", resource="documents")
def papers(view: MemberView) -> Page:
    """Everything that was issued or written to the member."""
    say = view.say
    issued = view.rows("documents.search", account=view.own, table="documents")
    letters = view.rows("documents.letters", account=view.own, also_sent=True, table="letters")
    documents = [
        [
            view.code(each["id"], at_home("papers", each["id"])),
            view.text(_kind(view, each["kind"])),
            view.day(each["issued_on"]),
            view.yen(each["yen"]),
        ]
        for each in issued.data
    ]
    written = [
        [
            view.text(each[f"subject_{view.lang}"], at_home("papers", "letters", each["id"])),
            view.day(each["written_at"]),
        ]
        for each in letters.data
    ]
    return Page(
        say("Papers"),
        [
            view.table(say("Documents"), [say("Number"), say("Kind"), say("Day"), say("Sum")], documents,
                       empty=say("No document was issued to you."), name="documents", next=issued.next),
            view.table(say("Letters"), [say("Letter"), say("Day")], written,
                       empty=say("No letter was written to you."), name="letters", next=letters.next),
        ],
    )  # fmt: skip


def _kind(view: MemberView, kind: str) -> str:
    return word("document" if kind in INVOICE_KINDS else "letter", kind, view.lang)


@member.screen("/papers/{number}", command="documents show", resource="documents")
def document(view: MemberView, number: Number) -> Page:
    """One document as it was issued."""
    found = view.ask("documents.show", number=number)
    return Page(
        str(found.get("title") or number), shown(view, "", found), above=[(view.say("Papers"), at_home("papers"))]
    )


@member.screen("/papers/letters/{letter}", command="notice show", resource="documents")
def letter(view: MemberView, letter: Id) -> Page:
    """One letter."""
    found = view.ask("documents.letter", number=letter)
    return Page(
        found[f"subject_{view.lang}"],
        [Prose(part) for part in str(found[f"body_{view.lang}"]).split("\n\n") if part.strip()],
        str(view.day(found["written_at"])),
        above=[(view.say("Papers"), at_home("papers"))],
    )
