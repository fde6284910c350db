"""Money explained: an invoice, the interest of an account; where each yen went, and by which clause."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from keizoku.web.calls.values import Id, Number
from keizoku.web.pages.shared.addresses import to
from keizoku.web.pages.shared.blocks import Block, Figure, Figures, Filters, Input, Page
from keizoku.web.pages.shared.view import View
from keizoku.web.pages.staff.navigation import staff

__all__ = ["interest", "invoice"]


@staff.screen("/invoices/{number}", command="explain invoice", resource="payments")
def invoice(view: View, number: Number) -> Page:
    """From the price to what is open, each amount with its reason."""
    say = view.say
    found: Mapping[str, Any] = view.ask("payments.invoice", number=number)
    account = found["account"]
    blocks: list[Block] = [
        Figures(
            [
                Figure(say("Fee"), view.yen(found["total_yen"]), f"{found['starts_on']} – {found['ends_on']}"),
                Figure(say("Credit"), view.yen(found["credit_yen"])),
                Figure(
                    say("To pay"),
                    view.yen(found["charged_yen"]),
                    say("tax in it: {yen}", yen=view.yen(found["tax_yen"])),
                ),
                Figure(say("Open"), view.yen(found["open_yen"], tone="bad" if found["open_yen"] else "")),
                Figure(say("State"), view.word("invoice", found["state"]), say("due {day}", day=found["due_on"])),
            ]
        ),
        view.story(say("How it came about"), found["sentences"]),
        view.table(
            say("What settled it"),
            [say("Kind"), say("Sum"), say("Day"), say("Recorded")],
            [
                [
                    view.word("settlement", e["kind"], _receipt(e["source"]), ""),
                    view.yen(e["yen"]),
                    view.day(e["settled_on"]),
                    view.at(e["recorded_at"]),
                ]
                for e in found["settlements"]
            ],
            empty=say("Nothing has been paid on it."),
            name="settlements",
        ),
        view.table(
            say("Credits taken off"),
            [say("Credit"), say("Month"), say("Sum")],
            [
                [
                    view.code(e["credit"], to("credits", e["credit"])),
                    view.month(e["month"], to("sla", e["month"])),
                    view.yen(e.get("yen")),
                ]
                for e in found["credits"]
            ],
            empty=say("No credit was taken off."),
            name="credits",
        ),
        view.acts(
            say("What may be done"),
            [
                view.act("payments.pay", account=account, term=found["starts_on"]),
                view.act("accounts.write_off", account=account, term=found["starts_on"]),
            ],
        ),
    ]
    return Page(
        say("Invoice {number}", number=number), blocks,
        above=[(account, to("accounts", account)), (say("Money"), to("accounts", account, "money"))],
    )  # fmt: skip


@staff.screen("/accounts/{account}/interest", command="interest preview", resource="payments")
def interest(view: View, account: Id) -> Page:
    """Late interest when it is paid on a day: principal, days, exact and rounded."""
    say, on = view.say, view.query.get("on", "")
    found = view.ask("payments.interest", account=account, **({"on": on} if on else {}))
    rows = [
        [
            view.invoice(each["invoice"]),
            view.yen(each["principal_yen"]),
            view.day(each["due_on"]),
            view.day(each["accrues_after_on"]),
            view.number(each["days"]),
            view.share(each["rate"]),
            view.code(each["exact"]),
            view.yen(each["yen"]),
        ]
        for each in found["debts"]
    ]
    columns = [
        say("Invoice"), say("Principal"), say("Due"), say("Accrues after"), say("Days"), say("Rate"), say("Exact"),
        say("Interest"),
    ]  # fmt: skip
    blocks: list[Block] = [
        Filters((Input("on", say("Paid on"), "date", str(found["on"])),), say("Show")),
        Figures(
            [
                Figure(say("Interest"), view.yen(found["total_yen"])),
                Figure(say("Demanded"), view.yen(found["demanded_yen"])),
                Figure(say("Not demanded yet"), view.yen(found["new_yen"])),
                Figure(say("Rate"), view.share(found["rate"]), "5.2"),
            ]
        ),
        view.table(say("By invoice"), columns, rows, empty=say("Nothing is owed, so nothing accrues."), name="debts"),
    ]
    return Page(
        say("Late interest"), blocks,
        above=[(account, to("accounts", account)), (say("Money"), to("accounts", account, "money"))],
    )  # fmt: skip


def _receipt(number: int | None) -> str | None:
    return None if number is None else to("receipts", number)
