"""What is owed, how to pay it, and each invoice explained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from keizoku.terms import words
from keizoku.web.calls.values import Number
from keizoku.web.pages.members.family import MemberView, at_home, member
from keizoku.web.pages.shared.blocks import Act, Acts, Block, Cell, Facts, Figure, Figures, Page, Prose
from keizoku.web.pages.shared.money_blocks import invoice_table

__all__ = ["invoice", "payments"]


@member.screen("/payments", command="account show", resource="accounts")
def payments(view: MemberView) -> Page:
    """Owed now, where to pay, every invoice."""
    say, own = view.say, view.own
    owed = view.ask("accounts.owed", account=own)
    found = view.ask("accounts.contract", account=own)
    parts = [(say("Fees"), owed["principal"]), (say("Late interest"), owed["interest"]), (say("Costs"), owed["costs"]),
             (say("Money of yours that we hold"), owed["deposit"])]  # fmt: skip
    blocks: list[Block] = [
        Figures(
            [
                Figure(say("To be paid"), view.yen(owed["total"], tone="bad" if owed["total"] else "good")),
                *(Figure(label, view.yen(yen)) for label, yen in parts if yen),
            ]
        ),
        *_how(view, owed, found),
        *_card(view, found),
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


def _card(view: MemberView, found: Mapping[str, Any]) -> list[Block]:
    """The way to another card, for whom one may be charged."""
    if found["method"] == "app_store":
        return []
    say = view.say
    told = say("When your card changes, save the new one here: what is unpaid is charged to it.")
    return [Acts(say("Your card"), [Act(say("Save another card"), at_home("card"), told)])]


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
        return [*blocks, *view.ask_us()]
    references = view.ask("bank.references", account=view.own)
    account = next(each for each in references if each["for"] == "account")["reference"]
    rows = [
        (say("1. To our account"), view.text(bank)),
        (say("2. The sum"), view.yen(owed["total"])),
        (say("3. Your payment number"), view.code(account)),
        (say("4. The payer's name"), view.text(say("{number} and then your name in half-width kana", number=account))),
    ]
    terms = [each for each in references if each["for"] == "invoice"]
    note = [
        Prose(say("Put the number before the name, such as {example}. By the number alone we know that it is yours: no "
                  "other message is needed.", example=f"{account} ﾔﾏﾀﾞ ﾊﾅｺ"), "soft"),
        Prose(say("It shows here once our bank has told us of it, mostly on the next bank day."), "soft"),
    ]  # fmt: skip
    single = [
        (say("for the term from {day}", day=words.day(each["term"], view.ja)), view.code(each["reference"]))
        for each in terms
    ]
    more: list[Block] = [Facts(say("To pay one bill alone, use its number"), single)] if len(terms) > 1 else []
    return [*blocks, Facts(say("How to pay by transfer"), rows, "big"), *note, *more]
