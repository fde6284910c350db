"""Applications that wait to be screened, and accounts that are behind: what people decide about users, in line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from keizoku.billing.receivables.account_holds import AccountHold, holds
from keizoku.web.pages.shared.addresses import to
from keizoku.web.pages.shared.blocks import Block, Figure, Figures, Page, Table
from keizoku.web.pages.shared.view import Rows, View
from keizoku.web.pages.staff.navigation import staff

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
    """Who is behind, the next step and its day, what holds it back, and what was proposed about them."""
    say = view.say
    found = view.rows("accounts.list_accounts", overdue=True)
    held = {each.account: each for each in holds(view.call.session, view.call.today)}
    proposed = view.rows("proposals.list_proposals", table="proposals", state="waiting").data
    waiting = {each["account"]: each for each in proposed if each["account"]}
    demands = view.rows("payments.list_demands", table="demands", limit=10)
    more = "" if found.next is None else say("on this page")
    days = sorted(each for each in (_step(view, row)[1] for row in found.data) if each)
    blocks: list[Block] = [
        Figures(
            [
                Figure(say("Accounts"), view.number(len(found.data)), more),
                Figure(say("Unpaid"), view.yen(sum(each["unpaid_yen"] for each in found.data)), more),
                Figure(say("Next step"), view.day(days[0] if days else None), more),
                Figure(say("Held"), view.number(len(held), tone="warn" if held else "")),
                Figure(say("Proposals to approve"), view.number(len(proposed), to("proposals", state="waiting"))),
            ]
        ),
        _overdue_table(view, found, held, waiting),
        view.table(
            say("Holds"),
            [say("Account"), say("Until the end of"), say("By"), say("Since"), say("Ground"), say("End it")],
            [
                [
                    view.account(each.account),
                    view.day(each.until_on),
                    view.text(each.author),
                    view.at(each.recorded_at),
                    view.text(each.ground),
                    view.text(say("Release"), view.act_at("accounts.release", account=each.account)),
                ]
                for each in held.values()
            ],
            empty=say("Nobody is held. An account's page has the act."),
            name="held",
        ),
        view.table(
            say("Demands for interest"),
            [say("Number"), say("Account"), say("Day"), say("New"), say("In all"), say("Occasion")],
            [
                [
                    view.code(each["id"]),
                    view.account(each["account"]),
                    view.day(each["demanded_on"]),
                    view.yen(each["new_yen"]),
                    view.yen(each["total_yen"], to("accounts", each["account"], "interest")),
                    view.text(_occasion(view, each["occasion"])),
                ]
                for each in demands.data
            ],
            empty=say("No interest was demanded."),
            name="demands",
            next=demands.next,
        ),
    ]
    return Page(say("Overdue"), blocks, say("The next step of each, and its day, if nothing more is paid."))


def _occasion(view: View, occasion: str) -> str:
    kind, _, of = occasion.partition(":")
    if kind == "month":
        return view.say("at the end of {month}", month=view.month(of))
    return view.say("at the termination") if kind == "termination" else occasion


def _overdue_table(
    view: View, found: Rows, held: Mapping[str, AccountHold], waiting: Mapping[str, Mapping[str, Any]]
) -> Table:
    say, rows = view.say, []
    for each in sorted(found.data, key=lambda row: _step(view, row)[1] or "9"):
        account, (step, day) = each["account"], _step(view, each)
        hold, proposal = held.get(account), waiting.get(account)
        rows.append(
            [
                view.account(account),
                view.word("state", each["state"]),
                view.yen(each["unpaid_yen"], to("accounts", account, "money")),
                view.number(each["days_overdue"]),
                view.text(step, tone="warn" if day and not hold else ""),
                view.day(day),
                view.day(hold.until_on if hold else None),
                view.text(hold.ground if hold else None),
                view.word("act", proposal["operation"], to("proposals", proposal["id"]), "warn")
                if proposal
                else view.text(None),
            ]
        )
    columns = [
        say("Account"), say("State"), say("Unpaid"), say("Days overdue"), say("Next step"), say("On"),
        say("Held until"), say("Ground"), say("Proposed"),
    ]  # fmt: skip
    empty = say("Nobody is behind.")
    return view.table("", columns, rows, empty=empty, next=found.next)


def _step(view: View, row: Mapping[str, Any]) -> tuple[str, str | None]:
    """What happens next to an account that pays nothing, and on which day."""
    if row["state"] == "active" and row["suspends_on"]:
        return view.say("suspension"), str(row["suspends_on"])
    if row["state"] in ("active", "suspended") and row["terminates_on"]:
        return view.say("termination"), str(row["terminates_on"])
    if row["state"] in ("active", "suspended"):
        return view.say("the contract ends with its term"), None
    return view.say("none by itself: the contract is over"), None
