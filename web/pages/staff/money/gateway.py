"""The card gateway: what has no answer and since when, refunds that came back, disputes, payouts beside the bank."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from keizoku.web.pages.shared.addresses import to
from keizoku.web.pages.shared.blocks import Block, Cell, Facts, Figure, Figures, Page
from keizoku.web.pages.shared.view import Rows, View
from keizoku.web.pages.shared.words import word
from keizoku.web.pages.staff.navigation import staff

__all__ = ["gateway"]

_UNDECIDED: Final = ("inquiry", "open")
_NOT_COMING: Final = ("failed", "canceled")


@staff.screen("/gateway", command="payments unknown", resource="payments")
def gateway(view: View) -> Page:
    """What the gateway has not answered, gave back, disputes, paid out, and how fresh all of it is."""
    say = view.say
    charges = view.rows("payments.list_unknown", table="charges")
    refunds = view.rows("payments.list_refunds", table="refunds")
    failed = view.rows("payments.list_failed_refunds", table="failed")
    disputes = view.rows("payments.list_disputes", table="disputes")
    payouts = view.rows("payments.payouts", table="payouts")
    news = view.ask("payments.news")
    undecided = [each for each in disputes.data if each["state"] in _UNDECIDED]
    away = [each for each in payouts.data if not each["bank_payment"] and each["state"] not in _NOT_COMING]
    blocks: list[Block] = [
        Figures(
            [
                _figure(view, say("Charges without an answer"), charges, "charges", "sent_at"),
                _figure(view, say("Refunds without an answer"), refunds, "refunds", "sent_at"),
                _figure(view, say("Failed refunds"), failed, "failed", "listed_at"),
                Figure(
                    say("Disputes not decided"),
                    view.number(len(undecided), "#table-disputes", "warn" if undecided else "good"),
                    str(view.yen(sum(each["yen"] - each["returned_yen"] for each in undecided))) if undecided else "",
                ),
                Figure(
                    say("Payouts not seen at the bank"),
                    view.number(len(away), "#table-payouts", "warn" if away else "good"),
                    str(view.yen(sum(each["yen"] for each in away))) if away else "",
                ),
            ]
        ),
        view.acts(
            say("What may be done"), [view.act("payments.settle"), view.act("payments.import_balance")]
        ),
        _charges(view, charges),
        _refunds(view, refunds),
        _failed(view, failed),
        _disputes(view, disputes),
        _payouts(view, payouts),
        Facts(
            say("How fresh this is"),
            [
                (word("asked", each["what"], view.lang), view.at(each["until"])) for each in news["asked"]
            ]
            + [(say("Calls of the gateway (webhook)"), view.yes(news["pushed"]))],
        ),
    ]  # fmt: skip
    return Page(say("Card gateway"), blocks)


def _figure(view: View, label: str, found: Rows, table: str, since: str) -> Figure:
    """How many wait, how much, and for how long the oldest of them."""
    say = view.say
    if not found.data:
        return Figure(label, view.number(0, tone="good"))
    oldest = min(str(each[since]) for each in found.data)
    days = view.age(oldest)
    note = say("{yen}, the oldest for {age}", yen=view.yen(sum(each["yen"] for each in found.data)), age=days)
    return Figure(label, view.counted(found, f"#table-{table}", "warn"), note)


def _charges(view: View, found: Rows) -> Block:
    say = view.say
    rows = [
        [
            view.code(each["attempt"]),
            view.account(each["account"]),
            view.invoice(each["invoice"]),
            view.yen(each["yen"]),
            view.yen(each["still_open_yen"]),
            view.at(each["sent_at"]),
            view.age(each["sent_at"], 1),
            _act(view, "payments.nothing_charged", attempt=each["attempt"]),
        ]
        for each in found.data
    ]
    columns = [
        say("Charge"), say("Account"), say("Invoice"), say("Sum"), say("Still open"), say("Sent"), say("Age"),
        say("What to do"),
    ]  # fmt: skip
    note = say("Each night asks again; after 23 hours it is not sent again, and people decide.") if rows else ""
    return view.table(say("Charges without an answer"), columns, rows, name="charges", next=found.next, note=note,
                      empty=say("Every charge has its answer."))  # fmt: skip


def _refunds(view: View, found: Rows) -> Block:
    say = view.say
    rows = [
        [
            view.code(each["key"], to("refunds", each["key"])),
            view.word("refund_of", each["of"], tone=""),
            view.account(each["account"]),
            view.yen(each["yen"]),
            view.at(each["sent_at"]),
            view.age(each["sent_at"], 1),
            _act(view, "payments.nothing_refunded", key=each["key"]),
        ]
        for each in found.data
    ]
    columns = [say("Refund"), say("Of"), say("Account"), say("Sum"), say("Sent"), say("Age"), say("What to do")]
    return view.table(say("Refunds without an answer"), columns, rows, name="refunds", next=found.next,
                      empty=say("Every refund has its answer."))  # fmt: skip


def _failed(view: View, found: Rows) -> Block:
    say = view.say
    rows = [
        [
            view.code(each["refund"]),
            view.account(each["account"]),
            view.yen(each["yen"]),
            view.code(each["code"]),
            view.day(each.get("failed_on")),
            view.at(each["listed_at"]),
            view.age(each["listed_at"], 1),
            _act(view, "payments.refund_dealt_with", refund=each["refund"]),
        ]
        for each in found.data
    ]
    columns = [
        say("Refund"), say("Account"), say("Sum"), say("Reason of the card's bank"), say("Came back on"),
        say("Known since"), say("Age"), say("What to do"),
    ]  # fmt: skip
    note = say("Pay it in another way, or set it off; then say so here.") if rows else ""
    return view.table(say("Failed refunds"), columns, rows, name="failed", next=found.next, note=note,
                      empty=say("No refund came back."))  # fmt: skip


def _disputes(view: View, found: Rows) -> Block:
    say = view.say
    rows = [
        [
            view.code(each["dispute"]),
            view.word("dispute", each["state"], tone="warn" if each["state"] in _UNDECIDED else ""),
            view.account(each["account"]),
            view.invoice(each["invoice"]),
            view.yen(each["yen"]),
            view.yen(each["returned_yen"]),
            view.yen(each["fee_yen"]),
            view.at(each["opened_at"]),
            view.age(each["opened_at"]) if each["state"] in _UNDECIDED else view.number(None),
            view.at(each["decided_at"]),
            _choice(view, each),
        ]
        for each in found.data
    ]
    columns = [
        say("Dispute"), say("State"), say("Account"), say("Invoice"), say("Sum"), say("Returned"), say("Fee of it"),
        say("Opened"), say("Age"), say("Decided"), say("If it is lost"),
    ]  # fmt: skip
    return view.table(say("Disputes"), columns, rows, name="disputes", next=found.next,
                      empty=say("No charge is disputed."))  # fmt: skip


def _choice(view: View, each: Mapping[str, Any]) -> Cell:
    """What a loss means: what people chose, or the act to choose it."""
    if each["choice"]:
        return view.word("choice", each["choice"], view.act_at("payments.dispute_lost", dispute=each["dispute"]), "")
    return _act(view, "payments.dispute_lost", dispute=each["dispute"])


def _payouts(view: View, found: Rows) -> Block:
    say = view.say
    rows = [
        [
            view.code(each["payout"]),
            view.word("payout", each["state"], tone="bad" if each["state"] in _NOT_COMING else ""),
            view.yen(each["yen"]),
            view.number(each["movements"]),
            view.yen(each["net_yen"], tone="bad" if each["movements"] and each["net_yen"] != each["yen"] else ""),
            view.day(each["arrives_on"]),
            _at_the_bank(view, each),
            view.yen(each["bank_yen"], tone="bad" if each["bank_yen"] not in (None, each["yen"]) else ""),
        ]
        for each in found.data
    ]
    columns = [
        say("Payout"), say("State"), say("Sum"), say("Movements"), say("Net of them"), say("Arrives on"),
        say("At the bank"), say("Sum there"),
    ]  # fmt: skip
    return view.table(say("Payouts and the bank's lines"), columns, rows, name="payouts", next=found.next,
                      empty=say("No payout is known yet."))  # fmt: skip


def _at_the_bank(view: View, each: Mapping[str, Any]) -> Cell:
    if each["bank_payment"]:
        return view.day(each["arrived_on"], to("bank", each["bank_payment"]))
    if each["state"] in _NOT_COMING:
        return view.text(None)
    days = (view.call.today - date.fromisoformat(each["arrives_on"])).days
    late = days > 0
    return view.text(view.say("missing for {n} days", n=days) if late else view.say("under way"),
                     to("bank", "files") if late else None, "bad" if late and days > 5 else "warn")  # fmt: skip


def _act(view: View, name: str, **known: object) -> Cell:
    """The act that ends it, by its name, for those who may."""
    there = view.act_at(name, **known)
    return view.text(None) if there is None else view.text(word("act", name, view.lang), there)
