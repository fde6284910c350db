"""Applications that wait to be screened, and accounts that are behind: what people decide about users, in line."""

from __future__ import annotations

from keizoku.web.pages.shared.addresses import to
from keizoku.web.pages.shared.blocks import Block, Figure, Figures, Page
from keizoku.web.pages.shared.kept import worked_out
from keizoku.web.pages.shared.plain import table_of
from keizoku.web.pages.shared.view import View
from keizoku.web.pages.staff.navigation import staff
from keizoku.web.pages.staff.people.account import account_table

__all__ = ["applications", "overdue"]


@staff.screen("/applications", command="contract queue", resource="contracts")
def applications(view: View) -> Page:
    """Who waits, for how long, and what is known of them; one click to the decision."""
    say = view.say
    found = view.rows("contracts.list_applications")
    may = view.may("contracts.approve")
    rows = [
        [
            view.account(each["account"]),
            view.number(each["waiting_days"]),
            view.text(each["plan"]),
            view.word("method", each["method"], tone=""),
            view.number(each["earlier_contracts"]),
            view.number(each["rejections"]),
            view.yen(each["owed_yen"]),
            view.text(", ".join(each["consents"])),
            *(
                [
                    view.text(say("Approve"), view.act_at("contracts.approve", account=each["account"])),
                    view.text(say("Turn down"), view.act_at("contracts.reject", account=each["account"])),
                ]
                if may
                else []
            ),
        ]
        for each in found.data
    ]
    columns = [
        say("Account"), say("Days"), say("Plan"), say("Method"), say("Earlier contracts"), say("Turned down before"),
        say("Owed now"), say("Consents"), *([say("Approve"), say("Turn down")] if may else []),
    ]  # fmt: skip
    table = view.table("", columns, rows, empty=say("Nobody waits to be screened."), next=found.next)
    acts = view.acts(say("What may be done"), [view.act("contracts.apply")])
    return Page(say("Applications"), [table, acts], say("Who waits to be screened, the oldest first (3.3)."))


@staff.screen("/overdue", command="account list", resource="accounts")
def overdue(view: View) -> Page:
    """Who is behind, the next step and its day, and what was proposed about them."""
    say = view.say
    found = view.rows("accounts.list_accounts", overdue=True)
    held = view.rows("proposals.list_proposals", table="proposals", state="waiting")
    demands = view.rows("payments.list_demands", table="demands")
    held_for = worked_out(view, "payments.list_deposits")
    deposits = held_for.page(view, "deposits", "account")
    blocks: list[Block] = [
        Figures(
            [
                Figure(say("Accounts"), view.number(len(found.data)), say("on this page")),
                Figure(say("Unpaid"), view.yen(sum(each["unpaid_yen"] for each in found.data))),
                Figure(say("Proposals to approve"), view.number(len(held.data), to("proposals", state="waiting"))),
            ]
        ),
        account_table(view, found.data, found.next),
        table_of(
            view, say("Demands for interest"), demands.data, name="demands", next=demands.next,
            empty=say("No interest was demanded."),
        ),
        table_of(view, say("Deposits"), deposits.data, name="deposits", next=deposits.next,
                 empty=held_for.note(view) or say("We hold no deposit.")),
    ]  # fmt: skip
    return Page(say("Overdue"), blocks, say("The next step of each, and its day, if nothing more is paid."))
