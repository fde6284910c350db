"""Money explained: a line of the bank, a payment, a demand for interest, a credit, a refund; each yen with its page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from keizoku.web.calls.values import Id, Number
from keizoku.web.pages.shared.addresses import to
from keizoku.web.pages.shared.blocks import Act, Block, Cell, Facts, Figure, Figures, Line, Page, Prose, Story
from keizoku.web.pages.shared.kept import worked_out
from keizoku.web.pages.shared.view import View
from keizoku.web.pages.shared.words import named
from keizoku.web.pages.staff.money.bank import about_cell, bank_tabs, reasons_of
from keizoku.web.pages.staff.navigation import staff

__all__ = ["credit", "demand", "payment", "receipt", "refund"]

_WAITING: Final = ("match", "send_back", "payout", "fee", "transfer", "other")


@staff.screen("/bank/{payment}", command="bank list", resource="bank")
def payment(view: View, payment: Number) -> Page:
    """One line of the bank: what it says, what became of it, what may become of it."""
    say = view.say
    found = view.ask("bank.show_payment", payment=payment)
    waits = found["state"] == "open"
    suggested = (worked_out(view, "bank.suggest", payment=payment).answer or []) if waits else []
    money = view.yen(found["amount"]) if found["currency"] == "JPY" else view.text(f"{found['amount']:,}")
    blocks: list[Block] = [
        Figures(
            [
                Figure(say("In") if found["direction"] == "in" else say("Out"), money, found["currency"]),
                Figure(say("Day"), view.day(found["paid_on"]), f"{say('Our account')}: {found['bank_account'] or '—'}"),
                Figure(say("State"), view.word("state", found["state"]), found["why"] or ""),
                Figure(
                    say("Whose"),
                    view.account(found["account"]) if found["account"] else about_cell(view, found["about"]),
                ),
            ]
        ),
        view.acts(
            say("What may be done"),
            [view.act(f"bank.{name}", payment=payment) for name in (_WAITING if waits else ("unmatch",))],
        ),
    ]
    if waits:
        blocks.append(
            view.table(
                say("Whose it may be"),
                [say("Account"), say("Why"), say("Match")],
                [
                    [
                        view.account(each["account"]),
                        view.text(reasons_of(view, each)),
                        view.text(say("Match"), _match(view, payment, each)),
                    ]
                    for each in suggested
                ],
                empty=say("Nobody is suggested: ask the payer, or send it back."),
                name="suggestions",
            )
        )
    blocks += [
        Facts(
            say("What the bank says"),
            [
                (say("Payer"), view.text(found["payer"])),
                (say("Reference"), view.text(found["reference"])),
                (say("Balance after it"), view.yen(found["balance"])),
                (say("File and line"), view.text(found["source"], to("bank", "files"))),
            ],
        ),
        view.table(
            say("What became of it"),
            [say("Recorded"), say("What"), say("Account"), say("Receipt"), say("About"), say("By"), say("Why")],
            [
                [
                    view.at(each["recorded_at"]),
                    view.word("state", each["kind"], tone=""),
                    view.account(each["account"]),
                    view.code(each["receipt"], to("receipts", each["receipt"]) if each["receipt"] else None),
                    about_cell(view, each["about"]),
                    view.text(each["by"]),
                    view.text(each["why"]),
                ]
                for each in found["acts"]
            ],
            empty=say("Nobody has said anything of it yet."),
            name="acts",
        ),
    ]
    return Page(say("Payment {number}", number=payment), blocks, tabs=bank_tabs(view, "-"))


@staff.screen("/receipts/{number}", command="explain invoice", resource="payments")
def receipt(view: View, number: Number) -> Page:
    """A payment of an account: where each yen went, and what an earlier or a later one changed."""
    say = view.say
    found = view.ask("payments.receipt", number=number)
    back, line = found["taken_back_by"], found["bank_payment"]
    sums = {kind: sum(each["yen"] for each in found["parts"] if each["kind"] == kind) for kind in _PARTS}
    blocks: list[Block] = [
        Figures(
            [
                Figure(say("Received"), view.yen(found["yen"]), say("on {day}", day=found["received_on"])),
                *(Figure(say(_PARTS[kind]), view.yen(yen, "#table-parts")) for kind, yen in sums.items() if yen),
                *([Figure(say("Taken back"), view.code(back, to("receipts", back)))] if back else []),
            ]
        ),
        *_order_of_days(view, found),
        view.table(
            say("Where each yen went"),
            [say("Kind"), say("Invoice"), say("Day"), say("Sum")],
            [
                [
                    view.text(say(_PARTS[each["kind"]])),
                    view.invoice(each["invoice"]),
                    view.day(each["on"]),
                    view.yen(each["yen"]),
                ]
                for each in found["parts"]
            ],
            empty=say("Nothing of it was allocated."),
            name="parts",
            note=say("Costs first, then interest, then fees; what is left is kept as a deposit (Civil Code 489)."),
            total=[
                view.text(say("in all")), view.text(None), view.text(None),
                view.yen(sum(each["yen"] for each in found["parts"])),
            ],
        ),
        _deposit(view, say("What became of the account's deposit"), found["deposit"]),
        Facts(
            say("Where it comes from"),
            [
                (say("Account"), view.account(found["account"])),
                (say("Came by"), view.word("via", found["via"], tone="")),
                (say("Line of the bank"), _numbered(view, "bank", found["bank_payment"])),
                (say("Recorded"), view.at(found["recorded_at"])),
                (say("Costs"), view.yen(found["costs_yen"] or None)),
                (say("Proof of the costs"), view.text(found["costs_proof"])),
                (say("For the term that begins on"), view.day(found["for_term_on"])),
                (say("It takes back"), _numbered(view, "receipts", found["takes_back"])),
                *_entries(view, found["entries"]),
            ],
        ),
        *([view.acts(say("What may be done"), [_undo(view, line)])] if line and not back else []),
    ]  # fmt: skip
    return Page(say("Receipt {number}", number=number), blocks, above=_above(view, found["account"]))


_PARTS: Final = {
    "costs": named("Costs"),
    "interest": named("Late interest"),
    "principal": named("Fees"),
    "deposit": named("Deposit"),
}


def _order_of_days(view: View, found: Mapping[str, Any]) -> list[Block]:
    """What other payments changed of this one, told where there are any."""
    say, lines = view.say, []
    for each in found["earlier"]:
        text = say("A payment of {yen} of {day} became known later, and counts before this one.",
                   yen=view.yen(each["yen"]), day=each["received_on"])  # fmt: skip
        lines.append(Line(text, view.at(each["recorded_at"]).text, href=to("receipts", each["receipt"])))
    for each in found["later"]:
        text = say("A payment of {yen} of {day} had been recorded before, and was worked out again after this one.",
                   yen=view.yen(each["yen"]), day=each["received_on"])  # fmt: skip
        lines.append(Line(text, view.at(each["recorded_at"]).text, href=to("receipts", each["receipt"])))
    return [Story(say("What other payments changed"), lines)] if lines else []


@staff.screen("/demands/{number}", command="demand show", resource="payments")
def demand(view: View, number: Number) -> Page:
    """A demand for late interest: days, rate, base and clause of every segment, as it was sent."""
    say = view.say
    found = view.ask("payments.show_demand", number=number)
    workings = found["calculation"]
    rows = []
    for debt in workings["debts"]:
        rows += [
            [
                view.invoice(debt["invoice"]),
                view.day(run["first_on"]),
                view.day(run["last_on"]),
                view.number(run["days"]),
                view.yen(debt["principal_yen"]),
                view.share(debt["rate"]),
                view.code(run["of_a_year"]),
                Cell(run["exact"], run["exact"], None, "number"),
            ]
            for run in debt["runs"]
        ]
    columns = [
        say("Invoice"), say("From"), say("To"), say("Days"), say("Base"), say("Rate"), say("Share of a year"),
        say("Exact"),
    ]  # fmt: skip
    debts = [
        [
            view.invoice(each["invoice"]),
            view.day(each["term_on"]),
            view.day(each["due_on"]),
            view.yen(each["principal_yen"]),
            view.number(each["days"]),
            view.yen(each["accrued_unpaid_yen"]),
            view.yes(each["capped"]),
            view.yen(each["yen"]),
        ]
        for each in workings["debts"]
    ]
    blocks: list[Block] = [
        Figures(
            [
                Figure(say("Demanded here"), view.yen(found["interest_yen"])),
                Figure(say("In all"), view.yen(found["total_yen"]), say("on {day}", day=found["demanded_on"])),
                Figure(say("Demanded before"), view.yen(workings["demanded_yen"])),
                Figure(say("Rate"), view.share(workings["rate"], to("terms", "clauses", "premium", "5.2")), "5.2"),
                Figure(say("Exact"), view.code(workings["exact"]), say("rounded down once, on the sum")),
            ]
        ),
        view.table(say("Each segment"), columns, rows, empty=say("No day counts."), name="segments"),
        view.table(
            say("By invoice"),
            [
                say("Invoice"), say("Term"), say("Due"), say("Base"), say("Days"), say("Left from before"),
                say("At the legal ceiling"), say("Interest"),
            ],
            debts,
            empty=say("Nothing is owed, so nothing accrues."),
            name="debts",
        ),
        Story(say("As it was sent"), [Line(each) for each in found["body_ja" if view.ja else "body_en"].splitlines()]),
    ]  # fmt: skip
    return Page(say("Demand {number}", number=number), blocks, above=_above(view, found["account"]))


@staff.screen("/credits/{number}", command="explain invoice", resource="payments")
def credit(view: View, number: Number) -> Page:
    """A credit: of which claim, how it was reckoned, what it reduced, what is left."""
    say = view.say
    found = view.ask("payments.credit", number=number)
    blocks: list[Block] = [
        Figures(
            [
                Figure(say("Granted"), view.yen(found["granted_yen"]), say("on {day}", day=found["granted_on"])),
                Figure(say("Taken off invoices"), view.yen(sum(e["yen"] for e in found["uses"]), "#table-uses")),
                Figure(say("Sent to cards"), view.yen(sum(e["yen"] for e in found["refunds"]), "#table-refunds")),
                Figure(
                    say("Left"),
                    view.yen(found["available_yen"]),
                    say("usable from {day}", day=found["usable_from"]),
                ),
            ]
        ),
        *([Prose(say("Another remedy was performed in its place."))] if found["performed_otherwise"] else []),
        Facts(
            say("How the credit came about"),
            [
                (say("Claim"), view.claim(found["claim"])),
                (say("Month"), view.month(found["month"], to("sla", found["month"]))),
                (say("Unusable time"), view.seconds(found["seconds"], to("sla", found["month"]))),
                (say("Reduction"), view.share(found["rate"])),
                (say("Monthly fee it rests on"), view.code(found["fee_basis"])),
                (say("For the month in all"), view.yen(found["total_yen"])),
                *_entries(view, found["entries"]),
            ],
        ),
        view.table(
            say("Invoices that it reduced"),
            [say("Invoice"), say("Day"), say("Sum")],
            [[view.invoice(e["invoice"]), view.day(e["on"]), view.yen(e["yen"])] for e in found["uses"]],
            empty=say("No invoice was reduced by it yet."),
            name="uses",
        ),
        view.table(
            say("Sent to cards"),
            [say("Refund"), say("Day"), say("Sum"), say("Outcome")],
            [
                [
                    view.code(e["refund"], to("refunds", e["refund"])),
                    view.day(e["on"]),
                    view.yen(e["yen"]),
                    view.word("outcome", e["outcome"] or "unknown"),
                ]
                for e in found["refunds"]
            ],
            empty=say("Nothing of it went to a card."),
            name="refunds",
        ),
        _deposit(view, say("Kept as a deposit"), found["deposit"]),
    ]
    return Page(say("Credit {number}", number=number), blocks, above=_above(view, found["account"]))


@staff.screen("/refunds/{refund}", command="explain invoice", resource="payments")
def refund(view: View, refund: Id) -> Page:
    """A refund to a card: of what, from which charge, and what the gateway answered."""
    say = view.say
    found = view.ask("payments.refund", key=refund)
    outcome = found["outcome"] or "unknown"
    why = found["failed_code"] or found["code"] or ""
    acts = [
        view.act("payments.nothing_refunded", key=found["refund"]) if outcome == "unknown" else None,
        view.act("payments.refund_dealt_with", refund=found["refund"]) if found["failed_on"] else None,
    ]
    blocks: list[Block] = [
        Figures(
            [
                Figure(say("Refund"), view.yen(found["yen"])),
                Figure(say("Outcome"), view.word("outcome", outcome), why),
                Figure(say("Asked for"), view.at(found["requested_at"])),
                Figure(say("Age"), view.age(found["requested_at"]) if outcome == "unknown" else view.text(None)),
            ]
        ),
        Facts(
            say("Where it comes from"),
            [
                (say("Of"), view.word("refund_of", found["of"], tone="")),
                (say("Credit"), _numbered(view, "credits", found["credit"])),
                (say("Account"), view.account(found["account"])),
                (say("Invoice that the card had paid"), view.invoice(found["invoice"])),
                (say("Charge"), view.code(found["attempt"])),
                (say("At the gateway"), view.code(found["gateway_id"])),
                (say("Settled on"), view.day(found["settled_on"])),
                (say("Came back on"), view.day(found["failed_on"], tone="bad")),
            ],
        ),
        *([view.acts(say("What may be done"), acts)] if outcome == "unknown" or found["failed_on"] else []),
    ]
    return Page(say("Refund"), blocks, above=_above(view, found["account"]))


def _deposit(view: View, title: str, found: Sequence[Mapping[str, Any]]) -> Block:
    say = view.say
    rows = [
        [
            view.day(each["on"]), view.word("deposit", each["kind"], tone=""), view.yen(each["yen"]),
            view.text(each["author"]), view.text(each["ground"]),
        ]
        for each in found
    ]  # fmt: skip
    return view.table(title, [say("Day"), say("Kind"), say("Sum"), say("By"), say("Why")], rows,
                      empty=say("Nothing was used of it."), name="deposit")  # fmt: skip


def _match(view: View, payment: int, each: Mapping[str, Any]) -> str | None:
    reasons = "; ".join(each["reasons"])
    return view.act_at("bank.match", payment=payment, account=each["account"], ground=reasons)


def _undo(view: View, line: int | None) -> Act | None:
    return None if line is None else view.act("bank.unmatch", payment=line)


def _numbered(view: View, page: str, number: int | None) -> Cell:
    return view.code(number, None if number is None else to(page, number))


def _entries(view: View, found: Sequence[int]) -> list[tuple[str, Cell]]:
    """The journal's entries, each with its page."""
    return [(view.say("Entry"), view.code(each, to("ledger", "entries", each))) for each in found]


def _above(view: View, account: str) -> list[tuple[str, str]]:
    return [(account, to("accounts", account)), (view.say("Money"), to("accounts", account, "money"))]
