"""What is owed, how to pay it, and each invoice explained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from keizoku.web.calls.values import Number
from keizoku.web.pages.members.family import MemberView, at_home, member
from keizoku.web.pages.shared.blocks import Block, Cell, Facts, Figure, Figures, Page, Prose
from keizoku.web.pages.shared.money_blocks import invoice_table

__all__ = ["invoice", "payments"]


@member.screen("/payments", command="account show", resource="accounts")
def payments(view: MemberView) -> Page:
    """Owed now, where to pay, every invoice."""
    say, own = view.say, view.own
    owed = view.ask("accounts.owed", account=own)
    found = view.ask("accounts.contract", account=own)
    blocks: list[Block] = [
        Figures(
            [
                Figure(say("To be paid"), view.yen(owed["total"], tone="bad" if owed["total"] else "good")),
                Figure(say("Fees"), view.yen(owed["principal"])),
                Figure(say("Late interest"), view.yen(owed["interest"])),
                Figure(say("Money of yours that we hold"), view.yen(owed["deposit"])),
            ]
        ),
        *_how(view, owed, found),
    ]
    found_invoices = view.ask("accounts.invoices", account=own)[::-1]
    blocks.append(invoice_table(view, found_invoices, say("Reduction")))
    charges = view.ask("cards.charges", account=own)["charges"]
    if charges:
        blocks.append(
            view.table(
                say("Charges to your card"),
                [say("Day"), say("Sum"), say("Outcome")],
                [[view.day(e["on"]), view.yen(e["yen"]), _outcome(view, e["outcome"])] for e in charges[::-1]],
                empty="",
                name="charges",
            )
        )
    return Page(say("Payments"), blocks)


@member.screen("/payments/{number}", command="explain invoice", resource="payments")
def invoice(view: MemberView, number: Number) -> Page:
    """One invoice: where each yen of it went."""
    say, found = view.say, view.ask("payments.invoice", number=number)
    return Page(
        say("Invoice {number}", number=number),
        [view.story("", found["sentences"], say("Nothing is known of it."))],
        above=[(say("Payments"), at_home("payments"))],
    )


def _outcome(view: MemberView, outcome: str) -> Cell:
    """How a charge went: the gateway's own words for a refusal are not the member's."""
    return view.word("outcome", outcome if outcome in ("succeeded", "unknown", "insufficient_funds") else "failed")


def _how(view: MemberView, owed: Mapping[str, Any], found: Mapping[str, Any]) -> list[Block]:
    """How to pay what is open."""
    say = view.say
    if not owed["total"]:
        return [Prose(say("Nothing is open. There is nothing to do."), "good")]
    blocks: list[Block] = []
    if found["method"] == "card":
        blocks.append(Prose(say("Your card is charged again by itself. A transfer pays it too.")))
    bank = view.call.rules.discretion.transfer_account
    if not bank:
        return blocks
    rows = [(say("To our account"), view.text(bank))]
    rows += [
        (
            say("State this with your transfer")
            if not each.get("term")
            else say("for the term from {day}", day=each["term"]),
            view.code(each["reference"]),
        )
        for each in view.ask("bank.references", account=view.own)
    ]
    return [*blocks, Facts(say("How to pay by transfer"), rows)]
