"""Bank and matching: what waits, whose it may be and why, one click to match it, and the way to undo it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from keizoku.terms.refusal import Refused
from keizoku.web.calls.values import Number
from keizoku.web.pages.shared.addresses import to
from keizoku.web.pages.shared.blocks import Block, Cell, Facts, Figure, Figures, Page
from keizoku.web.pages.shared.kept import worked_out
from keizoku.web.pages.shared.plain import shown, table_of
from keizoku.web.pages.shared.view import View
from keizoku.web.pages.shared.words import named, word
from keizoku.web.pages.staff.navigation import staff

__all__ = ["bank", "payment", "statement", "transfers"]

_NOT_YET: Final[dict[str, Any]] = {"ledger_yen": None, "lines_yen": None, "rest_yen": None, "unmet": []}
_OPEN: Final = ("match", "send_back", "payout", "fee", "transfer", "other")


@staff.screen("/bank", command="bank list", resource="bank")
def bank(view: View) -> Page:
    """What waits to be matched."""
    say = view.say
    waiting = view.rows("bank.list_payments", open_only=True, table="waiting")
    compared = worked_out(view, "bank.suggest")
    suggested = compared.page(view, "suggestions", "id")
    control = worked_out(view, "bank.balance")
    balance: dict[str, Any] = control.answer or _NOT_YET
    may = view.may("bank.match")
    rows = [
        [
            view.code(each["id"], to("bank", each["id"])),
            view.day(each["paid_on"]),
            view.yen(each["yen"]),
            view.text(each["payer"]),
            view.account(each["account"]),
            _reasons(view, each),
            *([_matched(view, each)] if may else []),
        ]
        for each in suggested.data
    ]
    columns = [say("Payment"), say("Day"), say("Sum"), say("Payer"), say("Account"), say("Why")]
    blocks: list[Block] = [
        Figures(
            [
                Figure(say("Waits to be matched"), view.number(len(waiting.data))),
                Figure(say("In the books"), view.yen(balance["ledger_yen"], to("ledger", "accounts", "1110"))),
                Figure(say("At the bank"), view.yen(balance["lines_yen"], to("bank", "statement"))),
                Figure(say("Not explained"), view.yen(balance["rest_yen"], tone="bad" if balance["rest_yen"] else "")),
            ]
        ),
        view.table(
            say("Whose they may be"),
            [*columns, *([say("Match")] if may else [])],
            rows,
            empty=compared.note(view) or say("Nothing is suggested."),
            name="suggestions",
            next=suggested.next,
        ),
        _payments(view, say("Waiting"), waiting.data, waiting.next, "waiting"),
        table_of(view, say("In one book and not in the other"), balance["unmet"], name="unmet",
                 empty=control.note(view) or say("Books and bank agree.")),
    ]  # fmt: skip
    return Page(say("Bank and matching"), blocks, tabs=_tabs(view, ""))


@staff.screen("/bank/statement", command="bank statement", resource="bank")
def statement(view: View) -> Page:
    """Every line of our accounts, the files they came in, and what is remembered of payers."""
    say = view.say
    lines = view.rows("bank.statement", table="lines")
    imports = view.rows("bank.list_imports", table="imports")
    rules = view.rows("bank.list_rules", table="rules")

    def forget(row: Mapping[str, Any]) -> str | None:
        return view.act_at("bank.forget", rule=row["id"])

    def take_back(row: Mapping[str, Any]) -> str | None:
        return view.act_at("bank.take_back", number=row["id"])

    blocks: list[Block] = [
        table_of(view, say("Lines"), lines.data, name="lines", next=lines.next,
                 empty=say("No line was taken in. Bank files come in by `keizoku bank import` or the API."),
                 hrefs={"id": lambda row: to("bank", row["id"])}),
        table_of(view, say("Files"), imports.data, name="imports", next=imports.next,
                 empty=say("No file was taken in."), hrefs={"id": take_back}),
        table_of(view, say("Remembered payers"), rules.data, name="rules", next=rules.next,
                 empty=say("No payer is remembered."), hrefs={"id": forget}),
    ]  # fmt: skip
    return Page(say("Bank and matching"), blocks, tabs=_tabs(view, "statement"))


@staff.screen("/bank/transfers", command="transfer list", resource="bank")
def transfers(view: View) -> Page:
    """Transfers that we send: proposed, approved, in a file, sent back."""
    say = view.say
    found = view.rows("bank.list_transfers")

    def decide(row: Mapping[str, Any]) -> str | None:
        waits = str(row.get("state")) == "proposed"
        return view.act_at("bank.approve_transfer", transfer=row["id"]) if waits else None

    table = table_of(
        view, "", found.data, next=found.next, empty=say("No transfer was proposed."), hrefs={"id": decide}
    )
    acts = [view.act(name) for name in ("bank.propose", "bank.transfer_file")]
    return Page(
        say("Bank and matching"), [table, view.acts(say("What may be done"), acts)], tabs=_tabs(view, "transfers")
    )


@staff.screen("/bank/{payment}", command="bank list", resource="bank")
def payment(view: View, payment: Number) -> Page:
    """One line, and what may become of it."""
    say = view.say
    mine = [each for each in worked_out(view, "bank.suggest").answer or () if each["id"] == payment]
    names = (*_OPEN, "unmatch")
    acts = view.acts(say("What may be done"), [view.act(f"bank.{name}", payment=payment) for name in names])
    suggested = [
        Facts(say("Whose it may be"), [(each["account"], _reasons(view, each)) for each in mine])
    ] if mine else []  # fmt: skip
    item: list[Block] = []
    with suppress(Refused):  # it waits no more
        each = view.ask("tasks.show", task=f"payment {payment}")
        item = shown(view, "", {**each["detail"], "yen": each["amount_yen"]})
    return Page(say("Payment {number}", number=payment), [*item, *suggested, acts],
                above=[(say("Bank and matching"), to("bank"))])  # fmt: skip


def _payments(view: View, title: str, found: Any, following: str | None, name: str) -> Block:
    say = view.say
    rows = [
        [
            view.code(each["id"], to("bank", each["id"])),
            view.day(each["paid_on"]),
            view.yen(each["yen"]),
            view.text(each["payer"]),
            view.text(each["reference"]),
            view.word("state", each["state"]),
            view.account(each["account"]),
            view.text(each["by"]),
            view.text(_reason(view, each["why"] or "")),
        ]
        for each in found
    ]
    columns = [
        say("Payment"), say("Day"), say("Sum"), say("Payer"), say("Reference"), say("State"), say("Account"), say("By"),
        say("Why"),
    ]  # fmt: skip
    return view.table(title, columns, rows, empty=say("Nothing waits to be matched."), name=name, next=following)


def _reasons(view: View, each: Mapping[str, Any]) -> Cell:
    return view.text("; ".join(_reason(view, reason) for reason in each["reasons"]))


def _reason(view: View, reason: str) -> str:
    head, joint, rest = reason.partition(": ")
    return f"{word('bank_reason', head, view.lang)}{joint}{rest}"


def _matched(view: View, each: Mapping[str, Any]) -> Cell:
    reasons = "; ".join(each["reasons"])
    return view.text(
        view.say("Match"), view.act_at("bank.match", payment=each["id"], account=each["account"], ground=reasons)
    )


def _tabs(view: View, here: str) -> list[tuple[str, str, bool]]:
    titles = {"": named("Waiting"), "statement": named("Statement"), "transfers": named("Transfers")}
    return [(view.say(title), to("bank", *([name] if name else [])), name == here) for name, title in titles.items()]
