"""An account: may they come in, until when, why not; what is owed, what happens next; what my role may do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any, Final

from keizoku.billing.rules.contract_state import STATES
from keizoku.web.calls.values import Id
from keizoku.web.pages.shared.addresses import to
from keizoku.web.pages.shared.blocks import Block, Facts, Figure, Figures, Filters, Input, Line, Page, Story
from keizoku.web.pages.shared.money_blocks import invoice_table, parts_owed
from keizoku.web.pages.shared.view import View
from keizoku.web.pages.shared.words import named, word
from keizoku.web.pages.staff.navigation import staff
from keizoku.web.pages.staff.people.letters import letter_table

__all__ = ["account", "accounts", "letters", "money", "timeline"]

_MONEY: Final = (
    "accounts.set_off",
    "accounts.write_off",
    "payments.pay",
    "payments.apply_deposit",
    "payments.refund_deposit",
)


@staff.screen("/accounts", command="account list", resource="accounts")
def accounts(view: View) -> Page:
    """Accounts in the order of their ids, by state."""
    say = view.say
    state = view.query.get("state", "")
    found = view.rows("accounts.list_accounts", state=state or None, overdue="overdue" in view.query)
    filters = Filters(
        (
            Input("state", say("State"), "select", state, choices=[(e, word("state", e, view.lang)) for e in STATES]),
            Input("overdue", say("overdue only"), "checkbox", "yes" if "overdue" in view.query else ""),
        ),
        say("Show"),
    )
    return Page(say("Accounts"), [filters, account_table(view, found.data, found.next)])


def account_table(view: View, found: Sequence[Mapping[str, Any]], following: str | None) -> Any:
    """Accounts with what is unpaid and what comes if nothing more is paid."""
    say = view.say
    rows = [
        [
            view.account(each["account"]),
            view.word("state", each["state"]),
            view.text(each["plan"]),
            view.word("method", each["method"], tone=""),
            view.yen(each["unpaid_yen"], to("accounts", each["account"], "money")),
            view.number(each["days_overdue"]),
            view.day(each["suspends_on"]),
            view.day(each["terminates_on"]),
            view.day(each["ended_on"]),
        ]
        for each in found
    ]
    columns = [
        say("Account"), say("State"), say("Plan"), say("Method"), say("Unpaid"), say("Days overdue"),
        say("Suspends on"), say("Terminates on"), say("Ended on"),
    ]  # fmt: skip
    return view.table("", columns, rows, empty=say("No account is like this. Change the filter."), next=following)


@staff.screen("/accounts/{account}", command="account show", resource="accounts")
def account(view: View, account: Id) -> Page:
    """The account in one look."""
    say = view.say
    found = view.ask("accounts.show", account=account, as_of=_just_now(view))
    state, owed = found["state"], view.ask("accounts.owed", account=account)
    cards = view.rows("cards.list_cards", account=account, table="cards").data
    letters_found = view.rows("documents.letters", account=account, also_sent=True, table="letters")
    there = to("accounts", account, "money")
    blocks: list[Block] = [
        Figures(
            [
                Figure(say("May come in"), view.yes(state["access"]), _why(view, state)),
                Figure(say("Contract"), view.word("state", state["state"]), _plan(view, state)),
                Figure(
                    say("Owed now"),
                    view.yen(owed["total"], there, "bad" if owed["total"] else ""),
                    parts_owed(view, owed) if owed["total"] else "",
                ),
                Figure(say("Next"), *_next(view, state)),
                Figure(say("Card"), *_card(view, cards)),
                Figure(say("Credits left"), view.yen(state["credit_yen"], there)),
                Figure(say("Deposit"), view.yen(state["deposit_yen"], there)),
            ]
        ),
        Story(
            say("The newest events"),
            [_line(view, each) for each in found["events"][-8:][::-1]],
            say("Nothing has happened yet."),
        ),
        *_acts(view, account, state["state"], state.get("held_until")),
        _claims(view, account),
        letter_table(view, letters_found.data[:5], None, say("Letters")),
    ]
    return Page(account, blocks, tabs=_tabs(view, account, ""), above=[(say("Accounts"), to("accounts"))])


@staff.screen("/accounts/{account}/timeline", command="account show", resource="accounts")
def timeline(view: View, account: Id) -> Page:
    """Everything that happened: as of a day, by what was known at an instant."""
    say = view.say
    as_of, known = view.query.get("as_of", ""), view.query.get("known_at", "")
    more: dict[str, Any] = {"as_of": _day_after(as_of) if as_of else _just_now(view)}
    if known:
        more["known_at"] = f"{known}:00+09:00" if len(known) == 16 else known
    found = view.ask("accounts.show", account=account, **more)
    state = found["state"]
    filters = Filters(
        (
            Input("as_of", say("As of the end of"), "date", as_of),
            Input("known_at", say("As known at (Japan time)"), "datetime-local", known),
        ),
        say("Show"),
    )
    facts = Facts(
        say("The state then"),
        [
            (say("Contract"), view.word("state", state["state"])),
            (say("May come in"), view.yes(state["access"])),
            (say("Plan"), view.text(state["plan"])),
            (say("Term"), view.term(state["term"])),
            (say("Unpaid"), view.yen(state["unpaid_yen"])),
            (say("Late interest"), view.yen(state["interest_yen"])),
            (say("Credits left"), view.yen(state["credit_yen"])),
            (say("Deposit"), view.yen(state["deposit_yen"])),
        ],
    )
    rows = [
        [
            view.at(each["at"]),
            view.at(each["known_at"]),
            view.text(each["text"], _leads(each)),
            view.text((each.get("facts") or {}).get("author")),
            view.clause(each["clause"]),
        ]
        for each in found["events"]
    ]
    columns = [say("When"), say("Known since"), say("What happened"), say("By"), say("Clause")]
    table = view.table(say("Events"), columns, rows, empty=say("Nothing had happened by then."), name="events")
    return Page(account, [filters, facts, table], tabs=_tabs(view, account, "timeline"),
                above=[(say("Accounts"), to("accounts"))])  # fmt: skip


@staff.screen("/accounts/{account}/money", command="account show", resource="accounts")
def money(view: View, account: Id) -> Page:
    """Invoices, charges, interest, demands: where each yen of the account is."""
    say = view.say
    owed = view.ask("accounts.owed", account=account)
    invoices = view.ask("accounts.invoices", account=account)
    charges = view.ask("cards.charges", account=account)["charges"]
    demands = view.rows("payments.list_demands", account=account, table="demands")
    references = view.ask("bank.references", account=account)
    interest = view.yen(owed["interest"], to("accounts", account, "interest"))
    blocks: list[Block] = [
        Figures(
            [
                Figure(say("Owed now"), view.yen(owed["total"])),
                Figure(say("Fees"), view.yen(owed["principal"])),
                Figure(say("Late interest"), interest),
                Figure(say("Costs"), view.yen(owed["costs"])),
                Figure(say("Deposit"), view.yen(owed["deposit"])),
            ]
        ),
        invoice_table(view, invoices, say("Credit")),
        view.table(
            say("Charges"),
            [say("Day"), say("Sum"), say("Outcome")],
            [[view.day(e["on"]), view.yen(e["yen"]), view.word("outcome", e["outcome"])] for e in charges],
            empty=say("No card was charged."),
            name="charges",
        ),
        view.table(
            say("Demands for interest"),
            [say("Number"), say("Day"), say("New"), say("In all")],
            [
                [
                    view.code(e["id"], to("demands", e["id"])),
                    view.day(e["demanded_on"]),
                    view.yen(e["new_yen"]),
                    view.yen(e["total_yen"]),
                ]
                for e in demands.data
            ],
            empty=say("No interest was demanded."),
            name="demands",
            next=demands.next,
        ),
        Facts(say("What a transfer can state"), _references(view, references)),
        view.acts(say("What may be done"), [view.act(name, account=account) for name in _MONEY]),
    ]
    return Page(account, blocks, tabs=_tabs(view, account, "money"), above=[(say("Accounts"), to("accounts"))])


@staff.screen("/accounts/{account}/letters", command="notice list", resource="documents")
def letters(view: View, account: Id) -> Page:
    """Every letter to the account."""
    found = view.rows("documents.letters", account=account, also_sent=True)
    table = letter_table(view, found.data, found.next, view.say("Letters"))
    above = [(view.say("Accounts"), to("accounts"))]
    return Page(account, [table], tabs=_tabs(view, account, "letters"), above=above)


def _tabs(view: View, account: str, here: str) -> list[tuple[str, str, bool]]:
    titles = {
        "": named("Overview"), "timeline": named("Timeline"), "money": named("Money"), "letters": named("Letters"),
    }  # fmt: skip
    return [
        (view.say(title), to("accounts", account, *([name] if name else [])), name == here)
        for name, title in titles.items()
    ]


def _why(view: View, state: Mapping[str, Any]) -> str:
    if state["access"]:
        return view.say("until the end of {day}", day=_last_day(state["term"])) if state["term"] else ""
    reason = state["reason"] or state["state"]
    return word("reason", str(reason), view.lang) if reason else view.say("never applied")


def _last_day(term: Sequence[str]) -> str:
    """The last day of a term, which is given with the first day after it."""
    return (date.fromisoformat(term[1]) - timedelta(days=1)).isoformat()


def _plan(view: View, state: Mapping[str, Any]) -> str:
    parts = [state["plan"], word("method", state["method"], view.lang) if state["method"] else ""]
    return " · ".join(part for part in parts if part)


def _next(view: View, state: Mapping[str, Any]) -> tuple[Any, str]:
    """What happens next to the account, and on which day; a hold comes before what it holds back."""
    if state.get("held_until") and (state["suspends_on"] or state["terminates_on"] or state["unpaid_yen"]):
        held = view.say("held up to that day: nothing is charged, demanded or suspended")
        return view.day(state.get("held_until"), tone="warn"), held
    if state["suspends_on"] and state["state"] == "active":
        return view.day(state["suspends_on"], tone="warn"), view.say("suspended, if nothing is paid")
    if state["terminates_on"]:
        return view.day(state["terminates_on"], tone="bad"), view.say("terminated, if nothing is paid")
    if state["state"] == "suspended" and state["term"] and not view.call.rules.discretion.suspended_term_renews:
        return view.day(_last_day(state["term"]), tone="warn"), view.say("the contract ends with this day")
    if state["state"] == "active" and state["term"]:
        ends = state["ended_on"]
        return (view.day(ends), view.say("the contract ends")) if ends else (
            view.day(state["term"][1]), view.say("the contract renews"))  # fmt: skip
    if state["state"] == "applied":
        return view.text(view.say("screening"), to("applications")), ""
    return view.text(None), ""


def _card(view: View, cards: Sequence[Mapping[str, Any]]) -> tuple[Any, str]:
    """The card that is charged, by the gateway's own id, and since when: its number and end never reach us."""
    charged = next((each for each in cards if each["charged"]), None)
    if charged is None:
        return view.text(view.say("none saved")), ""
    return view.code(charged["card"]), view.say("saved at {when}", when=view.at(charged["saved_at"]))


