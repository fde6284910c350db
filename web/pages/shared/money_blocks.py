"""Blocks about money that the staff and a member both see: invoices, and what is owed in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from keizoku.web.pages.shared.blocks import Table
from keizoku.web.pages.shared.view import View

__all__ = ["invoice_table", "parts_owed"]


def invoice_table(view: View, found: Sequence[Mapping[str, Any]], credit: str) -> Table:
    """Invoices, each with its page; `credit` is what the family of pages calls what was taken off."""
    say = view.say
    rows = [
        [
            view.invoice(each["id"]),
            view.term(each["term"]),
            view.yen(each["total"]),
            view.yen(each["credit"]),
            view.yen(each["charged"]),
            view.word("invoice", each["state"]),
            view.day(each["due"]),
            view.day(each["paid_on"]),
        ]
        for each in found
    ]
    columns = [
        say("Invoice"), say("Term"), say("Fee"), credit, say("To pay"), say("State"), say("Due"), say("Paid on"),
    ]  # fmt: skip
    return view.table(say("Invoices"), columns, rows, empty=say("No invoice was made."), name="invoices")


def parts_owed(view: View, owed: Mapping[str, Any]) -> str:
    """Of what the sum that is owed is made."""
    return view.say(
        "{fee} fees, {interest} interest", fee=view.yen(owed["principal"]), interest=view.yen(owed["interest"])
    )
