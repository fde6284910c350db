"""What is kept about the member here."""

from __future__ import annotations

from keizoku.web.pages.members.family import MemberView, member
from keizoku.web.pages.shared.blocks import Block, Facts, Page, Prose

__all__ = ["data"]


@member.screen("/data", command="account show", resource="accounts")
def data(view: MemberView) -> Page:
    """The account, the contract, the cards."""
    say, own = view.say, view.own
    found = view.ask("accounts.contract", account=own)
    cards = view.rows("cards.list_cards", account=own, table="cards")
    blocks: list[Block] = [
        Facts(
            "",
            [
                (say("Account"), view.text(own)),
                (say("Contract"), view.word("state", found["state"])),
                (say("Paid by"), view.word("method", found["method"])),
                (say("Term"), view.term(found["term"])),
            ],
        ),
        view.table(
            say("Saved cards"),
            [say("Card"), say("Saved"), say("Ended on")],
            [[view.code(each["card"]), view.at(each["saved_at"]), view.at(each["ended_at"])] for each in cards.data],
            empty=say("No card is saved."),
            name="cards",
            next=cards.next,
        ),
        Prose(say("Card numbers are kept by the card gateway alone. Names and addresses are not kept here."), "soft"),
    ]
    return Page(say("My data"), blocks)