def _acts(view: View, account: str, state: str | None, held: object) -> list[Block]:
    """The acts of whoever looks, by what they are about; the form of each asks its ground and shows what it changes."""
    always = (
        "contracts.end_of_use", "contracts.withdraw_end_of_use", "contracts.change_method", "contracts.store_stop",
        "accounts.suspend", "accounts.terminate", "contracts.leave", "contracts.delete_user", "accounts.base_closed",
    )  # fmt: skip
    by_state: Mapping[str | None, Sequence[str]] = {
        "active": always,
        "suspended": ["accounts.resume", "accounts.terminate", "contracts.end_of_use", "contracts.delete_user"],
        "applied": ["contracts.approve", "contracts.reject", "contracts.show_again"],
    }
    hold = () if state is None else ("accounts.release",) if held else ("accounts.hold",)
    groups = (
        (view.say("What may be done: the contract"), by_state.get(state, ["contracts.apply"])),
        (view.say("What may be done: money"), (*_MONEY, *hold)),
        (
            view.say("What may be done: claims and records"),
            ("claims.submit", "terms.disclosure", "contracts.void_fact"),
        ),
    )
    shown = [(title, [view.act(name, account=account) for name in names]) for title, names in groups]
    offered = [view.acts(title, acts) for title, acts in shown if any(acts)]
    return [*offered] if offered else [view.acts(view.say("What may be done"), [])]


def _line(view: View, event: Mapping[str, Any]) -> Line:
    return Line(event["text"], str(view.at(event["at"])), event["clause"] or "", _leads(event))


def _leads(event: Mapping[str, Any]) -> str | None:
    facts = event.get("facts") or {}
    if isinstance(facts.get("invoice"), int):
        return to("invoices", facts["invoice"])
    return to("claims", facts["claim"]) if isinstance(facts.get("claim"), str) else None


def _claims(view: View, account: str) -> Block:
    from keizoku.web.pages.staff.sla.claims import claim_table

    found = view.rows("claims.list_claims", account=account, table="claims")
    return claim_table(view, found.data, found.next, view.say("Claims"))


def _references(view: View, found: Sequence[Mapping[str, Any]]) -> list[tuple[str, Any]]:
    return [
        (
            view.say("for the term from {day}", day=each["term"]) if each.get("term") else view.say("for the account"),
            view.code(each["reference"]),
        )
        for each in found
    ]


def _just_now(view: View) -> str:
    """What happened at this very instant has happened."""
    return (view.call.now + timedelta(seconds=1)).isoformat()


def _day_after(text: str) -> str:
    """The end of a day as an instant; what is no day is left to the form's own check."""
    try:
        following = date.fromisoformat(text) + timedelta(days=1)
    except (ValueError, OverflowError):
        return text
    return f"{following.isoformat()}T00:00:00+09:00"
